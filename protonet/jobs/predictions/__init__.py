"""Predictions on many images with their truths, kept in files."""
