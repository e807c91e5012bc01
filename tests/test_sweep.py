"""A sweep runs what is missing, once, whatever happens to it; and its table says what its results say."""

import contextlib
import csv
import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest

from sgan_lib import course, sweep
from sgan_lib.experiments import RunResult, Settings
from sgan_lib.sweep import Ended, Pool, Run, plan, running
from sgan_lib.sweep import __main__ as command
from sgan_lib.training import Record

NOTEBOOK = "run_experiment.ipynb"
SMALL = {"methods": ["supervised", "sgan"], "dataset": "digits", "n_labels": [20, 50], "seeds": [0, 1]}


def result_of(run: Run) -> RunResult:
    """A result that no training made; its numbers differ from run to run and have many digits."""
    s = run.settings
    error = (s.n_labels + s.seed + len(s.method)) / 997
    history = [Record(s.steps, error, {"term": 1 / 3}, 2e-3, {"validation_error": error / 3})]
    versions = {"python": "3.11.7", "torch": "2.13.0+cpu", "torchvision": "0.28.0", "sgan_lib": "1.2"}
    return RunResult(s, error, (error / 7, error * 2), [[1, 2], [3, 4]], history, 10 * error, "cpu", versions)


class Inline(Executor):
    """In place of a cluster: no kernel; `answer` says what comes back. It counts what is asked."""

    def __init__(self, runs: list[Run], answer: Callable[[Run], Ended] | None = None) -> None:
        self.by_name = {run.name: run for run in runs}
        self.answer = answer or (lambda run: Ended("{}", result_of(run)))
        self.asked: list[str] = []

    def submit(self, task: Any, /, *arguments: Any, **_: Any) -> Future[Any]:
        assert task is sweep.execute
        _, given = arguments
        run = next(r for r in self.by_name.values() if r.parameters(given["device"]) == given)
        self.asked.append(run.name)
        future = Future[Any]()
        try:
            future.set_result(self.answer(run))
        except Exception as error:
            future.set_exception(error)
        return future


def run_inline(runs: list[Run], out: Path, answer: Callable[[Run], Ended] | None = None) -> tuple[list[str], list[Any]]:
    """Which runs were started, in order, and what became of all, in the order of `runs`."""
    pool = Inline(runs, answer)
    ended = {run.name: state for run, state in sweep.run_all(runs, out, Pool(pool, lambda: 2))}
    return pool.asked, [ended[run.name] for run in runs]


@pytest.fixture
def runs() -> list[Run]:
    return sweep.grid(**SMALL)


# The grid


def test_the_grid_has_every_combination_once_and_finishes_seed_after_seed(runs: list[Run]) -> None:
    points = [(r.settings.seed, r.settings.n_labels, r.settings.method) for r in runs]
    both = ["supervised", "sgan"]
    assert points == [(seed, n, method) for seed in (0, 1) for n in (20, 50) for method in both]
    assert [r.settings.split_seed for r in runs] == [r.settings.seed for r in runs]
    assert len({r.name for r in runs}) == 8
    doubled = {name: value * 2 if isinstance(value, list) else value for name, value in SMALL.items()}
    assert sweep.grid(**doubled) == runs


def test_a_run_is_named_after_what_was_asked(runs: list[Run]) -> None:
    assert runs[0].name == "digits-supervised-20-seed0-quick"
    [run] = sweep.grid(["sgan"], "mnist", [100], [3], "standard", shift=2, learning_rate=1e-3, split_seed=7)
    assert run.name == "mnist-sgan-100-seed3-standard-learning_rate=0.001-shift=2-split_seed=7"
    wanted = {"n_labels": 100, "seed": 3, "split_seed": 7, "shift": 2, "learning_rate": 0.001}
    assert run.settings == Settings.resolve("sgan", "mnist", "standard", **wanted)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"methods": ["sgam"]}, "method must be one of supervised"),
        ({"dataset": "didgits"}, "dataset must be one of mnist"),
        ({"preset": "fast"}, "preset must be one of quick, standard, paper"),
        ({"n_labels": [0]}, "n_labels must be a whole number of at least 1; got 0"),
        ({"n_labels": [20, 5000]}, "n_labels must be .* 1347; got 5000"),
        ({"n_labels": [5, 20]}, "n_labels must be .* 10.*; got 5"),
        ({"seeds": [-1]}, "seed must be a whole number of at least 0"),
        ({"colour": "red"}, "run has no argument 'colour'"),
        ({"method": "sgan"}, "method cannot be set for the whole grid"),
        ({"methods": []}, "must each hold one at least; got "),
    ],
)
def test_a_bad_grid_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        sweep.grid(**SMALL | change)


def test_the_notebook_takes_what_a_run_gives(runs: list[Run]) -> None:
    [changed] = sweep.grid(["sgan"], "digits", [20], [0], shift=1, threads=None)
    for run in (runs[0], changed):
        given = run.parameters("cpu")
        assert course.check_parameters(sweep.find_template(), given) == given
    assert given["overrides"] == {"shift": 1, "threads": None}
    assert given["result_file"] == "result.json"


def test_the_notebook_is_found_in_the_package_where_there_is_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "__file__", str(tmp_path / "site" / "sgan_lib" / "sweep" / "running.py"))
    with pytest.raises(FileNotFoundError, match="no notebook run_experiment"):
        sweep.find_template()
    shipped = tmp_path / "site" / "sgan_lib" / "notebooks" / NOTEBOOK
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    assert sweep.find_template() == shipped


def test_an_estimate_comes_from_the_closest_results_there_are(runs: list[Run]) -> None:
    start, step = plan.ROUGH_START, plan.ROUGH_STEP["mlp_digits"]
    rough = sweep.estimate(runs, [], workers=1)
    assert rough.seconds == pytest.approx(8 * (start + 1500 * step))
    assert "rough for 8" in str(rough)
    alike = [replace(result_of(run), seconds=seconds) for run, seconds in zip(runs[1:6:2], (30, 150, 60), strict=True)]
    known = sweep.estimate(runs, alike, workers=2)  # all of sgan, so supervised is taken to cost the same
    assert known.seconds == pytest.approx(8 * (start + 60) / 2)
    assert str(known).endswith("(an estimate, from the folder)")
    other = sweep.grid(["sgan"], "mnist", [20], [0])
    assert sweep.estimate(other, alike, workers=4).guessed == 1
    assert sweep.estimate(other, alike, workers=4).seconds == sweep.estimate(other, alike, workers=1).seconds


def test_an_estimate_takes_the_results_of_earlier_sweeps(runs: list[Run], tmp_path: Path) -> None:
    assert sweep.stored_results(tmp_path / "nowhere") == []
    run_inline(runs, tmp_path)
    later = sweep.grid(["sgan"], "digits", [20], [7])
    assert sweep.estimate(later, sweep.stored_results(tmp_path), workers=1).guessed == 0


# What is there decides what is run


def test_every_run_leaves_its_result_and_its_notebook(runs: list[Run], tmp_path: Path) -> None:
    asked, states = run_inline(runs, tmp_path / "new" / "folder")
    assert asked == [run.name for run in runs]
    assert [state.status for state in states] == ["done"] * 8
    for run in runs:
        folder = tmp_path / "new" / "folder" / run.name
        assert RunResult.from_json(folder / "result.json") == result_of(run)
        assert (folder / NOTEBOOK).read_text() == "{}"


def test_a_second_call_runs_only_what_is_missing(runs: list[Run], tmp_path: Path) -> None:
    run_inline(runs[2:5], tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    asked, states = run_inline(runs, tmp_path)
    assert asked == [run.name for run in runs[:2] + runs[5:]]
    assert [state.result for state in states] == [result_of(run) for run in runs]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert run_inline(runs, tmp_path)[0] == []


def fail_at_50(run: Run) -> Ended:
    if run.settings.n_labels == 50 and run.settings.method == "sgan":
        return Ended("{}", None, "DivergenceError: training diverged at step 50")
    if run.settings.n_labels == 50 and run.settings.seed == 1:
        raise MemoryError("the worker was killed")
    return Ended("{}", result_of(run))


def test_what_fails_is_recorded_with_its_reason_and_the_rest_runs(runs: list[Run], tmp_path: Path) -> None:
    _, states = run_inline(runs, tmp_path, fail_at_50)
    reasons = {run.name: state.reason for run, state in zip(runs, states, strict=True) if state.status == "failed"}
    assert reasons == {
        "digits-sgan-50-seed0-quick": "DivergenceError: training diverged at step 50",
        "digits-sgan-50-seed1-quick": "DivergenceError: training diverged at step 50",
        "digits-supervised-50-seed1-quick": "MemoryError: the worker was killed",
    }
    for name, reason in reasons.items():
        assert json.loads((tmp_path / name / "failure.json").read_text())["reason"] == reason
        assert not (tmp_path / name / "result.json").exists()
        assert (tmp_path / name / NOTEBOOK).exists() == ("sgan" in name)
    asked, states = run_inline(runs, tmp_path)  # the next call tries again
    assert asked == [run.name for run in runs if run.name in reasons]
    assert {state.status for state in states} == {"done"}
    assert list(tmp_path.rglob("failure.json")) == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settings": {"method": "sgan"}}', "\udcff", "whole[:-40]"])
def test_a_damaged_result_is_reported_set_aside_and_run_again(runs: list[Run], tmp_path: Path, content: str) -> None:
    run_inline(runs, tmp_path)
    path = tmp_path / runs[3].name / "result.json"
    path.write_bytes(path.read_bytes()[:-40] if content == "whole[:-40]" else content.encode(errors="surrogateescape"))
    damaged = path.read_bytes()
    state = sweep.read_state(runs[3], tmp_path)
    assert state.status == "corrupt"
    assert f"{path} does not hold a RunResult" in state.reason
    asked, states = run_inline(runs, tmp_path)
    assert asked == [runs[3].name]
    assert states[3].result == result_of(runs[3])
    assert (path.parent / "result.old.json").read_bytes() == damaged


def test_a_result_of_other_settings_does_not_count(runs: list[Run], tmp_path: Path) -> None:
    """As after a change of a preset."""
    other = replace(runs[0], settings=replace(runs[0].settings, steps=7, hold=0.25))
    result_of(other).to_json(tmp_path / runs[0].name / "result.json")
    state = sweep.read_state(runs[0], tmp_path)
    assert (state.status, state.result) == ("stale", None)
    assert state.reason == "result.json is of a run with steps 7, not 1500, hold 0.25, not 0.5"
    assert run_inline(runs[:1], tmp_path)[0] == [runs[0].name]
    assert sweep.read_state(runs[0], tmp_path).status == "done"


def test_a_result_of_another_device_does_not_count_where_one_is_asked_for(runs: list[Run], tmp_path: Path) -> None:
    run_inline(runs[:1], tmp_path)
    assert [sweep.read_state(runs[0], tmp_path, device).status for device in ("auto", "cpu")] == ["done", "done"]
    state = sweep.read_state(runs[0], tmp_path, "cuda")
    assert (state.status, state.reason) == ("stale", "result.json was made on cpu, not cuda")


@pytest.mark.parametrize("name", ["result.json", "failure.json"])
def test_what_another_sweep_clears_while_it_is_read_is_missing(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run = next(run for run in runs if (run.settings.method, run.settings.n_labels) == ("sgan", 50))
    run_inline([run], tmp_path, fail_at_50 if name == "failure.json" else None)
    path, read = tmp_path / run.name / name, Path.read_text
    assert path.exists()

    def cleared(self: Path, *arguments: Any) -> str:
        path.unlink(missing_ok=True)
        return read(self, *arguments)

    monkeypatch.setattr(Path, "read_text", cleared)
    assert sweep.read_state(run, tmp_path).status == "missing"
    assert sweep.collect(tmp_path).empty


def test_a_worker_with_another_library_is_found_out(runs: list[Run], tmp_path: Path) -> None:
    other = replace(runs[0], settings=replace(runs[0].settings, steps=7))
    _, [state] = run_inline(runs[:1], tmp_path, lambda _: Ended("{}", result_of(other)))
    assert state.status == "failed"
    assert "install the same version there" in state.reason
    assert not (tmp_path / runs[0].name / "result.json").exists()


def test_nothing_half_written_is_taken_for_a_result(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    for whole in ("replace", "write_text"):
        with monkeypatch.context() as patch:
            patch.setattr(Path, whole, fail)
            with pytest.raises(OSError, match="the disk is full"):
                run_inline(runs[:1], tmp_path)
        assert sweep.read_state(runs[0], tmp_path).status == "missing"
    run_inline(runs[:1], tmp_path)
    left = sorted(path.name for path in (tmp_path / runs[0].name).iterdir())
    assert left == [".lock", "result.json", NOTEBOOK]


# Sweeps beside each other


def test_a_run_is_claimed_by_one_at_a_time(runs: list[Run], tmp_path: Path) -> None:
    first = sweep.Claim.take(runs[0], tmp_path)
    assert first is not None
    assert sweep.Claim.take(runs[0], tmp_path) is None
    other = sweep.Claim.take(runs[1], tmp_path)
    assert other is not None
    first.release()
    again = sweep.Claim.take(runs[0], tmp_path)
    assert again is not None


@pytest.mark.parametrize("outcome", ["done", "failed", "given up"])
def test_a_run_of_another_sweep_is_waited_for(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    """It is not run again where the other sweep did it or failed at it, and taken over where that was killed."""
    monkeypatch.setattr(running, "_PATIENCE", 0.01)
    said: list[str] = []
    theirs = sweep.Claim.take(runs[0], tmp_path)
    assert theirs is not None
    theirs.clear()
    pool = Inline(runs)
    ours = sweep.run_all(runs[:3], tmp_path, Pool(pool, lambda: 1), say=said.append)
    assert {next(ours)[0], next(ours)[0]} == {*runs[1:3]}
    assert said == [f"{runs[0].name}: another sweep is running it; waiting for that"]
    if outcome == "done":
        theirs.record(result_of(runs[0]), "{}")
    elif outcome == "failed":
        theirs.record_failure("ValueError: no", "")
    theirs.release()
    [(run, state)] = list(ours)
    assert run == runs[0]
    assert (runs[0].name in pool.asked) == (outcome == "given up")
    assert state.status == ("failed" if outcome == "failed" else "done")


def test_what_another_sweep_has_just_failed_at_is_not_tried_again(runs: list[Run], tmp_path: Path) -> None:
    good, bad = runs[0], runs[3]
    run_inline([bad], tmp_path, fail_at_50)  # an earlier sweep: does not count
    pool = Inline(runs, fail_at_50)
    ours = sweep.run_all([good, bad], tmp_path, Pool(pool, lambda: 0))
    assert next(ours)[0] == good
    assert run_inline([bad], tmp_path, fail_at_50)[0] == [bad.name]
    [(run, state)] = list(ours)
    assert (run, state.status) == (bad, "failed")
    assert pool.asked == [good.name]


def test_a_cluster_without_workers_is_waited_for(runs: list[Run], tmp_path: Path) -> None:
    said: list[str] = []
    room = iter([0, 0, *[1] * 20])
    ended = list(sweep.run_all(runs[:3], tmp_path, Pool(Inline(runs), lambda: next(room)), say=said.append))
    assert [run for run, _ in ended] == runs[:3]
    assert said == ["the cluster has no workers now; waiting for one"]


def test_two_sweeps_in_one_folder_share_the_work(
    runs: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def slow(run: Run) -> Ended:
        asked.append(run.name)
        time.sleep(0.02)
        return Ended("{}", result_of(run))

    monkeypatch.setattr(running, "_PATIENCE", 0.01)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: run_inline(runs, tmp_path, slow), range(2)))
    assert sorted(asked) == sorted(run.name for run in runs)
    for _, states in both:
        assert [state.result for state in states] == [result_of(run) for run in runs]


def test_a_sweep_claims_no_more_than_it_can_run_and_lets_go_when_it_stops(runs: list[Run], tmp_path: Path) -> None:
    gate = threading.Event()
    with ThreadPoolExecutor(2) as pool:

        class Gated(Inline):
            def submit(self, *arguments: Any, **_: Any) -> Future[Any]:
                return pool.submit(lambda: gate.wait(20) and super(Gated, self).submit(*arguments).result())

        ours = sweep.run_all(runs, tmp_path, Pool(Gated(runs), lambda: 2))
        threading.Timer(0.2, gate.set).start()
        next(ours)
        there = [run for run in runs if (tmp_path / run.name).exists()]
        assert there == runs[:3]
        ours.close()
    free = [sweep.Claim.take(run, tmp_path) for run in runs]
    assert None not in free


# The table


def test_the_csv_equals_the_results(runs: list[Run], tmp_path: Path) -> None:
    run_inline(runs, tmp_path)
    rows = list(csv.DictReader(sweep.write_csv(tmp_path).read_text().splitlines()))
    assert sorted(row["run"] for row in rows) == sorted(run.name for run in runs)
    for row in rows:
        stored = json.loads((tmp_path / row["run"] / "result.json").read_text())
        low, high = stored["test_error_interval"]
        wanted = {
            **stored["settings"], **stored["versions"], "run": row["run"], "status": "done", "reason": "",
            "test_error": stored["test_error"], "test_error_low": low, "test_error_high": high,
            "validation_error": stored["history"][-1]["scores"]["validation_error"],
            "seconds": stored["seconds"], "device": stored["device"], "confusion_matrix": stored["confusion_matrix"],
        }  # fmt: skip
        assert row == {name: str(value) for name, value in wanted.items()}


def test_failed_and_damaged_runs_have_a_row_too(runs: list[Run], tmp_path: Path) -> None:
    run_inline(runs, tmp_path, fail_at_50)
    (tmp_path / runs[0].name / "result.json").write_text("{")
    (tmp_path / runs[7].name / "failure.json").write_text("{")
    (tmp_path / "notes").mkdir()
    table = sweep.collect(tmp_path).set_index("run")
    assert set(table.index) == {run.name for run in runs}
    assert table["status"].value_counts().to_dict() == {"done": 4, "failed": 3, "corrupt": 1}
    failed = table.loc["digits-sgan-50-seed0-quick"]
    assert failed["reason"] == "DivergenceError: training diverged at step 50"
    assert (failed["steps"], failed["n_labels"]) == (1500, 50)
    assert np.isnan(failed["test_error"])
    assert "does not hold a RunResult" in table.loc[runs[0].name, "reason"]
    assert "failure.json cannot be read" in table.loc[runs[7].name, "reason"]
    lines = sweep.write_csv(tmp_path).read_text().splitlines()
    assert len(lines) == 9
    assert next(line for line in lines if line.startswith("digits-sgan-50-seed0")).count(",50,0,0,quick,") == 1


def test_a_method_without_a_test_error_has_an_empty_one(tmp_path: Path) -> None:
    [run] = sweep.grid(["gan"], "digits", [20], [0])
    found = replace(result_of(run), test_error=None, test_error_interval=None, confusion_matrix=None)
    found.history[0].scores.clear()
    run_inline([run], tmp_path, lambda _: Ended("{}", found))
    [row] = sweep.collect(tmp_path).to_dict("records")
    assert row["status"] == "done"
    assert [row[name] for name in ("test_error", "test_error_low", "validation_error")] == [None] * 3
    [summary] = sweep.summarise(sweep.collect(tmp_path)).to_dict("records")
    assert (summary["runs"], summary["failed"], summary["mean, %"]) == (1, 0, None)


def test_a_summary_over_more_than_one_sweep_is_refused(tmp_path: Path) -> None:
    runs = sweep.grid(["sgan"], "digits", [20], [0]) + sweep.grid(["sgan"], "digits", [20], [1], shift=1)
    run_inline(runs, tmp_path, lambda r: Ended("", result_of(r), ""))
    with pytest.raises(ValueError, match="must hold one sweep; its runs of sgan with 20 labels differ in shift"):
        sweep.summarise(sweep.collect(tmp_path))


def test_the_summary_has_mean_deviation_and_interval_over_seeds(tmp_path: Path) -> None:
    runs = sweep.grid(["sgan"], "digits", [20], range(6))
    run_inline(runs, tmp_path, lambda r: Ended("", result_of(r) if r.settings.seed < 5 else None, "no"))
    [row] = sweep.summarise(sweep.collect(tmp_path)).to_dict("records")
    errors = np.array([100 * (24 + seed) / 997 for seed in range(5)])
    assert (row["n_labels"], row["method"], row["runs"], row["failed"]) == (20, "sgan", 5, 1)
    assert row["mean, %"] == pytest.approx(errors.mean())
    assert row["sd"] == pytest.approx(np.sqrt(((errors - errors.mean()) ** 2).sum() / 4))
    means = np.random.default_rng(1).choice(errors, (20_000, 5)).mean(axis=1)
    assert (row["low, %"], row["high, %"]) == pytest.approx(np.percentile(means, [2.5, 97.5]), abs=0.02)


def test_an_absent_folder_is_said_to_be_absent(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        sweep.collect(tmp_path / "nowhere")
    assert list(sweep.collect(tmp_path).columns)[:3] == ["run", "status", "reason"]


# The command line


@pytest.fixture
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a cluster was started")

    monkeypatch.setattr(command, "connect", refuse)


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch, runs: list[Run]) -> Inline:
    """The command line with `Inline` for a cluster."""
    pool = Inline(runs)

    monkeypatch.setattr(command, "connect", lambda *_: contextlib.nullcontext(Pool(pool, lambda: 2)))
    return pool


GRID = ["--n-labels", "20", "50", "--seeds", "0", "1"]


@pytest.mark.usefixtures("no_cluster")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--methods", "sgan", "sgam"], "method must be one of supervised, gan"),
        (["--dataset", "nmist"], "dataset must be one of mnist, digits"),
        (["--preset", "qick"], "preset must be one of quick, standard, paper; got 'qick'"),
        (["--n-labels", "-5"], "n_labels must be a whole number of at least 1; got -5"),
        (["--workers", "0"], "--workers must be a whole number of at least 1; got 0"),
        (["--device", "tpu"], "--device must be one of auto, cpu, cuda, mps; got 'tpu'"),
        (["--set", "shift"], "--set must be NAME=VALUE, such as --set shift=2; got 'shift'"),
        (["--set", "shift=1", "--set", "shift=2"], "--set is given more than once for shift"),
        (["--set", "shft=1"], "run has no argument 'shft'"),
        (["--set", "network=cnn"], "method 'sgan' needs a network with a generator; 'cnn' has none"),
        (["--set", "shift=-1"], "shift must be a whole number of at least 0; got -1"),
        (["--set", "seed=1"], "seed cannot be set for the whole grid"),
        (["--notebook", "nowhere.ipynb"], "nowhere.ipynb"),
        (["--notebook", "{other}"], "other has no parameter 'method'"),
        (["--collect"], "no folder"),
    ],
)
def test_a_bad_request_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    cell = nbformat.v4.new_code_cell("colour = 1", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "other.ipynb")
    arguments = [text.format(other=tmp_path / "other.ipynb") for text in arguments]
    assert command.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_cluster")
def test_a_dry_run_lists_the_grid_and_runs_nothing(
    tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run_inline(runs[:2], tmp_path)
    (tmp_path / runs[1].name / "result.json").write_text("{")
    assert command.main([*GRID, "--out", str(tmp_path), "--dry-run", "--workers", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{runs[0].name}: done"
    assert lines[1].startswith(f"{runs[1].name}: corrupt, to be run again (")
    assert lines[2:8] == [f"{run.name}: missing" for run in runs[2:]]
    assert lines[8].startswith("8 runs: 1 done, 7 to do; about 0 min ")
    assert lines[8].endswith("with 2 workers")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_sweep_ends_with_a_table_and_its_exit_code(
    tmp_path: Path, inline: Inline, capsys: pytest.CaptureFixture[str]
) -> None:
    inline.answer = fail_at_50
    assert command.main([*GRID, "--out", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "digits-sgan-50-seed0-quick failed: DivergenceError: training diverged at step 50" in printed.err
    table = printed.out[printed.out.index("n_labels") :].splitlines()
    rows = ["20 sgan 2 0", "20 supervised 2 0", "50 sgan 0 2", "50 supervised 1 1"]
    assert [line.split()[:4] for line in table[1:5]] == [row.split() for row in rows]
    assert f"Every run: {tmp_path / 'results.csv'}" in printed.out
    assert len(pd.read_csv(tmp_path / "results.csv")) == 8
    inline.answer = lambda run: Ended("{}", result_of(run))
    before = len(inline.asked)
    assert command.main([*GRID, "--out", str(tmp_path)]) == 0
    assert len(inline.asked) - before == 3
    assert "8 runs: 5 done, 3 to do" in capsys.readouterr().out


@pytest.mark.usefixtures("no_cluster")
def test_a_complete_sweep_needs_no_cluster(tmp_path: Path, runs: list[Run], capsys: pytest.CaptureFixture[str]) -> None:
    run_inline(runs, tmp_path)
    others = sweep.grid(["sgan"], "moons", [4], [0])
    run_inline(others, tmp_path)
    assert command.main([*GRID, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "8 runs: 8 done, 0 to do\n" in printed
    assert "moons" not in printed
    assert command.main(["--collect", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'results.csv'}: 9 runs\n"
    assert len(pd.read_csv(tmp_path / "results.csv")) == 9


def test_settings_for_the_whole_grid_reach_every_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Run] = []
    monkeypatch.setattr(command, "_run", lambda todo, _: asked.extend(todo))
    arguments = ["--set", "shift=1", "--set", "feature_norm=l1", "--set", "threads=None", "--out", str(tmp_path)]
    assert command.main([*GRID, *arguments]) == 1  # since nothing was run
    assert len(asked) == 8
    assert {(r.settings.shift, r.settings.feature_norm, r.settings.threads) for r in asked} == {(1, "l1", None)}


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run", interrupt)
    assert command.main(["--out", str(tmp_path)]) == 130
    assert "the same command runs what is missing" in capsys.readouterr().err


# With kernels, workers and clusters

STAND_IN = """
import json, time
with open({log!r}, "a") as log:
    log.write(f"{{method}} {{n_labels}} {{seed}}\\n")
time.sleep({pause})
if n_labels == 1000:
    raise ValueError("1000 is too many for a stand-in")
with open(result_file, "w") as file:
    json.dump(json.loads({results!r})[f"{{method}} {{n_labels}} {{seed}}"], file)
"""


def stand_in(folder: Path, runs: list[Run], pause: float) -> Path:
    """A notebook with the parameters of `run_experiment` that trains nothing and needs no torch: fast to start."""
    results = {}
    for run in runs:
        result_of(run).to_json(folder / "one.json")
        s = run.settings
        results[f"{s.method} {s.n_labels} {s.seed}"] = json.loads((folder / "one.json").read_text())
    body = STAND_IN.format(log=str(folder / "log"), pause=pause, results=json.dumps(results))
    template = nbformat.read(sweep.find_template(), as_version=4)
    [parameters] = [cell for cell in template.cells if "parameters" in cell.metadata.get("tags", [])]
    template.cells = [parameters, nbformat.v4.new_code_cell(body)]
    nbformat.write(template, folder / "stand_in.ipynb")
    return folder / "stand_in.ipynb"


def test_a_task_sends_back_the_notebook_with_the_result_or_the_reason(tmp_path: Path) -> None:
    good, bad = sweep.grid(["sgan"], "digits", [20, 1000], [0])
    template = stand_in(tmp_path, [good], pause=0).read_text()
    ended = sweep.execute(template, good.parameters("cpu"))
    assert (ended.result, ended.reason) == (result_of(good), "")
    injected = nbformat.reads(ended.notebook, as_version=4).cells[1]
    assert 'method = "sgan"' in injected.source.splitlines()
    ended = sweep.execute(template, bad.parameters("cpu"))
    assert (ended.result, ended.reason) == (None, "ValueError: 1000 is too many for a stand-in")
    assert "1000 is too many" in ended.notebook
    elsewhere = sweep.execute(template, good.parameters("cpu") | {"result_file": "other.json"})
    assert elsewhere.reason.startswith("FileNotFoundError: ")
    ended = sweep.execute("{", good.parameters("cpu"))
    assert (ended.notebook, ended.result) == ("", None)
    assert ended.reason.startswith("NotJSONError: ")


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `python -m sgan_lib.sweep` as a process whose output goes into a file; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*arguments: str) -> subprocess.Popen[bytes]:
        full = [sys.executable, "-m", "sgan_lib.sweep", "--out", str(tmp_path / "out"), *arguments]
        with (tmp_path / f"printed-{len(started)}").open("w") as printed:
            started.append(subprocess.Popen(full, stdout=printed, stderr=subprocess.STDOUT, cwd=tmp_path))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def printed_in(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("printed-*")))


def wait_until(condition: Callable[[], bool], folder: Path, seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, printed_in(folder)
        time.sleep(0.05)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_killed_sweep_goes_on_where_it_was(tmp_path: Path, runs: list[Run], start: Start) -> None:
    """kill -9 in the middle: what was done stays, nothing is left locked or half written, no process stays behind."""
    arguments = [*GRID, "--workers", "2", "--notebook", str(stand_in(tmp_path, runs, pause=0.5))]
    first = start(*arguments)

    def results() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/result.json")}

    wait_until(lambda: len(results()) >= 2 or first.poll() is not None, tmp_path)
    [dashboard] = re.findall(r"watch it at (http://127\.0\.0\.1:\d+/status)", printed_in(tmp_path))
    with urllib.request.urlopen(dashboard, timeout=30) as page:
        assert b"Bokeh" in page.read()  # without that package, the page asks for it
    family = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = results()
    assert 2 <= len(before) < 8, printed_in(tmp_path)
    second = start(*arguments)  # at once, while what the first one started is still dying
    assert second.wait(300) == 0, printed_in(tmp_path)
    assert {path: results()[path] for path in before} == before
    for run in runs:
        assert sweep.read_state(run, tmp_path / "out").result == result_of(run)
    assert list((tmp_path / "out").rglob("*.partial")) == []
    log = (tmp_path / "log").read_text().splitlines()
    assert len(set(log)) == 8
    assert len(log) - 8 <= 3  # at most the runs in flight are run twice: two running and one queued
    wait_until(lambda: not any(process.is_running() for process in family), tmp_path, 30)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_two_sweeps_at_once_run_everything_once(tmp_path: Path, start: Start) -> None:
    runs = sweep.grid(["supervised", "sgan"], "digits", [20, 1000], [0, 1])
    arguments = ["--n-labels", "20", "1000", "--seeds", "0", "1", "--workers", "1"]
    arguments += ["--notebook", str(stand_in(tmp_path, runs, pause=0.2))]
    both = [start(*arguments), start(*arguments)]
    assert [process.wait(400) for process in both] == [1, 1], printed_in(tmp_path)
    assert sorted((tmp_path / "log").read_text().splitlines()) == sorted(
        f"{r.settings.method} {r.settings.n_labels} {r.settings.seed}" for r in runs
    )
    table = pd.read_csv(tmp_path / "out" / "results.csv")
    assert table.groupby("n_labels")["status"].unique().map(list).to_dict() == {20: ["done"], 1000: ["failed"]}
    assert set(table["reason"].dropna()) == {"ValueError: 1000 is too many for a stand-in"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler with one worker, each a process of its own that shares no folder with the sweep."""
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "scheduler.json"
    module = [sys.executable, "-m"]
    scheduler = ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0"]
    worker = ["distributed.cli.dask_worker", "--nworkers", "1", "--nthreads", "1", "--no-dashboard"]
    processes = []
    with (tmp_path / "printed-cluster").open("w") as printed:
        for command in (scheduler, worker):
            full = [*module, *command, "--scheduler-file", str(file), "--preload", "sgan_lib.sweep"]
            processes.append(
                subprocess.Popen(full, cwd=tmp_path / "elsewhere", stdout=printed, stderr=subprocess.STDOUT)
            )
    wait_until(file.exists, tmp_path)
    yield json.loads(file.read_text())["address"]
    for process in reversed(processes):
        process.terminate()
        process.wait(60)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_cluster_runs_the_real_notebook_and_a_copy_run_alone_finds_the_same(
    tmp_path: Path, start: Start, cluster: str
) -> None:
    arguments = ["--methods", "sgan", "bad_gan", "--n-labels", "20", "--seeds", "1"]
    arguments += ["--set", "steps=40", "--set", "pull_away_weight=1e9", "--device", "cpu", "--scheduler", cluster]
    assert start(*arguments).wait(300) == 1, printed_in(tmp_path)
    good, bad = sweep.grid(["sgan", "bad_gan"], "digits", [20], [1], steps=40, pull_away_weight=1e9)  # one uses it
    there = sweep.read_state(good, tmp_path / "out")
    assert there.result is not None, printed_in(tmp_path)
    assert sweep.read_state(bad, tmp_path / "out").reason.startswith("DivergenceError: ")
    assert sweep.read_state(bad, tmp_path / "out").status == "failed"
    assert "pull_away" in (tmp_path / "out" / bad.name / NOTEBOOK).read_text()

    copy = tmp_path / "out" / good.name / NOTEBOOK
    headline = course.read_headline(copy)
    assert headline == f"sgan, digits, 20 labels, seed 1: test error {there.result.test_error:.2%}"
    again = course.run_notebook(copy, {}, tmp_path / "again", cwd=tmp_path / "again")
    assert course.read_headline(again) == headline
    kept = (copy.parent / "result.json").read_bytes()
    course.run_notebook(copy, {}, tmp_path / "in place", cwd=copy.parent)  # as JupyterLab does
    assert (copy.parent / "result.json").read_bytes() == kept
    assert timeless(RunResult.from_json(tmp_path / "again" / "result.json")) == timeless(there.result)


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_a_copy_finds_the_same_on_a_machine_that_offers_more_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        place = tmp_path / threads
        given = {"method": "supervised", "dataset": "mnist", "device": "cpu", "result_file": "result.json"}
        course.run_notebook(sweep.find_template(), given | {"overrides": {"steps": 30}}, place, cwd=place)
        found.append(timeless(RunResult.from_json(place / "result.json")))
    assert found[0] == found[1]


def timeless(result: RunResult) -> dict[str, Any]:
    """All of a result but how long it took."""
    content = asdict(replace(result, modules=None, seconds=0.0))
    return content | {"history": [asdict(replace(record, seconds=0.0)) for record in result.history]}


@pytest.mark.integration
def test_an_address_where_nothing_answers_is_refused(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "2s")
    process = start("--scheduler", "tcp://127.0.0.1:9")
    assert process.wait(100) == 2
    assert "error: " in printed_in(tmp_path)
    assert "127.0.0.1:9" in printed_in(tmp_path)
