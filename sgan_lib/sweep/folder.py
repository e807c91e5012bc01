"""What a sweep leaves behind: one folder per run, with a result or the reason why there is none.

DIR/<run>/result.json            the result, written last: where it is, the run is complete
DIR/<run>/run_experiment.ipynb   the executed notebook, also of a run that failed
DIR/<run>/failure.json           of a run that failed: its settings and the reason
DIR/<run>/result.old.json        a result that was damaged, of other settings or another device; then result.old1.json
DIR/results.csv                  one row per run
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sgan_lib.evaluation import mean_interval
from sgan_lib.experiments import BASELINES, RunResult, Settings
from sgan_lib.runtime import check_path, write_whole
from sgan_lib.sweep.plan import NOTEBOOK, RESULT

FAILURE, TABLE = "failure.json", "results.csv"
COLUMNS = ("run", "status", "reason", *(field.name for field in fields(Settings)), "validation_error", "test_error",
           "test_error_low", "test_error_high", "seconds", "device", "python", "torch", "torchvision", "sgan_lib",
           "confusion_matrix")  # fmt: skip


class State(NamedTuple):
    """What a folder holds of a run. "stale" is a result of other settings, "corrupt" a file that cannot be read."""

    status: str  # "missing", "done", "failed", "corrupt" or "stale"
    reason: str = ""
    row: Mapping[str, Any] = {}  # of the table: settings and, where there is a result, what was measured


def read_state(folder: str | Path, settings: Settings | None = None, device: str = "auto") -> State:
    """What a run's folder holds. A result, readable or not, counts for more than a failure.

    It is "done" only with exactly the settings asked for (None: any) and on the device asked for ("auto": any), unless
    it is of a baseline, which knows the CPU alone.
    """
    folder = check_path("folder", folder)
    try:  # no look whether a file is there: another sweep may clear it in between
        with suppress(FileNotFoundError):
            row = _row(RunResult.from_json(folder / RESULT))
            elsewhere = device not in ("auto", row["device"].partition(":")[0]) and row["method"] not in BASELINES
            wanted = (asdict(settings) if settings else {}) | ({"device": device} if elsewhere else {})
            other = [f"{name} {row[name]}, not {value}" for name, value in wanted.items() if row[name] != value]
            return State("stale", f"{RESULT} has {', '.join(other)}") if other else State("done", "", row)
        with suppress(FileNotFoundError):
            failure = json.loads((folder / FAILURE).read_text("utf-8"))
            return State("failed", failure["reason"], asdict(Settings(**failure["settings"])))
    except (AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError) as error:
        return State("corrupt", str(error) if folder.name in str(error) else f"{folder.name}: {error}")
    return State("missing")


def _row(result: RunResult) -> dict[str, Any]:
    low, high = result.test_error_interval or (None, None)
    matrix = result.confusion_matrix and json.dumps(result.confusion_matrix)
    measured = {"test_error": result.test_error, "test_error_low": low, "test_error_high": high,
                "seconds": result.seconds, "device": result.device, "confusion_matrix": matrix}  # fmt: skip
    return result.versions | result.history[-1].scores | asdict(result.settings) | measured


def record(folder: Path, settings: Settings, device: str, notebook: str, result: str, reason: str) -> State:
    """Write down what `execute` returned, the result last; a result with other settings than asked for is a failure."""
    for leftover in [*folder.glob("*.partial"), folder / FAILURE, folder / NOTEBOOK]:
        leftover.unlink(missing_ok=True)
    if (old := folder / RESULT).exists():
        names = (folder / f"result.old{number or ''}.json" for number in count())
        old.replace(next(path for path in names if not path.exists()))
    if notebook:
        write_whole(folder / NOTEBOOK, notebook)
    if not reason:
        write_whole(folder / RESULT, result)
        reason = read_state(folder, settings, device).reason
    if reason:
        (folder / RESULT).unlink(missing_ok=True)
        write_whole(folder / FAILURE, json.dumps({"reason": reason, "settings": asdict(settings)}, indent=1) + "\n")
    return read_state(folder, settings, device)


def collect(out: str | Path, dtype: Any = None) -> pd.DataFrame:
    """One row per run in the folder, of whichever sweep. Raises FileNotFoundError where there is no such folder.

    Errors are fractions in [0, 1], with Wilson's interval; the confusion matrix is JSON, true class by row.
    """
    states = {folder.name: read_state(folder) for folder in sorted(check_path("out", out).iterdir()) if folder.is_dir()}
    rows = [{"run": name} | s._asdict() | dict(s.row) for name, s in states.items() if s.status != "missing"]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=dtype)


def write_csv(out: str | Path) -> pd.DataFrame:
    """Write `collect`'s table to DIR/results.csv, whole or not at all, with all digits, and return it as objects."""
    table = collect(out, object)  # objects: 20 does not become 20.0 beside a row that has no number
    write_whole(Path(out, TABLE), table.to_csv(index=False))
    return table


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row per method and number of labels: runs, failed runs, and the test error over the seeds in percent.

    `table` is from `collect`. The interval is Student's t-interval for the mean, 95 %, from two runs on. Raises
    ValueError where runs of a method differ in more than labels and seeds.
    """
    rows, same = [], [field.name for field in fields(Settings) if "seed" not in field.name]
    for (n_labels, method), part in table.groupby(["n_labels", "method"]):
        if mixed := [name for name in same if part[name].nunique(dropna=False) > 1]:
            raise ValueError(f"table must hold one sweep; runs of {method} differ in {', '.join(mixed)}")
        errors, done = 100 * part["test_error"].dropna().astype(float), int((part["status"] == "done").sum())
        low, high = mean_interval(errors.tolist()) if len(errors) > 1 else (float("nan"),) * 2
        rows.append({"n_labels": n_labels, "method": method, "runs": done, "failed": len(part) - done,
                     "mean, %": errors.mean(), "sd": errors.std(), "low, %": low, "high, %": high})  # fmt: skip
    return pd.DataFrame(rows)
