"""The workaround for torchvision's operators: nothing where they load, declarations where they do not."""

import importlib.util
import uuid
from types import SimpleNamespace

import pytest
import torch

from sgan_lib import compat


def test_torchvision_and_torchmetrics_can_be_imported_here():
    """What the workaround is for; sgan_lib has been imported, so it is in place."""
    import torchmetrics.functional.classification
    import torchvision.datasets

    assert torchvision.datasets.MNIST
    assert torchmetrics.functional.classification.multiclass_confusion_matrix


def test_nothing_is_declared_where_the_compiled_operators_load(monkeypatch):
    def refuse(*_arguments):
        raise AssertionError("declared an operator that is there")

    monkeypatch.setattr(compat, "_has_working_operators", lambda: True)
    monkeypatch.setattr(torch.library, "Library", refuse)
    assert compat.declare_missing_operators() is None


def test_missing_operators_are_declared_and_present_ones_left_alone(monkeypatch):
    name = f"made_up_{uuid.uuid4().hex}"
    monkeypatch.setattr(compat, "_has_working_operators", lambda: False)
    monkeypatch.setattr(compat, "_SCHEMAS", {name: f"{name}(Tensor one) -> Tensor"})
    assert not hasattr(torch.ops.torchvision, name)
    first = compat.declare_missing_operators()
    assert first is not None
    assert hasattr(torch.ops.torchvision, name)
    second = compat.declare_missing_operators()  # a second definition of the same operator would raise
    assert second is not None


def test_the_two_operators_are_those_that_torchvision_asks_for():
    assert set(compat._SCHEMAS) == {"nms", "qnms"}
    assert all(
        schema.startswith(f"{name}(Tensor dets, Tensor scores, float") for name, schema in compat._SCHEMAS.items()
    )


@pytest.fixture
def fake_torchvision(monkeypatch, tmp_path):
    """A torchvision folder that the test fills."""
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found if name == "torchvision" else None)
    return tmp_path


def test_a_library_that_does_not_load_counts_as_missing(fake_torchvision):
    assert not compat._has_working_operators()  # no compiled part at all
    (fake_torchvision / "_C.so").write_bytes(b"not a shared library")
    assert not compat._has_working_operators()


def test_a_library_that_loads_counts_as_there(fake_torchvision, monkeypatch):
    (fake_torchvision / "_C.so").touch()
    loaded = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    assert compat._has_working_operators()
    assert loaded == [str(fake_torchvision / "_C.so")]


def test_without_torchvision_there_is_nothing_to_mend(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert compat._has_working_operators()
