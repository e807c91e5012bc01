"""Notebook 04: feature matching at the published setting, alone and beside others; how good its samples are."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, cast

import pandas as pd
import tables
import torch
from matplotlib.figure import Figure
from tables import TIMED, Once, Row, Table
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
CLASSIFIER = tables.ASSETS / "mnist_classifier.safetensors"


def dense(counts: dict[str, int]) -> Iterator[sweep.Run]:
    """MNIST's default networks, methods on so many splits each; the rate is a method's best on splits 100 and 101."""
    for method, n in counts.items():
        rate = 1e-3 if method == "supervised" else 3e-3
        settings: dict[str, Any] = {"learning_rate": rate, "precision": "bfloat16"}
        yield from sweep.grid((method,), "mnist", (100,), range(n), "standard", **settings)


def matching(seeds: Iterable[int], preset: str = "paper", **overrides: Any) -> list[sweep.Run]:
    """Feature matching with 100 labels; preset `paper` has the published networks, and most of the settings."""
    return sweep.grid(("feature_matching",), "mnist", (100,), list(seeds), preset, **overrides)


def consistency(seeds: Iterable[int], rate: float) -> list[sweep.Run]:
    """The method without a GAN, near FixMatch (Sohn 2020): convolutions, shifts as weak view, 7 unlabelled to 1.

    As many steps as fit into the processor's time of feature matching's 16,000.
    """
    chosen: Row = {"network": "cnn", "shift": 2, "batch_size": 112, "labelled_batch_size": 16, "steps": 9_000}
    return sweep.grid(("consistency",), "mnist", (100,), list(seeds), "standard", **chosen, learning_rate=rate)


def consistency_trials() -> Iterator[sweep.Run]:
    """Three rates on splits 100 to 102."""
    for rate in (3e-4, 1e-3, 3e-3):
        yield from consistency(range(100, 103), rate)


def consistency_chosen() -> list[sweep.Run]:
    """The rate with the least validation error on the tuning splits, on splits 0 to 9."""
    errors = tables.read("consistency_tuning").groupby("learning_rate")["validation_error"].mean()
    return consistency(range(10), cast(float, errors.idxmin()))


def curve(settings: Settings) -> list[Row]:
    """One row per record: the test error by then, and the processor's time, of one core."""
    looks, started = list[Row](), time.process_time()
    test = data.load(settings.dataset, settings.n_labels).test

    def look(record: Record, modules: nn.ModuleDict) -> None:
        error, seconds = evaluation.error_rate(modules["discriminator"], *test), time.process_time() - started
        looks.append({"step": record.step, "validation_error": round(record.scores["validation_error"], 4),
                      "test_error": round(error, 4), "cpu_seconds": round(seconds, 1)})  # fmt: skip

    device = experiments.run(**asdict(settings), observe=look).device
    return [row | {"device": device, "torch": torch.__version__} for row in looks]


def by_digit(settings: Settings) -> list[Row]:
    """One row per record, or from where a stopped run was resumed: the wrong test images of each digit."""
    rows, (images, labels) = list[Row](), data.load("mnist", 100).test

    def look(record: Record, modules: nn.ModuleDict) -> None:
        wrong = labels[evaluation.predict(modules["discriminator"], images) != labels].bincount(minlength=10)
        rows.append({"step": record.step} | {f"wrong_{k}": n for k, n in enumerate(wrong.tolist())})

    checkpoint = tables.RUNS / f"luck-{settings.split_seed}-{settings.seed}-{settings.precision}.safetensors"
    experiments.run(**asdict(settings), observe=look, checkpoint=checkpoint)
    checkpoint.unlink()
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


def train_classifier() -> None:
    """The network that `quality` measures digits with: all of MNIST's labels but 1,000, 16 epochs, nothing tuned."""
    run = experiments.run("supervised", "mnist", n_labels=59_000, network=quality.NETWORK, shift=2, preset="standard",
                          steps=15_000, threads=1, device="cpu")  # fmt: skip
    errors = {"test_error": run.test_error, "test_error_interval": run.test_error_interval} | run.history[-1].scores
    tables.store_network(cast(nn.ModuleDict, run.modules)["discriminator"], CLASSIFIER, run.settings, **errors)


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


BEGIN, LUCK = "method dataset n_labels seed preset", "split_seed seed precision reuse"
DENSE, PAPER = f"{BEGIN} learning_rate precision steps network {TIMED}", f"{BEGIN} precision steps network {TIMED}"
CONSISTENCY = f"{BEGIN} network shift batch_size labelled_batch_size learning_rate steps {TIMED}"
WRONG = " ".join(f"wrong_{k}" for k in range(10))
FIGURES: tables.Figures = {
    "mnist_classifier": Once(CLASSIFIER, train_classifier),
    "mnist_100_labels": Table(
        lambda: dense({"feature_matching": 5, "supervised": 5, "bad_gan": 3, "sgan": 3}), DENSE, curve
    ),
    "consistency_tuning": Table(consistency_trials, CONSISTENCY, lambda settings: curve(settings)[-1:]),
    "mnist_100_labels_consistency": Table(consistency_chosen, CONSISTENCY, curve),
    # the convolutional pair in colour, on the stand-in for SVHN
    "mnist_rgb_1000_labels": Table(
        lambda: sweep.grid(("supervised", "feature_matching"), "mnist_rgb", (1000,), range(2), "standard"),
        f"{BEGIN} steps network {TIMED}",
    ),
    # 40 minutes a run on one core
    "mnist_100_labels_paper": Table(lambda: matching(range(5), precision="mixed"), PAPER),
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
    # in float32, without the edge of the images: six and twelve minutes a run, two side by side
    "mnist_100_labels_sooner": Table(
        lambda: [run for steps in (16_000, 32_000)
                 for run in matching(range(10), "standard", network="mlp_cropped", steps=steps)], PAPER, curve
    ),
    # five times the steps of `standard`, half an hour a run
    "mnist_100_labels_longer": Table(
        lambda: matching(range(2), "standard", precision="mixed", steps=120_000), PAPER
    ),
    # a generator of our own, for 180,000 steps, and bfloat16 rounds its tanh; 110 minutes a run
    "mnist_100_labels_rounded": Table(
        lambda: matching(range(3), network="mlp", epsilon=1e-8, precision="bfloat16"),
        f"{BEGIN} network epsilon precision steps {TIMED}",
    ),
    # the first table's runs once more, and two others: like split 2, 102 and 103 have no crossed seven
    "mnist_100_labels_mistakes": Table(
        lambda: matching((*range(5), 102, 103), "standard", learning_rate=3e-3, precision="bfloat16"),
        "seed image label predicted", mistakes,
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
