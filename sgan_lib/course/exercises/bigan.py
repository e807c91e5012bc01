"""Checkers of what a BiGAN is worth in `06_bigan`: the divergence of small worlds, and an honest gain."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sgan_lib.course.exercises.checking import checker, compare, number, tensor
from sgan_lib.course.exercises.worked import solution

# --- small worlds


def _world(encoder: Sequence[int], generator: Sequence[int], crossed: bool = False) -> list[tuple[float, float]]:
    """For each pair that occurs, how likely it is among the encoded and among the generated ones."""
    encoded = {(x, z): 1 / len(encoder) for x, z in enumerate(encoder)}
    generated = {(z, x) if crossed else (x, z): 1 / len(generator) for z, x in enumerate(generator)}
    return [(encoded.get(pair, 0.0), generated.get(pair, 0.0)) for pair in {**encoded, **generated}]


def _kl(cells: Sequence[tuple[float, float]], which: int) -> float:
    """From one of the two tables to their mean, in nats; an empty cell adds nothing."""
    return sum(cell[which] * math.log(2 * cell[which] / sum(cell)) for cell in cells if cell[which] > 0)


@solution("bigan.divergence")
def divergence(encoder: Sequence[int], generator: Sequence[int]) -> float:
    """Jensen–Shannon divergence of encoded and generated pairs."""
    return sum(_kl(_world(encoder, generator), which) for which in (0, 1)) / 2


@checker(
    "bigan.divergence",
    hints=(
        "write down both kinds of pairs first, each pair with its probability; a dictionary is a good table",
        "go through all pairs that occur in either; where one of its two probabilities is 0, skip that logarithm",
    ),
)
def _divergence(answer: Callable[[list[int], list[int]], Any]) -> str | None:
    for encoder, generator in (
        ([1, 2, 3, 0], [3, 0, 1, 2]),
        ([0, 1, 2, 2], [0, 1, 2, 0]),
        ([2, 2, 2, 2], [1, 1, 3, 1]),
        ([1, 0, 0, 2], [2, 0, 3]),
    ):
        result, right = number(answer(encoder, generator)), divergence(encoder, generator)
        cells = _world(encoder, generator)
        n_both, n = sum(min(cell) > 0 for cell in cells), len(encoder)
        mistakes = {
            "this is twice the divergence; each of the two sums counts half": 2 * right,
            "this is the sum for the encoded pairs alone; the generated ones have one too": _kl(cells, 0),
            "this is half of the sum for the encoded pairs; the generated ones have one too": _kl(cells, 0) / 2,
            "take natural logarithms (a share of pairs is the divergence in bits)": right / math.log(2),
            "a generated pair is (G(z), z), image first, as an encoded one is": sum(
                _kl(_world(encoder, generator, crossed=True), which) for which in (0, 1)
            ) / 2,
            "this holds for as many images as latents; with fewer latents each is more likely": (
                (1 - n_both / n) * math.log(2)
            ),
        }  # fmt: skip
        case = f"for encoder {encoder} and generator {generator}"
        if not math.isfinite(result):
            return f"{case} the result is {result}; a pair with probability 0 must add 0"
        if complaint := compare(result, right, mistakes, f"the divergence is {right:.4f}; yours is {result:.4f}"):
            return f"{case}: {complaint}"
    return None


# --- an honest gain


@solution("bigan.gains")
def gains(trained: Tensor, untrained: Tensor, pixels: Tensor) -> Tensor:
    """Points by which each trained encoder's mean error is below the better of what needs no training."""
    return torch.minimum(untrained.mean(dim=1), pixels.mean()) - trained.mean(dim=1)


@checker(
    "bigan.gains",
    hints=(
        "average over the splits first; then there is one number per encoder and kind, and one for the pixels",
        "the smaller error of the two that need no training is the one to beat; `torch.minimum` chooses per encoder",
    ),
)
def _gains(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    pixels = torch.tensor([17.0, 23.0, 19.0, 21.0], dtype=torch.float64)  # mean 20
    untrained = torch.tensor([[18.0, 20, 17, 17], [26, 23, 21, 22], [24, 16, 25, 21]], dtype=torch.float64)
    trained = torch.tensor([[17.0, 14, 20, 17], [22, 25, 21, 18], [16, 21, 18, 15]], dtype=torch.float64)
    result = torch.as_tensor(answer(trained, untrained, pixels), dtype=torch.float64)
    if result.shape in ((3, 4), (4,)):
        return "one gain per encoder: average over the splits, which share that encoder's features"
    result, means = tensor(result, (3,)), trained.mean(dim=1)
    right = gains(trained, untrained, pixels)
    mistakes = {
        "the sign is turned round: a smaller error is a gain": -right,
        "this is the gain over the pixels; where the untrained encoder is better, compare with it": (
            pixels.mean() - means
        ),
        "this is the gain over the untrained encoder; where the pixels are better, compare with them": (
            untrained.mean(dim=1) - means
        ),
        "this is the gain over the worse of the two": torch.maximum(untrained.mean(dim=1), pixels.mean()) - means,
        "choose the better of the two by its mean, not anew on each split": (
            torch.minimum(untrained, pixels).mean(dim=1) - means
        ),
        "compare each encoder with its own untrained one, not with the best of all": (
            torch.minimum(untrained.mean(dim=1).min(), pixels.mean()) - means
        ),
    }
    otherwise = f"the gains should be {right.tolist()}; yours are {result.tolist()}"
    return compare(result, right, mistakes, otherwise)
