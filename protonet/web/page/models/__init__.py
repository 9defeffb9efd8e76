"""The pages of models: their list, and the form of a new one."""
