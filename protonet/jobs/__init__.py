"""A run from beginning to end: settings, files, training, inference."""
