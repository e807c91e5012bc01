"""Checkers of `03_sgan`: p(fake), masked loss, the fake class of two heads, the log, a fair comparison."""

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from sgan_lib.exercises import check_answers, checker


@checker("sgan.fake_probability")
def _fake_probability(answer: Callable[[Tensor, int], Any]) -> str | None:
    logits = 2 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sums = [sum(math.exp(value) for value in row[:4]) for row in logits.tolist()]
    fakes = [math.exp(row[4]) for row in logits.tolist()]
    for given, weights in ((logits[:, :4], [1.0] * 6), (logits, fakes)):
        shape, result = list(given.shape), answer(given.clone(), 4)
        if not isinstance(result, Tensor) or result.shape != (6,):
            return f"for logits of shape {shape} and 4 classes the result is not a tensor of shape [6]"
        exact = [weight / (weight + total) for weight, total in zip(weights, sums, strict=True)]
        if not torch.allclose(result.double(), torch.tensor(exact, dtype=torch.float64), rtol=1e-6):
            return f"for logits of shape {shape} the first row gives {result[0]:.4f}; its p(fake | x) is {exact[0]:.4f}"
    if not bool(answer(torch.full((1, 5), 1000.0), 4).isfinite().all()):
        return "K + 1 logits of 1,000 make it overflow; let torch's logsumexp or softmax do the sum"
    if answer(torch.full((1, 4), 20.0), 4).item() == 0:
        return "at float32 logits of 20 it is rounded to 0; do not take it as the rest that p(real) leaves"
    return None


def _mean_over_selected(logits: Tensor, labels: Tensor, mask: Tensor) -> float:
    """Image by image, from the definition: minus the logarithm of the label's share of the exponentials."""
    rows = zip(logits.tolist(), labels.tolist(), mask.tolist(), strict=True)
    losses = [-(torch.tensor(row).softmax(dim=0)[label].log().item()) for row, label, used in rows if used]
    return sum(losses) / max(1, len(losses))


@checker("sgan.masked_loss")
def _masked_loss(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (8,), generator=generator)
    for selected in ([0, 3, 4], list(range(8)), [6], []):
        mask = torch.isin(torch.arange(8), torch.tensor(selected, dtype=torch.long)).double()
        result = answer(logits.clone(), labels.clone(), mask)
        where = f"with {len(selected)} of 8 labels in use"
        if not isinstance(result, Tensor) or result.shape != ():
            return f"{where}, the result is not a tensor with a single value"
        if not result.isfinite():
            return f"{where}, the result is {result.item()}"
        expected = _mean_over_selected(logits, labels, mask)
        if abs(result.item() - expected) > 1e-5:
            return f"{where}, the result is {result.item():.4f}; the mean over those in use alone is {expected:.4f}"
    return None


_WITHOUT_FAKE_CLASS = {
    "generated images give the class head a gradient": False,
    "unlabelled images give the class head a gradient": False,
    "a test image can be classified as fake": False,
    "the generator's loss stays the same function of the real-or-fake head": True,
}


check_answers("sgan.without_fake_class", _WITHOUT_FAKE_CLASS, "statements", "follow each image through the two heads")


@checker("sgan.combined_accuracy")
def _combined_accuracy(answer: Callable[[float, float, int, int], Any]) -> str | None:
    cases = [(0.0, 1.0, 32, 32), (0.75, 1.0, 32, 32), (0.5, 0.25, 64, 64), (0.5, 1.0, 96, 32), (0.25, 0.75, 4, 12)]
    for real, fake, n_real, n_fake in cases:
        result = answer(real, fake, n_real, n_fake)
        if isinstance(result, bool) or not isinstance(result, int | float):
            return f"the function returns {type(result).__name__}; return a number"
        right = Fraction(real) * n_real + Fraction(fake) * n_fake  # images classified correctly
        if abs(result - float(right / (n_real + n_fake))) > 1e-9:
            return (
                f"with {n_real} real images at accuracy {real} and {n_fake} generated ones at {fake}, {float(right):g} "
                f"of {n_real + n_fake} images are right; your {result:.4g} says otherwise"
            )
    return None


def _differing(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings, other than method and seeds, that are not the same in all runs."""
    names = sorted({name for run in runs for name in run} - {"method", "seed", "split_seed"})
    return [name for name in names if len({repr(run.get(name)) for run in runs}) > 1]


@checker("sgan.fair_comparison")
def _fair_comparison(answer: Sequence[Mapping[str, Any]]) -> str | None:
    given = list(answer)
    if not given or any(not isinstance(run, Mapping) or "method" not in run for run in given):
        return "the plan must be a list of dictionaries, one a run, each with at least a method"
    runs = [{"preset": "quick", **run} for run in given]  # the default of `experiments.run`
    methods = {run["method"] for run in runs}
    if not {"supervised", "sgan"} <= methods:
        return f"the plan runs {', '.join(sorted(methods))}; the question needs two methods, one of them the baseline"
    if any((run.get("dataset"), run.get("n_labels")) != ("digits", 200) for run in runs):
        return "the question is about 200 labels on digits; a run asks for something else"
    if differing := _differing(runs):
        return f"the runs differ in {', '.join(differing)}, so a difference in error need not come from the method"
    seeds = {name: sorted((run.get("seed", 0), run.get("split_seed", run.get("seed", 0)))
                          for run in runs if run["method"] == name) for name in methods}  # fmt: skip
    if len(set(map(tuple, seeds.values()))) > 1:
        return "the methods do not get the same seeds and splits"
    if len({split for _, split in seeds["sgan"]}) < 3:
        return "fewer than three splits: which images are labelled may decide the outcome"
    return None
