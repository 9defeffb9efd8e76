"""Where the time of a net goes, and what the machine could do."""
