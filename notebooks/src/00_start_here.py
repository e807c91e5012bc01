# %% [markdown]
# # 00 · Start here
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# **You have 50 labelled images and 1,247 without labels. How much are the others worth?**
#
# Labels cost money; images often do not. This course is about one way to use images that nobody has labelled. A
# [generator](glossary.md#generator) learns to imitate them. A classifier learns to tell the imitations from the real
# ones while it learns its classes. You start with the result: one network learns from the same 50 labels twice, alone
# and inside a generative adversarial network (GAN).
#
# **After this notebook you can**
# - *run* a semi-supervised experiment with one call, and read its result,
# - *compute* a paired gain, and judge whether it is more than chance,
# - *compare* a GAN with a simple [baseline](glossary.md#baseline).
#
# **Before you start**: Python and some machine learning: what a classifier, a loss and gradient descent are. You need
# not have trained a GAN before. **Time**: about 3 minutes of computing on two CPU cores, 40 minutes of reading and
# exercises. No network, no GPU.
#
# **Stored and live**: the runs below are computed here; one table, of ten splits, is stored.

# %% tags=["colab"]
# In Colab, this cell installs the course's library and keeps Colab's own torch. Elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

if "google.colab" in sys.modules:
    library = [os.environ.get("SGAN_REPOSITORY", "")]
    for path in Path().glob("*.zip"):  # the course's folder as a zip, if you have uploaded it
        inside = [name for name in zipfile.ZipFile(path).namelist() if name.endswith("sgan_lib/__init__.py")]
        if inside:
            zipfile.ZipFile(path).extractall("course")
            library = [str(Path("course", inside[0]).parents[1].resolve())]
    if importlib.util.find_spec("sgan_lib"):
        library = []
    if library == [""]:
        raise RuntimeError("upload the course's folder as a zip (folder symbol at the left), and run this cell again")
    pure_python = ["anywidget", "jaxtyping", "lightning-utilities", "psygnal", "torchmetrics", "wadler-lindig"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *pure_python, *library], check=True)

# %% tags=["imports"]
import pandas as pd

from sgan_lib import data, evaluation, experiments
from sgan_lib.course import environment, exercises, plotting, stored, widgets

plotting.use_course_style()

# %% [markdown]
# The next cell holds what you may change. Try it later with `n_labels = 20`, or from a terminal:
# `python -m sgan_lib.course run 00_start_here -p n_labels 20`.

# %% tags=["parameters"]
n_labels = 50
n_seeds = 5
seed = 0
preset = "quick"  # a budget of training steps: quick, standard or paper

# %% [markdown]
# ## Is your machine ready?
#
# Each line says "fine", or what to do.

# %% tags=["nbval-ignore-output"]
for line in environment.environment_report():
    print(line)

# %% [markdown]
# ## What the classifier gets to see
#
# The data are scikit-learn's *digits*: 1,797 images of 8×8 pixels. `data.load` hides most of the labels.

# %% tags=["nbval-check-output"]
digits = data.load("digits", n_labels=n_labels, split_seed=seed)
print(digits.describe())

# %% [markdown]
# The [pool](glossary.md#pool) has 1,297 images: 1,247 that nobody labelled and the 50, here without their labels. The
# library keeps no copy of their labels that training could reach.
#
# The [split](glossary.md#split) is *balanced*: five labels for each digit. (A folder from practice rarely is:
# [10](10_your_data.ipynb).) It is *seeded*: split seed 0 always picks these 50. It is *nested*: the 20 labelled images
# of a smaller experiment are among these 50.
#
# The [validation images](glossary.md#validation-set) are for choosing settings. Their labels come on top of your 50.
# The [test images](glossary.md#test-set) are read once, at the end of a run.
#
# These are the images whose labels the classifier may use:

# %% tags=["nbval-ignore-output"]
order = digits.labelled.labels.argsort(stable=True)
names = [digits.class_names[label] for label in digits.labelled.labels[order]]
title = f"The {n_labels} images whose labels train the classifier"
plotting.image_grid(digits.labelled.images[order], title, names, size=0.55)

# %% [markdown]
# **Figure.** Five rows of ten coarse 8×8 digits, sorted, each with its label below: five zeros, five ones, and so on.
# The ones alone come in several styles. Some images are hard to read even for you.

# %%
widgets.quiz("start", "pool")

# %% [markdown]
# ## Alone: 50 labels and nothing else
#
# `experiments.run` starts every experiment of this course. It takes a method, a data set, a number of labels and a
# [seed](glossary.md#seed). The method `supervised` trains the network on the labelled images only.

# %% tags=["nbval-ignore-output"]
alone = experiments.run("supervised", "digits", n_labels, seed=seed, preset=preset, progress=True)
low, high = alone.test_error_interval
print(f"test error {alone.test_error:.1%} (95 % interval {low:.1%} to {high:.1%}) after {alone.seconds:.1f} s")

# %% [markdown]
# The formula of the interval is [Wilson's](glossary.md#wilson-interval), for a share of 450 images.

# %%
widgets.quiz("start", "interval")

# %% [markdown]
# ## With a GAN: the same 50 labels, and 1,247 images without
#
# A second network, the generator, turns random numbers into images. The classifier, now called the
# [discriminator](glossary.md#discriminator), has two jobs. Where an image is labelled, it names the digit. Everywhere,
# it tells real images from generated ones. The generator tries to be taken for real.
#
# To tell real from generated, the discriminator can learn what real digits look like, and for that it needs no labels.
# This is a [semi-supervised GAN](glossary.md#semi-supervised-gan), or *SGAN*. (The figures say "SGAN (N+1 classes)";
# [01](01_theory.ipynb), part 4, explains the bracket.)

# %%
widgets.predict(
    "start.gan",
    "The network now has two jobs instead of one. What happens to its test error?",
    choices=["up by more than a point", "at most a point of change", "down by more than a point"],
)

# %% tags=["result", "nbval-ignore-output"]
with_gan = experiments.run("sgan", "digits", n_labels, seed=seed, preset=preset, progress=True)
print(f"alone {alone.test_error:.1%}, with the GAN {with_gan.test_error:.1%}, in {with_gan.seconds:.1f} s")
change = 100 * (with_gan.test_error - alone.test_error)
result = "at most a point of change" if abs(change) <= 1 else f"{'up' if change > 0 else 'down'} by more than a point"
widgets.reveal(
    "start.gan", result, "The second job is learned from images without labels, and both jobs share a network."
)

# %% [markdown]
# Both runs have the same classifier network, the same labels and the same number of steps. Both are tested with
# [averaged weights](glossary.md#averaged-weights). Only the second job, and the images that it needs, are new. But this
# was one split and one seed.
#
# ## Is it chance?
#
# Repeat with other seeds. Each seed brings another choice of 50 labels, other initial weights and other batches. Both
# methods get the same splits, so you can compare them in pairs.

# %%
widgets.predict(
    "start.chance",
    "You repeat both methods on other splits. On which share of the splits is the network better inside the GAN?",
    choices=["on all", "on more than half, not on all", "on half or fewer"],
)

# %% tags=["result", "nbval-ignore-output"]
runs = [alone, with_gan]
for other in range(seed + 1, seed + n_seeds):
    runs += [experiments.run(m, "digits", n_labels, seed=other, preset=preset) for m in ("supervised", "sgan")]
table = pd.DataFrame([{"method": r.settings.method, "seed": r.settings.seed, "test_error": r.test_error} for r in runs])
pairs = 100 * table.pivot(index="seed", columns="method", values="test_error")[["supervised", "sgan"]]
print(pairs.round(1).to_string())
share = (pairs["sgan"] < pairs["supervised"]).mean()
result = "on all" if share == 1 else "on more than half, not on all" if share > 0.5 else "on half or fewer"
widgets.reveal("start.chance", result, "Both methods get the same splits; so look at pairs.")

# %% [markdown]
# What decides is the [paired difference](glossary.md#paired-difference): on the same split, how much better is the
# network with the GAN? The interval below is a [t-interval](glossary.md#t-interval) of its mean: the mean plus and
# minus t [standard errors](glossary.md#standard-error). For few runs t is large: 2.78 for five. For many it comes down
# to 1.96. If the interval contains zero, these runs cannot tell you which method is better.


# %% tags=["nbval-ignore-output"]
def compared(worse, better):
    """The mean of a paired difference, in points, with its 95 % t-interval, as text."""
    low, high = evaluation.mean_interval((worse - better).tolist())
    return f"{(worse - better).mean():.1f} points, 95 % interval {low:.1f} to {high:.1f}"


print(f"supervised minus sgan, {len(pairs)} splits: {compared(pairs['supervised'], pairs['sgan'])}")

# %% [markdown]
# In the stored run (preset `quick`, seeds 0 to 4) the mean error falls from 12.2 % to 4.6 %. The mean gain is 7.6
# points. Its interval, 4.4 to 10.8, does not contain zero. Five runs are few; for fewer, stored tables give no
# interval.

# %%
widgets.quiz("start", "paired")

# %% [markdown]
# ## The next best thing without a GAN
#
# A gain over the network alone does not say that you need a GAN. Perhaps simpler methods use the unlabelled images as
# well. [Label spreading](glossary.md#label-spreading), from scikit-learn, joins each image to its ten nearest
# neighbours, pixel by pixel. Then labels pass from the labelled images to their neighbours, step by step. There is no
# network. (The number of neighbours was chosen on the validation images of splits 100 to 102.)

# %%
widgets.predict(
    "start.simple",
    "Label spreading takes a second. How does its mean error compare with that of the SGAN on the same splits?",
    choices=["higher by more than 3 points", "within 3 points", "lower by more than 3 points"],
)

# %% tags=["result", "nbval-ignore-output"]
simple = [experiments.run("label_spreading", "digits", n_labels, seed=s, preset=preset) for s in pairs.index]
added = [{"method": "label_spreading", "seed": r.settings.seed, "test_error": r.test_error} for r in simple]
table = pd.concat([table, pd.DataFrame(added)])
plotting.errors_by_method(table, "A GAN, and a baseline without one")

# %% [markdown]
# **Figure.** Test errors of three methods, a column each, one mark per run; where two runs have the same error, their
# marks coincide. Grey lines join runs on the same split. Large markers are means, with 95 % t-intervals. "Supervised"
# lies far above the two others, which share the same heights.

# %% tags=["result", "nbval-ignore-output"]
pairs = 100 * table.pivot(index="seed", columns="method", values="test_error")
print(pairs.mean().round(1).rename_axis(None).to_string())
print(f"label spreading minus sgan: {compared(pairs['label_spreading'], pairs['sgan'])}")
ahead = (pairs["label_spreading"] - pairs["sgan"]).mean()
result = "within 3 points" if abs(ahead) <= 3 else f"{'higher' if ahead > 0 else 'lower'} by more than 3 points"
widgets.reveal("start.simple", result, "On 8×8 digits, near neighbours mostly belong to one class.")

# %% [markdown]
# In the stored run label spreading has 5.5 % and the SGAN 4.6 %. The difference is undecided: its interval, -1.0 to 2.8
# points, contains zero.
#
# So on these digits the unlabelled images are worth much, and you can use them without a GAN.
# [05](05_label_scarcity.ipynb) asks where that changes: with more labels, and on larger images.
#
# ## The same question at full length
#
# The next table is stored: ten splits, preset `standard` (3,000 steps per run). It has a fourth method,
# [feature matching](glossary.md#feature-matching), the subject of [04](04_feature_matching.ipynb). Label spreading is
# run here.

# %%
widgets.predict(
    "start.ten",
    "Ten splits, longer runs. Which of these differences has an interval that does not contain zero?",
    choices=["only supervised against SGAN", "only SGAN against feature matching", "both", "neither"],
)

# %% tags=["result", "nbval-ignore-output"]
longer = stored.stored_table("digits_50_labels.csv")
splits = sorted(longer["seed"].unique())
spread = {s: experiments.run("label_spreading", "digits", 50, seed=s).test_error for s in splits}
added = pd.DataFrame({"method": "label_spreading", "seed": spread.keys(), "test_error": spread.values()})
longer = pd.concat([longer, added])
plotting.errors_by_method(longer, "Ten splits: the network alone is clearly behind")

# %% [markdown]
# **Figure.** Test errors of four methods in columns of ten points: supervised around 13 %, the three others around 5 %.
# All ten grey lines fall from the first column to the second. Between the others they cross. Bars are 95 % t-intervals
# of the means.

# %% tags=["result", "nbval-ignore-output"]
errors = 100 * longer.pivot(index="seed", columns="method", values="test_error")
print(errors.mean().round(1).rename_axis(None).to_string())
print(f"supervised minus sgan: {compared(errors['supervised'], errors['sgan'])}")
print(f"sgan minus feature matching: {compared(errors['sgan'], errors['feature_matching'])}")
print(f"label spreading minus sgan: {compared(errors['label_spreading'], errors['sgan'])}")
widgets.reveal("start.ten", "only supervised against SGAN", "The other interval contains zero: undecided.")

# %% [markdown]
# <!-- numbers: ten splits of digits -->
# The first difference is clear. The mean error falls from 13.1 % to 4.8 %. That is a gain of 8.3 points, with an
# interval from 6.6 to 9.9. The difference between the two GANs is undecided: its interval contains zero.
#
# <!-- numbers: ten splits and label spreading -->
# Label spreading has 5.6 % on these ten splits. Its difference from the SGAN is undecided as well: -0.3 to 1.8 points.
#
# A caution. The settings were chosen with 400 labels of other splits, so the errors are lower than 50 labels alone
# allow, the GANs' most of all ([how we measure](../figures/PROTOCOL.md)). *digits* is an easy set, and the supervised
# network has no [augmentation](glossary.md#augmentation). A better baseline may take away part of such a gain, and more
# labels all of it.

# %%
widgets.quiz("start", "undecided")

# %% [markdown]
# ## Exercises
#
# ### Exercise 1: read a result
#
# `with_gan.history` holds a record for every twentieth of the run. Each record has a dictionary `scores`, whose key
# `validation_error` holds the error at that point. Collect these errors in a list, in their order.

# %% tags=["nbval-check-output"]
validation_errors = None  # your list, one number per record
exercises.check("start.validation_errors", validation_errors)
# exercises.hint("start.validation_errors")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# short = experiments.run("sgan", "digits", n_labels, seed=seed, preset=preset, steps=100)
# validation_errors = [record.scores["validation_error"] for record in short.history]
# exercises.check("start.validation_errors", validation_errors)
# ```
#
# The first line makes the block run by itself, on a shorter run; for yours, take `with_gan` in place of `short`. Its
# first record comes after five steps, when the network has hardly learned anything.
# </details>
#
# ### Exercise 2: a paired comparison
#
# A split may be hard for both methods. What both share cancels in the difference. Write a function that takes two lists
# of errors, one entry per seed, in the same order. It returns the mean gain of the second over the first in percentage
# points.


# %% tags=["nbval-check-output"]
def mean_gain(errors_alone, errors_with_gan):
    raise NotImplementedError  # your line: return a number in percentage points


exercises.check("start.mean_gain", mean_gain)
# exercises.hint("start.mean_gain")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def mean_gain(errors_alone, errors_with_gan):
#     return 100 * sum(a - b for a, b in zip(errors_alone, errors_with_gan, strict=True)) / len(errors_alone)
#
#
# exercises.check("start.mean_gain", mean_gain)
# ```
#
# Errors are fractions in [0, 1], so the factor 100 makes percentage points. `strict=True` refuses lists of different
# lengths.
# </details>
#
# ### Exercise 3: fewer labels
#
# A method is needed most where labels are scarcest. Is the gain in points with 20 labels larger than with 50? Run both
# methods with `n_labels=20` on seeds 0 and 1. Hand in the two mean errors as a dictionary
# `{"supervised": …, "sgan": …}` of fractions.

# %% tags=["nbval-check-output"]
errors_at_20 = None  # your dictionary of two mean errors
exercises.check("start.errors_at_20", errors_at_20)
# exercises.hint("start.errors_at_20")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# errors_at_20 = {}
# for method in ("supervised", "sgan"):
#     runs = experiments.repeat(2, method=method, dataset="digits", n_labels=20, preset=preset)
#     errors_at_20[method] = sum(run.test_error for run in runs) / 2
# exercises.check("start.errors_at_20", errors_at_20)
# ```
#
# <!-- numbers: gain with 20 labels -->
# Two seeds show a direction, no more. Over twenty splits ([05](05_label_scarcity.ipynb), the same preset) the gain is
# larger in points than with 50 labels: 14.0 against 7.9. As a share of the error the order is undecided: 55 % against
# 60 %.
# </details>

# %% [markdown]
# ## What you found
#
# - On *digits* with 50 labels (seeds 0 to 4, preset `quick`) the test error is 12.2 % alone and 4.6 % inside a GAN. The
#   paired gain is 7.6 points, interval 4.4 to 10.8.
# - Ten splits at preset `standard` agree: 13.1 % against 4.8 %.
#
# <!-- numbers: label spreading in short -->
# - On these digits a simple baseline cannot be told from the GAN. Over twenty splits label spreading has 5.8 % with 50
#   labels. Its difference from the SGAN is undecided: -0.1 to 1.3 points (stored runs of 1,500 steps,
#   [05](05_label_scarcity.ipynb)).
#
# **Still open.** Why does telling real from generated help a classifier at all? And why does one network suffice for
# both jobs?
#
# **Read on.** Odena 2016, *Semi-Supervised Learning with Generative Adversarial Networks* (arXiv:1606.01583). Salimans
# et al. 2016, *Improved Techniques for Training GANs* (arXiv:1606.03498), section 5. Oliver et al. 2018, *Realistic
# Evaluation of Deep Semi-Supervised Learning Algorithms* (arXiv:1804.09170), on fair comparisons.
#
# Ten questions to close, and how far you are:

# %%
widgets.quiz("start")

# %%
exercises.progress()

# %% [markdown]
# ## The map
#
# | notebook | question |
# | --- | --- |
# | [01 · Theory](01_theory.ipynb) | What do the two networks compute? |
# | [02 · GAN baseline](02_gan_baseline.ipynb) | Can you write a GAN, break it, and judge it? |
# | [03 · SGAN](03_sgan.ipynb) | Does the second job help the classifier? |
# | [04 · Feature matching](04_feature_matching.ipynb) | Does a classifier need good fakes? |
# | [05 · Label scarcity](05_label_scarcity.ipynb) | How many labels do you need, and when is a gain a gain? |
# | [06 · BiGAN](06_bigan.ipynb) | What are features worth that no label has touched? |
# | [07 · Conditional SGAN](07_conditional_sgan.ipynb) | Can you order a seven when hardly any has a label? |
# | [08 · Debugging](08_debugging.ipynb) | Is this code right, and is it semi-supervised? |
# | [09 · Scaling up](09_scaling_up.ipynb) | How do you run hundreds of these, and when should you not? |
# | [10 · Your data](10_your_data.ipynb) | Does a GAN help on your own images? |
# | [A1 · Case studies](A1_case_studies.ipynb) | Appendix: what happened in runs that surprised? |
# | [A2 · More defects](A2_more_defects.ipynb) | Appendix: which mistake, which symptom? |
#
# The [glossary](glossary.md) explains the terms. Your own images wait already? Go to [10](10_your_data.ipynb).
#
# **Next**: [01 · Theory](01_theory.ipynb) says what the two networks compute.

# %% tags=["headline", "nbval-ignore-output"]
means = pairs.mean()
print(f"headline: {n_labels} labels: {means['supervised']:.1f} % error alone, {means['sgan']:.1f} % with the GAN")
