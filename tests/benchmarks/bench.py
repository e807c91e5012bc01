"""How fast a training step is, beside a textbook's and beside its own matrix products, and a sweep: `make bench`.

All steps that are compared run in this one process, in turn, round after round, so that a machine that is slower for
a while is slower for all. The ratios are the result; times and images per second belong to the machine they ran on.
About ten minutes on two cores; `--quick` is a smoke run whose numbers mean nothing. `pytest` does not collect this.
"""

import os

os.environ["OMP_NUM_THREADS"] = str(os.cpu_count())  # torch reads it once, at its import

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import textbook
import torch
from clock import Contender, Effort, each_step, interleaved
from products import multiplier, products_of_a_step, widths
from torch import nn

from sgan_lib import data, experiments, models
from sgan_lib.experiments import METHODS, Settings
from sgan_lib.training import training_step

ROOT = Path(__file__).resolve().parents[2]
N_LABELS = 100
DATASETS = {"mlp_digits": "digits", "mlp_2d": "moons", "svhn": "mnist_rgb", "svhn_small": "mnist_rgb"}  # others: mnist
MEMORY = (
    ("mlp", "mnist"),
    ("mlp_small", "mnist"),
    ("dcgan", "mnist"),
    ("upsample", "mnist"),
    ("svhn_small", "mnist_rgb"),
)

QUICK = Effort(rounds=1, seconds=0.0, least_steps=1, memory_steps=2, sweep=("--n-labels", "20", "--set", "steps=2"))

Row = dict[str, Any]


# --- who is measured


def settings_for(method: str, dataset: str, network: str, **overrides: Any) -> Settings:
    fixed = {"n_labels": N_LABELS, "seed": 0, "split_seed": 0, "network": network}
    return Settings.resolve(method, dataset, "quick", **fixed, **overrides)


def load(dataset: str, network: str) -> data.SemiSupervisedData:
    return data.load(dataset, N_LABELS, image_size=32 if network == "upsample" else None)


def ours(settings: Settings, parts: data.SemiSupervisedData) -> tuple[Contender, nn.ModuleDict]:
    """What `experiments.run` does at each step, and the networks that it trains."""
    state = experiments.prepare(settings, parts.unlabelled, parts.n_classes)
    method = METHODS[settings.method]
    sizes = settings.batch_size if method.unlabelled else 0, settings.labelled_batch_size
    batches, steps = data.Batches(parts, *sizes, settings.seed, strong=method.strong_view), count()

    def compute(batch: data.Batch) -> None:
        training_step(state, batch)
        state.average.update_parameters(state.modules)

    return Contender(lambda: batches.at(next(steps)), compute), state.modules


def theirs(step: Callable[[textbook.LabelledAndPool], Any], batch_size: int, image_size: int | None) -> Contender:
    """A textbook's step; it reads the files of MNIST that `data.load` has put into the cache."""
    batches = textbook.batches(data.cache_folder(), N_LABELS, batch_size, image_size)
    return Contender(lambda: next(batches), step)


def products(settings: Settings, modules: nn.ModuleDict) -> tuple[Contender, int]:
    """The matrix products of our step on the dense pair and nothing else, and their floating-point operations."""
    sizes = widths(modules["discriminator"]), widths(modules["generator"])
    listed = products_of_a_step(*sizes, settings.labelled_batch_size, settings.batch_size)
    multiply = multiplier(listed)
    return Contender(lambda: None, lambda _: multiply()), sum(one.flops for one in listed)


# --- rows of the table


def row(what: str, over_rounds: "pd.Series[float]", unit: str, goal: str = "") -> Row:
    """The median over the rounds, and the middle half of them."""
    low, value, high = over_rounds.quantile([0.25, 0.5, 0.75])
    return {"what": what, "value": value, "low": low, "high": high, "unit": unit, "goal": goal}


def compared(seconds: pd.DataFrame, goal: str) -> list[Row]:
    """Ours against the textbook's: ratios of each round, then the times."""
    ratio = {part: seconds[f"textbook{part}"] / seconds[f"ours{part}"] for part in ("", ": computing")}
    return [
        row("textbook step / our step", ratio[""], "times", goal),
        row("the same, without loading images", ratio[": computing"], "times"),
        *(row(part, 1000 * seconds[part], "ms") for part in ("ours", "ours: loading", "textbook", "textbook: loading")),
    ]


def dense_pair(threads: int, effort: Effort) -> Iterator[Row]:
    """Feature matching on the pair of Salimans 2016, beside the textbook's and beside its matrix products.

    A step cannot be faster than its products: textbook step / our matrix products bounds the first ratio.
    """
    parts = load("mnist", "mlp")
    settings = settings_for("feature_matching", "mnist", "mlp", batch_size=100, labelled_batch_size=100, beta2=0.999)
    our, modules = ours(settings, parts)
    alone, flops = products(settings, modules)
    contenders = {
        "ours": our,
        "textbook": theirs(textbook.FeatureMatching().step, settings.batch_size, None),
        "bfloat16": ours(replace(settings, precision="bfloat16"), parts)[0],
        "products": alone,
    }
    seconds = interleaved(contenders, effort)
    found = [
        *compared(seconds, "≥ 3"),
        row("matrix products / our step", 100 * seconds["products"] / seconds["ours"], "%", "≥ 60"),
        row("textbook step / our matrix products", seconds["textbook"] / seconds["products"], "times"),
        row("textbook step / our step in bfloat16", seconds["textbook"] / seconds["bfloat16"], "times"),
        row("ours in bfloat16", 1000 * seconds["bfloat16"], "ms"),
        row("matrix products", 1000 * seconds["products"], "ms"),
        row("speed of the matrix products", flops / seconds["products"] / 1e9, "GFLOP/s"),
    ]
    for one in found:
        yield one | {"network": "mlp", "method": settings.method, "dataset": "mnist", "threads": threads}


def two_head_pair(threads: int, effort: Effort) -> Iterator[Row]:
    """Two heads on PyTorch-GAN's pair, beside the textbook's."""
    parts = load("mnist", "upsample")
    settings = settings_for("two_head", "mnist", "upsample", batch_size=64, labelled_batch_size=64)
    textbooks = theirs(textbook.TwoHead().step, settings.batch_size, 32)
    seconds = interleaved({"ours": ours(settings, parts)[0], "textbook": textbooks}, effort)
    for one in compared(seconds, "≥ 1.5"):
        yield one | {"network": "upsample", "method": settings.method, "dataset": "mnist", "threads": threads}


def playable(method: str, network: str, parts: data.SemiSupervisedData) -> bool:
    """Whether network and data set have all that the method needs."""
    if METHODS[method].strong_view and parts.name in data.POINTS:
        return False
    try:
        METHODS[method].modules(models.build(network, parts.image_shape, parts.n_classes))
    except ValueError:
        return False
    return True


def throughput(threads: int, effort: Effort) -> Iterator[Row]:
    """Images a second of every method on every network: real images, labelled and not; generated ones do not count."""
    for network in models.NETWORKS:
        dataset = DATASETS.get(network, "mnist")
        parts = load(dataset, network)
        for method in METHODS:
            if not playable(method, network, parts):
                continue
            settings = settings_for(method, dataset, network)
            seconds = each_step(ours(settings, parts)[0], effort.seconds / 2)
            images = settings.labelled_batch_size + (settings.batch_size if METHODS[method].unlabelled else 0)
            where = {"network": network, "method": method, "dataset": dataset, "threads": threads}
            yield row("real images a second", images / seconds, "images/s") | where


def memory(effort: Effort) -> Iterator[Row]:
    """The peak of a short run of feature matching, each in a fresh process, and how much of it its imports need."""
    script = Path(__file__).with_name("memory.py")
    for network, dataset in MEMORY:
        arguments = ["feature_matching", dataset, network, str(effort.memory_steps)]
        done = subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        found = {part: pd.Series([megabytes]) for part, megabytes in json.loads(done.stdout).items()}
        where = {"network": network, "method": "feature_matching", "dataset": dataset, "threads": os.cpu_count()}
        yield row("peak memory of a run", found["run"], "MB", "≤ 1500") | where
        yield row("of which imports", found["imports"], "MB") | where


def small_sweep(effort: Effort) -> Iterator[Row]:
    """`make sweep` from an empty folder, kernels and all, with one worker and with two."""
    seconds = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["--out", folder, "--workers", str(workers), *effort.sweep]
            command = [sys.executable, "-m", "sgan_lib.sweep", *arguments]
            started = time.perf_counter()
            subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, check=True)
            seconds[workers] = pd.Series([time.perf_counter() - started])
    where = {"network": "mlp_digits", "method": "supervised, sgan", "dataset": "digits", "threads": 1}
    yield row("sweep, one worker / two workers", seconds[1] / seconds[2], "times", "≥ 1.7") | where
    yield row("sweep with two workers", seconds[2], "s", "≤ 180") | where


# --- the whole


def processor() -> str:
    """The name of the CPU, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(effort: Effort) -> Iterator[Row]:
    yield from memory(effort)
    yield from small_sweep(effort)
    for threads in range(1, min(2, os.cpu_count() or 1) + 1):
        torch.set_num_threads(threads)
        for part in (dense_pair, two_head_pair, throughput):
            print(f"{part.__name__.replace('_', ' ')}, threads: {threads}", file=sys.stderr)
            yield from part(threads, effort)


def table(rows: list[Row]) -> pd.DataFrame:
    """All rows, ratios first; each with the software and the machine it belongs to."""
    found = pd.DataFrame(rows)
    found = found.loc[(~found["unit"].isin(["times", "%"])).sort_values(kind="stable").index]
    first = ["what", "network", "method", "dataset", "threads", "value", "low", "high", "unit", "goal"]
    return found[first].assign(torch=torch.__version__, cpu=processor(), cores=os.cpu_count())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of one step each; nothing is written")
    parser.add_argument("--out", type=Path, help="where to write (default: figures/benchmark.csv)")
    asked = parser.parse_args()
    started = time.perf_counter()
    found = table(list(measure(QUICK if asked.quick else Effort())))
    shown = found.drop(columns=["torch", "cpu", "cores"])
    print(shown.to_string(index=False, float_format=lambda value: f"{value:,.4g}"))
    seconds = time.perf_counter() - started
    print(f"torch {torch.__version__}, {processor()}, {os.cpu_count()} cores; measured in {seconds:.0f} s")
    out = asked.out or (None if asked.quick else ROOT / "figures" / "benchmark.csv")
    if out is not None:
        found.to_csv(out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
