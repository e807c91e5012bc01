"""Checkers of `05_label_scarcity`: worth in labels, standard errors, a fair plan."""

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import pstdev, stdev
from typing import Any

import numpy as np
from torch import Tensor

from sgan_lib.course.exercises.checking import checker, compare, number, plan_complaint


@checker(
    "label_scarcity.labels_worth",
    hints=(
        "here the error is known and the number of labels is wanted: which of the two is the x of the interpolation?",
        "a straight line in both logarithms: take logarithms of all three inputs, and undo them at the end",
    ),
)
def _labels_worth(answer: Callable[[list[int], list[float], float], Any]) -> str | None:
    counts, errors = [20, 50, 100, 400], [0.32, 0.16, 0.08, 0.02]
    # between the first two the geometric means belong together; from the second on, the error is 8 / n
    worth = {0.32: 20, sqrt(0.32 * 0.16): sqrt(20 * 50), 0.16: 50, 0.12: 8 / 0.12, 0.05: 8 / 0.05, 0.02: 400}
    for error, expected in worth.items():
        result = number(answer(list(counts), list(errors), error))
        where = "a point of the curve" if error in errors else "between two points of the curve"
        mistakes = _interpolated(np.array(counts), np.array(errors), error)
        off = f"the error {error:.3g}, {where}, gives {result:.4g} labels, and that is not where the line is"
        if complaint := compare(result, expected, mistakes, off, rtol=1e-3):
            return complaint
    return None


def _interpolated(counts: np.ndarray, errors: np.ndarray, error: float) -> dict[str, float]:
    """What an interpolation with a mistake gives -> the mistake."""
    rising, log = slice(None, None, -1), np.log
    return {
        "the result is the logarithm of the number of labels; undo it": np.interp(
            log(error), log(errors[rising]), log(counts[rising])
        ),
        "np.interp got errors that fall; turn both lists round": np.exp(
            np.interp(log(error), log(errors), log(counts))
        ),
        "np.interp got the lists in opposite orders; turn both round": np.exp(
            np.interp(log(error), log(errors[rising]), log(counts))
        ),
        "the line is straight in the logarithms, and you took none": np.interp(error, errors[rising], counts[rising]),
        "take the logarithm of the numbers of labels too": np.interp(log(error), log(errors[rising]), counts[rising]),
        "take the logarithm of the errors too": np.exp(np.interp(error, errors[rising], log(counts[rising]))),
        "this is the nearest point of the curve; interpolate between the points": counts[abs(errors - error).argmin()],
    }


@checker(
    "label_scarcity.standard_errors",
    hints=(
        "the second number needs one list only: that of the differences",
        "numpy divides a variance by n unless told otherwise; look up what `ddof` does",
    ),
)
def _standard_errors(answer: Callable[[list[float], list[float]], Any]) -> str | None:
    for a, b in (([9.0, 5.0, 7.0], [6.0, 3.0, 3.0]), ([2.0, 8.0, 4.0, 5.0], [3.0, 1.0, 2.0, 2.5])):
        result = answer(list(a), list(b))
        if not isinstance(result, Sequence | np.ndarray | Tensor) or len(result) != 2:
            return "return two numbers: the unpaired and the paired standard error"
        theirs, n, differences = [number(each) for each in result], len(a), [x - y for x, y in zip(a, b, strict=True)]
        unpaired, paired = (_standard_error([a, b], stdev, n), _standard_error([differences], stdev, n))
        by_n = [_standard_error(lists, pstdev, n) for lists in ([a, b], [differences])]
        mistakes = {
            "the two are exchanged: first the unpaired one": [paired, unpaired],
            "the deviations must divide by n - 1, not by n": by_n,
            "these are deviations; divide by the root of n": [n**0.5 * unpaired, n**0.5 * paired],
            "add the variances of the two means, and take the root once, at the end": [
                (stdev(a) + stdev(b)) / n**0.5, paired
            ],
            "these are squares; take the roots": [unpaired**2, paired**2],
            "the paired one comes from the differences, split by split": [unpaired, unpaired],
        }  # fmt: skip
        off = f"on errors {a} and {b} the two are {unpaired:.4f} and {paired:.4f}; yours are " + " and ".join(
            f"{each:.4f}" for each in theirs
        )
        if complaint := compare(theirs, [unpaired, paired], mistakes, off):
            return complaint
    return None


def _standard_error(lists: Sequence[list[float]], deviation: Callable[[list[float]], float], n: int) -> float:
    return sqrt(sum(deviation(each) ** 2 for each in lists) / n)


@checker(
    "label_scarcity.plan",
    hints=(
        "write the list as two loops: over splits, and over the two methods; everything else is the same in each run",
        "feature matching needs a generator: which networks for MNIST have one?",
    ),
)
def _plan(answer: Any) -> str | None:
    if complaint := plan_complaint(answer, ["method"], min_splits=5, question=("mnist", 100)):
        return complaint
    if {run["method"] for run in answer} != {"feature_matching", "consistency"}:
        return "the question is about feature matching and consistency; the plan needs runs of both and of nothing else"
    no_generator = answer[0].get("network") == "cnn"
    return "the network 'cnn' has no generator, so feature matching cannot run on it" if no_generator else None
