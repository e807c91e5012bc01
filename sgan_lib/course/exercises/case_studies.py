"""Checkers of `A1_case_studies`: labels that meet a style, a matching loss without a scale, the pull-away term."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sgan_lib import losses
from sgan_lib.course.exercises.checking import checker, compare, number, tensor
from sgan_lib.course.exercises.worked import solution


@checker(
    "case_studies.labels_needed",
    hints=(
        "what is the probability that one label misses the style, and that n labels all do?",
        "count n up from 1 until that probability is small enough",
    ),
)
def _labels_needed(answer: Callable[[float, float], Any]) -> str | None:
    for share, chance in ((0.1, 0.35), (0.5, 0.25), (0.2, 0.01), (0.9, 0.5)):
        result, n = number(answer(share, chance)), 1
        while (1 - share) ** n > chance + 1e-12:
            n += 1
        if result != int(result):
            return f"{result:.4g} is no number of labels; return a whole one"
        if result == n:
            continue
        missed = f"with a share of {share} and {int(result)} labels the style is missed with a probability of"
        missed = f"{missed} {(1 - share) ** result:.3f}"
        return f"{missed}; at most {chance} is allowed" if result < n else f"{missed}; fewer labels would do"
    return None


@solution("case_studies.relative_matching")
def relative_matching(real: Tensor, fake: Tensor) -> Tensor:
    """The matching loss as a share of the mean square of the real features."""
    return losses.feature_matching(real, fake) / real.square().mean()


@checker(
    "case_studies.relative_matching",
    hints=(
        "with features c times as large the matching loss is c² times as large; what else of them grows like that?",
        "take something that depends on the real features alone, so that bad fakes cannot lower the result",
    ),
)
def _relative_matching(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(7, 3, generator=generator, dtype=torch.float64) + 0.5
    fake = 2 * torch.rand(7, 3, generator=generator, dtype=torch.float64)
    results = [tensor(answer(c * real, c * fake)).item() for c in (1.0, 8.0)]
    loss = losses.feature_matching(real, fake)
    mistakes = {
        "this is the matching loss itself; divide it by the mean square of the real features": loss,
        "you divide by the mean square of the fakes, which bad fakes can make as large as they like": (
            loss / fake.square().mean()
        ),
        "you divide by the square of the mean; take the mean of the squares": loss / real.mean().square(),
        "you divide by the variance of the features; take the mean of their squares": loss / real.var(),
        "you divide by the sum of the squares; take their mean": loss / real.square().sum(),
        "you compare image with image; the matching loss compares the means": (
            (real - fake).square().mean() / real.square().mean()
        ),
    }
    right = loss / real.square().mean()
    told = f"with features 8 times as large your result goes from {results[0]:.4f} to {results[1]:.4f}"
    otherwise = f"the share is {right:.4f} on the checker's features; yours is {results[0]:.4f}"
    changes = abs(results[1] - results[0]) > 1e-9
    return compare(results[0], right, mistakes, told if changes else otherwise)


@solution("case_studies.pull_away")
def pull_away(features: Tensor) -> Tensor:
    """Mean squared cosine of the angle between different rows."""
    return losses.pull_away(features)


@checker(
    "case_studies.pull_away",
    hints=(
        "bring every row to length 1; the products of all rows with all rows are then cosines",
        "n rows make n · (n − 1) ordered pairs; the product of a row with itself is none of them",
    ),
)
def _pull_away(answer: Callable[[Tensor], Any]) -> str | None:
    features = torch.rand(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    result = tensor(answer(features))
    cosines = (F.normalize(features, dim=1) @ F.normalize(features, dim=1).T).detach()
    products = (features @ features.T).detach()
    off = ~torch.eye(5, dtype=torch.bool)
    mistakes = {
        "the pairs of a sample with itself are in the mean": cosines.square().mean(),
        "the cosines are not squared": cosines[off].mean(),
        "you divide by n² although n pairs are left out": cosines[off].square().sum() / 25,
        "this is the sum over all pairs; take their mean": cosines[off].square().sum(),
        "each pair is in the sum once, and you divide as if it were there in both orders": (
            cosines[off].square().mean() / 2
        ),
        "these are products of features, not cosines; bring each row to length 1 first": products[off].square().mean(),
    }
    right = cosines[off].square().mean()
    otherwise = f"the mean over all pairs is {right:.4f} on the checker's features; yours is {result:.4f}"
    if complaint := compare(result.detach(), right, mistakes, otherwise):
        return complaint
    return None if result.requires_grad else "the value is right, but no gradient reaches the features"
