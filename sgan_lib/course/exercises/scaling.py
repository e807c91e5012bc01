"""Checkers of `09_scaling_up`: when a grid of runs ends, how many splits it needs, and which tool to take."""

from collections.abc import Callable
from typing import Any

from sgan_lib.course.exercises.checking import check_answers, checker, compare, number


@checker("scaling.makespan", hints=(
    "Keep one number per worker: the time at which it is free again. What are these numbers at the start?",
    "The next run goes to the worker that is free first, and that worker's number grows by the run's time. Which of "
    "the numbers says when all is done?",
))  # fmt: skip
def _makespan(answer: Callable[[list[int], int], Any]) -> str | None:
    grids = [([5, 5, 5], 1, 15), ([20] * 20 + [400], 2, 600), ([400] + [20] * 20, 2, 400),
             ([3, 1, 4, 1, 5, 9, 2, 6], 3, 12), ([7], 4, 7)]  # fmt: skip
    for seconds, workers, end in grids:
        result, longest = number(answer(list(seconds), workers)), max(seconds)
        what = f"{len(seconds)} runs" if len(seconds) > 8 else f"{seconds}"
        off = f"with {what} and workers={workers} the last run ends at {end}, not at {result:g}"
        why = {
            "the workers work side by side": sum(seconds),
            "a run stays on one worker, so the work does not divide evenly": sum(seconds) / workers,
            "the longest run alone does not say it": longest,
            "a run is not dealt out beforehand; the worker that is free first takes it": max(
                sum(seconds[k::workers]) for k in range(workers)
            ),
            "this is what no order can beat; the list has one": max(longest, sum(seconds) / workers),
        }
        if complaint := compare(result, end, {f"{off}; {words}": value for words, value in why.items()}, off):
            return complaint
    return None


@checker("scaling.splits_needed", hints=(
    "Write down what is asked as an inequality: 1.96 standard errors on one side, the difference on the other.",
    "Solve for the root of n, then square both sides. Splits are whole: in which direction may you round?",
))  # fmt: skip
def _splits_needed(answer: Callable[[float, float], Any]) -> str | None:
    for sd, difference in ((1.0, 1.96), (0.9, 0.3), (2.0, 1.0), (3.0, 0.1), (0.2, 1.0)):
        n = number(answer(sd, difference))
        if n < 1 or n != int(n):
            return f"the function returns {n:g}; return a whole number, 1 or more"
        visible, with_fewer = (1.96 * sd / max(1, splits) ** 0.5 for splits in (n, n - 1))
        if visible > difference * (1 + 1e-9):
            return f"with sd {sd} and {n:g} splits 1.96 standard errors are {visible:.3f}, more than {difference}"
        if n > 1 and with_fewer <= difference * (1 - 1e-9):
            return f"with sd {sd} one split less than {n:g} is still enough for a difference of {difference}"
    return None


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
