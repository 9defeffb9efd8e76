"""A net as a graph: names, plan, memory, and the arrays that run."""
