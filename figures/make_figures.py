"""Measure and draw the stored figures: `make figures`. Hours on two cores; what is measured already is not run again.

Each table is a CSV with a row a run, added when the run ends, so that a stop loses one run at the most. To measure a
table anew, delete its CSV; so too the filmstrip, whose picture comes from the run itself, and the classifier.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one run a core, one thread a run

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, cast

import conditional
import pandas as pd
import representations
import samples
import scarcity
import torch
from torch import nn
from tqdm.auto import tqdm

from sgan_lib import data, evaluation, experiments, models, plotting, quality, runtime
from sgan_lib.training import Record

HERE = Path(__file__).parent
CHECKPOINTS = HERE.parent / "runs" / "figures"  # runs without a curve resume from there after a stop
Arguments = dict[str, Any]

METHODS = ("supervised", "sgan", "two_head")
RATES = (3e-4, 1e-3, 3e-3)
SHORT_CUTS = {"precision": "mixed", "reuse": True}
NO_SHORT_CUTS = {"precision": "float32", "reuse": False}  # as in the authors' code, and more than twice the time


def digits_50_labels() -> Iterator[Arguments]:
    """The promise of notebook 00 at full length: ten splits of `digits`."""
    for seed, method in product(range(10), ("supervised", "sgan", "feature_matching")):
        yield {"method": method, "dataset": "digits", "n_labels": 50, "seed": seed, "preset": "standard"}


def sgan_half_of_labels() -> Iterator[Arguments]:
    """Notebook 03: MNIST at few labels and at half of them, one pair of networks for all methods."""
    for seed, n_labels, method in product(range(3), (100, 30_000), METHODS):
        yield {"method": method, "dataset": "mnist", "network": "dcgan", "n_labels": n_labels, "seed": seed,
               "preset": "standard"}  # fmt: skip


def baseline_tuning() -> Iterator[Arguments]:
    """Notebook 02: a grid for the supervised baseline at 100 MNIST labels, on splits 100 to 102."""
    for seed, network, shift, rate in product(range(100, 103), ("cnn", "mlp"), (0, 2), RATES):
        yield {"method": "supervised", "dataset": "mnist", "network": network, "shift": shift, "learning_rate": rate,
               "n_labels": 100, "seed": seed, "preset": "quick"}  # fmt: skip


def baseline_tuned() -> Iterator[Arguments]:
    """Notebook 02: the rate with the least validation error on the tuning splits, on splits 0 to 4, short and long."""
    tuning = pd.read_csv(HERE / "baseline_tuning.csv")
    means = tuning.groupby(["network", "shift", "learning_rate"])["validation_error"].mean()
    best = means.groupby(["network", "shift"]).idxmin()
    for preset, seed, (network, shift, rate) in product(("quick", "standard"), range(5), best):
        if preset == "quick" or network == "cnn":
            yield {"method": "supervised", "dataset": "mnist", "network": network, "shift": int(shift),
                   "learning_rate": float(rate), "n_labels": 100, "seed": seed, "preset": preset}  # fmt: skip


def mnist_100_labels() -> Iterator[Arguments]:
    """Notebook 04: the published setting; curves of test error, looked at for the picture and for nothing else."""
    for method, n_seeds in (("feature_matching", 5), ("supervised", 5), ("bad_gan", 3), ("sgan", 3)):
        for seed in range(n_seeds):
            yield _dense_pair(method, 100, seed)


def mnist_20_to_200_labels() -> Iterator[Arguments]:
    """Notebook 04: with and without feature matching at the other published numbers of labels; a quarter as long."""
    for seed, n_labels, method in product(range(3), (20, 50, 200), ("supervised", "feature_matching")):
        yield _dense_pair(method, n_labels, seed) | {"steps": 6000}


def mnist_100_labels_paper() -> Iterator[Arguments]:
    """Notebook 04: the published networks and settings; 40 minutes a run on one core."""
    for seed in range(5):
        yield {"method": "feature_matching", "dataset": "mnist", "n_labels": 100, "seed": seed, "preset": "paper",
               "precision": "mixed"}  # fmt: skip


def mnist_100_labels_luck() -> Iterator[Arguments]:
    """Notebook 04: more such runs on the two splits without a plain crossed seven; without short cuts an hour each."""
    for seed in (1, 2):
        yield {"split_seed": seed, "seed": seed, **NO_SHORT_CUTS, "steps": 75_000}
    for seed in (2, 208, 209):
        yield {"split_seed": 2, "seed": seed, **SHORT_CUTS, "steps": 100_000}


def mnist_100_labels_starts() -> Iterator[Arguments]:
    """Notebook 04: the losses in the first 2,000 steps of such runs, and of two of them without the short cuts."""
    for split_seed, seed in [*((other, other) for other in range(200, 208)), (2, 2), (2, 208), (2, 209)]:
        yield {"split_seed": split_seed, "seed": seed, **SHORT_CUTS}
    for seed in (2, 206):
        yield {"split_seed": seed, "seed": seed, **NO_SHORT_CUTS}


def mnist_100_labels_rounded() -> Iterator[Arguments]:
    """Notebook 04: nearly the same for 180,000 steps, and bfloat16 rounds the generator's tanh; 110 minutes a run."""
    for seed in range(3):
        yield {"method": "feature_matching", "dataset": "mnist", "n_labels": 100, "seed": seed, "preset": "paper",
               "network": "mlp", "epsilon": 1e-8, "precision": "bfloat16"}  # fmt: skip


def mnist_100_labels_longer() -> Iterator[Arguments]:
    """Notebook 04: five times the steps of `standard`, half an hour a run."""
    for seed in range(2):
        yield {"method": "feature_matching", "dataset": "mnist", "n_labels": 100, "seed": seed, "preset": "standard",
               "precision": "mixed", "steps": 120_000}  # fmt: skip


def mnist_100_labels_mistakes() -> Iterator[Arguments]:
    """Notebook 04: the test images that five runs of the first figure get wrong, those runs once more, and two others.

    Like split 2, splits 102 and 103 have no crossed seven among their labels.
    """
    for seed in (*range(5), 102, 103):
        yield {"seed": seed}


def mnist_rgb_1000_labels() -> Iterator[Arguments]:
    """Notebook 04: the convolutional pair in colour, on the stand-in for SVHN."""
    for seed, method in product(range(2), ("supervised", "feature_matching")):
        yield {"method": method, "dataset": "mnist_rgb", "n_labels": 1000, "seed": seed, "preset": "standard"}


def _dense_pair(method: str, n_labels: int, seed: int) -> Arguments:
    """A standard run of MNIST's default networks; the rate is each method's best on splits 100 and 101."""
    rate = 1e-3 if method == "supervised" else 3e-3
    return {"method": method, "dataset": "mnist", "n_labels": n_labels, "seed": seed, "preset": "standard",
            "learning_rate": rate, "precision": "bfloat16"}  # fmt: skip


def _mistakes(arguments: Arguments) -> list[Arguments]:
    """A row for each test image that a run gets wrong: its place in the test set, its class and the predicted one."""
    torch.set_num_threads(1)
    result = experiments.run(**_dense_pair("feature_matching", 100, arguments["seed"]))
    images, labels = data.load("mnist", 100, arguments["seed"]).test
    predicted = evaluation.predict(result.modules["discriminator"], images)
    wrong = (predicted != labels).nonzero()[:, 0].tolist()
    return [arguments | {"image": i, "label": int(labels[i]), "predicted": int(predicted[i])} for i in wrong]


def _starts(arguments: Arguments) -> list[Arguments]:
    """A row for every 500 steps at full rate: the mean losses since the last."""
    torch.set_num_threads(1)
    result = experiments.run("feature_matching", "mnist", 100, preset="paper", steps=2000, hold=1.0, record_every=500,
                             **arguments)  # fmt: skip
    names = ("adversarial", "feature_matching")
    return [arguments | {"step": r.step} | {name: round(r.terms[name], 3) for name in names} for r in result.history]


def _checkpoint(folder: Path, arguments: Arguments) -> Path:
    return folder / ("-".join(map(str, arguments.values())) + ".safetensors")


def _by_digit(arguments: Arguments) -> list[Arguments]:
    """A row a record, or from where a stopped run was resumed: the wrong test images of each digit."""
    torch.set_num_threads(1)
    images, labels = data.load("mnist", 100).test
    rows: list[Arguments] = []

    def look(record: Record, modules: nn.ModuleDict) -> None:
        wrong = labels[evaluation.predict(modules["discriminator"], images) != labels].bincount(minlength=10)
        rows.append(arguments | {"step": record.step} | {f"wrong_{k}": n for k, n in enumerate(wrong.tolist())})

    checkpoint = _checkpoint(CHECKPOINTS, arguments)
    experiments.run("feature_matching", "mnist", 100, preset="paper", observe=look, checkpoint=checkpoint, **arguments)
    checkpoint.unlink()
    return rows


TABLES: dict[str, Callable[[], Iterator[Arguments]]] = {
    "digits_50_labels": digits_50_labels,
    "baseline_tuning": baseline_tuning,
    "baseline_tuned": baseline_tuned,
    "sgan_half_of_labels": sgan_half_of_labels,
    "mnist_100_labels": mnist_100_labels,
    "mnist_20_to_200_labels": mnist_20_to_200_labels,
    "mnist_rgb_1000_labels": mnist_rgb_1000_labels,
    "mnist_100_labels_paper": mnist_100_labels_paper,
    "mnist_100_labels_luck": mnist_100_labels_luck,
    "mnist_100_labels_starts": mnist_100_labels_starts,
    "mnist_100_labels_longer": mnist_100_labels_longer,
    "mnist_100_labels_rounded": mnist_100_labels_rounded,
    "mnist_100_labels_mistakes": mnist_100_labels_mistakes,
    "bigan_features": representations.bigan_features,
    "bigan_held_out": representations.bigan_held_out,
    "conditional_sgan": conditional.conditional_sgan,
    "sample_quality": samples.sample_quality,
}
MEASURES = {  # not of test errors
    "mnist_100_labels_mistakes": _mistakes,
    "mnist_100_labels_starts": _starts,
    "mnist_100_labels_luck": _by_digit,
    "bigan_features": representations.measure,
    "bigan_held_out": representations.measure_held_out,
    "sample_quality": samples.measure,
}
COLUMNS = {"conditional_sgan": conditional.samples_of}  # what a table says of each run besides its errors
SWEEPS = {"label_scarcity": scarcity.measure_label_scarcity}  # tables whose runs the sweep does
CURVES = ("mnist_100_labels",)  # tables with a row a record; all others have a row a run


def _measure(
    arguments: Arguments, with_curve: bool, more: Callable[..., Arguments], checkpoints: Path
) -> list[dict[str, Any]]:
    """One run: what was asked, what was found, and with what. One row, or one a record with the test error by then."""
    torch.set_num_threads(1)
    test = data.load(arguments["dataset"], arguments["n_labels"]).test
    looks: list[tuple[float, float]] = []  # test error, and the processor's time until then, of one core

    def look(record: Record, modules: nn.ModuleDict) -> None:
        looks.append((evaluation.error_rate(modules["discriminator"], *test), time.process_time() - started))

    started = time.process_time()
    checkpoint = _checkpoint(checkpoints, arguments)
    resumed = not with_curve and checkpoint.exists()
    if with_curve:
        result = experiments.run(**arguments, observe=look)
    else:
        result = experiments.run(**arguments, checkpoint=checkpoint)
        checkpoint.unlink()
        looks = [(cast(float, result.test_error), math.nan if resumed else time.process_time() - started)]
    settings = result.settings
    known = arguments | {"network": settings.network, "split_seed": settings.split_seed, "device": result.device,
                         "torch": result.versions["torch"]} | more(result)  # fmt: skip
    return [
        known | {"step": record.step, "validation_error": round(record.scores["validation_error"], 4),
                 "test_error": round(error, 4), "cpu_seconds": round(seconds, 1)}
        for record, (error, seconds) in zip(result.history[-len(looks) :], looks, strict=True)
    ]  # fmt: skip


def _nothing_more(result: experiments.RunResult) -> Arguments:
    return {}


def _with_steps(arguments: Arguments) -> Arguments:
    """With the number of steps that the preset gives, so that a changed preset means a new run."""
    return arguments | {"steps": experiments.Settings.resolve(**arguments, split_seed=arguments["seed"]).steps}


def _key(row: Arguments, names: list[str]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in names)


def what_is_missing(name: str) -> tuple[pd.DataFrame, list[Arguments]]:
    """The table as it is stored, and the runs that it lacks. SystemExit where it holds others than are asked for."""
    path, wanted = HERE / f"{name}.csv", list(TABLES[name]())
    if name not in MEASURES:
        wanted = [_with_steps(arguments) for arguments in wanted]
    names = list(wanted[0])
    table = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=names)
    done = {_key(row, names) for row in table.to_dict("records")}
    if stale := done - {_key(arguments, names) for arguments in wanted}:
        raise SystemExit(f"{path} holds {len(stale)} other runs than are asked for now: delete them, or the file")
    return table, [arguments for arguments in wanted if _key(arguments, names) not in done]


def measure_table(name: str, workers: int) -> None:
    """Run what the CSV lacks, `workers` at a time, and add a row as each run ends."""
    table, missing = what_is_missing(name)
    if not missing:
        return
    names = list(missing[0])
    usual = partial(_measure, with_curve=name in CURVES, more=COLUMNS.get(name, _nothing_more), checkpoints=CHECKPOINTS)
    measure = MEASURES.get(name) or usual
    with get_context("spawn").Pool(workers) as pool:
        for rows in tqdm(pool.imap_unordered(measure, missing), name, total=len(missing)):
            table = pd.DataFrame([*table.to_dict("records"), *rows])  # by name: columns keep the file's order
            runtime.write_whole(HERE / f"{name}.csv", table.sort_values(names, kind="stable").to_csv(index=False))


def draw_digits_50_labels() -> None:
    table = pd.read_csv(HERE / "digits_50_labels.csv")
    means = 100 * table.groupby("method")["test_error"].mean()
    title = f"With 50 labels, the GAN cuts the error from {means['supervised']:.1f} % to {means['sgan']:.1f} %"
    plotting.errors_by_method(table, title).savefig(HERE / "digits_50_labels.png")


def draw_dcgan_filmstrip() -> None:
    """Notebook 02: samples of one standard run over time, from the same 12 latents; its history is the CSV."""
    if (HERE / "dcgan_filmstrip.csv").exists():
        return
    latents = torch.randn(12, 100, generator=torch.Generator().manual_seed(0))
    frames: dict[str, torch.Tensor] = {}

    def keep(record: Any, modules: Any) -> None:
        if record.step in (100, 200, 400, 800, 1600, 3000):
            frames[f"step {record.step}"] = evaluation.generate(modules["generator"], latents)

    run = experiments.run("gan", "mnist", network="dcgan", preset="standard", record_every=100, observe=keep)
    run.history_table().round(4).to_csv(HERE / "dcgan_filmstrip.csv", index=False)
    title = "Digits take shape within a thousand steps and grow cleaner after"
    plotting.filmstrip(frames, title).savefig(HERE / "dcgan_filmstrip.png")


def draw_mnist_100_labels() -> None:
    table = pd.read_csv(HERE / "mnist_100_labels.csv")
    last = 100 * table[table["step"] == table["steps"]].groupby("method")["test_error"].mean()
    gans = last.drop("supervised")
    title = (
        f"100 labels: {last['supervised']:.0f} % alone, {gans.min():.1f} to {gans.max():.1f} % with any of three GANs"
    )
    reference = {"feature matching, Salimans 2016: 0.93 %": 0.93}
    plotting.learning_curves(table, title, reference).savefig(HERE / "mnist_100_labels.png")


def draw_bigan_reconstructions() -> None:
    """Notebook 06: test images, what comes back, and a walk between two codes, from the table's standard run."""
    path = HERE / "bigan_reconstructions.png"
    if path.exists():
        return
    (encoder, generator), test = models.bigan_pair(), data.load("mnist", 100).test
    chosen = torch.cat([(test.labels == k).nonzero()[:1, 0] for k in range(10)])
    codes = evaluation.encode(encoder, test.images[chosen]).latent
    share = torch.linspace(0, 1, 10)[:, None]
    walks = {f"{a} to {b}": (1 - share) * codes[a] + share * codes[b] for a, b in ((0, 6), (3, 8), (4, 9))}
    random = generator.latent(10, torch.Generator().manual_seed(0))
    frames = {"x": test.images[chosen], "G(E(x))": evaluation.generate(generator, codes)}
    frames |= {name: evaluation.generate(generator, latents) for name, latents in (walks | {"G(z)": random}).items()}
    plotting.filmstrip(frames, "Half of these digits come back as they were").savefig(path)


def train_mnist_classifier() -> None:
    """The network that `quality` measures digits with: all of MNIST's labels but 1,000, 16 epochs, nothing tuned."""
    path = Path(str(quality.ASSET))
    if path.exists():
        return
    run = experiments.run("supervised", "mnist", n_labels=59_000, network=quality.NETWORK, shift=2, preset="standard",
                          steps=15_000, threads=1, device="cpu")  # fmt: skip
    notes = {"trained by": "figures/make_figures.py mnist_classifier", "settings": json.dumps(asdict(run.settings))}
    notes |= {"validation_error": str(run.history[-1].scores["validation_error"]), "torch": run.versions["torch"]}
    notes |= {"test_error": str(run.test_error), "test_error_interval": str(run.test_error_interval)}
    models.save_weights(cast(Any, run.modules)["discriminator"], path, notes)


NETWORKS: dict[str, Callable[[], None]] = {
    "mnist_classifier": train_mnist_classifier,
    "conditional_generator": conditional.train_generator,
}

PICTURES: dict[str, Callable[[], None]] = {
    "bigan_pair": representations.store_pair,  # networks, but of a table's run, so after the tables
    "digits_50_labels": draw_digits_50_labels,
    "mnist_100_labels": draw_mnist_100_labels,
    "dcgan_filmstrip": draw_dcgan_filmstrip,
    "sample_quality": samples.draw_sample_quality,
    "label_scarcity": scarcity.draw_label_scarcity,
    "bigan_reconstructions": draw_bigan_reconstructions,
    "conditional_sgan": conditional.draw_conditional_sgan,
    "class_collapse": conditional.draw_class_collapse,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    known = list(dict.fromkeys([*NETWORKS, *TABLES, *SWEEPS, *PICTURES]))
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(known)}; default: all")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="runs at a time")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"no figure named {', '.join(unknown)}; there are {', '.join(known)}")
    plotting.use_course_style()
    for name in options.names or known:
        if name in NETWORKS:
            NETWORKS[name]()
        if name in TABLES:
            measure_table(name, options.workers)
        if name in SWEEPS:
            SWEEPS[name](options.workers)
        if name in PICTURES:
            PICTURES[name]()


if __name__ == "__main__":
    main()
