"""What a trained net says about images: one, or many."""
