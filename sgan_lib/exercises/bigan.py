"""Checkers of `06_bigan`: how far two tables are apart, worlds of five images, nearest neighbours, an honest gain."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sgan_lib.exercises import checker


def _js(p: list[list[float]], q: list[list[float]]) -> float:
    """Jensen–Shannon divergence in nats, cell by cell; an empty cell adds nothing."""
    total = 0.0
    for row, other in zip(p, q, strict=True):
        for a, b in zip(row, other, strict=True):
            total += sum(c * math.log(2 * c / (a + b)) for c in (a, b) if c > 0) / 2
    return total


@checker("bigan.jensen_shannon")
def _jensen_shannon(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(1)
    dense = [torch.rand(3, 4, generator=generator, dtype=torch.float64) for _ in range(2)]
    diagonal, shifted = torch.eye(4, dtype=torch.float64), torch.eye(4, dtype=torch.float64).roll(1, 0)
    cases = {
        "two full tables": dense,
        "two equal tables": [dense[0], dense[0]],
        "tables with empty cells": [diagonal, diagonal + shifted],
        "tables that have no filled cell in common": [diagonal, shifted],
    }
    for name, tables in cases.items():
        p, q = (table / table.sum() for table in tables)
        result = answer(p.clone(), q.clone())
        if not isinstance(result, Tensor | float) or (isinstance(result, Tensor) and result.shape != ()):
            return "return one number"
        if not math.isfinite(result):
            return f"for {name} the result is {float(result)}; a cell with probability 0 must add 0"
        if abs(float(result) - _js(p.tolist(), q.tolist())) > 1e-6:
            return (
                f"for {name} the result is {float(result):.4f}; the definition gives {_js(p.tolist(), q.tolist()):.4f}"
            )
    return None


@checker("bigan.five_images")
def _five_images(answer: Any) -> str | None:
    if not isinstance(answer, Sequence) or len(answer) != 2 or not all(isinstance(n, int | float) for n in answer):
        return "give two numbers: the smallest divergence, and how many combinations reach it"
    smallest, combinations = answer
    matched = [[0.2] * 5, [0.25] * 4 + [0.0]]  # four cells that both tables fill, and the one of the image left over
    if not abs(smallest - _js(*([row] for row in matched))) < 5e-4:
        return f"the smallest divergence is not {smallest:.4g}; five images have probability 1/5, four latents 1/4"
    ways = math.perm(5, 4) * 4  # which image each latent makes, and the code of the image left over
    if combinations != ways:
        return f"the divergence is right; it is not {combinations} combinations that reach it"
    return None


@checker("bigan.nearest_neighbour")
def _nearest_neighbour(answer: Callable[[Tensor, Tensor, Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(2)
    scales = torch.tensor([1.0, 5.0, 1.0, 1.0])  # one long axis, so that other distances find other neighbours
    features, known = (torch.randn(n, 4, generator=generator) * scales + 3 for n in (30, 50))
    known_labels = torch.arange(50)  # a class for each, so that no other neighbour is right by chance
    right = 18
    labels = torch.tensor([
        min(range(50), key=lambda place: math.dist(known[place].tolist(), feature)) + (row >= right)
        for row, feature in enumerate(features.tolist())
    ])  # fmt: skip
    result = answer(features.clone(), labels.clone(), known.clone(), known_labels.clone())
    if isinstance(result, Tensor) and result.shape == ():
        result = result.item()
    if isinstance(result, bool) or not isinstance(result, int | float):
        return f"the function returns {type(result).__name__}; return one number, the share of right answers"
    if not 0 <= result <= 1:
        return f"the result is {result:.4g}; an accuracy here is a share in [0, 1]"
    if abs(result - right / 30) > 1e-6:
        return f"the result is {result:.4f}; with {right} of 30 nearest neighbours right it should be {right / 30:.4f}"
    return None


@checker("bigan.honest_gain")
def _honest_gain(answer: Callable[[Mapping[str, float]], Any]) -> str | None:
    tables = [
        {"raw pixels": 96.9, "untrained encoder": 96.4, "encoder": 97.4},
        {"raw pixels": 92.0, "untrained encoder": 94.5, "encoder": 94.0},
        {"raw pixels": 98.0, "untrained encoder": 91.0, "encoder": 97.5},
    ]
    for table in tables:
        result = answer(dict(table))
        if isinstance(result, bool) or not isinstance(result, int | float):
            return f"the function returns {type(result).__name__}; return a number of percentage points"
        gain = table["encoder"] - max(table["raw pixels"], table["untrained encoder"])
        if abs(result - gain) > 1e-6:
            rows = ", ".join(f"{name} {value}" for name, value in table.items())
            return f"for {rows} the result is {result:.2f}; the gain over the best that needs no training is another"
    return None
