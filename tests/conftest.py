"""What all tests share."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import jaxtyping
import matplotlib
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("same", derandomize=True, deadline=None)  # the same examples in every run
hypothesis.settings.load_profile("same")
matplotlib.use("agg")
torch.set_num_threads(1)  # tests run side by side
os.environ["SGAN_PROGRESS"] = ""  # tests leave the progress of whoever runs them alone


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No checks of signatures, as users have none: what is refused, the library refuses."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def same_numbers() -> Iterator[None]:
    """Random numbers from a seed, and those of before and float32 given back at the end."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def build() -> ModuleType:
    """The module notebooks/build.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("build", ROOT / "notebooks" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
