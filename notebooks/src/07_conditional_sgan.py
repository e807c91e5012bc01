# %% [markdown]
# # 07 · Conditional SGAN: order a seven
#
# *Open in Colab: this copy has no address yet; set it with `make badges REPOSITORY=owner/name`.*
#
# **You have 100 labelled digits and 60,000 without labels. Can you order a seven from the generator, and is the
# classifier the better for it?** A tutorial on the SGAN ends with this question: its generator draws *some* digit, and
# its author wonders what a generator would do that learns the classes too. This notebook builds it. In part 5,
# @ACC100@ of the digits drawn are those that were asked for, with 100 labels; in part 6 you see what the classifier
# gains or loses.
#
# **After this notebook you can**
# - *build* a class-conditional generator out of any generator of this course, and *write* the losses of both players;
# - *measure* whether samples are what was asked for, with a judge that took no part in the game;
# - *recognise* a collapse within the classes, which that measure does not see.
#
# **Before you start**: notebooks 01 (K logits are enough) and 03 (the SGAN). **Time**: about @TIME@ of computing
# on two CPU cores, 40 minutes of reading and exercises.
#
# **Stored and live**: the comparison on `digits` is computed here, at preset `quick`. The MNIST digits are drawn here by
# a generator that was trained beforehand (preset `standard`, three minutes). The runs with 20 to 59,000 labels are
# stored, one line of `figures/conditional_sgan.csv` a run (to compute them anew, delete the file and run
# `make figures`).

# %% tags=["colab"]
# In Colab, this cell installs the course's library and keeps Colab's own torch. Elsewhere it does nothing.
import os
import subprocess
import sys

if "google.colab" in sys.modules:
    repository = os.environ.get("SGAN_REPOSITORY", "")
    if not repository:
        raise RuntimeError("this copy has no address yet; set it with `make badges REPOSITORY=owner/name`")
    pure_python = ["jaxtyping", "wadler-lindig", "torchmetrics", "lightning-utilities"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *pure_python, repository], check=True)

# %% tags=["imports"]
import pandas as pd
import torch
import torch.nn.functional as F

from sgan_lib import (
    data,
    evaluation,
    exercises,
    experiments,
    losses,
    methods,
    models,
    plotting,
    runtime,
)

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of the judge's run on `digits`
seed = 0  # first seed of the comparison: weights, batches, and which images are labelled
n_labels = 50  # labelled images of `digits`
n_seeds = 3  # runs a method: seeds `seed`, `seed` + 1, …
digits_steps = 1000  # training steps of each of them

# %% [markdown]
# ## 1 · A class goes in beside z
#
# A generator maps noise z to an image. To ask it for a class y, give it y as well. The textbook's way is to join a
# one-hot code of y to z, so that the first layer takes K numbers more (Mirza & Osindero 2014, section 3.2). This
# library adds a learnt vector to z instead, one vector $e_y$ a class:
#
# $$\tilde x = G(z + e_y)$$
#
# Nothing else in the network changes, so every generator of the course can do it. And for the first dense layer $W$
# the two ways are one: $W(z + e_y) = Wz + We_y$ is a shift of the layer's units that depends on the class, which is
# what the columns behind a one-hot code are. Exercise 1 makes that exact.

# %% tags=["nbval-check-output"]
with runtime.seeded(seed):
    generator = models.build("mlp_digits", (1, 8, 8), 10).generator
    plain = sum(weight.numel() for weight in generator.parameters())
    generator.take_classes(10)  # from now on it wants classes
latent, classes = generator.latent(4), torch.tensor([7, 7, 1, 0])
written_out = generator.layers(latent + generator.classes.weight[classes])
assert torch.equal(written_out, generator(latent, classes))
print(f"weights of the generator: {plain:,}, and {generator.classes.weight.numel()} more for ten classes")
print(f"deviation of z {generator.latent(1000).std():.2f}, of the class vectors {generator.classes.weight.std():.2f}")

# %% [markdown]
# The vectors start small, at a tenth of z's deviation. That is a decision, and part 4 shows what happens without it.
#
# ## 2 · What each player pays
#
# Only the generator has to be told the class. It then has two wishes: the discriminator shall call its image real, and
# of the class that was asked for. In the N+1 form of notebook 03 both can be read from the same K logits, and their
# sum is an old friend:
#
# $$\underbrace{-\log p_{K+1}(\text{real} \mid \tilde x)}_{\text{real}}
#   \; + \; \underbrace{-\log p(y \mid \tilde x, \text{real})}_{\text{class } y}
#   \; = \; -\log p_{K+1}(y \mid \tilde x)$$
#
# It is the cross-entropy of the class asked for, among the N+1 classes: the generator wants its seven taken for a
# seven, not for a one and not for a fake. Odena's conditional GAN, the ACGAN, has the same two terms on two heads
# (Odena 2017, equations 2 and 3: the generator maximises $L_C - L_S$). We give the second one a weight $w_G$; the
# default comes from trials on other splits.
#
# And the discriminator? The generated sevens are sevens by order, so they are labelled images that cost nothing, if
# the generator obeys. The ACGAN's discriminator learns from them (the second half of equation 3), with a weight $w_D$
# here:
#
# $$L_D = \underbrace{L_\text{SGAN}}_{\text{notebook 03}}
#   \; + \; w_D \; \mathbb{E}_{z, y} \big[ -\log p(y \mid G(z + e_y), \text{real}) \big]$$
#
# | in the equations | in the cell |
# | --- | --- |
# | $\tilde x = G(z + e_y)$, $y$ | `fake`, `asked` |
# | $-\log p_{K+1}(\text{real} \mid \tilde x)$ | `losses.generator(losses.real_logit(...))` |
# | $-\log p(y \mid \tilde x, \text{real})$ | `F.cross_entropy` over the K logits |
# | $w_G$, $w_D$ | `Weights.asked_class`, `Weights.fake_class` |


# %%
def discriminator_loss(modules, batch, fake, asked, weights):
    """SGAN's loss, and the classes of what the generator drew."""
    parts = [batch.images, batch.unlabelled, fake.detach()]
    logits = modules["discriminator"](torch.cat(parts)).class_logits
    labelled, unlabelled, generated = logits.split([len(part) for part in parts])
    real_or_fake = losses.discriminator(losses.real_logit(unlabelled), losses.real_logit(generated))
    which_class = losses.supervised(labelled, batch.labels)
    return which_class + weights.adversarial * real_or_fake + weights.fake_class * F.cross_entropy(generated, asked)


def generator_loss(modules, fake, asked, weights):
    """Taken for real, and for the class that was asked for."""
    logits = modules["discriminator"](fake).class_logits
    return losses.generator(losses.real_logit(logits)) + weights.asked_class * F.cross_entropy(logits, asked)


# %% [markdown]
# Do these lines say the same as the library? Same weights, same batch, same random numbers. And is the generator's
# loss at weight 1 the cross-entropy over N+1 classes?

# %% tags=["nbval-check-output"]
parts = data.load("digits", n_labels=50, split_seed=0)
batch = data.Batches(parts, batch_size=64, labelled_batch_size=50, seed=0).at(0)
method, weights = methods.METHODS["conditional_sgan"], methods.Weights()
with runtime.seeded(0):
    modules = method.modules(models.build("mlp_digits", parts.image_shape, parts.n_classes)).eval()  # without noise
seen = methods.Seen()
theirs = (
    method.discriminator_terms(modules, batch, weights, seen),
    method.generator_terms(modules, batch, weights, seen),
)
mine = (discriminator_loss(modules, batch, seen.fake, seen.asked, weights),
        generator_loss(modules, seen.fake, seen.asked, weights))  # fmt: skip
for name, terms, written_out in zip(("discriminator", "generator"), theirs, mine, strict=True):
    assert torch.isclose(written_out, sum(terms.values()), rtol=1e-5)
    print(f"{name}: the loss written out equals the library's {' + '.join(terms)}")

logits = modules["discriminator"](seen.fake).class_logits
at_weight_1 = generator_loss(modules, seen.fake, seen.asked, methods.Weights(asked_class=1.0))
assert torch.isclose(at_weight_1, F.cross_entropy(losses.append_fake_logit(logits), seen.asked))
print("at weight 1 the generator's loss is the cross-entropy of the class asked for over N+1 classes")

# %% [markdown]
# ### Exercise 1: the textbook's form
#
# **Why.** Published code joins a one-hot code to z; you will want to move weights from one form to the other. Given
# the first layer's weight $W$, [units, latent], and the class vectors, [K, latent], give the weight, [units, latent + K],
# of a layer that takes z with the one-hot code *behind* it and puts out the same.


# %% tags=["nbval-check-output"]
def joined_weight(weight, vectors):
    """[units, latent] and [K, latent] -> [units, latent + K]."""
    ...


exercises.check("conditional_sgan.joined_weight", joined_weight)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def joined_weight(weight, vectors):
#     return torch.cat([weight, weight @ vectors.T], dim=1)
#
#
# exercises.check("conditional_sgan.joined_weight", joined_weight)
# ```
#
# A one-hot code picks a column, and column y has to be the shift $We_y$. The other direction is not always possible:
# a joined weight may shift the units by any vector, $We_y$ is one that $W$ can reach.
# </details>
#
# ### Exercise 2: two terms from K logits
#
# **Why.** With a weight other than 1, the loss is no longer a single cross-entropy, and code that uses one all the
# same ignores the weight in silence. Write the generator's loss from the K logits of a discriminator.


# %% tags=["nbval-check-output"]
def weighted_loss(class_logits, asked, weight):
    """[batch, K] logits, [batch] classes -> mean of −log p(real) − weight · log p(asked | real)."""
    ...


exercises.check("conditional_sgan.generator_loss", weighted_loss)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def weighted_loss(class_logits, asked, weight):
#     real = losses.generator(losses.real_logit(class_logits))
#     return real + weight * F.cross_entropy(class_logits, asked)
#
#
# exercises.check("conditional_sgan.generator_loss", weighted_loss)
# ```
#
# `losses.generator` is the mean of −log sigmoid(log Z), and sigmoid(log Z) is p(real). `F.cross_entropy` over the K
# logits conditions on "real" by itself, because the fake class is not in its softmax.
# </details>
#
# ## 3 · Side by side on digits
#
# Three methods on scikit-learn's 8 × 8 `digits`, the same networks, steps, labelled images and seeds:
#
# - **SGAN**: the N+1 form of notebook 03; its generator cannot be asked for anything;
# - **asked only**: the generator takes a class ($w_G$ as in the library) and the discriminator learns nothing from the
#   order, $w_D = 0$;
# - **conditional SGAN**: both weights as in the library.
#
# Who says whether a sample is the seven that was ordered? Not the discriminator: the generator was trained to please
# it, so its verdict is the defendant's own. The **judge** is a network trained on all labels of the training set, in a
# run of its own; it shares no weight and no batch with any of the generators.
#
# **Predict.** What share of the samples will the judge find right? Will the test error fall, because the generator
# supplies labelled images, or rise?

# %% tags=["nbval-ignore-output"]
runtime.check_whole_number("n_seeds", n_seeds, at_least=2)
judging = experiments.run("supervised", "digits", n_labels=1200, seed=seed + 1000, preset=preset)
judge = judging.modules["discriminator"].cpu()
print(f"the judge's own error on {len(data.load('digits').test.labels)} test images: {100 * judging.test_error:.1f} %")

ARMS = {"sgan": {}, "asked only": {"fake_class_weight": 0.0}, "conditional_sgan": {}}
runs = {
    (name, one): experiments.run("sgan" if name == "sgan" else "conditional_sgan", "digits", n_labels, seed=one,
                                 steps=digits_steps, preset=preset, progress=True, **changes)
    for one in range(seed, seed + n_seeds)
    for name, changes in ARMS.items()
}  # fmt: skip

# %% tags=["nbval-ignore-output"]
ASKED = torch.arange(1000) % 10  # a hundred samples of each class


def drawn(generator, asked=ASKED):
    """Samples of a conditional generator, of latents that are always the same."""
    generator = generator.cpu()
    return evaluation.generate(generator, generator.latent(len(asked), torch.Generator().manual_seed(0)), asked)


rows = []
for (name, one), run in runs.items():
    row = {"method": name, "seed": one, "test error, %": 100 * run.test_error}
    if name != "sgan":
        images = drawn(run.modules["generator"])
        for who, network in (("judge", judge), ("its discriminator", run.modules["discriminator"].cpu())):
            row[f"right by the {who}, %"] = 100 * (evaluation.predict(network, images) == ASKED).double().mean().item()
    rows.append(row)
table = (
    pd.DataFrame(rows)
    .set_index(["method", "seed"])
    .sort_index(key=lambda names: names.map([*ARMS, *range(seed, seed + n_seeds)].index))
)
table.round(1)
