"""A trained net is opened, and asked about images or looked into."""
