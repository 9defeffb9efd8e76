"""The page that a person sees. It asks the services for everything, as the JSON API does."""
