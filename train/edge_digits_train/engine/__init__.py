"""Training a recipe: the Keras model, the data of each epoch, checkpoints, clusters of devices, the run folder."""
