"""From a trained Keras run to one self-describing ``.tflite`` file.

TensorFlow is imported when `convert` is called, not before.
"""

from edge_digits_convert.conversion import ConversionResult, convert

__all__ = ["ConversionResult", "convert"]
