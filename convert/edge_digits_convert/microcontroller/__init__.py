"""From an int8 ``.tflite`` to C for a microcontroller, with the same logits as TensorFlow Lite Micro to the bit.

`export` goes through four steps: `read_network` gives the layers as whole numbers, `make_plan` a place for each
activation in one buffer, `write_source` the C, and a self-test in it whose expected logits come from
`edge_digits_convert.microcontroller.reference`. TensorFlow is not needed.
"""

from edge_digits_convert.microcontroller.exporting import Export, export

__all__ = ["Export", "export"]
