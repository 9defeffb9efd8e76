"""Numbers that both sides share."""

RATE, MOMENTUM, DECAY = 1e-4, 0.9, 5e-4
"""Of the solver: so small that no network comes to an end while it is measured."""

TILE = 2048
"""Rows of the square matrices whose product shows the machine's rate."""
