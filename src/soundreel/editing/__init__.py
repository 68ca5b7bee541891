"""Editing: a film cut from shots that were filmed already, chosen by their own sound."""
