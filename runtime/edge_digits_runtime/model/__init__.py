"""From a ``.tflite`` file to answers: card, interpreters, tensors, the classifier, the installed models."""
