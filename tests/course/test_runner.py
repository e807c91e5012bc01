"""Notebooks run with checked parameters; what fails is reported, and the rest still runs. And the command line."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from sgan_lib.course import runner, stored
from sgan_lib.course.__main__ import main

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = 'preset = "quick"  # how long it may take\nseed = 0\nrate = 0.1\nsizes = (1, 2)\nlimit = None'
HEADLINE = 'print("in", os.getcwd())\nprint(f"headline: {preset}, {seed}, {rate}, {sizes}, {limit}")'


def write_notebook(path, *cells, parameters=PARAMETERS):
    """A small notebook: a parameters cell, `cells`, a headline cell."""
    new_cell = nbformat.v4.new_code_cell
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [new_cell(parameters, metadata={"tags": ["parameters"]}), *map(new_cell, ["import os", *cells]),
                      new_cell(HEADLINE, metadata={"tags": ["headline"]})]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The notebooks of the current directory: three that run, one that fails, two others, and one without a number."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "notebooks"
    for name in ("00_first", "02_third", "template"):
        write_notebook(folder / f"{name}.ipynb")
    write_notebook(folder / "01_fails.ipynb", 'raise KeyError("the pool is empty")', "after = 8")
    write_notebook(folder / "03_bare.ipynb", parameters="seed = 1")
    write_notebook(folder / "sum.ipynb", parameters="seed = 3 * 4")
    return folder


def test_parameters_reach_a_copy_that_runs_where_the_notebook_is(folder):
    path = folder / "00_first.ipynb"
    before = path.read_bytes()
    parameters = {"preset": "standard", "seed": 3, "rate": 2, "sizes": [5], "limit": 4}
    executed = runner.run_notebook(path, parameters, folder.parent / "out")
    assert executed.parent == folder.parent / "out"
    other = runner.run_notebook(path, parameters | {"seed": 4}, folder.parent / "out")
    assert runner.read_headline(other) == "standard, 4, 2.0, [5], 4"  # and the first copy is still there:
    assert runner.read_headline(executed) == "standard, 3, 2.0, [5], 4"
    assert runner.read_headline(path).startswith("(none")
    assert f"in {folder}\\n" in executed.read_text()
    assert path.read_bytes() == before


def test_what_a_cell_prints_is_one_output_however_long_its_lines(tmp_path):
    body = ["import sys", "for part in 'abc':", "    print(part * 400_000, end='', flush=True)",
            "print('\\n  0%\\r 50%\\r100%\\r\\nover')", "print('said', file=sys.stderr)"]  # fmt: skip
    write_notebook(tmp_path / "long.ipynb", "\n".join(body))
    executed = nbformat.read(runner.run_notebook(tmp_path / "long.ipynb", {}, tmp_path / "out"), as_version=4)
    outputs = next(cell.outputs for cell in executed.cells if "400_000" in cell.source)
    wanted = "a" * 400_000 + "b" * 400_000 + "c" * 400_000 + "\n100%\nover\n"
    assert {output.name: output.text for output in outputs} == {"stdout": wanted, "stderr": "said\n"}
    assert len(outputs) == 2


def test_a_notebook_whose_kernel_is_ended_by_a_cell_has_failed(tmp_path):
    write_notebook(tmp_path / "exit.ipynb", "import sys\nsys.exit()", "after = 8")
    [exit_] = runner.run_all([(tmp_path / "exit.ipynb", {})], tmp_path / "out", workers=1)
    assert exit_.error.startswith("with RuntimeError: a cell ended the kernel")


def test_the_rest_runs_when_one_fails(folder, capsys):
    (folder / "broken.ipynb").write_text("{")
    [broken] = runner.run_all([(folder / "broken.ipynb", {})], folder.parent / "out", workers=1)
    assert broken.headline == "FAILED: ParameterError"
    headlines = {"00_first": "standard, 0, 1.0, (1, 2), None", "01_fails": "FAILED: KeyError", "02_third": "standard"}
    assert main(["run", *headlines, "--workers", "2", "-p", "rate", "1", "--preset", "standard", "--out", "o"]) == 1
    printed = capsys.readouterr()
    rows = printed.out.split("executed copy")[1].splitlines()[2:]
    for row, (name, headline) in zip(rows, headlines.items(), strict=True):
        assert row.startswith(name)
        assert headline in row
        assert Path(row.split()[-1]).is_file()
        assert Path(row.split()[-1]).name.startswith(f"{name}-")
    assert "01_fails failed in cell [4]" in printed.err  # after the parameters that papermill adds
    assert 'raise KeyError("the pool is empty")' in printed.err
    assert "\x1b" not in printed.err


@pytest.mark.parametrize(("arguments", "complaint"), [
    (["-p", "sede", "1"], "00_first has no parameter 'sede'; it has: preset = 'quick' (str), seed = 0 (int)"),
    (["-p", "seed", "1e2"], "seed must be of type int; got 100.0 (float). It has: preset"),
    (["-p", "seed", "three"], "seed must be of type int; got 'three' (str)"),
    (["-p", "seed", "True"], "seed must be of type int; got True (bool)"),
    (["-p", "rate", "nan"], "rate must be of type float; got 'nan' (str)"),
    (["-p", "sizes", "3"], "sizes must be of type tuple; got 3 (int)"),
    (["-p", "seed", "1", "-p", "seed", "2"], "more than once: seed"),
    (["--preset", "quick", "-p", "preset", "paper"], "more than once: preset"),
    (["--preset", "qick"], "preset must be one of quick, standard, paper; got 'qick'"),
    (["--preset", "quick"], "03_bare has no parameter 'preset'; it has: seed = 1 (int)"),
    (["--workers", "0"], "--workers must be a whole number of at least 1; got 0"),
    (["broken.ipynb"], "broken.ipynb is no notebook that can be read"),
    (["00_first", "-p", "seed", "-1"], "seed must be a whole number of at least 0"),
    (["00_first", "--out", "broken.ipynb/x"], "--out must be a file in a folder that can be written"),
    (["sum"], "sum: the default of seed is not a literal: 3 * 4"),
    (["03_sgan"], "03_sgan in"),
    (["elsewhere/00_first.ipynb"], "00_first, 01_fails, 02_third, 03_bare, sum, template"),
])  # fmt: skip
def test_a_bad_request_is_refused_before_anything_runs(folder, capsys, arguments, complaint):
    Path("broken.ipynb").touch()
    assert main(["run", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_notebook_is_not_replaced_by_its_copy(folder):
    with pytest.raises(ValueError, match="out must not be the notebook's own folder"):
        runner.run_notebook(folder / "00_first.ipynb", {}, folder)


def test_copies_of_notebooks_from_different_folders_do_not_replace_each_other():
    paths = (Path("notebooks/03_sgan.ipynb"), Path("anna/03_sgan.ipynb"), Path("ben/03_sgan.ipynb"))
    names = [runner.copy_of(path, {"seed": 1}, Path("out")).name for path in paths]
    assert names == ["03_sgan-seed=1.ipynb", "anna-03_sgan-seed=1.ipynb", "ben-03_sgan-seed=1.ipynb"]


@pytest.mark.parametrize(("text", "default", "value"), [
    ("50", 7, 50), ("50", "digits", "50"), ("1e-3", 0.1, 0.001), ("[1, 2]", (1,), [1, 2]), ("None", None, None),
])  # fmt: skip
def test_values_from_the_command_line_follow_the_default(text, default, value):
    assert runner.parse_value(text, default) == value


def test_a_path_is_taken_at_its_word_and_without_names_the_numbered_notebooks_are_listed(folder, capsys):
    elsewhere = write_notebook(folder.parent / "mine" / "00_first.ipynb")
    chosen = runner.find_notebooks([str(elsewhere), "02_third.ipynb", "01_fails", "02_third"], folder)
    assert chosen == [elsewhere, folder / "02_third.ipynb", folder / "01_fails.ipynb"]
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["00_first", "01_fails", "02_third", "03_bare"]
    assert lines[0].endswith("\tpreset='quick'  seed=0  rate=0.1  sizes=(1, 2)  limit=None")


def test_the_course_is_found_from_anywhere_and_where_it_is_not_there_that_is_said(tmp_path, root, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert runner.notebooks_folder() == root / "notebooks"
    monkeypatch.setattr(stored, "__file__", str(tmp_path / "sgan_lib" / "course" / "stored.py"))
    assert main(["run"]) == 2
    write_notebook(tmp_path / "sgan_lib" / "notebooks" / "run_experiment.ipynb")
    assert main(["run"]) == 2
    assert "run this from the repository's root" in capsys.readouterr().err


# --- on any machine, with whatever lies around


def test_a_path_is_taken_before_a_name_and_two_of_one_name_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (".", "anna", "ben", "course"):
        (tmp_path / folder).mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / folder / "01_mine.ipynb")
    course, mine = tmp_path / "course", tmp_path / "01_mine.ipynb"
    assert [path.resolve() for path in runner.find_notebooks(["./01_mine.ipynb"], course)] == [mine]
    assert [path.resolve() for path in runner.find_notebooks(["01_mine.ipynb"], course)] == [mine]
    assert runner.find_notebooks(["01_mine"], course) == [course / "01_mine.ipynb"]
    with pytest.raises(ValueError, match="notebooks must have different names"):
        runner.find_notebooks(["anna/01_mine.ipynb", "ben/01_mine.ipynb"], course)


def test_the_command_line_writes_to_any_terminal_and_without_a_home(tmp_path):
    environment = {"PATH": os.environ["PATH"], "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    start = [sys.executable, "-c"]
    code = "from sgan_lib import data, runtime; runtime.run_command(lambda: print(data.load('digits', 20), '3×3'))"
    done = subprocess.run([*start, code], env=environment, cwd=tmp_path, capture_output=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"digits: values of shape 1x8x8")
    assert done.stdout.endswith(b" 3\\xd73\n")
    stop = "import sgan_lib.runtime as r; raise SystemExit(r.run_command(lambda: exec('raise KeyboardInterrupt')))"
    stopped = subprocess.run([*start, stop], env=environment, capture_output=True, timeout=100)
    assert (stopped.returncode, stopped.stderr) == (130, b"stopped\n")
    lines = "sys.exit(r.run_command(lambda: r.refusals_as_lines(lambda: [print('line') for _ in iter(int, 1)])))"
    endless = f"import sys, sgan_lib.runtime as r; {lines}"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*start, endless], env=environment, **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(timeout=60), process.stderr.read()) == (141, b"")
