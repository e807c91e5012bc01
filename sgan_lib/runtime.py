"""Argument checks, files written whole, device choice, seeding, command lines, the guard against divergence."""

import ast
import hashlib
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import product
from numbers import Real
from pathlib import Path
from threading import RLock
from typing import Any

import torch


class DivergenceError(RuntimeError):
    """Training produced a value that is not finite, or exploded. The message says which term, when, and what to try."""


def check_choice(name: str, value: Any, allowed: Collection[str] = (), otherwise: str = "") -> str:
    """Return `value` if it is one of `allowed` (none: any text), else raise a ValueError that names the argument.

    `otherwise` says what else would have been allowed.
    """
    if not (isinstance(value, str) and value and (value in allowed or not allowed)):
        wanted = f"one of {', '.join(allowed)}" if allowed else "a text"
        wanted += f", or {otherwise}" if otherwise else ""
        raise ValueError(f"{name} must be {wanted}; got {value!r}")
    return str(value)


def check_flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False, else raise a TypeError that names the argument."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {value!r} of type {type(value).__name__}")
    return value


def check_whole_number(name: str, value: Any, at_least: int, at_most: int | None = None) -> int:
    """Return `value` as an int within the bounds, else raise TypeError (for True and 2.0 too) or ValueError."""
    allowed = f"a whole number of at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be {allowed}; got {value!r} of type {type(value).__name__}")
    if value < at_least or (at_most is not None and value > at_most):
        raise ValueError(f"{name} must be {allowed}; got {value}")
    return value.__index__()


def check_number(name: str, value: Any, above: float | None = None, at_least: float = 0, at_most: float = 1e9) -> float:
    """Return `value` as a float within the bounds, else raise TypeError or ValueError."""
    lower = f"at least {at_least:g}" if above is None else f"above {above:g}"
    allowed = f"a number {lower} and at most {at_most:g}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {allowed}; got {value!r} of type {type(value).__name__}")
    if not value <= at_most or value < at_least or (above is not None and value <= above):  # the first refuses NaN
        raise ValueError(f"{name} must be {allowed}; got {value!r}")
    return float(value)


def check_tensor(name: str, value: Any, shape: Sequence[int | str], dtype: Any = None, *bounds: float) -> None:
    """Raise a ValueError for anything but a tensor of that shape, where a size with a name is any but 0.

    With a dtype, it must have that too, and values within the bounds (low, high); NaN never is.
    """
    wanted, got, fits = f"[{', '.join(map(str, shape))}]", type(value).__name__, False
    if isinstance(value, torch.Tensor):
        got, sizes = str(list(value.shape)), zip(value.shape, shape, strict=False)
        fits = value.ndim == len(shape) and all(n == m or (n > 0 and isinstance(m, str)) for n, m in sizes)
    if dtype is not None and isinstance(value, torch.Tensor):
        low, high = bounds or (-torch.inf, torch.inf)
        first, last = (end.item() for end in value.aminmax()) if value.numel() and not value.is_meta else (low, high)
        fits &= value.dtype == dtype and low - 0.01 <= first <= last <= high + 0.01  # for rounding
        wanted += f" and {dtype} in [{low:g}, {high:g}]"
        got += f" and {value.dtype} in [{first:g}, {last:g}]"
    if not fits:
        raise ValueError(f"{name} must have shape {wanted}; got {got}")


def check_path(name: str, value: Any) -> Path:
    """Return `value` as a path, ~ resolved, else raise a ValueError that names the argument."""
    try:
        return Path(value).expanduser()
    except (RuntimeError, TypeError) as error:  # nobody has that home
        raise ValueError(f"{name} must be a path; got {value!r} ({error})") from error


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A file to write to instead; it replaces `path` at the end of the block, unless that raises. Makes the folder."""
    path = check_writable("path", path)
    partial = _partial(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.partial")


def check_writable(name: str, path: str | Path) -> Path:
    """The path with ~ resolved, if a file can be written there; else an OSError that names the argument."""
    path = check_path(name, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise OSError(f"{path} is a folder, or no plain file")
        _partial(path).touch()
        _partial(path).unlink()
        return path
    except (OSError, ValueError) as error:  # the latter for a name that none can have
        raise OSError(f"{name} must be a file in a folder that can be written; got {path} ({error})") from error


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file, whole or not at all, into a folder that need not be there yet."""
    with whole_file(path) as partial:
        partial.write_text(text, "utf-8")


def available_devices() -> list[str]:
    """The names of the devices that this machine has, fastest first; the last is always "cpu"."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, is_there in has.items() if is_there]


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name, "cpu", "cuda" or "mps", or the fastest for "auto"; ValueError where it is not there."""
    there = available_devices()
    check_choice("device", name, ("auto", *there))
    return torch.device(there[0] if name == "auto" else name)


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Seed torch's random numbers, which belong to the whole process: threads take turns here; then restore them."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with _TURN, torch.random.fork_rng(gpus), ExitStack() as after:
        if torch.backends.mps.is_available():
            after.callback(torch.mps.set_rng_state, torch.mps.get_rng_state())
        if seed is not None:
            torch.manual_seed(check_whole_number("seed", seed, at_least=0, at_most=2**63 - 1))
        yield


forked_random, _TURN = partial(seeded, None), RLock()  # the first only restores them


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Use `count` CPU threads inside the block (None: leave them as they are)."""
    with ExitStack() as after:
        after.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(count or torch.get_num_threads())
        yield


@contextmanager
def plain_arithmetic() -> Iterator[None]:
    """New tensors are float32, and products have all its digits, inside the block."""
    b, dtype = torch.backends, torch.get_default_dtype()
    named = product((b.cudnn, b.cuda, b.mkldnn), ("conv", "rnn", "matmul"))  # from torch 2.9 on, beside older switches
    kinds: list[Any] = [b, b.cudnn, *(getattr(*each, None) for each in named)]
    before = {kind: kind.fp32_precision for kind in kinds if hasattr(kind, "fp32_precision")}
    tf32 = before[getattr(b.cudnn, "conv", None)] == "tf32" if before else b.cudnn.allow_tf32
    for kind in before:  # first: torch refuses to read an older switch that says otherwise
        kind.fp32_precision = "ieee"
    precision = torch.get_float32_matmul_precision()
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    b.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_float32_matmul_precision(precision)
        b.cudnn.allow_tf32 = tf32
        for kind, earlier in before.items():
            kind.fp32_precision = "none"  # it has that of all kinds then
            if kind.fp32_precision != earlier:
                kind.fp32_precision = earlier


def parse_literal(text: str) -> Any:
    """What a Python literal on the command line stands for; any other text stands for itself."""
    with suppress(ValueError, SyntaxError):
        return ast.literal_eval(text)
    return text


def parse_settings(options: Namespace) -> dict[str, Any]:
    """Settings from --set NAME=VALUE. Raises ValueError where a name comes twice, or has an option of its own."""
    split = dict(pair.partition("=")[::2] for pair in options.set)
    if len(split) < len(options.set) or {*split} & {*vars(options)}:
        allowed = "name each setting once, and none that has an option of its own"
        raise ValueError(f"--set must {allowed}; got {', '.join(options.set)}")
    return {name: parse_literal(text) for name, text in split.items()}


def refusals_as_lines(command: Callable[[], int]) -> int:
    """What the command returns; 2 where it refuses, with the reason as a line; 141 where its reader closes the pipe."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python still writes at its end
        return 141  # as the shell counts a SIGPIPE
    except (DivergenceError, OSError, TypeError, ValueError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return code


def run_command(main: Callable[[], int]) -> int:
    """Run a command line on any terminal: what it cannot write becomes a code such as \\u732b. 130 for Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the shell
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return main()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        return 130


def guard_against_divergence(terms: Mapping[str, torch.Tensor], step: int, limit: float = 1e3) -> dict[str, float]:
    """Return the loss terms as floats, or raise DivergenceError if one is not finite or larger than `limit` in size."""
    values = dict(zip(terms, torch.stack([term.detach().float() for term in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not abs(value) <= limit:  # written so that NaN fails too
            raise DivergenceError(
                f"training diverged at step {step}: the term {name!r} is {value:.4g} (at most {limit:g} in size). "
                "Try a smaller learning_rate (half), a larger batch_size, or another seed."
            )
    return values


def short_name(name: str) -> str:
    """A name for a file: itself or, where it is long, its beginning and a hash of all of it, below 160 characters."""
    return name if len(name) <= 160 else f"{name[:140]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
