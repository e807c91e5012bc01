"""Notebook A1: runs looked at one by one, labels exchanged for others, and how good the samples are."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import tables
import torch
from matplotlib.figure import Figure
from nb04 import BEGIN, matching
from tables import TIMED, Row, Table
from torch import nn

from sgan_lib import data, evaluation, experiments, quality, sweep
from sgan_lib.course import plotting
from sgan_lib.settings import Settings
from sgan_lib.training import Record

FIRST: Row = {"steps": 2000, "hold": 1.0}
SHORT_CUTS: Row = {"precision": "mixed", "reuse": True}
NO_SHORT_CUTS: Row = {"precision": "float32", "reuse": False}  # as in the authors' code; more than twice the time
LINES = {  # method and labels of a run -> its name, colour and line in the figure of samples
    ("gan", 100): ("plain GAN", "black", "-"),
    ("sgan", 100): ("SGAN, 100 labels", plotting.COLOURS["blue"], "-"),
    ("sgan", 1000): ("SGAN, 1,000 labels", plotting.COLOURS["blue"], "--"),
    ("sgan", 59_000): ("SGAN, 59,000 labels", plotting.COLOURS["blue"], ":"),
    ("feature_matching", 100): ("feature matching, 100 labels", plotting.COLOURS["vermilion"], "-"),
}
LOOKS, N_SAMPLES = (300, 600, 1200, 1800, 2400, 3000), 5000  # steps are multiples of a record's 150

CROSSED = 7644  # a training image: the only crossed seven among the labels of split 4
EXCHANGES: dict[tuple[str, int], dict[int, int]] = {  # what is done to a split -> training images and their successors
    ("one crossed", 2): {29931: CROSSED},
    ("one crossed", 103): {52110: CROSSED},
    ("one crossed", 1): {10392: CROSSED},  # its own is an odd one
    ("none crossed", 0): {3854: 29931},
    ("none crossed", 4): {CROSSED: 29931},
    ("none crossed", 3): {36150: 29931, 27392: 51941, 7530: 58671},
}


class Sevens(NamedTuple):
    """A split, and what is done to its labelled sevens; a run has the split's seed."""

    labels: str  # "as drawn", "one crossed" or "none crossed"
    split_seed: int


def sevens() -> Iterator[Sevens]:
    """Each split with its exchange, and as drawn."""
    for labels, split in EXCHANGES:
        yield from (Sevens(labels, split), Sevens("as drawn", split))


def exchanged(labels: str, split_seed: int) -> data.SemiSupervisedData:
    """A split whose labelled images are replaced by others of the same class."""
    drawn, swap = data.load("mnist", 100, split_seed), EXCHANGES.get((labels, split_seed), {})
    known = data.read("mnist").train.labels
    rows = data.split_indices(known, 100, len(drawn.validation.labels), split_seed)
    position = {row: k for k, row in enumerate(rows.unlabelled.tolist())}
    in_pool = torch.tensor([position[swap.get(row, row)] for row in rows.labelled.tolist()])
    labelled = data.Labelled(data.as_images(drawn.pool[in_pool]), drawn.labelled.labels)
    return replace(drawn, labelled=labelled, labelled_in_pool=in_pool)


def of_sevens(run: Sevens, steps: int = 16_000) -> list[Row]:
    """One row: the test error by the short recipe of notebook 04, and the wrong test images of each digit."""
    chosen: Row = {"preset": "standard", "network": "mlp_cropped", "steps": steps}
    result = experiments.run(seed=run.split_seed, data=exchanged(*run), device="cpu", **chosen)
    confusion = np.array(result.confusion_matrix)
    wrong = (confusion.sum(axis=1) - confusion.diagonal()).tolist()
    return [chosen | {"test_error": result.test_error, "torch": torch.__version__, "seconds": round(result.seconds, 1)}
            | {f"wrong_{digit}": n for digit, n in enumerate(wrong)}]  # fmt: skip


def by_digit(settings: Settings) -> list[Row]:
    """One row per record: the wrong test images of each digit. A run that is stopped starts anew."""
    rows, (images, labels) = list[Row](), data.load("mnist", 100).test

    def look(record: Record, modules: nn.ModuleDict) -> None:
        wrong = labels[evaluation.predict(modules["discriminator"], images) != labels].bincount(minlength=10)
        rows.append({"step": record.step} | {f"wrong_{k}": n for k, n in enumerate(wrong.tolist())})

    experiments.run(**asdict(settings), observe=look)
    return rows


def losses_at_the_start(settings: Settings) -> list[Row]:
    """One row per quarter of the steps: the mean losses since the last."""
    history = experiments.run(**asdict(settings), record_every=settings.steps // 4).history
    names = ("adversarial", "feature_matching")
    return [{"step": record.step} | {name: round(record.terms[name], 3) for name in names} for record in history]


def mistakes(settings: Settings) -> list[Row]:
    """One row per test image that a run gets wrong: its index in the test set, its class and the predicted one."""
    modules = cast(nn.ModuleDict, experiments.run(**asdict(settings)).modules)
    images, labels = data.load("mnist", 100).test
    predicted = evaluation.predict(modules["discriminator"], images)
    wrong = (predicted != labels).nonzero()[:, 0].tolist()
    return [{"image": i, "label": int(labels[i]), "predicted": int(predicted[i])} for i in wrong]


def sample_quality(settings: Settings) -> list[Row]:
    """One row per look at the averaged generator's samples. The looks' own time is not counted."""
    rows, started, looking = list[Row](), time.process_time(), 0.0

    def look(record: Record, modules: nn.ModuleDict) -> None:
        nonlocal looking
        if record.step in LOOKS:
            begun = time.process_time()
            distance, score, _ = quality.sample_quality(tables.sampled(modules["generator"], N_SAMPLES))
            row = {"step": record.step, "cpu_seconds": round(begun - started - looking, 1), "torch": torch.__version__}
            rows.append(row | {"digit_frechet": round(distance, 2), "digit_score": round(score, 3)})
            looking += time.process_time() - begun

    experiments.run(**asdict(settings), observe=look)
    return rows


def draw_samples(table: pd.DataFrame) -> Figure:
    """The distance to real digits against steps: a thin line per run, a thick one for the mean."""
    figure, axes = plotting.new_figure(7.5, 4.2)
    panel = axes[0, 0]
    for (method, n_labels), (name, colour, dashes) in LINES.items():
        rows = table[(table["method"] == method) & (table["n_labels"] == n_labels)]
        for _, run in rows.groupby("seed"):
            panel.plot(run["step"], run["digit_frechet"], color=colour, alpha=0.3, linewidth=0.8)
        means = rows.groupby("step")["digit_frechet"].mean()
        panel.plot(means, color=colour, linestyle=dashes, linewidth=2.2, label=f"{name}: {means.iloc[-1]:.0f}")
    panel.set(yscale="log", xlabel="training steps", ylabel="digit Fréchet distance", xlim=(0, None))
    panel.set(yticks=(ticks := [200, 300, 500, 1000]), yticklabels=ticks)
    panel.minorticks_off()
    panel.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, title=f"after {max(LOOKS):,} steps")
    last = table[table["step"] == max(LOOKS)].groupby(["method", "n_labels"])["digit_frechet"].mean()
    best = min(LINES, key=lambda line: last[line])
    figure.suptitle(f"Best samples after {max(LOOKS):,} steps: {LINES[best][0]}", x=0.01, ha="left", weight="bold")
    return figure


LUCK, WRONG = "split_seed seed precision reuse", " ".join(f"wrong_{digit}" for digit in range(10))
FIGURES: tables.Figures = {
    # runs of mnist_100_labels once more, and two others: like split 2, 102 and 103 have no crossed seven
    "mnist_100_labels_mistakes": Table(
        lambda: matching((*range(5), 102, 103), "standard", learning_rate=3e-3, precision="bfloat16"),
        "seed image label predicted", mistakes,
    ),
    # what an exchange of sevens changes; six minutes a run
    "mnist_100_labels_sevens": Table(
        sevens, f"labels split_seed preset network steps test_error seconds torch {WRONG}", of_sevens
    ),
    # more such runs on the two splits without a plain crossed seven; without short cuts an hour each
    "mnist_100_labels_luck": Table(
        lambda: [*matching((1, 2), steps=75_000, **NO_SHORT_CUTS),
                 *matching((2, 208, 209), split_seed=2, steps=100_000, **SHORT_CUTS)],
        f"{LUCK} steps step {WRONG}", by_digit,
    ),
    # the first steps of such runs, at full rate, and of two of them without the short cuts
    "mnist_100_labels_starts": Table(
        lambda: [*matching(range(200, 208), **FIRST, **SHORT_CUTS),
                 *matching((2, 208, 209), split_seed=2, **FIRST, **SHORT_CUTS),
                 *matching((2, 206), **FIRST, **NO_SHORT_CUTS)],
        f"{LUCK} step adversarial feature_matching", losses_at_the_start,
    ),
    # a generator of our own, for 180,000 steps, and bfloat16 rounds its tanh; 110 minutes a run
    "mnist_100_labels_rounded": Table(
        lambda: matching(range(3), network="mlp", epsilon=1e-8, precision="bfloat16"),
        f"{BEGIN} network epsilon precision steps {TIMED}",
    ),
    # the convolutional pair in colour, on the stand-in for SVHN
    "mnist_rgb_1000_labels": Table(
        lambda: sweep.grid(("supervised", "feature_matching"), "mnist_rgb", (1000,), range(2), "standard"),
        f"{BEGIN} steps network {TIMED}",
    ),
    # one pair of networks, one budget; the plain GAN uses no labels
    "sample_quality": Table(
        lambda: [run for method, n in LINES
                 for run in sweep.grid((method,), "mnist", (n,), range(3), "standard", network="dcgan")],
        "method dataset network n_labels seed preset step cpu_seconds digit_frechet digit_score torch",
        sample_quality, draw_samples,
    ),
}  # fmt: skip

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
