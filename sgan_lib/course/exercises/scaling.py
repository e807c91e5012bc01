"""Checkers of `09_scaling_up`: when a grid of runs ends, how many splits it needs, and which tool to take."""

from collections.abc import Callable, Iterable
from math import ceil
from typing import Any

from sgan_lib.course.exercises.checking import check_answers, checker, compare, number
from sgan_lib.course.exercises.worked import solution


def _end(seconds: Iterable[float], workers: int) -> float:
    """When the last of these runs ends: each goes to the worker that is free first."""
    free_at = [0.0] * workers
    for duration in seconds:
        free_at[free_at.index(min(free_at))] += duration
    return max(free_at)


@checker("scaling.makespan", hints=(
    "Keep one number per worker: the time at which it is free again. What are these numbers at the start?",
    "The next run goes to the worker that is free first, and that worker's number grows by the run's time. Which of "
    "the numbers says when all is done?",
))  # fmt: skip
def _makespan(answer: Callable[[list[int], int], Any]) -> str | None:
    grids = [([5, 5, 5], 1), ([3, 1, 4, 1, 5, 9, 2, 6], 3), ([20] * 20 + [400], 2), ([400] + [20] * 20, 2), ([7], 4)]
    for seconds, workers in grids:
        result, end = number(answer(list(seconds), workers)), _end(seconds, workers)
        mistakes = {
            "this is the time of all runs together, as if there were one worker": sum(seconds),
            "this is the longest run alone; it may have to wait until a worker is free": max(seconds),
            "this is all work divided by the workers; a run cannot be cut": sum(seconds) / workers,
            "the runs are dealt out in turn; each is to go to the worker that is free first": max(
                sum(seconds[k::workers]) for k in range(workers)
            ),
            "the longest runs go first; take them in the order of the list": _end(sorted(seconds)[::-1], workers),
            "the shortest runs go first; take them in the order of the list": _end(sorted(seconds), workers),
        }
        what = f"{len(seconds)} runs" if len(seconds) > 8 else f"{seconds}"
        otherwise = f"with {what} and workers={workers} the last run ends at {end:g}, not at {result:g}"
        if complaint := compare(result, end, mistakes, otherwise):
            return complaint
    return None


@checker("scaling.splits_needed", hints=(
    "Write down what is asked as an inequality: 1.96 standard errors on one side, the difference on the other.",
    "Solve for the root of n, then square both sides. Splits are whole: in which direction may you round?",
))  # fmt: skip
def _splits_needed(answer: Callable[[float, float], Any]) -> str | None:
    for sd, difference in ((1.0, 1.96), (0.9, 0.3), (2.0, 1.0), (3.0, 0.1), (0.2, 1.0)):
        n, right = number(answer(sd, difference)), ceil((1.96 * sd / difference) ** 2 * (1 - 1e-12))
        if n < 1 or n != int(n):
            return f"the function returns {n:g}; return a whole number, 1 or more"
        mistakes = {
            "rounded down, n is one split too few": right - 1,
            "this is made of one standard error; 1.96 of them are asked for": ceil((sd / difference) ** 2),
            "this is the root of n, rounded": ceil(1.96 * sd / difference),
        }
        if told := compare(n, right, mistakes, ""):
            return told
        visible, with_fewer = (1.96 * sd / max(1, splits) ** 0.5 for splits in (n, n - 1))
        if visible > difference * (1 + 1e-9):
            return f"with sd {sd} and {n:g} splits 1.96 standard errors are {visible:.3f}, more than {difference}"
        if n > 1 and with_fewer <= difference * (1 - 1e-9):
            return f"with sd {sd} one split less than {n:g} is still enough for a difference of {difference}"
    return None


@solution("scaling.splits_needed")
def _splits_worked(sd: float, difference: float) -> int:
    return ceil((1.96 * sd / difference) ** 2)


check_answers("scaling.which_tool", "situations", "read the rules above once more", {
    "20,000 labelled photos of screws, 30,000 without labels, all ten types": "supervised",
    "60 labelled and 50,000 unlabelled street numbers; small shifts and contrast do not change a number": "consistency",
    "40 labelled and 100,000 unlabelled spectra of a new sensor; nobody knows which changes keep the class": "compare",
    "100 labels; the next 1,000 cost an afternoon of one person": "label more",
}, hints=(
    "Look for what each situation has plenty of: labels, knowledge of changes that keep the class, or cheap hours.",
    "Three rules of the list fit one situation each. For the one that is left, no rule names a winner: nothing was "
    "measured on such data.",
))  # fmt: skip
