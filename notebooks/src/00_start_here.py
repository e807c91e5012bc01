# %% [markdown]
# # 00 · Start here
# *Open in Colab: this copy has no address yet; set it with `make badges REPOSITORY=owner/name`.*
#
# **You have 50 labelled images and 1,247 without labels. How much are the others worth?**
#
# Labels cost money; images often do not. This course is about one way to use images that nobody has labelled: train a
# generator to imitate them, and let the classifier learn to tell the imitations from the real ones while it learns
# its classes. You start with the result. Within half a minute, the same network learns from the same 50 labels twice,
# once alone and once inside a generative adversarial network (GAN), and you see what the unlabelled images bring.
#
# **After this notebook you can**
# - *check* that your machine is ready for the course,
# - *run* a semi-supervised experiment with one call, and read its result,
# - *judge* whether a difference between two methods is more than luck.
#
# **You need** Python and some machine learning: what a classifier, a loss and gradient descent are. You need not have
# trained a GAN before.
# **Time:** about 1 minute of computing on two CPU cores, 20 minutes of reading. No network, no GPU.
# **Stored and live:** every number below comes from the cell above it, except in one figure and one cell that say so.

# %% tags=["colab"]
# In Colab, this cell installs the course's library and keeps Colab's own torch. Elsewhere it does nothing.
import os
import subprocess
import sys

if "google.colab" in sys.modules:
    repository = os.environ.get("SGAN_REPOSITORY", "")
    if not repository:
        raise RuntimeError("this copy has no address yet; set it with `make badges REPOSITORY=owner/name`")
    pure_python = ["anywidget", "jaxtyping", "lightning-utilities", "psygnal", "torchmetrics", "wadler-lindig"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *pure_python, repository], check=True)

# %% tags=["imports"]
import pandas as pd

from sgan_lib import data, evaluation, experiments
from sgan_lib.course import environment, exercises, plotting, stored

plotting.use_course_style()

# %% [markdown]
# The next cell holds what you may change. Try it later: run the notebook with `n_labels = 20`, or from a terminal,
# `python -m sgan_lib.course run 00_start_here -p n_labels 20`.

# %% tags=["parameters"]
n_labels = 50
n_seeds = 4
seed = 0
preset = "quick"  # a budget of training steps: quick, standard or paper

# %% [markdown]
# ## Is your machine ready?
# Three checks: Python, torch with its device, and the data that the library ships. Each line says "fine", or what to do.

# %% tags=["nbval-ignore-output"]
for line in environment.environment_report():
    print(line)

# %% [markdown]
# Nothing here needs a GPU. Where there is one, every experiment uses it.
#
# ## What the classifier gets to see
# The data are scikit-learn's *digits*: 1,797 handwritten digits of 8×8 pixels, written by real people and small enough to train
# on in seconds. `data.load` hides most of the labels.
#
# **Predict:** with 50 labels over 10 classes, how many examples of a "7" does the classifier see?

# %% tags=["nbval-check-output"]
digits = data.load("digits", n_labels=n_labels, split_seed=seed)
print(digits.describe())

# %% [markdown]
# Five of each: the split is *balanced*. It is also *seeded* (split seed 0 always picks these 50) and *nested* (the 20 labelled
# images of a smaller experiment are among these 50). The 1,297 images of the unlabelled pool come without labels, and the
# library keeps no copy of their labels that training could reach. The 50 validation images are for choosing settings. The 450 test images are read
# once, at the end of a run.
#
# Here they are: all the images whose labels the classifier may use.

# %% tags=["nbval-ignore-output"]
names = [digits.class_names[label] for label in digits.labelled.labels]
plotting.image_grid(digits.labelled.images, f"These {n_labels} images are all the labels you have", names, size=0.55)

# %% [markdown]
# **Figure.** Five rows of ten coarse 8×8 digits, each with its label below. Every column holds one digit, five times. The "1"s
# alone come in several styles, and some images are hard to read even for you.
#
# ## Alone: 50 labels and nothing else
# `experiments.run` is the one door to every experiment of this course: a method, a data set, a number of labels, a seed.
# The method `supervised` trains the network on the labelled images only.

# %% tags=["nbval-ignore-output"]
alone = experiments.run("supervised", "digits", n_labels, seed=seed, preset=preset, progress=True)
low, high = alone.test_error_interval
print(f"test error {alone.test_error:.1%} (95 % interval {low:.1%} to {high:.1%}) after {alone.seconds:.1f} s")

# %% [markdown]
# The interval (Wilson's, for a proportion: every error rate from which the measured one is less than 1.96 of *its*
# standard errors away) says how well 450 test images measure *this* network. It does not say what another 50 labels
# would have given. Keep that in mind for a moment.
#
# ## With a GAN: the same 50 labels, and 1,247 images without
# A second network, the **generator**, turns random numbers into images. The classifier, now called the
# **discriminator**, has two jobs: name the digit where an image is labelled, and tell real images from generated ones
# everywhere. The generator tries to be taken for real. To tell real from fake, the discriminator must learn what real
# digits look like, and for that it needs no labels. Such a GAN is called a semi-supervised GAN, *SGAN* (in the
# figures "SGAN (N+1 classes)"; notebook 01, part 4, explains the bracket).
#
# **Predict:** will the error go up, because the network now has two jobs, or down? By how much?

# %% tags=["nbval-ignore-output"]
with_gan = experiments.run("sgan", "digits", n_labels, seed=seed, preset=preset, progress=True)
print(f"alone {alone.test_error:.1%}, with the GAN {with_gan.test_error:.1%}, in {with_gan.seconds:.1f} s")

# %% [markdown]
# Down. The classifier networks are the same, and so are the labels and the number of steps; both are tested with
# averaged weights, a running mean over the last steps. Only the second job, and the images that it needs, are new.
# But this was one split and one seed: it might be luck.
#
# ## Is it luck?
# The honest way to ask: repeat with other seeds. Each seed brings another choice of 50 labels, other initial weights, other
# batches. Both methods get the same splits, so you can compare them in pairs.

# %% tags=["nbval-ignore-output"]
runs = [alone, with_gan]
for other in range(seed + 1, seed + n_seeds):
    runs += [experiments.run(m, "digits", n_labels, seed=other, preset=preset) for m in ("supervised", "sgan")]
table = pd.DataFrame([{"method": r.settings.method, "seed": r.settings.seed, "test_error": r.test_error} for r in runs])
(100 * table.pivot(index="seed", columns="method", values="test_error")[["supervised", "sgan"]]).round(1)

# %% tags=["nbval-ignore-output"]
means = 100 * table.groupby("method")["test_error"].mean()
verdict = "lowers" if means["sgan"] < means["supervised"] else "does not lower"
plotting.errors_by_method(table, f"With {n_labels} labels, the GAN {verdict} the error: {len(table) // 2} splits")

# %% [markdown]
# **Figure.** Two columns of points, one point per run: "supervised" on the left, "SGAN" on the right. Grey lines join
# runs on the same split, and each of them falls from left to right. Large markers show the means.
#
# What decides is the *paired difference*: on the same split, how much better is the network with the GAN? The
# interval below is Student's *t-interval* of the mean difference: the mean plus and minus t standard errors (the
# standard deviation of the differences over √n). For few runs t is large, 3.18 for four; for many it comes down to
# 1.96. If the interval contained zero, these runs could not tell you which method is better.

# %% tags=["nbval-ignore-output"]
pairs = table.pivot(index="seed", columns="method", values="test_error")
gains = 100 * (pairs["supervised"] - pairs["sgan"])
low, high = evaluation.mean_interval(gains.tolist())
print(f"gain {gains.mean():.1f} percentage points, 95 % interval {low:.1f} to {high:.1f}, {len(gains)} paired seeds")

# %% [markdown]
# In the stored run (seeds 0 to 3, preset `quick`), the mean error falls from 11.4 % to 4.8 %, and it falls on every split. The
# mean gain is 6.6 points, with an interval from 5.0 to 8.2 that stays away from zero. But four seeds are few, and so the
# interval is wide: these runs show a gain, and not how large it is.
#
# ## The same question at full length
# A few seeds and a short run are enough to see an effect, not to measure it. The figure below is stored: ten splits,
# preset `standard` (3,000 steps a run), drawn by `make figures` from `figures/digits_50_labels.csv`. It has a third
# method, *feature matching*, which a later notebook is about.

# %% tags=["nbval-ignore-output"]
plotting.stored_figure("digits_50_labels.png", width=7)

# %% [markdown]
# **Figure.** Three columns of ten points each: supervised around 13 %, SGAN around 5 %, feature matching just below. All ten
# grey lines fall from the first column to the second. Between the second and the third they cross: some rise, some fall.
#
# **Predict:** which of the two differences in this figure would you bet on, if you drew ten new splits? The next cell asks the
# table.

# %% tags=["nbval-check-output"]
errors = 100 * stored.stored_table("digits_50_labels.csv").pivot(index="seed", columns="method", values="test_error")
print(errors.mean().round(1).rename_axis(None).to_string())
for better, worse in (("sgan", "supervised"), ("feature_matching", "sgan")):
    gains = errors[worse] - errors[better]
    low, high = evaluation.mean_interval(gains.tolist())
    print(f"{better} against {worse}: gain {gains.mean():.1f} points, 95 % interval {low:.1f} to {high:.1f}")

# %% [markdown]
# <!-- numbers: ten splits of digits -->
# The first difference is clear: 8.3 points, from 13.1 % to 4.8 %, with an interval from 6.6 to 9.9. The second is undecided: half
# a point for feature matching on average, and the interval contains zero. These ten splits cannot tell the two methods apart.
#
# A word of caution. *digits* is an easy set, and the baseline has no data augmentation. A better baseline takes away
# part of such a gain, and more labels may take away all of it. Notebooks 02, 03 and 05 show both on MNIST.

# %% [markdown]
# ## The map
#
# | notebook | question | you build |
# | --- | --- | --- |
# | `01_theory` | What do the two networks compute, and why does one output a class suffice? | every loss, checked numerically |
# | `02_gan_baseline` | What does a GAN look like when it works, and when it fails? | a convolutional GAN on MNIST, and an honest baseline |
# | `03_sgan` | Does the second job help the classifier? | SGAN in two forms, with few labels and with many |
# | `04_feature_matching` | Should you wish for a perfect generator? | the loss that asks for none, and the runs behind 1.7 % on MNIST |
# | `05_label_scarcity` | How many labels do you need, and when is a gain a gain? | curves with intervals, paired comparisons, broken assumptions |
# | `06_bigan` | What are features worth that no label has touched? | an encoder that undoes the generator |
# | `07_conditional_sgan` | Can you order a digit when hardly any has a label? | a generator that takes a class |
# | `08_debugging` | Is this code right, and is it semi-supervised? | twenty-five suspects, each tried by a measurement |
# | `09_scaling_up` | How do you run hundreds of these, and when should you not? | a sweep that survives a kill, on one machine or many |
# | `10_your_data` | Does a GAN help on your own images? | a comparison, a decision and a file that predicts, for any folder |
#
# Each notebook opens with a question, shows a picture before the formula, and lets you predict before you run. Solutions are
# folded away below each exercise. Where a number is stored and not live, the text says so.

# %% [markdown]
# ## Exercises
# **1. Read a result (recall).** *Why it matters:* a result that you cannot take apart is a rumour. `with_gan.history`
# holds a record for every twentieth of the run, and each record has a dictionary `scores`, whose key
# `validation_error` holds the error at that point. Collect these errors in a list, in their order.

# %% tags=["nbval-check-output"]
validation_errors = None  # your list, one number a record
exercises.check("start.validation_errors", validation_errors)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# short = experiments.run("sgan", "digits", n_labels, seed=seed, preset=preset, steps=100)
# validation_errors = [record.scores["validation_error"] for record in short.history]
# exercises.check("start.validation_errors", validation_errors)
# ```
#
# The first line makes the block run by itself, on a shorter run than yours. There the first record comes after five
# steps, when the network has hardly learned anything.
# </details>
#
# **2. A paired comparison (complete a line).** *Why it matters:* a split may be hard for both methods. Where it is,
# pairing takes that luck out; where it is not, pairing costs next to nothing, and you need not know beforehand. Write
# a function that takes two lists of errors, one entry a seed, in the same order, and returns the mean gain of the
# second over the first in percentage points.


# %% tags=["nbval-check-output"]
def mean_gain(errors_alone, errors_with_gan):
    raise NotImplementedError  # your line: return a number in percentage points


exercises.check("start.mean_gain", mean_gain)

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
# Errors are fractions in [0, 1], so the factor 100 makes percentage points. `strict=True` refuses lists of different lengths.
# </details>
#
# **3. Fewer labels (change an assumption).** *Why it matters:* a method earns its keep where labels are scarcest.
# Predict first: with 20 labels, is the gain larger or smaller than with 50? Then run both methods with `n_labels=20` on
# seeds 0 and 1 and hand in the two mean errors as a dictionary `{"supervised": …, "sgan": …}` of fractions.

# %% tags=["nbval-check-output"]
errors_at_20 = None  # your dictionary of two mean errors
exercises.check("start.errors_at_20", errors_at_20)

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
# Two seeds show a direction, no more. With two labelled images per class, the choice of those two matters a great
# deal. Over twenty splits (notebook 05, the same preset) the gain is larger in points than with 50 labels, 14.0
# against 7.9, and as a share of the error a little smaller, 55 % against 60 %.
# </details>

# %% [markdown]
# ## Quiz
# **1.** The unlabelled pool has 1,297 images, and the 50 labelled ones are among them. Does that leak labels?
# <details><summary>Answer</summary>
# No. They appear in the pool as images only. Salimans et al. (2016) do the same. What would leak is choosing settings by test
# error, or drawing a new labelled set every epoch.
# </details>
#
# **2.** A paper reports the best test error seen during training. What is wrong?
# <details><summary>Answer</summary>
# The test set has chosen the stopping time, so it no longer measures new data. Here it is read once, at the end; validation
# images are for choosing.
# </details>
#
# **3.** The Wilson interval of one run and the t-interval over seeds answer different questions. Which?
# <details><summary>Answer</summary>
# Wilson: how well do 450 test images measure this one network? The t-interval over seeds: how much does the mean depend on which
# labels and which initial weights luck has dealt?
# </details>

# %% [markdown]
# ## What you found
# - On *digits* with 50 labels, the network alone errs on 11.4 % of the test images, and inside a GAN on 4.8 % (means over seeds 0
#   to 3, preset `quick`; each seed has its own balanced split). The paired gain is 6.6 points, interval 5.0 to 8.2.
# - Ten splits at preset `standard` say the same more sharply: 13.1 % against 4.8 %.
# - One run proves little: single runs of the same method differ by up to 7 points here: a seed decides which images
#   are labelled, the initial weights and the batches.
#
# **Still open:** why does telling real from fake help a classifier at all? And why does one network suffice for both jobs?
#
# **Read on:** Odena 2016, *Semi-Supervised Learning with Generative Adversarial Networks* (arXiv:1606.01583); Salimans et al.
# 2016, *Improved Techniques for Training GANs* (arXiv:1606.03498), §5; Oliver et al. 2018, *Realistic Evaluation of Deep
# Semi-Supervised Learning Algorithms* (arXiv:1804.09170), on fair comparisons.
#
# **Next:** `01_theory.ipynb` takes the game apart.

# %% tags=["headline", "nbval-ignore-output"]
print(f"headline: {n_labels} labels: {means['supervised']:.1f} % error alone, {means['sgan']:.1f} % with the GAN")
