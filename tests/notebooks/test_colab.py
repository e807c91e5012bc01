"""The notebooks' first cell installs the library in Colab, and does nothing elsewhere."""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

# What a visitor's notebook does in Colab; run in a process of its own with the cell's text on standard input.
VISIT = """
import sys
from importlib import resources
import google.colab, torch
before = torch.__version__, torch.__file__
exec(sys.stdin.read())
import sgan_lib.data
assert before == (torch.__version__, torch.__file__)
assert resources.files(sgan_lib).joinpath("notebooks", "run_experiment.ipynb").is_file()
assert len(sgan_lib.data.load("mnist", n_labels=100).unlabelled) == 59_900
print(sgan_lib.__file__)
"""


def copy_of_the_working_tree(root: Path, copy: Path) -> Path:
    """What git sees in the working tree, in a folder that pip may build in."""
    seen = subprocess.check_output(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"], text=True)
    for name in filter(lambda name: (root / name).is_file(), seen.splitlines()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((root / name).read_bytes())
    return copy


def clean_environment(folder: Path) -> Path:
    """The Python of a new environment with all that this one has but the course, and with a stub of google.colab."""
    venv.create(folder / "venv", with_pip=False)
    (folder / "libraries" / "google" / "colab").mkdir(parents=True)
    (folder / "libraries" / "google" / "colab" / "__init__.py").touch()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "sgan" not in entry.name and entry.name != "google":
            (folder / "libraries" / entry.name).symlink_to(entry)
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{folder / 'libraries'}\n")
    return folder / "venv" / "bin" / "python"


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_an_upload_in_colab(tmp_path: Path, root: Path, build: ModuleType) -> None:
    copy_of_the_working_tree(root, tmp_path / "course-main")
    shutil.make_archive(str(tmp_path / "uploaded"), "zip", tmp_path, "course-main")
    skipped = ("PYTHON", "COV_", "PIP_", "SGAN_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(skipped)}
    environment["PIP_NO_INDEX"] = "1"  # whatever is not there already cannot come from anywhere
    environment["PIP_NO_BUILD_ISOLATION"] = "0"  # sic: pip reads "no" twice; it builds with the setuptools at hand
    python = clean_environment(tmp_path)
    how = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    assert "No module named 'sgan_lib'" in subprocess.run([python, "-c", "import sgan_lib"], **how).stderr
    visit = subprocess.run([python, "-c", VISIT], input=build.BOOTSTRAP, **how)
    assert visit.returncode == 0, visit.stderr
    assert Path(visit.stdout.splitlines()[-1]).is_relative_to(tmp_path / "venv")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the cell would have run in an empty folder, and, with google.colab there, in Colab without the library."""
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("SGAN_REPOSITORY", raising=False)
    monkeypatch.chdir(tmp_path)
    return commands


@pytest.fixture
def _colab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))


def test_the_cell_does_nothing_elsewhere(build: ModuleType, commands: list[list[str]]) -> None:
    exec(build.BOOTSTRAP, {})
    assert commands == []


@pytest.mark.usefixtures("_colab")
def test_the_cell_installs_from_its_address(build: ModuleType, commands: list[list[str]]) -> None:
    exec(build.with_address(build.BOOTSTRAP, "00_start_here", "owner/name"), {})
    assert commands[0][-1] == "git+https://github.com/owner/name"
    assert "--no-deps" in commands[0]
    assert not {"torch", "torchvision", "ipywidgets"} & set(commands[0])


@pytest.mark.usefixtures("_colab")
def test_without_an_address_an_upload_will_do_or_a_library_that_is_there(
    build: ModuleType, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("photos.zip", "photos/one.jpg"), ("course.zip", "name-main/sgan_lib/__init__.py")):
        with pytest.raises(RuntimeError, match="upload the course's folder as a zip"):
            exec(build.BOOTSTRAP, {})
        with zipfile.ZipFile(name, "w") as archive:
            archive.writestr(content, "")
    exec(build.BOOTSTRAP, {})
    assert commands.pop()[-1] == str(Path("course/name-main").resolve())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    exec(build.BOOTSTRAP, {})
    assert commands.pop()[-1] == "wadler-lindig"
    assert commands == []
