"""Notebook 05's tables: methods × numbers of labels × splits, through the sweep.

figures/label_scarcity.csv has the images as they are, figures/label_scarcity_shifts.csv random shifts for every method.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sgan_lib import plotting
from sgan_lib.runtime import write_whole
from sgan_lib.sweep import collect, grid

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "label_scarcity"
METHODS = ("pseudo_label", "consistency", "feature_matching", "sgan", "bad_gan", "two_head")  # and supervised
DIGITS = {"dataset": "digits", "n_labels": (20, 50, 100, 200)}
MNIST = {"dataset": "mnist", "n_labels": (20, 25, 50, 100, 200, 500, 1000), "preset": "standard", "steps": 3000,
         "precision": "bfloat16"}  # fmt: skip
SHIFTED = {"dataset": "digits", "n_labels": (50,), "shift": 1}  # by up to one pixel of eight, for all
N_SPLITS = {"digits": 20, "mnist": 5, "shifted": 3}  # raise them, and the sweep runs what is missing
REFUSED = 2  # the sweep's exit code for arguments it cannot use; 1 means that runs failed
KEPT = ("method", "dataset", "n_labels", "seed", "preset", "steps", "network", "shift", "learning_rate", "precision",
        "split_seed", "validation_error", "test_error", "confusion_matrix", "seconds", "device", "torch")  # fmt: skip


def sweeps() -> Iterator[dict[str, Any]]:
    """The arguments of `sweep.grid`, a split of MNIST at a time, so that a stop leaves the methods on the same splits.

    On MNIST the supervised network learns at a third of the others' rate. Of 0.001 and 0.003 each has the better one:
    supervised on splits 100 and 101 (notebook 04); pseudo-label and consistency on split 100, by the error on 5,000
    training images held out; the GANs as in their recipe.
    """
    everything = ("supervised", *METHODS)
    yield DIGITS | {"methods": everything, "seeds": range(N_SPLITS["digits"])}
    for seed in range(N_SPLITS["mnist"]):
        yield MNIST | {"methods": ("supervised",), "seeds": (seed,), "learning_rate": 0.001}
        yield MNIST | {"methods": METHODS, "seeds": (seed,)}
    yield SHIFTED | {"methods": everything, "seeds": range(N_SPLITS["shifted"])}


def command_line(methods: Sequence[str], n_labels: Sequence[int], seeds: Sequence[int], **others: Any) -> list[str]:
    """The same for the command line of the sweep."""
    words = ["--methods", *methods, "--n-labels", *map(str, n_labels), "--seeds", *map(str, seeds)]
    for name, value in others.items():
        words += [f"--{name}", value] if name in ("dataset", "preset") else ["--set", f"{name}={value}"]
    return words


def measure_label_scarcity(workers: int) -> None:
    """Run what the folder lacks; the tables are written after each sweep."""
    for arguments in sweeps():
        command = [sys.executable, "-m", "sgan_lib.sweep", *command_line(**arguments)]
        command += ["--out", str(RUNS), "--workers", str(workers)]
        if subprocess.run(command, check=False).returncode == REFUSED:
            raise SystemExit("the sweep was refused; its message stands above")
        write_tables()


def write_tables() -> None:
    """Both tables, from the results that are there of the runs asked for: whatever else the folder holds is left out.

    A run that failed stops it: a mean without the runs that failed would be another mean.
    """
    asked = {run.name for arguments in sweeps() for run in grid(**arguments)}
    runs = collect(RUNS)
    runs = runs[runs["run"].isin(asked)]
    if len(failed := runs.query("status != 'done'")):
        raise SystemExit(f"no table, since these runs have no result: {', '.join(failed['run'])}")
    shifted = runs["shift"] > 0
    _write(runs[~shifted], "label_scarcity.csv")
    _write(runs[shifted], "label_scarcity_shifts.csv")


def _write(runs: pd.DataFrame, name: str) -> None:
    order = ["dataset", "method", "n_labels", "seed"]
    table = runs[list(KEPT)].sort_values(order).round({"seconds": 1})
    write_whole(HERE / name, table.to_csv(index=False))


def draw_label_scarcity() -> None:
    table = pd.read_csv(HERE / "label_scarcity.csv")
    published = {"mnist": plotting.published_errors("mnist")}
    plotting.errors_by_labels_of_sets(table, _message(table), published).savefig(HERE / "label_scarcity.png")


def _message(table: pd.DataFrame) -> str:
    """What a hundred labels of MNIST bring alone, and at best."""
    means = 100 * table.query("dataset == 'mnist' and n_labels == 100").groupby("method")["test_error"].mean()
    best = plotting.METHOD_STYLES[means.idxmin()][0]
    return f"100 labels of MNIST: {means['supervised']:.0f} % alone, {means.min():.1f} % with {best}"
