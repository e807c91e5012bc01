"""Checkers of `06_bigan`: how far two tables are apart, worlds of five images, nearest neighbours, an honest gain."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sgan_lib.course.exercises.checking import checker, number


def _js(p: list[float], q: list[float]) -> float:
    """Jensen–Shannon divergence in nats, cell by cell; an empty cell adds nothing."""
    pairs = zip(p, q, strict=True)
    return sum(c * math.log(2 * c / (a + b)) for a, b in pairs for c in (a, b) if c > 0) / 2


@checker(
    "bigan.jensen_shannon",
    hints=(
        "it is the mean of two Kullback–Leibler divergences, from p and from q; to which third table?",
        "take the logarithm of a quotient apart, and let the function that the stub names do each product",
    ),
)
def _jensen_shannon(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    dense = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    diagonal, shifted = torch.eye(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64).roll(1, 0)
    cases: dict[str, Sequence[Tensor]] = {
        "two full tables": [*dense],
        "two equal tables": [dense[0], dense[0]],
        "tables with empty cells": [diagonal, diagonal + shifted],
        "tables that have no filled cell in common": [diagonal, shifted],
    }
    for name, tables in cases.items():
        p, q = (table / table.sum() for table in tables)
        result, exact = number(answer(p.clone(), q.clone())), _js(p.flatten().tolist(), q.flatten().tolist())
        if not math.isfinite(result):
            return f"for {name} the result is {result}; a cell with probability 0 must add 0"
        if abs(result - exact) > 1e-6:
            return f"for {name} the result is {result:.4f}; the definition gives {exact:.4f}"
    return None


@checker(
    "bigan.five_images",
    hints=(
        "how many maps lead from five images to four latents, and how many back? The tables are not square now",
        "each filled cell of one table has 1/5, of the other 1/4; so the smallest divergence is not 0",
    ),
)
def _five_images(answer: Any) -> str | None:
    if not isinstance(answer, Sequence) or len(answer) != 2 or not all(isinstance(n, int | float) for n in answer):
        return "give two numbers: the smallest divergence, and how many combinations reach it"
    smallest, combinations = answer
    # four cells that both tables fill, and that of the image left over
    if not abs(smallest - _js([0.2] * 5, [0.25] * 4 + [0.0])) < 5e-4:
        return f"the smallest divergence is not {smallest:.4g}; five images have probability 1/5, four latents 1/4"
    ways = math.perm(5, 4) * 4  # which image each latent makes, and the code of the image left over
    return None if combinations == ways else f"the divergence is right; not {combinations} combinations reach it"


@checker(
    "bigan.nearest_neighbour",
    hints=(
        "you need the distances of every row to every known one first, a table of n rows",
        "the place of the smallest number in a row is an index into the known labels",
    ),
)
def _nearest_neighbour(answer: Callable[[Tensor, Tensor, Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(2)
    scales = torch.tensor([1.0, 5.0, 1.0, 1.0])  # one long axis, so that other distances find other neighbours
    features, known = (torch.randn(n, 4, generator=generator) * scales + 3 for n in (30, 50))
    # a class for each known image, so that no other neighbour is right by chance
    nearest = [min(range(50), key=lambda i: math.dist(known[i].tolist(), row)) for row in features.tolist()]
    labels = torch.tensor(nearest) + (torch.arange(30) >= 18)  # right for 18
    result = number(answer(features.clone(), labels.clone(), known.clone(), torch.arange(50)))
    is_right = abs(result - 0.6) < 1e-6
    return None if is_right else f"the result is {result:.4g}; with 18 of 30 nearest neighbours right it should be 0.6"


@checker(
    "bigan.honest_gain",
    hints=(
        "which two of the three numbers need no training?",
        "subtract the better of those two; nothing forbids a negative gain",
    ),
)
def _honest_gain(answer: Callable[[Mapping[str, float]], Any]) -> str | None:
    for raw, untrained, encoder in ((96.9, 96.4, 97.4), (92.0, 94.5, 94.0), (98.0, 91.0, 97.5)):
        table = {"raw pixels": raw, "untrained encoder": untrained, "encoder": encoder}
        result = number(answer(dict(table)))
        if not abs(result - (encoder - max(raw, untrained))) < 1e-6:
            rows = ", ".join(f"{name} {value}" for name, value in table.items())
            return f"for {rows} the result is {result:.2f}; the gain over the best that needs no training is another"
    return None
