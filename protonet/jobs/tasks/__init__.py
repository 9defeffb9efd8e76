"""Tasks as frozen values, and the worker process that runs them."""
