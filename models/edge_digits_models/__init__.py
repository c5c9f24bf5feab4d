"""Files only: ``NAME.tflite`` and ``NAME.evaluation.json.gz``, found by `edge_digits_runtime.model.registry`."""
