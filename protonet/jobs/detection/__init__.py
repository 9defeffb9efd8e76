"""The objects that a detector finds in image files, and pictures of them."""
