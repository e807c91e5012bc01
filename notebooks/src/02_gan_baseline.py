# %% [markdown]
# # 02 · Build a GAN, see it fail, ask what it is worth
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# **Your GAN has trained for an hour and both loss curves are flat. Has it converged, has it stalled, or does it draw
# the same picture again and again?** The curves cannot tell you. Write a GAN, break it, and find what can.
#
# **After this notebook you can**
# - *write* a GAN in PyTorch: two networks, two steps, the loop (exercises 1 to 5);
# - *diagnose* a run: healthy, won by D, collapsed, or misled by batch statistics (exercise 6);
# - *judge* a gain by its [baseline](glossary.md#baseline) (exercise 6, report T).
#
# **Before you start**: the game and its two losses, from [01 · Theory](01_theory.ipynb).
# **Time**: about 1 minute of computing on two CPU cores, 58 minutes of reading and exercises.
# The first picture and section 7 use stored runs.

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
import inspect
import math

import pandas as pd
import torch
import torch.nn.functional as F  # noqa: F401  (for your two steps)
from torch import nn

from sgan_lib import data, methods
from sgan_lib.course import exercises, plotting, stored, widgets

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # rounds on digits: quick, standard or paper
seed = 0  # of every game: weights, latents and batches; the ring is also played with the next two

# %% [markdown]
# ## The goal
#
# This generator has seen 59,900 digits and no label. You write two steps like those that trained it.

# %%
plotting.stored_figure("dcgan_filmstrip.png")

# %% [markdown]
# **Figure.** Generated digits, one row per moment of a stored run (convolutional, 3,000 rounds, called steps;
# seed 0), one column per latent.
#
# ## 1 · Two networks

# %%
plotting.gan_scheme("G draws, D judges, and each learns in a step of its own")

# %% [markdown]
# **Figure.** Flow chart: the [generator](glossary.md#generator) G turns a [latent](glossary.md#latent) z,
# eight random numbers, into G(z). The [discriminator](glossary.md#discriminator) D gives real x and generated G(z) a
# [logit](glossary.md#logit): positive means "real". Dashed lines lead to the player that a step changes; G's leads
# through D.
#
# First, the data are eight small clouds in the plane, the *modes*.

# %%
angles = torch.arange(8) * math.pi / 4
modes = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
sigma = 0.13


def draw_ring():
    return modes[torch.randint(8, (128,))] + sigma * torch.randn(128, 2)


# %% [markdown]
# ### Exercise 1 · The generator
#
# Return a *new* network from latents [n, 8] to points [n, 2], with two hidden layers of 128 and ReLU. Nothing may limit
# the outputs. (Stuck? `exercises.hint("gan_baseline.make_generator")` helps, twice, as in each exercise.)


# %% tags=["nbval-check-output"]
def make_generator():
    raise NotImplementedError  # an nn.Module


exercises.check("gan_baseline.make_generator", make_generator)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def make_generator():
#     return nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2))
#
#
# exercises.check("gan_baseline.make_generator", make_generator)
# ```
# </details>
#
# ### Exercise 2 · The discriminator
#
# The same for D: from points [n, 2] to one logit each, [n, 1]. As activation take `nn.LeakyReLU(0.2)`, whose slope is
# never zero: what D finds wrong must reach G.


# %% tags=["nbval-check-output"]
def make_discriminator():
    raise NotImplementedError  # an nn.Module


exercises.check("gan_baseline.make_discriminator", make_discriminator)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def make_discriminator():
#     return nn.Sequential(
#         nn.Linear(2, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1)
#     )
#
#
# exercises.check("gan_baseline.make_discriminator", make_discriminator)
# ```
# </details>
#
# ## 2 · Two steps
#
# With D(x) = sigmoid(logit), the probability of "real", the discriminator minimises (Goodfellow 2014, eq. 1, sign
# turned)
#
# $$L_D = -\mathbb{E}_x[\log D(x)] - \mathbb{E}_z[\log(1 - D(G(z)))].$$
#
# `F.logsigmoid(t)` computes log sigmoid(t) without overflow, and 1 − sigmoid(t) = sigmoid(−t).
#
# ### Exercise 3 · The discriminator's step
#
# Take one step of D and return its loss, a tensor. Show D both kinds in *one* batch. For this D it makes no difference;
# for one in section 6 it does. G must get no gradient: [detach](glossary.md#detach) its points.


# %% tags=["nbval-check-output"]
def discriminator_step(G, D, adam_d, real, z):
    raise NotImplementedError  # the loss


exercises.check("gan_baseline.discriminator_step", discriminator_step)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def discriminator_step(G, D, adam_d, real, z):
#     fake = G(z).detach()
#     on_real, on_fake = D(torch.cat([real, fake])).split(len(real))
#     loss = -F.logsigmoid(on_real).mean() - F.logsigmoid(-on_fake).mean()
#     adam_d.zero_grad()
#     loss.backward()
#     adam_d.step()
#     return loss
#
#
# exercises.check("gan_baseline.discriminator_step", discriminator_step)
# ```
# </details>
#
# ### Exercise 4 · The generator's step
#
# G minimises the [non-saturating loss](glossary.md#non-saturating-loss) $L_G = -\mathbb{E}_z[\log D(G(z))]$. Take one
# step of G and return its loss.


# %% tags=["nbval-check-output"]
def generator_step(G, D, adam_g, z):
    raise NotImplementedError  # the loss


exercises.check("gan_baseline.generator_step", generator_step)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def generator_step(G, D, adam_g, z):
#     loss = -F.logsigmoid(D(G(z))).mean()
#     adam_g.zero_grad()
#     loss.backward()
#     adam_g.step()
#     return loss
#
#
# exercises.check("gan_baseline.generator_step", generator_step)
# ```
# </details>

# %%
widgets.quiz("gan_baseline", "left_in_d")

# %% [markdown]
# ## 3 · The loop
#
# ### Exercise 5 · The loop
#
# Write the game of `n_rounds` rounds. A round is:
# 1. draw a real batch, `draw_real()`;
# 2. `step_d(G, D, adam_d, real, z)` with standard normal latents, as many as real points;
# 3. `step_g(G, D, adam_g, z)` with new ones;
# 4. store both losses as plain numbers; call `watch(number)`, where `number` counts the rounds from 1.
#
# Use Adam with `betas=(0.5, 0.999)` for both, with the rate `rate_d` for D and 0.001 for G. Return the list of pairs
# (L_D, L_G).


# %% tags=["nbval-check-output"]
def train(G, D, step_d, step_g, draw_real, n_rounds, rate_d, watch):
    raise NotImplementedError  # [(L_D, L_G), ...]


exercises.check("gan_baseline.train", train)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def train(G, D, step_d, step_g, draw_real, n_rounds, rate_d, watch):
#     adam_d = torch.optim.Adam(D.parameters(), lr=rate_d, betas=(0.5, 0.999))
#     adam_g = torch.optim.Adam(G.parameters(), lr=0.001, betas=(0.5, 0.999))
#     history = []
#     for number in range(1, n_rounds + 1):
#         real = draw_real()
#         loss_d = step_d(G, D, adam_d, real, torch.randn(len(real), 8))
#         loss_g = step_g(G, D, adam_g, torch.randn(len(real), 8))
#         history.append((loss_d.item(), loss_g.item()))
#         watch(number)
#     return history
#
#
# exercises.check("gan_baseline.train", train)
# ```
# </details>
#
# A worked part stands in for each that is not right yet. After mending one, run all cells from here.

# %%
make_generator = exercises.worked("gan_baseline.make_generator", make_generator)
make_discriminator = exercises.worked("gan_baseline.make_discriminator", make_discriminator)
discriminator_step = exercises.worked("gan_baseline.discriminator_step", discriminator_step)
generator_step = exercises.worked("gan_baseline.generator_step", generator_step)
train = exercises.worked("gan_baseline.train", train)

# %% [markdown]
# `play_ring` plays a game and keeps four moments, drawn from the *same* latents, so that a change is a change of G. A
# mode is hit if at least 25 of the 2,000 points (a tenth of a fair share) lie within three standard deviations of it.


# %%
def play_ring(rate_d, seed, n_rounds=1000):
    torch.manual_seed(seed)
    G, D, z, points = make_generator(), make_discriminator(), torch.randn(2000, 8), {}

    def watch(number):
        if number % (n_rounds // 4) == 0:
            points[f"round {number}"] = G(z).detach()

    history = train(G, D, discriminator_step, generator_step, draw_ring, n_rounds, rate_d, watch)
    return points, torch.tensor(history)


def modes_hit(points):
    distance, nearest = torch.cdist(points, modes).min(dim=1)
    counts = torch.bincount(nearest[distance < 3 * sigma], minlength=8)
    return int((counts >= len(points) / 80).sum())


# %% [markdown]
# In the first game D's rate is 0.002, twice G's.

# %%
widgets.predict(
    "gan_baseline.modes", "How many modes does G hit after 1,000 rounds?", choices=["1 to 3", "4 to 7", "all 8"]
)

# %% tags=["result"]
games = {("D at 0.002", k): play_ring(0.002, k) for k in range(seed, seed + 3)}
fast, _ = games["D at 0.002", seed]
plotting.snapshots({"D at 0.002": fast}, modes, "Your generator finds the ring, then the modes")

# %% [markdown]
# **Figure.** 500 generated points at four moments (seed 0). Circles: three standard deviations around the modes.

# %% tags=["result"]
hit = modes_hit(fast["round 1000"])
between = (torch.cdist(fast["round 1000"], modes).amin(dim=1) >= 3 * sigma).double().mean().item()
outcome = "all 8" if hit == 8 else "4 to 7" if hit > 3 else "1 to 3"
widgets.reveal("gan_baseline.modes", outcome, f"{between:.0%} of the points lie in no circle.")

# %% [markdown]
# ## 4 · Your steps in the library
#
# This is the plain GAN of `sgan_lib`. Each `yield` is one player's move: the terms that it minimises.

# %% tags=["nbval-check-output"]
print(inspect.getsource(methods.gan))

# %% [markdown]
# These are your exercises 3 and 4. With `reuse`, G is judged on what D has just seen. `real_logit` makes one logit of
# several classes: see [03 · SGAN](03_sgan.ipynb).
#
# ## 5 · Digits
#
# Give your steps and your loop other networks and MNIST. The layer `extra` of D is dropout. Here D gets half of G's
# rate: it sees 784 pixels and wins easily. (On the ring it was too slow. Which player needs the higher rate depends on
# the game.)


# %%
def make_digit_generator():
    return nn.Sequential(
        nn.Linear(8, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Linear(512, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip


def make_digit_discriminator(extra):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 256), extra, nn.LeakyReLU(0.2), nn.Linear(256, 128), nn.LeakyReLU(0.2),
        nn.Linear(128, 1),
    )  # fmt: skip


images = data.load("mnist", n_labels=100, split_seed=seed).unlabelled  # in [-1, 1], without labels


def draw_digits():
    return images[torch.randint(len(images), (64,))]


# %%
widgets.predict(
    "gan_baseline.last_loss", "Where is L_D in the last hundred rounds?", choices=["near 0.1", "near 0.7", "near 1.3"]
)

# %% tags=["result"]
torch.manual_seed(seed)
G, D, z = make_digit_generator(), make_digit_discriminator(nn.Dropout(0.3)), torch.randn(16, 8)
n_rounds = {"quick": 1_200, "standard": 6_000, "paper": 60_000}[preset]
frames = {}


def watch(number):
    if number in [n_rounds * part // 20 for part in (1, 2, 4, 7, 12, 20)]:
        frames[f"round {number}"] = G(z).detach()


history = train(G, D, discriminator_step, generator_step, draw_digits, n_rounds, 0.0005, watch)
plotting.filmstrip(frames, "From noise to something like digits")

# %% [markdown]
# **Figure.** Generated images, one row per moment, one column per latent (seed 0).

# %% tags=["result"]
plotting.game_losses(history, "L_D stays below its undecided value (dotted), L_G above")

# %% [markdown]
# **Figure.** L_D and L_G against the round; dotted, the values where D is undecided (seed 0).

# %% tags=["result"]
last = sum(loss_d for loss_d, _ in history[-100:]) / 100
outcome = "near 1.3" if last > 1 else "near 0.7" if last > 0.4 else "near 0.1"
widgets.reveal("gan_baseline.last_loss", outcome, f"The mean of the last hundred rounds is {last:.2f}.")

# %% [markdown]
# A loss is the score against an opponent who learns as well. If nobody could tell G(z) from x, the best D would answer
# ½ everywhere. Then $L_D = 2\log 2 \approx 1.386$ and $L_G = \log 2 \approx 0.693$. (Many codes take the mean over both
# halves with `binary_cross_entropy`; then undecided is 0.693.) With the best D, L_D would *rise* to 1.386 as G
# improves. A real D learns too: in the run of the first picture, L_D is 1.28 at round 400 and 1.16 at round 3,000. In
# between, its digits form. Look at pictures from fixed latents.

# %%
widgets.quiz("gan_baseline", "flat_at_069")

# %% [markdown]
# ## 6 · Two failures
#
# ### Mode collapse
#
# G is rewarded for points that D calls real, not for variety. Hold D still, and G does best to put *everything* where D
# is surest: [mode collapse](glossary.md#mode-collapse). Now D learns ten times more slowly, at 0.0002.

# %%
widgets.predict(
    "gan_baseline.collapse", "How many modes does G hit with the slow D?", choices=["0 or 1", "about half", "all 8"]
)

# %% tags=["result"]
games |= {("D at 0.0002", k): play_ring(0.0002, k) for k in range(seed, seed + 3)}
plotting.snapshots({"D at 0.0002": games["D at 0.0002", seed][0]}, modes, "A slow discriminator is led round the ring")

# %% [markdown]
# **Figure.** Points at four moments, as above, with the slow D (seed 0).

# %% tags=["result"]
rows = {key: [modes_hit(p["round 1000"]), *losses[-200:].mean(dim=0).tolist()] for key, (p, losses) in games.items()}
rings = pd.DataFrame(rows, index=["modes hit", "L_D", "L_G"]).T
rings.round(2)

# %% tags=["result"]
most = rings.loc["D at 0.0002", "modes hit"].max()
outcome = "0 or 1" if most <= 1 else "about half" if most < 8 else "all 8"
widgets.reveal("gan_baseline.collapse", outcome, "D marks down where G was, and G moves on.")

# %% [markdown]
# In this game it is the *weak* discriminator that lets G collapse. The cure: let D learn faster, as in the upper rows.
#
# L_D (mean of the last 200 rounds) is about 1.25 with eight modes and 1.37 with one or none, *nearer* to the ideal
# 1.386. This D is undecided because it is late. So count modes.
#
# The opposite failure: *D wins*. Then L_D is near 0 and L_G large (above 4, say). D rejects G's points everywhere,
# alone and beside real ones.

# %%
widgets.quiz("gan_baseline", "undecided_d")

# %% [markdown]
# ### Batch statistics give generated images away
#
# [Batch normalisation](glossary.md#batch-normalisation) subtracts the mean of the batch. So a logit depends on the
# images *beside* which an image is shown. Your D's step shows generated images beside real ones, your G's step
# shows them alone. Put batch normalisation into D as `extra`, and play 100 rounds on digits.

# %%
widgets.predict(
    "gan_baseline.leak", "Where do the two losses go?", choices=["only L_D falls", "both fall", "neither falls"]
)


# %% tags=["result"]
class Apart(nn.Sequential):  # two batches of one: in D's step the real images and the generated ones
    def forward(self, batch):
        return torch.cat([*map(super().forward, batch.chunk(2))])


leaks, norm = {}, "batch normalisation in D"
for name, extra, wrapped in ((norm, nn.BatchNorm1d(256), nn.Sequential), ("none in D", nn.Identity(), nn.Sequential),
                             (f"{norm}, two batches", nn.BatchNorm1d(256), Apart)):  # fmt: skip
    torch.manual_seed(seed)
    G, D = make_digit_generator(), wrapped(make_digit_discriminator(extra))
    leaky = train(G, D, discriminator_step, generator_step, draw_digits, 100, 0.001, lambda number: None)
    fake = G(torch.randn(500, 8)).detach()
    logits = D(fake), D(torch.cat([images[:500], fake]))[500:]
    leaks[name] = [*leaky[-1], *(100 * (each > 0).float().mean().item() for each in logits)]
pd.DataFrame(leaks, index=["L_D", "L_G", "G(z) called real, alone, %", "beside real images, %"]).T.round(2)

# %% tags=["result"]
outcome = "both fall" if leaks[norm][1] < 0.693 else "only L_D falls"
widgets.reveal("gan_baseline.leak", outcome, "Each step shows D these images in another batch, and each player wins.")

# %% [markdown]
# D calls 85 % of the same 500 images real alone, none beside real ones. So D's step finds nothing to correct, G's step
# little. In the mixed batch the mean lies between the two kinds: real images fall on one side,
# generated ones on the other, and D need only read the side. Alone, generated images are centred on their own mean, and
# that sign is gone. The cure is in the other rows: a D that does not look at its neighbours, or two
# batches in D's step, so that generated images are alone in both steps.

# %%
widgets.quiz("gan_baseline", "which_batches")

# %% [markdown]
# ## 7 · A baseline that deserves the name
#
# In the next notebook D becomes a classifier with few labels. "The GAN helps" is then a difference of two numbers. Take
# 100 labels of MNIST. *GANs in Action* (chapter 7) has 69.2 % accuracy
# without and 89.4 % with the GAN, a "gain" of 20.2 points. Odena 2016 (Table 1) has 89.5 % with G frozen and 92.8 %
# with G trained, a gain of 3.3.
#
# The better result has a sixth of the gain, since its baseline is as good as the other's GAN. Now a small
# convolutional network learns from 100 labels, without a GAN, and with one line more: training images are shifted at
# random by up to two pixels ([augmentation](glossary.md#augmentation)).

# %%
widgets.predict(
    "gan_baseline.shifts", "How many points do the shifts gain, on average?", number=(-5, 20), unit="points"
)

# %% tags=["result"]
tuned = stored.stored_table("baseline_tuned.csv").query("network == 'cnn' and preset == 'standard'")
errors = 100 * tuned.pivot(index="seed", columns="shift", values="test_error").add_prefix("error in %, shift ")
errors["gain"] = errors["error in %, shift 0"] - errors["error in %, shift 2"]
errors.round(1)

# %% tags=["result"]
gain = round(errors["gain"].mean(), 1)
widgets.reveal("gan_baseline.shifts", gain, "The shifts help on each of the five splits.")

# %% [markdown]
# <!-- numbers: supervised baseline -->
# The mean test error goes from 21.1 % to 12.0 %, by 9.1 points (five splits, 3,000 steps; 95 % interval: 6.2 to 11.9).
# A paper that shifts only the GAN's images counts such a gain as the GAN's. Each side keeps its own best
# rate, chosen on 100 *validation* images in runs of 600 steps on splits 100 to 102. Mean
# validation errors in percent, by rate:

# %%
tuning = stored.stored_table("baseline_tuning.csv").query("network == 'cnn'")
tuning["percent"] = 100 * tuning["validation_error"]
tuning.pivot_table(index=["network", "shift"], columns="learning_rate", values="percent").round(1)

# %% [markdown]
# Each row's best rate lies at an edge: even this baseline is not fully tuned. The next notebooks give both sides the
# *same* network, splits and steps.
#
# ### Exercise 6 · Diagnose five reports
#
# P to S are games on MNIST; a classifier counted the digits drawn. T is a claim. All numbers are made up.
#
# | report | L_D | L_G | called fake, beside real ones | called fake, alone | digits drawn |
# | --- | --- | --- | --- | --- | --- |
# | P | 0.01 | 6.9 | 100 % | 100 % | 8 |
# | Q | 1.21 | 0.86 | 66 % | 66 % | 10 |
# | R | 0.00 | 0.04 | 100 % | 0 % | 6 |
# | S | 1.37 | 0.71 | 51 % | 51 % | 1 |
#
# T: "Our GAN gains 17 points: 7 % error with shifted images and a rate chosen from ten, against 24 % of a supervised
# network at its default rate."
#
# Give each one of `"healthy"`, `"discriminator has won"`, `"batch statistics"`, `"mode collapse"`, `"weak baseline"`.

# %% tags=["nbval-check-output"]
diagnosis = None  # {"P": …, "Q": …, "R": …, "S": …, "T": …}

exercises.check("gan_baseline.diagnosis", diagnosis)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# diagnosis = {
#     "P": "discriminator has won",
#     "Q": "healthy",
#     "R": "batch statistics",
#     "S": "mode collapse",
#     "T": "weak baseline",
# }
#
# exercises.check("gan_baseline.diagnosis", diagnosis)
# ```
#
# Q and S hardly differ in their losses; the digits drawn tell. In R both losses are small, which no honest game allows.
# In P a slower D, or noise on what D sees, is worth a try. T gives the shifts and the trials to one side only.
# </details>
#
# ## Wrap-up quiz

# %%
widgets.quiz("gan_baseline")

# %%
exercises.progress()

# %% [markdown]
# ## What you have found
#
# (Preset `quick`; seeds 0 to 2 on the ring, seed 0 on digits.)
#
# - Loss curves alone do not tell. Pictures from fixed latents, a count of modes, and D's verdict alone and beside real
#   images do.
# - With a fast D your GAN hits 8 of 8 modes on each of three seeds, with a slow D one at most.
# - With batch normalisation in D, 85 % of the generated digits pass alone and 0 % beside real ones (100 rounds).
# - Random shifts gain 9.1 points at 100 labels without a GAN (stored, five splits).
#
# **Still open.** A number that ranks generators as an eye does; what makes a game converge.
#
# **Read on.** Goodfellow 2014 (arXiv:1406.2661), the game; Radford 2016 (arXiv:1511.06434), the DCGAN; Metz 2017
# (arXiv:1611.02163), the ring; Salimans 2016 (arXiv:1606.03498), §3.2, batches; Oliver 2018 (arXiv:1804.09170), §4,
# baselines. **Next**: [03 · SGAN](03_sgan.ipynb).

# %% tags=["headline"]
counts = rings["modes hit"].groupby(level=0, sort=False).mean().round(1)
print("headline: modes hit", *counts, f"of 8 (fast D, slow D); shifts gain {gain} points")
