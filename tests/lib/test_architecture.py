"""Who may import whom, how large it may be, and what importing the library does: nothing that one could notice."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sgan_lib"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")

# module -> what it imports, whichever of its files does
ARROWS = {
    "compat": set(),
    "runtime": set(),
    "losses": {"runtime"},
    "settings": {"losses", "runtime"},
    "models": {"runtime", "saved"},
    "data": {"runtime", "settings"},
    "networks": {"models", "runtime", "settings"},
    "methods": {"data", "losses", "models", "settings"},
    "training": {"runtime"},
    "saved": {"runtime"},
    "checkpoints": {"runtime", "saved", "training"},
    "baselines": {"data"},
    "evaluation": {"models", "runtime"},
    "results": {"baselines", "data", "evaluation", "methods", "models", "networks", "runtime", "saved", "settings",
                "training"},
    "experiments": {"baselines", "checkpoints", "data", "evaluation", "methods", "models", "networks", "results",
                    "runtime", "saved", "settings", "training"},
    "features": {"data", "runtime"},
    "comparison": {"baselines", "data", "experiments", "features", "runtime"},
    "estimator": {"data", "evaluation", "experiments", "methods", "results", "runtime", "settings"},
    "__main__": {"comparison", "data", "estimator", "runtime"},
    "checks": {"losses", "runtime"},
    "quality": {"data", "evaluation", "models", "networks", "runtime"},
    "course": {"checks", "comparison", "data", "evaluation", "experiments", "losses", "methods", "models", "quality",
               "results", "runtime", "settings", "training"},
    "sweep": {"course", "data", "evaluation", "experiments", "networks", "runtime"},
}  # fmt: skip
# What takes data of the reader's own, and brings a classifier of them into a file and back
OWN_DATA = ("__main__", "baselines", "comparison", "data/files", "data/preparation", "data/sources", "estimator",
            "features", "saved")  # fmt: skip
PRINTING = {"__main__", "course", "sweep"}  # modules that talk to the reader; all others return what they found


def module_of(path: Path) -> str:
    """sgan_lib/course/exercises/theory.py belongs to the module "course"."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_by(source: str) -> set[str]:
    """The modules of the library that a source imports; a relative import counts as "."."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names += [f"{base}.{name.name}" for name in node.names] if base == "sgan_lib" else [base]
            names += ["sgan_lib.."] * node.level
    return {name.split(".")[1] for name in names if name.startswith("sgan_lib.")}


def test_imports_follow_the_arrows() -> None:
    found: dict[str, set[str]] = {module_of(path): set() for path in FILES}
    for path in FILES:
        found[module_of(path)] |= imported_by(path.read_text("utf-8")) - {module_of(path)}
    assert found == ARROWS


def test_a_module_prints_only_if_that_is_its_job() -> None:
    calls = [(path, node) for path in FILES for node in ast.walk(ast.parse(path.read_text("utf-8")))
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"]  # fmt: skip
    assert [(path, node.lineno) for path, node in calls if module_of(path) not in PRINTING] == []


def lines_of(paths: list[Path]) -> int:
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def test_the_library_is_small() -> None:
    sweep, course = (sorted((PACKAGE / name).rglob("*.py")) for name in ("sweep", "course"))
    own = [PACKAGE / f"{name}.py" for name in OWN_DATA]
    assert lines_of(sweep) <= 450
    assert lines_of(own) <= 1055
    assert lines_of([*FILES, PACKAGE / "__init__.py"]) - lines_of([*sweep, *course, *own]) <= 3140
    assert {path.name: lines_of([path]) for path in FILES if lines_of([path]) > 300} == {}
    functions = [(path, node) for path in FILES for node in ast.walk(ast.parse(path.read_text("utf-8")))
                 if isinstance(node, ast.FunctionDef)]  # fmt: skip
    bodies = {(path, node.name, node.lineno): (node.end_lineno or 0) - node.lineno + 1
              - len((ast.get_docstring(node) or "").splitlines()) for path, node in functions}  # fmt: skip
    assert {name: length for name, length in bodies.items() if length > 50} == {}
    tests = [path for path in (ROOT / "tests").rglob("*.py") if path.parent.name != "benchmarks"]  # those are scripts
    assert lines_of(tests) <= lines_of(FILES)


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
slow = sorted({"torchvision", "torchmetrics"} & set(sys.modules))
assert not slow, f"{slow}, which few runs need, take longer to import than all the rest"
"""


@pytest.mark.timeout(300)  # seconds, on a machine that is busy; the imports take five on one that is not
def test_importing_the_library_prints_nothing_makes_no_folder_and_needs_no_network(tmp_path: Path) -> None:
    folders = {"HOME": tmp_path, "SGAN_DATA": tmp_path / "data", "XDG_CACHE_HOME": tmp_path / "cache"}
    folders |= {"MPLCONFIGDIR": Path(matplotlib.get_cachedir()), "PYTHONPATH": ROOT}
    environment = os.environ | {name: str(path) for name, path in folders.items()}
    names = [".".join(["sgan_lib", *path.relative_to(PACKAGE).with_suffix("").parts]) for path in FILES]
    modules = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    command = [sys.executable, "-W", "error", "-c", IMPORT_EVERYTHING, *modules]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.rglob("*")) == []
