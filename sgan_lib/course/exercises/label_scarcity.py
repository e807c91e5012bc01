"""Checkers of `05_label_scarcity`: worth in labels, standard errors, a fair plan."""

from collections.abc import Callable, Sequence
from math import log, sqrt
from statistics import stdev
from typing import Any

import numpy as np
from torch import Tensor

from sgan_lib.course.exercises.checking import checker, compare, number, plan_complaint
from sgan_lib.course.exercises.worked import solution


@solution("label_scarcity.labels_worth")
def labels_worth(counts: Sequence[int], errors: Sequence[float], error: float) -> float:
    """How many labels bring a curve down to this error, on straight lines in both logarithms."""
    return float(np.exp(np.interp(np.log(error), np.log(errors[::-1]), np.log(counts[::-1]))))


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
    rising, falling = np.array(errors[::-1]), np.array(counts[::-1])
    for error, expected in worth.items():
        result = number(answer(list(counts), list(errors), error))
        mistakes = {
            "this is the logarithm of the number of labels; undo it": log(expected),
            "the line is straight between logarithms; yours is straight between the values themselves": np.interp(
                error, rising, falling
            ),
            "the errors are in logarithms, and the counts are not": np.interp(log(error), np.log(rising), falling),
            "the counts are in logarithms, and the errors are not": np.exp(np.interp(error, rising, np.log(falling))),
            "`np.interp` was given x values that fall; turn both lists round": np.interp(error, errors, counts),
        }
        where = "a point of the curve" if error in errors else "between two points of the curve"
        otherwise = f"the error {error:.3g}, {where}, gives {result:.4g} labels, and that is not where the line is"
        if complaint := compare(result, expected, mistakes, otherwise, rtol=1e-3):
            return complaint
    return None


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
        unpaired = sqrt((stdev(a) ** 2 + stdev(b) ** 2) / len(a))
        paired = stdev([x - y for x, y in zip(a, b, strict=True)]) / sqrt(len(a))
        right, n = np.array([unpaired, paired]), len(a)
        mistakes = {
            "the two are exchanged; the unpaired one comes first": right[[1, 0]],
            "both are the unpaired one; for the other take the difference of each split first": right[[0, 0]],
            "your variances divide by n; look up what `ddof` does": right * sqrt((n - 1) / n),
            "these are standard deviations; those of a mean are smaller by the root of n": right * sqrt(n),
        }
        ours = [number(each) for each in result]
        name, theirs = ("unpaired", ours[0]) if abs(ours[0] - unpaired) > 1e-6 else ("paired", ours[1])
        otherwise = f"on errors {a} and {b} your {name} standard error {theirs:.4g} is not right"
        if complaint := compare(ours, right, mistakes, otherwise):
            return complaint
    return None


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
