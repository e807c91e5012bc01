"""Checkers of `00_start_here`: validation errors of a run, a paired gain, errors with 20 labels."""

from collections.abc import Callable
from numbers import Real
from typing import Any

from sgan_lib.course.exercises.checking import checker, compare, number

_TEST_IMAGES = 450  # of `digits`


@checker(
    "start.validation_errors",
    hints=(
        "print one record and its `scores` first; then go through the history from its first record to its last",
        "the list has one entry per record, and each entry is one number, not a dictionary",
    ),
)
def _validation_errors(answer: Any) -> str | None:
    if not isinstance(answer, list) or not all(isinstance(value, Real) for value in answer):
        return "hand in a list of numbers, one per record"
    if len(answer) < 15:
        return f"there is a record for every twentieth of the run, and this list has {len(answer)} entries"
    if not all(0 <= value <= 1 for value in answer):
        return "an error is a fraction between 0 and 1; at least one of these is not"
    turned = answer[0] < answer[-1]
    return "the error at the start should be larger than that at the end; look at the order" if turned else None


@checker(
    "start.mean_gain",
    hints=(
        "take both lists in step, and compute one difference per seed; then the mean",
        "a gain is positive where the second list is lower; and errors are fractions, while points count hundredths",
    ),
)
def _mean_gain(answer: Callable[[list[float], list[float]], Any]) -> str | None:
    alone, with_gan = [0.30, 0.10, 0.20], [0.10, 0.08, 0.15]
    gain = 9.0  # the mean of 20, 2 and 5 points
    result = number(answer(list(alone), list(with_gan)))
    mistakes = {
        "the sign is turned round: a gain is positive when the second method has the lower error": -gain,
        "the number is a fraction; give percentage points": gain / 100,
        "the sign is turned round, and the number is a fraction; give percentage points": -gain / 100,
        "these are all the differences together; take their mean": 3 * gain,
        "these are shares of the first error; points are plain differences of two percentages": (200 / 3 + 20 + 25) / 3,
    }
    otherwise = f"for {alone} and {with_gan} it returns {result:.4g}, and that is not the mean of the differences"
    return compare(result, gain, mistakes, otherwise)


@checker(
    "start.errors_at_20",
    hints=(
        "two loops, or one loop and `experiments.repeat`: over methods, and over the seeds 0 and 1",
        "keep the errors as fractions, and take the mean of two test errors for each of the keys",
    ),
)
def _errors_at_20(answer: Any) -> str | None:
    if not isinstance(answer, dict) or set(answer) != {"supervised", "sgan"}:
        return "hand in a dictionary with the keys 'supervised' and 'sgan'"
    for method, error in answer.items():
        if not isinstance(error, (int, float)):
            return f"the error of {method!r} is no number; one run's is in its `test_error`"
        if not 0 < error < 1:
            return f"the error of {method!r} is {error:.4g}; a fraction between 0 and 1 is wanted"
        wrong_images = error * 2 * _TEST_IMAGES  # in two runs
        if abs(wrong_images - round(wrong_images)) > 1e-6:
            return f"{error} for {method!r} cannot be the mean of two test errors on {_TEST_IMAGES} images"
    too_small = answer["supervised"] < 0.1
    return "the supervised error is too small for 20 labels; did you pass n_labels=20" if too_small else None
