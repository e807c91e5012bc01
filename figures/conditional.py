"""Conditional SGAN for notebook 07: its table and pictures, and the generator that comes with the library."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, cast

import pandas as pd
import samples
import torch
from torch import nn

from sgan_lib import data, evaluation, experiments, models, plotting, quality
from sgan_lib.runtime import seeded
from sgan_lib.training import train

HERE = Path(__file__).parent
Arguments = dict[str, Any]
ASKED = torch.arange(10_000) % 10  # a thousand samples of each class


def conditional_sgan() -> Iterator[Arguments]:
    """Notebook 07: with and without a class to ask for, one pair, from 20 labels to all but those for validation."""
    for n_labels, method in product((100, 59_000, 20, 1000), ("conditional_sgan", "sgan")):
        yield _conditional(method, n_labels, seed=0)


def _conditional(method: str, n_labels: int, seed: int) -> Arguments:
    return {"method": method, "dataset": "mnist", "network": "dcgan", "n_labels": n_labels, "seed": seed,
            "preset": "standard"}  # fmt: skip


def _drawn(generator: Any) -> torch.Tensor:
    """10,000 digits, always of the same latents, and of `ASKED` where classes can be asked for."""
    return samples.drawn(generator, len(ASKED), None if generator.classes is None else ASKED)


def samples_of(result: experiments.RunResult) -> Arguments:
    """How good the generator's samples are, and how many are of the class asked for."""
    generator = cast(Any, result.modules)["generator"]
    images = _drawn(generator)
    found = quality.sample_quality(images)
    accuracy = quality.sample_accuracy(images, ASKED) if generator.classes is not None else None
    return {"sample_accuracy": accuracy, "digit_frechet": round(found.digit_frechet, 2),
            "digit_score": round(found.digit_score, 3)}  # fmt: skip


def draw_conditional_sgan() -> None:
    table = pd.read_csv(HERE / "conditional_sgan.csv")
    plotting.conditional_samples(table, _conditional_title(table)).savefig(HERE / "conditional_sgan.png")


def _conditional_title(table: pd.DataFrame) -> str:
    at_100 = table[(table["method"] == "conditional_sgan") & (table["n_labels"] == 100)]
    return f"100 labels: {100 * at_100['sample_accuracy'].mean():.1f} % of the digits drawn are those asked for"


def draw_class_collapse() -> None:
    """Notebook 07: class vectors that start as the library's do, and ten times as large; the rest is the same."""
    if (HERE / "class_collapse.csv").exists():
        return
    drawn = {start: _drawn(_started_at(start)) for start in (0.1, 1.0)}
    rows = [
        {"start": start, "sample_accuracy": quality.sample_accuracy(images, ASKED),
         "class_share": evaluation.class_share(images, ASKED),
         "digit_frechet": quality.sample_quality(images).digit_frechet}
        for start, images in drawn.items()
    ]  # fmt: skip
    pd.DataFrame(rows).round(4).to_csv(HERE / "class_collapse.csv", index=False)
    names = ("vectors start at a tenth of z", "vectors start as large as z")
    panels = {name: images[:100].unflatten(0, (10, 10)).transpose(0, 1)  # the first ten of each class
              for name, images in zip(names, drawn.values(), strict=True)}  # fmt: skip
    title = "Vectors as large as z: the right class, and always the same digit"
    plotting.samples_by_class(panels, title).savefig(HERE / "class_collapse.png")


def _started_at(start: float) -> nn.Module:
    """The averaged generator of a quick run whose class vectors start at `start` times z's deviation."""
    asked = _conditional("conditional_sgan", 100, 0) | {"preset": "quick", "split_seed": 0}
    settings = experiments.Settings.resolve(**asked)
    parts = data.load("mnist", settings.n_labels, settings.split_seed)
    with seeded(settings.seed):
        state = experiments.prepare(settings, parts.unlabelled[:500], parts.n_classes)
        cast(Any, state.modules["generator"]).classes.weight.data.mul_(start / 0.1)
        batches = data.Batches(parts, settings.batch_size, settings.labelled_batch_size, settings.seed)
        for _ in train(state, batches.at, settings.steps, settings.hold):
            pass
    return state.averaged["generator"]


def train_generator() -> None:
    """The generator of notebook 07's pictures: the run of its table at 100 labels and seed 0."""
    path = Path(str(models.ASSETS)) / "conditional_generator.safetensors"
    if path.exists():
        return
    run = experiments.run(**_conditional("conditional_sgan", 100, 0), threads=1, device="cpu")
    notes = {
        "trained by": "figures/make_figures.py conditional_generator",
        "settings": json.dumps(asdict(run.settings)),
    }
    notes |= {name: str(value) for name, value in samples_of(run).items()}
    models.save_weights(cast(Any, run.modules)["generator"], path, notes | {"torch": run.versions["torch"]})
