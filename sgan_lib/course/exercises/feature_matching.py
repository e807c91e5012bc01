"""Checkers of `04_feature_matching`: what matching lets pass, two moments, empty batches, statements, two terms."""

from collections.abc import Callable, Mapping
from math import dist, prod
from statistics import fmean, pvariance
from typing import Any

import torch
from torch import Tensor

from sgan_lib.course.exercises.checking import check_answers, checker, number, plan_complaint, tensor

_CORNERS = ((0.0, 0.0), (2.0, 0.0), (0.0, 2.0), (2.0, 2.0))


@checker("feature_matching.unseen_fakes")
def _unseen_fakes(answer: Any) -> str | None:
    points = [tuple(row) for row in tensor(answer, (4, 2)).tolist()]
    mean = [sum(column) / 4 for column in zip(*points, strict=True)]
    if any(not abs(value - 1) < 1e-4 for value in mean):  # written so that NaN fails too
        return f"the mean of your fakes is ({mean[0]:.3g}, {mean[1]:.3g}), so the matching loss is not 0"
    if len({(round(x, 3), round(y, 3)) for x, y in points}) < 4:
        return "the mean is right, but some of your fakes are equal"
    nearest = min(dist(point, corner) for point in points for corner in _CORNERS)
    return f"the mean is right, but a fake is only {nearest:.2f} away from a real point" if nearest < 0.5 else None


@checker("feature_matching.two_moments")
def _two_moments(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()
    fake = (2 * torch.randn(5, 3, generator=generator, dtype=torch.float64) + 1).requires_grad_()
    result = tensor(answer(real, fake))
    columns = list(zip(real.T.tolist(), fake.T.tolist(), strict=True))
    means, variances = (fmean((of(r) - of(f)) ** 2 for r, f in columns) for of in (fmean, pvariance))
    if not abs(result.item() - means - variances) < 1e-6:
        return (
            f"on the checker's batches the means contribute {means:.4f} and the variances {variances:.4f}; "
            f"your {result.item():.4f} is not their sum"
        )
    slopes = torch.autograd.grad(result, [real, fake], allow_unused=True) if result.requires_grad else (None, None)
    to_real, to_fake = (slope is not None and bool(slope.abs().sum() > 0) for slope in slopes)
    if not to_fake:
        return "the value is right, but no gradient reaches the generator"
    return "the value is right, but a gradient flows into the real features; they are the target" if to_real else None


@checker("feature_matching.empty_share")
def _empty_share(answer: Callable[[int, int, int], Any]) -> str | None:
    for n_labels, n_images, batch_size in ((1, 4, 2), (2, 6, 3), (100, 59_900, 100), (50, 1297, 64), (3, 5, 3)):
        result = number(answer(n_labels, n_images, batch_size))
        # image after image: the share without a label among those that are left
        expected = prod(max(0, n_images - n_labels - k) / (n_images - k) for k in range(batch_size))
        if not abs(result - expected) < 1e-6:
            return (
                f"with {n_labels} labels among {n_images} images and batches of {batch_size} your {result:.4g} is not "
                "the probability of an empty batch; a batch never holds an image twice"
            )
    return None


check_answers("feature_matching.statements", "statements", "ask whose loss it is, and what a mean can see", {
    "features three times as large make the l2 matching loss nine times as large": True,
    "features three times as large make the l1 matching loss nine times as large": False,
    "the discriminator minimises the matching loss too": False,
    "a matching loss of 0 means that generated images are like real ones": False,
    "fakes that are exactly like real images tell the discriminator where the classes meet": False,
})  # fmt: skip


@checker("feature_matching.which_term")
def _which_term(answer: Any) -> str | None:
    if any(not isinstance(run, Mapping) or run.get("method") not in ("bad_gan", "feature_matching") for run in answer):
        return "each run needs a method: bad_gan, or feature_matching for neither term"
    terms = {"entropy_weight": 0.1, "pull_away_weight": 0.3}  # feature matching has neither
    runs = [terms | dict(run) if run["method"] == "bad_gan" else {**run, **dict.fromkeys(terms, 0)} for run in answer]
    if complaint := plan_complaint(runs, ["method", *terms], min_splits=3, question=("digits", 50)):
        return complaint
    for term in terms:
        if len({run[term] for run in runs if run[term]}) > 1:
            return f"{term} takes more than one value besides 0; the question is whether the term is there or not"
    n = len({tuple(run[term] > 0 for term in terms) for run in runs})
    return f"the plan has {n} combinations of the two terms; there are more to tell them apart" if n < 4 else None
