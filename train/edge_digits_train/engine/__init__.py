"""How a recipe is trained: the Keras model, the epochs, checkpoints, devices, and what the run folder gets."""
