"""Argument checks, devices, seeds, and the guard against divergence."""

from functools import partial
from operator import attrgetter
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from sgan_lib import experiments, runtime
from sgan_lib.runtime import check_choice, check_flag, check_number, check_whole_number

NAN = float("nan")
from_3_to_5 = partial(check_whole_number, at_least=3, at_most=5)
up_to_1 = partial(check_number, at_most=1)
positive = partial(check_number, above=0)


@pytest.mark.parametrize(
    ("check", "value", "wanted"),
    [(partial(check_choice, allowed=("a", "b")), "b", "b"), (check_choice, np.str_("any"), "any"),
     (check_flag, False, False), (from_3_to_5, 3, 3), (from_3_to_5, np.int64(5), 5),
     (partial(check_whole_number, at_least=0), 10**30, 10**30), (check_number, 0, 0.0), (up_to_1, 1, 1.0),
     (positive, np.float32(0.5), 0.5), (partial(check_number, at_least=-2), -2, -2.0)],
)  # fmt: skip
def test_what_is_allowed_comes_back_as_pythons_own_type(check, value, wanted):
    assert check("name", value) == wanted
    assert type(check("name", value)) is type(wanted)


@pytest.mark.parametrize(
    ("check", "values", "error", "message"),
    [(partial(check_choice, allowed=("a", "b")), ("c", "", None, ["a"]), ValueError, "one of a, b; got {}"),
     (check_choice, ("", None, 3), ValueError, "a text; got {}"),
     (check_flag, (1, "True", None), TypeError, "True or False; got {} of type"),
     (from_3_to_5, (2, 6), ValueError, "a whole number of at least 3 and at most 5; got {}"),
     (from_3_to_5, (4.0, "4", True, None, [4]), TypeError, "at least 3 and at most 5; got {} of type"),
     (partial(check_whole_number, at_least=0), (-1,), ValueError, "a whole number of at least 0; got {}"),
     (positive, (0, -1, NAN), ValueError, "a number above 0 and at most 1e+09; got {}"),
     (up_to_1, (-1, 1.5, NAN, float("inf")), ValueError, "a number at least 0 and at most 1; got {}"),
     (up_to_1, ("1", True, None), TypeError, "at most 1; got {} of type"),
     (runtime.check_path, (None, 3, "~no_such_user/file"), ValueError, "a path; got {}")],
)  # fmt: skip
def test_anything_else_is_refused_by_name_with_what_is_allowed(check, values, error, message):
    for value in values:
        with pytest.raises(error) as caught:
            check("name", value)
        assert str(caught.value).startswith("name must be ")
        assert message.format(repr(value)) in str(caught.value)


@pytest.mark.parametrize(("cuda", "mps"), [(False, False), (True, False), (False, True), (True, True)])
def test_auto_takes_the_fastest_device_there_is_and_others_are_refused(monkeypatch, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    names = ["cuda"] * cuda + ["mps"] * mps + ["cpu"]
    assert runtime.available_devices() == names
    assert runtime.choose_device() == torch.device(names[0])
    for name in ("cpu", "cuda", "mps", "gpu"):
        if name in names:
            assert runtime.choose_device(name) == torch.device(name)
        else:
            with pytest.raises(ValueError, match=f"device must be one of auto, {', '.join(names)}; got '{name}'"):
                runtime.choose_device(name)


@pytest.mark.parametrize("name", ["a" * 250, "nul\0", "folder"])
def test_a_file_that_cannot_be_written_is_refused_with_its_argument_and_nothing_is_left(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"^checkpoint must be a file in a folder that can be written; got "):
        runtime.check_writable("checkpoint", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_full_disk_is_reported_with_the_file_which_stays_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text("old")
    monkeypatch.setattr(Path, "write_text", MagicMock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"table\.csv could not be written: .* No space left on device"):
        runtime.write_whole(tmp_path / "table.csv", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("table.csv", "old")]


def test_seeded_numbers_repeat_and_the_global_state_comes_back():
    torch.manual_seed(7)
    before, drawn = torch.get_rng_state(), []
    for seed in (3, 3, 4):
        with runtime.seeded(seed):
            drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    with pytest.raises(KeyError), runtime.forked_random():
        raise KeyError(torch.rand(5))
    assert torch.equal(torch.get_rng_state(), before)


KINDS = {"backends": "tf32", "backends.cuda.matmul": "tf32", "backends.cudnn": "ieee", "backends.cudnn.conv": "ieee",
         "backends.cudnn.rnn": "ieee", "backends.mkldnn.conv": "bf16", "backends.mkldnn.matmul": "bf16"}  # fmt: skip


@pytest.mark.parametrize("name", ["older", *KINDS])
def test_products_have_all_digits_in_a_run_and_then_as_many_as_before(name):
    kinds = {kind: attrgetter(kind)(torch) for kind in KINDS if hasattr(torch.backends.cudnn, "conv")}  # torch 2.9
    read = {"older": lambda: (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32)}.get(name, int)
    if name not in ("older", *kinds):
        pytest.skip("this torch has no such switch")
    try:
        if name == "older":
            torch.set_float32_matmul_precision("medium")
        else:
            kinds[name].fp32_precision = KINDS[name]
        before = [*(kind.fp32_precision for kind in kinds.values()), read()]
        with experiments.reproducible(experiments.resolve("sgan", "digits")):
            assert {kind.fp32_precision for kind in kinds.values()} <= {"ieee"}
            assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == ("highest", False)
        assert [*(kind.fp32_precision for kind in kinds.values()), read()] == before
    finally:  # as in a new process
        for kind in kinds.values():
            kind.fp32_precision = "none"
        torch.set_float32_matmul_precision("highest")
        torch.backends.cudnn.allow_tf32 = True


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf"), 1001.0, -1001.0])
def test_the_guard_returns_sound_terms_as_floats_and_names_the_others(value):
    terms = {"fine": torch.tensor(-1000.0), "two": torch.tensor(2.5, requires_grad=True)}
    assert runtime.guard_against_divergence(terms, step=3) == {"fine": -1000.0, "two": 2.5}
    with pytest.raises(runtime.DivergenceError, match=f"step 60: .*'generator' is {value:.4g} .at most 1000 .*rate"):
        runtime.guard_against_divergence(terms | {"generator": torch.tensor(value)}, step=60)
