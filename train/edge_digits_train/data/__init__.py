"""The pictures that ship with this package, MNIST and optdigits, and how a recipe splits a data set."""
