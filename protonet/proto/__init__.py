"""Prototxt and messages: the text, its mistakes, its dialects and its rules. No arrays."""
