"""Checkers of `08_debugging`: both losses of a BiGAN, labels used over epochs, does the pool matter, diagnosis."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sgan_lib.course.exercises.checking import check_answers, checker, compare, number, tensor


@checker("debugging.bigan_losses", hints=(
    "With softplus the loss of a logit that ought to be large is short, and so is that of one that ought to be small. "
    "Neither needs a probability.",
    "For the second loss the labels are swapped: what D is to call real is now to be called fake. Which arguments does "
    "your first formula need then?",
))  # fmt: skip
def _bigan_losses(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    random = torch.Generator().manual_seed(0)
    encoded = 2 * torch.randn(7, generator=random, dtype=torch.float64) + 1
    generated = 2 * torch.randn(5, generator=random, dtype=torch.float64)
    result = answer(encoded.clone(), generated.clone())
    if not isinstance(result, tuple | list) or len(result) != 2:
        return f"return two losses, D's first; got {type(result).__name__}"
    loss_d, loss_eg = (tensor(loss).item() for loss in result)
    own, other = ((F.softplus(-s * encoded).mean() + F.softplus(s * generated).mean()).item() for s in (1, -1))
    d_is_off = f"D's loss is {loss_d:.4f} where {own:.4f} is right: one mean over encoded, plus one over generated"
    exchanged = {"the two are exchanged, or D is told that encoded pairs are the fakes": other}
    negated = {"the second loss is minus the first: not bounded below, and flat where D is right": -own}
    eg_is_off = "D's loss is right; the second is not the same loss with labels swapped"
    if complaint := compare(loss_d, own, exchanged, d_is_off) or compare(loss_eg, other, negated, eg_is_off):
        return complaint
    large = torch.tensor([1000.0, -1000.0], requires_grad=True)
    losses = answer(large, large)
    slopes = torch.autograd.grad(sum(losses), large)[0]
    finite = all(loss.isfinite() for loss in losses) and bool(slopes.isfinite().all())
    return None if finite else "for logits of ±1,000 a loss or its gradient is not finite"


@checker("debugging.labels_used", hints=(
    "Follow one image. How likely is it to be left out of one draw? And of all of them, if the draws are independent?",
    "The expected number is the number of images times the probability that an image is drawn at least once.",
))  # fmt: skip
def _labels_used(answer: Callable[[int, int, int], Any]) -> str | None:
    for n_pool, n_drawn, n_epochs in ((10, 5, 2), (1347, 50, 100), (60_000, 100, 1), (200, 200, 7), (8, 2, 30)):
        result = number(answer(n_pool, n_drawn, n_epochs))
        never_drawn = math.prod([1 - n_drawn / n_pool] * n_epochs)
        if not math.isclose(result, n_pool * (1 - never_drawn), rel_tol=1e-6):
            case = f"for {n_drawn} of {n_pool} images in {n_epochs} epochs"
            return f"{case} you expect {result:.5g}; ask how likely it is that an image is in none of the draws"
    return None


# What a training function may do with its pool -> whether the pool's content matters.
_TRAINING: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "ignores its pool": (lambda pool: torch.arange(3.0), False),
    "only counts its pool": (lambda pool: torch.arange(3.0) * len(pool), False),
    "uses the mean of its pool": (lambda pool: pool.double().mean().reshape(1), True),
    "uses the pool in a way that does not depend on its order or sign": (lambda pool: pool.square().sum()[None], True),
    "uses a single image of its pool": (lambda pool: pool[len(pool) // 3].flatten(), True),
    "uses its pool with a very small weight": (lambda pool: 1e-9 * pool.double().mean().reshape(1), True),
}


@checker("debugging.pool_matters", hints=(
    "Train twice. What may differ between the two pools, and what must stay the same?",
    "A program may count its pool, so keep the shape. It may not care about order or sign, so other numbers are "
    "needed. And how small may a difference be that you still want to see?",
))  # fmt: skip
def _pool_matters(answer: Callable[[Callable[[Tensor], Tensor], Tensor], Any]) -> str | None:
    pool = 2 * torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(1)) - 1
    for name, (train, matters) in _TRAINING.items():
        result = answer(train, pool.clone())
        if not isinstance(result, bool):
            return f"return True or False; got {type(result).__name__}"
        if result != matters:
            return f"for a training function that {name}, your check says {result}"
    return None


check_answers("debugging.diagnosis", "programs", "look for the number that only one defect explains", {
    "P": "gradients not cleared",
    "Q": "softmax twice",
    "R": "batch statistics at test time",
    "S": "average from zero",
    "T": "label outside the classes",
    "U": "labels drawn anew",
}, hints=(
    "Ask for each symptom what it depends on: the order of a file, one class, the number of epochs, the first steps.",
    "Two symptoms are numbers that you can compute: the least loss of 11 classes that section 1 prints, and twice the "
    "loss of a coin.",
))  # fmt: skip
