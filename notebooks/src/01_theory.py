# %% [markdown]
# # 01 · Theory: the game, the extra class, and why K logits are enough
#
# <!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->
#
# **You have six labels and a thousand points without one. How can a network that tells real points from generated
# ones learn to classify from both?** See it work first. Then take it apart.
#
# **After this notebook you can**
# - *derive* the best discriminator for any mix of real and generated points (exercise 1);
# - *compute* the push that each generator loss gives, and choose between them (exercise 2);
# - *write* the semi-supervised GAN's discriminator loss with K logits, and train with it (exercises 3 and 4).
#
# **Before you start**: logarithms, derivatives, [cross-entropy](glossary.md#cross-entropy), and what a PyTorch training
# loop looks like. **Time**: about 1 minute of computing on two CPU cores, 57 minutes of reading and exercises.
# **Stored and live**: every figure and number is computed here, at [preset](glossary.md#preset) `quick`.

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
import math

import ipywidgets
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from sgan_lib import data, evaluation, experiments, losses, runtime
from sgan_lib.course import exercises, own_method, plotting, widgets

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of the runs on 2-D points: quick, standard or paper
seed = 0  # of all training: initial weights, batches, noise
split_seed = 2  # which of the 2-D points are labelled, in the pictures
n_labels = 6  # how many of them are labelled, half of them in each class
n_splits = 4  # splits in the table of part 5: 0, 1, …

# %% [markdown]
# ## The playground
#
# Two half moons. Six points have a label. The same network is trained twice: on the six labels alone, and as the
# [discriminator](glossary.md#discriminator) of a [semi-supervised GAN](glossary.md#semi-supervised-gan) (SGAN) that
# sees the other points, too. Here is what the labels alone teach.

# %% tags=["nbval-ignore-output"]
runtime.check_whole_number("n_splits", n_splits, at_least=1)
same = {"preset": preset, "seed": seed}
moons = data.load("moons", n_labels, split_seed)
alone = experiments.run("supervised", "moons", n_labels, split_seed=split_seed, **same)


def probability_of_class_1(run):
    """The function from points [n, 2] to p(class 1 | x, real), [n]."""
    return lambda x: evaluation.class_logits(run.modules["discriminator"], x).softmax(dim=1)[:, 1]


title = f"Six labels alone: {100 * alone.test_error:.1f} % error"
plotting.decision_regions({"supervised": probability_of_class_1(alone)}, moons.unlabelled, moons.labelled, title)

# %% [markdown]
# **Figure.** Two moons of grey points, the plane filled in the pale colours of the two classes, and the boundary as a
# black line. It runs between the six labelled points and cuts through both moons.

# %%
widgets.predict(
    "theory.moons",
    "The title has the error of the labels alone. What is the SGAN's, with the same labels and the points without?",
    number=(0, 50),
    unit="%",
)

# %% tags=["result", "nbval-ignore-output"]
sgan = experiments.run("sgan", "moons", n_labels, split_seed=split_seed, **same)
title = "Unlabelled points bend the boundary"
plotting.decision_regions({"SGAN": probability_of_class_1(sgan)}, moons.unlabelled, moons.labelled, title)

# %% [markdown]
# **Figure.** The same moons with the SGAN's regions, whose boundary winds through the gap between the moons. A second
# piece of it cuts off a patch at the right edge, where there are no points.

# %% tags=["result", "nbval-ignore-output"]
widgets.reveal(
    "theory.moons", round(100 * sgan.test_error, 1), "This split makes a clear picture; part 5 shows others."
)

# %% [markdown]
# ### Who learns from what

# %%
plotting.sgan_scheme("Three streams enter one discriminator, which gives two answers")

# %% [markdown]
# **Figure.** Flow chart of an SGAN: the [generator](glossary.md#generator) G turns random numbers z, the
# [latent](glossary.md#latent), into points G(z), which D judges. D sees three streams: generated, unlabelled and
# labelled points. It gives each point K [logits](glossary.md#logit), one per class. Two answers are computed from them.
# Dashed lines lead to the player that learns: D (blue) from all streams, G (orange) from its own points alone.
#
# The rest of this notebook explains the two answers on the right: parts 1 to 3 "real or generated?", part 4 both.

# %%
widgets.quiz("theory", "streams")

# %% [markdown]
# ## 1 · The best discriminator
#
# Forget classes for a while. Real data have the density $p(x)$, generated ones $q(x)$. The discriminator's
# $D(x)$ is the probability that it gives to "x is real". D wants it near 1 on real points and near 0 on generated ones.
# G, which makes $q$, wants the opposite (Goodfellow 2014, equation 1):
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{x \sim q}[\log(1 - D(x))]$$
#
# What does a network find if G stands still? Take densities that you know: $p$ has two bumps, at −1.5 and 1.5, and
# $q$ is one wide bump around 0.

# %%
widgets.predict(
    "theory.peak",
    "Where is the trained D highest?",
    choices=["at 0, between the bumps", "near the bumps, at −1.5 and 1.5", "far outside, at −5 and 5"],
)

# %% tags=["nbval-ignore-output"]
p = MixtureSameFamily(Categorical(torch.tensor([0.5, 0.5])), Normal(torch.tensor([-1.5, 1.5]), 0.5))
q = Normal(0.0, 1.5)

with runtime.seeded(seed):
    network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for step in range(1500):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / 1500)
        real, fake = p.sample((512, 1)), q.sample((512, 1))
        loss = losses.discriminator(network(real)[:, 0], network(fake)[:, 0])  # minus V, on samples
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

x = torch.linspace(-5, 5, 1001)
density_p, density_q = p.log_prob(x).exp(), q.log_prob(x).exp()
learned_D = network(x[:, None])[:, 0].sigmoid().detach()


# %% tags=["result", "nbval-ignore-output"]
def draw(curves, title):
    """Values over x: each a row of name, values, colour and line style."""
    figure, axes = plotting.new_figure(7, 3.4)
    for name, values, colour, style in curves:
        axes[0, 0].plot(x, values, linestyle=style, color=plotting.COLOURS[colour], label=name)
    axes[0, 0].set(xlabel="x", ylabel="density, or probability of “real”", xlim=(-5, 5), title=title)
    axes[0, 0].legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


shown = [("p", density_p, "blue", ":"), ("q", density_q, "vermilion", ":"), ("trained D", learned_D, "green", "--")]
draw(shown, "D is high where p outweighs q")

# %% [markdown]
# **Figure.** Two densities, dotted, p with bumps at −1.5 and 1.5 and q wide around 0, and the trained D, dashed. D has
# a peak near each bump and a deep valley at 0, and falls to 0 outside.

# %% tags=["result", "nbval-ignore-output"]
widgets.reveal(
    "theory.peak", "near the bumps, at −1.5 and 1.5", "It compares: at 0 and outside, q is the larger density."
)

# %% [markdown]
# ### Exercise 1: derive that curve
#
# V is an integral, and D(x) may be chosen at each x alone. So find the y that maximises one term of the form
# $a \log y + b \log(1 - y)$. Do it for any mix: a share `real_share` of all points is real, the others are generated.
# Return the best D(x) from the densities at x.


# %% tags=["nbval-check-output"]
def best_discriminator(density_p, density_q, real_share):
    raise NotImplementedError  # the best D(x), a tensor of the densities' shape


exercises.check("theory.best_discriminator", best_discriminator)
# exercises.hint("theory.best_discriminator")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def best_discriminator(density_p, density_q, real_share):
#     real, fake = real_share * density_p, (1 - real_share) * density_q
#     return real / (real + fake)
#
#
# exercises.check("theory.best_discriminator", best_discriminator)
# ```
#
# The derivative is a/y − b/(1 − y). It is zero where a (1 − y) = b y, so y = a / (a + b). The second derivative is
# negative everywhere: a maximum, and the only one. With r the share of real points, a = r p and b = (1 − r) q.
# </details>
#
# With equal shares, as in $V$, the best discriminator is
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}, \qquad \text{with the logit} \quad \ell^*(x) = \log p(x) - \log q(x).$$

# %% tags=["nbval-ignore-output"]
best = exercises.worked("theory.best_discriminator", best_discriminator)
best_D = best(density_p, density_q, 0.5)
assert torch.allclose(best_D, torch.sigmoid(p.log_prob(x) - q.log_prob(x)), atol=1e-6)
gap = torch.trapezoid((learned_D - best_D).abs() * (density_p + density_q) / 2, x)
print(f"mean distance between the trained D and p / (p + q): {gap:.3f}")

# %% tags=["nbval-ignore-output"]
draw([*shown, ("p / (p + q)", best_D, "black", "-")], "Training finds p / (p + q) where it has points")

# %% [markdown]
# **Figure.** The same densities p and q and the trained D, and p / (p + q) in black. The trained D lies on it between
# −2.5 and 2.5, and a little above it outside, where few points fall.
#
# **The best discriminator's logit is the log-ratio of two densities.** Keep this line in mind: part 4 needs it.

# %%
widgets.quiz("theory", "ratio")

# %% [markdown]
# ## 2 · What the game measures
#
# D minimises $-V$. How low can its loss get? Pull two normal densities of width 1 apart and watch.

# %%
widgets.predict(
    "theory.apart",
    "The distance between p and q grows from 0 to 6. What does the lowest loss that D can reach do?",
    choices=["it falls evenly", "it falls faster and faster", "it falls and levels off near 0", "it does not change"],
)

# %% tags=["nbval-ignore-output"]
grid = torch.linspace(-15, 15, 6001, dtype=torch.float64)
separations = torch.linspace(0, 6, 61, dtype=torch.float64)


def pair(separation):
    """log p and log q on the grid: two normals of width 1, centred at ± separation / 2."""
    return Normal(-separation / 2, 1.0).log_prob(grid), Normal(separation / 2, 1.0).log_prob(grid)


def lowest_loss(log_p, log_q):
    """Minus the value V of the game, at the best D."""
    logit = log_p - log_q
    return torch.trapezoid(log_p.exp() * F.softplus(-logit) + log_q.exp() * F.softplus(logit), grid)


floors = torch.stack([lowest_loss(*pair(s)) for s in separations])


# %% tags=["result"]
def draw_pair(separation):
    """Left: p, q and the best D at this separation. Right: the lowest loss of D on its curve."""
    log_p, log_q = pair(torch.tensor(separation, dtype=torch.float64))
    figure, axes = plotting.new_figure(8, 3.2, 1, 2)
    left, right = axes[0]
    for name, values, colour in (("p", log_p.exp(), "blue"), ("q", log_q.exp(), "vermilion"),
                                 ("best D", torch.sigmoid(log_p - log_q), "black")):  # fmt: skip
        left.plot(grid, values, color=plotting.COLOURS[colour], label=name)
    left.set(xlim=(-6, 6), ylim=(0, 1.02), xlabel="x", title=f"Best D at separation {separation:g}")
    left.legend(frameon=False, loc="upper right")
    right.plot(separations, floors, color=plotting.COLOURS["grey"])
    right.axhline(2 * math.log(2), linestyle=":", color="black")
    right.plot(separation, lowest_loss(log_p, log_q), "o", color=plotting.COLOURS["green"], markersize=9)
    right.set(xlabel="separation of p and q", ylabel="lowest loss of D", ylim=(0, 1.45), title="The loss levels off")
    return figure


draw_pair(2.0)

# %% [markdown]
# **Figure.** Left, at separation 2: two bell curves, and the best D, which falls from 1 to 0 and is ½ half-way. Right:
# the lowest loss of D against the separation. It starts at the dotted line, 2 log 2, falls, and flattens near 0. The
# dot marks separation 2. With a running kernel, move the slider; nothing is trained.

# %% tags=["nbval-ignore-output"]
slider = ipywidgets.FloatSlider(value=2.0, min=0.0, max=6.0, step=0.25, description="separation")
redraw = ipywidgets.interact(draw_pair, separation=slider)

# %% tags=["result", "nbval-ignore-output"]
widgets.reveal(
    "theory.apart", "it falls and levels off near 0", "Once p and q hardly overlap, D can be sure everywhere."
)

# %% [markdown]
# This curve has a name. Let $m = (p + q)/2$ be the mixture, and $\mathrm{KL}(a \,\|\, b) = \int a \log \frac{a}{b}\,dx$
# the Kullback–Leibler divergence. Put $D^* = p / (2m)$ into $V$:
#
# $$V(D^*) = \mathrm{KL}(p \,\|\, m) + \mathrm{KL}(q \,\|\, m) - 2 \log 2 = 2 \, \mathrm{JSD}(p, q) - 2 \log 2$$
#
# Half the two KL terms is the [Jensen–Shannon divergence](glossary.md#jensen-shannon-divergence) (JSD). It is 0 for
# equal densities and log 2 for densities that do not overlap (Goodfellow 2014, Theorem 1).


# %% tags=["nbval-check-output"]
def kl(log_a, log_b):
    return torch.trapezoid(log_a.exp() * (log_a - log_b), grid)


def jsd(log_p, log_q):
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl(log_p, log_m) + kl(log_q, log_m)) / 2


for separation in (0.0, 2.0, 4.0, 6.0):
    log_p, log_q = pair(torch.tensor(separation, dtype=torch.float64))
    assert torch.isclose(lowest_loss(log_p, log_q), 2 * math.log(2) - 2 * jsd(log_p, log_q), atol=1e-9)
    print(
        f"separation {separation:.0f}: JSD {jsd(log_p, log_q).abs():.3f}, lowest loss {lowest_loss(log_p, log_q):.3f}"
    )

# %% [markdown]
# Watch this number in training. At 2 log 2 ≈ 1.386 D does no better than guessing. Near 0 it sees nothing but
# difference, and the curve has hardly a slope left for a generator to follow.

# %%
widgets.quiz("theory", "flat")

# %% [markdown]
# ## 3 · Two losses for the generator
#
# The game asks G to minimise $\mathbb{E}_q[\log(1 - D)]$, the *minimax* or saturating loss. In practice one minimises
# $-\mathbb{E}_q[\log D]$, the [non-saturating loss](glossary.md#non-saturating-loss) (Goodfellow 2014, section 3).
# Both push the logit of a generated point up. They differ in how hard they push.

# %%
widgets.predict(
    "theory.slopes",
    "D is sure that a point is generated: its logit is −8. How many times harder does the non-saturating loss push?",
    choices=["about 8 times", "about 60 times", "about 3,000 times"],
)

# %% [markdown]
# ### Exercise 2: the two pushes
#
# With $D = \sigma(\ell)$, return the derivatives of $\log(1 - D)$ and of $-\log D$ with respect to the logit $\ell$.
# Use [softplus](glossary.md#softplus)(t) = log(1 + exp t): $-\log \sigma(t)$ = softplus(−t), and 1 − σ(t) = σ(−t).


# %% tags=["nbval-check-output"]
def slopes(logit):
    raise NotImplementedError  # two tensors of the logit's shape: the minimax slope, the non-saturating slope


exercises.check("theory.slopes", slopes)
# exercises.hint("theory.slopes")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def slopes(logit):
#     D = torch.sigmoid(logit)
#     return -D, -(1 - D)
#
#
# exercises.check("theory.slopes", slopes)
# ```
#
# log(1 − D) = −softplus(ℓ), with the slope −σ(ℓ). And −log D = softplus(−ℓ), with the slope −σ(−ℓ).
# </details>

# %% tags=["nbval-ignore-output"]
push = exercises.worked("theory.slopes", slopes)
logits = torch.linspace(-10, 10, 201, requires_grad=True)
by_hand = dict(zip(("minimax", "nonsaturating"), push(logits.detach()), strict=True))
for kind, slope in by_hand.items():
    # the library's loss is a mean; undo it to get slopes per point
    total = losses.generator(logits, kind) * len(logits)
    assert torch.allclose(torch.autograd.grad(total, logits)[0], slope, atol=1e-6)

# %% tags=["result", "nbval-ignore-output"]
lines = {kind: (logits.detach().numpy(), slope.numpy()) for kind, slope in by_hand.items()}
plotting.curves(lines, "Minimax says nothing where help is needed most",
                x="logit of a generated point (left: surely fake)", y="slope of the generator's loss")  # fmt: skip

# %% [markdown]
# **Figure.** Slopes of both losses against the logit, S-shaped and mirrored about 0, where both are −½. The minimax
# slope is 0 on the left and −1 on the right. The non-saturating slope is −1 on the left and 0 on the right.

# %% tags=["result", "nbval-ignore-output"]
at = (logits + 8).abs().argmin()
print({kind: round(slope[at].item(), 5) for kind, slope in by_hand.items()})
widgets.reveal("theory.slopes", "about 3,000 times", "The ratio is (1 − D) / D, so `exp(8)` = 2,981.")

# %% [markdown]
# The minimax loss weights a generated point by D: points that already pass for real get the attention. The
# non-saturating loss weights it by 1 − D: the points that fail do. This course uses the second. It has a fault of its
# own: where D is nearly perfect and errs a little at random, the gradient that reaches G can scatter without bound
# (Arjovsky & Bottou 2017, Theorem 2.6).
#
# ## 4 · A classifier with one class more
#
# Now there are K real classes. Odena (2016) and Salimans (2016) give the discriminator one class more, "fake", and one
# [softmax](glossary.md#softmax) over all K + 1. (Odena writes N for K: hence
# [N+1 classes](glossary.md#n-plus-one-classes).)
#
# $$p(k \mid x) = \frac{e^{l_k}}{\sum_{j=1}^{K+1} e^{l_j}}, \qquad p(\text{real} \mid x) = 1 - p(K + 1 \mid x)$$
#
# Most code has K outputs. What can K + 1 free logits express that K cannot? Nothing, in three lines:
#
# 1. Add a number c to all K + 1 logits. Numerator and denominator get the factor $e^c$, and every probability stays.
# 2. Choose $c = -l_{K+1}$. The fake logit becomes 0.
# 3. With $Z = \sum_{k=1}^{K} e^{l_k}$ over the K logits that are left,
#    $p(\text{real} \mid x) = \dfrac{Z}{Z + 1} = \sigma(\log Z)$.
#
# $\log Z$ is the [log-sum-exp](glossary.md#log-sum-exp) of the K logits. In the library it is `real_logit`, and
# `append_fake_logit` puts the 0 back.

# %% tags=["nbval-check-output"]
K = 10
randomness = torch.Generator().manual_seed(0)
full = 5 * torch.randn(1000, K + 1, generator=randomness, dtype=torch.float64)
K_logits = full[:, :K] - full[:, K:]  # lines 1 and 2
probabilities = full.softmax(dim=1)
assert torch.allclose(probabilities, losses.append_fake_logit(K_logits).softmax(dim=1))
Z = K_logits.exp().sum(dim=1)
assert torch.allclose(1 - probabilities[:, K], torch.sigmoid(Z.log()))  # line 3
assert torch.allclose(Z.log(), losses.real_logit(K_logits))
print(f"{K + 1} logits and {K} logits: the same {probabilities.numel():,} probabilities")

# %% [markdown]
# **What do the K logits mean?** By part 1 the best logit of "real" is $\log p - \log q$. Let $\pi_k$ be the share of
# class k and $p_k$ its density, so $p = \sum_k \pi_k p_k$. Give each class its own log-ratio, $l_k = \log(\pi_k p_k) -
# \log q$. Then log Z is the perfect discriminator, and the softmax over the K logits is $\pi_k p_k / p$, the perfect
# classifier. Check it where the two bumps of part 1 are two classes:

# %% tags=["nbval-check-output"]
bumps = p.component_distribution.log_prob(x[:, None])  # log p_k(x), [points, 2 classes]
perfect = math.log(0.5) + bumps - q.log_prob(x)[:, None]
assert torch.allclose(losses.real_logit(perfect), p.log_prob(x) - q.log_prob(x), atol=1e-4)
assert torch.allclose(perfect.softmax(dim=1), 0.5 * bumps.exp() / density_p[:, None], atol=1e-5)
print("log Z of the logits: the best discriminator; softmax of the same logits: the best classifier")

# %% [markdown]
# So *differences* of the K logits say which class, and log Z says real or generated.
#
# ### Exercise 3: where does a discriminator start?
#
# The logits of a new network are near 0. Then Z = K, and p(real | x) = K / (K + 1): 0.91 for ten classes, 0.99 for a
# hundred. Return the bias that, added to each of the K logits, makes it start at ½.


# %% tags=["nbval-check-output"]
def initial_bias(n_classes):
    raise NotImplementedError  # the bias of each of the K logits, a number


exercises.check("theory.initial_bias", initial_bias)
# exercises.hint("theory.initial_bias")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def initial_bias(n_classes):
#     return -math.log(n_classes)
#
#
# exercises.check("theory.initial_bias", initial_bias)
# ```
#
# Z = K·exp(b) has to be 1. The same number for all K logits changes no class probability.
# </details>
#
# **Numbers in a computer.** float32 ends at $e^{88.7}$: with logits of 100, `exp` gives infinity, and the gradients
# become NaN. `torch.logsumexp` subtracts the largest logit first and adds it back. `F.softplus` and `log_softmax` are
# as careful. So losses take logits, never probabilities.

# %% tags=["nbval-check-output"]
large = torch.full((1, 2), 100.0)
print(f"naive: {large.exp().sum(dim=1).log().item()}, real_logit: {losses.real_logit(large).item():.2f}")

# %%
widgets.quiz("theory", "size")

# %% [markdown]
# ## 5 · The discriminator's loss, by you
#
# On a labelled point: which class, *given that it is real*? On an unlabelled and on a generated point: real or not?
#
# $$L = \underbrace{-\,\mathbb{E}\log p(y \mid x, \text{real})}_{\text{labelled}}
# \; + \; w \, \Big( \underbrace{-\,\mathbb{E}\log p(\text{real} \mid x)}_{\text{unlabelled}}
# \; \underbrace{-\,\mathbb{E}\log\big(1 - p(\text{real} \mid x)\big)}_{\text{generated}} \Big)$$
#
# "Given real" means a softmax over the K logits alone (Salimans 2016, section 5).
#
# ### Exercise 4: write it
#
# You get the K logits of three batches, which may differ in size, and the labels of the first. Logits may be large.


# %% tags=["nbval-check-output"]
def sgan_loss(labelled, labels, unlabelled, generated, w=0.5):
    """Logits [n, K], [m, K] and [k, K] of three batches, and the labels [n] of the first -> a scalar."""
    raise NotImplementedError


exercises.check("theory.sgan_loss", sgan_loss)
# exercises.hint("theory.sgan_loss")  # delete the first # for a hint; run twice for two

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def sgan_loss(labelled, labels, unlabelled, generated, w=0.5):
#     log_p_class = labelled.log_softmax(dim=1)
#     which_class = -log_p_class[torch.arange(len(labels)), labels].mean()
#     called_real = F.softplus(-unlabelled.logsumexp(dim=1)).mean()
#     called_fake = F.softplus(generated.logsumexp(dim=1)).mean()
#     return which_class + w * (called_real + called_fake)
#
#
# exercises.check("theory.sgan_loss", sgan_loss)
# ```
#
# `F.cross_entropy(labelled, labels)` is the first term in one call.
# </details>
#
# Your loss and the library's agree on random logits. Then it trains: a *method* yields what D minimises, then what G
# does.

# %% tags=["nbval-check-output"]
discriminator_loss = exercises.worked("theory.sgan_loss", sgan_loss)
labelled, unlabelled, generated = 3 * torch.randn(3, 64, K, generator=randomness)
labels = torch.randint(K, (64,), generator=randomness)
told_apart = losses.discriminator(losses.real_logit(unlabelled), losses.real_logit(generated))
by_library = losses.supervised(labelled, labels) + 0.5 * told_apart
assert torch.allclose(discriminator_loss(labelled, labels, unlabelled, generated), by_library)
print(f"by hand and by sgan_lib.losses: {by_library:.4f}")


# %% tags=["nbval-ignore-output"]
def moves(nets, batch):
    """Both players' losses, by hand."""
    D, G = nets["discriminator"], nets["generator"]
    fake = G.sample(len(batch.unlabelled))
    unlabelled, generated = D(batch.unlabelled).class_logits, D(fake.detach()).class_logits
    yield {"D": discriminator_loss(D(batch.images).class_logits, batch.labels, unlabelled, generated)}
    yield {"G": F.softplus(-D(fake).class_logits.logsumexp(dim=1)).mean()}  # non-saturating, with log Z as its logit


table, runs = [], {}
for split in range(n_splits):
    runs["supervised"] = experiments.run("supervised", "moons", n_labels, split_seed=split, **same)
    runs["sgan"] = own_method.run(moves, "moons", n_labels, split_seed=split, **same)
    table += [{"split": split, "method": name, "test_error": run.test_error} for name, run in runs.items()]
table = pd.DataFrame(table)
percent = (100 * table.pivot(index="split", columns="method", values="test_error"))[["supervised", "sgan"]]
percent.round(1)

# %% tags=["nbval-ignore-output"]
gains = percent["supervised"] - percent["sgan"]
print(f"gain in points, split by split: {gains.round(1).tolist()}, mean {gains.mean():.1f}")
plotting.errors_by_method(table.rename(columns={"split": "seed"}), "Six labels: three gains and one loss")

# %% [markdown]
# **Figure.** Test errors without and with the GAN, one small marker per split, grey lines between runs on the same
# split, large markers for the means. Grey lines fall from left to right, but one rises.
#
# In the stored run the mean error falls from 17.5 % to 13.4 %. But the gain is positive on three splits and negative on
# one: undecided. The networks, steps and batches are the same for both; they were chosen for the GANs, and the
# supervised network was not tuned separately.
#
# On split 3 the SGAN is worse (one run): 22.2 % error, where labels alone leave 10.8 %. Set `split_seed = 3` at the top
# to see its regions. (Split 2 has 0.0 % here and had 0.1 % in the playground: the same losses, other random noise.)

# %%
widgets.quiz("theory", "luck")

# %% [markdown]
# ### Two maps from one set of logits


# %% tags=["nbval-ignore-output"]
def probability_of_real(run):
    """The function from points [n, 2] to p(real | x), [n]."""
    return lambda x: losses.real_logit(evaluation.class_logits(run.modules["discriminator"], x)).sigmoid()


fakes = evaluation.generate(sgan.modules["generator"], sgan.modules["generator"].latent(150, randomness))
maps = {"which class?": probability_of_class_1(sgan), "real?": probability_of_real(sgan)}
title = "Differences say which class, log Z says real"
plotting.decision_regions(maps, moons.unlabelled, moons.labelled, title, generated={"real?": fakes}, real=["real?"])

# %% [markdown]
# **Figure.** The moons twice: left with the classes, as above, right with p(real | x), green where it is high, with
# the line where it is ½. Of 150 generated points, as crosses, many lie on the moons, many in the gap.
#
# The right map is part 1 in two dimensions: high where real points outnumber generated ones, about ½ where both are
# alike, low in the gap. In corners without points of either kind it is a guess that nothing checks.
#
# ## What you found
#
# - **The best discriminator is p / (p + q)**, its logit log p − log q. A small network found it from samples, to 0.004.
# - **At a logit of −8 the non-saturating loss pushes 2,981 times harder** than the minimax loss.
# - **K logits are enough.** Their softmax says which class, the sigmoid of their log-sum-exp says real or generated.
# - **On the moons** (six labels, preset `quick`, training seed 0, splits 0 to 3) the mean error is 17.5 % without
#   and 13.4 % with the GAN. The gain has both signs, and on split 3 the error doubles: undecided.
#
# **Still open.** Nothing here proves that a GAN *helps* a classifier: both tasks fit into the same logits, and that is
# all. [04](04_feature_matching.ipynb) asks which generated points help. And the best discriminator says nothing of how
# two networks get there that learn at the same time: [02](02_gan_baseline.ipynb).
#
# **Read on.** Goodfellow et al. 2014, *Generative Adversarial Nets* (arXiv:1406.2661): equation 1, Theorem 1, section
# 3. Odena 2016 (arXiv:1606.01583): N+1 classes. Salimans et al. 2016 (arXiv:1606.03498): section 5. Arjovsky & Bottou
# 2017 (arXiv:1701.04862): what the two generator losses descend, and why the JSD levels off for images.
#
# Ten questions to close, and how far you are:

# %%
widgets.quiz("theory")

# %%
exercises.progress()

# %% [markdown]
# **Next**: [02 · Build a GAN, see it fail, ask what it is worth](02_gan_baseline.ipynb)

# %% tags=["headline", "nbval-ignore-output"]
mean = percent.mean()
print(f"headline: moons, {n_labels} labels: {mean['supervised']:.1f} % error alone, {mean['sgan']:.1f} % with the GAN")
