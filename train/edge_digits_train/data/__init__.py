"""The pictures that ship with the training side: MNIST and optdigits."""
