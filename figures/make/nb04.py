"""Notebook 04: feature matching at the published setting, alone and beside others."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, NamedTuple, cast

import tables
import torch
from tables import TIMED, Once, Row, Table
from torch import nn

from sgan_lib import data, evaluation, experiments, quality, runtime, sweep
from sgan_lib.settings import Settings
from sgan_lib.training import Record

CLASSIFIER = tables.ASSETS / "mnist_classifier.safetensors"


class Shifted(NamedTuple):
    """How a method trains on a network where all images are shifted; the steps take all of them about as long."""

    settings: Row
    rates: tuple[float, ...] = ()  # those tried; none: as in its recipe, which was found with more labels
    splits: int = 5


# Consistency is near FixMatch (Sohn 2020): shifts as weak view, 7 unlabelled images to 1 with a label.
FIXMATCH, RATES = {"batch_size": 112, "labelled_batch_size": 16}, (3e-4, 1e-3, 3e-3)
SHIFTED = {
    ("consistency", "cnn"): Shifted({"steps": 9_000, **FIXMATCH}, RATES, splits=10),
    ("consistency", "mlp_cropped"): Shifted({"steps": 22_000, **FIXMATCH}, RATES),
    ("feature_matching", "cnn_pair"): Shifted({"steps": 9_000}, RATES),
    ("feature_matching", "mlp_cropped"): Shifted({"steps": 11_000}),
}
SOONER = (("float32", 16_000), ("float32", 32_000), ("mixed", 28_000), ("mixed", 48_000))


def dense(counts: dict[str, int]) -> Iterator[sweep.Run]:
    """MNIST's default networks, methods on so many splits each; the rate is a method's best on splits 100 and 101."""
    for method, n in counts.items():
        rate = 1e-3 if method == "supervised" else 3e-3
        settings: dict[str, Any] = {"learning_rate": rate, "precision": "bfloat16"}
        yield from sweep.grid((method,), "mnist", (100,), range(n), "standard", **settings)


def matching(seeds: Iterable[int], preset: str = "paper", **overrides: Any) -> list[sweep.Run]:
    """Feature matching with 100 labels; preset `paper` has the published networks, and most of the settings."""
    return sweep.grid(("feature_matching",), "mnist", (100,), list(seeds), preset, **overrides)


def shifted(method: str, network: str, seeds: Iterable[int], **rate: float) -> list[sweep.Run]:
    """A method with 100 labels on a network, with random shifts for all of its images."""
    chosen: Row = {"network": network, "shift": 2, **SHIFTED[method, network].settings, **rate}
    return sweep.grid((method,), "mnist", (100,), list(seeds), "standard", **chosen)


def shifted_trials() -> Iterator[sweep.Run]:
    """Three rates each on splits 100 to 102."""
    for (method, network), cell in SHIFTED.items():
        for rate in cell.rates:
            yield from shifted(method, network, range(100, 103), learning_rate=rate)


def shifted_chosen() -> Iterator[sweep.Run]:
    """Each with the rate that has the least validation error on the tuning splits, of equals the lowest.

    A rate at which a run diverged is out.
    """
    trials = tables.read("shifted_tuning").groupby(["method", "network", "learning_rate"])["validation_error"]
    errors = trials.sum(min_count=3).round(6)  # of three splits; equal ones are equal
    for (method, network), cell in SHIFTED.items():
        best = {"learning_rate": float(errors[method, network].idxmin())} if cell.rates else {}
        yield from shifted(method, network, range(cell.splits), **best)


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


def trial(settings: Settings) -> list[Row]:
    """The last row of `curve`; a run that diverges has a row without errors, and its rate is out."""
    try:
        return curve(settings)[-1:]
    except runtime.DivergenceError:
        return [{}]


def train_classifier() -> None:
    """The network that `quality` measures digits with: all of MNIST's labels but 1,000, 16 epochs, nothing tuned."""
    run = experiments.run("supervised", "mnist", n_labels=59_000, network=quality.NETWORK, shift=2, preset="standard",
                          steps=15_000, threads=1, device="cpu")  # fmt: skip
    errors = {"test_error": run.test_error, "test_error_interval": run.test_error_interval} | run.history[-1].scores
    tables.store_network(cast(nn.ModuleDict, run.modules)["discriminator"], CLASSIFIER, run.settings, **errors)


BEGIN = "method dataset n_labels seed preset"
DENSE, PAPER = f"{BEGIN} learning_rate precision steps network {TIMED}", f"{BEGIN} precision steps network {TIMED}"
WITH_SHIFTS = f"{BEGIN} network shift batch_size labelled_batch_size learning_rate steps {TIMED}"
FIGURES: tables.Figures = {
    "mnist_classifier": Once(CLASSIFIER, train_classifier),
    "mnist_100_labels": Table(
        lambda: dense({"feature_matching": 5, "supervised": 5, "bad_gan": 3, "sgan": 3}), DENSE, curve
    ),
    "shifted_tuning": Table(shifted_trials, WITH_SHIFTS, trial),
    "mnist_100_labels_shifted": Table(shifted_chosen, WITH_SHIFTS, curve),
    # 40 minutes a run on one core
    "mnist_100_labels_paper": Table(lambda: matching(range(5), precision="mixed"), PAPER),
    # without the edge of the images: six and twelve minutes a run of one core; `mixed`, on another, six and eleven
    "mnist_100_labels_sooner": Table(
        lambda: [run for precision, steps in SOONER for run in matching(
            range(10), "standard", network="mlp_cropped", precision=precision, steps=steps)], PAPER, curve,
    ),
}  # fmt: skip

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
