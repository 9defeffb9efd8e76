"""Files of weights and solver states, and atomic writes."""
