"""Run notebooks with papermill: parameters checked first, executed copies kept.

Papermill by itself runs a notebook with its defaults where a parameter's name is misspelt, and takes a value of any
type; `run_notebook` refuses both before anything runs.
"""

import ast
import os
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.output_widget import OutputWidget

from sgan_lib.course.stored import course_file
from sgan_lib.runtime import parse_literal, short_name

Job = tuple[Path, Mapping[str, Any]]  # a notebook and its parameters
RUNS = Path("runs/course")
LESSON = re.compile(r"(\d|A)\d_")  # how the names of lessons begin, and of the appendices A1, A2
WORKERS = min(4, os.cpu_count() or 1)  # notebooks at a time: one a core, as long as memory allows
_PAPERMILL_SETTINGS: dict[str, Any] = {
    "kernel_name": "python3",  # that of the environment this runs in
    "progress_bar": False,
    "start_timeout": 180,  # seconds; generous, for a machine that is busy with other notebooks
    "extra_arguments": [
        "--log-level=50",  # kernels remark on their local sockets and on being shut down
        "--IPKernelApp.exec_lines=import os; os.environ['SGAN_PROGRESS'] = ''",  # no run counts as the reader's
    ],
}
_ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Let no output widget tell the kernel what it shows: nbclient sends that on the socket on which it waits for the end of
# the cell, past asyncio, and once in some hundred notebooks never hears of that end.
OutputWidget.send = lambda *_, **__: None  # type: ignore[method-assign]


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
    """The folder `notebooks` of the current directory or, failing that, of the checkout or the installed package."""
    here = Path.cwd() / "notebooks"
    return here if here.is_dir() else course_file("notebooks", "run_experiment.ipynb").parent


def find_notebooks(names: Sequence[str], folder: Path) -> list[Path]:
    """The notebooks of these names ("03_sgan" or "03_sgan.ipynb") or paths; without names, all lessons in order.

    Raises FileNotFoundError that lists what there is, for an unknown name and for a folder without notebooks.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    paths = {name: Path(name) for name in names if os.path.dirname(name) or Path(name).is_file()}  # noqa: PTH120 ("./x")
    known |= {name: path for name, path in paths.items() if path.is_file()}
    chosen = [name if name in paths else Path(name).stem for name in names]
    chosen = chosen or [name for name in known if LESSON.match(name)]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        lacking = ", ".join(unknown) or "NN_*.ipynb or A1_*.ipynb (run this from the repository's root)"
        raise FileNotFoundError(f"no notebook {lacking} in {folder}; there are: {', '.join(known) or 'none'}")
    found = [known[name] for name in dict.fromkeys(chosen)]
    if len(alike := {path.name for path in found}) < len(found):
        raise ValueError(
            f"notebooks must have different names, as their copies go into one folder; got {sorted(alike)}"
        )
    return found


def default_parameters(path: Path) -> dict[str, Any]:
    """The names and default values in the notebook's cell tagged "parameters".

    Raises ParameterError where a default is not a literal, since its type cannot be read then.
    """
    defaults = {}
    try:
        parameters = papermill.inspect_notebook(str(path))
    except Exception as error:  # nbformat and papermill raise many kinds for a file that is no notebook
        raise ParameterError(f"{path} is no notebook that can be read: {error}") from error
    for name, parameter in parameters.items():
        default = parameter["default"]
        try:
            defaults[name] = ast.literal_eval(default)
        except (ValueError, SyntaxError):
            raise ParameterError(f"{path.stem}: the default of {name} is not a literal: {default}") from None
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
    """A parameter's value from the command line: a text, where the default is one, else a Python literal.

    What is no literal stays a text, which `check_parameters` refuses where another type is wanted.
    """
    return text if isinstance(default, str) else parse_literal(text)


def copy_of(path: Path, parameters: Mapping[str, Any], out: Path) -> Path:
    """Where in the folder `out` the executed copy goes: a name for each set of parameters, and folder of one's own."""
    folder = path.resolve().parent
    first = path.stem if folder.name == "notebooks" else f"{folder.name}-{path.stem}"
    name = re.sub(r"[^\w.=+-]+", "_", "-".join([first, *(f"{key}={value}" for key, value in parameters.items())]))
    return out / f"{short_name(name)}.ipynb"


def _join_streams(executed: Path) -> list[nbformat.NotebookNode]:
    """Make what each cell prints one output, of a line that was written over the last state; returns the cells."""
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        joined: list[nbformat.NotebookNode] = []
        for output in cell.get("outputs", []):
            same = [each for each in joined if output.output_type == "stream" and each.get("name") == output.name]
            if same:
                same[0].text += output.text
            else:
                joined.append(output)
        for output in joined:
            if output.output_type == "stream":
                lines = output.text.replace("\r\n", "\n").split("\n")
                output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
        if cell.cell_type == "code":
            cell.outputs = joined
    nbformat.write(notebook, executed)
    return notebook.cells


def run_notebook(
    path: Path, parameters: Mapping[str, Any] | None = None, out: Path = RUNS, cwd: Path | None = None
) -> Path:
    """Execute a notebook in a kernel of its own and return the path of the executed copy in the folder `out`.

    The kernel starts in the folder `cwd`, by default the notebook's own, as in JupyterLab. Raises ParameterError before
    anything runs, and papermill.PapermillExecutionError where a cell fails; the copy then holds everything up to there.
    """
    checked = check_parameters(path, parameters or {})
    out.mkdir(parents=True, exist_ok=True)
    executed = copy_of(path, parameters or {}, out.resolve())
    if executed == path.resolve():
        raise ValueError(f"out must not be the notebook's own folder, got {out}: the copy would replace the notebook")
    # Kernels side by side, or beside anything else that is busy, slow each other down with more than one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("MPLBACKEND", None)  # another backend than the kernel's own would leave the pictures out
    # Not papermill's argument `cwd`: it changes the folder of this whole process, so runs side by side would collide.
    resources = {"metadata": {"path": str((cwd or path.parent).resolve())}}
    try:
        papermill.execute_notebook(path.resolve(), executed, checked, resources=resources, **_PAPERMILL_SETTINGS)
    finally:  # a failed notebook has its copy too
        if executed.exists():
            cells = _join_streams(executed)
    if any(cell.metadata.get("papermill", {}).get("status") == "pending" for cell in cells):
        raise RuntimeError("a cell ended the kernel, as sys.exit() does; the cells after it did not run")
    return executed


def read_headline(executed: Path) -> str:
    """What the notebook's cell tagged "headline" printed after "headline: "."""
    for cell in nbformat.read(executed, as_version=4).cells:
        if "headline" in cell.metadata.get("tags", []):
            for output in cell.outputs:
                if line := re.search(r"^headline: (.+)$", output.get("text", ""), re.MULTILINE):
                    return line[1].strip()
    return "(none: no cell tagged headline that prints `headline: ...`)"


def _explain(error: Exception) -> str:
    """The failing cell and its error, without colours; for any other failure its type and message."""
    if isinstance(error, papermill.PapermillExecutionError):
        last_frames = [line[:500] for line in "\n".join(error.traceback).strip().splitlines()[-12:]]
        return _ANSI_COLOUR.sub("", f"in cell [{error.exec_count}]:\n{error.source}\n\n" + "\n".join(last_frames))
    return f"with {type(error).__name__}: {error}"


def _outcome(job: Job, out: Path, cwd: Path | None) -> Outcome:
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
    return Outcome(path.stem, seconds, copy_of(path, parameters, out), headline, problem)


def run_all(jobs: Sequence[Job], out: Path, workers: int, cwd: Path | None = None) -> list[Outcome]:
    """Run notebooks with their parameters, `workers` at a time; a failure does not stop the others."""
    with ThreadPoolExecutor(workers) as pool:
        try:
            return list(pool.map(lambda job: _outcome(job, out, cwd), jobs))
        except KeyboardInterrupt:
            os._exit(130)  # leaving the block would wait for the notebooks; kernels stop when their parent is gone
