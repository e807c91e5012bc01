"""Notebooks run with checked parameters; what fails is said, and the rest still runs."""

import shutil
from pathlib import Path

import nbformat
import pytest

from sgan_lib import course

PARAMETERS = 'preset = "quick"  # how long it may take\nseed = 0\nrate = 0.1\nsizes = (1, 2)\nlimit = None'
HEADLINE = 'print("working")\nprint(f"headline: {preset}, {seed}, {rate}, {sizes}, {limit}")'


def write_notebook(folder: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """A small notebook: a parameters cell, `cells`, a headline cell."""
    new_cell = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [
        new_cell(parameters, metadata={"tags": ["parameters"]}),
        *map(new_cell, cells),
        new_cell(HEADLINE, metadata={"tags": ["headline"]}),
    ]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with three notebooks, the second of which fails, and one that no number chooses."""
    folder = tmp_path / "notebooks"
    write_notebook(folder, "00_first")
    write_notebook(folder, "01_fails", "before = 7", 'raise KeyError("the pool is empty")', "after = 8")
    write_notebook(folder, "02_third")
    write_notebook(folder, "template")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parameters_reach_the_notebook_and_the_original_stays(tmp_path: Path) -> None:
    path = write_notebook(tmp_path, "00_first", "import os", 'print("folder", os.getcwd())')
    before = path.read_bytes()
    parameters = {"preset": "standard", "seed": 3, "rate": 2, "sizes": [5], "limit": 4}
    executed = course.run_notebook(path, parameters, tmp_path / "out")
    assert executed == tmp_path / "out" / "00_first.ipynb"
    assert course.read_headline(executed) == "standard, 3, 2.0, [5], 4"
    assert f"folder {tmp_path}" in executed.read_text()
    assert path.read_bytes() == before


def test_the_rest_runs_when_one_fails(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course.main(["run", "--workers", "2", "--preset", "standard"]) == 1
    printed = capsys.readouterr()
    assert 'raise KeyError("the pool is empty")' in printed.err
    rows = {line.split()[0]: line for line in printed.out.split("executed copy")[1].splitlines()[2:]}
    assert list(rows) == ["00_first", "01_fails", "02_third"]
    assert "standard, 0, 0.1, (1, 2), None" in rows["00_first"]
    assert "FAILED: KeyError" in rows["01_fails"]
    assert "standard, 0" in rows["02_third"]
    for name, row in rows.items():
        copy = checkout / row.split()[-1]
        assert copy == checkout / "runs" / "course" / f"{name}.ipynb"
        assert copy.exists()
    assert "01_fails failed in cell [4]" in printed.err
    assert "\x1b" not in printed.err


def test_exit_code_is_zero_when_all_is_well(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course.main(["run", "00_first", "-p", "seed", "5", "-p", "rate", "1", "--out", "elsewhere"]) == 0
    assert "quick, 5, 1.0" in capsys.readouterr().out
    assert (checkout / "elsewhere" / "00_first.ipynb").exists()


def test_a_path_is_taken_at_its_word(checkout: Path) -> None:
    folder, elsewhere = checkout / "notebooks", checkout / "mine" / "00_first.ipynb"
    elsewhere.parent.mkdir()
    shutil.copy(folder / "00_first.ipynb", elsewhere)
    assert course.find_notebooks([str(elsewhere), "02_third.ipynb"], folder) == [elsewhere, folder / "02_third.ipynb"]
    elsewhere.unlink()
    with pytest.raises(FileNotFoundError, match=r"no notebook named .*mine/00_first"):
        course.find_notebooks([str(elsewhere)], folder)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["-p", "sede", "1"], "00_first has no parameter 'sede'; it has: preset = 'quick' (str), seed = 0 (int)"),
        (["-p", "seed", "1e2"], "seed must be of type int; got 100.0 (float). It has: preset"),
        (["-p", "seed", "three"], "seed must be of type int; got 'three' (str)"),
        (["-p", "seed", "True"], "seed must be of type int; got True (bool)"),
        (["-p", "rate", "nan"], "rate must be of type float; got 'nan' (str)"),
        (["-p", "sizes", "3"], "sizes must be of type tuple; got 3 (int)"),
        (["-p", "seed", "1", "-p", "seed", "2"], "given more than once: seed"),
        (["--preset", "quick", "-p", "preset", "paper"], "given more than once: preset"),
        (["--preset", "qick"], "preset must be one of quick, standard, paper; got 'qick'"),
        (["--workers", "0"], "--workers must be a whole number of at least 1; got 0"),
        (["03_sgan"], "no notebook named 03_sgan in"),
        (["03_sgan"], "there are: 00_first, 01_fails, 02_third, template"),
    ],
)
def test_a_bad_request_is_refused_before_anything_runs(
    checkout: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert course.main(["run", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert not (checkout / "runs").exists()


def test_a_parameter_that_one_notebook_lacks_is_refused_for_all(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(checkout / "notebooks", "03_bare", parameters="seed = 1")
    assert course.main(["run", "--preset", "quick"]) == 2
    assert "03_bare has no parameter 'preset'; it has: seed = 1 (int)" in capsys.readouterr().err
    assert not (checkout / "runs").exists()


def test_the_library_function_refuses_too(tmp_path: Path) -> None:
    path = write_notebook(tmp_path, "00_first")
    with pytest.raises(course.ParameterError, match="no parameter 'labels'"):
        course.run_notebook(path, {"labels": 3}, tmp_path / "out")
    with pytest.raises(course.ParameterError, match="seed must be of type int; got '3'"):
        course.run_notebook(path, {"seed": "3"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_executed_copy_never_replaces_the_notebook(tmp_path: Path) -> None:
    path = write_notebook(tmp_path, "00_first")
    with pytest.raises(ValueError, match="out must not be the notebook's own folder"):
        course.run_notebook(path, {}, tmp_path)


def test_a_default_that_is_no_literal_is_named(tmp_path: Path) -> None:
    path = write_notebook(tmp_path, "00_first", parameters="seed = 3 * 4")
    with pytest.raises(course.ParameterError, match=r"00_first: the default of seed is not a literal: 3 \* 4"):
        course.default_parameters(path)


def test_values_from_the_command_line_follow_the_default() -> None:
    assert course.parse_value("50", default=7) == 50
    assert course.parse_value("50", default="digits") == "50"
    assert course.parse_value("1e-3", default=0.1) == 0.001
    assert course.parse_value("[1, 2]", default=(1,)) == [1, 2]
    assert course.parse_value("None", default=None) is None


def test_a_notebook_without_a_headline_is_said_to_have_none(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)")])
    nbformat.write(notebook, tmp_path / "plain.ipynb")
    assert course.read_headline(tmp_path / "plain.ipynb").startswith("(none")


def test_a_broken_file_is_an_outcome_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "00_broken.ipynb").write_text("{")
    [outcome] = course.run_all([(tmp_path / "00_broken.ipynb", {})], tmp_path / "out", workers=1)
    assert outcome.headline == "FAILED: NotJSONError"
    assert outcome.error is not None
    assert "NotJSONError" in outcome.error


def test_list_shows_notebooks_and_defaults(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course.main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["00_first", "01_fails", "02_third"]
    assert "seed=0" in lines[0]


def test_the_checkout_is_found_from_anywhere_and_its_absence_is_said(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert course.notebooks_folder() == root / "notebooks"
    monkeypatch.setattr(course, "__file__", str(tmp_path / "site" / "sgan_lib" / "course.py"))
    assert course.main(["run"]) == 2
    assert "Run this from the repository's root" in capsys.readouterr().err


def test_an_empty_folder_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    assert course.main(["run"]) == 2
    assert "there are: none" in capsys.readouterr().err
