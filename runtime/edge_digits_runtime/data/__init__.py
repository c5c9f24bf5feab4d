"""Labelled pictures: data sets in several file formats, splits, and the metrics of answers."""
