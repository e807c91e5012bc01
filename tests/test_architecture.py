"""Who may import whom, and what importing the library does: nothing that one could notice."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "sgan_lib"
PRINTING = {"exercises", "course", "sweep"}  # modules that talk to the reader; all others return what they found

# module -> what it may import. `datasets` holds the raw sets for `data`, `presets` the settings for `experiments`.
ARROWS = {
    "compat": set(),
    "runtime": set(),
    "losses": set(),
    "models": set(),
    "datasets": {"runtime"},
    "augmentation": {"runtime"},
    "data": {"runtime", "datasets", "augmentation"},
    "methods": {"losses", "models"},
    "training": {"runtime"},
    "evaluation": {"models"},
    "checks": {"runtime", "losses"},
    "quality": {"models", "data"},
    "presets": {"runtime", "losses", "models", "data", "methods"},
    "experiments": {"runtime", "losses", "models", "data", "methods", "training", "evaluation", "presets"},
    "sweep": {"runtime", "data", "evaluation", "experiments", "course"},
    "plotting": set(),
    "widgets": {"data", "evaluation", "experiments", "models", "plotting", "quality", "training"},
    "exercises": {"losses", "models", "data"},
    "course": {"runtime", "presets"},
}


def module_of(path):
    """sgan_lib/exercises/theory.py belongs to the module "exercises"."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_by(source, package="sgan_lib"):
    """The modules of the library that a source imports, in any of the ways that Python knows."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            found += [f"{base}.{name.name}" for name in node.names] if base == "sgan_lib" else [base]
    return {name.split(".")[1] for name in found if name.startswith("sgan_lib.")}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import sgan_lib.models as m, torch", {"models"}),
        ("from sgan_lib import data, losses as l", {"data", "losses"}),
        ("def f():\n    from sgan_lib.models import build", {"models"}),
        ("from . import training", {"training"}),
        ("from .methods import METHODS", {"methods"}),
        ("import torch\nfrom torch import nn", set()),
    ],
)
def test_every_form_of_import_is_seen(source, found):
    assert imported_by(source) == found


def test_relative_imports_within_a_subpackage_are_seen():
    assert imported_by("from .. import data\nfrom . import theory", "sgan_lib.exercises") == {"data", "exercises"}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    module = module_of(path)
    assert module in ARROWS, f"give the new module {module!r} a row in ARROWS, as design.md's table has it"
    package = ".".join(["sgan_lib", *path.relative_to(PACKAGE).parts[:-1]])
    assert imported_by(path.read_text(encoding="utf-8"), package) - {module, "compat"} <= ARROWS[module]


def test_the_package_itself_imports_only_the_workaround_and_imports_it_first():
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert imported_by(source) == {"compat"}
    first = next(node for node in ast.parse(source).body if not isinstance(node, ast.Expr))
    assert imported_by(ast.unparse(first)) == {"compat"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_prints_only_if_that_is_its_job(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prints = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print"]
    assert prints == [] or module_of(path) in PRINTING


# The network is cut off; what is written goes into a folder that was empty, save matplotlib's own cache of fonts.
IMPORT_EVERYTHING = """
import importlib, socket, sys

def refuse(*arguments, **keywords):
    raise OSError("the network was used")

socket.socket.connect = socket.getaddrinfo = refuse
import sgan_lib
heavy = sorted({"matplotlib", "pandas", "sklearn", "papermill", "torchvision"} & set(sys.modules))
assert not heavy, f"import sgan_lib brings {heavy}"
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@pytest.mark.timeout(300)  # seconds, on a machine that is busy; the imports take five on one that is not
def test_importing_the_library_prints_nothing_makes_no_folder_and_needs_no_network(tmp_path):
    places = {"HOME": tmp_path, "SGAN_DATA": tmp_path / "data", "XDG_CACHE_HOME": tmp_path / "cache"}
    places |= {"MPLCONFIGDIR": matplotlib.get_cachedir(), "PYTHONPATH": PACKAGE.parent}
    environment = os.environ | {name: str(place) for name, place in places.items()}
    names = [".".join(["sgan_lib", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in FILES]
    command = [sys.executable, "-c", IMPORT_EVERYTHING, *(name.removesuffix(".__init__") for name in names)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []
