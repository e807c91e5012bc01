"""How an answer is checked, and what checkers share: the kind of a result, known mistakes, short answers, fair plans.

A checker takes the answer and returns None where it is right, or one sentence that says what is not right yet. Whatever
an answer does, it meets copies of what the checker knows, a limit of time, and a checker that goes on.
"""

import copy
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from sgan_lib.course import progress
from sgan_lib.experiments import resolve
from sgan_lib.runtime import check_choice

Checker = Callable[[Any], str | None]
CHECKERS: dict[str, Checker] = {}
HINTS: dict[str, Sequence[str]] = {}  # of the exercises that have some
_hints_given: Counter[str] = Counter()
_NO_SETTINGS = ("device", "progress", "record_every", "observe", "checkpoint")  # of `experiments.run`
_EMPTY = "this is still the empty answer; fill it in"
_SECONDS = 120  # that checking an answer may take
_LONGEST = 300  # characters of a learner's message that are shown; of a whole complaint, three times as many


class WrongAnswer(Exception):
    """Raised with the sentence that a checker would return, by the functions below."""


_TooSlow = type("TimeoutError", (BaseException,), {})  # no Exception, which an answer may well catch


def checker(name: str, hints: Sequence[str] = ()) -> Callable[[Checker], Checker]:
    """Register a checker under `<notebook>.<exercise>`, with hints that lead on without the solution."""

    def register(function: Checker) -> Checker:
        CHECKERS[name] = function
        if hints:
            HINTS[name] = hints
        return function

    return register


def check(name: str, answer: Any) -> None:
    """Print whether the answer is right, and what is not.

    An answer that raises is told so, with its exception: an exercise never stops a notebook.

    Raises:
        ValueError: where there is no exercise of that name.
    """
    complaint = complaint_about(name, answer)
    print(f"Not yet: {complaint}." if complaint else "Right.")
    if not complaint:
        progress.record("solved", name)


def complaint_about(name: str, answer: Any) -> str | None:
    """What is not right yet in an answer to the exercise of that name, or None; nothing is printed or recorded."""
    check_choice("name", name, sorted(CHECKERS))
    try:
        with _time_limit():
            complaint = CHECKERS[name](_filled_in(answer))
    except WrongAnswer as wrong:
        complaint = str(wrong)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # a checker that stumbles over an answer of another form
        complaint = f"the answer does not have the form that is asked for ({_short(error)})"
    except BaseException as error:  # sys.exit, or the limit of time, in what an answer returned
        complaint = f"your answer raised {_short(error)}"
    return complaint if complaint is None else _cut(complaint, 3 * _LONGEST)


def hint(name: str) -> None:
    """Print the next hint of an exercise and, after the last, where its solution is.

    Raises:
        ValueError: where there is no exercise of that name.
    """
    hints = HINTS.get(check_choice("name", name, sorted(CHECKERS)), ())
    given = _hints_given[name]
    if given < len(hints):
        _hints_given[name] += 1
        print(f"Hint {given + 1} of {len(hints)}: {hints[given]}")
    else:
        print(f"{name} has no {'more hints' if hints else 'hints yet'}. Its solution is folded below the exercise.")


def _short(error: BaseException) -> str:
    return _cut(f"{type(error).__name__}: {error}", _LONGEST)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} …"


@contextmanager
def _time_limit() -> Iterator[None]:
    """Raise _TooSlow in the block after `_SECONDS`, where the system can: on Unix, in the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise _TooSlow(f"it takes more than {_SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    earlier = signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *earlier)  # whoever had set one gets it back, with what was left then


def _copied(value: Any) -> Any:
    """A copy of data, which an answer may change as it likes; networks and their parameters stay themselves."""
    if isinstance(value, Tensor):
        return value if isinstance(value, nn.Parameter) else value.clone()  # through which gradients go on
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return copy.deepcopy(value) if isinstance(value, (np.ndarray, pd.DataFrame, pd.Series)) else value


def _filled_in(answer: Any) -> Any:
    """The answer, if it is more than None or a dictionary of Nones; of a function, one that refuses to return None."""
    nothing_but_none = isinstance(answer, Mapping) and answer and all(value is None for value in answer.values())
    if answer is None or nothing_but_none:
        raise WrongAnswer(_EMPTY)
    if isinstance(answer, nn.Module):
        raise WrongAnswer("hand over the function, not a network")

    def call(*arguments: Any) -> Any:
        try:
            result = answer(*_copied(arguments))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a learner's code does wrong, sys.exit among it
            is_stub = isinstance(error, NotImplementedError) and not error.args  # those of torch have a message
            raise WrongAnswer(_EMPTY if is_stub else f"your answer raised {_short(error)}") from error
        if result is None:
            raise WrongAnswer("the function returns None; let it return its result")
        return result

    return call if callable(answer) else answer


def number(result: Any) -> float:
    """A result that must be one number, True and False not among them."""
    value = result.item() if isinstance(result, (Tensor, np.generic, np.ndarray)) and not result.ndim else result
    if isinstance(value, bool) or not isinstance(value, Real):
        raise WrongAnswer(f"the function returns {type(value).__name__}; return one number")
    return float(value)


def tensor(result: Any, shape: Sequence[int] = ()) -> Tensor:
    """A result that must be a tensor of this shape."""
    needed = f"of shape {list(shape)}" if shape else "with a single value"
    if not isinstance(result, Tensor):
        raise WrongAnswer(f"a tensor {needed} is needed; this is of type {type(result).__name__}")
    if result.shape != tuple(shape):
        raise WrongAnswer(f"a tensor {needed} is needed; this has the shape {list(result.shape)}")
    return result


def compare(result: Any, right: Any, mistakes: Mapping[str, Any], otherwise: str, rtol: float = 1e-6) -> str | None:
    """None where the result is `right`; else the complaint whose mistake leads to this result, or `otherwise`."""

    def is_near(value: Any) -> bool:
        ours, theirs = (torch.as_tensor(each, dtype=torch.float64) for each in (value, result))
        return torch.allclose(theirs, ours, rtol=rtol, atol=1e-9)

    if is_near(right):
        return None
    return next((complaint for complaint, value in mistakes.items() if is_near(value)), otherwise)


def check_answers(name: str, kind: str, look: str, right: Mapping[str, Any], hints: Sequence[str] = ()) -> None:
    """Register a checker of short answers: a dictionary from each statement, or whatever `kind` calls it, to an answer.

    `look` says where to look when some are wrong; `right` has the right ones, all strings or all True and False.
    """
    what = " ".join(("the", {4: "four", 5: "five", 6: "six"}[len(right)], kind))
    possible = sorted(set(right.values()))

    @checker(name, hints)
    def complaint(answer: Any) -> str | None:
        if differing := sorted(set(answer) ^ set(right)):
            return f"the keys must be {what}, as they are; this one differs: {differing[0]!r}"
        answer = {key: value.item() if isinstance(value, np.generic) else value for key, value in answer.items()}
        if any(type(value) is not type(possible[0]) or value not in possible for value in answer.values()):
            choice = "True or False" if possible == [False, True] else f"one of {', '.join(possible)}"
            return f"say {choice} for each of {what}"
        wrong = sum(answer[key] != value for key, value in right.items())
        return f"{wrong} of {what} {'is' if wrong == 1 else 'are'} not right yet; {look}" if wrong else None


def plan_complaint(runs: Any, free: Sequence[str], min_splits: int, question: tuple[str, int]) -> str | None:
    """What keeps a plan of runs from being a fair comparison, whatever it compares.

    Args:
        runs: a dictionary of arguments to `experiments.run` for each run.
        free: the settings that are compared; all others but seeds must be the same in all runs.
        min_splits: how many different splits each of the compared must get; all must get the same seeds and splits.
        question: the data set and the number of labels that the plan is about.
    """
    are_runs = isinstance(runs, Sequence) and all(isinstance(run, Mapping) and "method" in run for run in runs)
    if not are_runs or not runs:
        return "the plan must be a list of dictionaries, one a run, each with at least a method"
    for run in runs:
        settings = {name: value for name, value in run.items() if name not in _NO_SETTINGS}
        try:
            resolve(**{"dataset": question[0], **settings})
        except (TypeError, ValueError) as error:
            return f"a run of the plan cannot be made: {error}"
    if any((run.get("dataset"), run.get("n_labels")) != question for run in runs):
        return f"the question is about {question[1]} labels on {question[0]}; a run asks for something else"
    fixed = sorted({name for run in runs for name in run} - {*free, "seed", "split_seed"})
    defaults = {"preset": "quick"}  # of `experiments.run`
    if differing := [name for name in fixed if len({repr(run.get(name, defaults.get(name))) for run in runs}) > 1]:
        return f"the runs differ in {', '.join(differing)}, so a difference in error may come from that"
    compared: dict[tuple[Any, ...], set[tuple[int, int]]] = {}
    for run in runs:
        seeds = run.get("seed", 0), run.get("split_seed", run.get("seed", 0))
        compared.setdefault(tuple(run.get(name) for name in free), set()).add(seeds)
    if len(set(map(frozenset, compared.values()))) > 1:
        return "what is compared does not get the same seeds and splits, so the runs are not paired"
    if len({split for seeds in compared.values() for _, split in seeds}) < min_splits:
        return f"fewer than {min_splits} splits: which images are labelled may decide the outcome"
    return None
