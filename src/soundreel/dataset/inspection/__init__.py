"""A dataset shown to a person, and pruned by one."""
