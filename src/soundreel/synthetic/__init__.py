"""The planted-truth corpus: songs and music videos made here, their coupling known."""
