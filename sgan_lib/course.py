"""Run notebooks with papermill: parameters checked first, executed copies kept, one table at the end.

python -m sgan_lib.course list
python -m sgan_lib.course run                                   every notebook NN_*.ipynb
python -m sgan_lib.course run 03_sgan -p n_labels 50 -p seed 3  one notebook with other parameters

Papermill by itself runs a notebook with its defaults where a parameter's name is misspelt, and takes a value of any
type; `run_notebook` refuses both before anything runs.
"""

import argparse
import ast
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill

from sgan_lib.presets import PRESETS
from sgan_lib.runtime import check_choice, check_whole_number

Job = tuple[Path, Mapping[str, Any]]  # a notebook and its parameters
RUNS = Path("runs/course")
WORKERS = min(4, os.cpu_count() or 1)  # notebooks at a time: one a core, as long as memory allows
_PAPERMILL_SETTINGS: dict[str, Any] = {
    "kernel_name": "python3",  # that of the environment this runs in
    "progress_bar": False,
    "start_timeout": 180,  # seconds; generous, for a machine that is busy with other notebooks
    "extra_arguments": ["--log-level=50"],  # kernels remark on their local sockets and on being shut down
    "coalesce_streams": True,  # what a cell prints is one output, however it arrives
}
_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class ParameterError(ValueError):
    """A notebook does not have that parameter, or the value has another type than the parameter's default."""


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook: seconds, the executed copy, and its headline or, where it failed, the error."""

    name: str
    seconds: float
    executed: Path
    headline: str
    error: str | None = None


def notebooks_folder() -> Path:
    """The folder `notebooks` of the current directory or, failing that, of the checkout this package is installed from.

    Raises FileNotFoundError where neither is there.
    """
    places = (Path.cwd() / "notebooks", Path(__file__).resolve().parents[1] / "notebooks")
    for folder in places:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"no folder of notebooks: looked for {places[0]} and {places[1]}. Run this from the repository's root."
    )


def find_notebooks(names: Sequence[str], folder: Path) -> list[Path]:
    """The notebooks of these names ("03_sgan" or "03_sgan.ipynb") or paths; without names, all NN_*.ipynb in order.

    Raises FileNotFoundError that lists what there is, for an unknown name and for a folder without notebooks.
    """
    there = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    paths = {name: Path(name) for name in names if Path(name).parent != Path()}
    there |= {name: path for name, path in paths.items() if path.is_file()}
    chosen = [name if name in paths else Path(name).stem for name in names]
    chosen = chosen or [name for name in there if re.match(r"\d\d_", name)]
    unknown = [name for name in chosen if name not in there]
    if unknown or not chosen:
        what = f"no notebook named {', '.join(unknown)}" if unknown else "no notebook NN_*.ipynb"
        raise FileNotFoundError(f"{what} in {folder}; there are: {', '.join(there) or 'none'}")
    return [there[name] for name in dict.fromkeys(chosen)]


def default_parameters(path: Path) -> dict[str, Any]:
    """The names and default values in the notebook's cell tagged "parameters".

    Raises ParameterError where a default is not a literal, since its type cannot be read then.
    """
    defaults = {}
    for name, found in papermill.inspect_notebook(str(path)).items():
        try:
            defaults[name] = ast.literal_eval(found["default"])
        except (ValueError, SyntaxError):
            raise ParameterError(f"{path.stem}: the default of {name} is not a literal: {found['default']}") from None
    return defaults


def _same_type(value: Any, default: Any) -> bool:
    """Whether `value` may replace `default`: same type, int for float, list for tuple, anything for None."""
    if isinstance(default, float):
        return type(value) in (int, float)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple)
    return default is None or type(value) is type(default)


def check_parameters(path: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return `parameters` as the notebook will get them, or raise ParameterError that lists what the notebook has."""
    defaults = default_parameters(path)
    known = ", ".join(f"{name} = {value!r} ({type(value).__name__})" for name, value in defaults.items()) or "none"
    for name, value in parameters.items():
        if name not in defaults:
            raise ParameterError(f"{path.stem} has no parameter {name!r}; it has: {known}")
        if not _same_type(value, defaults[name]):
            wrong = f"must be of type {type(defaults[name]).__name__}; got {value!r} ({type(value).__name__})"
            raise ParameterError(f"{path.stem}: {name} {wrong}. It has: {known}")
    return {name: float(value) if isinstance(defaults[name], float) else value for name, value in parameters.items()}


def parse_value(text: str, default: Any) -> Any:
    """Read a value from the command line as a Python literal; for a parameter whose default is a text, as it stands."""
    if isinstance(default, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text  # stays a text, which `check_parameters` refuses where another type is wanted


def run_notebook(
    path: Path, parameters: Mapping[str, Any] | None = None, out: Path = RUNS, cwd: Path | None = None
) -> Path:
    """Execute a notebook in a kernel of its own and return the path of the executed copy in the folder `out`.

    The kernel starts in the folder `cwd`, by default the notebook's own, as in JupyterLab. Raises ParameterError before
    anything runs, and papermill.PapermillExecutionError where a cell fails; the copy then holds everything up to there.
    """
    checked = check_parameters(path, parameters or {})
    out.mkdir(parents=True, exist_ok=True)
    executed = out.resolve() / path.name
    if executed == path.resolve():
        raise ValueError(f"out must not be the notebook's own folder, got {out}: the copy would replace the notebook")
    # Kernels side by side, or beside anything else that is busy, slow each other down with more than one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Not papermill's argument `cwd`: it changes the folder of this whole process, so runs side by side would collide.
    resources = {"metadata": {"path": str((cwd or path.parent).resolve())}}
    papermill.execute_notebook(path.resolve(), executed, checked, resources=resources, **_PAPERMILL_SETTINGS)
    return executed


def read_headline(executed: Path) -> str:
    """What the notebook's cell tagged "headline" printed after "headline: "."""
    for cell in nbformat.read(executed, as_version=4).cells:
        if "headline" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                found = re.search(r"^headline: (.+)$", output.get("text", ""), re.MULTILINE)
                if found:
                    return found[1].strip()
    return "(none: no cell tagged headline that prints `headline: ...`)"


def _explain(error: Exception) -> str:
    """The failing cell and its error, without colours; for any other failure its type and message."""
    if isinstance(error, papermill.PapermillExecutionError):
        last_frames = "\n".join(error.traceback).strip().splitlines()[-12:]
        return _ANSI_COLOUR.sub("", f"in cell [{error.exec_count}]:\n{error.source}\n\n" + "\n".join(last_frames))
    return f"with {type(error).__name__}: {error}"


def _run_one(job: Job, out: Path, cwd: Path | None) -> Outcome:
    """Run one notebook and report; an error of any kind becomes part of the outcome, so that the others still run."""
    path, parameters = job
    start = time.perf_counter()
    try:
        headline, problem = read_headline(run_notebook(path, parameters, out, cwd)), None
    except Exception as error:
        name = getattr(error, "ename", type(error).__name__)
        headline, problem = f"FAILED: {name}", _explain(error)
    seconds = time.perf_counter() - start
    print(f"{path.stem}: {'failed' if problem else 'done'} after {seconds:.0f} s", flush=True)
    return Outcome(path.stem, seconds, out / path.name, headline, problem)


def run_all(jobs: Sequence[Job], out: Path, workers: int, cwd: Path | None = None) -> list[Outcome]:
    """Run notebooks with their parameters, `workers` at a time; a failure does not stop the others."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(lambda job: _run_one(job, out, cwd), jobs))
        except KeyboardInterrupt:
            os._exit(130)  # leaving the block would wait for the notebooks; kernels stop when their parent is gone


def format_table(outcomes: Sequence[Outcome]) -> str:
    """A table with one row a notebook: name, seconds, headline result, path of the executed copy."""
    rows = [("notebook", "seconds", "headline result", "executed copy")]
    rows += [(each.name, f"{each.seconds:.0f}", each.headline, str(each.executed)) for each in outcomes]
    width = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [f"{a:<{width[0]}}  {b:>{width[1]}}  {c:<{width[2]}}  {d}" for a, b, c, d in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sgan_lib.course", description="Run the course's notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="list the notebooks and their parameters")
    run = commands.add_parser("run", help="run notebooks and print a table of the results")
    run.add_argument("names", nargs="*", metavar="NAME", help="such as 03_sgan (default: every notebook)")
    run.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter")
    run.add_argument("--preset", help="the same as -p preset PRESET")
    run.add_argument("--out", type=Path, default=RUNS, help="folder of the executed copies (%(default)s)")
    run.add_argument("--workers", type=int, default=WORKERS, help="notebooks at a time (%(default)s)")
    return parser


def _texts(options: argparse.Namespace) -> dict[str, str]:
    """The parameters from the command line, still as texts. Raises ParameterError where one is given twice."""
    given = [*options.p, *([("preset", options.preset)] if options.preset is not None else [])]
    names = [name for name, _ in given]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"given more than once: {', '.join(twice)}")
    return dict(given)


def _jobs(paths: Sequence[Path], texts: Mapping[str, str]) -> list[Job]:
    """Each notebook with its parameters, all checked before the first one runs."""
    if "preset" in texts:
        check_choice("preset", texts["preset"], PRESETS)
    jobs: list[Job] = []
    for path in paths:
        defaults = default_parameters(path)
        values = {name: parse_value(text, defaults.get(name)) for name, text in texts.items()}
        jobs.append((path, check_parameters(path, values)))
    return jobs


def _list(folder: Path) -> None:
    for path in find_notebooks([], folder):
        print(path.stem, "  ".join(f"{name}={value!r}" for name, value in default_parameters(path).items()), sep="\t")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where a notebook failed, or 2 where the request itself is refused."""
    options = _command_line().parse_args(arguments)
    try:
        folder = notebooks_folder()
        if options.command == "list":
            _list(folder)
            return 0
        check_whole_number("--workers", options.workers, at_least=1)
        jobs = _jobs(find_notebooks(options.names, folder), _texts(options))
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    outcomes = run_all(jobs, options.out, options.workers)
    failed = [each for each in outcomes if each.error]
    for each in failed:
        print(f"\n{each.name} failed {each.error}", file=sys.stderr)
    print("\n" + format_table(outcomes), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
