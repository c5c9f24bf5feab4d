"""Shapes and numbers that the pictures and labels of MNIST have in common."""

SIDE = 28
"""Width and height of a picture in pixels."""
SHAPE = (SIDE, SIDE)
"""Shape of a picture as an array."""
PICTURE_SHAPE = (SIDE, SIDE, 1)
"""Shape in which a network takes a picture: height, width, channels."""
SAME_PIXELS = (SHAPE, PICTURE_SHAPE, (SIDE * SIDE,))
"""Shapes that hold the same pixels in the same order; data sets and models of others use any of them."""
DIGITS = 10
"""Number of classes, the digits 0 to 9."""
