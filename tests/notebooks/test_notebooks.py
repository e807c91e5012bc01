"""The notebooks are what their sources say, from one clean run, and built the way the course teaches."""

import re
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat import NotebookNode

from sgan_lib.course import exercises, runner

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
STEMS = sorted({path.stem for path in [*FOLDER.glob("*.ipynb"), *FOLDER.glob("src/*.py")]})

# tests of what only a lesson has: `run_experiment`, which sweeps execute, is a page of results
lessons_only = pytest.mark.parametrize("path", [stem for stem in STEMS if runner.LESSON.match(stem)], indirect=True)


@pytest.fixture(params=STEMS)
def path(request: pytest.FixtureRequest) -> Path:
    return FOLDER / f"{request.param}.ipynb"


@pytest.fixture
def notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def test_the_notebook_equals_its_source(path: Path, notebook: NotebookNode, build: ModuleType) -> None:
    source = build.convert(FOLDER / "src" / f"{path.stem}.py")
    built, converted = (
        [(cell.cell_type, cell.id, cell.metadata.get("tags", []), cell.source) for cell in version.cells]
        for version in (notebook, source)
    )
    assert built == converted, "run `make notebooks`"


def test_outputs_come_from_one_clean_run(path: Path, notebook: NotebookNode) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert not any("widget-view" in kind for output in outputs for kind in output.get("data", {}))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    compared = tagged(notebook, "nbval-check-output")
    assert compared
    assert all(cell.outputs for cell in compared)  # else nbval skips the comparison and passes
    assert path.stat().st_size < 1_500_000


@lessons_only
def test_it_opens_with_title_badge_and_the_three_cells(path: Path, notebook: NotebookNode, build: ModuleType) -> None:
    assert notebook.cells[0].source.startswith("# ")
    bootstrap, *_ = opening = code_cells(notebook)[:3]
    assert [cell.metadata["tags"] for cell in opening] == [["colab"], ["imports"], ["parameters"]]
    address = re.search(r'"SGAN_REPOSITORY", "(?:git\+)?(.*?)"', bootstrap.source)
    assert address is not None
    repository = build.parse_repository(address[1])
    assert bootstrap.source == build.with_address(build.BOOTSTRAP, path.stem, repository)
    assert build.badge(path.stem, repository) in notebook.cells[0].source.splitlines()


def test_parameters_imports_and_the_headline_have_their_cells(path: Path, notebook: NotebookNode) -> None:
    defaults = runner.default_parameters(path)
    assert (defaults["preset"], type(defaults["seed"])) == ("quick", int)
    importing = [cell for cell in code_cells(notebook) if re.search(r"^\s*(import|from)\s+\w", cell.source, re.M)]
    assert all({"colab", "imports"} & set(cell.metadata.get("tags", [])) for cell in importing)
    assert tagged(notebook, "headline") == code_cells(notebook)[-1:]
    assert not runner.read_headline(path).startswith("(none")


@lessons_only
def test_quizzes_are_asked_as_their_files_have_them_and_progress_counts_them(
    notebook: NotebookNode, build: ModuleType
) -> None:
    exercises.reset()  # other tests have solved some
    shown = [(build.shown_by(cell.source), cell.outputs) for cell in code_cells(notebook)]
    pages = [(now, outputs[0].data) for now, outputs in shown if now]
    assert len(pages) > 1
    assert all(now.items() <= stored.items() for now, stored in pages), "run `notebooks/build.py --text`"


def test_code_cells_are_short_and_pictures_described(notebook: NotebookNode) -> None:
    """The cell after a picture says in a line that begins **Figure.** what one sees; so does its alternative text."""
    assert [cell.id for cell in code_cells(notebook) if len(cell.source.splitlines()) > 25] == []
    following = [*notebook.cells[1:], nbformat.v4.new_markdown_cell()]
    for cell, after in zip(notebook.cells, following, strict=True):
        shown = str([[*data, data.get("text/html")] for data in (o.get("data", {}) for o in cell.get("outputs", []))])
        if re.search(r"image/|<(img|video|svg)\b", shown):
            assert re.search(r"^\*\*Figure\.\*\* \w.{20,}", after.source, re.MULTILINE), cell.id
            pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
            assert all(output.metadata.get("image/png", {}).get("alt") for output in pictures), cell.id
        assert "![](" not in cell.source, cell.id


@lessons_only
def test_there_are_exercises_with_checkers_and_folded_solutions(notebook: NotebookNode) -> None:
    cells = [cell for cell in code_cells(notebook) if "exercises.check(" in cell.source]
    assert len(cells) >= 3
    assert all(cell.outputs[0].text.startswith("Not yet: ") for cell in cells)  # the learner's part is empty
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert text.count("<details>") == text.count("</details>") >= len(cells)


SOURCE = """# %% [markdown]
# # A title: with a dash – and a sign
# {badge}

# %% tags=["colab"]
{bootstrap}

# %% [markdown]
# ## A section

# %%
import sys
from tqdm import tqdm
from tqdm.auto import tqdm as widget
for _ in tqdm(widget(range(3))):
    print("step")

# %% tags=["result"]
from sgan_lib.course import widgets
widgets.predict("sgan.modes", "How many?", choices=["few", "all"])

# %%
from IPython.display import Image
Image(data=b"dots", format="png")

# %% [markdown]
# **Figure.** Ten *dots* at 1.5 below [a line](glossary.md#line),
# and `none` above. More words.
"""


@pytest.fixture
def folder(tmp_path: Path, build: ModuleType) -> Path:
    """A folder of notebooks with one source."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "00_small.py").write_text(SOURCE.format(badge=build.NO_BADGE, bootstrap=build.BOOTSTRAP))
    return tmp_path


def test_a_build_keeps_what_is_shown_and_drops_what_passes(folder: Path, build: ModuleType) -> None:
    assert build.build(build.find_sources(["00_small"], folder), folder) == []
    notebook = nbformat.read(folder / "00_small.ipynb", as_version=4)
    assert [cell.execution_count for cell in code_cells(notebook)] == [1, 2, 3, 4]
    assert [output.text for output in notebook.cells[3].outputs] == ["step\nstep\nstep\n"]
    [asked] = notebook.cells[4].outputs
    assert set(asked.data) == {"text/html", "text/plain"}
    assert "<li>few</li>" in asked.data["text/html"]
    [picture] = notebook.cells[5].outputs
    assert picture.metadata == {"image/png": {"alt": "Ten dots at 1.5 below a line, and none above."}}
    title, section = "a-title-with-a-dash-and-a-sign", [f"a-section-{k}" for k in range(1, 6)]
    assert [cell.id for cell in notebook.cells] == [f"{title}-1", f"{title}-2", *section]
    folded = {"colab": {"source_hidden": True}, "result": {"outputs_hidden": True}}
    assert {cell.metadata.tags[0]: cell.metadata.jupyter for cell in code_cells(notebook) if cell.metadata} == folded
    assert all(set(cell.metadata) <= {"tags", "jupyter"} for cell in notebook.cells)
    assert notebook.metadata == build.METADATA


def test_what_cannot_be_built_is_reported_and_the_old_notebook_stays(folder: Path, build: ModuleType) -> None:
    source, built = folder / "src" / "00_small.py", folder / "00_small.ipynb"
    built.write_text("the old one")
    for cell, reason in (("1 / 0", "ZeroDivisionError"), ("import warnings; warnings.warn('careless')", "careless")):
        source.write_text(f"# %%\n{cell}\n")
        [problem] = build.build(build.find_sources([], folder), folder)
        assert re.search(rf"00_small.* cell \[1\](.|\n)*{reason}", problem)
        assert built.read_text() == "the old one"
    with pytest.raises(FileNotFoundError, match=r"07_large .*: 00_small$"):
        build.find_sources(["07_large"], folder)


@pytest.fixture
def built(folder: Path, build: ModuleType) -> Path:
    """The notebook of that source, as a build would have left it."""
    notebook = build.convert(folder / "src" / "00_small.py")
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", text=f"said by {count}\n")]
    nbformat.write(build.normalise(notebook), folder / "00_small.ipynb")
    return folder / "00_small.ipynb"


def test_text_is_rewritten_and_outputs_stay(folder: Path, built: Path, build: ModuleType) -> None:
    source, before = folder / "src" / "00_small.py", built.read_text()
    assert build.rewrite_text([source], folder) == []
    assert built.read_text() == before
    longer = source.read_text().replace("# ## A section", "# ## Another section\n# Words.\n\n# %% [markdown]\n# More.")
    source.write_text(longer)
    assert build.rewrite_text([source], folder) == []
    notebook = nbformat.read(built, as_version=4)
    assert [cell.source for cell in notebook.cells[2:4]] == ["## Another section\nWords.", "More."]
    said = [(cell.execution_count, cell.outputs[0].text) for cell in code_cells(notebook)]
    assert said == [(count, f"said by {count}\n") for count in (1, 2, 3, 4)]
    assert [cell.id for cell in notebook.cells] == [cell.id for cell in build.convert(source).cells]


def test_with_the_text_a_quiz_is_asked_anew(folder: Path, built: Path, build: ModuleType) -> None:
    source, asked = folder / "src" / "00_small.py", 'widgets.quiz("theory", "ratio")'
    source.write_text(f"# %%\n{asked}\n")
    notebook = build.convert(source)
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", {"text/html": "old", "text/plain": "old"})]
    nbformat.write(notebook, built)
    assert build.rewrite_text([source], folder) == []
    [output] = nbformat.read(built, as_version=4).cells[0].outputs
    assert output.data == build.shown_by(asked)
    assert output.data["text/plain"].startswith("Question. ")


@pytest.mark.parametrize(
    ("old", "new", "cell"),
    [
        ("range(3)", "range(4)", "a-section-2"),
        ("# %%\nimport sys", '# %% tags=["headline"]\nimport sys', "a-section-2"),
        ('    print("step")\n', '    print("step")\n\n# %%\n1\n', "a-section-3"),
        ("# %%\nimport sys", "# %% [markdown]\n# import sys", "a-section-3"),
    ],
)
def test_text_is_not_rewritten_under_other_code(
    old: str, new: str, cell: str, folder: Path, built: Path, build: ModuleType
) -> None:
    source, before = folder / "src" / "00_small.py", built.read_text()
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new).replace("## A section", "## A section\n# Words."))
    [problem] = build.rewrite_text([source], folder)
    assert problem == f"00_small: the code of cell {cell} differs from the notebook's; build it"
    assert built.read_text() == before


def test_badges_are_set_changed_and_taken_away(folder: Path, build: ModuleType) -> None:
    source, built = folder / "src" / "00_small.py", folder / "00_small.ipynb"
    nbformat.write(build.convert(source), built)
    before = source.read_text(), built.read_text()
    assert "import zipfile" in before[0]
    source.write_text(before[0].replace("import zipfile\n", ""))  # a cell for Colab of another version
    nbformat.write(build.convert(source), built)
    for repository in ("someone/course", "another/copy"):
        build.set_badges(repository, folder)
        link = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/00_small.ipynb"
        for text in (source.read_text(), built.read_text().replace('\\"', '"')):
            assert text.count(f"]({link})") == 1
            assert text.count(f'"SGAN_REPOSITORY", "git+https://github.com/{repository}"') == 1
            assert build.NO_BADGE not in text
    build.set_badges(None, folder)
    assert (source.read_text(), built.read_text()) == before


def test_addresses_are_read_and_never_guessed(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "some/where")
    assert build.choose_repository("") == "some/where"
    for prefix in ("", "https://github.com/", "git@github.com:", "ssh://git@github.com/"):
        assert build.choose_repository(f"{prefix}owner/na.me.git\n") == "owner/na.me"
    for text in ("owner", "https://elsewhere.example/owner/name", "/srv/git/name", "../name"):
        with pytest.raises(ValueError, match=f"owner/name or a GitHub address; got '{text}'"):
            build.choose_repository(text)
