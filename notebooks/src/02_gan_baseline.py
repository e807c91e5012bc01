# %% [markdown]
# # 02 · A GAN, a baseline, and how to see what goes wrong
#
# *Open in Colab: this copy has no address yet; set it with `make badges REPOSITORY=owner/name`.*
#
# **Your GAN has trained for an hour and both loss curves are flat. Has it converged, has it stalled, or does it draw
# the same picture again and again?** The curves cannot tell you: in this notebook, a GAN that covers its data and a
# GAN that has collapsed end with nearly the same two losses. What tells you is a picture from fixed latents, the
# share of real and generated images that the discriminator gets right, and a count of what the generator leaves out.
# And if the GAN is there to help a classifier, what tells you is a baseline without the GAN that somebody has tuned
# with care.
#
# **After this notebook you can**
# - *write* the two steps of a GAN, and *train* a small DCGAN that draws digits;
# - *diagnose* a run: healthy, one player winning, batch statistics leaking, modes missing;
# - *set up* a supervised baseline that deserves to be compared with.
#
# **Before you start**: `01_theory` (the game, the two losses), convolutions, batch norm. You need not have trained a
# GAN. **Time**: about 1½ minutes of computing on two CPU cores, 50 minutes of reading and exercises.
#
# **Stored and live**: the cells train everything that they show at preset `quick`, on full MNIST. One picture and three
# tables come from stored runs, kept in `figures/`; the text says so where they appear.

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
import inspect
import math

import pandas as pd
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn

from sgan_lib import data, evaluation, experiments, losses, methods, models, networks, runtime, training
from sgan_lib.course import exercises, plotting, stored

plotting.use_course_style()

# %% tags=["parameters"]
preset = "quick"  # budget of the DCGAN: quick, standard or paper
seed = 0  # of every run that is pictured: initial weights, batches, latents
n_seeds = 2  # live runs of each baseline: seeds `seed`, `seed` + 1, …, each with its own labelled images
baseline_steps = 200  # of each of these; the stored tables have 600

# %%
device = runtime.choose_device("auto")
seeds = range(seed, seed + runtime.check_whole_number("n_seeds", n_seeds, at_least=1))
parts = data.load("mnist", n_labels=100, split_seed=seed).to(device)

# %% [markdown]
# ## The answer as a picture
#
# A generator that has seen 60,000 digits and not one label, at six moments of its training (stored; `make figures`
# draws it anew).

# %%
plotting.stored_figure("dcgan_filmstrip.png")

# %% [markdown]
# **Figure.** A filmstrip, one row per moment, one column per latent. The strokes close, the specks go, and most columns
# of the last row can be named. Some change on the way: the third is a 3 at step 800 and a 1 at 1,600.
#
# ## 1 · Two players, two steps
#
# The discriminator D is a classifier with one output, the logit that an image is real. The generator G turns a random
# vector z, the *latent*, into an image. A step of training is a step of each:
#
# - D sees a batch of real images x and a batch of generated ones G(z), and minimises
#   $L_D = -\mathbb{E}_x[\log D(x)] - \mathbb{E}_z[\log(1 - D(G(z)))]$ (Goodfellow 2014, eq. 1, with its sign turned);
# - G draws a batch and minimises $L_G = -\mathbb{E}_z[\log D(G(z))]$, the non-saturating form of `01_theory`.
#
# | symbol | in the code |
# | --- | --- |
# | x, G(z) | `real`, `fake` |
# | log D(x) | `F.logsigmoid(on_real)` |
# | log(1 − D(G(z))) | `F.logsigmoid(-on_fake)`, since 1 − sigmoid(t) = sigmoid(−t) |


# %%
def discriminator_loss(discriminator, generator, real):
    with torch.no_grad():  # this step is D's: nothing flows back into G
        fake = generator.sample(len(real))
    logits = discriminator(torch.cat([real, fake])).class_logits[:, 0]
    on_real, on_fake = logits.split(len(real))
    return -F.logsigmoid(on_real).mean() - F.logsigmoid(-on_fake).mean()


def generator_loss(discriminator, generator, n):
    on_fake = discriminator(generator.sample(n)).class_logits[:, 0]
    return -F.logsigmoid(on_fake).mean()


# %% [markdown]
# `sample(n)` draws latents and returns n images in [-1, 1]. A discriminator of the library returns a pair,
# `class_logits` of shape [batch, K] and `features`; a plain GAN's has K = 1, so column 0 is *the* logit. D sees real
# and fake in *one* batch; why that matters, and where it goes wrong, is section 5.
#
# The library has both steps in one function. Read it from `yield` to `yield`: each is one player's move, the terms that
# this player minimises. D moves first; once it has taken its step, the training loop asks for the next move, which is G's.

# %% tags=["nbval-check-output"]
print(inspect.getsource(methods.gan))

# %% [markdown]
# The check is short: same weights, same batch, same seed, same numbers. In training `reuse` is on: G is judged on the
# images that D has just seen, which saves a pass of G. Here it is off, and G draws its own images, as above.

# %% tags=["nbval-check-output"]
settings = experiments.resolve("gan", "mnist", network="dcgan", seed=seed, batch_size=64, reuse=False)
with experiments.reproducible(settings):
    prepared = experiments.prepare(settings, parts, device)  # builds the networks, and will make the batches
modules, batch = prepared.state.modules, prepared.batches.at(0)
D, G = modules["discriminator"], modules["generator"]
with runtime.seeded(seed):
    ours = [discriminator_loss(D, G, batch.unlabelled), generator_loss(D, G, 64)]
with runtime.seeded(seed):
    moves = methods.gan(modules, batch, settings)
    theirs = [next(moves)["adversarial"], next(moves)["generator"]]
torch.testing.assert_close(torch.stack(ours), torch.stack(theirs))
print("the two losses agree with sgan_lib.methods")

# %% [markdown]
# One round of the game is then a few lines. `training.descend` zeroes the gradients of *one* player, goes backward to
# that player's weights, and lets its optimiser step.
#
# **Predict**: G's loss goes backward through D to reach G. Do D's weights move in G's step?

# %% tags=["nbval-check-output"]
adam = {name: torch.optim.Adam(modules[name].parameters(), lr=1e-3, betas=(0.5, 0.999)) for name in modules}


def all_weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


before = all_weights(D)
training.descend({"L_D": discriminator_loss(D, G, batch.unlabelled)}, adam["discriminator"])
between = all_weights(D)
training.descend({"L_G": generator_loss(D, G, 64)}, adam["generator"])
print("D moved in its own step:", not torch.equal(before, between))
print("D moved in G's step:    ", not torch.equal(between, all_weights(D)))

# %% [markdown]
# They do not: each optimiser holds the weights of one player. A plain `loss.backward()` in G's step would also leave
# gradients of G's loss in D's weights. `descend` asks for its own player's gradients only, which is cheaper too. Use
# the plain call and forget to clear D's gradients, and D's next step adds G's gradients to its own (`08_debugging`
# measures what D then follows: neither loss).
#
# ## 2 · A DCGAN that draws digits
#
# The network is a DCGAN (Radford 2016) cut down to 28×28 pixels. G: a dense layer to 7×7, two transposed convolutions
# to 28×28, batch norm and ReLU between them. D: two strided convolutions and a dense layer, without the batch norm
# that the paper has there (section 5 says why). Adam with $\beta_1 = 0.5$ for both. MNIST's training images are used;
# their labels are not.
#
# `experiments.run` is the loop around the two steps. It calls `observe` at every record, here with three jobs:
# generate from the *same* 400 latents each time, ask D about them and about 400 real images, and keep six moments. The
# networks it is given carry *averaged* weights, a running mean over about the last hundred steps, because single steps
# of a GAN jitter.
#
# **Predict**: what does the generator learn first: strokes, black borders, or the classes?

# %%
latents = torch.randn(400, 100, generator=torch.Generator().manual_seed(seed)).to(device)
real = parts.unlabelled[:400]
n_steps = networks.NETWORKS["dcgan"].settings(preset)["steps"]
moments = [n_steps * part // 20 for part in (1, 2, 4, 7, 12, 20)]  # early ones lie closer: most happens there
samples, verdicts = {}, []


def observe(record, averaged):
    fake = evaluation.generate(averaged["generator"], latents)
    on_real, on_fake = (evaluation.class_logits(averaged["discriminator"], x)[:, 0] for x in (real, fake))
    verdicts.append([record.step, (on_real > 0).float().mean().item(), (on_fake < 0).float().mean().item()])
    if record.step in moments:
        samples[record.step] = fake.cpu()


gan = experiments.run("gan", "mnist", seed=seed, preset=preset, network="dcgan", observe=observe, progress=True)

# %%
frames = {f"step {step}": images[:12] for step, images in samples.items()}
plotting.filmstrip(frames, "First a dark rim, then blots, then strokes")

# %% [markdown]
# **Figure.** Each row is a moment of training, each column one latent that stays the same, as in the first picture.
# At step 30 every image is nearly the same grey square with a dark rim; at step 60 dark patches eat into it, in each
# image elsewhere. At step 120 there are grey blots on black; from step 360 on there are strokes, some of which one
# can read (a 2, a 7), and specks around them.

# %% [markdown]
# So the border comes first: it is black in nearly every image, and the cheapest thing to imitate. Strokes come next,
# and most columns can be named only later than this run lasts. From step 360 to step 600 most columns keep their
# shape. You see that because the latents are fixed. With fresh ones each time, you could not tell whether the
# generator improved or you drew luckier numbers.
#
# The quick run stops long before the samples stop improving. The first picture of this notebook shows a longer run of
# the same networks: preset `standard`, 3,000 steps.

# ## 3 · Loss curves that do not fall
#
# In supervised learning the loss is a distance from the goal. In a game it is the score against an opponent who also
# trains. What would a *perfect* generator's scores be? If G(z) cannot be told from x, the best D can do is to answer
# ½ everywhere, logit 0. Then
# $L_D = -\log\tfrac12 - \log\tfrac12 = 2\log 2 \approx 1.386$ and $L_G = -\log\tfrac12 = \log 2 \approx 0.693$:

# %% tags=["nbval-check-output"]
undecided = torch.zeros(64)
print(f"L_D = {losses.discriminator(undecided, undecided):.4f}, 2 log 2 = {2 * math.log(2):.4f}")
print(f"L_G = {losses.generator(undecided):.4f}, log 2 = {math.log(2):.4f}")

# %% [markdown]
# So you would expect the discriminator's loss to *rise* towards 1.386 as the generator improves. In `01_theory` the same
# number is the constant of the game: for the *best* D, $L_D = 2\log 2 - 2\,\mathrm{JSD}(p, q)$. A loss above 1.386 means
# that D does worse than by always answering ½. Some code weights both halves by ½ and reports 0.693 for the same state; ask before you compare. Here
# the plain GAN's loss has no ½ (the methods with labels, from `03_sgan` on, weight it by ½).
#
# **Predict**: sketch both curves of the run above before you look.

# %%
history = gan.history_table()
figure, axes = plotting.new_figure(7.5, 3.4)
panel, blue, red = axes[0, 0], plotting.COLOURS["blue"], plotting.COLOURS["vermilion"]
panel.plot(history["step"], history["adversarial"], color=blue, marker="s", markersize=4)
panel.plot(history["step"], history["generator"], color=red, marker="^", markersize=4)
for level, name, colour in ((2 * math.log(2), "2 log 2", blue), (math.log(2), "log 2", red)):
    panel.axhline(level, color=colour, linewidth=0.8, linestyle="dotted")
    panel.annotate(name, (0.78 * n_steps, level), xytext=(0, 3 if colour == blue else -11),
                   textcoords="offset points", color=colour)  # fmt: skip
for name, column, colour in (("discriminator", "adversarial", blue), ("generator", "generator", red)):
    panel.annotate(name, (n_steps, history[column].iloc[-1]), xytext=(6, 0), textcoords="offset points", color=colour)
panel.set(xlabel="step", ylabel="loss, mean since the last record", ylim=(0, None))
panel.set_title("Both losses settle near the undecided values; neither falls to 0")
figure

# %% [markdown]
# **Figure.** The two losses against the step; dotted lines mark 2 log 2 and log 2. For about 150 steps D wins: its
# loss falls to 0.2 and G's rises above 3. Then G catches up. D's loss overshoots 2 log 2 at step 270, and from step 360 on both
# curves are flat, D's near 1.25 and G's near 0.8.
#
# Compare with the filmstrip (seed 0). While D was winning, at step 60, G drew grey squares with dark patches. Strokes
# appear while the losses still move. On the flat part, where a supervised learner would have stopped, little changes
# in these pictures; in the stored longer run digits form after step 400, on curves as flat. Flat does not mean
# finished: it means that neither player gains on the other, and section 6 shows two reasons for that. What of the
# rise? Here is the stored `standard` run.

# %%
stored.stored_table("dcgan_filmstrip.csv").set_index("step").loc[
    [400, 800, 1600, 3000], ["adversarial", "generator"]
].round(2)

# %% [markdown]
# L_D falls from 1.28 to 1.11 at step 800, rises to 1.25 at 1,600, and ends at 1.16, while the pictures get better all the
# time. Neither direction tells you so. D improves as well, and finds differences that it did not see before. The loss
# compares two moving opponents. It does not measure pictures.
#
# The losses alone say little more than "neither player has won". Three other numbers say more, and `observe` has
# collected the first two:
#
# | number | healthy | what a bad value means |
# | --- | --- | --- |
# | share of real images called real | above ½, below 1 | 1: D has won, G's gradient is poor; near ½: D sees no difference, because there is none or because it is too slow (section 6); below ½: it calls most real images fake |
# | share of generated images called fake | above ½, below 1 | 0: G fools D on every image; look whether it draws one image |
# | classes drawn, or modes hit (section 6) | all | few: mode collapse, whatever the losses say |

# %%
watched = pd.DataFrame(verdicts, columns=["step", "real called real", "fake called fake"])
watched[watched["step"].isin(moments)].round(2).set_index("step")

# %% [markdown]
# In the stored run (seed 0), D is right about every generated image up to step 210. At step 600 it is right about
# 63 % of the real and 76 % of the generated ones: D still knows more than a coin, and G can still learn from it. (D and G
# are the averaged ones here. The loss curves are those of the networks in training.)

# %% [markdown]
# ### Exercise 1 · The discriminator that cannot see
#
# *Why it matters*: you will meet runs where D gives every image the same answer. You should recognise its loss.
#
# Write the loss $L_D$ of a discriminator that says "real with probability p" to every image, real or generated.
# `p` is a tensor of probabilities in (0, 1); return a tensor of the same shape. Which p is its best?


# %% tags=["nbval-check-output"]
def blind_loss(p):
    raise NotImplementedError  # L_D for each p


exercises.check("gan_baseline.blind_loss", blind_loss)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def blind_loss(p):
#     return -torch.log(p) - torch.log(1 - p)
#
#
# exercises.check("gan_baseline.blind_loss", blind_loss)
# ```
#
# Its least value is at p = ½, where it is 2 log 2: a discriminator that has learnt nothing and one that has nothing
# left to learn have the same loss.
# </details>

# %% [markdown]
# ## 4 · A better baseline
#
# From the next notebook on, the GAN is a means: its discriminator becomes a classifier that has few labels. The claim
# "the GAN helps" is a difference of two numbers, and the second one, the *supervised baseline*, is the one that nobody is
# paid to make good. Look at what has been published for 100 labels of MNIST:
#
# | source | baseline, accuracy | with the GAN | "gain", points |
# | --- | --- | --- | --- |
# | *GANs in Action*, chapter 7, notebook | 69.2 % | 89.4 % | 20.2 |
# | Odena 2016, Table 1 | 89.5 % | 92.8 % | 3.3 |
#
# The better classifier has a sixth of the gain, because its baseline is 20 points better: Odena's baseline is as good as the
# book's GAN. (It is the same SGAN with a generator that is never updated, and each of the two is the best of a random search
# over learning rates: section 3.2.) A gain can be made as large as one likes by leaving the baseline alone.
#
# **Predict**: the classifier below has two convolutions and a dense layer and learns from 100 images. One line changes:
# `shift=2` moves each training image by up to two pixels in each direction, afresh each time. How many points is that
# line worth?

# %%
rows = []
for shift in (0, 2):
    for run_seed in seeds:
        run = experiments.run(
            "supervised", "mnist", n_labels=100, seed=run_seed, network="cnn", steps=baseline_steps, shift=shift
        )
        rows.append({"random shifts": "up to 2 pixels" if shift else "none", "seed": run_seed,
                     "test error, %": 100 * run.test_error})  # fmt: skip
live = pd.DataFrame(rows).pivot(index="seed", columns="random shifts", values="test error, %")
live.round(1)

# %% [markdown]
# In the stored run (200 steps each, seeds 0 and 1) the shifts bring the error from 19.3 and 21.8 % down to 14.4 and 17.4 %:
# between four and five points on either set of labelled images, more than the two sets differ from each other (two to three)
# and more than Odena's GAN gained.
#
# No unlabelled image and no GAN was needed. A paper that gives its GAN shifted images and its baseline none would
# report this difference as the GAN's (Oliver 2018, point P.2, asks for a baseline tuned like the rest).
#
# One line is not yet a tuned baseline. The tables below are stored: a grid of two networks (the `cnn`, and Salimans'
# dense network `mlp`, with noise between its layers), with and without shifts, at three learning rates. Each cell of
# the grid was judged on *validation* images (100 of them, as many as there are labels) of the splits 100, 101 and
# 102. The numbers are mean validation errors in percent, one column per learning rate.

# %%
tuning = stored.stored_table("baseline_tuning.csv").assign(percent=lambda t: 100 * t["validation_error"])
grid = tuning.pivot_table(index=["network", "shift"], columns="learning_rate", values="percent")
grid.round(1)

# %% [markdown]
# Then the best learning rate of each row was measured once on the test images, with *other* splits, 0 to 4. Choosing and
# reporting on the same splits would favour whatever was lucky there. The `cnn` was also trained five times as long. Test
# errors in percent:

# %%
tuned = stored.stored_table("baseline_tuned.csv").assign(percent=lambda t: 100 * t["test_error"])
tuned.groupby(["network", "shift", "learning_rate", "steps"])["percent"].agg(["mean", "min", "max"]).round(1)

# %% [markdown]
# The grid spans 15.7 to 26.3 % validation error. The rate 0.003 is best in three rows, 0.0003 for the `cnn` without shifts.
# On the test images of splits 0 to 4, after 600 steps, the four rows make 24.7 % (`mlp`), 20.8 % (`cnn`), 18.1 % (`mlp`,
# shifts) and 14.1 % (`cnn`, shifts). Five times as many steps bring the last to **12.0 %** (10.9 to 13.6 % from split to
# split) and the `cnn` without shifts nowhere: 21.1 %. (Validation images say so too: 16.4 % after 600 steps and 13.4 % after
# 3,000 with shifts.) Same 100 labels, no GAN anywhere.
#
# Put Odena's SGAN beside them, 7.2 % error: it "gains" 17.5 points over the `mlp` and 4.8 over the best row. Both
# differences are correct, and neither is a result: other networks, other splits, another budget.
#
# So it is better, and not yet tuned: every winning rate lies at an edge of the grid, and Odena's own baseline has
# 10.5 %. That is the usual state of baselines. So the next notebooks do not compare with a published number. They
# compare each method with a supervised run on the *same* network, splits and budget.

# %% [markdown]
# ### Exercise 2 · Report a baseline honestly
#
# *Why it matters*: a grid gives you a best value of everything. Only one of them may be reported.
#
# You get a table with a row for each setting and the columns `setting`, `validation_error` and `test_error`. Return the one
# test error that may be reported.


# %% tags=["nbval-check-output"]
def error_to_report(table):
    raise NotImplementedError  # one number


exercises.check("gan_baseline.error_to_report", error_to_report)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def error_to_report(table):
#     return table.loc[table["validation_error"].idxmin(), "test_error"]
#
#
# exercises.check("gan_baseline.error_to_report", error_to_report)
# ```
#
# The least test error would be a choice made with the test images: too good by as much as the settings differ by luck.
# </details>

# %% [markdown]
# ## 5 · Batch statistics give fakes away
#
# Batch norm subtracts the mean of the batch and divides by its standard deviation, channel by channel. An image's logit
# then depends on the *company* in which the image comes. In a classifier that is a mild noise. In a discriminator it is
# a second source of knowledge: if real and generated images come in separate batches, whole batches can be told apart,
# although single images cannot.
#
# How much does the company know? Take the crudest statistic there is, the mean grey value. The first panel shows it for
# single images, of the data and of the DCGAN above; the second for means over batches of 64.

# %%
with torch.no_grad():
    grey = {
        "real": parts.unlabelled[:6400].mean(dim=(1, 2, 3)).cpu(),
        "generated": evaluation.generate(gan.modules["generator"], torch.randn(
            6400, 100, generator=torch.Generator().manual_seed(seed)).to(device)).mean(dim=(1, 2, 3)).cpu(),
    }  # fmt: skip
in_batches = {name: values.view(100, 64).mean(dim=1) for name, values in grey.items()}


def best_accuracy(values):
    """Of one threshold between the two groups, in whichever direction, over all thresholds (fitted to these values)."""
    gap = stats.ks_2samp(values["real"], values["generated"]).statistic  # largest distance of the two cumulative shares
    return (1 + gap) / 2


print(f"one image: {best_accuracy(grey):.0%} right, a batch of 64: {best_accuracy(in_batches):.0%} right")

# %%
figure, axes = plotting.new_figure(8.0, 3.0, 1, 2)
for panel, values, name in zip(axes[0], (grey, in_batches), ("single images", "means of 64 images"), strict=True):
    edges = torch.linspace(-1, -0.4, 61).numpy()
    for kind, colour in (("real", "blue"), ("generated", "vermilion")):
        panel.hist(values[kind].numpy(), edges, color=plotting.COLOURS[colour], alpha=0.6, label=kind, density=True)
    panel.set(title=name, xlabel="mean grey value, in [-1, 1]", ylabel="density", yticks=[])
axes[0, 1].legend(frameon=False)
figure.suptitle("One number says little of an image and more of a batch", x=0.01, ha="left", weight="bold")
figure

# %% [markdown]
# **Figure.** Left: two broad histograms that nearly coincide. Right: two narrow ones whose centres are as far apart as on
# the left, but which overlap much less.
#
# In the stored run one threshold classifies about 57 % of single images and about 80 % of batches correctly (fitted
# to the values that it is judged on, so a little flattering). The distance between the centres is the same in both
# panels; averaging 64 images makes the spread eight times smaller. And this is *one* number. Batch norm reads a mean
# and a variance in every channel of every layer that it follows.
#
# A batch-normalised D that gets real and generated images in separate batches can use all that as a clue. One cure is
# what our `discriminator_loss` does: real and fake in one batch, so that both have the same company. The widespread
# tip is the opposite, real and generated in separate batches (soumith/ganhacks, tip 4): then at least D's step and
# G's step both see generated images alone. What must not happen is one company in D's step and another in G's.
#
# **Predict**: put batch norm into a small D, train with real and fake in one batch, and change nothing in G's step,
# where D sees generated images alone. What do the two losses do?


# %%
def short_game(batch_norm, n_steps=60):
    with runtime.seeded(seed):
        D = models.ConvDiscriminator(parts.image_shape, 1, channels=(16, 32), batch_norm=batch_norm).to(device)
        G = models.DCGANGenerator(parts.image_shape, latent_dim=32, channels=(32, 16, 8)).to(device)
        adam_d, adam_g = (torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (D, G))
        batches = data.Batches(parts, batch_size=64, labelled_batch_size=64, seed=seed)
        for step in range(n_steps):
            on_both = discriminator_loss(D, G, batches.at(step).unlabelled)
            training.descend({"L_D": on_both}, adam_d)
            on_fake = generator_loss(D, G, 64)
            training.descend({"L_G": on_fake}, adam_g)
        return D, G, {"L_D": on_both.item(), "L_G": on_fake.item()}


games = {name: short_game(batch_norm) for name, batch_norm in (("batch norm in D", True), ("none in D", False))}
pd.DataFrame({name: last for name, (_, _, last) in games.items()}).T.round(3)

# %% [markdown]
# Without batch norm, two losses of a game that nobody has won. With it, after 60 steps, L_D is 0.003 *and* L_G is 0.06: D
# is certain of every image, and G is certain that D takes its images for real.
#
# Both cannot be right about the same images. They are not asked about the same thing: D's step shows generated images
# beside real ones, G's step shows them alone. Ask each D about the *same* 500 real and 500 generated images in both
# kinds of company. (D stays in training mode, where batch norm takes the mean and variance of the batch at hand.
# `eval()` would use running statistics instead, but no step of the game does.) The table gives the percentage called
# real:


# %%
def called_real(D, images):
    return (D(images).class_logits[:, 0] > 0).float().cpu()


rows = {}
for name, (D, G, _) in games.items():
    with torch.no_grad(), runtime.seeded(seed):
        real, fake = parts.unlabelled[:500], G.sample(500)
        alone = {"real": called_real(D, real), "generated": called_real(D, fake)}
        mixed = dict(zip(alone, called_real(D, torch.cat([real, fake])).split(500), strict=True))
    rows |= {(name, kind): {"alone": alone[kind].mean().item(), "mixed": mixed[kind].mean().item()} for kind in alone}
(100 * pd.DataFrame(rows).T).round(0)

# %% [markdown]
# The D with batch norm reverses its verdict on the same 500 generated images: 100 % called real when they come alone,
# 0 % beside real ones. So D's step, which sees the mixture, finds nothing to correct. G's step, which sees them
# alone, finds nothing either. Both losses vanish, and the gradients with them: whatever G draws at that moment, it
# will go on drawing. Without batch norm the company changes nothing, not by a single image: a logit depends on its
# own image only.
#
# Why so sure and so wrong? In the mixture, the generated half pulls the mean of each channel its way, and D learns to read
# the difference from that mean. Alone, the generated images *are* the mean: batch norm subtracts what gave them away.
#
# This is why no discriminator of `sgan_lib` has batch norm by default. The alternatives do not look at the company:
# weight norm (Salimans' network), dropout and noise, or, elsewhere, layer norm and spectral norm. The generator may keep
# its batch norm: it is not asked to judge. If you inherit a D with batch norm, the two steps must at least agree about
# the company. That is the next exercise.

# %% [markdown]
# ### Exercise 3 · The same company in both steps
#
# *Why it matters*: code with batch norm in D is everywhere, and this repair changes three lines.
#
# Write G's loss so that D sees the generated images in the company in which it was trained: real ones beside them. Real
# images are no business of G's, so only the logits of the generated ones enter. `fake` carries gradients; keep them.


# %% tags=["nbval-check-output"]
def generator_loss_in_company(discriminator, real, fake):
    raise NotImplementedError  # a scalar


exercises.check("gan_baseline.generator_loss_in_company", generator_loss_in_company)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def generator_loss_in_company(discriminator, real, fake):
#     logits = discriminator(torch.cat([real, fake])).class_logits[:, 0]
#     return -F.logsigmoid(logits[len(real) :]).mean()
#
#
# exercises.check("gan_baseline.generator_loss_in_company", generator_loss_in_company)
# ```
#
# Now "real" means the same in both steps. The price is a pass over real images that G's step did not need before.
# </details>

# %% [markdown]
# ## 6 · Mode collapse, seen and measured
#
# A generator is rewarded for images that D calls real, not for variety. Hold D still, and G's best answer is to put
# *everything* on the one point where D is most convinced. What prevents that is D: it must notice the crowd and mark it
# down before G has moved everybody there. So collapse is a matter of speed.
#
# In two dimensions you can watch. The data: eight Gaussians on a ring, standard deviation 0.05, 128 points a batch. The
# players: two dense networks with two hidden layers of 128. `blur` adds a little noise to what D sees, which keeps it from
# being certain between the modes. Only the learning rate of D will change.

# %%
angles = torch.arange(8) * math.pi / 4
centres = 0.75 * torch.stack([angles.cos(), angles.sin()], dim=1)
sigma = 0.05


def ring(n):
    return centres[torch.randint(8, (n,))] + sigma * torch.randn(n, 2)


def dense(n_in, n_out, activation):
    return nn.Sequential(
        nn.Linear(n_in, 128), activation, nn.Linear(128, 128), activation, nn.Linear(128, n_out)
    )  # fmt: skip


def blur(points):
    return points + 0.05 * torch.randn_like(points)


# %%
def ring_game(rate_d, seed, n_steps=1000, pictured=(250, 500, 750, 1000)):
    with runtime.seeded(seed), runtime.threads(1):
        G, D = dense(8, 2, nn.ReLU()), dense(2, 1, nn.LeakyReLU(0.2))
        adam_g, adam_d = (torch.optim.Adam(net.parameters(), rate, betas=(0.5, 0.999), fused=True)
                          for net, rate in ((G, 1e-3), (D, rate_d)))  # fmt: skip
        points, curve = {}, []
        for step in range(1, n_steps + 1):
            fake = G(torch.randn(128, 8)).detach()
            on_real, on_fake = D(blur(ring(128)))[:, 0], D(blur(fake))[:, 0]
            loss_d = losses.discriminator(on_real, on_fake)
            training.descend({"L_D": loss_d}, adam_d)
            loss_g = losses.generator(D(blur(G(torch.randn(128, 8))))[:, 0])
            training.descend({"L_G": loss_g}, adam_g)
            curve.append([loss_d.item(), loss_g.item()])
            if step in pictured:
                points[step] = G(torch.randn(2000, 8)).detach()
        return points, torch.tensor(curve)


# %% [markdown]
# **Predict**: G's rate is 0.001 in both games. In one, D learns at 0.002, in the other at 0.0002. Which one collapses: the
# one with the strong D, or the one with the weak D?

# %%
rates = {"D at 0.002": 2e-3, "D at 0.0002": 2e-4}
ring_seeds = (seed, seed + 1, seed + 2)
ring_games = {(name, k): ring_game(rate, k) for name, rate in rates.items() for k in ring_seeds}

# %%
figure, axes = plotting.new_figure(8.0, 4.4, 2, 4)
for row, name in zip(axes, rates, strict=True):
    for panel, (step, points) in zip(row, ring_games[name, seed][0].items(), strict=True):
        panel.scatter(*centres.T, s=260, facecolor="none", edgecolor=plotting.COLOURS["grey"])
        panel.scatter(*points[:500].T, s=2, color=plotting.COLOURS["vermilion"])
        panel.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), xticks=[], yticks=[], aspect="equal")
        panel.set_title(f"step {step}", fontsize=9, weight="normal")
    row[0].set_ylabel(name)
figure.suptitle("A discriminator that learns too slowly is led round the ring", x=0.01, ha="left", weight="bold")
figure

# %% [markdown]
# **Figure.** Circles: the eight modes. Dots: 500 generated points at four moments, seed 0. With the fast D (upper row) the
# points spread, find the ring, and gather at all eight circles by step 1,000, with some left on the arcs between. With the
# slow D (lower row) all points sit in one narrow cloud, at another place at each moment.
#
# It is the generator that faces the *weak* discriminator that collapses. "Do not let D become too strong" is good
# advice against vanishing gradients and bad advice here. D marks down the spot where the crowd was, G moves the crowd
# to the next, and D comes after it, always late.
#
# A picture needs an eye. Two numbers do not: a point is *good* if it lies within three standard deviations of a centre;
# a mode is *hit* if it has at least a tenth of its fair share of good points. (Of real points, 98.9 % are good:
# $1 - e^{-9/2}$.)


# %%
def coverage(points):
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    good = distance < 3 * sigma
    counts = torch.bincount(nearest[good], minlength=8)
    return {"modes hit": int((counts >= len(points) / 80).sum()), "good points": good.float().mean().item()}


rows = [{"game": name, "seed": k, **coverage(points[1000])} for (name, k), (points, _) in ring_games.items()]
rings = pd.DataFrame(rows)
rings.set_index(["game", "seed"]).round(2)

# %% [markdown]
# Three seeds agree. The fast D: eight modes of eight, two thirds to three quarters of the points good. The slow D:
# one mode or none, and 1 to 29 % of the points good: the narrow cloud lies beside a circle, or reaches far beyond it.
#
# **Predict**: draw the loss curves of both games in your head. From these alone, which game would you stop and call
# converged?

# %%
figure, axes = plotting.new_figure(8.0, 3.0, 1, 2)
for panel, column, name, level in ((axes[0, 0], 0, "L_D", 2 * math.log(2)), (axes[0, 1], 1, "L_G", math.log(2))):
    for game, colour, style in zip(rates, ("blue", "vermilion"), ("solid", "dashed"), strict=True):
        smooth = ring_games[game, seed][1][:, column].view(-1, 20).mean(dim=1)
        panel.plot(range(20, 1001, 20), smooth, color=plotting.COLOURS[colour], linestyle=style, label=game)
    panel.axhline(level, color="black", linewidth=0.8, linestyle="dotted")
    panel.set(xlabel="step", ylabel=f"{name}, mean of 20 steps", ylim=(0, None))
axes[0, 0].legend(frameon=False, loc="lower right")
figure.suptitle("Eight modes or one: the losses hardly differ", x=0.01, ha="left", weight="bold")
for name in rates:
    loss_d, loss_g = torch.stack([ring_games[name, k][1][-200:] for k in ring_seeds]).mean(dim=(0, 1)).tolist()
    print(f"{name}: L_D {loss_d:.2f} and L_G {loss_g:.2f}, means of the last 200 steps and three seeds")
figure

# %% [markdown]
# **Figure.** Both losses of both games, seed 0; dotted: 2 log 2 and log 2. In both panels both curves are flat. The
# dashed ones, of the collapsed game, lie on or just above the dotted lines; the solid ones stay a little off.
#
# Over three seeds the losses are 1.34 and 0.77 with eight modes, 1.39 and 0.71 with one. The collapsed game looks
# more like the ideal equilibrium than the healthy one does. Its D is undecided because it is too slow to hold an
# opinion, not because there is nothing to find: a loss of 1.386 says that *this* D sees no difference.
#
# ### The same measurement on digits
#
# MNIST has no circles to count in, but it has classes. Train a classifier on plenty of labels (5,000; it is a measuring
# instrument, no competitor), let it name the generated digits, and compare the histogram with that of real ones. One
# number for its breadth is the entropy $H = -\sum_k h_k \log h_k$; $e^H$ reads as an *effective number of classes*.

# %%
judge = experiments.run("supervised", "mnist", n_labels=5000, seed=seed, network="cnn", steps=150)
print(f"the judge's test error: {judge.test_error:.1%}")


def class_shares(images):
    classes = evaluation.predict(judge.modules["discriminator"], images.to(device))
    return torch.bincount(classes, minlength=10).cpu() / len(images)


shares = {f"step {step}": class_shares(images) for step, images in samples.items()}
shares["real"] = class_shares(parts.test.images[:2000])
effective = {name: math.exp(stats.entropy(share)) for name, share in shares.items()}
largest = {name: share.max().item() for name, share in shares.items()}
pd.DataFrame({"effective classes": effective, "largest share": largest}).round(2)

# %%
figure, axes = plotting.new_figure(7.5, 3.2)
last = f"step {moments[-1]}"
for offset, name, colour in ((-0.2, last, "vermilion"), (0.2, "real", "blue")):
    axes[0, 0].bar(torch.arange(10) + offset, 100 * shares[name], width=0.38, color=plotting.COLOURS[colour],
                   label="generated" if name == last else "real", hatch="//" if name == last else None)  # fmt: skip
axes[0, 0].axhline(10, color="black", linewidth=0.8, linestyle="dotted")
axes[0, 0].set(xticks=range(10), xlabel="class, as the judge names it", ylabel="share, %")
axes[0, 0].set_title("All ten digits are drawn, not equally often")
axes[0, 0].legend(frameon=False)
figure

# %% [markdown]
# **Figure.** Hatched bars: 400 generated digits of the last record; plain bars: 2,000 real test images; dotted: one
# tenth. All ten classes occur among the generated ones, from about 6 % (6) to about 15 % (2 and 8).
#
# In the stored run the judge errs on 6.9 % of the test images. By step 600 the generator reaches 9.5 effective
# classes; real images reach 9.95 under the same judge. So no class is missing, but 1, 4 and 6 are drawn too seldom.
# (With 400 images, a share is known to about ±2 to 3 points.)
#
# Read this number with care. The judge must name *something*, also for a blot; so breadth says nothing of quality. It
# counts classes, not what happens within one: a generator that knows one image of each class and draws these ten
# equally often would score ten. The early rows of the table show what collapse looks like in this number: at step 60
# all images are grey squares with a dark rim, and the judge, which has never seen one, spreads them over a few
# classes: 2.4.

# %% [markdown]
# ### Exercise 4 · Effective number of classes
#
# *Why it matters*: you will want this number in your own runs, and the obvious formula breaks exactly when it matters.
#
# Write it: given the predicted classes [n] (whole numbers in 0 … `n_classes` − 1), return $e^H$ as a float. It must
# be finite when a class is missing.


# %% tags=["nbval-check-output"]
def effective_classes(classes, n_classes):
    raise NotImplementedError  # e to the entropy, a float


exercises.check("gan_baseline.effective_classes", effective_classes)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def effective_classes(classes, n_classes):
#     shares = torch.bincount(classes, minlength=n_classes) / len(classes)
#     return math.exp(-torch.xlogy(shares, shares).sum().item())
#
#
# exercises.check("gan_baseline.effective_classes", effective_classes)
# ```
#
# `xlogy` is 0 where the share is 0, which is the limit; share · log(share) is 0 · (−∞) = NaN there.
# </details>

# %% [markdown]
# ### Exercise 5 · Diagnose four runs
#
# *Why it matters*: this is what you do on the second day of every GAN project.
#
# Four runs on MNIST, after 2,000 steps. "Mixed" and "alone" say in which company D was asked about the generated images.
#
# | run | L_D | L_G | real called real | fake called fake, mixed | fake called fake, alone | effective classes |
# | --- | --- | --- | --- | --- | --- | --- |
# | P | 0.01 | 6.9 | 100 % | 100 % | 100 % | 4.1 |
# | Q | 1.21 | 0.86 | 68 % | 66 % | 66 % | 9.7 |
# | R | 0.00 | 0.04 | 100 % | 100 % | 0 % | 6.3 |
# | S | 1.37 | 0.71 | 52 % | 51 % | 51 % | 1.2 |
#
# Give each run one of `"healthy"`, `"discriminator has won"`, `"batch statistics"`, `"mode collapse"`. (The numbers are
# made up for the exercise, after runs like those above.)

# %% tags=["nbval-check-output"]
diagnosis = None  # {"P": …, "Q": …, "R": …, "S": …}

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
# }
#
# exercises.check("gan_baseline.diagnosis", diagnosis)
# ```
#
# Q and S differ little in their losses; the effective classes tell. R is the one where both losses are small, which no
# honest game allows: the same images cannot be called fake and real. In P the generator hardly gets a gradient that
# helps: a slower D, or noise on what D sees, is the thing to try.
# </details>
#
# ## Quiz
#
# **1.** A colleague shows you a discriminator loss of 0.69, flat for an hour. What do you ask first?
#
# <details><summary>Answer</summary>
#
# Whether the loss is weighted by ½. With the weight, 0.69 = log 2 is what an undecided D has. Without it, the undecided
# value is 1.39, and 0.69 is a D that is right fairly often. Then: pictures from fixed latents.
# </details>
#
# **2.** With batch norm in D, why is it not enough to put real and fake images in one batch?
#
# <details><summary>Answer</summary>
#
# Because G's step shows generated images alone. D's verdict depends on the company, so what G learns to please is not
# the D that was trained. Both losses fall towards 0, and G learns nothing useful.
# </details>
#
# **3.** A paper reports 20 points of gain from its GAN at 100 labels. Which three things do you look up?
#
# <details><summary>Answer</summary>
#
# How the baseline was tuned and on which images; whether both sides had the same network, augmentation and number of
# steps; how many splits and seeds stand behind the difference.
# </details>
#
# ## What you have found
#
# (Preset `quick`, seed 0 unless said otherwise.)
#
# - Two steps of a few lines are a GAN, and 600 of them on MNIST draw strokes that one begins to read as digits.
# - A healthy L_D settles a little under 2 log 2 = 1.386. Flat is not finished, and 1.386 is not success.
# - On the ring, 8 of 8 modes and 0 or 1 of 8 modes, three seeds each, differ by 0.06 in L_D. Count modes.
# - With batch norm in D, real and fake mixed in one step and fakes alone in the other, both players reach a loss
#   below 0.1 within 60 steps, and D changes its mind about all 500 generated images with their company.
# - At 100 labels a supervised network gains four to five points from random shifts alone (two seeds). Published
#   baselines span 69 % to 90 % accuracy; ours 75 % to 88 %.
#
# **Still open.** A number that ranks generators as an eye does, without a classifier of the same data; what makes a game
# converge at all rather than circle. Neither is settled.
#
# **Read on.** Goodfellow 2014 (arXiv:1406.2661), eq. 1 and §4 (the value at the optimum); Radford 2016
# (arXiv:1511.06434), §3 (DCGAN); Salimans 2016 (arXiv:1606.03498), §3.2 (minibatch discrimination: a D that uses the
# batch on purpose) and §3.5 (virtual batch normalisation); Metz 2017 (arXiv:1611.02163), the ring of Gaussians; Oliver 2018
# (arXiv:1804.09170), §4 (baselines). **Next**: `03_sgan`, where D learns ten classes beside "real".

# %% tags=["headline"]
counts = rings.groupby("game")["modes hit"].mean()
hit = " against ".join(f"{counts[name]:.1f}" for name in rates)
print(f"headline: modes hit {hit} of 8; digits drawn {effective[last]:.1f} of 10")
