"""Argument checks, devices, seeds, threads, and the guard against divergence."""

import re

import numpy as np
import pytest
import torch

from sgan_lib import runtime
from sgan_lib.runtime import DivergenceError, check_choice, check_number, check_whole_number


def test_a_choice_is_returned_or_refused_with_what_there_is():
    assert check_choice("method", "b", ("a", "b")) == "b"
    with pytest.raises(ValueError, match=r"^method must be one of a, b; got 'c'$"):
        check_choice("method", "c", ("a", "b"))


@pytest.mark.parametrize("value", [3, 5, np.int64(4)])
def test_whole_numbers_within_bounds_are_returned_as_int(value):
    found = check_whole_number("n_labels", value, at_least=3, at_most=5)
    assert type(found) is int
    assert found == value


@pytest.mark.parametrize(
    ("value", "error", "reason"),
    [
        (2, ValueError, "got 2"),
        (6, ValueError, "got 6"),
        (4.0, TypeError, "got 4.0 of type float"),
        ("4", TypeError, "got '4' of type str"),
        (True, TypeError, "got True of type bool"),
        (None, TypeError, "got None of type NoneType"),
    ],
)
def test_other_whole_numbers_are_refused_by_name(value, error, reason):
    with pytest.raises(error, match=f"^n_labels must be a whole number of at least 3 and at most 5; {reason}$"):
        check_whole_number("n_labels", value, at_least=3, at_most=5)


def test_a_whole_number_may_have_no_upper_bound():
    assert check_whole_number("seed", 10**30, at_least=0) == 10**30
    with pytest.raises(ValueError, match=r"^seed must be a whole number of at least 0; got -1$"):
        check_whole_number("seed", -1, at_least=0)


@pytest.mark.parametrize(
    ("value", "bounds"), [(0, {}), (1, {"at_most": 1.0}), (1e-9, {"above": 0.0}), (-2, {"at_least": -2.0})]
)
def test_numbers_within_bounds_are_returned_as_float(value, bounds):
    found = check_number("rate", value, **bounds)
    assert type(found) is float
    assert found == value


@pytest.mark.parametrize(
    ("value", "bounds", "error", "allowed"),
    [
        (0, {"above": 0.0}, ValueError, "above 0 and at most 1e+09; got 0"),
        (-1, {}, ValueError, "at least 0 and at most 1e+09; got -1"),
        (1.5, {"at_most": 1.0}, ValueError, "at least 0 and at most 1; got 1.5"),
        (float("nan"), {}, ValueError, "got nan"),
        (float("nan"), {"above": 0.0}, ValueError, "got nan"),
        (float("inf"), {}, ValueError, "got inf"),
        ("1", {}, TypeError, "got '1' of type str"),
        (True, {}, TypeError, "got True of type bool"),
    ],
)
def test_other_numbers_are_refused_by_name(value, bounds, error, allowed):
    with pytest.raises(error, match=f"^rate must be a number .*{re.escape(allowed)}$"):
        check_number("rate", value, **bounds)


# --- devices


@pytest.mark.parametrize(
    ("cuda", "mps", "names"),
    [
        (False, False, ["cpu"]),
        (True, False, ["cuda", "cpu"]),
        (False, True, ["mps", "cpu"]),
        (True, True, ["cuda", "mps", "cpu"]),
    ],
)
def test_auto_takes_the_fastest_device_there_is(monkeypatch, cuda, mps, names):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert runtime.available_devices() == names
    assert runtime.choose_device() == torch.device(names[0])
    assert runtime.choose_device("cpu") == torch.device("cpu")


def test_a_device_that_is_not_there_or_unknown_is_refused(monkeypatch):
    monkeypatch.setattr(runtime, "available_devices", lambda: ["mps", "cpu"])
    with pytest.raises(ValueError, match="device 'cuda' is not available here; this machine has mps, cpu"):
        runtime.choose_device("cuda")
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, mps; got 'gpu'"):
        runtime.choose_device("gpu")


# --- seeds and threads


def test_seeded_numbers_repeat_and_the_global_state_comes_back():
    torch.manual_seed(7)
    before, found = torch.get_rng_state(), []
    for seed in (3, 3, 4):
        with runtime.seeded(seed):
            found.append(torch.rand(5))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    with pytest.raises(KeyError), runtime.seeded(3):
        raise KeyError
    assert torch.equal(torch.get_rng_state(), before)


def stop_with_other_threads(count):
    with runtime.threads(count):
        assert torch.get_num_threads() == count
        raise KeyError


def test_threads_are_set_inside_and_restored_after_an_error_too():
    before = torch.get_num_threads()
    with pytest.raises(KeyError):
        stop_with_other_threads(before + 1)
    assert torch.get_num_threads() == before
    with runtime.threads(None):
        assert torch.get_num_threads() == before


# --- divergence


def test_the_guard_returns_sound_terms_as_floats():
    found = runtime.guard_against_divergence(
        {"a": torch.tensor(2.5, requires_grad=True), "b": torch.tensor(-1000.0)}, 3
    )
    assert found == {"a": 2.5, "b": -1000.0}
    assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1001.0, -1001.0])
def test_the_guard_names_term_step_value_and_what_to_try(value):
    with pytest.raises(DivergenceError) as caught:
        runtime.guard_against_divergence({"fine": torch.tensor(0.1), "generator": torch.tensor(value)}, step=60)
    message = str(caught.value)
    for part in (
        "step 60",
        "'generator'",
        f"{value:.4g}",
        "±1000",
        "smaller learning_rate",
        "larger batch_size",
    ):
        assert part in message
    assert "fine" not in message


def test_a_flag_is_true_or_false_and_nothing_that_looks_like_it():
    assert runtime.check_flag("label_mask", True) is True
    for value in (1, "True", None):
        with pytest.raises(TypeError, match=rf"label_mask must be True or False; got {value!r} of type "):
            runtime.check_flag("label_mask", value)
