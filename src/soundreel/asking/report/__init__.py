"""The evidence report: figures, plain words and one page that asks nobody; arrays in, HTML out."""
