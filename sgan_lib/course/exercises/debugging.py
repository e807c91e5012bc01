"""Checkers of `08_debugging`: a mended discriminator, labels used over epochs, does the pool matter, diagnosis."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib import checks
from sgan_lib.course.exercises.checking import check_answers, checker, compare, number, tensor
from sgan_lib.course.exercises.worked import solution
from sgan_lib.runtime import seeded


class _Mended(nn.Module):
    """The found discriminator without an idle layer, batch statistics, and the second softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2))
        self.valid = nn.Sequential(nn.Linear(128, 1), nn.Sigmoid())
        self.digit = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.body(images)
        return self.valid(hidden), self.digit(hidden)


@solution("debugging.make_discriminator")
def make_discriminator() -> nn.Module:
    """A network [n, 64] -> (probability of "real" [n, 1], logits of the digits [n, 10])."""
    return _Mended()


class _Head(nn.Module):
    """One of two heads, as a network of its own."""

    def __init__(self, judge: nn.Module, which: int) -> None:
        super().__init__()
        self.judge, self.which = judge, which

    def forward(self, images: Tensor) -> Tensor:
        output: Tensor = self.judge(images)[self.which]
        return output


@checker("debugging.make_discriminator", hints=(
    "Section 2 names three defects. Two are layers that do harm where they stand, one is a layer that no line reads.",
    "Of the body only the dense layers and what bends between them are needed. And which of the two heads ends in "
    "something that its loss applies once more?",
))  # fmt: skip
def _make_discriminator(answer: Callable[[], Any]) -> str | None:
    with seeded(0):
        judge, images = answer(), 2 * torch.rand(64, 64) - 1
    if not isinstance(judge, nn.Module):
        return f"the function must hand over a network, an nn.Module; got {type(judge).__name__}"
    outputs = judge(images)
    if not isinstance(outputs, tuple) or len(outputs) != 2:
        return "`forward` must give two tensors, one for each head"
    valid, digit = tensor(outputs[0], (64, 1)), tensor(outputs[1], (64, 10))
    if valid.min() < 0 or valid.max() > 1:
        return "the first head is to stay a probability; its outputs leave [0, 1]"
    report = checks.outputs_are_logits(digit)
    if not report.passed:
        return f"the second head does not give logits; its outputs look like {report.measured['looks like']}"
    loss = valid.mean() + F.cross_entropy(digit, torch.arange(64) % 10)
    report = checks.gradients_arrive(judge, loss)
    if not report.passed:
        idle = report.measured["not reached by the loss"] + report.measured["reached, and all zeros"]
        return f"no gradient reaches {', '.join(idle)}"
    if not all(checks.batch_changes_nothing(_Head(judge, k), images[:32], images[32:]).passed for k in (0, 1)):
        return "the outputs for an image still depend on the others of its batch, as batch normalisation makes them"
    bend = (judge((images[:32] + images[32:]) / 2)[1] - (digit[:32] + digit[32:]) / 2).abs().max()
    return "the second head is linear in the pixels; keep the body's other layers" if bend < 1e-4 else None


@checker("debugging.labels_used", hints=(
    "Follow one image. How likely is it to be left out of one draw? And of all of them, if the draws are independent?",
    "The expected number is the number of images times the probability that an image is drawn at least once.",
))  # fmt: skip
def _labels_used(answer: Callable[[int, int, int], Any]) -> str | None:
    for n_pool, n_drawn, n_epochs in ((10, 5, 2), (1347, 50, 100), (60_000, 100, 1), (200, 200, 7), (8, 2, 30)):
        result = number(answer(n_pool, n_drawn, n_epochs))
        never_drawn = math.prod([1 - n_drawn / n_pool] * n_epochs)
        mistakes = {
            "these are all draws; an image that is drawn twice is still one image": n_drawn * n_epochs,
            "this is one epoch; each epoch draws anew": n_drawn,
            "these are the images that are never drawn": n_pool * never_drawn,
        }
        case = f"for {n_drawn} of {n_pool} images in {n_epochs} epochs"
        otherwise = f"{case} you expect {result:.5g}; ask how likely it is that an image is in none of the draws"
        if complaint := compare(result, n_pool * (1 - never_drawn), mistakes, otherwise, rtol=1e-6):
            return complaint
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


@solution("debugging.pool_matters")
def pool_matters(train: Callable[[Tensor], Tensor], pool: Tensor) -> bool:
    """Whether the content of the pool has any influence on what is learnt."""
    noise = torch.rand(pool.shape, generator=torch.Generator().manual_seed(0))
    return not torch.equal(train(pool), train(noise))


@checker("debugging.pool_matters", hints=(
    "Train twice. What may differ between the two pools, and what must stay the same?",
    "A program may count its pool, so keep the shape. It may not care about order or sign, so other numbers are "
    "needed. And how small may a difference be that you still want to see?",
))  # fmt: skip
def _pool_matters(answer: Callable[[Callable[[Tensor], Tensor], Tensor], Any]) -> str | None:
    pool = 2 * torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(1)) - 1
    for name, (train, matters) in _TRAINING.items():
        result = answer(train, pool.clone())
        if not isinstance(result, (bool, np.bool_)):
            return f"return True or False; got {type(result).__name__}"
        if result != matters:
            return f"for a training function that {name}, your check says {result}"
    return None


check_answers("debugging.diagnosis", "programs", "look for the number that only one defect explains", {
    "P": "softmax twice",
    "Q": "batch statistics",
    "R": "labels drawn anew",
    "S": "pool not used",
    "T": "hidden labels used",
    "U": "best epoch reported",
}, hints=(
    "Ask for each symptom what it depends on: the order of a file, the number of epochs, the pool, who chose.",
    "One symptom is a number that section 2 computes. In two others labels are at fault: once the few do not stay the "
    "same, once the many are not hidden.",
))  # fmt: skip
