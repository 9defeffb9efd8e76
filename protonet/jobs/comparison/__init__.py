"""Comparison of several runs: the settings that differ, the best values."""
