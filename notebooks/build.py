"""Build notebooks/*.ipynb from notebooks/src/*.py: convert, run in a clean kernel, normalise.

python notebooks/build.py [NAME ...]            build these notebooks (default: all)
python notebooks/build.py --text [NAME ...]     bring only text and quizzes in line; code and other outputs stay
python notebooks/build.py --badges [OWNER/REPO] set the Colab badges and the cells for Colab in sources and notebooks

Without OWNER/REPO the address comes from GITHUB_REPOSITORY or the git remote `origin`.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import nbstripout
from nbformat import NotebookNode

from sgan_lib.course import exercises, widgets
from sgan_lib.course.runner import WORKERS, Outcome, run_all
from sgan_lib.course.widgets.choices import as_text

NOTEBOOKS = Path(__file__).resolve().parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
DROPPED = [  # what differs from run to run, and jupytext's notes about blank lines in the source
    *("metadata.widgets", "metadata.papermill", "cell.metadata.execution", "cell.metadata.papermill"),
    *("cell.metadata.lines_to_next_cell", "cell.metadata.lines_to_end_of_cell_marker"),
]
FOLDED = {  # tag of a cell -> what JupyterLab folds: set-up code, and a result that the reader predicts first
    "colab": "source_hidden",
    "imports": "source_hidden",
    "result": "outputs_hidden",
}

# The cell tagged "colab" of every notebook, word for word but for the address between the quotation marks.
BOOTSTRAP = """
# In Colab, this cell installs the course's library and keeps Colab's own torch. Elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

if "google.colab" in sys.modules:
    library = [os.environ.get("SGAN_REPOSITORY", "")]
    for path in Path().glob("*.zip"):  # the course's folder as a zip, if you have uploaded it
        inside = [name for name in zipfile.ZipFile(path).namelist() if name.endswith("sgan_lib/__init__.py")]
        if inside:
            zipfile.ZipFile(path).extractall("course")
            library = [str(Path("course", inside[0]).parents[1].resolve())]
    if importlib.util.find_spec("sgan_lib"):
        library = []
    if library == [""]:
        raise RuntimeError("upload the course's folder as a zip (folder symbol at the left), and run this cell again")
    pure_python = ["anywidget", "jaxtyping", "lightning-utilities", "psygnal", "torchmetrics", "wadler-lindig"]
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, *pure_python, *library], check=True)
""".strip()
NO_BADGE = "<!-- Open in Colab: `make badges REPOSITORY=owner/name` puts the badge here -->"
_BADGE = re.compile(r"^(# )?(?:\[!\[|\*|<!-- )Open in Colab.*$", re.MULTILINE)
_BOOTSTRAP = re.compile(r'(?<=^# %% tags=\["colab"\]\n).*?(?=\n\n# %%)', re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r'(?<=os\.environ\.get\("SGAN_REPOSITORY", ")[^"]*(?="\))')
_FIGURE = re.compile(r"^\*\*Figure\.\*\* (.+?[.?])(?=\s|$)", re.MULTILINE | re.DOTALL)
_WIDGET = "application/vnd.jupyter.widget-view+json"
_PROGRESS = re.compile(r"\d+%\||\d+it \[")  # the two forms of a tqdm bar


def convert(source: Path) -> NotebookNode:
    """The notebook of a source in jupytext's percent format, with ids that stay the same from build to build."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    section, count = "start", Counter[str]()
    for cell in notebook.cells:
        heading = re.match(r"#+ (.+)", cell.source) if cell.cell_type == "markdown" else None
        if heading:
            section = re.sub(r"\W+", "-", heading[1].lower(), flags=re.ASCII).strip("-")[:48]
        count[section] += 1
        cell.id = f"{section}-{count[section]}"
        if folded := {FOLDED[tag]: True for tag in cell.metadata.get("tags", []) if tag in FOLDED}:
            cell.metadata["jupyter"] = folded
    return notebook


def _without_progress(output: NotebookNode) -> str:
    """What a stderr output says besides progress bars."""
    lines = re.split(r"[\r\n]+", output.text)
    return "\n".join(line for line in lines if line.strip() and not _PROGRESS.search(line))


def _describe_pictures(notebook: NotebookNode) -> None:
    """Give each picture the first sentence of the paragraph **Figure.** below it as alternative text."""
    for cell, below in pairwise(notebook.cells):
        described = _FIGURE.search(below.source)
        text = re.sub(r"\]\([^)]*\)|[\[*`$\\]", "", described[1] if described else "")
        for output in cell.get("outputs", []):
            if text and "image/png" in output.get("data", {}):
                output.metadata["image/png"] = {"alt": " ".join(text.split())}


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Keep what the notebook shows and drop what differs from run to run: times, widgets, progress bars.

    Of a widget, which is dead without its kernel, the HTML stays where it brings some. Pictures get their descriptions.

    Raises ValueError where a cell wrote anything else to stderr: a warning is to be mended, not stored.
    """
    for cell in notebook.cells:
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        for output in cell.get("outputs", []):
            noise = _without_progress(output) if output.get("name") == "stderr" else ""
            if noise:
                raise ValueError(f"cell [{cell.execution_count}] wrote to stderr:\n{noise}")
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_passing(output)]
            for output in cell.outputs:
                output.get("data", {}).pop(_WIDGET, None)
    notebook = nbstripout.strip_output(notebook, keep_output=True, keep_count=True, keep_id=True, extra_keys=DROPPED)
    notebook.metadata = nbformat.from_dict(METADATA)
    _describe_pictures(notebook)
    return notebook


def _is_passing(output: NotebookNode) -> bool:
    """Whether an output is a progress bar on stderr, or a widget and nothing else to read."""
    data = output.get("data", {})
    return output.get("name") == "stderr" or (_WIDGET in data and "text/html" not in data)


def build(sources: Sequence[Path], folder: Path = NOTEBOOKS) -> list[str]:
    """Build the notebooks of these sources into `folder` and return what failed; a failed build changes no file."""
    with tempfile.TemporaryDirectory() as temporary:
        converted = [Path(temporary) / f"{source.stem}.ipynb" for source in sources]
        for source, path in zip(sources, converted, strict=True):
            nbformat.write(convert(source), path)
        outcomes = run_all([(path, {}) for path in converted], Path(temporary) / "executed", WORKERS, cwd=folder)
        problems = [_store(outcome, folder) for outcome in outcomes]
    return [problem for problem in problems if problem]


def _store(outcome: Outcome, folder: Path) -> str | None:
    """Write the executed notebook, normalised, into `folder`; where it failed or is not fit for that, say why."""
    if outcome.error:
        return f"{outcome.name} failed {outcome.error}"
    try:
        notebook = normalise(nbformat.read(outcome.executed, as_version=4))
    except ValueError as error:
        return f"{outcome.name}: {error}"
    nbformat.write(notebook, folder / f"{outcome.name}.ipynb")
    return None


def rewrite_text(sources: Sequence[Path], folder: Path = NOTEBOOKS) -> list[str]:
    """Give built notebooks the text of their sources; code cells keep their outputs. Returns what was refused, and why.

    Quizzes and tables of progress, which compute nothing, are brought up to date. A notebook whose code differs from
    its source stays as it is: its outputs would not be those of the new code.
    """
    problems = []
    for source in sources:
        path = folder / f"{source.stem}.ipynb"
        new, old = convert(source), nbformat.read(path, as_version=4)
        pairs = list(zip_longest(*(_code_cells(notebook) for notebook in (new, old))))
        changed = [(ours or theirs).id for ours, theirs in pairs if _code_of(ours) != _code_of(theirs)]
        if changed:
            problems.append(f"{source.stem}: the code of cell {changed[0]} differs from the notebook's; build it")
            continue
        for ours, theirs in pairs:
            ours.outputs, ours.execution_count = theirs.outputs, theirs.execution_count
            if shown := shown_by(ours.source):
                ours.outputs[0].data |= shown
        nbformat.write(normalise(new), path)
    return problems


def shown_by(source: str) -> dict[str, str] | None:
    """What a cell shows that is a quiz, or the progress of somebody who begins; None for other cells."""
    if source == "exercises.progress()":
        table: Any = exercises.progress()
        return {"text/html": table._repr_html_(), "text/plain": table.to_string()}
    asked = re.fullmatch(r"widgets\.quiz\((.+)\)", source)
    page = widgets.quiz(*ast.literal_eval(f"({asked[1]},)")).page if asked else ""
    return {"text/html": page, "text/plain": as_text(page)} if page else None


def _code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _code_of(cell: NotebookNode | None) -> tuple[str, list[str]] | None:
    """What decides a cell's outputs; None where the other notebook has a code cell more."""
    return None if cell is None else (cell.source, cell.metadata.get("tags", []))


def parse_repository(text: str) -> str | None:
    """The OWNER/NAME in "owner/name" or in the address of a GitHub remote; None where there is none."""
    host = r"(?:https://|ssh://git@|git@)github\.com[/:]"
    matched = re.fullmatch(rf"(?:{host})?(\w[\w.-]*/\w[\w.-]*?)(?:\.git)?/?", text.strip())
    return matched[1] if matched else None


def choose_repository(argument: str) -> str | None:
    """The OWNER/NAME given, or that of GITHUB_REPOSITORY, or of the git remote `origin`; None where there is none.

    Raises ValueError where the one given cannot be read.
    """
    if argument:
        repository = parse_repository(argument)
        if repository is None:
            raise ValueError(f"the repository must be owner/name or a GitHub address; got {argument!r}")
        return repository
    ask_git = ["git", "-C", str(NOTEBOOKS), "remote", "get-url", "origin"]
    remote = subprocess.run(ask_git, capture_output=True, text=True, check=False).stdout
    return parse_repository(os.environ.get("GITHUB_REPOSITORY", "")) or parse_repository(remote)


def badge(name: str, repository: str | None) -> str:
    """The line under a notebook's title: a badge that opens it in Colab or, without an address, a comment."""
    if repository is None:
        return NO_BADGE
    link = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{name}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"


def with_address(text: str, name: str, repository: str | None) -> str:
    """`text` (a source or a cell) with badge line and bootstrap address set."""
    address = f"git+https://github.com/{repository}" if repository else ""
    text = _BADGE.sub(lambda line: (line[1] or "") + badge(name, repository), text)
    return _ADDRESS.sub(lambda _: address, text)


def set_badges(repository: str | None, folder: Path = NOTEBOOKS) -> None:
    """Set the badge and the cell for Colab in every source and every built notebook; nothing else changes."""
    for source in sorted((folder / "src").glob("*.py")):
        text = _BOOTSTRAP.sub(lambda _: BOOTSTRAP, source.read_text("utf-8"))
        source.write_text(with_address(text, source.stem, repository), "utf-8")
    for path in sorted(folder.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            text = BOOTSTRAP if "colab" in cell.metadata.get("tags", []) else cell.source
            cell.source = with_address(text, path.stem, repository)
        nbformat.write(notebook, path)


def find_sources(names: Sequence[str], folder: Path = NOTEBOOKS) -> list[Path]:
    """The sources of these names, or all. Raises FileNotFoundError that lists what there is."""
    there = {path.stem: path for path in sorted((folder / "src").glob("*.py"))}
    unknown = [name for name in names if name not in there]
    if unknown or not there:
        raise FileNotFoundError(f"no source {', '.join(unknown)} in {folder / 'src'}; there are: {', '.join(there)}")
    return [there[name] for name in names or there]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 0, or 1 where a notebook could not be built, or 2 where the request is refused."""
    parser = argparse.ArgumentParser(description="Build the notebooks from their sources, or set their Colab badges.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 03_sgan (default: all)")
    parser.add_argument("--text", action="store_true", help="rewrite their text alone, and run nothing")
    parser.add_argument("--badges", nargs="?", const="", metavar="OWNER/REPO", help="set the Colab badges instead")
    options = parser.parse_args(arguments)
    os.environ["SGAN_PROGRESS"] = ""  # notebooks show the progress of somebody who begins
    try:
        if options.badges is not None:
            repository = choose_repository(options.badges)
            set_badges(repository)
            print(f"Colab badges: {repository or 'no address; set one with `make badges REPOSITORY=owner/name`'}")
            return 0
        problems = (rewrite_text if options.text else build)(find_sources(options.names))
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
