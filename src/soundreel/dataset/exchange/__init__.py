"""Datasets in the forms of other programs, and back."""
