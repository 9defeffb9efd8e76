"""Profiling of a net, compared with the machine's peak rates."""
