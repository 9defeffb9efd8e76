"""Data-parallel training over several processes: ranks, and what they send each other."""
