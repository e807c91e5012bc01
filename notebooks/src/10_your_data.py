# %% [markdown]
# # 10 · Your data: does a GAN help on your own images?
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# **You have a folder of 3,000 images, and 150 of them have a label. Should you train a GAN, or is a simple classifier
# enough?** No paper can answer that for your images. In this notebook you answer it for a folder, from the first look
# to a file that predicts. You practise on a folder that the notebook writes. Then you set `folder` to your own, and run
# it again.
#
# **After this notebook you can**
# - *find* copies of a picture that would make a test too easy;
# - *write* the measure [macro-F1](glossary.md#macro-f1), and say why accuracy misleads when some classes are rare;
# - *decide* from [paired differences](glossary.md#paired-difference) whether a GAN is worth its trouble.
#
# **Before you start**: notebooks [03](03_sgan.ipynb) (the [SGAN](glossary.md#semi-supervised-gan)) and
# [05](05_label_scarcity.ipynb) (its rivals). **Time**: about 1 minute of computing on one CPU core, 55 minutes of
# reading and exercises.
#
# **Stored and live**: the folder, the simple classifiers and one short training run here. The networks of part 5
# took an hour on one core. Their table is `figures/own_data.csv`, one row per method and fold, made by
# `figures/make/nb10.py`.

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
import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from scipy import stats

from sgan_lib import comparison, data, experiments
from sgan_lib.course import exercises, plotting, stored, widgets
from sgan_lib.course.exercises import own_data
from sgan_lib.estimator import SemiSupervisedClassifier

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of networks that are trained here: quick, standard or paper
seed = 0  # of their weights, batches and noise
folder = None  # your images: one subfolder per class, as an absolute path; None: the example
unlabelled = "unlabelled"  # the subfolder of images without a label
image_size = None  # side that your images are brought to; None: their common size of at most 128, else 32
folds = 5  # parts of the cross-validation
methods = []  # networks to compare on your folder, such as ["supervised", "consistency", "sgan", "feature_matching"]
live_steps = 60  # training steps of the one live run: far too few for a good classifier

# %% [markdown]
# ## 1 · Look before you train
#
# Print what is in the folder, and look at the first pictures of every class. The example folder holds colour pictures
# of digits, as PNG files. It looks like a folder from practice: someone sorted the first pictures into folders `0` to
# `9` and put the rest under `unlabelled`. Nobody balanced anything. In the world that these pictures come from, the
# digits 0 to 4 are five times as frequent as 5 to 9.

# %% tags=["nbval-ignore-output"]
work = Path(tempfile.mkdtemp(prefix="your-data-"))
is_example = folder is None
photos = work / "photos" if is_example else Path(folder)
if is_example:
    own_data.write_example(photos)
found = data.from_folder(photos, unlabelled, test=0, image_size=image_size)
print(found)

# %% [markdown]
# Are sizes and colours what you expect? Is a class missing? How many labels has the rarest class? With fewer than five,
# one for each of the five tests in part 4, you cannot measure a classifier on it. Now the pictures. One picture of the
# example is in the wrong row. Which?


# %% tags=["nbval-ignore-output"]
def first_images(images, count=10):
    """The first images, and white ones where there are fewer."""
    return torch.cat([images[:count], torch.ones(max(0, count - len(images)), *images.shape[1:])])


images, labels = found.labelled
rows = {name: first_images(images[labels == k]) for k, name in enumerate(found.class_names[:12])}
rows["any"] = first_images(found.unlabelled)
plotting.filmstrip(rows, "One row per class: some classes have few labels")

# %% [markdown]
# **Figure.** Up to ten labelled images per class, one row each, and a last row from the whole folder. In the example:
# coloured digits on pieces of photographs. The rows of 0 to 4 are full, those of 5 to 9 end early.
#
# Beside wrong labels, look in the last row for pictures of no class. A classifier gives them one all the same.

# %%
widgets.quiz("own_data", "background")

# %% [markdown]
# ## 2 · Copies make a test too easy
#
# Find the copies before you hold anything back, and keep one file of each picture. You will hold back labelled pictures
# to test on. If a copy of one is in the training part, the test is too easy: a [leak](glossary.md#leak). And if one
# picture lies in the folders of two classes, one label is wrong.

# %%
widgets.predict(
    "own_data.copies",
    "Three pictures of the example lie there twice. You compare the files, byte by byte. How many of the three do you find?",
    choices=["none", "one", "two", "all three"],
)

# %% [markdown]
# ### Exercise 1: the same picture twice
#
# **Why.** A folder that has grown over years has copies under other names. Group the names of pictures whose pixels
# are the same.


# %% tags=["nbval-check-output"]
def same_pictures(pictures):
    """Pairs of (file name, array [height, width, 3] of bytes) -> a list of lists of names, two or more in each."""
    raise NotImplementedError  # a dictionary from something that only equal pictures share to a list of names


# exercises.hint("own_data.same_pictures")  # delete the first # for a hint; run twice for two
exercises.check("own_data.same_pictures", same_pictures)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def same_pictures(pictures):
#     groups = {}
#     for name, picture in pictures:
#         key = picture.shape, hashlib.sha256(picture.tobytes()).hexdigest()
#         groups.setdefault(key, []).append(name)
#     return [names for names in groups.values() if len(names) > 1]
#
#
# exercises.check("own_data.same_pictures", same_pictures)
# ```
#
# One pass over the folder, and no picture has to stay in memory.
# </details>


# %%
def pictures_in(folder):
    """Pairs of file name and pixels; what is under "test" or cannot be read is left out."""
    for path in data.image_files(folder):
        name = path.relative_to(folder).as_posix()
        try:
            if not name.startswith("test/"):
                with Image.open(path) as picture:
                    yield name, np.asarray(picture.convert("RGB"))
        except (OSError, ValueError):
            print(f"{name} cannot be read")


def groups_of(keys):
    """Names by key -> the names that share a key."""
    names = pd.Series(keys).groupby(keys).groups.values()
    return [sorted(group) for group in names if len(group) > 1]


# %% tags=["result", "nbval-ignore-output"]
by_pixels = {name: f"{picture.shape} {hashlib.sha256(picture).hexdigest()}" for name, picture in pictures_in(photos)}
by_bytes = {name: hashlib.sha256((photos / name).read_bytes()).hexdigest() for name in by_pixels}
groups = groups_of(by_pixels)
n_equal = len(groups_of(by_bytes))
print(f"{len(by_pixels):,} pictures; the same bytes: {n_equal} groups; the same pixels: {len(groups)}")
why = "Equal files have equal pixels. Equal pixels may be packed into different files."
widgets.reveal("own_data.copies", {0: "none", 1: "one", 2: "two", 3: "all three"}.get(n_equal, str(n_equal)), why)

# %% tags=["nbval-ignore-output"]
twice = [name for group in groups for name in group][:12]
own_data.show_files(photos, twice, "The same picture under two names") if twice else "no picture lies there twice"

# %% [markdown]
# **Figure.** Pictures that lie there twice, copy beside copy, each with its folder and name. In the example there are
# three pairs. In one of them the two names stand in the folders of different classes.
#
# Here is the picture in the wrong row of part 1: a 4, with a copy among the zeros. The bytes miss one pair, which was
# packed anew, as happens when a program opens and saves a picture. (Resized copies need more: compare thumbnails.)
#
# Keep one file per picture, the labelled one. Where two classes claim a picture, look at it and decide. If you
# cannot, drop its label and keep the picture, as here. Do this in a new folder, and leave the original alone.


# %% tags=["nbval-ignore-output"]
def clean_copy(names, groups, clean):
    """Copy every picture once into the folder `clean`; one that two classes claim goes under `unlabelled`."""
    target = {name: name for name in names}
    for group in groups:
        claims = {name.split("/")[0] for name in group if "/" in name} - {unlabelled}
        first = min(group, key=lambda name: (name.startswith(f"{unlabelled}/"), Path(name).name))
        for name in group:
            del target[name]
        target[first] = first if len(claims) < 2 else f"{unlabelled}/{first.replace('/', '-')}"
    for name, new in target.items():
        (clean / new).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photos / name, clean / new)


clean_copy(by_pixels, groups, work / "clean")
parts = data.from_folder(work / "clean", unlabelled, test=0, image_size=image_size)
print(f"{len(parts.labelled.labels)} labelled images, {len(parts.pool):,} in all")

# %%
widgets.quiz("own_data", "copy_in_pool")

# %% [markdown]
# ## 3 · Choose the measure before you see results
#
# Choose one measure now: macro-F1 if each class matters as much as the others, accuracy if each picture does.
# **Accuracy** is the share of pictures that are right. Take a lazy classifier for the example. It knows the five
# frequent digits perfectly, and calls each of the rare five a "2".

# %%
widgets.predict(
    "own_data.lazy",
    "The digits 0 to 4 are five times as frequent as 5 to 9. What is the accuracy of the lazy classifier?",
    number=(0, 100),
    unit="%",
)

# %% [markdown]
# For one class, **precision** is the share of right ones among the pictures that are *called* that class. **Recall**
# is the share of right ones among the pictures that *are* of it. **F1** is their harmonic mean,
#
# $$F_1 = \frac{2}{1/\text{precision} + 1/\text{recall}}$$
#
# and 0 without a hit. **Macro-F1** is the mean of F1 over the classes: each counts the same, rare or not.
#
# ### Exercise 2: macro-F1
#
# **Why.** You will choose a classifier by this number. Write it from a [confusion
# matrix](glossary.md#confusion-matrix), true class by row, predicted class by column.


# %% tags=["nbval-check-output"]
def macro_f1(confusion):
    """An array [K, K] of counts -> one number in [0, 1]; classes without picture and prediction do not count."""
    raise NotImplementedError  # hits stand on the diagonal: confusion.diagonal()


# exercises.hint("own_data.macro_f1")  # delete the first # for a hint; run twice for two
exercises.check("own_data.macro_f1", macro_f1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def macro_f1(confusion):
#     both = confusion.sum(axis=0) + confusion.sum(axis=1)
#     f1 = 2 * confusion.diagonal()[both > 0] / both[both > 0]
#     return float(f1.mean())
#
#
# exercises.check("own_data.macro_f1", macro_f1)
# ```
#
# With $h$ hits in a row that sums to $r$ and a column that sums to $c$, precision is $h/c$ and recall is $h/r$. So
# $F_1 = 2 / (c/h + r/h) = 2h / (r + c)$.
# </details>

# %% tags=["result", "nbval-ignore-output"]
counts = np.bincount(parts.labelled.labels, minlength=parts.n_classes)
commonest, frequent = counts.argmax(), counts >= np.sort(counts)[::-1][(len(counts) - 1) // 2]
lazy = np.diag(counts * frequent)  # right on the frequent half of the classes
lazy[~frequent, commonest] = counts[~frequent]  # and of the others it says: the commonest
accuracy, own_f1 = 100 * lazy.trace() / lazy.sum(), exercises.worked("own_data.macro_f1", macro_f1)
print(f"the lazy classifier: accuracy {accuracy:.0f} %, macro-F1 {100 * own_f1(lazy):.0f} %")
widgets.reveal("own_data.lazy", round(accuracy), "Most pictures are of frequent classes, and those are all right.")

# %% [markdown]
# In the example the shares promise 25 of 30, or 83 %. Its 149 labels, drawn at random, hold a few rare digits more.
#
# Accuracy forgives the classifier that it ignores half of the classes, because they hold few pictures. Which number
# is right depends on what a mistake costs *you*. If a rare class matters as much as a frequent one, take macro-F1, as
# we do from here on. Decide now: whoever chooses the measure after the results chooses the result.

# %%
widgets.quiz("own_data", "shares")

# %% [markdown]
# ## 4 · Simple baselines first
#
# Run simple classifiers on pixels first, and look where the best of them goes wrong. `comparison.compare` does a
# [cross-validation](glossary.md#cross-validation): it cuts the labelled pictures into five **folds**, with equal shares
# of each class. It trains on four and tests on the fifth, five times. The pictures of the test fold leave the
# unlabelled [pool](glossary.md#pool) too.
#
# Three [baselines](glossary.md#baseline) take seconds: logistic regression (`linear`), a support vector machine with a
# Gaussian kernel (`rbf_svm`), and `label_spreading`. [Label spreading](glossary.md#label-spreading) uses the unlabelled
# pictures: near neighbours get the same label. A fourth, [`self_training`](glossary.md#self-training), takes longer. In
# the example its rows are stored.

# %% tags=["nbval-ignore-output"]
simple = ["linear", "rbf_svm", "label_spreading"]
table = pd.DataFrame(comparison.compare(parts, simple, folds))
columns = ["error", "macro_f1", "macro_f1_low", "macro_f1_high", "seconds"]
comparison.summarise(table)[columns].round(1)

# %% [markdown]
# All but the seconds are percentages; `low` and `high` are the ends of 95 % [t-intervals](glossary.md#t-interval) over
# the folds. Folds share training pictures, so the intervals are widened (Nadeau and Bengio 2003). Where does the best
# of the three go wrong?


# %% tags=["nbval-ignore-output"]
def confusion_of(method):
    """The confusion matrices of all folds, added up: every labelled picture is tested once."""
    tests = comparison.folds_of(parts, folds)
    return sum(np.array(experiments.run(method, data=test).confusion_matrix) for test in tests)


best = table.groupby("method")["macro_f1"].mean().idxmax()
matrix = confusion_of(best)
right = matrix.diagonal() / matrix.sum(axis=1).clip(1)
shares = [100 * right[which].mean() for which in (frequent, ~frequent)]
title = "Right: {:.0f} % of frequent classes, {:.0f} % of rare".format(*shares)
plotting.confusion(matrix, parts.class_names, title)

# %% [markdown]
# **Figure.** Confusion matrix of the simple classifier with the best macro-F1, all folds added up. Rows are true
# classes, columns predicted ones, and mistakes are shaded. In the example most rare digits land in the columns of
# frequent ones.
#
# This is the line to beat.
#
# ## 5 · What the networks add
#
# Compare networks on the same folds, one without unlabelled pictures and one without a GAN among them. `supervised`
# sees the labelled pictures alone. `consistency` sees all, and distorts them, without a GAN
# ([consistency](glossary.md#consistency)). `sgan` and `feature_matching` ([feature
# matching](glossary.md#feature-matching)) are GANs. All have the same classifier (`svhn_small`) and 600 steps,
# [preset](glossary.md#preset) `quick`, and no setting was tuned on its labels. (The example's pictures
# come from `mnist_rgb`, on which this network was chosen.) On your folder the next cell trains
# the networks in `methods`.

# %%
widgets.predict(
    "own_data.step",
    "Which step gains more in macro-F1: from pixels to a network, or from the network to a GAN?",
    choices=["pixels to a network", "network to a GAN"],
)

# %% tags=["result", "nbval-ignore-output"]
if is_example:
    table = stored.stored_table("own_data.csv")
    assert set(table["images"]) == {parts.digest()}, "the stored table is about other images"
else:
    more = pd.DataFrame(comparison.compare(parts, methods, folds, preset=preset, seed=seed))
    table = pd.concat([table, more])
order = [*comparison.METHODS, *experiments.METHODS]  # simple ones first
table = table.sort_values("method", key=lambda methods: methods.map(order.index), kind="stable")
comparison.summarise(table)[columns].round(1)

# %% tags=["result", "nbval-ignore-output"]
mean_f1 = 100 * table.groupby("method", sort=False)["macro_f1"].mean()
best = mean_f1.filter(items=comparison.BASELINES).idxmax()
gans = [method for method in mean_f1.index if method in experiments.METHODS and experiments.METHODS[method].generator]
larger = "the networks `supervised` and a GAN are not both in `methods`"
if gans and "supervised" in mean_f1:
    to_network, to_gan = mean_f1["supervised"] - mean_f1[best], mean_f1[gans].max() - mean_f1["supervised"]
    print(f"{best} to supervised: {to_network:+.1f} points; supervised to the best GAN: {to_gan:+.1f} points")
    larger = "pixels to a network" if to_network > to_gan else "network to a GAN"
widgets.reveal("own_data.step", larger, "These are differences of means. Whether they are more than luck comes next.")

# %% [markdown]
# Do not compare the intervals of the table with each other: the methods share their folds. Take the **paired gain**
# over the best simple classifier, fold by fold. With $k$ differences of mean $\bar d$ and standard deviation $s$ its
# interval is
#
# $$\bar d \;\pm\; t_{k-1} \, s \, \sqrt{\tfrac{1}{k} + \tfrac{1}{k-1}}$$


# %%
def paired_gain(method, reference, measure="macro_f1"):
    """Differences in percentage points, fold by fold, and the ends of the interval of their mean."""
    values = 100 * table.pivot(index="fold", columns="method", values=measure)
    d = values[method] - values[reference]
    k = len(d)
    half = stats.t.ppf(0.975, k - 1) * d.std() * np.sqrt(1 / k + 1 / (k - 1))
    return d, d.mean() - half, d.mean() + half


# %% [markdown]
# ### Exercise 3: the decision as a rule
#
# **Why.** A rule that you wrote before you saw the interval cannot bend to it. Given the interval of a GAN's gain,
# return `"GAN"`, `"baseline"` or, where it contains 0, `"undecided"`.


# %% tags=["nbval-check-output"]
def decide(gain_low, gain_high):
    """Ends of the 95 % interval of the gain over the best simple baseline, in points -> one of three words."""
    raise NotImplementedError  # "GAN", "baseline" or "undecided"


# exercises.hint("own_data.decide")  # delete the first # for a hint; run twice for two
exercises.check("own_data.decide", decide)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def decide(gain_low, gain_high):
#     if gain_low > 0:
#         return "GAN"
#     return "baseline" if gain_high < 0 else "undecided"
#
#
# exercises.check("own_data.decide", decide)
# ```
#
# "Undecided" is an answer: keep the simpler method.
# </details>
#
# ## 6 · The decision is yours
#
# Decide by the rule that you wrote, on the gain of the best GAN over the best simple classifier. The picture shows
# every method beside that classifier, the two lines below it the gain of the best GAN.


# %% tags=["nbval-ignore-output"]
gains = {method: paired_gain(method, best) for method in mean_f1.index if method != best}
own_data.draw_gains(gains, best)

# %% [markdown]
# **Figure.** Paired differences to the best simple classifier, in points of macro-F1, one row per method. Small dots
# are folds, large marks their means, bars 95 % intervals; at the vertical line there is no difference. In the example
# all dots of the four networks lie to the right of the line. (One [seed](glossary.md#seed) per fold. The best simple
# classifier and the best GAN were both chosen on these folds: both are flattered.)


# %% tags=["nbval-ignore-output"]
def gain_of(method, reference):
    d, low, high = paired_gain(method, reference)
    return f"{names[method]} minus {names[reference]}: {d.mean():+.1f} points of macro-F1, interval {low:.1f} to {high:.1f}"


names = {method: plotting.METHOD_STYLES[method][0] for method in mean_f1.index}
if gans:
    champion, rival = mean_f1[gans].idxmax(), mean_f1.drop(gans).idxmax()
    print(gain_of(champion, best))
    print(f"and beside the best method without a GAN: {gain_of(champion, rival)}")
else:
    print("no GAN was compared: name some in `methods`")

# %%
widgets.predict(
    "own_data.decision",
    "What do you decide about the best GAN, beside the best simple classifier?",
    choices=["GAN", "baseline", "undecided"],
)

# %%
widgets.predict(
    "own_data.keep",
    "Which is the simplest method that no other is clearly ahead of? That one you keep.",
    choices=["logistic regression on pixels", "the supervised network", "the SGAN"],
)

# %% tags=["result", "nbval-ignore-output"]
rule = exercises.worked("own_data.decide", decide)
decision = rule(*paired_gain(champion, best)[1:]) if gans else "no GAN was compared"
near = " It ends near zero: with `linear` of another processor, one picture apart, it is 0.4 to 39.2." * is_example
widgets.reveal("own_data.decision", decision, f"The rule reads the two ends of the interval, and nothing else.{near}")

# %% tags=["result", "nbval-ignore-output"]
behind = {one for one in mean_f1.index for other in mean_f1.index if other != one and paired_gain(other, one)[1] > 0}
keep = next(method for method in mean_f1.index if method not in behind)
choices = {"linear": "logistic regression on pixels", "supervised": "the supervised network", "sgan": "the SGAN"}
why = "From simple to complex, it is the first method that no other is clearly ahead of."
widgets.reveal("own_data.keep", choices.get(keep, names[keep]), why)

# %% [markdown]
# The first result is your rule. The second is what this notebook keeps. Another choice can be right for you: a mistake
# may cost more than an hour of training.
#
# <!-- numbers: own data -->
# In the stored table the SGAN has the highest mean macro-F1, 56.5 %. Its 21.2 points over logistic regression are
# undecided all the same, since the interval goes from −0.1 to 42.6. The supervised network alone has 54.3 %. The 2.2
# points from there to the SGAN are undecided too, with an interval from −13.2 to 17.6. That network is clearly ahead of
# every simple classifier: of logistic regression by 19.1 points, with an interval from 3.8 to 34.4. So this folder gets
# the supervised network.

# %%
widgets.quiz("own_data", "added")

# %% [markdown]
# ## 7 · Keep it, load it, predict
#
# Train the method that you keep on all labels, save it, and predict with the loaded copy. `SemiSupervisedClassifier`
# has scikit-learn's interface. The run below is a demonstration: it has a tenth of the steps of preset `quick`. For a
# classifier to use, leave `settings` out.

# %% tags=["nbval-ignore-output"]
kept = keep if keep in experiments.METHODS else "sgan"
short = {"steps": live_steps}
classifier = SemiSupervisedClassifier(kept, preset=preset, settings=short, random_state=seed).fit(parts)
classifier.save(work / "photos.safetensors")
loaded = SemiSupervisedClassifier.load(work / "photos.safetensors")
if is_example:
    own_data.write_new(work / "new")
new = data.image_files(work / ("new" if is_example else "clean"))[-3:]
probabilities = loaded.predict_proba(new)
print(f"{kept}, {live_steps} steps, {(work / 'photos.safetensors').stat().st_size / 1e6:.1f} MB")
print("largest change by saving and loading:", np.abs(probabilities - classifier.predict_proba(new)).max())
captions = [f"{loaded.classes_[p.argmax()]} ({p.max():.0%})" for p in probabilities]
print(pd.DataFrame({"file": [path.name for path in new], "label": captions}).to_string(index=False))
own_data.show_files(new[0].parent, [path.name for path in new], "Three new pictures")

# %% [markdown]
# **Figure.** Three pictures side by side for the classifier to name. In the example they show 7, 2 and 1. After so few
# steps the answers above are hardly better than guesses. (On your folder: its last three pictures, which are not new.)
#
# The file holds weights, class names, size, scaling, settings and versions, so that a new picture goes the same way
# as a training picture. If a simple classifier wins, refit it with `baselines.fit_baseline("rbf_svm", parts)` and
# keep it with `joblib`. The same from a terminal:
#
# ```sh
# python -m sgan_lib compare photos/ --methods linear rbf_svm supervised sgan --out table.csv
# python -m sgan_lib fit photos/ --method sgan --out photos.safetensors
# python -m sgan_lib predict photos.safetensors new/*.png > predictions.csv
# ```
#
# A stopped `fit --checkpoint=FILE` resumes.
#
# ## 8 · When not to use a GAN
#
# Go through this list before you train one.
#
# - **A [pretrained network](glossary.md#pretrained-network) exists** for pictures like yours. Its features with a
#   simple classifier come first. Most photographs are such a case. If you have the weights as a file, one argument adds
#   that baseline:
#
#   ```python
#   rows = comparison.compare(parts, simple, folds, features="resnet18.pth")
#   ```
#
#   Nothing is downloaded for you, and this notebook has not run that line.
# - **The interval covers 0.** Keep the simpler method.
# - **An evening of labelling** doubles your labels. Begin with the rare classes.
# - **The unlabelled pictures are of other classes** than the labelled ones.
# - **Nobody will look after it.** A GAN can collapse on the next folder. [09](09_scaling_up.ipynb), part 6, has the
#   whole list.
#
# ## What you found

# %% tags=["nbval-ignore-output"]
print(f"{len(parts.labelled.labels)} labels, {table['fold'].nunique()} folds, one seed each")
print(f"best simple classifier, {names[best]}: macro-F1 {mean_f1[best]:.1f} %")
if gans:
    print(f"best GAN, {names[champion]}: macro-F1 {mean_f1[champion]:.1f} %")
    print(f"{gain_of(champion, best)}: {decision}")

# %% [markdown]
# **Still open.** One seed per fold, one short budget, no setting tuned, one folder of digits. Longer training may
# change the order of the networks. Whether it does on *your* pictures, `preset="standard"` and `methods` will tell.
# And the winner still has to be tested once, on pictures that took no part in the choice.
#
# **Read on.** Nadeau and Bengio 2003, *Inference for the Generalization Error* (Machine Learning 52, 239 to 281), on
# intervals from overlapping training sets. Oliver et al. 2018 (arXiv:1804.09170), on comparisons of semi-supervised
# methods. Zhou et al. 2004, *Learning with Local and Global Consistency*, on label spreading.
#
# Ten questions to close:

# %%
widgets.quiz("own_data")

# %% [markdown]
# Ten more, on the whole course, and how far you are:

# %%
widgets.quiz("course")

# %%
exercises.progress()

# %% [markdown]
# **From here.** This is the last of the main notebooks. [A1 · Case studies](A1_case_studies.ipynb) looks behind the
# means of notebook 04. [09](09_scaling_up.ipynb) has the sweep, for many comparisons at once. From here on the library
# is yours: `python -m sgan_lib --help` lists what it does in a terminal, and `help("sgan_lib")` its modules.

# %% tags=["headline", "nbval-ignore-output"]
found = f"{gain_of(champion, best)}: {decision}" if gans else f"{names[best]}, macro-F1 {mean_f1[best]:.1f} %"
print(f"headline: {len(parts.labelled.labels)} labels: {found}")
