"""A sweep runs what is missing, once, whatever happens to it; and its table says what its results say."""

import concurrent.futures
import csv
import json
import os
import re
import shutil
import tempfile
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
import torch
from distributed import Client
from PIL import Image

from sgan_lib import data, sweep
from sgan_lib.course.stored import course_file
from sgan_lib.experiments import RunResult, resolve
from sgan_lib.networks import NETWORKS
from sgan_lib.sweep import __main__ as command
from sgan_lib.sweep import running
from sgan_lib.training import Record


def result_of(run):
    """A result that no training made; its numbers differ from run to run and have many digits."""
    s = run.settings
    error = (s.n_labels + s.seed + len(s.method)) / 997
    history = [Record(s.steps, error, {"term": 1 / 3}, 2e-3, {"validation_error": error / 3})]
    versions = {"python": "3.11.7", "torch": "2.13.0+cpu", "torchvision": "0.28.0", "sgan_lib": "0.1.0"}
    return RunResult(s, error, (error / 7, error * 2), [[1, 2], [3, 4]], history, 10 * error, "cpu", versions)


def ended(result):
    with tempfile.TemporaryDirectory() as name:
        result.to_json(Path(name) / "result.json")
        return "{}", (Path(name) / "result.json").read_text(), ""


def fail_at_50(run):
    if run.settings.n_labels == 50 and run.settings.method == "sgan":
        return "{}", "", "DivergenceError: training diverged at step 50"
    if run.settings.n_labels == 50 and run.settings.seed == 1:
        raise MemoryError("the worker was killed")
    return ended(result_of(run))


@pytest.fixture
def dask(monkeypatch):
    """In place of a client: no process, no kernel. `answer` is what a run gives; `asked`, `released` list the runs."""
    client = MagicMock(
        spec=Client, used=[], asked=[], released=[], dashboard_link="http://127.0.0.1:1",
        answer=lambda run: ended(result_of(run)),
    )  # fmt: skip
    client.__enter__.return_value = client

    def submit(task, template, p, pure, workers):
        assert (task, pure) == (running.execute, False)  # if pure, a run that failed would be answered from memory
        [run] = sweep.grid([p["method"]], p["dataset"], [p["n_labels"]], [p["seed"]], p["preset"], **p["overrides"])
        client.asked.append(run.name)
        client.used.append(workers)
        future = Future()
        future.release = lambda: client.released.append(run.name)
        try:
            future.set_result(client.answer(run))
        except MemoryError as error:
            future.set_exception(error)
        return future

    client.submit = submit
    monkeypatch.setattr(running, "Client", lambda *_, **__: client)
    monkeypatch.setattr(running, "as_completed", concurrent.futures.as_completed)
    return client


@pytest.fixture
def no_gpu(monkeypatch):
    for kind in (torch.cuda, torch.backends.mps):
        monkeypatch.setattr(kind, "is_available", lambda: False)


@pytest.fixture
def runs():
    return sweep.grid(["supervised", "sgan"], "digits", [20, 50], [0, 1])


def test_the_grid_has_every_combination_once_and_finishes_seed_after_seed(runs):
    points = [(r.settings.seed, r.settings.split_seed, r.settings.n_labels, r.settings.method) for r in runs]
    assert points == [(seed, seed, n, method) for seed in (0, 1) for n in (20, 50) for method in ("supervised", "sgan")]
    assert sweep.grid(["supervised", "sgan"] * 2, "digits", [20, 50] * 2, [0, 1] * 2) == runs
    [run] = sweep.grid(["sgan"], "mnist", [100], [3], "standard", shift=2, split_seed=7)
    assert run.name == "mnist-sgan-100-seed3-standard-shift=2-split_seed=7"
    assert run.settings == resolve("sgan", "mnist", "standard", n_labels=100, seed=3, split_seed=7, shift=2)
    with pytest.raises(ValueError, match="seeds must each hold at least one"):
        sweep.grid(["sgan"], "digits", [20], [])


def test_names_of_runs_differ_and_fit_a_file_system_however_many_settings():
    many = {"learning_rate": 0.001, "beta2": 0.99, "hold": 0.7, "epsilon": 1e-7, "average_decay": 0.9}
    many |= dict.fromkeys(("beta1", "adversarial_weight", "generator_rate", "weight_decay", "last_rate"), 0.123456789)
    names = {run.name for run in sweep.grid(["sgan"], "digits", [20], range(3), **many)}
    assert len(names) == 3
    assert max(map(len, names)) <= 200  # beside the ends of file names, below the 255 of a file system


def test_workers_with_other_versions_are_named_and_left_out(dask, runs, tmp_path):
    ours = {"torch:__version__": torch.__version__.partition("+")[0] + "+cu126", "sgan_lib:__version__": "0.1.0"}
    theirs = {"tcp://a:1": ours, "tcp://b:2": ours | {"sgan_lib:__version__": "0.0.9"},
              "tcp://c:3": dict.fromkeys(ours, ModuleNotFoundError("No module named 'torch'"))}  # fmt: skip
    dask.nthreads.return_value = dict.fromkeys(theirs, 1)
    dask.run.side_effect = lambda _, name, on_error: {worker: has[name] for worker, has in theirs.items()}
    told = []
    sweep.run(runs[:1], tmp_path, scheduler="tcp://host:1", say=told.append)
    assert dask.used == [["tcp://a:1"]]
    assert any("tcp://b:2 is left out; sgan_lib there: 0.0.9, here: 0.1.0" in line for line in told)
    assert any("tcp://c:3 is left out" in line and "No module named 'torch'" in line for line in told)
    del theirs["tcp://a:1"], dask.nthreads.return_value["tcp://a:1"]
    with pytest.raises(ConnectionError, match=r"no worker of the cluster can run this: .*sgan_lib there: 0\.0\.9"):
        sweep.run(runs[1:2], tmp_path, scheduler="tcp://host:1")
    dask.run.side_effect = lambda *_, **__: {}
    dask.answer = lambda run: ended(replace(result_of(run), versions=result_of(run).versions | {"sgan_lib": "0.0.9"}))
    sweep.run(runs[2:3], tmp_path)
    sweep.run(runs[:3:2], tmp_path, say=told.append)
    assert any("results of sgan_lib 0.0.9 are among them" in line for line in told)


def test_an_estimate_comes_from_the_folder_or_else_is_rough(dask, runs, tmp_path):
    dask.answer = lambda run: ended(replace(result_of(run), seconds=[30.0, 1500.0, 60.0][len(dask.asked) - 1]))
    table = sweep.run(runs[:3], tmp_path)
    more = sweep.grid(["sgan"], "digits", [20], range(5, 9), steps=2 * runs[0].settings.steps)
    text = sweep.estimate(more, table, workers=2)
    assert text == "about 0:04:12 h with 2 workers (an estimate, from the folder)"  # 4 · (6 + 2 · 60) s / 2
    more += sweep.grid(["sgan"], "mnist", [20], [0], steps=round(90 / NETWORKS["mlp_small"].step_seconds))
    text = sweep.estimate(more, table, workers=9)  # no more than there are runs
    assert text.startswith("about 0:02:00 h with 9 workers (an estimate, rough for 1")


def test_only_what_is_missing_is_run_and_the_rest_not_touched(dask, runs, tmp_path):
    out = tmp_path / "new" / "folder"
    assert set(sweep.run(runs[2:5], out)["run"]) == {run.name for run in runs[2:5]}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.json")}
    assert len(sweep.run(runs * 2, out)) == 8
    assert dask.asked == [run.name for run in runs[2:5] + runs[:2] + runs[5:]]
    assert sorted(dask.released) == sorted(dask.asked)  # else Dask runs them again where their worker dies later
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for run in runs:
        assert RunResult.from_json(out / run.name / "result.json") == result_of(run)
        assert (out / run.name / "run_experiment.ipynb").read_text() == "{}"
    dask.nthreads.return_value, told = {}, []
    assert list(sweep.run(sweep.grid(["gan"], "digits", [20], [0]), out, say=told.append)["test_error"]) == [23 / 997]
    assert "the cluster has no workers now; waiting for one" in told[2]


def test_what_fails_leaves_its_reason_and_is_tried_again(dask, runs, tmp_path):
    dask.answer, told = fail_at_50, []
    reasons = {
        "digits-sgan-50-seed0-quick": "DivergenceError: training diverged at step 50",
        "digits-sgan-50-seed1-quick": "DivergenceError: training diverged at step 50",
        "digits-supervised-50-seed1-quick": "MemoryError: the worker was killed",
    }
    with pytest.raises(RuntimeError) as caught:
        sweep.run(runs, tmp_path, say=told.append)
    assert set(str(caught.value).splitlines()) == {f"{name} failed: {reason}" for name, reason in reasons.items()}
    assert set(str(caught.value).splitlines()) < set(told)
    for name, reason in reasons.items():
        assert json.loads((tmp_path / name / "failure.json").read_text())["reason"] == reason
        assert (tmp_path / name / "run_experiment.ipynb").exists() == ("sgan" in name)
        (tmp_path / name / "result.json.7.partial").touch()  # of a sweep that was killed
    dask.answer, dask.asked = lambda run: ended(result_of(run)), []
    assert set(sweep.run(runs, tmp_path)["status"]) == {"done"}
    assert set(dask.asked) == set(reasons)
    assert [*tmp_path.rglob("failure.json"), *tmp_path.rglob("*.partial")] == []


def test_a_result_of_other_settings_or_another_device_is_stale(dask, runs, tmp_path, monkeypatch):
    folder, told = tmp_path / runs[0].name, []
    old = replace(result_of(runs[0]), settings=replace(runs[0].settings, steps=7, hold=0.25), device="cuda:0")
    old.to_json(folder / "result.json")
    reason = "result.json has steps 7, not 1500, hold 0.25, not 0.5, device cuda:0, not cpu"
    assert sweep.read_state(folder, runs[0].settings, "cpu") == ("stale", reason, {})
    for device, status in {"auto": "done", "cuda": "done", "cpu": "stale"}.items():
        assert sweep.read_state(folder, old.settings, device).status == status
    dask.answer = lambda run: ended(old)  # a worker with another library
    with pytest.raises(RuntimeError, match=f"{runs[0].name} failed: {reason}"):
        sweep.run(runs[:1], tmp_path, device="cpu", say=told.append)
    assert told[0] == f"{runs[0].name}: stale, to be run again ({reason})"
    assert RunResult.from_json(folder / "result.old.json") == old
    assert not (folder / "result.json").exists()
    monkeypatch.setattr(Path, "read_text", MagicMock(side_effect=FileNotFoundError))  # cleared by another sweep
    assert sweep.read_state(folder).status == "missing"


def test_the_csv_equals_the_results(dask, runs, tmp_path):
    unmeasured = {"test_error": None, "test_error_interval": None, "confusion_matrix": None}  # as of a plain GAN
    dask.answer = lambda run: ended(replace(result_of(run), **(unmeasured if run == runs[0] else {})))
    sweep.run(runs, tmp_path)
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert sorted(row["run"] for row in rows) == sorted(run.name for run in runs)
    for row in rows:
        stored = json.loads((tmp_path / row["run"] / "result.json").read_text())
        low, high = stored["test_error_interval"] or (None, None)
        wanted = {
            **stored["settings"], **stored["versions"], "run": row["run"], "status": "done", "reason": "",
            "validation_error": stored["history"][-1]["scores"]["validation_error"], "test_error_low": low,
            "test_error_high": high, **{n: stored[n] for n in ("test_error", "seconds", "device", "confusion_matrix")},
        }  # fmt: skip
        assert row == {name: "" if value is None else str(value) for name, value in wanted.items()}


def test_a_complete_folder_for_reading_only_gives_its_table(dask, runs, tmp_path, monkeypatch):
    table = sweep.run(runs, tmp_path)
    (tmp_path / ".lock").unlink()
    (tmp_path / "results.csv").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert sweep.run(runs, tmp_path).astype(str).to_dict() == table.astype(str).to_dict()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(run.name for run in runs)


def test_damaged_results_are_named_and_the_others_stay(dask, runs, tmp_path):
    """300 mutations: a flipped bit, a cut, a value of another kind. Each is corrupt, by name, or reads as it was."""
    table, random = sweep.run(runs, tmp_path), np.random.RandomState(0)
    path, others = tmp_path / runs[3].name / "result.json", table[table["run"] != runs[3].name]
    whole, content = path.read_bytes(), json.loads(path.read_text())
    odd = [None, [], {}, "seven", -1, 1e400, [[[[]]]], True]
    variants = [whole[:place] for place in random.randint(len(whole) - 1, size=90)]
    for place, bit in zip(random.randint(len(whole), size=120), random.randint(8, size=120), strict=True):
        variants.append(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
    for _ in range(90):
        name = random.choice(sorted(content))
        variants.append(json.dumps(content | {name: odd[random.randint(len(odd))]}).encode())
    no_results = [json.dumps(content | {"versions": None}).encode(), b"[" * 100_000, None]
    for variant in variants + no_results:
        path.write_bytes(variant) if variant is not None else (path.unlink(), path.mkdir())
        found = sweep.collect(tmp_path, object).set_index("run")
        assert found.loc[runs[3].name, "status"] in ("corrupt", *["done"] * (variant not in no_results)), variant
        if found.loc[runs[3].name, "status"] == "corrupt":
            assert runs[3].name in found.loc[runs[3].name, "reason"], variant
        rest = found.loc[list(others["run"])]
        assert rest.astype(str).to_dict() == others.set_index("run").astype(str).to_dict()


def test_failed_and_damaged_runs_have_a_row_too(dask, runs, tmp_path):
    dask.answer = fail_at_50
    summary = sweep.summarise(sweep.run(runs, tmp_path, strict=False)).set_index(["method", "n_labels"])
    low, high = 3000 / 997, 3100 / 997
    mean, half = (low + high) / 2, 12.706 * (high - low) / 2  # Student's t with 1 degree of freedom
    wanted = [2, 0, mean, (high - low) / np.sqrt(2), mean - half, mean + half]
    assert list(summary.loc["supervised", 20]) == pytest.approx(wanted, rel=1e-4)
    assert list(summary.loc["sgan", 50])[:2] == [0, 2]
    two = pd.concat([sweep.collect(tmp_path).assign(shift=shift) for shift in (0, 1)])
    with pytest.raises(ValueError, match="table must hold one sweep; runs of sgan differ in shift"):
        sweep.summarise(two)
    (tmp_path / runs[0].name / "result.json").write_text("{")
    (tmp_path / runs[7].name / "failure.json").write_text('{"reason": "", "settings": {"n_labels": [1]}}')
    (tmp_path / "notes").mkdir()
    table = sweep.write_csv(tmp_path).set_index("run")
    assert table["status"].value_counts().to_dict() == {"done": 4, "failed": 2, "corrupt": 2}
    assert "does not hold a RunResult" in table.loc[runs[0].name, "reason"]
    [line] = [line for line in (tmp_path / "results.csv").read_text().splitlines() if "digits-sgan-50-seed0" in line]
    assert ",failed,DivergenceError: training diverged at step 50,sgan,digits,50,0,0,quick," in line


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [("--methods sgan sgam", "method must be one of supervised, gan"), ("--n-labels 20 5000", "1347; got 5000"),
     ("--dataset nmist", "dataset must be one of mnist, digits"), ("--set shft=1", "run has no argument 'shft'"),
     ("--workers 0", "workers must be a whole number of at least 1"), ("--set network=own", "network must be one of"),
     ("--device tpu", "device must be one of auto, cpu, cuda, mps"), ("--notebook nowhere.ipynb", "nowhere.ipynb"),
     ("--set feature_norm", "feature_norm must be one of l1, l2"), ("--collect", "No such file or directory"),
     ("--set network=cnn", "method 'sgan' needs a network with a generator"),
     ("--set seed=1", "seed cannot be set for the whole grid"),
     ("--set preset=paper", "--set must name each setting once, and none that has an option of its own; got preset"),
     ("--set shift=1 --set shift=2", "--set must name each setting once"),
     ("--dataset moons --set shift=3 --dry-run", "shift must be a whole number of at least 0 and at most 0; got 3"),
     ("--dataset rings --set network=dcgan --dry-run", "'dcgan' takes images"),
     ("--device cuda --dry-run", "device must be one of auto, cpu; got 'cuda'"),
     (f"--notebook {course_file('notebooks', '00_start_here.ipynb')}", "00_start_here has no parameter 'method'")],
)  # fmt: skip
def test_a_bad_request_is_refused_before_anything_starts(tmp_path, capsys, dask, no_gpu, arguments, complaint):
    assert command.main([*arguments.split(), "--out", str(tmp_path / "out")]) == 2
    assert complaint in capsys.readouterr().err
    assert dask.asked == []
    assert not (tmp_path / "out").exists()


def test_the_command_line_from_a_dry_run_to_the_table(dask, tmp_path, runs, capsys):
    def main(*more, options="--n-labels 20 50 --seeds 0 1 --workers 2"):
        return command.main([*options.split(), "--out", str(tmp_path), *more]), capsys.readouterr().out

    sweep.run(runs[:2], tmp_path, say=str)
    (tmp_path / runs[1].name / "result.json").write_text("{")
    before = sorted(tmp_path.rglob("*"))
    code, printed = main("--dry-run")
    lines = printed.splitlines()
    assert (code, lines[0], lines[2:8]) == (0, f"{runs[0].name}: done", [f"{run.name}: missing" for run in runs[2:]])
    assert lines[1].startswith(f"{runs[1].name}: corrupt, to be run again (")
    assert lines[8].startswith("8 runs: 1 done, 7 to do; about 0:")
    assert (sorted(tmp_path.rglob("*")), len(dask.asked)) == (before, 2)
    settings = ("--set", "shift=1", "--set", "feature_norm=l1", "--set", "threads=None")
    dask.answer = fail_at_50
    code, printed = main(*settings)
    assert code == 1
    assert "digits-sgan-50-seed0-quick-feature_norm=l1-shift=1-threads=None failed: DivergenceError: " in printed
    rows = [line.split()[:4] for line in printed[printed.index("n_labels") :].splitlines()[1:5]]
    assert rows == [row.split() for row in ("20 sgan 2 0", "20 supervised 2 0", "50 sgan 0 2", "50 supervised 1 1")]
    table = pd.read_csv(tmp_path / "results.csv").query("status == 'done' and feature_norm == 'l1' and shift == 1")
    assert len(table) == 5
    dask.answer = MagicMock(side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        main(*settings)
    dask.answer, dask.asked = lambda run: ended(result_of(run)), []
    code, printed = main(*settings)
    assert (code, len(dask.asked)) == (0, 3)
    assert "8 runs: 5 done, 3 to do" in printed
    code, printed = main(*settings)
    assert (code, len(dask.asked)) == (0, 3)
    assert "watch it" not in printed  # no cluster was started
    assert main("--collect") == (0, f"{tmp_path / 'results.csv'}: 10 runs\n")


def test_a_folder_or_device_that_is_not_there_is_refused_before_a_result_is_set_aside(dask, runs, tmp_path, no_gpu):
    sweep.run(runs[:1], tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    with pytest.raises(ValueError, match="device must be one of auto, cpu; got 'cuda'"):
        sweep.run(runs[:1], tmp_path, device="cuda")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"^out must be a file in a folder that can be written; got .*file/out"):
        sweep.run(runs, tmp_path / "file" / "out")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before
    assert dask.asked == [runs[0].name]


def test_a_damaged_result_is_set_aside_under_a_name_of_its_own_and_run_again(dask, runs, tmp_path):
    path, told = tmp_path / runs[1].name / "result.json", []
    for content in ("first", "second", "third"):
        sweep.run(runs[:2], tmp_path)
        path.write_text(content)
    sweep.run(runs[:2], tmp_path, say=told.append)
    assert told[0].startswith(f"{runs[1].name}: corrupt, to be run again ({path} does not hold a RunResult")
    assert dask.asked == [runs[0].name, *[runs[1].name] * 4]
    assert RunResult.from_json(path) == result_of(runs[1])
    assert sorted(each.read_text() for each in path.parent.glob("result.old*.json")) == ["first", "second", "third"]


def test_a_folder_of_images_and_baselines_are_swept(dask, tmp_path, monkeypatch):
    for index in range(40):
        for folder in ("photos", "others/photos"):
            place = tmp_path / folder / str(index % 2) / f"{index}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8), index, dtype=np.uint8)).save(place)
    runs, again, others = (sweep.grid(["linear", "sgan"], str(tmp_path / folder), [4, 8], [0])
                           for folder in ("photos", "photos", "others/photos"))  # fmt: skip
    assert [re.sub("-[0-9a-f]{6}-", "-…-", run.name) for run in runs][:2] == [
        "photos-…-linear-4-seed0-quick", "photos-…-sgan-4-seed0-quick"]  # fmt: skip
    names = [{run.name for run in each} for each in (runs, again, others)]
    assert names[0] == names[1]
    assert names[0].isdisjoint(names[2])  # another folder may be called photos too
    assert {run.settings.dataset for run in runs} == {str(tmp_path / "photos")}
    monkeypatch.setenv("HOME", str(tmp_path))
    read = MagicMock(side_effect=data.load)
    monkeypatch.setattr(data, "load", read)
    assert sweep.grid(["linear", "sgan"], "~/photos", [4, 8], [0]) == runs
    assert read.call_count == 1
    for n_labels, message in ((33, "at most 32"), (1, "at least 2")):
        with pytest.raises(ValueError, match=f"n_labels must be .*{message}.*; got {n_labels}"):
            sweep.grid(["sgan"], "~/photos", [n_labels], [0])
    assert "4 workers" not in sweep.estimate(runs, sweep.collect(tmp_path), 1)
    shutil.copy(course_file("notebooks", "run_experiment.ipynb"), tmp_path / "run.ipynb")
    for _ in range(2):  # baselines know the CPU alone: their results are neither failures nor stale
        table = sweep.run(runs[:1], "~/out", scheduler="tcp://host:1", device="cuda", notebook="~/run.ipynb")
    assert dask.asked == [runs[0].name]
    for again in (sweep.collect("~/out"), sweep.write_csv("~/out"), pd.read_csv(tmp_path / "out" / "results.csv")):
        assert again["run"].tolist() == table["run"].tolist() == [runs[0].name]
    assert sweep.read_state(f"~/out/{runs[0].name}").status == "done"
