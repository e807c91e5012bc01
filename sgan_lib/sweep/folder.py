"""What a sweep leaves behind: a folder a run, each with a result or the reason why there is none.

DIR/<run>/result.json            the result, written last: where it is, the run is complete
DIR/<run>/run_experiment.ipynb   the executed notebook, also of a run that failed
DIR/<run>/failure.json           of a run that failed: its settings and the reason
DIR/results.csv                  a row a run
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from filelock import FileLock, Timeout

from sgan_lib.evaluation import bootstrap_interval
from sgan_lib.experiments import RunResult, Settings
from sgan_lib.runtime import write_whole
from sgan_lib.sweep.plan import NOTEBOOK, RESULT, Run

FAILURE = "failure.json"
_FOUND = ("validation_error", "test_error", "test_error_low", "test_error_high", "seconds", "device",
          "python", "torch", "torchvision", "sgan_lib", "confusion_matrix")  # fmt: skip
COLUMNS = ("run", "status", "reason", *(field.name for field in fields(Settings)), *_FOUND)


class State(NamedTuple):
    """What the folder holds of a run. "stale" is a result of other settings, "corrupt" a file that cannot be read."""

    status: str  # "missing", "done", "failed", "corrupt" or "stale"
    reason: str = ""
    result: RunResult | None = None
    settings: Mapping[str, Any] = {}  # of a run that failed


def read_state(run: Run, out: Path, device: str = "auto") -> State:
    """What is there of this run; "done" only where the result has exactly the run's settings, and the device asked for.

    With "auto" any device will do.
    """
    state = _read(out / run.name)
    if state.result is None:
        return state
    if device not in ("auto", state.result.device.partition(":")[0]):
        return State("stale", f"{RESULT} was made on {state.result.device}, not {device}")
    if state.result.settings == run.settings:
        return state
    there, wanted = asdict(state.result.settings), asdict(run.settings)
    other = ", ".join(f"{name} {there[name]}, not {wanted[name]}" for name in wanted if there[name] != wanted[name])
    return State("stale", f"{RESULT} is of a run with {other}")


def _read(folder: Path) -> State:
    """A result, readable or not, counts for more than a failure: it is written later."""
    with suppress(FileNotFoundError):  # no look whether it is there first: another sweep may clear it in between
        try:
            return State("done", "", RunResult.from_json(folder / RESULT))
        except ValueError as error:
            return State("corrupt", str(error))
    with suppress(FileNotFoundError):
        return _read_failure(folder)
    return State("missing")


def stored_results(out: Path) -> list[RunResult]:
    """All results in the folder, of whichever sweep; none where there is no such folder."""
    folders = [folder for folder in out.iterdir() if folder.is_dir()] if out.is_dir() else []
    return [state.result for folder in folders if (state := _read(folder)).result is not None]


def failed_at(run: Run, out: Path) -> int:
    """When this run's failure was written down, in nanoseconds; 0 where there is none."""
    try:
        return (out / run.name / FAILURE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read_failure(folder: Path) -> State:
    """The record of a failure; a damaged one has lost its reason, but the run failed all the same."""
    try:
        failure = json.loads((folder / FAILURE).read_text("utf-8"))
        return State("failed", str(failure["reason"]), settings=dict(failure["settings"]))
    except (KeyError, TypeError, ValueError) as error:
        return State("failed", f"{FAILURE} cannot be read: {error}")


@dataclass
class Claim:
    """The exclusive right to write a run's folder. The system takes it away from a process that ends, however it ends.

    So a sweep that was killed blocks nobody.
    """

    run: Run
    folder: Path
    lock: FileLock

    @classmethod
    def take(cls, run: Run, out: Path) -> "Claim | None":
        """Claim a run, or None where another sweep has claimed it."""
        folder = out / run.name
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", thread_local=False)  # whichever thread releases it
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return None
        return cls(run, folder, lock)

    def clear(self) -> None:
        """Make room for a new try; what was there of an old result is set aside as result.old.json."""
        for leftover in [*self.folder.glob("*.partial"), self.folder / FAILURE, self.folder / NOTEBOOK]:
            leftover.unlink(missing_ok=True)
        if (self.folder / RESULT).exists():
            (self.folder / RESULT).replace(self.folder / "result.old.json")

    def record(self, result: RunResult, notebook: str) -> None:
        """Keep what the run found, the result last."""
        write_whole(self.folder / NOTEBOOK, notebook)
        result.to_json(self.folder / RESULT)

    def record_failure(self, reason: str, notebook: str) -> None:
        """Keep why there is no result, and the notebook as far as it went, if it was begun."""
        if notebook:
            write_whole(self.folder / NOTEBOOK, notebook)
        failure = {"reason": reason, "settings": asdict(self.run.settings)}
        write_whole(self.folder / FAILURE, json.dumps(failure, indent=1) + "\n")

    def release(self) -> None:
        """Let others have it."""
        self.lock.release()


def collect(out: Path) -> pd.DataFrame:
    """A row a run in the folder, of whichever sweep: status, reason, settings, what was found, and with what.

    Errors are fractions in [0, 1]; the interval is Wilson's, for this one network; the confusion matrix is JSON, true
    class by row. Raises FileNotFoundError where there is no such folder.
    """
    return _rows(out).infer_objects()


def _rows(out: Path) -> pd.DataFrame:
    """The table with every value as it was stored: whole numbers stay whole beside rows that lack them."""
    _check_folder(out)
    states = {folder: _read(folder) for folder in sorted(out.iterdir()) if folder.is_dir()}
    rows = [_row(folder, state) for folder, state in states.items() if state.status != "missing"]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def _check_folder(out: Path) -> None:
    if not out.is_dir():
        raise FileNotFoundError(f"no folder {out}")


def _row(folder: Path, state: State) -> dict[str, Any]:
    row: dict[str, Any] = {"run": folder.name, "status": state.status, "reason": state.reason}
    if state.result is None:
        return row | dict(state.settings)
    result = state.result
    low, high = result.test_error_interval or (None, None)
    last: Mapping[str, float] = result.history[-1].scores if result.history else {}
    found = {"validation_error": last.get("validation_error"), "test_error": result.test_error, "test_error_low": low,
             "test_error_high": high, "seconds": result.seconds, "device": result.device}  # fmt: skip
    matrix = None if result.confusion_matrix is None else json.dumps(result.confusion_matrix)
    return row | asdict(result.settings) | found | result.versions | {"confusion_matrix": matrix}


def write_csv(out: Path) -> Path:
    """Write what `collect` finds to DIR/results.csv, whole or not at all; numbers keep all their digits."""
    _check_folder(out)  # before the lock, which would make it
    with FileLock(out / ".results.lock"):  # or of two sweeps the one that looked first might write last
        write_whole(out / "results.csv", _rows(out).to_csv(index=False))
    return out / "results.csv"


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """A row a method and number of labels: runs, those that failed, and the test error over the seeds in percent.

    `table` is as from `collect`. The interval is the bootstrap's for the mean, 95 %; it takes at least two runs.

    Raises ValueError where the runs of a method with as many labels differ in more than their seeds.
    """
    rows = []
    same = [field.name for field in fields(Settings) if field.name not in ("seed", "split_seed")]
    for (n_labels, method), part in table.groupby(["n_labels", "method"]):
        if mixed := ", ".join(name for name in same if part[name].nunique(dropna=False) > 1):
            raise ValueError(
                f"table must hold one sweep; its runs of {method} with {n_labels} labels differ in {mixed}"
            )
        errors = [100 * error for error in part["test_error"].dropna().astype(float)]
        low, high = bootstrap_interval(errors) if len(errors) > 1 else (None, None)
        mean, sd = (pd.Series(errors).mean(), pd.Series(errors).std()) if errors else (None, None)
        failed = int((part["status"] != "done").sum())
        rows.append({"n_labels": n_labels, "method": method, "runs": len(part) - failed, "failed": failed,
                     "mean, %": mean, "sd": sd, "low, %": low, "high, %": high})  # fmt: skip
    return pd.DataFrame(rows)
