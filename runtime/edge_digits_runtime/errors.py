"""Everything that edge-digits raises on purpose, one tree.

    EdgeDigitsError
    ├── PictureError      a picture that cannot be opened, decoded or is too large
    ├── DataError         a data set of the wrong form, shape or labels
    ├── RunError          a run folder that is missing, unfinished, damaged or foreign
    ├── ModelError        a .tflite that is missing, damaged, or whose tensors do not fit
    │   └── ChecksumError a .tflite whose bytes do not match the sha256 in its card
    ├── SignatureError    a file whose signature is required, and is missing, another's, or does not fit
    ├── EvaluationError   an evaluation file that is missing, damaged or does not belong with the others
    ├── BackendError      no interpreter for .tflite files on this Python and platform
    ├── OutputError       a file or folder that cannot be written
    ├── ProfileError      a profile of a meter that is missing, damaged, or contradicts itself
    ├── WatchError        a camera, broker or service that watching a meter needs and that cannot be used
    ├── DeployError       a device that cannot be reached, or a step on it that failed
    └── UsageError        an argument or option that names nothing that exists

A message is one line: what was got, what is allowed, what to do. The command prints it after ``Error:`` and
exits with 2; any other exception is a fault of ours and keeps its traceback.
"""


class EdgeDigitsError(Exception):
    """Base of every error that a user of edge-digits can cause and mend."""


class PictureError(EdgeDigitsError):
    """A picture that cannot be opened or decoded."""


class DataError(EdgeDigitsError):
    """A data set of the wrong form, shape or labels."""


class RunError(EdgeDigitsError):
    """A run folder that is missing, unfinished, damaged or written by another program."""


class ModelError(EdgeDigitsError):
    """A ``.tflite`` that is missing, damaged, or whose tensors are not those of a digit classifier."""


class ChecksumError(ModelError):
    """A ``.tflite`` whose flatbuffer does not have the sha256 that its card states."""


class SignatureError(EdgeDigitsError):
    """A file that is not signed by the key that is required, or was changed after it was signed."""


class EvaluationError(EdgeDigitsError):
    """An evaluation file that is missing, damaged or does not belong with the others."""


class BackendError(EdgeDigitsError):
    """No interpreter for ``.tflite`` files on this Python and platform."""


class OutputError(EdgeDigitsError):
    """A file or folder that cannot be written: no permission, no such place, no space left."""


class ProfileError(EdgeDigitsError):
    """A profile of a meter that is missing, no TOML, or has boxes or limits that do not fit."""


class WatchError(EdgeDigitsError):
    """A camera, broker or other service that watching a meter needs, and that cannot be used."""


class DeployError(EdgeDigitsError):
    """A device that cannot be reached, or a step on it that failed."""


class UsageError(EdgeDigitsError):
    """An argument or option that names nothing that exists, such as an unknown recipe."""
