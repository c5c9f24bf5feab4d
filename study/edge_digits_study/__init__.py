"""Studies: documents about digit classifiers, rerun. Each is a grid of systems with what the document published.

The flow is one line: `studies.STUDIES` say what is trained, `run` trains, quantizes and measures each trial on Ray Tune
and leaves one run folder for each, `results` gathers these into ``results.json``, `measures` makes figures over seeds
of that, and `page` and `compare` set them beside what was published. Pictures and weights alone are drawn from run
folders.
"""
