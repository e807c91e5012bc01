# %% [markdown]
# # A1 · Case studies: what a mean hides
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# **Five runs of one method on one data set: four end at 0.9 to 1 % error, one at 2.3 %. Is that noise, or is there
# something to find?**
#
# This is the laboratory behind notebook [04](04_feature_matching.ipynb). Each section looks closely at one result. Read
# 1 to 3 in their order; each of the others stands alone.
#
# **After this notebook you can**
# - *count* the labels that it takes to meet a style of writing, and *test* a story by changing one label alone;
# - *diagnose* a matching loss that growing features inflate;
# - *write* the [pull-away term](glossary.md#pull-away-term) and *test* whether it is what helps.
#
# **Before you start**: notebook [04](04_feature_matching.ipynb). **Time**: about 1 minute of computing on two CPU
# cores, 56 minutes of reading and exercises.
# **Stored and live**: the runs on MNIST take hours; their tables are stored in `figures/`. Sections 6 and 7 train on
# small digits here.

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
import torch
import torch.nn.functional as F  # noqa: F401 (for your answers)
from torch import nn

from sgan_lib import data, evaluation, experiments, losses, methods, models, runtime
from sgan_lib.course import exercises, plotting, scales, stored, widgets

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of the live runs: quick, standard or paper
seed = 0  # of weights and batches; also the first split
n_labels = 50  # labelled images of `digits`
n_seeds = 3  # splits of `digits` for each combination of terms in section 7
term_steps = 200  # training steps of each of these runs under `quick`; the other presets have their own

# %% [markdown]
# ## 1 · Where split 2 goes wrong
#
# Those five runs took 100,000 steps. Begin with five shorter ones, of preset `standard` (24,000 steps, bfloat16, seeds
# and [splits](glossary.md#split) 0 to 4). They end at 1.3 to 2.4 %, and split 2 is again the worst. It has 107 mistakes
# more than split 0. Look at *which* of the 10,000 test images are wrong.

# %%
widgets.predict(
    "case_studies.spread",
    "Over how many of the ten digits are the 107 additional mistakes spread?",
    choices=["nearly all on one digit", "on two or three digits", "over all ten"],
)

# %% tags=["result", "nbval-check-output"]
mistakes = stored.stored_table("mnist_100_labels_mistakes.csv").rename(columns={"seed": "split"})
per_digit = mistakes.query("split < 5").pivot_table(index="split", columns="label", aggfunc="size", fill_value=0)
per_digit["all"] = per_digit.sum(axis=1)
per_digit["all but 7"] = per_digit["all"] - per_digit[7]
print("test images that feature matching gets wrong, of 10,000, by digit")
print(per_digit.rename_axis(columns=None).to_string())
elsewhere = mistakes.query("split in [0, 3, 4]")["image"]
lost = mistakes.query("split == 2 and label == 7 and image not in @elsewhere")
print(f"{len(lost)} sevens are misread on split 2 and on none of splits 0, 3 and 4")
widgets.reveal("case_studies.spread", "nearly all on one digit", "Without the sevens all five runs are alike.")

# %% [markdown]
# <!-- numbers: one digit -->
# It is one digit. Without the sevens, all five runs make nearly the same number of mistakes, 109 to 124. Of the
# sevens, splits 0, 3 and 4 lose 15 to 21, split 1 loses 95 and split 2 loses 128. So look at sevens: the ten that had a
# label, and ten of those that were misread.

# %% tags=["nbval-ignore-output"]


def labelled_sevens(split):
    """The ten sevens whose labels this split may use."""
    images, labels = data.load("mnist", n_labels=100, split_seed=split).labelled
    return images[labels == 7]


some = lost.sample(10, random_state=0)
test_images = data.load("mnist", n_labels=100).test.images
shown = torch.cat([labelled_sevens(2), test_images[some["image"].tolist()], labelled_sevens(3)])
captions = 10 * ["split 2"] + [f"read as {k}" for k in some["predicted"]] + 10 * ["split 3"]
plotting.image_grid(shown, "Among the labelled sevens of split 2 none is crossed", captions)

# %% [markdown]
# **Figure.** Three rows of ten sevens: none in the top row has a bar across the stem, all in the middle row have one,
# and three in the bottom row. Top, those with a label on split 2. Middle, test images that its network reads as 2 or 4.
# Bottom, the labelled sevens of split 3.
#
# The [pool](glossary.md#pool) holds hundreds of crossed sevens, and the real-or-fake loss probably makes them a cluster
# of their own. Which class the cluster belongs to is for the labels to say. Split 2 leaves that open, and its sevens
# were read as 2 or 4. Split 1 has one crossed seven, an odd one. Splits 0, 3 and 4 each have at least one that is
# plain.
#
# A good story, told of one split. Does it predict others? Splits 102 and 103 have no crossed seven among their labels
# either.

# %% tags=["result", "nbval-check-output"]
print("sevens misread, of 1,028:", mistakes.query("label == 7").groupby("split").size().to_dict())

# %% [markdown]
# <!-- numbers: splits 102 and 103 -->
# Split 103 loses 129, as split 2 does, and split 102 loses 12. With a plain crossed seven among the labels all three
# splits found the others. Without one, one of three did; split 1, with an odd one, did not.
#
# Of the 1,028 sevens 106 are misread on split 2 and on none of splits 0, 3 and 4. When we looked at them, all but a few
# were crossed. So about a tenth of all sevens are, or more.
#
# ### Change one label
#
# Two things mostly go together. Does one *cause* the other? Change it and nothing else. On splits 1, 2 and 103 the
# crossed seven of split 4 takes the place of a labelled seven. On splits 0, 3 and 4 plain sevens of split 2 replace the
# crossed ones. Each is trained before and after, once, by the short recipe of 04 (16,000 steps, cropped, float32).

# %%
widgets.predict(
    "case_studies.crossed",
    "On how many of the six splits are fewer sevens misread with a plain crossed seven among the labels?",
    number=(0, 6),
    unit="splits",
)

# %% tags=["result", "nbval-check-output"]
runs = stored.stored_table("mnist_100_labels_sevens.csv").pivot(index="split_seed", columns="labels", values="wrong_7")
without, with_it = (runs[kind].fillna(runs["as drawn"]).astype(int) for kind in ("none crossed", "one crossed"))
print(pd.DataFrame({"without a plain crossed seven": without, "with": with_it}).to_string())
low, high = evaluation.mean_interval((gain := without - with_it).tolist())
print(f"sevens misread, of 1,028; with one fewer by {gain.mean():.0f} on average, interval {low:.0f} to {high:.0f}")
widgets.reveal("case_studies.crossed", int((gain > 0).sum()), "The story was told of split 2, one of these.")

# %% [markdown]
# <!-- numbers: exchange -->
# On three of six. On split 2 the exchange does what the story says, 118 sevens misread without a plain crossed seven
# and 18 with one, and on split 3 it is 124 and 13. On split 1 it is 48 and 81, on split 103 it is 23 and 69: the
# opposite. The mean gain is 23 sevens (−48 to 93): undecided. Without one, two of the six runs misread more than 60
# sevens, with one, two of the six.
#
# <!-- numbers: story and luck -->
# So the story was larger than its evidence. A crossed seven among ten labelled ones is neither enough nor needed. And
# one pair decides nothing. With all settings equal, split 1 as drawn ended at 2.64 % on one processor, at 1.87 on
# another. And look at split 103: the recipe before lost 129 sevens with the labels with which this one loses 23.

# %%
widgets.quiz("case_studies", "story")

# %% [markdown]
# ### Exercise 1: how many labels until you meet a style?
#
# A share of a class is written in some style. How many labelled images of that class, drawn at random, do you need so
# that the probability of missing the style is at most `chance`? Return the smallest number.


# %% tags=["nbval-check-output"]
def labels_needed(share, chance):
    """The smallest whole number of labels that miss a style of this share with at most this probability."""
    raise NotImplementedError


exercises.check("case_studies.labels_needed", labels_needed)
# exercises.hint("case_studies.labels_needed")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def labels_needed(share, chance):
#     n = 1
#     while (1 - share) ** n > chance:
#         n += 1
#     return n
#
#
# exercises.check("case_studies.labels_needed", labels_needed)
# ```
#
# Ten labels miss a style of one tenth with a probability of 0.9¹⁰ = 35 %. For 5 % you need 29.
# </details>

# %%
widgets.quiz("case_studies", "one_label_more")

# %% [markdown]
# ## 2 · Labels, or luck?
#
# With preset `paper` split 2 ends at 2.25 %. Its labels again? Here are the losses after 2,000 of the 100,000 steps:
# for that run (seed 2), for the same labels with two other seeds, and for eight splits more. All of these save time in
# two ways: matrix products are in [bfloat16](glossary.md#bfloat16), and the generator moves on the images which the
# discriminator has just seen. Two rows more do neither; the column `faster` tells them apart.

# %% tags=["nbval-check-output"]
starts = stored.stored_table("mnist_100_labels_starts.csv").query("step == 2000").sort_values(["reuse", "split_seed"])
starts["faster"] = starts["reuse"].map({True: "yes", False: "no"})
starts = starts.rename(columns={"split_seed": "split", "adversarial": "real or fake", "feature_matching": "matching"})
print("mean losses in steps 1,501 to 2,000, preset paper")
print(starts[["split", "seed", "faster", "real or fake", "matching"]].to_string(index=False))

# %% [markdown]
# <!-- numbers: lost start -->
# With seeds 208 and 209 the same labels make an ordinary start. In nine of the eleven faster rows the discriminator's
# loss is 0.10 to 0.19 and the matching loss 2.7 to 4.6. In the other two, seed 2 and split 206, the discriminator tells
# real from fake almost without fail (0.033 and 0.001), and the features of the fakes drift away (14 and 35). Their
# slower twins start like all others (2.7 and 2.4).
#
# So that run lost its start. "Where the matching loss is above 10 after 2,000 steps, start again" is a rule that one
# could write down. But does a good start make a good end?

# %%
widgets.predict(
    "case_studies.good_start",
    "Three runs on the labels of split 2 go on. Which find the crossed sevens?",
    choices=["seeds 208 and 209, which started well", "one of these two", "none", "all three"],
)

# %% tags=["nbval-ignore-output"]
luck = stored.stored_table("mnist_100_labels_luck.csv")
luck["all"] = luck[[f"wrong_{digit}" for digit in range(10)]].sum(axis=1)
luck["faster"] = luck["reuse"].map({True: "yes", False: "no"})
luck = luck.rename(columns={"split_seed": "split", "wrong_7": "sevens"})
on_split_2 = luck.query("split == 2 and reuse")

# %% tags=["result", "nbval-ignore-output"]
figure, axes = plotting.new_figure(8, 3.4)
for (which, rows), colour in zip(on_split_2.groupby("seed"), ("vermilion", "green", "blue"), strict=True):
    axes[0, 0].plot(rows["step"], rows["sevens"], color=plotting.COLOURS[colour], label=f"seed {which}")
axes[0, 0].set(xlabel="training steps", ylabel="sevens misread, of 1,028", ylim=(0, None))
axes[0, 0].set_title("The same hundred labels, and the sevens are found or not")
axes[0, 0].legend()
figure

# %% [markdown]
# **Figure.** The number of sevens misread against training steps, for three seeds on the labels of split 2. All begin
# between 150 and 230. Seed 208 falls to 12 and stays there. Seed 209 falls to 87 and rises to 137. Seed 2 falls to 48
# at step 30,000 and rises to 139.

# %% tags=["result", "nbval-check-output"]
ended = luck[luck["step"] == luck["steps"]].assign(others=luck["all"] - luck["sevens"])
print("test images misread at the end, of 10,000")
print(ended[["split", "seed", "faster", "steps", "sevens", "others", "all"]].to_string(index=False))
widgets.reveal("case_studies.good_start", "one of these two", "The labels are the same in all three; the seed is not.")

# %% [markdown]
# <!-- numbers: three seeds -->
# Seed 208 has found them, with 12 sevens misread and 87 images in all: 0.87 %. Seed 209, after as good a start,
# misreads 137 sevens, and 215 images: 2.15 %. Seed 2, whose start was lost, misreads 139 sevens, and its slower twin
# (75,000 steps, all in float32) 13. Of everything else all five misread about as much, 75 to 87 images. So a good start
# does not make a good end, and the labels alone do not decide either.
#
# Nor is the answer final: seed 2 had most of its sevens at step 30,000 and lost them again. Why, these runs do not say.
#
# <!-- numbers: the rule -->
# And the rule that sounded so sensible? It would have replaced seed 2, and the mean of the five splits, 1.20 %, would
# be another: with seed 208 0.92 %, with seed 209 1.18 %. So the five runs that were fixed beforehand stay in the table.

# %%
widgets.quiz("case_studies", "rule")

# %% [markdown]
# ## 3 · Half the bits
#
# <!-- numbers: nearly paper -->
# Before preset `paper` was what it is now, three runs of 180,000 steps had the authors' discriminator, losses, batches
# and rates, and ended at 0.99, 2.25 and 1.77 % on splits 0 to 2, on average 1.67 %. The generator moved on images just
# seen, unlike the authors', and three smaller things differed:
#
# - *The generator's form.* Our batch norm had a trained scale, theirs has none. Our output was tanh(u), theirs
#   tanh(u/2).
# - *Adam's ε.* With $\hat v$ the mean square of the gradient, ours divided by $\sqrt{\hat v} + \varepsilon$, theirs by
#   $\sqrt{\hat v + \varepsilon}$. A small gradient makes a full step with ours and a small step with theirs.
# - *Half the bits.* Our matrix products were in bfloat16, and so was the last tanh. Most pixels of a digit are to
#   become −1.

# %%
widgets.predict(
    "case_studies.slope",
    "At −4 the slope of tanh is 0.0013. What is it when tanh is computed in bfloat16?",
    choices=["0.0013, rounded to two digits", "about 0.01", "exactly 0"],
)

# %% tags=["result", "nbval-check-output"]
inputs, slopes = [-2.0, -3.0, -4.0, -6.0], {}
for kind in (torch.float32, torch.bfloat16):
    entering = torch.tensor(inputs, dtype=kind, requires_grad=True)
    torch.tanh(entering).sum().backward()
    slopes[str(kind)] = entering.grad.tolist()
print("slope of tanh")
print(pd.DataFrame(slopes, index=inputs).round(6).to_string())
widgets.reveal(
    "case_studies.slope", "exactly 0", "Just below 1 the numbers of bfloat16 are 1/256 apart: tanh is −1 there."
)

# %% [markdown]
# In float32, and with our ε, Adam makes a full step even of a tiny gradient, because it divides by the gradient's usual
# size. Of 0 it makes none: a pixel that is black enough on every image of the batch stays black, though some should
# turn white again. `precision="mixed"` takes this one function in float32.
#
# Preset `paper` has the authors' generator now and an ε that does about what theirs does; it also has 100,000 steps,
# the last quarter at a falling rate. The runs here are in `"mixed"`. Split 0 hardly changes (1.04 % for 0.99), split 1
# falls from 2.25 to 0.88 %, and split 2 rises from 1.77 to 2.25 %. Three splits do not say whether these changes
# matter. They do say this: had we run split 0 alone, we would have called the published figure reproduced the first
# time round.

# %%
widgets.quiz("case_studies", "one_split")

# %% [markdown]
# ## 4 · With 20, 50 and 200 labels
#
# <!-- numbers: whole runs -->
# Count all whole runs of sections 2 and 3: the four on splits 0, 3 and 4 end at 0.87 to 1.04 %, and of the eight on
# splits 1 and 2, three end at 0.87 to 1.00 % and five at 1.77 to 2.25 %. That points at the labels, and is too few runs
# to decide.
#
# Salimans reports other numbers of labels, too. Here are ours on five splits: feature matching with the short recipe of
# 04 (16,000 steps, cropped, float32), and the dense network alone (3,000 steps, uncropped, bfloat16).

# %% tags=["nbval-check-output"]
fewer = stored.stored_table("label_scarcity_at_length.csv").query("method == 'feature_matching'")
alone = stored.stored_table("label_scarcity.csv").query("dataset == 'mnist' and method == 'supervised'")
both = pd.concat([fewer, alone[alone["n_labels"].isin(fewer["n_labels"])]])
both["percent"] = 100 * both["test_error"]
print(both.groupby(["n_labels", "method"])["percent"].agg(["mean", "min", "max", "count"]).round(2).to_string())
published = stored.stored_table("published.csv").query("dataset == 'mnist' and method == 'feature matching'")
for row in published.query("n_labels != 100").itertuples():
    print(f"published for {row.n_labels} labels: {row.value:.2f} ± {row.spread} % ({row.source})")

# %% [markdown]
# <!-- numbers: fewer labels -->
# With 50 labels the error falls from 31.5 % to 3.41 (3.41 has the interval 1.52 to 5.30; published: 2.21). With 20, two
# images per class, it falls from 44.3 % to 31.3 (22.1 to 40.5), and the splits lie between 22.6 and 39.6 %. Why so much
# is left with 20, no run here tests. More than 200 labels change little: 1.66 and 1.72 %. The published values come
# from eleven times as many steps.
#
# In colour (`mnist_rgb`, 1,000 labels) feature matching is better than its network alone by 1.6 and 0.9 points, on two
# splits.

# %%
widgets.quiz("case_studies", "fewer")

# %% [markdown]
# ## 5 · Do SGANs draw better, and sooner?
#
# Odena (2016) reports both: better samples than a plain GAN's, and a generator that trains faster. Here is one pair of
# networks (`dcgan`), 3,000 steps (preset `standard`), three seeds. The measure is a
# [Fréchet distance](glossary.md#frechet-distance) to real digits, in the features of a small classifier of this course:
# 0 is best, and the numbers compare with nothing outside the course.

# %% tags=["nbval-ignore-output"]
plotting.stored_figure("sample_quality.png", width=7.5)

# %% [markdown]
# **Figure.** The distance between generated and real digits, logarithmic, against training steps. Thin lines are runs,
# thick ones means. The three SGANs (blue) start lower than the plain GAN (black) and flatten out. The plain GAN crosses
# them between 1,500 and 1,800 steps. Feature matching (orange) lies far above all others from 1,200 steps on.

# %% tags=["nbval-check-output"]
looks = stored.stored_table("sample_quality.csv")
by_step = looks.pivot_table(index=["method", "n_labels"], columns="step", values="digit_frechet")
print(f"distance, mean of {looks['seed'].nunique()} seeds\n{by_step.round(0).to_string()}")

# %% [markdown]
# <!-- numbers: who draws better -->
# **Sooner?** After 300 steps all SGANs are ahead on each of the three seeds, by 95 to 1,180. **Better?** Not after
# these 3,000 steps: 207 for the plain GAN, 273, 329 and 299 with 100, 1,000 and 59,000 labels. The plain GAN is ahead
# on each seed, by 35 to 143. Three seeds give a direction and no interval. So the order depends on the
# steps. Odena shows pictures after two epochs; 3,000 steps of 32 images are 1.6.
#
# Feature matching draws worst. Whether its classifier or the SGAN's is better with 100 labels is undecided (notebook
# 04, part 6, on dense networks). Judge a generator by its samples and a classifier by its error, and do not
# take one for the other.

# %%
widgets.quiz("case_studies", "samples")

# %% [markdown]
# ## 6 · Scales that grow
#
# A matching loss need not fall. Somebody who runs a port of the paper's code on other data reports one that climbs from
# 1.9 to 8.1 (Sleepychord/ImprovedGAN-pytorch on GitHub, issue 6). Is that generator getting worse? Every layer of this
# recipe has [weight normalisation](glossary.md#weight-normalisation), w = g · v/‖v‖. The scales g of the hidden layers
# are set once and **frozen**. Ports that use a framework's weight norm as it comes train them.
#
# ### Exercise 2: a loss without a scale
#
# Features c times as large make the matching loss c² times as large, with the same samples. Write a measure that does
# not change: the matching loss as a share of the mean square of the real features.


# %% tags=["nbval-check-output"]
def relative_matching(real, fake):
    """Features of real and of generated images, [n, features] each -> a scalar without a scale."""
    raise NotImplementedError


exercises.check("case_studies.relative_matching", relative_matching)
# exercises.hint("case_studies.relative_matching")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def relative_matching(real, fake):
#     return losses.feature_matching(real, fake) / real.square().mean()
#
#
# exercises.check("case_studies.relative_matching", relative_matching)
# ```
# </details>
#
# Now provoke it: a small discriminator with strong noise between its layers. Three runs: matching with frozen hidden
# scales, matching with trained ones, and trained ones with the *non-saturating* generator of the SGAN, which does not
# minimise the matching loss at all.


# %%
relative = exercises.worked("case_studies.relative_matching", relative_matching)


def sizes(judge, generator, images):
    """Without noise: the first layer's scale, the matching loss, and the same without a scale."""
    made = evaluation.generate(generator, generator.latent(1000, torch.Generator().manual_seed(seed)))
    with torch.no_grad():
        real, fake = judge.eval()(images).features, judge(made).features
    judge.train()
    matching = losses.feature_matching(real, fake).item()
    return {"scale": scales.first_scale(judge), "matching loss": matching, "share": relative(real, fake).item()}


# %%
def watch_scales(method, trained, rate=0.03, n_steps=500):
    """Train a small pair on digits: what `sizes` measures every 25 steps, and the networks."""
    chosen = {"n_labels": n_labels, "seed": seed, "steps": n_steps, "batch_size": 32, "labelled_batch_size": 32}
    full_rate = {"learning_rate": rate, "hold": 1.0}  # up to the last step
    settings = experiments.resolve(method, "digits", preset, **chosen, **full_rate)
    with experiments.reproducible(settings):
        judge = models.MLPDiscriminator((1, 8, 8), 10, (64, 64, 64), hidden_noise=1.0, train_hidden_scales=trained)
        generator = models.MLPGenerator((1, 8, 8), latent_dim=32, widths=(64, 64))
        run = experiments.prepare(settings, network=models.Networks(judge, generator))
        modules, images = run.state.modules, run.data.unlabelled
        rows = []
        for record in experiments.train(run, record_every=25):
            measured = sizes(modules["discriminator"], modules["generator"], images)
            rows.append({"step": record.step} | measured)
    return pd.DataFrame(rows).set_index("step"), modules


# %%
widgets.predict(
    "case_studies.growth",
    "In which of the runs with trained scales do the scales grow?",
    choices=["in that with the matching generator only", "in both", "in neither"],
)

# %% tags=["nbval-ignore-output"]
three = {
    "matching, frozen": ("feature_matching", False),
    "matching, trained": ("feature_matching", True),
    "non-saturating, trained": ("sgan", True),
}
watched = {name: watch_scales(*how) for name, how in three.items()}
histories = {name: history for name, (history, _) in watched.items()}

# %% tags=["result", "nbval-ignore-output"]
figure, axes = plotting.new_figure(12, 3.4, 1, 3)
titles = {"scale": "Trained scales grow", "matching loss": "and keep the matching loss up",
          "share": "but not as a share of the features"}  # fmt: skip
for panel, (column, title) in zip(axes[0], titles.items(), strict=True):
    for (name, history), colour in zip(histories.items(), ("blue", "vermilion", "green"), strict=True):
        panel.plot(history.index, history[column], color=plotting.COLOURS[colour], label=name)
    panel.set(title=title, xlabel="training step", yscale="linear" if column == "scale" else "log", ylabel=column)
axes[0, 2].legend()
figure

# %% [markdown]
# **Figure.** Scale of the first layer, matching loss and its share over 500 training steps, one run per line. Left, the
# mean scale of the first layer: level where it is frozen; two rising lines, to about 2.5, where it is trained, with
# either generator. Middle, the matching loss on a logarithmic axis: it falls with frozen scales and swings at a higher
# level with trained ones. Right, the share: all three lines fall from above 1 to about 0.1 or less.

# %% tags=["result", "nbval-ignore-output"]
last = {name: history.loc[400:].mean() for name, history in histories.items()}
print("means over the last 100 steps\n" + pd.DataFrame(last).T.round(2).to_string())
grown = [name for name, history in histories.items() if history["scale"].iloc[-1] > 1.5 * history["scale"].iloc[0]]
answers = {0: "in neither", 1: "in that with the matching generator only", 2: "in both"}
widgets.reveal(
    "case_studies.growth",
    answers[len(grown)],
    "The scales are the discriminator's, and they grow in both (one run each).",
)

# %% [markdown]
# Why does the discriminator want it? Take the network of the frozen run and make all hidden activations c times larger
# and the class weights c times smaller. Without noise its logits stay what they were, and not one sample changes. Its
# own loss is computed with noise of a fixed size.


# %%
def both_losses(judge, generator, n_batches=40):
    """The discriminator's loss with its noise on, and the matching loss without noise."""
    parts, total = data.load("digits", n_labels, split_seed=seed), 0.0
    batches = data.Batches(parts, batch_size=64, labelled_batch_size=n_labels, seed=seed)
    modules = nn.ModuleDict({"discriminator": judge, "generator": generator})
    settings = experiments.resolve("sgan", "digits")  # for the weight of the real-or-fake term
    with torch.no_grad(), runtime.seeded(seed):
        for step in range(n_batches):
            total += sum(next(methods.sgan(modules, batches.at(step), settings)).values()).item()
        judge.eval()
        fake = judge(generator.sample(1000)).features
        return total / n_batches, losses.feature_matching(judge(parts.unlabelled).features, fake).item()


# %% tags=["nbval-ignore-output"]
_, networks = watched["matching, frozen"]
rows = {c: both_losses(scales.enlarged(networks["discriminator"], c), networks["generator"]) for c in (1, 2, 4, 8)}
columns = ["discriminator's loss", "matching loss"]
print(pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("features times").round(3).to_string())

# %% [markdown]
# For c = 8 the matching loss is 64 times as large, 46 instead of 0.73, with the same samples. The discriminator's own
# loss falls, from 0.68 to 0.48, although without noise it says exactly the same. Larger activations drown the noise, so
# the discriminator's gradient points towards growth. The generator pays with the square, and it owns none of the
# scales. Freezing the hidden scales closes this door.
#
# What you saw is growth, not an explosion, and we do not claim that every run with trained scales ends in one. A run
# whose loss does leave all bounds is stopped: `training.train` asks every 50 steps, and at each record, whether each
# term is finite and within ±1,000.

# %% tags=["nbval-ignore-output"]
try:
    watch_scales("feature_matching", trained=True, rate=3.0, n_steps=100)
    print("no term left the bounds")
except runtime.DivergenceError as error:
    print(f"DivergenceError: {error}")

# %%
widgets.quiz("case_studies", "rising_loss")

# %% [markdown]
# ## 7 · Bad GAN, term by term
#
# Dai et al. (2017) drew a consequence from the argument of notebook 04, part 2: they built a method with a *bad*
# generator. The library has two of its terms, on top of feature matching.
#
# - **Conditional entropy**, for the discriminator: on unlabelled images, decide. It minimises the mean of $-\sum_k p_k
#   \log p_k$ with $p_k = p(k \mid x, \text{real})$. Calling an image real rewards a large log-sum-exp: *some* logit
#   must be high. It does not ask that one be higher than the others. With three classes, logits 5, 5, 5 give p(real) =
#   0.998 at p(class) = 1/3.
# - **Pull-away**, for the generator: differ from one another (Zhao et al. 2017, section 2.4).
#
# ### Exercise 3: pull-away
#
# $f_i$ are the features of image i. Return the mean squared cosine over all pairs of different images:
#
# $$\frac{1}{n(n-1)} \sum_{i} \sum_{j \neq i} \left( \frac{f_i \cdot f_j}{\lVert f_i \rVert \, \lVert f_j \rVert} \right)^2$$


# %% tags=["nbval-check-output"]
def pull_away(features):
    """Features of generated images [n, features] -> the mean squared cosine over all pairs of different images."""
    raise NotImplementedError


exercises.check("case_studies.pull_away", pull_away)
# exercises.hint("case_studies.pull_away")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def pull_away(features):
#     unit = F.normalize(features, dim=1)
#     squared_cosines = (unit @ unit.T).square()
#     n = len(features)
#     return (squared_cosines.sum() - n) / (n * (n - 1))
#
#
# exercises.check("case_studies.pull_away", pull_away)
# ```
#
# The cosine of an image with itself is 1, so the n pairs on the diagonal add up to n.
# </details>
#
# A method that adds two terms and reports one number leaves open which of them works. Run all four combinations on the
# same splits. Change the weights, the splits or the steps, and run it again.

# %% tags=["nbval-ignore-output"]
away = exercises.worked("case_studies.pull_away", pull_away)
features = torch.rand(64, 128, generator=torch.Generator().manual_seed(seed))
print(f"yours or worked {away(features):.4f}, the library {losses.pull_away(features):.4f}")
budget = {"preset": preset} | ({"steps": term_steps} if preset == "quick" else {})
errors = {}
for entropy, away_weight in ((0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.1, 0.3)):
    chosen = {"entropy_weight": entropy, "pull_away_weight": away_weight, **budget}
    results = experiments.repeat(
        n_seeds, seed, method="bad_gan", dataset="digits", n_labels=n_labels, device="cpu", **chosen
    )
    errors[f"entropy {entropy}, pull-away {away_weight}"] = [100 * run.test_error for run in results]
table = pd.DataFrame(errors).T
print(table.assign(mean=table.mean(axis=1)).round(1).to_string())

# %% [markdown]
# Both weights at 0 are feature matching. In the stored run (splits 0 to 2, 200 steps) the four means lie between 11.1
# and 12.0 %, and their order changes from split to split. No term is shown to help or to harm here.
#
# These are the terms of Dai's code for SVHN. Their code for MNIST has neither: it adds a term that keeps fakes out of
# dense regions and needs a density model of the images. So their published 0.795 % on MNIST belongs to another loss
# than our `bad_gan`.

# %%
widgets.quiz("case_studies", "terms")

# %% [markdown]
# ## What you found
#
# - **One digit separates the splits**, and why it fails is undecided. Without the sevens, feature matching makes 109 to
#   124 mistakes on each of splits 0 to 4 (100 labels, preset `standard`, seeds 0 to 4).
# - **A crossed seven among the labels** goes with fewer misread sevens on three of six splits (one seed each):
#   undecided.
# - **Three seeds on the same labels** end at 0.87, 2.15 and 2.25 % (split 2, preset `paper`, seeds 208, 209 and 2).
# - **A matching loss that climbs** need not mean worse samples: features 8 times as large make it 64 times as large
#   with the same samples (`digits`, seed 0).
#
# **Still open.** Why a network gives up a cluster that it had found. Whether the details of section 3 matter. Whether a
# term of bad GAN helps, and where.
#
# **Read on.** Zhao et al. 2017, *Energy-based Generative Adversarial Network* (arXiv:1609.03126), section 2.4. Salimans
# & Kingma 2016, *Weight Normalization* (arXiv:1602.07868). Heusel et al. 2017 (arXiv:1706.08500), equation 6, on the
# Fréchet distance.

# %%
widgets.quiz("case_studies")

# %%
exercises.progress()

# %% [markdown]
# **Back to the course**: [05 · How many labels?](05_label_scarcity.ipynb)

# %% tags=["headline", "nbval-ignore-output"]
print(
    f"headline: sevens misread on splits 0 to 4: {per_digit[7].tolist()}; "
    f"matching loss with features 8 times as large: {rows[8][1]:.0f} instead of {rows[1][1]:.2f}"
)
