"""Checkers of `04_feature_matching`: what matching lets pass, two moments, empty batches, statements, two terms."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor

from sgan_lib.exercises import check_answers, checker

_CORNERS = ((0.0, 0.0), (2.0, 0.0), (0.0, 2.0), (2.0, 2.0))


@checker("feature_matching.unseen_fakes")
def _unseen_fakes(answer: Any) -> str | None:
    if not isinstance(answer, Tensor) or answer.shape != (4, 2):
        given = list(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        return f"a tensor of shape [4, 2] is needed; this is {given}"
    points = [tuple(row) for row in answer.tolist()]
    mean = [sum(column) / 4 for column in zip(*points, strict=True)]
    if any(not abs(value - 1) < 1e-4 for value in mean):  # written so that NaN fails too
        return f"the mean of your fakes is ({mean[0]:.3g}, {mean[1]:.3g}), so the matching loss is not 0"
    if len({(round(x, 3), round(y, 3)) for x, y in points}) < 4:
        return "the mean is right, but some of your fakes are equal"
    nearest = min(((x - a) ** 2 + (y - b) ** 2) ** 0.5 for x, y in points for a, b in _CORNERS)
    if nearest < 0.5:
        return f"the mean is right, but a fake is only {nearest:.2f} away from a real point"
    return None


def _moments(batch: Tensor) -> list[tuple[float, float]]:
    """Mean and variance of each feature, from the definition."""
    found = []
    for column in batch.T.tolist():
        mean = sum(column) / len(column)
        found.append((mean, sum((value - mean) ** 2 for value in column) / len(column)))
    return found


def _two_moments_by_hand(real: Tensor, fake: Tensor) -> tuple[float, float]:
    """The two parts: mean squared difference of means, and of variances."""
    pairs = list(zip(_moments(real), _moments(fake), strict=True))
    means = sum((r[0] - f[0]) ** 2 for r, f in pairs) / len(pairs)
    return means, sum((r[1] - f[1]) ** 2 for r, f in pairs) / len(pairs)


@checker("feature_matching.two_moments")
def _two_moments(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
    fake = (2 * torch.randn(5, 3, generator=generator, dtype=torch.float64) + 1).requires_grad_()
    result = answer(real, fake)
    if not isinstance(result, Tensor) or result.shape != ():
        return "the result is not a tensor with a single value"
    means, variances = _two_moments_by_hand(real, fake)
    if abs(result.item() - means - variances) > 1e-6:
        return (
            f"on the checker's batches the means contribute {means:.4f} and the variances {variances:.4f}; "
            f"your {result.item():.4f} is not their sum"
        )
    if not result.requires_grad:
        return "the value is right, but no gradient reaches the generator"
    to_real, to_fake = torch.autograd.grad(result, [real, fake], allow_unused=True)
    if to_fake is None or not to_fake.abs().sum() > 0:
        return "the value is right, but no gradient reaches the generator"
    if to_real is not None and to_real.abs().sum() > 0:
        return "the value is right, but a gradient flows into the real features; they are the target"
    return None


@checker("feature_matching.empty_share")
def _empty_share(answer: Callable[[int, int, int], Any]) -> str | None:
    for n_labels, n_images, batch_size in ((1, 4, 2), (2, 6, 3), (100, 59_900, 100), (50, 1297, 64), (3, 5, 3)):
        result = answer(n_labels, n_images, batch_size)
        if isinstance(result, bool) or not isinstance(result, int | float):
            return f"the function returns {type(result).__name__}; return a number"
        # image after image: the share without a label among those that are left
        shares = (Fraction(max(0, n_images - n_labels - k), n_images - k) for k in range(batch_size))
        expected = float(prod(shares))
        if not abs(result - expected) < 1e-6:
            return (
                f"with {n_labels} labels among {n_images} images and batches of {batch_size} your {result:.4g} is not "
                "the probability of an empty batch; a batch never holds an image twice"
            )
    return None


_STATEMENTS = {
    "features three times as large make the l2 matching loss nine times as large": True,
    "features three times as large make the l1 matching loss nine times as large": False,
    "the discriminator minimises the matching loss too": False,
    "a matching loss of 0 means that generated images are like real ones": False,
    "fakes that are exactly like real images tell the discriminator where the classes meet": False,
}


check_answers("feature_matching.statements", _STATEMENTS, "statements", "ask whose loss it is, and what a mean can see")


def _terms_on(run: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether the entropy and the pull-away term are switched on; feature matching has neither."""
    bad = run["method"] == "bad_gan"
    return bad and run.get("entropy_weight", 0.1) > 0, bad and run.get("pull_away_weight", 0.3) > 0


_FREE = {"method", "seed", "split_seed", "entropy_weight", "pull_away_weight"}


@checker("feature_matching.which_term")
def _which_term(answer: Sequence[Mapping[str, Any]]) -> str | None:
    runs = [dict(run) for run in answer]
    if not runs or any(run.get("method") not in ("bad_gan", "feature_matching") for run in runs):
        return "each run needs a method: bad_gan, or feature_matching for neither term"
    if any((run.get("dataset"), run.get("n_labels")) != ("digits", 50) for run in runs):
        return "the question is about 50 labels on digits; a run asks for something else"
    others = sorted({name for run in runs for name in run} - _FREE)
    if differing := [name for name in others if len({repr(run.get(name)) for run in runs}) > 1]:
        return f"the runs differ in {', '.join(differing)}, so a difference in error need not come from a term"
    for term in ("entropy_weight", "pull_away_weight"):
        if len({run.get(term) for run in runs if run.get(term)}) > 1:
            return f"{term} takes more than one value besides 0; the question is whether the term is there or not"
    groups: dict[tuple[bool, bool], set[tuple[int, int]]] = {}
    for run in runs:
        seeds = (run.get("seed", 0), run.get("split_seed", run.get("seed", 0)))
        groups.setdefault(_terms_on(run), set()).add(seeds)
    if len(groups) < 4:
        return f"the plan has {len(groups)} of the combinations of the two terms; there are more to tell them apart"
    if len(set(map(frozenset, groups.values()))) > 1:
        return "the combinations do not get the same seeds and splits"
    if len({split for _, split in groups[True, True]}) < 3:
        return "fewer than three splits: which images are labelled may decide the outcome"
    return None
