"""The workaround for torchvision's operators: nothing where they load, declarations where they do not."""

import importlib.util
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from sgan_lib import compat


class Declared(torch.library.Library):
    def __init__(self, *_):
        self.define = Mock()


@pytest.mark.parametrize(
    ("compiled", "error", "present", "missing"),
    [("_C.so", None, (), None), ("_C.so", OSError, (), ["nms", "qnms"]), ("_C.so", OSError, ("nms",), ["qnms"]),
     ("other", None, (), ["nms", "qnms"]), (None, None, (), None)],
)  # fmt: skip
def test_missing_operators_are_declared_and_nothing_else(monkeypatch, tmp_path, compiled, error, present, missing):
    if compiled:
        (tmp_path / compiled).touch()
    package = SimpleNamespace(origin=str(tmp_path / "__init__.py")) if compiled else None
    monkeypatch.setattr(importlib.util, "find_spec", {"torchvision": package}.get)
    operators = SimpleNamespace(**dict.fromkeys(present))
    monkeypatch.setattr(torch, "ops", SimpleNamespace(torchvision=operators, load_library=Mock(side_effect=error)))
    monkeypatch.setattr(torch.library, "Library", Declared)
    library = compat.declare_missing_operators()
    assert (library and [call.args[0].split("(")[0] for call in library.define.call_args_list]) == missing
