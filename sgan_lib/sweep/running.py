"""How it runs: each run a Dask task that executes the notebook `run_experiment` in a kernel of its own.

A task works in a temporary folder of its worker and sends back what became of it. Only the process that runs the sweep
writes into the sweep's folder, so the workers of a cluster need this library and nothing else: no shared disk.
"""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from importlib.metadata import version
from multiprocessing import current_process
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import dask
import pandas as pd
from distributed import Client, as_completed
from filelock import FileLock, Timeout
from tqdm import tqdm

from sgan_lib.course.runner import check_parameters, copy_of, run_notebook
from sgan_lib.course.stored import course_file
from sgan_lib.runtime import check_choice, check_path, check_whole_number, check_writable, choose_device
from sgan_lib.sweep.folder import COLUMNS, collect, read_state, record, write_csv
from sgan_lib.sweep.plan import NOTEBOOK, RESULT, Run, estimate

Say = Callable[[str], None]
_DASK = {  # of a cluster on this machine
    "distributed.scheduler.worker-saturation": 1.0,  # no worker holds what waits: its death is blamed on all it holds
    "distributed.deploy.lost-worker-timeout": "1h",  # by default, a worker that is not back in 15 seconds is given up
}


def run(
    runs: Sequence[Run], out: str | Path, workers: int = 1, scheduler: str | None = None, device: str = "auto",
    say: Say = print, notebook: str | Path | None = None, strict: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Run what is missing and return `collect`'s rows of these runs.

    Args:
        runs: as from `grid`.
        out: the folder of results. Sweeps on the same folder take turns.
        workers: runs at a time on this machine, each in a process of one thread.
        scheduler: address of the Dask cluster to run on instead, "tcp://HOST:PORT", or "tls://HOST:PORT" with the
            certificates that Dask's configuration names (`distributed.comm.tls`).
        device: "auto", "cpu", "cuda" or "mps".
        say: called with what a reader should know.
        notebook: stands in for `run_experiment`, with the same parameters.
        strict: raise where runs failed; otherwise they are rows like the others.

    Raises:
        RuntimeError: where runs failed, once all have ended; names each, and its reason. Also where a script does not
            call this below `if __name__ == "__main__":`, as whatever starts processes must be called.
        ValueError, TypeError: for a bad argument, before anything starts.
        OSError: where no cluster answers or it is lost, and where the folder cannot be written.
    """
    if getattr(current_process(), "_inheriting", False):  # a worker importing the caller's script: the lock is taken
        raise RuntimeError('a sweep must start in the main process: in a script, below if __name__ == "__main__":')
    template = show_plan(runs, out := check_path("out", out), workers, scheduler, device, say, notebook)
    if out.is_dir() and not os.access(out, os.W_OK) and not _missing(runs, out, device):
        table = collect(out, object)  # complete, and for reading only
    else:
        with _turn(out, say):
            if todo := _missing(runs, out, device):
                _run_all(todo, out, min(workers, len(todo)), scheduler, device, template, say)
            table = write_csv(out)
    table = table[table["run"].isin([run.name for run in runs])].infer_objects()
    if strict and len(failed := table[table["status"] != "done"]):
        raise RuntimeError("\n".join(failed["run"] + " failed: " + failed["reason"]))
    return table


def _missing(runs: Sequence[Run], out: Path, device: str) -> list[Run]:
    return [run for run in dict.fromkeys(runs) if read_state(out / run.name, run.settings, device).status != "done"]


def _turn(out: Path, say: Say) -> Any:
    """The folder's lock, held; the system ends it with the process that holds it, however that ends."""
    lock = FileLock(check_writable("out", out / ".lock"))
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        say(f"another sweep is at work in {out}; waiting for its end")
        return lock.acquire()


def show_plan(
    runs: Sequence[Run], out: Path, workers: int, scheduler: str | None, device: str, say: Say,
    notebook: str | Path | None, every: bool = False,
) -> str:  # fmt: skip
    """Check the request, say what there is (of `every` run) and how long the rest may take. Returns the notebook."""
    check_whole_number("workers", workers, at_least=1)
    check_choice("device", device, ("auto", "cpu", "cuda", "mps"))
    if scheduler is None:
        choose_device(device)  # before anything old is set aside
    notebook = check_path("notebook", notebook or course_file("notebooks", NOTEBOOK))
    for run in runs[:1]:  # all have the same parameters
        check_parameters(notebook, run.parameters(device))
    states = {run: read_state(out / run.name, run.settings, device) for run in runs}
    for run, state in states.items():
        if every or state.reason:
            say(f"{run.name}: {state.status}" + (f", to be run again ({state.reason})" if state.reason else ""))
    for name, ours in {"sgan_lib": version("sgan-course"), "torch": version("torch")}.items():
        versions = {str(state.row.get(name)) for state in states.values() if state.status == "done"}
        if mixed := sorted(versions - {ours}):
            say(f"results of {name} {', '.join(mixed)} are among them; this is {ours}")
    todo = [run for run, state in states.items() if state.status != "done"]
    table = collect(out) if out.is_dir() else pd.DataFrame(columns=COLUMNS)
    time = f"; {estimate(todo, table, 1 if scheduler else workers)}" if todo else ""
    say(f"{len(states)} runs: {len(states) - len(todo)} done, {len(todo)} to do{time}")
    return notebook.read_text("utf-8")


def _equal_workers(client: Client, say: Say) -> list[str] | None:
    """The workers with the versions that are here; None for all. ConnectionError, with reasons, where none has."""
    if not client.nthreads():
        say("the cluster has no workers now; waiting for one")
        client.wait_for_workers(1)
    wrong = {}
    for name in ("torch", "sgan_lib"):
        where = f"{name}:__version__"
        ours = resolve_name(where).partition("+")[0]  # after the "+", torch may name its build for a GPU
        for worker, theirs in client.run(resolve_name, where, on_error="return").items():
            if str(theirs).partition("+")[0] != ours:
                wrong[worker] = f"worker {worker} is left out; {name} there: {theirs}, here: {ours}"
    if wrong and not (good := [worker for worker in client.nthreads() if worker not in wrong]):
        raise ConnectionError(f"no worker of the cluster can run this: {'; '.join(wrong.values())}")
    for reason in wrong.values():
        say(reason)
    return good if wrong else None


def _run_all(
    runs: Sequence[Run], out: Path, workers: int, scheduler: str | None, device: str, template: str, say: Say
) -> None:
    """Run all on Dask and write down what became of each. Raises ConnectionError where the cluster has dropped one."""
    scratch = tempfile.TemporaryDirectory(prefix="sgan-sweep-", ignore_cleanup_errors=True)
    local: Any = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0",
                  "env": {"TMPDIR": scratch.name}}  # a worker that is killed leaves files  # fmt: skip
    with scratch, dask.config.set(_DASK), Client(scheduler) if scheduler else Client(**local) as client:
        say(f"watch it at {client.dashboard_link}")
        where = _equal_workers(client, say)
        tasks = {client.submit(execute, template, each.parameters(device), pure=False, workers=where): each
                 for each in runs}  # fmt: skip
        for task in tqdm(as_completed(tasks), total=len(tasks), unit="run", smoothing=0, disable=None):
            run = tasks.pop(task)
            try:
                ended = task.result()
            except CancelledError:
                raise ConnectionError(f"{run.name} was dropped: the cluster is gone or has cancelled it") from None
            except Exception as error:  # of Dask: the worker was killed, or cannot import this library
                ended = "", "", f"{type(error).__name__}: {error}"
            task.release()  # Dask forgets what it sent back, and does not run it again where its worker dies
            if reason := record(out / run.name, run.settings, device, *ended).reason:
                say(f"{run.name} failed: {reason}")


def execute(template: str, parameters: Mapping[str, Any]) -> tuple[str, str, str]:
    """The task: execute the notebook `template` (JSON). Nothing that it raises gets out: the other runs go on.

    Returns the executed notebook and the result, as JSON or "", and the reason where the run failed, or "".
    """
    os.environ.pop("MALLOC_TRIM_THRESHOLD_", None)  # Dask sets it; with it a kernel's steps take almost twice as long
    with tempfile.TemporaryDirectory(prefix="sgan-run-") as name:
        folder, result, reason = Path(name), "", ""
        executed = copy_of(folder / NOTEBOOK, parameters, folder / "executed")
        (folder / NOTEBOOK).write_text(template, "utf-8")
        try:
            run_notebook(folder / NOTEBOOK, parameters, executed.parent, cwd=folder)
            result = (folder / RESULT).read_text("utf-8")
        except Exception as error:  # papermill's has that of the notebook in `ename` and `evalue`
            reason = f"{getattr(error, 'ename', type(error).__name__)}: {getattr(error, 'evalue', error)}"
        return executed.read_text("utf-8") if executed.exists() else "", result, reason
