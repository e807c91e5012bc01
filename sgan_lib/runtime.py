"""Device choice, seeding, argument checks, and the guard against divergence."""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


class DivergenceError(RuntimeError):
    """Training produced a value that is not finite, or exploded. The message says which term, when, and what to try."""


def check_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """Return `value` if it is one of `allowed`, else raise a ValueError that names the argument and the choices."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}; got {value!r}")
    return str(value)


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False, else raise a TypeError that names the argument."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r} of type {type(value).__name__}")
    return value


def check_whole_number(name: str, value: Any, at_least: int, at_most: int | None = None) -> int:
    """Return `value` as an int within [at_least, at_most].

    Raises TypeError where it is not a whole number (True and 2.0 are not), ValueError where it is out of range.
    """
    allowed = f"a whole number of at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be {allowed}; got {value!r} of type {type(value).__name__}")
    number = value.__index__()
    if number < at_least or (at_most is not None and number > at_most):
        raise ValueError(f"{name} must be {allowed}; got {number}")
    return int(number)


def check_number(
    name: str, value: Any, above: float | None = None, at_least: float = 0.0, at_most: float = 1e9
) -> float:
    """Return `value` as a float within the bounds, else raise TypeError or ValueError: argument, value, bounds."""
    lower = f"above {above:g}" if above is not None else f"at least {at_least:g}"
    allowed = f"a number {lower} and at most {at_most:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {allowed}; got {value!r} of type {type(value).__name__}")
    too_small = value <= above if above is not None else value < at_least
    if too_small or not value <= at_most:  # the second form also refuses NaN
        raise ValueError(f"{name} must be {allowed}; got {value!r}")
    return float(value)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Another name in the folder of `path`, made if need be, to write to: at the end of the block it replaces `path`.

    So the file is there whole or not at all; where the block raises, `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with whole_file(path) as partial:
        partial.write_text(text, "utf-8")


def available_devices() -> list[str]:
    """The names of the devices that this machine has, fastest first; the last is always "cpu"."""
    found = ["cuda"] if torch.cuda.is_available() else []
    found += ["mps"] if torch.backends.mps.is_available() else []
    return [*found, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """Turn "auto", "cpu", "cuda" or "mps" into a device; "auto" takes the fastest one there is.

    Raises ValueError for another name, and for a device that this machine does not have.
    """
    check_choice("device", name, ("auto", "cpu", "cuda", "mps"))
    there = available_devices()
    if name != "auto" and name not in there:
        raise ValueError(f"device {name!r} is not available here; this machine has {', '.join(there)} (or use 'auto')")
    return torch.device(there[0] if name == "auto" else name)


@contextmanager
def forked_random() -> Iterator[None]:
    """Give torch's global random numbers back after the block as they were before it."""
    on_mps = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    try:
        with torch.random.fork_rng([torch.cuda.current_device()] if torch.cuda.is_available() else []):
            yield
    finally:
        if on_mps is not None:
            torch.mps.set_rng_state(on_mps)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's global random numbers inside the block and give them back as they were before.

    Layers such as dropout draw from the global state; everything else in this library takes a `torch.Generator`.
    """
    with forked_random():
        torch.manual_seed(check_whole_number("seed", seed, at_least=0))
        yield


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Use `count` CPU threads inside the block (None: leave them as they are)."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def guard_against_divergence(terms: Mapping[str, Tensor], step: int, limit: float = 1e3) -> dict[str, float]:
    """Return the loss terms as floats, or raise DivergenceError if one is not finite or larger than `limit` in size.

    One transfer from the device for all terms together.
    """
    values = dict(zip(terms, torch.stack([term.detach().float() for term in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not abs(value) <= limit:  # written so that NaN fails too
            raise DivergenceError(
                f"training diverged at step {step}: the term {name!r} is {value:.4g} (allowed: finite and within "
                f"±{limit:g}). Try, in this order: a smaller learning_rate (half of it); a smaller adversarial_weight; "
                "a larger batch_size; another seed, to see whether it is chance."
            )
    return values
