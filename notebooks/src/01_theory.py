# %% [markdown]
# # 01 · Theory: the game, the extra class, and why K logits are enough
#
# *Open in Colab: this copy has no address yet; set it with `make badges REPOSITORY=owner/name`.*
#
# **How can a network that tells real points from generated ones learn to classify, and why does the code give it K
# outputs and not K + 1?** Because K numbers answer two questions at once. Their differences say *which class*; their
# size says *real or generated*. The first question needs labels. The second needs none, so every unlabelled point can
# teach something. This notebook derives both halves of that answer and checks each step with a cell.
#
# **After this notebook you can**
# - *derive* the optimal discriminator p / (p + q), and *say* what the game measures once the discriminator is
#   optimal;
# - *choose* between the two generator losses by their gradients, and *compute* log-sum-exp without overflow;
# - *write* the semi-supervised GAN's discriminator loss in eight lines, and *explain* why it has K logits.
#
# **Before you start**: logarithms, derivatives, cross-entropy, and what a PyTorch training loop looks like. You need
# not have trained a GAN. **Time**: about 1 minute of computing on two CPU cores, 50 minutes of reading and exercises.
#
# **Stored and live**: every figure and number is computed by the cell above it, at preset `quick`; for one pair of
# numbers in part 7, the text says which parameters give it. The last part trains small networks on 2-D points and
# takes nearly all of the minute; the rest takes seconds.

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
import math

import ipywidgets
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal

from sgan_lib import data, evaluation, experiments, losses, runtime
from sgan_lib.course import exercises, plotting

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of the runs on 2-D points: quick, standard or paper
seed = 0  # of all training: initial weights, batches, noise
split_seed = 2  # which of the 2-D points are labelled, in the pictures
n_labels = 6  # how many of them are labelled, half of them in each class
n_splits = 4  # splits in the table of part 7: 0, 1, …

# %% [markdown]
# ## The answer as a picture
#
# Two half moons, 1,000 points, and only six of them with a label. The same network is trained twice: on the six
# labels alone, and as the discriminator of a semi-supervised GAN (SGAN) that sees the other points too, without
# labels. You need not understand this figure yet. Part 7 comes back to it, with other choices of the six.

# %% tags=["nbval-ignore-output"]
runtime.check_whole_number("n_splits", n_splits, at_least=1)


def run(method, split):
    """One run on the moons."""
    return experiments.run(method, "moons", n_labels, seed, preset, split_seed=split, device="cpu")


shown = {method: run(method, split_seed) for method in ("supervised", "sgan")}
points = data.load("moons", n_labels, split_seed)


# %%
def probability_of_class_1(result):
    """The function from points [n, 2] to p(class 1 | x, real), [n]."""
    return lambda x: evaluation.class_logits(result.modules["discriminator"], x).softmax(dim=1)[:, 1]


panels = {
    f"{plotting.METHOD_STYLES[name][0]}: {100 * result.test_error:.1f} % error": probability_of_class_1(result)
    for name, result in shown.items()
}
plotting.decision_regions(
    panels, points.unlabelled, points.labelled, "Unlabelled points bend the boundary around the moons"
)

# %% [markdown]
# **Figure.** The two moons as small grey points, the six labelled ones drawn large (circles and squares: the
# classes), the plane coloured by the predicted class (orange for the circles of the upper moon, violet for the
# squares of the lower), and a black line where the two classes tie. Left, supervised: the line climbs from the left
# edge, then runs level between the six; it cuts off both inner ends and the right end of the lower moon. Right, SGAN:
# the line winds through the gap between the moons and leaves at the top right; a second line cuts a pocket without
# points out of the right edge.
#
# In the stored run the supervised network errs on 12.7 % of 1,000 test points and the SGAN on one of them (0.1 %).
# This split was chosen because it makes a clear picture. Part 7 shows three others, on which the SGAN errs on
# 1.1 to 18.9 %.

# %% [markdown]
# ## 1 · The game, and the best discriminator
#
# Real data come from a density $p(x)$, generated ones from $q(x)$. The discriminator $D(x) \in (0, 1)$ is the
# probability that it gives to "x is real". It wants $D$ near 1 on real points and near 0 on generated ones; the
# generator, which makes $q$, wants the opposite (Goodfellow 2014, equation 1):
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{x \sim q}[\log(1 - D(x))]$$
#
# Freeze the generator. What is the best $D$? The value is an integral over x, and $D(x)$ may be chosen at each x
# alone:
#
# 1. $V = \int \big( p(x) \log D(x) + q(x) \log(1 - D(x)) \big) \, dx$, so look at $a \log y + b \log(1 - y)$ with
#    $a = p(x)$, $b = q(x)$, $y = D(x)$.
# 2. Its derivative is $a/y - b/(1 - y)$. It is zero where $a (1 - y) = b y$.
# 3. So $y = a / (a + b)$. The second derivative, $-a/y^2 - b/(1-y)^2$, is negative: a maximum, and the only one.
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}$$
#
# The cell takes random $a$ and $b$, and looks for the best $y$ on a fine grid.

# %% tags=["nbval-check-output"]
randomness = torch.Generator().manual_seed(0)
a, b = torch.rand(2, 1000, 1, generator=randomness, dtype=torch.float64)
y = torch.linspace(0, 1, 2001, dtype=torch.float64)[1:-1]
best = y[(a * y.log() + b * (1 - y).log()).argmax(dim=1)]
distance = (best - (a / (a + b))[:, 0]).abs().max()
assert distance < 1 / 2000  # one step of the grid
print("the best y is a / (a + b) to within one step of the grid, for 1,000 random pairs")

# %% [markdown]
# ### Does training find it?
#
# The derivation let $D$ be any function, and used the densities. A network is a restricted function, and sees samples
# only. Take densities that we know: $p$ has two bumps, at −1.5 and 1.5; $q$ is one wide bump around 0.
#
# **Predict.** Where will the trained $D$ be highest: at 0, at ±1.5, or far outside at ±5? And where is it ½?

# %%
p = MixtureSameFamily(Categorical(torch.tensor([0.5, 0.5])), Normal(torch.tensor([-1.5, 1.5]), 0.5))
q = Normal(0.0, 1.5)

with runtime.seeded(seed):
    network = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for step in range(1500):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / 1500)
        real, fake = p.sample((512, 1)), q.sample((512, 1))
        loss = losses.discriminator(network(real)[:, 0], network(fake)[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %% tags=["nbval-ignore-output"]
x = torch.linspace(-5, 5, 1001)
density_p, density_q = p.log_prob(x).exp(), q.log_prob(x).exp()
best_D = density_p / (density_p + density_q)
learned_D = network(x[:, None])[:, 0].sigmoid().detach()
gap = torch.trapezoid((learned_D - best_D).abs() * (density_p + density_q) / 2, x)
print(f"mean distance between the trained D and p / (p + q): {gap:.3f}")

figure, axes = plotting.new_figure(7, 3.4)
drawn = (("p", density_p, "blue", ":"), ("q", density_q, "vermilion", ":"),
         ("p / (p + q)", best_D, "black", "-"), ("trained D", learned_D, "green", "--"))  # fmt: skip
for name, values, colour, style in drawn:
    axes[0, 0].plot(x, values, linestyle=style, color=plotting.COLOURS[colour], label=name)
axes[0, 0].set(xlabel="x", ylabel="density, or probability of “real”", xlim=(-5, 5),
               title="A trained discriminator finds p / (p + q)")  # fmt: skip
axes[0, 0].legend(frameon=False, loc="center left", bbox_to_anchor=(1.02, 0.5))
figure

# %% [markdown]
# **Figure.** The densities dotted: p with bumps at −1.5 and 1.5, q wide around 0. The black curve p / (p + q) has two
# peaks near the bumps, a deep valley at 0, and falls to 0 outside. The dashed curve of the trained discriminator lies
# on it between −3 and 3, and a little above it outside.
#
# In the stored run, with seed 0, the two are 0.004 apart on average, where real and generated points count alike. The
# curve peaks where p is largest *compared with q*, crosses ½ where the two densities are equal, and is low both at 0
# and outside, where q has mass and p has hardly any. From |x| = 3 on the trained $D$ is a little too high: few points
# lie there, so the error costs little. Far outside neither has samples, and there the network's answer is an
# extrapolation that nothing checks.
#
# In logits the result is shorter. $D^* = \sigma(\ell)$ with $\ell = \log D^* - \log(1 - D^*)$, so
#
# $$\ell^*(x) = \log p(x) - \log q(x)$$
#
# **The best discriminator's logit is the log-ratio of two densities.** Keep this line in mind; part 4 needs it.

# %% tags=["nbval-check-output"]
assert torch.allclose(torch.sigmoid(p.log_prob(x) - q.log_prob(x)), best_D, atol=1e-6)
print("sigmoid(log p − log q) equals p / (p + q) at all", len(x), "points")

# %% [markdown]
# ## 2 · What the game measures: the Jensen–Shannon divergence
#
# Put $D^*$ into the value. Let $m = (p + q)/2$ be the mixture. Then $D^* = p / (2m)$ and $1 - D^* = q / (2m)$:
#
# 1. $V(D^*) = \int p \log \frac{p}{2m} \, dx + \int q \log \frac{q}{2m} \, dx$
# 2. $\phantom{V(D^*)} = \int p \log \frac{p}{m} \, dx + \int q \log \frac{q}{m} \, dx - 2 \log 2$, since each density
#    integrates to 1.
# 3. $\phantom{V(D^*)} = \mathrm{KL}(p \,\|\, m) + \mathrm{KL}(q \,\|\, m) - 2 \log 2$, with the Kullback–Leibler divergence
#    $\mathrm{KL}(a \,\|\, b) = \int a \log \frac{a}{b} \, dx$
#
# Half of the two KL terms is by definition the Jensen–Shannon divergence, so
#
# $$V(D^*) = 2 \, \mathrm{JSD}(p, q) - 2 \log 2 \qquad\text{(Goodfellow 2014, Theorem 1)}$$
#
# The JSD is 0 for equal densities and $\log 2$ for densities that do not overlap (in nats, the unit of natural
# logarithms). The cell computes both sides by numerical integration, in log space so that tiny densities do no harm.

# %% tags=["nbval-check-output"]
grid = torch.linspace(-15, 15, 6001, dtype=torch.float64)


def kl(log_a, log_b):
    return torch.trapezoid(log_a.exp() * (log_a - log_b), grid)


def jsd(log_p, log_q):
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return (kl(log_p, log_m) + kl(log_q, log_m)) / 2


def value_at_best_D(log_p, log_q):
    logit = log_p - log_q
    on_real, on_fake = log_p.exp() * F.logsigmoid(logit), log_q.exp() * F.logsigmoid(-logit)
    return torch.trapezoid(on_real + on_fake, grid)


log_p, log_q = p.log_prob(grid), q.log_prob(grid)
assert torch.allclose(value_at_best_D(log_p, log_q), 2 * jsd(log_p, log_q) - 2 * math.log(2), atol=1e-9)
print(f"JSD = {jsd(log_p, log_q):.4f} nats, value of the game = {value_at_best_D(log_p, log_q):.4f}")

# %% [markdown]
# The discriminator *minimises* $-V$, so no discriminator's loss can be below $2 \log 2 - 2\,\mathrm{JSD}$. This is a
# number to watch in training: a loss of $2 \log 2 \approx 1.386$ says that the discriminator sees no difference, a
# loss near 0 says that it sees nothing but difference. Here is the trained network's loss beside its floor.

# %% tags=["nbval-ignore-output"]
logit = network(grid.float()[:, None])[:, 0].detach().double()
trained = torch.trapezoid(log_p.exp() * F.softplus(-logit) + log_q.exp() * F.softplus(logit), grid)
floor = 2 * math.log(2) - 2 * jsd(log_p, log_q)
assert trained >= floor
print(f"loss of the trained D {trained:.4f}, floor 2 log 2 − 2 JSD = {floor:.4f}, difference {trained - floor:.4f}")

# %% [markdown]
# ### Pull the densities apart
#
# Now p and q are two normal densities of width 1, a distance apart. **Predict.** The distance grows from 0 to 6. What
# does the JSD do: grow in proportion, grow faster and faster, or level off?

# %% tags=["nbval-check-output"]
separations = torch.linspace(0, 6, 61)


def pair(separation):
    """log p and log q on the grid: two normals of width 1, centred at ± separation / 2."""
    return Normal(-separation / 2, 1.0).log_prob(grid), Normal(separation / 2, 1.0).log_prob(grid)


divergences = torch.stack([jsd(*pair(s)) for s in separations.double()])
rise = divergences.diff()
print(f"steepest between {separations[rise.argmax()]:.1f} and {separations[rise.argmax() + 1]:.1f}")
at_2, at_4, at_6 = divergences[[20, 40, 60]].tolist()
print(f"JSD at 2, 4 and 6: {at_2:.3f}, {at_4:.3f}, {at_6:.3f}; log 2 = {math.log(2):.3f}")


# %%
def draw_pair(separation):
    """Left: p, q and the best D at this separation. Right: where its JSD lies on the curve."""
    log_p, log_q = pair(torch.tensor(separation, dtype=torch.float64))
    figure, axes = plotting.new_figure(8, 3.2, 1, 2)
    left, right = axes[0]
    for name, values, colour in (("p", log_p.exp(), "blue"), ("q", log_q.exp(), "vermilion"),
                                 ("best D", torch.sigmoid(log_p - log_q), "black")):  # fmt: skip
        left.plot(grid, values, color=plotting.COLOURS[colour], label=name)
    left.set(xlim=(-6, 6), ylim=(0, 1.02), xlabel="x", title=f"Best D at separation {separation:g}")
    left.legend(frameon=False, loc="upper right")
    right.plot(separations, divergences, color=plotting.COLOURS["grey"])
    right.axhline(math.log(2), linestyle=":", color="black")
    right.plot(separation, jsd(log_p, log_q), "o", color=plotting.COLOURS["green"], markersize=9)
    right.set(xlabel="separation of p and q", ylabel="JSD, nats", title="The JSD levels off at log 2")
    return figure


draw_pair(2.0)

# %% [markdown]
# **Figure.** Left, at separation 2: two bell curves that overlap in the middle, and the best D, which falls from 1 to
# 0 and crosses ½ half-way. Right: the JSD against the separation. It rises from 0, is steepest between 1.6 and 1.7,
# and flattens towards the dotted line at log 2 ≈ 0.693; the dot marks separation 2.
#
# With a running kernel, move the slider. Nothing is trained, so both panels follow at once.

# %% tags=["nbval-ignore-output"]
slider = ipywidgets.FloatSlider(value=2.0, min=0.0, max=6.0, step=0.25, description="separation")
redraw = ipywidgets.interact(draw_pair, separation=slider)

# %% [markdown]
# At separation 6 the best D is nearly a step, and the JSD is nearly flat. A generator that follows the JSD downhill
# has hardly a hill there, just where it has furthest to go (part 3 prints the slopes). This is no defect of training.
# It is a property of the value of the game, and the next part shows what one line of code changes.

# %% [markdown]
# ## 3 · Two losses for the generator
#
# The game asks the generator to minimise $\mathbb{E}_q[\log(1 - D)]$: the *minimax* loss. In practice one minimises
# $-\mathbb{E}_q[\log D]$ instead: the *non-saturating* loss (Goodfellow 2014, section 3). With $D = \sigma(\ell)$:
#
# | loss | in logits | slope in the logit |
# | --- | --- | --- |
# | minimax, $\log(1 - D)$ | $-\mathrm{softplus}(\ell)$ | $-\sigma(\ell) = -D$ |
# | non-saturating, $-\log D$ | $\mathrm{softplus}(-\ell)$ | $-(1 - \sigma(\ell)) = -(1 - D)$ |
#
# Both slopes are negative: both losses push the logit of a generated point up. **Predict.** Early in training the
# discriminator is sure, and the logit of a generated point is −8. By what factor do the two slopes differ?

# %% tags=["nbval-check-output"]
logits = torch.linspace(-10, 10, 201, requires_grad=True)
slopes = {}
for kind in ("minimax", "nonsaturating"):
    total = losses.generator(logits, kind) * len(logits)  # the library's loss is a mean; undo it to get slopes a point
    slopes[kind] = torch.autograd.grad(total, logits)[0]

assert torch.allclose(slopes["minimax"], -torch.sigmoid(logits))
assert torch.allclose(slopes["nonsaturating"], -torch.sigmoid(-logits))
for kind, slope in slopes.items():
    print(f"{kind:>13}: slope {slope[20].item():.5f} at logit {logits[20].item():.0f}")

# %% tags=["nbval-ignore-output"]
lines = {kind: (logits.detach().numpy(), slope.numpy()) for kind, slope in slopes.items()}
plotting.curves(lines, "Minimax says nothing where help is needed most",
                x="logit of a generated point (left: surely fake)", y="slope of the generator's loss")  # fmt: skip

# %% [markdown]
# **Figure.** Two S-shaped curves, mirror images about logit 0, where both are −½. The minimax slope is 0 on the left
# and −1 on the right; the non-saturating slope is −1 on the left and 0 on the right.
#
# At logit −8 the slopes are −0.00034 and −0.99966: a factor of 2,981, which is $e^8$. The minimax loss weights each
# generated point by $D$, so points that already pass for real get nearly all the attention. The non-saturating loss
# weights it by $1 - D$, so the worst points do. Both want the same: logits up.
#
# ### What the two losses descend
#
# Take the pair of normals from part 2 again, and let the generator move q while the best D is frozen, as in one step
# of training. The minimax loss then has the slope of 2 JSD. The non-saturating loss has another one: that of
# $\mathrm{KL}(q \,\|\, p) - 2\,\mathrm{JSD}$ (Arjovsky & Bottou 2017, Theorem 2.5). The minus sign looks alarming,
# but the two terms together are $2\,\mathrm{KL}(m \,\|\, p)$, with $m = (p + q)/2$ as before: never negative, and
# zero only at q = p. To see it, write $2\,\mathrm{KL}(m \,\|\, p)$ as $\int p \log \frac{m}{p} \, dx + \int q \log
# \frac{m}{p} \, dx$: the first is $-\mathrm{KL}(p \,\|\, m)$, the second $\mathrm{KL}(q \,\|\, p) - \mathrm{KL}(q
# \,\|\, m)$, and the two with $m$ make $-2\,\mathrm{JSD}$. The cell computes all four slopes by automatic
# differentiation.

# %% tags=["nbval-check-output"]
rows = []
for separation in (1.0, 3.0, 6.0):
    centre = torch.tensor(separation, dtype=torch.float64, requires_grad=True)  # of q; p stands at 0
    real, frozen, moving = Normal(0.0, 1.0), Normal(centre.detach(), 1.0), Normal(centre, 1.0)
    generated = centre + grid  # x = G(z) = centre + z, with z on the grid
    logit = real.log_prob(generated) - frozen.log_prob(generated)  # of the best D, which does not move
    density_z = real.log_prob(grid).exp()  # z is standard normal, as p is here
    log_p, log_q = real.log_prob(grid), moving.log_prob(grid)
    quantities = {
        "minimax": torch.trapezoid(density_z * F.logsigmoid(-logit), grid),
        "2 JSD": 2 * jsd(log_p, log_q),
        "non-saturating": torch.trapezoid(density_z * F.softplus(-logit), grid),
        "2 KL(m, p)": 2 * kl(torch.logaddexp(log_p, log_q) - math.log(2), log_p),
    }
    assert torch.isclose(quantities["2 KL(m, p)"], kl(log_q, log_p) - quantities["2 JSD"], atol=1e-6)
    slope = {name: torch.autograd.grad(value, centre, retain_graph=True)[0].item()
             for name, value in quantities.items()}  # fmt: skip
    assert math.isclose(slope["minimax"], slope["2 JSD"], abs_tol=1e-6)
    assert math.isclose(slope["non-saturating"], slope["2 KL(m, p)"], abs_tol=1e-6)
    rows.append({"separation": separation} | slope)
print(pd.DataFrame(rows).set_index("separation").round(4).to_string())

# %% [markdown]
# Column one equals column two, column three equals column four. From separation 3 to 6 the minimax slope falls from
# 0.30 to 0.01, while the non-saturating one grows from 2.7 to 6.0: the further away q is, the harder it is pulled.
# The minimum of both is at q = p, but on the way the two generators take different steps.

# %% [markdown]
# ## 4 · A classifier with one class more
#
# Now there are K real classes. Odena (2016) and Salimans (2016) give the discriminator one class more, "fake", and
# one softmax over all K + 1. (Odena writes N for the number of classes; hence *SGAN (N+1 classes)* in the figures. N
# + 1 and K + 1 are the same.)
#
# $$p(k \mid x) = \frac{e^{l_k}}{\sum_{j=1}^{K+1} e^{l_j}}, \qquad p(\text{real} \mid x) = 1 - p(K + 1 \mid x)$$
#
# **Predict.** Code for this often has K outputs, not K + 1. Which probabilities can K + 1 free logits express that K
# cannot?
#
# None, and the proof takes three lines:
#
# 1. Add any number c to all K + 1 logits: numerator and denominator both get a factor $e^c$, and every $p(k \mid x)$
#    stays.
# 2. Choose $c = -l_{K+1}$. The fake logit becomes 0, the others $l_k - l_{K+1}$. Nothing has changed.
# 3. So with $Z = \sum_{k=1}^{K} e^{l_k}$ over the K logits that are left:
#    $p(\text{real} \mid x) = \dfrac{Z}{Z + 1} = \sigma(\log Z)$, since $\sigma(t) = \dfrac{e^t}{e^t + 1}$.
#
# In the library, `append_fake_logit` puts the 0 back, and `real_logit` is $\log Z$, the log-sum-exp of the K logits.

# %% tags=["nbval-check-output"]
K = 10
full = 5 * torch.randn(1000, K + 1, generator=randomness, dtype=torch.float64)
K_logits = full[:, :K] - full[:, K:]
probabilities = full.softmax(dim=1)
assert torch.allclose(probabilities, losses.append_fake_logit(K_logits).softmax(dim=1))
assert torch.allclose(1 - probabilities[:, K], torch.sigmoid(losses.real_logit(K_logits)))
print(f"{K + 1} logits and {K} logits: the same {probabilities.numel():,} probabilities")

# %% [markdown]
# The losses agree too. The method has three: a labelled point is of class y *given that it is real*, an unlabelled
# point is real, a generated point is fake. Here each is computed with the explicit softmax and with K logits.

# %% tags=["nbval-check-output"]
labels = torch.randint(K, (1000,), generator=randomness)
explicit = full.log_softmax(dim=1)
log_Z = losses.real_logit(K_logits)
pairs = {
    "class y, given real": (-(explicit[range(1000), labels] - explicit[:, :K].logsumexp(1)).mean(),
                            losses.supervised(K_logits, labels)),
    "real": (-explicit[:, :K].logsumexp(dim=1).mean(), F.softplus(-log_Z).mean()),
    "fake": (-explicit[:, K].mean(), F.softplus(log_Z).mean()),
}  # fmt: skip
for name, (with_softmax, with_K_logits) in pairs.items():
    assert torch.allclose(with_softmax, with_K_logits)
    print(f"{name:>19}: {with_softmax:.4f} = {with_K_logits:.4f}")

# %% [markdown]
# Note the words *given real* in the first row. Salimans (section 5) and our `losses.supervised` use
# $p(y \mid x, \text{real})$, a softmax over the K logits alone. The cross-entropy over all K + 1 classes is that plus
# a term that says "and it is real":
# $-\log p(y \mid x) = -\log p(y \mid x, \text{real}) - \log p(\text{real} \mid x)$.

# %% tags=["nbval-check-output"]
over_all = F.cross_entropy(losses.append_fake_logit(K_logits), labels)
assert torch.allclose(over_all, losses.supervised(K_logits, labels) + F.softplus(-log_Z).mean())
print("K+1-class cross-entropy = K-class cross-entropy + softplus(−log Z)")

# %% [markdown]
# This answers a question that users of the reference code ask in its public tracker (openai/improved-gan, issues 14
# and 25): *the paper has K + 1 classes; where is the last one?* It is the constant 0. With K + 1 free outputs the
# model is the same, with one direction in which the logits can drift without changing anything. The gradient steps
# taken on the way need not be the same, so two trained networks can differ; what they are able to express does not.

# %% [markdown]
# ### What the K logits mean
#
# Part 1 said what a perfect discriminator's logit is: $\log p(x) - \log q(x)$. With K classes,
# $p = \sum_k \pi_k p_k$, where $\pi_k$ is the share of class k. Set each class's logit to its own log-ratio,
# $l_k = \log(\pi_k p_k) - \log q$. Then
#
# - their log-sum-exp is $\log \sum_k \pi_k p_k - \log q = \log p - \log q$: the perfect discriminator;
# - their softmax is $\pi_k p_k / p$, the probability of class k given x: the perfect classifier.
#
# One set of numbers does both jobs perfectly at once. The cell checks it on p from part 1, whose two bumps are now
# two classes.

# %% tags=["nbval-check-output"]
bumps = p.component_distribution.log_prob(x[:, None])  # log p_k(x), [points, 2 classes]
perfect = math.log(0.5) + bumps - q.log_prob(x)[:, None]
by_bayes = (0.5 * bumps.exp()) / density_p[:, None]
assert torch.allclose(losses.real_logit(perfect), p.log_prob(x) - q.log_prob(x), atol=1e-4)
assert torch.allclose(perfect.softmax(dim=1), by_bayes, atol=1e-5)
print("log-sum-exp of the logits: the best discriminator; softmax of the same logits: the best classifier")

# %% [markdown]
# That both tasks fit into the same logits does not prove that one *helps* the other when labels are few. That is a
# question for measurements, and part 7 makes some.

# %% [markdown]
# ## 5 · Log-sum-exp without overflow
#
# $\log Z = \log \sum_k e^{l_k}$ is one line of code as it stands. **Predict** what it gives in float32 for two equal
# logits of 100, and for two of −10,000. The right answers are 100.69 and −9,999.31.


# %% tags=["nbval-ignore-output"]
def naive(class_logits):
    return class_logits.exp().sum(dim=1).log()


rows = []
for size in (1.0, 100.0, -100.0, 1e4, -1e4):
    both = torch.full((1, 2), size, requires_grad=True)
    value = naive(both)
    slope = torch.autograd.grad(value.sum(), both)[0]
    rows.append({"two logits of": size, "naive": value.item(), "its slope": slope[0, 0].item(),
                 "real_logit": losses.real_logit(both).item(), "exact": size + math.log(2)})  # fmt: skip
pd.DataFrame(rows).set_index("two logits of").round(3)

# %% [markdown]
# The largest float32 is about $3.4 \cdot 10^{38} = e^{88.7}$. Above that `exp` gives infinity, and the slope,
# infinity over infinity, is NaN: one such value, and after the next step every weight that it reaches is NaN. Far
# below, `exp` gives 0, the logarithm of 0 is minus infinity, and the slope is NaN again. At −100 the value survives
# as one of the tiny numbers that float32 stores with few bits: it is off by 0.02, and the slope, which should be ½,
# is infinite. Logits of this size can occur: nothing in the losses above keeps a discriminator that is sure from
# becoming surer.
#
# The remedy uses the same idea as part 4: subtract a number, here the largest logit $m$, and add it back.
#
# 1. $\log \sum_k e^{l_k} = \log \big( e^m \sum_k e^{l_k - m} \big)$
# 2. $\phantom{\log \sum_k e^{l_k}} = m + \log \sum_k e^{l_k - m}$
# 3. All exponents are now at most 0, so nothing overflows. One of them is 0, so the sum lies between 1 and K, and its
#    logarithm is harmless.


# %% tags=["nbval-check-output"]
def stable(class_logits):
    m = class_logits.max(dim=1, keepdim=True).values
    return m[:, 0] + (class_logits - m).exp().sum(dim=1).log()


for size in (1.0, 100.0, 1e4):
    drawn = size * torch.randn(1000, K, generator=randomness)
    assert torch.allclose(stable(drawn), losses.real_logit(drawn))
moderate = torch.randn(1000, K, generator=randomness)
assert torch.allclose(naive(moderate), losses.real_logit(moderate))
print("stable = losses.real_logit for logits of size 1, 100 and 10,000; naive agrees where it is finite")

# %% [markdown]
# The other half of the trick sits in `softplus`: $-\log \sigma(t) = \mathrm{softplus}(-t)$ is exact for any t, while
# `-torch.log(torch.sigmoid(t))` is infinite already at t = −89. This is why the losses of this course take logits,
# never probabilities.

# %% [markdown]
# ## 6 · The discriminator's loss, in eight lines
#
# Put the parts together. On a labelled point: which class? On an unlabelled and on a generated point: real or fake?
#
# $$L = \underbrace{-\,\mathbb{E}\log p(y \mid x, \text{real})}_{\text{labelled}}
# \; + \; w \, \Big( \underbrace{-\,\mathbb{E}\log p(\text{real} \mid x)}_{\text{unlabelled}}
# \; \underbrace{-\,\mathbb{E}\log\big(1 - p(\text{real} \mid x)\big)}_{\text{generated}} \Big)$$
#
# The weight $w$ is ½ here, as in Salimans' code for MNIST.


# %% tags=["nbval-check-output"]
def sgan_loss(labelled, labels, unlabelled, generated, w=0.5):
    """Logits [n, K] of three batches, and the labels [n] of the first."""
    log_p_class = labelled.log_softmax(dim=1)
    which_class = -log_p_class[torch.arange(len(labels)), labels].mean()
    log_Z_unlabelled, log_Z_generated = unlabelled.logsumexp(dim=1), generated.logsumexp(dim=1)
    called_real = -F.logsigmoid(log_Z_unlabelled).mean()
    called_fake = -F.logsigmoid(-log_Z_generated).mean()
    return which_class + w * (called_real + called_fake)


labelled, unlabelled, generated = 3 * torch.randn(3, 64, K, generator=randomness)
labels = torch.randint(K, (64,), generator=randomness)
by_library = losses.supervised(labelled, labels) + 0.5 * losses.discriminator(
    losses.real_logit(unlabelled), losses.real_logit(generated)
)
assert torch.allclose(sgan_loss(labelled, labels, unlabelled, generated), by_library)
print("the eight lines agree with sgan_lib.losses")

# %% [markdown]
# That is the whole method. The library has it as `methods.sgan`: first come the discriminator's two terms, the labelled
# one and the bracket with its weight, and then the generator's, the non-saturating loss of part 3 with $\log Z$ as its
# logit. From here on the notebook uses the library.

# %% [markdown]
# ## 7 · A playground in two dimensions
#
# Back to the moons. The run below adds a third method, *feature matching* (Salimans 2016, section 3.1): the same
# discriminator loss, and a generator that only has to match the mean of the discriminator's hidden features. Notebook
# 04 is about it.
#
# The K logits give each network two maps of the plane. **Predict.** The middle panel shows
# $p(\text{real} \mid x) = \sigma(\log Z)$ of the SGAN of the first picture. Will it be high on the moons only, or on
# the whole region around them?

# %% tags=["nbval-ignore-output"]
shown["feature_matching"] = run("feature_matching", split_seed)


def probability_of_real(result):
    """The function from points [n, 2] to p(real | x), [n]."""
    return lambda x: losses.real_logit(evaluation.class_logits(result.modules["discriminator"], x)).sigmoid()


with torch.no_grad():
    fakes = {name: shown[name].modules["generator"].sample(200, torch.Generator().manual_seed(seed))
             for name in ("sgan", "feature_matching")}  # fmt: skip
panels = {
    "SGAN: which class?": probability_of_class_1(shown["sgan"]),
    "SGAN: real? (violet: yes)": probability_of_real(shown["sgan"]),
    "feature matching: which class?": probability_of_class_1(shown["feature_matching"]),
}
crosses = dict(zip(panels, (fakes["sgan"], fakes["sgan"], fakes["feature_matching"]), strict=True))
plotting.decision_regions(panels, points.unlabelled, points.labelled, "One set of logits, two maps", generated=crosses)

# %% [markdown]
# **Figure.** Three squares with the moons, the labelled points and, as green crosses, 200 generated points. Left: the
# SGAN's classes, with a line through the gap. Middle: its p(real | x), violet where above ½. It is high at the left
# end of the upper moon and at the right end of the lower one, where few crosses lie, and from there on to the edges of
# the picture; just above or below ½ along the rest of the moons; low in the gap and on the other outer sides.
# Right: the classes of feature matching, with a similar line and with crosses scattered more widely.
#
# The middle map is part 1 in two dimensions. The logit follows log p − log q: high where real points outnumber
# generated ones, near 0 (probability ½) where both are alike, and negative in the gap, where there are hardly any
# real points. In corners without points of either kind the map is extrapolation.
#
# A class boundary is a line where two logits are equal. Along a moon the discriminator has to keep log Z up, and one
# class's logit already does that there; in the gap generated points push all logits down. It is plausible that the
# place where one class hands over to the other is cheapest in the gap. That is an explanation, not a proof.

# %% [markdown]
# ### How much of this is luck?
#
# A split seed draws one set of six points. **Predict.** Draw other sets, and keep everything else, initial weights
# included. Will the errors of one method be within 1 percentage point of each other, within 5, or further apart?

# %% tags=["nbval-ignore-output"]
table = []
for split in range(n_splits):
    for method in ("supervised", "sgan", "feature_matching"):
        result = shown[method] if split == split_seed else run(method, split)
        table.append({"split": split, "method": method, "test_error": result.test_error})
table = pd.DataFrame(table)
(100 * table.pivot(index="split", columns="method", values="test_error")[list(shown)]).round(1)

# %% tags=["nbval-ignore-output"]
plotting.errors_by_method(table.rename(columns={"split": "seed"}), "With six labels, it matters a great deal which six")

# %% [markdown]
# **Figure.** Test error of three methods, one small marker per split, grey lines between runs on the same split,
# large markers for means. Within each method the splits lie far apart; every grey line falls
# from the supervised network to the SGAN; two rise again towards feature matching, one of them steeply.
#
# In the stored run (training seed 0, splits 0 to 3) the mean error falls from 17.5 % to 6.4 % with the SGAN and to
# 11.2 % with feature matching. The SGAN beats the supervised network on all four splits. Feature matching beats it on
# three, and on split 3 errs about twice as often as the supervised network (20.6 % against 10.8 %). One method's own
# errors run from 0.1 % to 18.9 % (SGAN) and from 0.0 % to 22.6 % (feature matching): which six points have labels
# matters as much as the method. In split 1 half of each moon has no labelled point, and all three err on about a
# fifth of the points or more.
#
# Four splits with one training seed are few: paired by split, the SGAN gains 4.7, 17.5, 12.6 and 9.7 points, and the
# 95 % t-interval of their mean goes from 3 to 20. Nor is a gain certain: with `seed = 3` and `split_seed = 3` the
# supervised network errs on 12.8 % and the SGAN on 25.1 %. The networks, steps and batches are the same for all three
# methods; they were chosen for the GANs, and the supervised network was not tuned separately. A later notebook,
# `05_label_scarcity`, asks the question with more splits, more labels and real images.

# %% [markdown]
# ## Exercises
#
# ### Exercise 1 · Make the fake logit zero
#
# *Why*: every argument about "K or K + 1" rests on one freedom of the softmax. Given the logits of K + 1 classes,
# [batch, K+1] with the fake class last, return for each row the number which, added to all its logits, makes the fake
# logit 0.


# %% tags=["nbval-check-output"]
def number_to_add(full_logits):
    raise NotImplementedError  # one number a row, [batch]


exercises.check("theory.number_to_add", number_to_add)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def number_to_add(full_logits):
#     return -full_logits[:, -1]
#
#
# exercises.check("theory.number_to_add", number_to_add)
# ```
#
# Any number leaves the softmax as it is; this one brings the last logit to 0. It differs from row to row, and may:
# the softmax is taken row by row.
#
# </details>
#
# ### Exercise 2 · All K + 1 logarithms, without overflow
#
# *Why*: a loss that takes the logarithm of a softmax turns into NaN as soon as the discriminator is very sure. Return
# $\log p(k \mid x)$ for all K + 1 classes, "fake" last, from [batch, K] logits: finite for logits of ±10,000, with
# finite gradients, and without torch's own `logsumexp` and `log_softmax`.


# %% tags=["nbval-check-output"]
def log_probabilities(class_logits):
    raise NotImplementedError  # log p(k | x), [batch, K+1]


exercises.check("theory.log_probabilities", log_probabilities)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def log_probabilities(class_logits):
#     logits = losses.append_fake_logit(class_logits)
#     shifted = logits - logits.max(dim=1, keepdim=True).values
#     return shifted - shifted.exp().sum(dim=1, keepdim=True).log()
#
#
# exercises.check("theory.log_probabilities", log_probabilities)
# ```
#
# The 0 of the fake class takes part in the maximum: with all K logits at −10,000, it is the largest. `keepdim=True`
# keeps the shape [batch, 1], so that each row's own maximum is subtracted from it. One maximum for the whole batch
# would let rows with much smaller logits underflow.
#
# </details>
#
# ### Exercise 3 · The best discriminator for lopsided batches
#
# *Why*: part 1 assumed as many real as generated points. Suppose that all points enter one common mean, and a share
# `real_share` of them is real. Repeat the three steps of the derivation, and return the best $D(x)$ from the
# densities p and q (tensors of the same shape).


# %% tags=["nbval-check-output"]
def best_discriminator(density_p, density_q, real_share):
    raise NotImplementedError  # the best D(x), a tensor of the densities' shape


exercises.check("theory.best_discriminator", best_discriminator)

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
# With r the share of real points, a = r·p and b = (1 − r)·q, and the rest of the derivation stays. In logits it adds
# the constant log(r / (1 − r)): lopsided batches shift the discriminator's logit and nothing else. In
# `losses.discriminator` each side is a mean, so there the two sides always weigh the same.
#
# </details>
#
# ### Exercise 4 · Where does a K-logit discriminator start?
#
# *Why*: a new network's logits are near 0. Then $Z = K$, and $p(\text{real} \mid x) = K / (K + 1)$: 0.91 for ten
# classes, 0.99 for a hundred. The more classes, the surer the untrained network is that everything is real. Return
# the bias which, added to each of the K logits, makes it start at ½.
#
# Then *design an experiment*, on paper: does this bias make a trained SGAN better? Say what you would run, what you
# would compare, how often, and what result would make you drop the idea.


# %% tags=["nbval-check-output"]
def initial_bias(n_classes):
    raise NotImplementedError  # the bias of each of the K logits, a number


exercises.check("theory.initial_bias", initial_bias)

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
# Z = K·exp(b) has to be 1, so b = −log K. The same number for all K logits changes no class probability.
#
# An experiment: the same method, networks, steps and splits, with and without the bias; K = 2, 10 and 100 if there is
# data for it, since the effect should grow with K; five seeds or more, compared pair by pair on the same split; the
# test error at the end, and the discriminator's loss over the first hundred steps. One would drop the idea if the
# curves differ in those first steps only. That is likely: one number is wrong at the start, and gradient steps mend
# it fast. The library's data-dependent initialisation (`models.initialise_from_data`) sets the mean of each logit
# from data too, and would undo the bias if it came afterwards.
#
# </details>

# %% [markdown]
# ## Quiz
#
# **1.** A discriminator's loss, −V, stays at 1.386 from the first step to the last. A colleague says: "Perfect, the
# generator has won." What else could it be?
#
# <details><summary>Answer</summary>
#
# 1.386 is 2·log 2, the loss of a discriminator that answers ½ everywhere. That is what the best D does if p = q. It
# is also what a broken discriminator does, with zero gradients or no information in its input. Look at the samples,
# and train a fresh discriminator against the fixed generator.
#
# </details>
#
# **2.** Somebody adds a column of zeros to the K logits *and* takes `argmax` over all K + 1 columns to predict the
# class of a test image. What goes wrong?
#
# <details><summary>Answer</summary>
#
# Some real test images are predicted to be "fake", wherever all K logits are negative. Every such prediction counts
# as an error, though the largest of the K logits may well be right. A test image is known to be real, so predict with
# p(y | x, real): the arg max over the K logits.
#
# </details>
#
# **3.** You add 5 to all K logits of a trained network (the fake logit stays 0). What happens to its classification
# error, and to p(real | x)?
#
# <details><summary>Answer</summary>
#
# The classification error stays: the softmax over the K logits does not change. log Z grows by 5, so the odds of
# "real" grow by a factor of exp(5) ≈ 148. Differences of logits say which class; their common size says real or fake.
#
# </details>

# %% [markdown]
# ## Summary
#
# - The best discriminator is p / (p + q); its logit is log p − log q. A small network found it from samples, to
#   0.004.
# - The value of the game at the best discriminator is 2 JSD − 2 log 2. The JSD levels off at log 2 = 0.693: for
#   normals at distance 6 it is 0.689, and its slope all but gone.
# - At a logit of −8 the minimax loss has a slope 2,981 times smaller than the non-saturating one. The latter descends
#   another quantity, 2 KL(m ‖ p) with m the mixture of both, where the discriminator is at its best.
# - K + 1 softmax classes hold K free logits. With the fake logit at 0, the softmax of the K logits says which class,
#   and the sigmoid of their log-sum-exp says whether the point is real.
# - Naive log-sum-exp gives infinities at logits of 100; subtracting the largest logit repairs it.
# - On the moons with 6 labels (preset quick, training seed 0, splits 0 to 3) the mean error was 17.5 % supervised,
#   6.4 % with the SGAN, 11.2 % with feature matching; one method's splits lie up to 26 points apart.
#
# **Still open.** Nothing here proves that a GAN helps a classifier. Dai (2017, section 3) argues that a perfect
# generator is of no help, and that one whose points fill the gaps between the classes is; notebook 04 tests this. And
# every result about the best discriminator says nothing of how two networks that learn at the same time get there.
#
# **Where to read on**
# - Goodfellow 2014, *Generative adversarial nets* (arXiv:1406.2661): equation 1, Proposition 1, Theorem 1; section 3
#   on saturation.
# - Arjovsky & Bottou 2017, *Towards principled methods for training generative adversarial networks*
#   (arXiv:1701.04862): Theorem 2.5, and why the JSD levels off for images.
# - Odena 2016, *Semi-supervised learning with generative adversarial networks* (arXiv:1606.01583): N + 1 classes.
# - Salimans 2016, *Improved techniques for training GANs* (arXiv:1606.03498): section 5, from K + 1 logits to K;
#   section 3.1, feature matching.
# - Dai 2017, *Good semi-supervised learning that requires a bad GAN* (arXiv:1705.09783): section 3.
#
# **Next**: `02_gan_baseline` trains the plain game on MNIST, and the supervised baseline that every later notebook
# has to beat.

# %% tags=["headline", "nbval-ignore-output"]
mean = (100 * table.pivot(index="split", columns="method", values="test_error")).mean()
print(f"headline: moons, {n_labels} labels: {mean['supervised']:.1f} % error alone, {mean['sgan']:.1f} % with the GAN")
