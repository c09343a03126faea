"""Trees to look at: the data a viewer is given, and what is drawn from it."""
