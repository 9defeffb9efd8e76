"""Databases of images: reading, decoding, transforming, batching and making them."""
