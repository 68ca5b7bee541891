"""From a dataset to a run folder with a model in it."""
