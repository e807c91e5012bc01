"""Worked solutions, with which a notebook goes on until the learner's own answer is right."""

from collections.abc import Callable
from typing import Any

from sgan_lib.course.exercises.checking import complaint_about
from sgan_lib.runtime import check_choice

WORKED: dict[str, Callable[..., Any]] = {}


def solution(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as the worked solution of `<notebook>.<exercise>`."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        WORKED[name] = function
        return function

    return register


def worked(name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    """The learner's answer where it is right, else the worked solution; a line says which the next cells use.

    Raises:
        ValueError: where there is no worked solution of that name.
    """
    check_choice("name", name, sorted(WORKED))
    is_right = complaint_about(name, answer) is None
    used = "your own answer" if is_right else "the worked solution, until your answer is right"
    print(f"{name}: the cells below use {used}.")
    return answer if is_right else WORKED[name]
