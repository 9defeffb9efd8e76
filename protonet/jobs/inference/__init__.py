"""Open a trained net, and predict or inspect its activations."""
