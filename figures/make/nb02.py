"""Notebook 02: a supervised baseline, tuned with as many labels as it trains on, and a plain GAN's filmstrip."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import tables
import torch
from torch import nn

from sgan_lib import evaluation, experiments, sweep
from sgan_lib.course import plotting
from sgan_lib.training import Record

COLUMNS = f"method dataset network shift learning_rate n_labels seed preset {tables.FOUND}"
FILMSTRIP = tables.FIGURES / "dcgan_filmstrip.csv"


def baseline(seeds: range, preset: str, network: str, shift: Any, rate: Any) -> list[sweep.Run]:
    """Runs with 100 labels."""
    chosen: dict[str, Any] = {"network": network, "shift": int(shift), "learning_rate": float(rate)}
    return sweep.grid(("supervised",), "mnist", (100,), seeds, preset, **chosen)


def tuning() -> Iterator[sweep.Run]:
    """A grid of networks, shifts and rates on splits 100 to 102."""
    for chosen in product(("cnn", "mlp"), (0, 2), (3e-4, 1e-3, 3e-3)):
        yield from baseline(range(100, 103), "quick", *chosen)


def tuned() -> Iterator[sweep.Run]:
    """The rate with the least validation error on the tuning splits, on splits 0 to 4, short and long."""
    tuning = tables.read("baseline_tuning")
    means = tuning.groupby(["network", "shift", "learning_rate"])["validation_error"].mean()
    for network, *chosen in means.groupby(["network", "shift"]).idxmin():
        for preset in ("quick", "standard") if network == "cnn" else ("quick",):
            yield from baseline(range(5), preset, network, *chosen)


def filmstrip() -> None:
    """Samples of one standard run over time, from the same 12 latents; its history is the CSV."""
    latents = torch.randn(12, 100, generator=torch.Generator().manual_seed(0))
    frames: dict[str, torch.Tensor] = {}

    def keep(record: Record, modules: nn.ModuleDict) -> None:
        if record.step in (100, 200, 400, 800, 1600, 3000):
            frames[f"step {record.step}"] = evaluation.generate(modules["generator"], latents)

    run = experiments.run("gan", "mnist", network="dcgan", preset="standard", record_every=100, observe=keep)
    title = "Digits take shape within a thousand steps and grow cleaner after"
    plotting.filmstrip(frames, title).savefig(FILMSTRIP.with_suffix(".png"))
    run.history_table().round(4).to_csv(FILMSTRIP, index=False)


FIGURES: tables.Figures = {
    "baseline_tuning": tables.Table(tuning, COLUMNS),
    "baseline_tuned": tables.Table(tuned, COLUMNS),
    "dcgan_filmstrip": tables.Once(FILMSTRIP, filmstrip),
}

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
