"""Files of weights and solver states, and writing that is whole or not at all."""
