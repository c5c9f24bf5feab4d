"""A look at a data set before it is trained on: what it holds, and what would make a measured accuracy too good."""

from edge_digits.survey.leaks import leak_warning
from edge_digits.survey.survey import Match, Place, Survey, survey

__all__ = ["Match", "Place", "Survey", "leak_warning", "survey"]
