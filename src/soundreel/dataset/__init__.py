"""From clips to a folder of pairs that a person can open and look at."""
