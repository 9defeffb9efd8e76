"""A run directory: its settings, its record, its files and how they travel."""
