"""How fast a training step is, beside a textbook's and beside its own matrix products, and a sweep: `make bench`.

All steps that are compared run in this one process, in turn, round after round, so that a machine that is slower for
a while is slower for all. The ratios are the result; times and images per second belong to the machine they ran on.
About ten minutes on two cores; `--quick` is a smoke run whose numbers mean nothing. `pytest` does not collect this.
"""

import os

os.environ["OMP_NUM_THREADS"] = str(os.cpu_count())  # torch reads it once, at its import

import argparse
import gzip
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, count, product
from pathlib import Path
from typing import Any

import pandas as pd
import textbook
import torch
from clock import Contender, Effort, each_step, interleaved
from products import multiplier, products_of_a_step, widths
from torch import nn

from sgan_lib import data, experiments
from sgan_lib.methods import METHODS
from sgan_lib.networks import NETWORKS
from sgan_lib.settings import Settings
from sgan_lib.training import training_step

ROOT, N_LABELS = Path(__file__).resolve().parents[2], 100
DATASETS = {"mlp_digits": "digits", "mlp_2d": "moons", "svhn": "mnist_rgb", "svhn_small": "mnist_rgb"}  # others: mnist
MEMORY = ("mlp", "mlp_small", "dcgan", "upsample", "svhn_small")
QUICK = Effort(rounds=1, seconds=0.0, least_steps=1, memory_steps=2, sweep=("--n-labels", "20", "--set", "steps=2"))
SHOWN = ["what", "network", "method", "dataset", "threads", "value", "low", "high", "unit", "goal"]

Row = dict[str, Any]


def settings_for(method: str, network: str, **overrides: Any) -> Settings:
    """Of a run on the network's data set. Raises ValueError where the method cannot be played there."""
    dataset = DATASETS.get(network, "mnist")
    return experiments.resolve(method, dataset, "quick", network, n_labels=N_LABELS, **overrides)


def ours(settings: Settings) -> tuple[Contender, nn.ModuleDict]:
    """What `experiments.train` does at each step, and the networks that it trains."""
    parts = data.load(settings.dataset, N_LABELS, image_size=NETWORKS[settings.network].image_size)
    run, steps = experiments.prepare(settings, parts), count()

    def compute(batch: data.Batch) -> None:
        training_step(run.state, batch)
        run.state.average.update_parameters(run.state.modules)

    return Contender(lambda: run.batches.at(next(steps)), compute), run.state.modules


def theirs(step: Callable[[textbook.LabelledAndPool], Any], settings: Settings) -> Contender:
    """A textbook's step, on the shipped archives of MNIST, unpacked where torchvision looks for them."""
    with tempfile.TemporaryDirectory() as folder:
        (raw := Path(folder) / "MNIST" / "raw").mkdir(parents=True)
        for archive in (ROOT / "sgan_lib" / "assets" / "mnist").glob("*.gz"):
            (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
        image_size = NETWORKS[settings.network].image_size
        batches = textbook.batches(Path(folder), N_LABELS, settings.batch_size, image_size)
        batches = chain([next(batches)], batches)  # the first one reads the folder
    return Contender(lambda: next(batches), step)


def products(settings: Settings, modules: nn.ModuleDict) -> tuple[Contender, int]:
    """The matrix products of our step on the dense pair and nothing else, and their floating-point operations."""
    sizes = widths(modules["discriminator"]), widths(modules["generator"])
    listed = products_of_a_step(*sizes, settings.labelled_batch_size, settings.batch_size)
    multiply = multiplier(listed)
    return Contender(lambda: None, lambda _: multiply()), sum(each.flops for each in listed)


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


def dense_pair(effort: Effort) -> Iterator[Row]:
    """Feature matching on the pair of Salimans 2016, beside the textbook's and beside its matrix products.

    A step cannot be faster than its products: textbook step / our matrix products bounds the first ratio.
    """
    settings = settings_for("feature_matching", "mlp", batch_size=100, labelled_batch_size=100, beta2=0.999)
    our, modules = ours(settings)
    alone, flops = products(settings, modules)
    textbooks, bfloat16 = theirs(textbook.FeatureMatching().step, settings), replace(settings, precision="bfloat16")
    contenders = {"ours": our, "textbook": textbooks, "bfloat16": ours(bfloat16)[0], "products": alone}
    seconds = interleaved(contenders, effort)
    rows = [
        *compared(seconds, "≥ 3"),
        row("matrix products / our step", 100 * seconds["products"] / seconds["ours"], "%", "≥ 60"),
        row("textbook step / our matrix products", seconds["textbook"] / seconds["products"], "times"),
        row("textbook step / our step in bfloat16", seconds["textbook"] / seconds["bfloat16"], "times"),
        row("ours in bfloat16", 1000 * seconds["bfloat16"], "ms"),
        row("matrix products", 1000 * seconds["products"], "ms"),
        row("speed of the matrix products", flops / seconds["products"] / 1e9, "GFLOP/s"),
    ]
    yield from (each | {"network": "mlp", "method": "feature_matching", "dataset": "mnist"} for each in rows)


def two_head_pair(effort: Effort) -> Iterator[Row]:
    """Two heads on PyTorch-GAN's pair, beside the textbook's."""
    settings = settings_for("two_head", "upsample", batch_size=64, labelled_batch_size=64)
    contenders = {"ours": ours(settings)[0], "textbook": theirs(textbook.TwoHead().step, settings)}
    for each in compared(interleaved(contenders, effort), "≥ 1.5"):
        yield each | {"network": "upsample", "method": "two_head", "dataset": "mnist"}


def throughput(effort: Effort) -> Iterator[Row]:
    """Images a second of every method on every network: real images, labelled and not; generated ones do not count."""
    for network, method in product(NETWORKS, METHODS):
        try:
            settings = settings_for(method, network)
        except ValueError:  # the network or the data set lacks what the method needs
            continue
        images = settings.labelled_batch_size + (settings.batch_size if METHODS[method].unlabelled else 0)
        seconds = each_step(ours(settings)[0], effort.seconds / 2)
        about = {name: getattr(settings, name) for name in ("network", "method", "dataset")}
        yield row("real images a second", images / seconds, "images/s") | about


def memory(effort: Effort) -> Iterator[Row]:
    """The peak of a short run of feature matching, each in a fresh process, and how much of it its imports need."""
    script = Path(__file__).with_name("memory.py")
    for network in MEMORY:
        about = {"method": "feature_matching", "dataset": DATASETS.get(network, "mnist"), "network": network}
        command = [sys.executable, script, *about.values(), str(effort.memory_steps)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        peak, about["threads"] = json.loads(done.stdout), os.cpu_count()
        yield row("peak memory of a run", pd.Series([peak["run"]]), "MB", "≤ 1500") | about
        yield row("of which imports", pd.Series([peak["imports"]]), "MB") | about


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
    about = {"network": "mlp_digits", "method": "supervised, sgan", "dataset": "digits", "threads": 1}
    yield row("sweep, one worker / two workers", seconds[1] / seconds[2], "times", "≥ 1.7") | about
    yield row("sweep with two workers", seconds[2], "s", "≤ 180") | about


def processor() -> str:
    """The name of the CPU, as far as the system tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return [*names, platform.processor() or platform.machine()][0]


def measure(effort: Effort) -> Iterator[Row]:
    """All rows."""
    yield from memory(effort)
    yield from small_sweep(effort)
    for threads, part in product((1, 2)[: os.cpu_count()], (dense_pair, two_head_pair, throughput)):
        torch.set_num_threads(threads)
        print(f"{part.__name__.replace('_', ' ')}, threads: {threads}", file=sys.stderr)
        yield from (each | {"threads": threads} for each in part(effort))


def table(rows: list[Row]) -> pd.DataFrame:
    """All rows, ratios first; each with the software and the machine it belongs to."""
    rows = sorted(rows, key=lambda each: each["unit"] not in ("times", "%"))
    return pd.DataFrame(rows)[SHOWN].assign(torch=torch.__version__, cpu=processor(), cores=os.cpu_count())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of one step each; nothing is written")
    parser.add_argument("--out", type=Path, help="where to write (default: figures/benchmark.csv)")
    asked = parser.parse_args()
    started = time.perf_counter()
    measured = table(list(measure(QUICK if asked.quick else Effort())))
    print(measured[SHOWN].to_string(index=False, float_format=lambda value: f"{value:,.4g}"))
    print(f"torch {torch.__version__}, {processor()}; measured in {time.perf_counter() - started:.0f} s")
    out = asked.out or (None if asked.quick else ROOT / "figures" / "benchmark.csv")
    if out is not None:
        measured.to_csv(out, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
