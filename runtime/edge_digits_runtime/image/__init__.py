"""From a picture file to the pixels that a model takes: decoding, ink, ruling, printed boxes, the frame of MNIST."""
