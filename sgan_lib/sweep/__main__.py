"""The command line of the sweep: python -m sgan_lib.sweep --help"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dask.system import CPU_COUNT
from tqdm import tqdm

from sgan_lib.course import check_parameters, parse_value
from sgan_lib.experiments import METHODS, PRESETS
from sgan_lib.runtime import check_choice, check_whole_number
from sgan_lib.sweep.folder import State, collect, read_state, stored_results, summarise, write_csv
from sgan_lib.sweep.plan import Run, estimate, grid
from sgan_lib.sweep.running import connect, find_template, run_all


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sgan_lib.sweep",
        description="Run methods × numbers of labels × seeds, each as a notebook of its own, and only what is missing. "
        "Exit code: 0, or 1 where runs failed, or 2 where the request is refused.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--dataset", default="digits", help="data set")
    parser.add_argument("--methods", nargs="+", default=["supervised", "sgan"], help=f"any of {', '.join(METHODS)}")
    parser.add_argument("--n-labels", nargs="+", type=int, default=[20, 50, 100], help="numbers of labelled images")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of training and split")
    parser.add_argument("--preset", default="quick", help=f"budget: {', '.join(PRESETS)}")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="overrides",
                        help="a setting of all runs, such as steps=500 or shift=2; may be repeated")  # fmt: skip
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--out", type=Path, default=Path("runs/sweep"), help="folder of results")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--workers", type=int, default=CPU_COUNT, help="runs at a time on this machine")
    place.add_argument("--scheduler", metavar="ADDRESS", help="run on the Dask cluster at tcp://HOST:PORT instead")
    parser.add_argument("--notebook", type=Path, help="run this notebook in place of run_experiment")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="list the grid and estimate its time; run nothing")
    what.add_argument("--collect", action="store_true", help="write OUT/results.csv from what is there; run nothing")
    return parser


def _overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Settings from NAME=VALUE, the value a Python literal or else a text. Raises ValueError for another form."""
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (name, equals, _) in zip(texts, pairs, strict=True) if not (name and equals)]:
        raise ValueError(f"--set must be NAME=VALUE, such as --set shift=2; got {wrong[0]!r}")
    names = [name for name, _, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"--set is given more than once for {', '.join(twice)}")
    return {name: parse_value(value, None) for name, _, value in pairs}


def _requested(options: argparse.Namespace) -> list[Run]:
    """The grid, all of it checked, before anything starts."""
    check_whole_number("--workers", options.workers, at_least=1)
    check_choice("--device", options.device, ("auto", "cpu", "cuda", "mps"))
    overrides = _overrides(options.overrides)
    runs = grid(options.methods, options.dataset, options.n_labels, options.seeds, options.preset, **overrides)
    check_parameters(options.notebook or find_template(), runs[0].parameters(options.device))
    return runs


def _show_plan(states: Mapping[Run, State], out: Path, workers: int, every_run: bool) -> None:
    """What there is, what is to do, and how long that may take; with `every_run`, the list."""
    todo = [run for run, state in states.items() if state.status != "done"]
    for run, state in states.items():
        if every_run or state.status in ("corrupt", "stale", "failed"):
            print(f"{run.name}: {state.status}" + (f", to be run again ({state.reason})" if state.reason else ""))
    time = ""
    if todo:
        time = f"; {estimate(todo, stored_results(out), workers)} with {workers} worker{'s' if workers > 1 else ''}"
    print(f"{len(states)} runs: {len(states) - len(todo)} done, {len(todo)} to do{time}")


def _run(todo: Sequence[Run], options: argparse.Namespace) -> None:
    """Run them on a cluster, with a bar."""
    with (
        connect(options.scheduler, min(options.workers, len(todo))) as pool,
        tqdm(total=len(todo), unit="run", smoothing=0) as bar,
    ):
        tqdm.write(f"watch it at {pool.dashboard}")
        for run, state in run_all(todo, options.out, pool, options.device, options.notebook, tqdm.write):
            bar.update()
            if state.status == "failed":
                tqdm.write(f"{run.name} failed: {state.reason}")


def _finish(runs: Sequence[Run], out: Path) -> int:
    """Write the table of all runs, print the summary of these, and return the exit code."""
    path, table = write_csv(out), collect(out)
    table = table[table["run"].isin([run.name for run in runs])]
    print("\n" + summarise(table).round(2).to_string(index=False, na_rep=""))
    print(f"\nTest error in percent over seeds; low and high: 95 % bootstrap interval for the mean. Every run: {path}")
    failed = table[table["status"] != "done"]
    for run, reason in zip(failed["run"], failed["reason"], strict=True):
        print(f"{run} failed: {reason}", file=sys.stderr)
    return 0 if (table["status"] == "done").sum() == len(runs) else 1


def _sweep(options: argparse.Namespace) -> int:
    """What the command line asks for. Raises ValueError, TypeError or OSError where it cannot be done."""
    if options.collect:
        print(f"{write_csv(options.out)}: {len(collect(options.out))} runs")
        return 0
    runs = _requested(options)
    states = {run: read_state(run, options.out, options.device) for run in runs}
    _show_plan(states, options.out, 1 if options.scheduler else options.workers, every_run=options.dry_run)
    if options.dry_run:
        return 0
    todo = [run for run in runs if states[run].status != "done"]
    if todo:
        _run(todo, options)
    return _finish(runs, options.out)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, 1 where a run failed, 2 where the request is refused or no cluster answers."""
    options = _command_line().parse_args(arguments)
    try:
        return _sweep(options)
    except (OSError, TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command runs what is missing", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
