"""The pages of jobs: lists, a training, comparisons."""
