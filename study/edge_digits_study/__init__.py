"""Studies: published documents about digit classifiers, repeated.

| module | |
|---|---|
| `definition`, `studies` | the five studies: the systems that are trained, and the published figures |
| `grid` | the trials of a study: which are done and which are left |
| `trial` | one trial: train, measure, quantize and measure again, in one run folder |
| `ray_runner` | run trials on Ray Tune |
| `results` | ``results.json``, which holds all trials of a study |
| `seed_summary` | means and standard deviations over the seeds |
| `study_page`, `page_plots`, `plots` | the page of one study and its figures |
| `published_comparison`, `overview_page` | the page about all studies |

Pages are made from results. Only two figures need the run folders, since they show pictures and weights.
"""
