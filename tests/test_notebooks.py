"""The notebooks are what their sources say, from one clean run, and built the way the course teaches."""

import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode

from sgan_lib import course

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NUMBERED = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


# tests of what only a lesson has: `run_experiment`, which sweeps execute, is a page of results
lessons_only = pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem, indirect=True)


@pytest.fixture(params=[*NUMBERED, FOLDER / "run_experiment.ipynb"], ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def shows_a_picture(cell: NotebookNode) -> bool:
    shown = [output.get("data", {}) for output in cell.get("outputs", [])]
    kinds = [kind for data in shown for kind in data]
    return any(kind.startswith("image/") for kind in kinds) or any(
        re.search(r"<(img|video|svg)\b", str(data.get("text/html", ""))) for data in shown
    )


def test_every_source_has_its_notebook_and_the_reverse() -> None:
    built = {path.stem for path in FOLDER.glob("*.ipynb")}
    assert built == {path.stem for path in (FOLDER / "src").glob("*.py")}
    assert NUMBERED


def test_the_notebook_equals_its_source(path: Path, notebook: NotebookNode, build: ModuleType) -> None:
    def parts(cells: list[NotebookNode]) -> list[tuple[str, str, list[str], str]]:
        return [(cell.cell_type, cell.id, cell.metadata.get("tags", []), cell.source) for cell in cells]

    source = build.convert(FOLDER / "src" / f"{path.stem}.py")
    assert parts(notebook.cells) == parts(source.cells), "run `make notebooks`"


def test_outputs_come_from_one_clean_run(notebook: NotebookNode) -> None:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert not any(WIDGET in output.get("data", {}) for output in outputs)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_the_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size < 1_500_000


@lessons_only
def test_it_opens_with_title_badge_and_the_three_cells(path: Path, notebook: NotebookNode, build: ModuleType) -> None:
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    [bootstrap] = tagged(notebook, "colab")
    [imports] = tagged(notebook, "imports")
    [parameters] = tagged(notebook, "parameters")
    assert code_cells(notebook)[:3] == [bootstrap, imports, parameters]
    address = re.search(r'"SGAN_REPOSITORY", "(.*?)"', bootstrap.source)
    assert address is not None
    repository = build.parse_repository(address[1].removeprefix("git+"))
    assert bootstrap.source == build.with_address(build.BOOTSTRAP, path.stem, repository)
    assert build.badge(path.stem, repository) in notebook.cells[0].source.splitlines()


def test_every_notebook_has_preset_and_seed(path: Path) -> None:
    defaults = course.default_parameters(path)
    assert defaults["preset"] == "quick"
    assert type(defaults["seed"]) is int


def test_imports_stand_in_one_cell(notebook: NotebookNode) -> None:
    for cell in code_cells(notebook):
        if not {"colab", "imports"} & set(cell.metadata.get("tags", [])):
            assert not re.search(r"^\s*(import|from)\s+\w", cell.source, re.MULTILINE), cell.source


def test_code_cells_are_short(notebook: NotebookNode) -> None:
    too_long = [cell.id for cell in code_cells(notebook) if len(cell.source.splitlines()) > 25]
    assert too_long == []


def test_pictures_are_described(notebook: NotebookNode) -> None:
    """The cell after a picture says in a line that begins **Figure.** what one sees."""
    following = [*notebook.cells[1:], nbformat.v4.new_markdown_cell()]
    for cell, after in zip(notebook.cells, following, strict=True):
        if shows_a_picture(cell):
            assert after.cell_type == "markdown", cell.id
            assert re.search(r"^\*\*Figure\.\*\* \w.{20,}", after.source, re.MULTILINE), cell.id
        assert "![](" not in cell.source, cell.id


@lessons_only
def test_there_are_exercises_with_checkers_and_folded_solutions(notebook: NotebookNode) -> None:
    code = "\n".join(cell.source for cell in code_cells(notebook))
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    checked = set(re.findall(r'exercises\.check\("([\w.]+)"', code))
    assert len(checked) >= 3
    assert text.count("<details>") == text.count("</details>") >= len(checked)


def test_the_last_code_cell_prints_the_headline(path: Path, notebook: NotebookNode) -> None:
    assert tagged(notebook, "headline") == code_cells(notebook)[-1:]
    assert not course.read_headline(path).startswith("(none")


def test_what_nbval_compares_is_there_to_be_compared(notebook: NotebookNode) -> None:
    """Where a count is missing nbval skips the comparison and passes; and no tag at all compares nothing."""
    compared = tagged(notebook, "nbval-check-output")
    assert compared
    for cell in compared:
        assert cell.execution_count is not None, cell.id
        assert cell.outputs, cell.id


# The machinery that builds them

SOURCE = """# %% [markdown]
# # A title: with a dash – and a sign
# {badge}

# %% tags=["colab"]
{bootstrap}

# %% tags=["parameters"]
seed = 0

# %% [markdown]
# ## A section

# %%
import sys
from tqdm import tqdm
from tqdm.auto import tqdm as widget
for _ in tqdm(widget(range(3))):
    print("step")

# %% tags=["headline"]
print("headline:", seed)
"""


@pytest.fixture
def folder(tmp_path: Path, build: ModuleType) -> Path:
    """A folder of notebooks with one source."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "00_small.py").write_text(SOURCE.format(badge=build.NO_BADGE, bootstrap=build.BOOTSTRAP))
    return tmp_path


def test_ids_follow_headings_and_stay(folder: Path, build: ModuleType) -> None:
    ids = [cell.id for cell in build.convert(folder / "src" / "00_small.py").cells]
    assert ids[0] == "a-title-with-a-dash-and-a-sign-1"
    assert ids[3:] == ["a-section-1", "a-section-2", "a-section-3"]
    assert ids == [cell.id for cell in build.convert(folder / "src" / "00_small.py").cells]


def test_a_build_keeps_what_is_shown_and_drops_what_passes(folder: Path, build: ModuleType) -> None:
    assert build.build(build.find_sources(["00_small"], folder), folder) == []
    notebook = nbformat.read(folder / "00_small.ipynb", as_version=4)
    assert [cell.execution_count for cell in code_cells(notebook)] == [1, 2, 3, 4]
    assert [output.text for output in notebook.cells[4].outputs] == ["step\nstep\nstep\n"]
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)
    assert notebook.metadata == build.METADATA


def test_a_warning_fails_the_build_and_changes_nothing(build: ModuleType) -> None:
    output = nbformat.v4.new_output("stream", name="stderr", text=" 50%|###   | 1/2\rUserWarning: careless\n")
    cell = nbformat.v4.new_code_cell("careless()", outputs=[output], execution_count=4)
    with pytest.raises(ValueError, match=r"cell \[4\] wrote to stderr:\nUserWarning: careless"):
        build.normalise(nbformat.v4.new_notebook(cells=[cell]))


def test_a_failing_source_is_reported_and_the_old_notebook_stays(folder: Path, build: ModuleType) -> None:
    (folder / "00_small.ipynb").write_text("the old one")
    with (folder / "src" / "00_small.py").open("a") as source:
        source.write("\n# %%\n1 / 0\n")
    [problem] = build.build(build.find_sources([], folder), folder)
    assert "00_small failed in cell [5]" in problem
    assert "ZeroDivisionError" in problem
    assert (folder / "00_small.ipynb").read_text() == "the old one"


def test_an_unknown_source_is_refused_with_the_list(folder: Path, build: ModuleType) -> None:
    with pytest.raises(FileNotFoundError, match=r"no source 07_large in .*; there are: 00_small"):
        build.find_sources(["07_large"], folder)


def test_badges_are_set_changed_and_taken_away(folder: Path, build: ModuleType) -> None:
    source, built = folder / "src" / "00_small.py", folder / "00_small.ipynb"
    nbformat.write(build.convert(source), built)
    before = source.read_text(), built.read_text()
    for repository in ("someone/course", "another/copy"):
        build.set_badges(repository, folder)
        link = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/00_small.ipynb"
        for text in (source.read_text(), built.read_text().replace('\\"', '"')):
            assert text.count(f"]({link})") == 1
            assert text.count(f'"SGAN_REPOSITORY", "git+https://github.com/{repository}"') == 1
            assert build.NO_BADGE not in text
    build.set_badges(None, folder)
    assert (source.read_text(), built.read_text()) == before


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("owner/name", "owner/name"),
        ("https://github.com/owner/na.me.git\n", "owner/na.me"),
        ("git@github.com:owner/name.git", "owner/name"),
        ("ssh://git@github.com/owner/name", "owner/name"),
        ("https://elsewhere.example/owner/name", None),
        ("/srv/git/name", None),
        ("../name", None),
        ("", None),
    ],
)
def test_addresses_are_read(build: ModuleType, text: str, repository: str | None) -> None:
    assert build.parse_repository(text) == repository


def test_the_address_is_the_argument_or_the_variable_but_never_a_guess(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "some/where")
    assert build.choose_repository("owner/name") == "owner/name"
    assert build.choose_repository("") == "some/where"
    with pytest.raises(ValueError, match="must be owner/name or a GitHub address; got 'owner'"):
        build.choose_repository("owner")
