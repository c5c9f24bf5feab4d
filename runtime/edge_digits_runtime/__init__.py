"""Everything a device needs to run a digit classifier: pictures in, digits out, no TensorFlow."""
