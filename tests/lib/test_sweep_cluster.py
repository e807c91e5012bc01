"""Sweeps as processes, on Dask's own workers: killed, two at once, on a cluster elsewhere, on one that is lost."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace

import nbformat
import psutil
import pytest

from sgan_lib import experiments, sweep
from sgan_lib.course import runner
from sgan_lib.course.stored import course_file

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]
SWEEP = ["sgan_lib.sweep", "--n-labels", 20, 50, "--set", "steps=2", "--out", "out"]
STAND_IN = """
import json, os, time
assert "MALLOC_TRIM_THRESHOLD_" not in os.environ  # Dask's, with which a step takes almost twice as long
with open({log!r}, "a") as log:
    log.write(f"{{method}} {{n_labels}} {{seed}}\\n")
{wait}
result = json.loads({result!r})
result["settings"] |= dict(method=method, n_labels=n_labels, seed=seed, split_seed=seed)
with open(result_file, "w") as file:
    json.dump(result, file)
"""


def stand_in(folder, wait="pass"):
    """A notebook with the parameters of `run_experiment` that trains nothing and needs no torch: fast to start."""
    experiments.run("sgan", "digits", 20, steps=2, device="cpu").to_json(folder / "result.json")
    body = STAND_IN.format(log=str(folder / "log"), wait=wait, result=(folder / "result.json").read_text())
    notebook = nbformat.read(course_file("notebooks", "run_experiment.ipynb"), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    notebook.cells += [nbformat.v4.new_code_cell(body)]
    nbformat.write(notebook, folder / "stand_in.ipynb")
    return folder / "stand_in.ipynb"


@pytest.fixture
def start(tmp_path):
    """Starts `python -m MODULE` as a process whose output goes into a file; none outlives the test."""
    started = []

    def start_one(*words):
        full = [sys.executable, "-m", *map(str, words)]
        with (tmp_path / f"printed-{len(started)}").open("w") as printed:
            started.append(subprocess.Popen(full, stdout=printed, stderr=subprocess.STDOUT, cwd=tmp_path))
        return started[-1]

    yield start_one
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def printed_in(folder):
    return "\n".join(path.read_text() for path in sorted(folder.glob("printed-*")))


def wait_until(condition, folder, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, printed_in(folder)
        time.sleep(0.05)


def results_in(folder):
    return {path: path.stat().st_mtime_ns for path in folder.glob("out/*/result.json")}


def test_a_killed_sweep_goes_on_where_it_was(tmp_path, start):
    """kill -9 in the middle: what was done stays, nothing is left locked or half written, no process stays behind."""
    arguments = [*SWEEP, "--seeds", 0, 1, "--workers", 2, "--notebook", stand_in(tmp_path, "time.sleep(1)")]
    first = start(*arguments)
    wait_until(lambda: "/status" in printed_in(tmp_path) or first.poll() is not None, tmp_path)
    [dashboard] = re.findall(r"watch it at (http://127\.0\.0\.1:\d+/status)", printed_in(tmp_path))
    with urllib.request.urlopen(dashboard, timeout=30) as page:
        assert b"Bokeh" in page.read()  # without that package, the page asks for it
    wait_until(lambda: len(results_in(tmp_path)) >= 2 or first.poll() is not None, tmp_path)
    family = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = results_in(tmp_path)
    assert 2 <= len(before) < 8, printed_in(tmp_path)
    assert start(*arguments).wait(300) == 0, printed_in(tmp_path)  # at once, while the first one's workers still die
    assert before.items() <= results_in(tmp_path).items()
    assert list(sweep.collect(tmp_path / "out")["status"]) == ["done"] * 8
    log = (tmp_path / "log").read_text().splitlines()
    assert len(set(log)) == 8
    assert len(log) - 8 <= 4  # at most the runs in flight are run twice: for each worker one and the next
    wait_until(lambda: not any(process.is_running() for process in family), tmp_path, 30)


def test_two_sweeps_at_once_run_everything_once(tmp_path, start):
    notebook = stand_in(tmp_path, f"while not os.path.exists({str(tmp_path / 'go')!r}): time.sleep(0.1)")
    arguments = [*SWEEP, "--seeds", 0, "--workers", 1, "--notebook", notebook]
    both = [start(*arguments), start(*arguments)]
    waits = "another sweep is at work in out; waiting for its end"
    wait_until(lambda: waits in printed_in(tmp_path) or any(process.poll() is not None for process in both), tmp_path)
    (tmp_path / "go").touch()
    assert [process.wait(400) for process in both] == [0, 0], printed_in(tmp_path)
    runs = ["sgan 20 0", "sgan 50 0", "supervised 20 0", "supervised 50 0"]
    assert sorted((tmp_path / "log").read_text().splitlines()) == runs
    assert waits in printed_in(tmp_path)


def test_a_run_that_kills_its_worker_costs_itself_alone_and_leaves_no_files(tmp_path, start, monkeypatch):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    notebook = stand_in(tmp_path)
    killer = "\nimport os\nif (method, n_labels) == ('supervised', 20):\n    os.kill(os.getppid(), 9)\n"
    written = nbformat.read(notebook, as_version=4)
    written.cells[-1].source += killer
    nbformat.write(written, notebook)
    assert start(*SWEEP, "--seeds", 0, "--workers", 1, "--notebook", notebook).wait(500) == 1, printed_in(tmp_path)
    table = sweep.collect(tmp_path / "out").set_index("run")
    [failed] = table.index[table["status"] == "failed"]
    assert failed.startswith("digits-supervised-20-")
    assert table.loc[failed, "reason"].startswith("KilledWorker: ")
    assert (table["status"] == "done").sum() == 3
    log = (tmp_path / "log").read_text().splitlines()
    assert sorted(line for line in log if line != "supervised 20 0") == ["sgan 20 0", "sgan 50 0", "supervised 50 0"]
    assert list((tmp_path / "tmp").glob("sgan-*")) == []


def test_a_script_whose_workers_would_start_the_sweep_again_is_told_so_and_ends(tmp_path):
    call = 'sweep.run(sweep.grid(["linear"], "digits", [20], [0]), Path("out"))'
    (tmp_path / "script.py").write_text(f"from pathlib import Path\nfrom sgan_lib import sweep\n{call}\n")
    ended = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, timeout=300, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "a sweep must start in the main process" in ended.stderr


@pytest.fixture
def cluster(tmp_path, start):
    """The scheduler's address and process; it has one worker, which shares no folder with the sweep."""
    local = ["--scheduler-file", tmp_path / "scheduler.json", "--no-dashboard", "--preload", "sgan_lib.sweep"]
    process = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0, *local)
    start("distributed.cli.dask_worker", "--nthreads", 1, *local)
    wait_until((tmp_path / "scheduler.json").exists, tmp_path)
    return json.loads((tmp_path / "scheduler.json").read_text())["address"], process


def test_a_cluster_runs_the_real_notebook_and_a_copy_run_alone_finds_the_same(tmp_path, start, cluster, monkeypatch):
    arguments = ["--methods", "sgan", "bad_gan", "--n-labels", 20, "--seeds", 1, "--device", "cpu", "--out", "out"]
    arguments += ["--set", "steps=40", "--set", "pull_away_weight=1e9", "--scheduler", cluster[0]]
    assert start("sgan_lib.sweep", *arguments).wait(300) == 1, printed_in(tmp_path)
    good, bad = sweep.grid(["sgan", "bad_gan"], "digits", [20], [1], steps=40, pull_away_weight=1e9)  # one uses it
    assert sweep.read_state(tmp_path / "out" / bad.name).reason.startswith("DivergenceError: ")
    assert "pull_away" in (tmp_path / "out" / bad.name / "run_experiment.ipynb").read_text()

    copy = tmp_path / "out" / good.name / "run_experiment.ipynb"
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # as on a machine that offers more
    again = runner.run_notebook(copy, {}, tmp_path / "again", cwd=tmp_path / "again")
    results = [experiments.RunResult.from_json(path.with_name("result.json")) for path in (copy, again)]
    for result in results:
        result.history[:] = [replace(record, seconds=0.0) for record in result.history]
    assert replace(results[0], seconds=0.0) == replace(results[1], seconds=0.0)


def test_a_lost_cluster_ends_the_sweep_with_an_error(tmp_path, start, cluster, monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "2s")
    address, scheduler = cluster
    arguments = [*SWEEP, "--scheduler", address, "--notebook", stand_in(tmp_path, "time.sleep(20)")]
    process = start(*arguments)
    wait_until((tmp_path / "log").exists, tmp_path)
    scheduler.kill()
    assert process.wait(100) == 2
    assert re.search(r"^error: digits-\S+ was dropped: the cluster is gone", printed_in(tmp_path), re.MULTILINE)
    assert start(*arguments).wait(100) == 2
    assert f"error: Timed out trying to connect to {address}" in printed_in(tmp_path)
