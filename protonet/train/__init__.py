"""Training: the loop, its events, and what is done with them."""
