"""Checkers of `08_debugging`: both losses of a BiGAN, labels used over epochs, does the pool matter, diagnosis."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from sgan_lib.exercises import checker


def _mean_softplus(values: list[float]) -> float:
    """The mean of log(1 + e^v), from the definition."""
    return math.fsum(math.log1p(math.exp(value)) for value in values) / len(values)


@checker("debugging.bigan_losses")
def _bigan_losses(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    random = torch.Generator().manual_seed(0)
    encoded = 2 * torch.randn(7, generator=random, dtype=torch.float64) + 1
    generated = 2 * torch.randn(5, generator=random, dtype=torch.float64)
    result = answer(encoded.clone(), generated.clone())
    if not isinstance(result, tuple | list) or len(result) != 2:
        return f"return two losses, D's first; got {type(result).__name__}"
    if not all(isinstance(loss, Tensor) and loss.shape == () for loss in result):
        return "each of the two must be a tensor with a single value"
    on_encoded, on_generated = encoded.tolist(), generated.tolist()
    own = _mean_softplus([-v for v in on_encoded]) + _mean_softplus(on_generated)
    other = _mean_softplus(on_encoded) + _mean_softplus([-v for v in on_generated])
    if complaint := _two_losses_complaint(result[0].item(), result[1].item(), own, other):
        return complaint
    large = torch.tensor([1000.0, -1000.0], requires_grad=True)
    losses = answer(large, large)
    slopes = torch.autograd.grad(sum(losses), large)[0]
    if not all(loss.isfinite() for loss in losses) or not slopes.isfinite().all():
        return "for logits of ±1,000 a loss or its gradient is not finite"
    return None


def _two_losses_complaint(loss_d: float, loss_eg: float, own: float, other: float) -> str | None:
    def near(value: float, target: float) -> bool:
        return math.isclose(value, target, rel_tol=1e-6)

    if near(loss_d, other) and near(loss_eg, own):
        return "the two are exchanged, or D is told that encoded pairs are the fakes"
    if not near(loss_d, own):
        return f"D's loss is {loss_d:.4f} where {own:.4f} is right: one mean over encoded, plus one over generated"
    if near(loss_eg, -own):
        return "the second loss is minus the first: not bounded below, and flat where D is right"
    return None if near(loss_eg, other) else "D's loss is right; the second is not the same loss with labels swapped"


@checker("debugging.labels_used")
def _labels_used(answer: Callable[[int, int, int], Any]) -> str | None:
    for n_pool, n_drawn, n_epochs in ((10, 5, 2), (1347, 50, 100), (60_000, 100, 1), (200, 200, 7), (8, 2, 30)):
        result = answer(n_pool, n_drawn, n_epochs)
        case = f"for {n_drawn} of {n_pool} images in {n_epochs} epochs"
        if isinstance(result, bool) or not isinstance(result, int | float):
            return f"the function returns {type(result).__name__}; return a number"
        if not 0 < result <= n_pool * (1 + 1e-9):
            return f"{case} you count {result:.4g}; there are only {n_pool} different ones"
        never_drawn = math.prod([1 - n_drawn / n_pool] * n_epochs)
        if not math.isclose(result, n_pool * (1 - never_drawn), rel_tol=1e-6):
            return f"{case} you expect {result:.5g}; ask how likely it is that an image is in none of the draws"
    return None


def _by_length(pool: Tensor) -> Tensor:
    return torch.arange(3.0) * len(pool)


# What a training function may do with its pool -> whether the pool's content matters.
_TRAINING = {
    "ignores its pool": (lambda pool: torch.arange(3.0), False),
    "only counts its pool": (_by_length, False),
    "uses the mean of its pool": (lambda pool: pool.double().mean().reshape(1), True),
    "uses the pool in a way that does not depend on its order or sign": (lambda pool: pool.square().sum()[None], True),
    "uses a single image of its pool": (lambda pool: pool[len(pool) // 3].flatten(), True),
    "uses its pool with a very small weight": (lambda pool: 1e-9 * pool.double().mean().reshape(1), True),
}


@checker("debugging.pool_matters")
def _pool_matters(answer: Callable[[Callable[[Tensor], Tensor], Tensor], Any]) -> str | None:
    pool = 2 * torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(1)) - 1
    for name, (train, matters) in _TRAINING.items():
        result = answer(train, pool.clone())
        if not isinstance(result, bool):
            return f"return True or False; got {type(result).__name__}"
        if result != matters:
            return f"for a training function that {name}, your check says {result}"
    return None


_DIAGNOSES = {
    "P": "gradients not cleared",
    "Q": "softmax twice",
    "R": "batch statistics at test time",
    "S": "average from zero",
    "T": "label outside the classes",
    "U": "labels drawn anew",
}


@checker("debugging.diagnosis")
def _diagnosis(answer: Mapping[str, str]) -> str | None:
    if not isinstance(answer, Mapping) or set(answer) != set(_DIAGNOSES):
        return f"give a dictionary with the keys {', '.join(_DIAGNOSES)}"
    unknown = sorted({str(value) for value in answer.values()} - set(_DIAGNOSES.values()))
    if unknown:
        return f"{unknown[0]!r} is none of {', '.join(sorted(_DIAGNOSES.values()))}"
    wrong = sum(answer[program] != defect for program, defect in _DIAGNOSES.items())
    return f"{wrong} of the six are not right yet; look for the number that only one defect explains" if wrong else None
