"""What is done in a process of its own: each task a frozen value, and the worker that does it."""
