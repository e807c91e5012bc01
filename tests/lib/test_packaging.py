"""Metadata, pins, conda's environment, and the commands agree with one another."""

import importlib.metadata
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

import sgan_lib

VERBS = ["setup", "course", "lab", "test", "play", "check", "bench", "notebooks", "figures", "sweep", "clean", "badges",
         "help"]  # fmt: skip
CONDA_NAMES = {"pytorch": "torch"}


@pytest.fixture
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture
def pins(root: Path) -> dict[str, str]:
    lines = (root / "constraints.txt").read_text().splitlines()
    entries = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonical(name): version for name, version in entries}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_and_pip_ask_for_the_same(root: Path, project: dict[str, Any]) -> None:
    environment = yaml.safe_load((root / "environment.yml").read_text())
    conda = {entry for entry in environment["dependencies"] if isinstance(entry, str)} - {"pip"}
    renamed = {re.sub(r"^[\w-]+", lambda name: CONDA_NAMES.get(name[0], name[0]), entry) for entry in conda}
    wanted = {*project["dependencies"], *project["optional-dependencies"]["sweep"]}
    assert renamed == wanted | {f"python{project['requires-python']}"}
    assert [entry for entry in environment["dependencies"] if isinstance(entry, dict)] == [{"pip": ["-e ."]}]
    assert environment["channels"] == ["conda-forge"]


def test_every_direct_dependency_is_pinned_within_its_bounds(project: dict[str, Any], pins: dict[str, str]) -> None:
    extras = project["optional-dependencies"].values()
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        wanted = Requirement(text)
        if wanted.name != "setuptools":  # part of every new environment or of the build
            assert wanted.specifier.contains(pins[canonical(wanted.name)]), text


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the pins are those of Python 3.11; others need fewer")
def test_every_pin_is_used(pins: dict[str, str]) -> None:
    """Walk from the course through what its dependencies ask for, on any platform, and meet every pin."""
    met = waiting = {("sgan-course", frozenset({"test", "sweep"}))}
    while waiting:
        met = met | waiting
        waiting = {asked for name, extras in waiting for asked in asked_for(name, extras)} - met
    assert set(pins) - {name for name, _ in met} == set()


def asked_for(name: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """What an installed distribution with these extras requires here, each with the extras it is wanted with."""
    try:
        wanted = [Requirement(text) for text in importlib.metadata.requires(name) or []]
    except importlib.metadata.PackageNotFoundError:
        return []
    contexts = [{"extra": extra} for extra in {"", *extras}]
    here = [each for each in wanted if each.marker is None or any(map(each.marker.evaluate, contexts))]
    return [(canonical(each.name), frozenset(each.extras)) for each in here]


def test_version_packages_and_data_files(root: Path) -> None:
    assert importlib.metadata.version("sgan-course") == sgan_lib.__version__
    shipped = {entry.name for entry in importlib.resources.files("sgan_lib").joinpath("assets", "mnist").iterdir()}
    archives = {f"{part}-ubyte.gz" for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3",
                                                "t10k-labels-idx1")}  # fmt: skip
    assert shipped == {"LICENSE.md", *archives}
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in (root / "sgan_lib").rglob("*.py")}
    packages = {".".join(path.relative_to(root).parts) for path in folders}
    assert set(settings["packages"]) == packages | {"sgan_lib.figures", "sgan_lib.notebooks"}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def bare(root: Path, tmp_path: Path) -> Path:
    """A folder with what `make setup` reads and no environment."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def test_help_lists_every_verb(root: Path) -> None:
    assert [line.split()[1] for line in make(root, "help").stdout.splitlines()] == sorted(VERBS, key=order_in(root))


def order_in(root: Path) -> Any:
    text = (root / "Makefile").read_text()
    return lambda verb: text.index(f"\n{verb}:")


def test_every_verb_makes_the_environment_first(bare: Path) -> None:
    for verb in set(VERBS) - {"help", "clean"}:
        assert "-m venv .venv" in make(bare, "--dry-run", verb).stdout, verb


def test_an_installed_environment_is_not_installed_again(bare: Path) -> None:
    (bare / ".venv").mkdir()
    (bare / ".venv" / ".installed").touch()
    assert "pip install" not in make(bare, "--dry-run", "course").stdout
    os.utime(bare / ".venv" / ".installed", (0, 0))
    assert "pip install" in make(bare, "--dry-run", "course").stdout


@pytest.mark.parametrize("script", [None, "exit 1"], ids=["missing", "too old"])
def test_an_unusable_python_is_explained(bare: Path, script: str | None) -> None:
    python = bare / "python-of-old"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    done = make(bare, "course", f"PYTHON={python}")
    assert done.returncode != 0
    assert "missing or older than Python 3.11" in done.stderr
    assert "make course PYTHON=" in done.stderr
    assert not (bare / ".venv").exists()


def test_a_python_without_venv_is_explained(bare: Path) -> None:
    python = bare / "python-without-venv"
    python.write_text('#!/bin/sh\ncase "$2" in *"import venv"*) exit 1 ;; esac\n')
    python.chmod(0o755)
    assert "has no venv module" in make(bare, "setup", f"PYTHON={python}").stderr


def test_parameters_of_make_reach_the_course(root: Path) -> None:
    shown = make(root, "--dry-run", "course", "PRESET=standard", "NOTEBOOKS=00_start_here 03_sgan").stdout
    assert "-m sgan_lib.course run 00_start_here 03_sgan --preset standard" in shown


def test_ci_calls_the_verbs_and_tries_the_lowest_versions_and_a_newer_python(root: Path) -> None:
    assert os.access(root / ".ci" / "run", os.X_OK)
    assert "make test" in (root / ".ci" / "run").read_text()
    jobs = yaml.safe_load((root / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert set(jobs["verbs"]["strategy"]["matrix"]["verb"]) == {"check", "test", "course"}
    commands = {name: " ".join(str(step.get("run", "")) for step in job["steps"]) for name, job in jobs.items()}
    assert "--resolution lowest-direct" in commands["lowest"]
    versions = [str(step.get("with", {}).get("python-version", "")) for step in jobs["newer-python"]["steps"]]
    assert "3.13" in versions
