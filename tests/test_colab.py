"""The notebooks' first cell installs the library in Colab, and does nothing elsewhere."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import ModuleType

import pytest

# What a visitor's notebook does in Colab; run in a process of its own with the cell's text on standard input.
VISIT = """
import json, sys
from importlib import resources
import google.colab
import torch
before = torch.__version__, torch.__file__
exec(sys.stdin.read())
import sgan_lib
from sgan_lib import data
loaded = data.load("mnist", n_labels=100)
print(json.dumps({
    "package": sgan_lib.__file__,
    "torch unchanged": before == (torch.__version__, torch.__file__),
    "images": len(loaded.unlabelled) + len(loaded.labelled.images),
    "notebook of the sweep": resources.files(sgan_lib).joinpath("notebooks", "run_experiment.ipynb").is_file(),
}))
"""


def copy_of_the_working_tree(root: Path, repository: Path) -> str:
    """A git repository with what git sees in the working tree, and its address for pip."""
    git = ["git", "-C", str(repository), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    seen = subprocess.check_output(["git", "-C", str(root), "ls-files", "-co", "--exclude-standard"], text=True)
    for name in seen.splitlines():
        if (root / name).is_file():
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_bytes((root / name).read_bytes())
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "working tree"]):
        subprocess.run([*git, *command], check=True)
    return f"git+{repository.as_uri()}"


def clean_environment(folder: Path) -> Path:
    """The Python of a new environment with all that this one has but the course, and with a stub of google.colab."""
    venv.create(folder / "venv", with_pip=False)
    everything_else = folder / "libraries"
    everything_else.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "sgan" not in entry.name:
            (everything_else / entry.name).symlink_to(entry)
    python = folder / "venv" / "bin" / "python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    (site / "libraries.pth").write_text(f"{everything_else}\n")
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").touch()
    return python


@pytest.mark.integration
@pytest.mark.timeout(300)
def test_one_click_in_colab(tmp_path: Path, root: Path, build: ModuleType) -> None:
    for name in ("repository", "content"):
        (tmp_path / name).mkdir()
    python = clean_environment(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "PIP_"))}
    environment |= {
        "SGAN_REPOSITORY": copy_of_the_working_tree(root, tmp_path / "repository"),
        "SGAN_DATA": str(tmp_path / "data"),
        "PIP_NO_INDEX": "1",  # whatever is not there already cannot come from anywhere
        "PIP_NO_BUILD_ISOLATION": "0",  # sic: pip reads "no" twice; it builds with the setuptools at hand
    }
    missing = subprocess.run(
        [python, "-c", "import sgan_lib"], cwd=tmp_path / "content", capture_output=True, text=True
    )
    assert "No module named 'sgan_lib'" in missing.stderr
    visit = subprocess.run(
        [python, "-c", VISIT], input=build.BOOTSTRAP, cwd=tmp_path / "content", env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert visit.returncode == 0, visit.stderr
    seen = json.loads(visit.stdout.splitlines()[-1])
    assert Path(seen["package"]).is_relative_to(tmp_path / "venv")
    assert seen["torch unchanged"]
    assert seen["images"] >= 59_000
    assert seen["notebook of the sweep"]


@pytest.fixture
def no_subprocess(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the cell started a process")

    monkeypatch.setattr(subprocess, "run", refuse)


@pytest.mark.usefixtures("no_subprocess")
def test_elsewhere_the_cell_does_nothing(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    exec(build.BOOTSTRAP, {})


@pytest.mark.usefixtures("no_subprocess")
def test_without_an_address_the_cell_says_how_to_set_one(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.delenv("SGAN_REPOSITORY", raising=False)
    with pytest.raises(RuntimeError, match="make badges REPOSITORY=owner/name"):
        exec(build.BOOTSTRAP, {})


def test_the_cell_installs_from_the_address_that_the_badges_set(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command))
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.delenv("SGAN_REPOSITORY", raising=False)
    exec(build.with_address(build.BOOTSTRAP, "00_start_here", "owner/name"), {})
    [command] = calls
    assert command[-1] == "git+https://github.com/owner/name"
    assert "--no-deps" in command
    assert not {"torch", "torchvision", "ipywidgets"} & set(command)
