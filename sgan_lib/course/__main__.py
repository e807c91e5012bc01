"""The command line of the course.

python -m sgan_lib.course list
python -m sgan_lib.course copy my                               your own copies of the notebooks, in the folder `my`
python -m sgan_lib.course run                                   every notebook NN_*.ipynb
python -m sgan_lib.course run 03_sgan -p n_labels 50 -p seed 3  one notebook with other parameters
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from sgan_lib.course import runner
from sgan_lib.course.copies import make_copies
from sgan_lib.runtime import check_choice, check_whole_number, check_writable, refusals_as_lines, run_command
from sgan_lib.settings import PRESETS, Settings


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sgan_lib.course", description="Run the course's notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the notebooks and their parameters")
    copy = commands.add_parser("copy", help="copy the notebooks that a folder of yours lacks; your work stays")
    copy.add_argument("folder", type=Path)
    run = commands.add_parser("run", help="run notebooks and print a table of the results")
    run.add_argument("names", nargs="*", metavar="NAME", help="such as 03_sgan (default: every notebook)")
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    run.add_argument("--preset", help="the same as -p preset PRESET")
    run.add_argument("--out", type=Path, default=runner.RUNS, help="folder of the executed copies (%(default)s)")
    run.add_argument("--workers", type=int, default=runner.WORKERS, help="notebooks at a time (%(default)s)")
    return parser


def _texts(options: argparse.Namespace) -> dict[str, str]:
    """The parameters from the command line, still as texts. Raises ParameterError where one is given twice."""
    pairs = [*options.p, *([("preset", options.preset)] if options.preset is not None else [])]
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise runner.ParameterError(f"given more than once: {', '.join(twice)}")
    return dict(pairs)


def _jobs(paths: Sequence[Path], texts: Mapping[str, str]) -> list[runner.Job]:
    """Each notebook with its parameters, all checked before the first one runs."""
    if "preset" in texts:
        check_choice("preset", texts["preset"], PRESETS)
    checks = {each.name: each.metadata["check"] for each in fields(Settings)}
    for name in ("seed", "n_labels"):
        if texts.get(name, "").lstrip("-").isdigit():
            checks[name](name, int(texts[name]))
    jobs: list[runner.Job] = []
    for path in paths:
        defaults = runner.default_parameters(path)
        values = {name: runner.parse_value(text, defaults.get(name)) for name, text in texts.items()}
        jobs.append((path, runner.check_parameters(path, values)))
    return jobs


def _list() -> int:
    for path in runner.find_notebooks([], runner.notebooks_folder()):
        defaults = runner.default_parameters(path).items()
        print(path.stem, "  ".join(f"{name}={value!r}" for name, value in defaults), sep="\t")
    return 0


def _table(outcomes: Sequence[runner.Outcome]) -> str:
    """A table with one row a notebook: name, seconds, headline result, path of the executed copy."""
    rows = [("notebook", "seconds", "headline result", "executed copy")]
    rows += [(each.name, f"{each.seconds:.0f}", each.headline, str(each.executed)) for each in outcomes]
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{width[0]}}  {b:>{width[1]}}  {c:<{width[2]}}  {d}" for a, b, c, d in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where a notebook failed, or 2 where the request itself is refused."""
    options = _command_line().parse_args(arguments)
    commands: dict[str, Callable[[], int]] = {
        "list": _list,
        "copy": partial(_copy, options),
        "run": partial(_run, options),
    }
    return refusals_as_lines(commands[options.command])


def _copy(options: argparse.Namespace) -> int:
    for note in make_copies(runner.notebooks_folder(), options.folder):
        print(note)
    return 0


def _run(options: argparse.Namespace) -> int:
    check_whole_number("--workers", options.workers, at_least=1)
    jobs = _jobs(runner.find_notebooks(options.names, runner.notebooks_folder()), _texts(options))
    check_writable("--out", options.out / "notebook.ipynb")
    outcomes = runner.run_all(jobs, options.out, options.workers)
    failed = [each for each in outcomes if each.error]
    for each in failed:
        print(f"\n{each.name} failed {each.error}", file=sys.stderr)
    print("\n" + _table(outcomes), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_command(main))
