"""Everything a device needs to run a digit classifier: pictures in, digits out, no TensorFlow."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_digits_runtime.model.classifier import DigitClassifier, Prediction, Predictions

__all__ = ["DigitClassifier", "Prediction", "Predictions"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the classifier, and numpy with it, when it is first asked for: ``--help`` needs neither."""
    if name in __all__:
        from edge_digits_runtime.model import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
