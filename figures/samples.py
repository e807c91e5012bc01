"""Notebook 04's table of sample quality over time: plain GAN, SGAN, feature matching. `measure` is the door."""

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from sgan_lib import evaluation, experiments, plotting, quality
from sgan_lib.training import Record

HERE = Path(__file__).parent
Arguments = dict[str, Any]
LINES = {  # method and labels of a run -> its name and colour in the figure
    ("gan", 100): ("plain GAN", "black"),
    ("sgan", 100): ("SGAN, 100 labels", "#9ecae1"),
    ("sgan", 1000): ("SGAN, 1,000 labels", "#4292c6"),
    ("sgan", 59_000): ("SGAN, 59,000 labels", "#084594"),
    ("feature_matching", 100): ("feature matching, 100 labels", plotting.COLOURS["vermilion"]),
}
LOOKS = (300, 600, 1200, 1800, 2400, 3000)  # steps; they are multiples of a record's 150
N_SAMPLES = 5000


def sample_quality() -> Iterator[Arguments]:
    """One pair of networks, one budget; the plain GAN uses no labels."""
    for seed, (method, n_labels) in product(range(3), LINES):
        yield {"method": method, "dataset": "mnist", "network": "dcgan", "n_labels": n_labels, "seed": seed,
               "preset": "standard"}  # fmt: skip


def measure(arguments: Arguments) -> list[Arguments]:
    """One run: a row a look at the averaged generator's samples. The looks' own time is not counted."""
    torch.set_num_threads(1)
    rows: list[Arguments] = []
    started, looking = time.process_time(), 0.0

    def look(record: Record, modules: nn.ModuleDict) -> None:
        nonlocal looking
        if record.step not in LOOKS:
            return
        begun = time.process_time()
        found = quality.sample_quality(drawn(modules["generator"], N_SAMPLES))
        rows.append({"step": record.step, "cpu_seconds": round(begun - started - looking, 1),
                     "digit_frechet": round(found.digit_frechet, 2), "digit_score": round(found.digit_score, 3),
                     "torch": torch.__version__})  # fmt: skip
        looking += time.process_time() - begun

    experiments.run(**arguments, observe=look)
    return [arguments | row for row in rows]


def drawn(generator: Any, n: int, classes: torch.Tensor | None = None) -> torch.Tensor:
    """n samples, always of the same latents, and of `classes` where they are given."""
    latents = generator.latent(n, torch.Generator().manual_seed(0)).split(500)
    asked = [None] * len(latents) if classes is None else classes.split(500)
    return torch.cat([evaluation.generate(generator, *part) for part in zip(latents, asked, strict=True)])


def draw_sample_quality() -> None:
    table = pd.read_csv(HERE / "sample_quality.csv")
    table["minutes"] = table["cpu_seconds"] / 60
    figure, axes = plotting.new_figure(10.5, 4.2, 1, 2)
    for panel, (column, label) in zip(axes[0], (("step", "steps"), ("minutes", "minutes on one core")), strict=True):
        for (method, n_labels), (name, colour) in LINES.items():
            rows = table[(table["method"] == method) & (table["n_labels"] == n_labels)]
            for _, run in rows.groupby("seed"):
                panel.plot(run[column], run["digit_frechet"], color=colour, alpha=0.3, linewidth=0.8)
            means = rows.groupby("step", as_index=False)[["minutes", "digit_frechet"]].mean()
            panel.plot(means[column], means["digit_frechet"], color=colour, linewidth=2.2, label=name)
        panel.set(yscale="log", xlabel=label, ylabel="digit Fréchet distance", xlim=(0, None))
        panel.set(yticks=(ticks := [200, 300, 500, 1000]), yticklabels=ticks)
        panel.minorticks_off()
    axes[0, 1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    figure.suptitle(_message(table), x=0.01, ha="left", weight="bold")
    figure.savefig(HERE / "sample_quality.png")


def _message(table: pd.DataFrame) -> str:
    """Whether SGANs lead at the first look and at the last."""
    means = table.groupby(["step", "method", "n_labels"])["digit_frechet"].mean()
    first, last = means[min(LOOKS)], means[max(LOOKS)]
    ahead = "ahead" if first["sgan"].max() < first["gan", 100] else "not ahead"
    sgans = f"{last['sgan'].min():.0f} to {last['sgan'].max():.0f}"
    return f"SGANs are {ahead} at first; after {max(LOOKS):,} steps: plain GAN {last['gan', 100]:.0f}, SGANs {sgans}"
