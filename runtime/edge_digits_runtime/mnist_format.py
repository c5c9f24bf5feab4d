"""What the pictures and labels of MNIST have in common."""

SIDE = 28
"""Width and height of a picture in pixels."""
DIGITS = 10
"""Number of classes, the digits 0 to 9."""
PICTURE_SHAPE = (SIDE, SIDE, 1)
"""Height, width and channels of a picture as a network takes it."""
