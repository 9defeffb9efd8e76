"""Quantize a trained net after training: ranges of its blobs from a data set, and what it costs."""
