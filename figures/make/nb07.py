"""Notebook 07: conditional SGAN with few labels and many, a collapse, and the generator of the notebook's pictures."""

import time
from dataclasses import asdict
from typing import Any, cast

import pandas as pd
import tables
import torch
from torch import Tensor, nn

from sgan_lib import evaluation, experiments, quality, sweep
from sgan_lib.course import plotting
from sgan_lib.methods import Nets
from sgan_lib.settings import Settings

METHODS = ("conditional_sgan", "sgan")
ASKED = torch.arange(10_000) % 10  # a thousand samples of each class
GENERATOR, COLLAPSE = tables.ASSETS / "conditional_generator.safetensors", tables.FIGURES / "class_collapse.csv"
COLUMNS = ("method dataset network n_labels seed preset steps split_seed device torch sample_accuracy digit_frechet "
           "digit_score step validation_error test_error cpu_seconds")  # fmt: skip


def sampled(generator: Any) -> Tensor:
    """10,000 digits, always of the same latents, and of `ASKED` where classes can be asked for."""
    return tables.sampled(generator, len(ASKED), None if generator.classes is None else ASKED)


def samples_of(nets: Nets) -> dict[str, float | None]:
    """How good a generator's samples are, and how many are of the class asked for."""
    images = sampled(nets["generator"])
    distance, score, _ = quality.sample_quality(images)
    accuracy = quality.sample_accuracy(images, ASKED) if nets["generator"].classes is not None else None
    return {"sample_accuracy": accuracy, "digit_frechet": round(distance, 2), "digit_score": round(score, 3)}


def pairs() -> list[sweep.Run]:
    """Both methods on splits 0 to 4; 59,000 labels are all but those of the validation images."""
    return sweep.grid(METHODS, "mnist", (20, 100, 1000, 59_000), range(5), "standard", network="dcgan")


def measure(settings: Settings) -> list[tables.Row]:
    """One row: the run's errors and its generator's samples."""
    started = time.process_time()
    result = experiments.run(**asdict(settings))
    seconds, last = time.process_time() - started, result.history[-1]
    errors = {"validation_error": last.scores["validation_error"], "test_error": cast(float, result.test_error)}
    row = {"step": last.step, "cpu_seconds": round(seconds, 1), "device": result.device, "torch": torch.__version__}
    return [row | {name: round(error, 4) for name, error in errors.items()} | samples_of(result.modules)]


def class_collapse() -> None:
    """Class vectors that start as the library's do, and ten times as large; the rest is the same."""
    settings = experiments.resolve("conditional_sgan", "mnist", network="dcgan")
    drawn = {start: sampled(started_at(start, settings)) for start in (0.1, 1.0)}
    first_ten = [images[:100].unflatten(0, (10, 10)).transpose(0, 1) for images in drawn.values()]  # of each class
    names = ("vectors start at a tenth of z", "vectors start as large as z")
    title = "Vectors as large as z: the right class, and always the same digit"
    picture = plotting.samples_by_class(dict(zip(names, first_ten, strict=True)), title)
    rows = [{"start": start, "sample_accuracy": quality.sample_accuracy(images, ASKED),
             "class_share": evaluation.class_share(images, ASKED),
             "digit_frechet": quality.sample_quality(images).digit_frechet}
            for start, images in drawn.items()]  # fmt: skip
    picture.savefig(COLLAPSE.with_suffix(".png"))
    pd.DataFrame(rows).round(4).to_csv(COLLAPSE, index=False)


def started_at(start: float, settings: Settings) -> nn.Module:
    """The averaged generator of a run whose class vectors start at `start` times z's deviation."""
    with experiments.reproducible(settings):
        run = experiments.prepare(settings)
        cast(Any, run.state.modules["generator"]).classes.weight.data.mul_(start / 0.1)
        for _ in experiments.train(run):
            pass
    return run.state.averaged["generator"]


def train_generator() -> None:
    """The run of the table at 100 labels, on one thread."""
    run = experiments.run("conditional_sgan", "mnist", network="dcgan", preset="standard", threads=1, device="cpu")
    generator = cast(nn.ModuleDict, run.modules)["generator"]
    tables.store_network(generator, GENERATOR, run.settings, **samples_of(run.modules))


FIGURES: tables.Figures = {
    "conditional_generator": tables.Once(GENERATOR, train_generator),
    "conditional_sgan": tables.Table(pairs, COLUMNS, measure),
    "class_collapse": tables.Once(COLLAPSE, class_collapse),
}

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
