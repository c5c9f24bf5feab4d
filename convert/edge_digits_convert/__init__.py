"""From a trained Keras run to one self-describing ``.tflite`` file.

`convert` goes through four steps, each with a result of its own: `quantize`, `verify`, `calibrate_confidence` and
`package`. TensorFlow is imported by the first of them when it is called, not before.
"""

from edge_digits_convert.calibration_pictures import CalibrationDraw
from edge_digits_convert.conversion import convert
from edge_digits_convert.packaging import ConversionResult
from edge_digits_convert.trained_run import RunPictures

__all__ = ["CalibrationDraw", "ConversionResult", "RunPictures", "convert"]
