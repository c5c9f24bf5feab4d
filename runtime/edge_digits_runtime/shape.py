"""What all pictures and answers have in common."""

SIDE = 28
"""Width and height in pixels of what a model gets."""
DIGITS = 10
"""How many answers there are, 0 to 9."""
