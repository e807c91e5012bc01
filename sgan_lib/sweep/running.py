"""How it runs: each run a Dask task that executes the notebook `run_experiment` in a kernel of its own.

A task works in a temporary folder of its worker and sends back what it found. Only the process that runs the sweep
writes into the sweep's folder, so the workers of a cluster need this library and nothing else: no shared disk.
"""

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import papermill
from distributed import Client, LocalCluster

from sgan_lib import course
from sgan_lib.experiments import RunResult
from sgan_lib.sweep.folder import Claim, State, failed_at, read_state
from sgan_lib.sweep.plan import NOTEBOOK, RESULT, Run

_PATIENCE = 1.0  # seconds between looks at runs that another sweep has claimed


@dataclass(frozen=True)
class Ended:
    """What a task sends back: the executed notebook as JSON, or "", and the result or the reason why there is none."""

    notebook: str
    result: RunResult | None
    reason: str = ""


@dataclass(frozen=True)
class Pool:
    """Where tasks go, and how many run at a time; that is asked again and again, since a cluster may grow."""

    executor: Executor
    slots: Callable[[], int]
    dashboard: str = ""  # address of Dask's pages about the cluster


def find_template() -> Path:
    """The notebook that each run executes, in the checkout or, where the library is installed alone, in the package."""
    package = Path(__file__).resolve().parents[1]
    places = [package.parent / "notebooks" / NOTEBOOK, package / "notebooks" / NOTEBOOK]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"no notebook {NOTEBOOK}: looked for {places[0]} and {places[1]}")


def execute(template: str, parameters: Mapping[str, Any]) -> Ended:
    """The task. `template` is the notebook as JSON; nothing that it raises gets out, so that the other runs go on."""
    with tempfile.TemporaryDirectory(prefix="sgan-run-") as name:
        place = Path(name)
        (place / NOTEBOOK).write_text(template, "utf-8")
        result, reason = None, ""
        try:
            course.run_notebook(place / NOTEBOOK, parameters, place / "executed", cwd=place)
            result = RunResult.from_json(place / RESULT)
        except papermill.PapermillExecutionError as error:
            reason = f"{error.ename}: {error.evalue}"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        executed = place / "executed" / NOTEBOOK
        return Ended(executed.read_text("utf-8") if executed.exists() else "", None if reason else result, reason)


def run_all(
    runs: Sequence[Run],
    out: Path,
    pool: Pool,
    device: str = "auto",
    template: Path | None = None,
    say: Callable[[str], None] = print,
) -> Iterator[tuple[Run, State]]:
    """Run what is not done yet and yield each run with what became of it, as it ends.

    Runs that another sweep on the same folder has claimed are waited for, and taken over where that sweep is killed.

    Args:
        runs: see `grid`.
        out: the folder of results.
        pool: as from `connect`.
        device: "auto", "cpu", "cuda" or "mps".
        template: another notebook than `run_experiment`, with the same parameters.
        say: called with what a reader should know.

    Raises:
        ConnectionError: where the cluster has dropped a run.
        OSError: where the folder cannot be written.
    """
    content = (template or find_template()).read_text("utf-8")
    pending, running = deque(runs), dict[Future[Ended], Claim]()
    failures, tell = {run: failed_at(run, out) for run in runs}, _once(say)
    try:
        while pending or running:
            if not (room := pool.slots()):
                tell("the cluster has no workers now; waiting for one")
            for run in _while_there_is_room(pending, running, room):
                claim = Claim.take(run, out)
                if claim is None:
                    tell(f"{run.name}: another sweep is running it; waiting for that")
                    pending.append(run)
                elif state := _settled(run, out, device, failures[run]):
                    claim.release()
                    yield run, state
                else:
                    claim.clear()
                    running[pool.executor.submit(execute, content, run.parameters(device))] = claim
            for future in _first_ended(running):
                claim = running.pop(future)
                yield claim.run, _record(claim, future)
    finally:  # also where the caller stops early
        for future, claim in running.items():
            future.cancel()
            claim.release()


def _once(say: Callable[[str], None]) -> Callable[[str], None]:
    """`say`, but each text only once."""
    said: set[str] = set()

    def tell(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    return tell


def _while_there_is_room(pending: deque[Run], running: Mapping[Future[Ended], Claim], slots: int) -> Iterator[Run]:
    """Each pending run once, until one more is under way than can run: whichever worker gets free has its next at once.

    No more than that, so that another sweep on the same folder finds runs to do.
    """
    for _ in range(len(pending)):
        if len(running) > slots:
            return
        yield pending.popleft()


def _settled(run: Run, out: Path, device: str, last_failure: int) -> State | None:
    """The state of a run that need not be run: done, or tried by another sweep since this one began, and failed."""
    state = read_state(run, out, device)
    tried = state.status == "failed" and failed_at(run, out) != last_failure
    return state if tried or state.status == "done" else None


def _first_ended(running: Mapping[Future[Ended], Claim]) -> set[Future[Ended]]:
    """The tasks that have ended, waiting a little for the first."""
    if not running:  # all that is left is in the hands of another sweep
        time.sleep(_PATIENCE)
        return set()
    return wait(running, _PATIENCE, FIRST_COMPLETED).done


def _record(claim: Claim, future: Future[Ended]) -> State:
    """Write down what became of a task, and let go of its run."""
    try:
        ended = _ended(claim.run, future)
        if ended.result is None:
            claim.record_failure(ended.reason, ended.notebook)
            return State("failed", ended.reason)
        claim.record(ended.result, ended.notebook)
        return State("done", "", ended.result)
    finally:
        claim.release()


def _ended(run: Run, future: Future[Ended]) -> Ended:
    """What the task sent back, or why it could not. Raises ConnectionError where the cluster has dropped it."""
    try:
        ended = future.result()
    except CancelledError:
        raise ConnectionError(f"{run.name} was dropped: the cluster is gone, or was told to cancel it") from None
    except Exception as error:  # of Dask: the worker was killed, or cannot import this library
        return Ended("", None, f"{type(error).__name__}: {error}")
    if ended.result is not None and ended.result.settings != run.settings:
        return Ended(ended.notebook, None, "the worker's library has other settings: install the same version there")
    return ended


@contextmanager
def connect(scheduler: str | None = None, workers: int = 1) -> Iterator[Pool]:
    """The Dask cluster at this address, or one of `workers` processes of one thread each on this machine.

    Raises OSError where nothing answers at the address.
    """
    with ExitStack() as stack:
        if scheduler is None:
            one_thread_each = {"n_workers": workers, "threads_per_worker": 1, "processes": True}
            scheduler = stack.enter_context(LocalCluster(**one_thread_each, dashboard_address="127.0.0.1:0"))
        client = stack.enter_context(Client(scheduler))
        executor = client.get_executor(pure=False)  # or a run that failed would be answered from memory
        yield Pool(executor, lambda: sum(client.nthreads().values()), client.dashboard_link)
