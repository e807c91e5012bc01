"""Checkers of `05_label_scarcity`: worth in labels, standard errors, statements, a fair plan."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt
from statistics import stdev
from typing import Any

from sgan_lib.exercises import check_answers, checker

_CURVE = [(20, 0.32), (50, 0.16), (100, 0.08), (400, 0.02)]


def _worth(error: float) -> float:
    """The place on the curve, segment by segment: on a straight line in both logarithms."""
    for (few, high), (many, low) in itertools.pairwise(_CURVE):
        if low <= error <= high:
            share = (log(high) - log(error)) / (log(high) - log(low))
            return float(few * (many / few) ** share)
    raise ValueError(f"error must lie on the curve; got {error}")


@checker("label_scarcity.labels_worth")
def _labels_worth(answer: Callable[[list[int], list[float], float], Any]) -> str | None:
    counts, errors = [count for count, _ in _CURVE], [error for _, error in _CURVE]
    for error in (0.32, 0.16, 0.12, 0.05, 0.02):
        found = answer(counts, errors, error)
        if isinstance(found, bool) or not isinstance(found, int | float):
            return f"the function returns {type(found).__name__}; return a number of labels"
        expected = _worth(error)
        if not abs(found - expected) < 1e-3 * expected:
            where = "a point of the curve" if error in errors else "between two points of the curve"
            return f"the error {error}, {where}, gives {found:.4g} labels, and that is not where the line is"
    return None


@checker("label_scarcity.standard_errors")
def _standard_errors(answer: Callable[[list[float], list[float]], Any]) -> str | None:
    for a, b in (([9.0, 5.0, 7.0], [6.0, 3.0, 3.0]), ([2.0, 8.0, 4.0, 5.0], [3.0, 1.0, 2.0, 2.5])):
        found = answer(a, b)
        if not isinstance(found, Sequence | tuple) or len(found) != 2:
            return "return two numbers: the unpaired and the paired standard error"
        n = len(a)
        unpaired = sqrt(stdev(a) ** 2 / n + stdev(b) ** 2 / n)
        paired = stdev([x - y for x, y in zip(a, b, strict=True)]) / sqrt(n)
        for name, mine, theirs in (("unpaired", unpaired, found[0]), ("paired", paired, found[1])):
            if not abs(float(theirs) - mine) < 1e-6:
                return f"on errors {a} and {b} your {name} standard error {float(theirs):.4g} is not right"
    return None


_STATEMENTS = {
    "on MNIST with 100 labels, feature matching beats the same network trained on the labels alone": True,
    "feature matching therefore beats every supervised network at 100 labels by 20 points": False,
    "if two intervals overlap, there is no difference between the methods": False,
    "a gain at 20 labels predicts the gain at 1,000": False,
}


check_answers("label_scarcity.statements", _STATEMENTS, "statements", "look at the tables once more")


@checker("label_scarcity.plan")
def _plan(answer: Sequence[Mapping[str, Any]]) -> str | None:
    runs = [dict(run) for run in answer]
    by_method: dict[Any, set[tuple[int, int]]] = {}
    for run in runs:
        seeds = (run.get("seed", 0), run.get("split_seed", run.get("seed", 0)))
        by_method.setdefault(run.get("method"), set()).add(seeds)
    if set(by_method) != {"feature_matching", "consistency"}:
        return "the question is about feature matching and consistency; the plan needs runs of both and of nothing else"
    if any((run.get("dataset"), run.get("n_labels")) != ("mnist", 100) for run in runs):
        return "the question is about 100 labels on MNIST; a run asks for something else"
    others = sorted({name for run in runs for name in run} - {"method", "seed", "split_seed"})
    if differing := [name for name in others if len({repr(run.get(name)) for run in runs}) > 1]:
        return f"the runs differ in {', '.join(differing)}, so a difference in error need not come from the method"
    if runs[0].get("network") == "cnn":
        return "the network 'cnn' has no generator, so feature matching cannot run on it"
    if by_method["feature_matching"] != by_method["consistency"]:
        return "the two methods do not get the same seeds and splits, so the runs are not paired"
    if len({split for _, split in by_method["consistency"]}) < 5:
        return "fewer than five splits: which images are labelled may decide the outcome"
    return None
