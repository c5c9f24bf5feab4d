"""Studies: documents about digit classifiers, rerun. Each is a grid of systems with what the document published.

The flow is one line: `studies.STUDIES` say what is trained, `run` trains, quantizes and measures each trial on Ray Tune
and leaves one run folder for each, `results` gathers these into ``results.json``, and `page` makes tables and
figures of that file alone.
"""
