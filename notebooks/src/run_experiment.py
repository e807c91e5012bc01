# %% [markdown]
# # One experiment
#
# This notebook trains one method once, on one choice of labelled images, and shows what came of it: the settings, the
# learning curve, the test error, and which classes were confused. A sweep (`python -m sgan_lib.sweep`) executes it once
# for each combination of method, number of labels and seed, and keeps every copy. Such a copy is complete: open it and
# run all cells, and you get the same result again.
#
# To run an experiment of your own, change the parameters and run all cells. With the parameters as they are here, that
# takes a few seconds.

# %% tags=["imports"]
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from sgan_lib import experiments, runtime
from sgan_lib.course import plotting

plotting.use_course_style()

# %% [markdown]
# The defaults stand in the next cell. In a copy made by a sweep, a second cell below it has the values of that run.

# %% tags=["parameters"]
method = "sgan"  # one of experiments.METHODS or of baselines.BASELINES
dataset = "digits"  # one of data.DATASETS, or a folder of images (see data.from_folder)
n_labels = 50  # labelled images; None: all that a folder has
seed = 0  # of weights, batches and noise; also of the split, unless `overrides` has a split_seed
preset = "quick"  # budget: quick, standard or paper
overrides = {}  # any other field of experiments.Settings, such as {"network": "cnn", "shift": 2}
device = "auto"  # auto, cpu, cuda or mps
threads = 1  # of the processor; with as many, the same numbers come out again
result_file = None  # where to write the result as JSON, unless there is one; None: nowhere

# %% [markdown]
# ## Settings
# Everything that determines the run. What was not given comes from the network's recipe and the preset
# (`sgan_lib/networks.py`), or is a default (`sgan_lib/settings.py`); both say where each value is from.

# %% tags=["nbval-check-output"]
settings = experiments.resolve(method, dataset, preset, **({"n_labels": n_labels, "seed": seed} | overrides))
print(pd.Series(asdict(settings)).astype(str).to_string())

# %% [markdown]
# ## Training

# %% tags=["nbval-ignore-output"]
with runtime.threads(threads):
    result = experiments.run(**asdict(settings), device=device, progress=True)
# A copy that is run again leaves the sweep's result alone.
if result_file is not None and not Path(result_file).exists():
    result.to_json(result_file)
print(f"{settings.steps:,} steps in {result.seconds:.1f} s on {result.device}; {result.versions}")

# %% tags=["nbval-ignore-output"]
table = result.history_table()
curves = list(result.history[-1].scores) or list(result.history[-1].terms)
lines = {name.replace("_", " "): (table["step"], table[name]) for name in curves}
what = "share of wrong validation images" if result.history[-1].scores else "loss terms"
plotting.curves(lines, f"{method} on {dataset}, {n_labels} labels, seed {seed}", "steps", what)

# %% [markdown]
# **Figure.** The share of validation images that the network with averaged weights gets wrong, at each twentieth of the
# run. The validation part is as small as the labelled part, so the line is coarse; it is there to see whether training
# has settled. A method that does not classify, and a data set without a validation part, show the terms of the loss
# instead.
#
# ## Test error
# The test set is read once, at the end. The interval (95 %, Wilson) says how well that many test images measure this
# one network; it says nothing of other seeds.

# %% tags=["nbval-ignore-output"]
picture = "this method does not classify: no test error, no confusion matrix"
if result.confusion_matrix is not None:
    low, high = result.test_error_interval
    title = f"test error {result.test_error:.2%} ({low:.2%} to {high:.2%})"
    picture = plotting.confusion(result.confusion_matrix, result.class_names, title)
picture

# %% [markdown]
# **Figure.** Test images by true class (rows) and predicted class (columns). The diagonal holds those that are right;
# the darker another cell, the more often the one class was taken for the other.

# %% tags=["headline", "nbval-ignore-output"]
outcome = "no test error" if result.test_error is None else f"test error {result.test_error:.2%}"
print(f"headline: {method}, {dataset}, {n_labels} labels, seed {seed}: {outcome}")
