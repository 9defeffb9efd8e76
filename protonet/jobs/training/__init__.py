"""Training: started from a pasted network or a solver file, resumed, and its loop."""
