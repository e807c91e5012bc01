"""Checkers of notebook 00."""

from numbers import Real
from typing import Any

import numpy as np

from sgan_lib.exercises import checker

_TEST_IMAGES = 450  # of `digits`


@checker("start.validation_errors")
def validation_errors(answer: Any) -> str | None:
    """A list of validation errors, one a record, falling over the run."""
    if not isinstance(answer, list) or not all(isinstance(value, Real) for value in answer):
        return f"hand in a list of numbers, one a record; this is of type {type(answer).__name__}"
    if len(answer) < 15:
        return f"there is a record for every twentieth of the run, and this list has {len(answer)} entries"
    if not all(0 <= value <= 1 for value in answer):
        return "an error is a fraction between 0 and 1; at least one of these is not"
    if answer[0] < answer[-1]:
        return "the error at the start should be larger than the one at the end; look at the order"
    return None


@checker("start.mean_gain")
def mean_gain(answer: Any) -> str | None:
    """A function of two lists of error fractions: their mean paired difference in percentage points."""
    alone, with_gan = [0.30, 0.10, 0.20], [0.10, 0.08, 0.15]
    found, wanted = answer(alone, with_gan), 100 * float(np.mean(np.subtract(alone, with_gan)))
    if found is None:
        return "the function returns None; let it return a number"
    if np.isclose(found, -wanted):
        return "the sign is turned round: a gain is positive when the second method errs less"
    if np.isclose(100 * found, wanted):
        return "the number is a fraction; give percentage points"
    if not np.isclose(found, wanted):
        return f"for errors {alone} and {with_gan} it returns {found:.4g}, and that is not the mean of the differences"
    return None


@checker("start.errors_at_20")
def errors_at_20(answer: Any) -> str | None:
    """Mean test errors of both methods over two seeds with 20 labels."""
    if not isinstance(answer, dict) or set(answer) != {"supervised", "sgan"}:
        return "hand in a dictionary with the keys 'supervised' and 'sgan'"
    for method, error in answer.items():
        if not 0 < error < 1:
            return f"the error of {method!r} is {error}; a fraction between 0 and 1 is wanted"
        if not np.isclose(error * 2 * _TEST_IMAGES, round(error * 2 * _TEST_IMAGES), atol=1e-6):
            return f"{error} for {method!r} cannot be the mean of two test errors on {_TEST_IMAGES} images"
    if answer["supervised"] < 0.1:
        return "the supervised error is too small for 20 labels; did you pass n_labels=20"
    return None
