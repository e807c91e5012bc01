"""Checkers of `09_scaling_up`: when a grid of runs ends, how many splits it needs, and which tool to take."""

import heapq
from collections.abc import Callable
from typing import Any

from sgan_lib.exercises import check_answers, checker


def _ends(seconds: list[int], workers: int) -> int:
    """When the last of the runs ends, by a queue of the times at which workers become free."""
    free = [0] * workers
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


@checker("scaling.makespan")
def _makespan(answer: Callable[[list[int], int], Any]) -> str | None:
    for seconds, workers in (
        ([5, 5, 5], 1),
        ([20] * 20 + [400], 2),
        ([400] + [20] * 20, 2),
        ([3, 1, 4, 1, 5, 9, 2, 6], 3),
        ([7], 4),
    ):
        given = list(seconds)
        found, expected = answer(given, workers), _ends(seconds, workers)
        if given != seconds:
            return "the function changes the list that it is given; make a copy"
        if isinstance(found, bool) or not isinstance(found, int | float):
            return f"the function returns {type(found).__name__}; return a time"
        if found != expected:
            what = f"{len(seconds)} runs" if len(seconds) > 8 else f"{seconds}"
            return f"with {what} and workers={workers} the last run ends at {expected}, not at {found:g}"
    return None


@checker("scaling.splits_needed")
def _splits_needed(answer: Callable[[float, float], Any]) -> str | None:
    for sd, difference in ((1.0, 1.96), (0.9, 0.3), (2.0, 1.0), (3.0, 0.1), (0.2, 1.0)):
        found = answer(sd, difference)
        if isinstance(found, bool) or not isinstance(found, int) or found < 1:
            return f"the function returns {found!r}; return a whole number, 1 or more"

        def visible(n: int, sd: float = sd) -> float:
            return 1.96 * sd / n**0.5

        if visible(found) > difference * (1 + 1e-9):
            return (
                f"with sd {sd} and {found} splits 1.96 standard errors are {visible(found):.3f}, more than {difference}"
            )
        if found > 1 and visible(found - 1) <= difference * (1 - 1e-9):
            return f"with sd {sd} one split less than {found} is still enough for a difference of {difference}"
    return None


_TOOLS = {
    "20,000 labelled photos of screws, 30,000 without labels, all ten types": "supervised",
    "60 labelled and 50,000 unlabelled street numbers; small shifts and contrast do not change a number": "consistency",
    "40 labelled and 100,000 unlabelled spectra of a new sensor; nobody knows which changes keep the class": "gan",
    "100 labels; the next 1,000 cost an afternoon of one person": "label more",
}


check_answers("scaling.which_tool", _TOOLS, "situations", "read the rules above once more")
