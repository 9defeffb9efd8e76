"""The pages of data sets: their list, the forms of a new one, and its contents."""
