"""Checkers for the exercises: each says what is wrong with an answer, none gives the answer away.

In a notebook: `check("theory.real_logit", my_real_logit)`. A checker takes the answer and returns None where it is
right, or one sentence that says what is not right yet.
"""

import dis
import inspect
from collections.abc import Callable, Mapping
from typing import Any

Checker = Callable[[Any], str | None]
CHECKERS: dict[str, Checker] = {}
_RETURNING = ("LOAD_CONST", "RETURN_VALUE", "RETURN_CONST")  # all that a function does whose body is "..."


def checker(name: str) -> Callable[[Checker], Checker]:
    """Register a checker under `<notebook>.<exercise>`."""

    def register(function: Checker) -> Checker:
        CHECKERS[name] = function
        return function

    return register


def check(name: str, answer: Any) -> None:
    """Print whether the answer is right, and what is not.

    An answer that raises is told so, with its exception: an exercise never stops a notebook.

    Raises:
        ValueError: where there is no exercise of that name.
    """
    if name not in CHECKERS:
        raise ValueError(f"name must be one of {', '.join(sorted(CHECKERS))}; got {name!r}")
    try:
        complaint = "this is still the empty answer; fill it in" if _is_empty(answer) else CHECKERS[name](answer)
    except Exception as error:  # whatever a learner's code does wrong
        complaint = f"your answer raised {type(error).__name__}: {error}"
    print(f"Not yet: {complaint}." if complaint else "Right.")


def _is_empty(answer: Any) -> bool:
    """None, a dictionary of nothing but None, or a function whose body does nothing."""
    if inspect.isfunction(answer):
        steps = [step for step in dis.get_instructions(answer) if step.opname != "RESUME"]
        return all(step.opname in _RETURNING and step.argval is None for step in steps)
    if isinstance(answer, Mapping) and answer:
        return all(value is None for value in answer.values())
    return answer is None


def check_answers(name: str, right: Mapping[str, Any], kind: str, hint: str) -> None:
    """Register a checker of short answers: a dictionary from each statement, or whatever `kind` calls it, to an answer.

    `right` has the right ones, all strings or all True and False; `hint` says where to look when some are wrong.
    """
    what = " ".join(("the", {4: "four", 5: "five"}[len(right)], kind))
    possible = sorted(set(right.values()))

    @checker(name)
    def complaint(answer: Mapping[str, Any]) -> str | None:
        if differing := sorted(set(answer) ^ set(right)):
            return f"keep {what} as they are; this one differs: {differing[0]!r}"
        if any(type(value) is not type(possible[0]) or value not in possible for value in answer.values()):
            choice = "True or False" if possible == [False, True] else f"one of {', '.join(possible)}"
            return f"say {choice} for each of {what}"
        wrong = sum(answer[key] != value for key, value in right.items())
        return f"{wrong} of the {len(right)} answers are wrong; {hint}" if wrong else None


from sgan_lib.exercises import (  # noqa: E402, F401  (each registers its checkers)
    bigan,
    conditional_sgan,
    debugging,
    feature_matching,
    gan_baseline,
    label_scarcity,
    scaling,
    sgan,
    start,
    theory,
)
