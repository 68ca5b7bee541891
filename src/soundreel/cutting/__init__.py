"""How a director cuts, learnt from clips, and a plan of cuts for a new song."""
