"""Checkers of `01_theory`: the freedom of the softmax, log-probabilities, the best discriminator, the first bias."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sgan_lib.course.exercises.checking import checker, number, tensor


@checker("theory.number_to_add")
def _number_to_add(answer: Callable[[Tensor], Any]) -> str | None:
    full = 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = tensor(answer(full.clone()), [7])
    largest = (full + result[:, None])[:, 4].abs().max().item()
    if not largest < 1e-9:
        return f"after your number is added, the fake logits are not 0 but up to {largest:.3g} in size"
    return None


@checker("theory.log_probabilities")
def _log_probabilities(answer: Callable[[Tensor], Any]) -> str | None:
    drawn = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    apart = torch.tensor([[1e4, 1e4, 0.0, 0.0], [-1e4, -1e4, -1e4, -1e4]])  # two rows, far from each other
    cases = {"of ordinary size": drawn, "around 10,000": drawn + 1e4, "around -10,000": drawn - 1e4,
             "of ±10,000 in one batch": apart}  # fmt: skip
    for name, logits in cases.items():
        if complaint := _log_probabilities_case(answer, logits):
            return f"for logits {name}, {complaint}"
    return None


def _log_probabilities_case(answer: Callable[[Tensor], Any], logits: Tensor) -> str | None:
    leaf, full = logits.clone().requires_grad_(), torch.cat([logits, torch.zeros(len(logits), 1)], dim=1)
    result, expected = tensor(answer(leaf), full.shape), full.double().log_softmax(dim=1)
    if not result.isfinite().all():
        return "the result is not finite"
    if not torch.allclose(result.detach().double(), expected, rtol=1e-6, atol=2e-3):  # float32 at 10,000: 0.001
        return f"the result is off by up to {(result.detach().double() - expected).abs().max().item():.3g}"
    if not result.requires_grad:
        return "the result carries no gradient: stay with torch's functions, and do not detach"
    gradient, exact = torch.autograd.grad(result[:, -1].sum(), leaf)[0], -expected.exp()[:, :-1]
    if not torch.allclose(gradient.double(), exact, atol=1e-3):
        return "the gradient of log p(fake) is not minus the probabilities of the K classes"
    return None


@checker("theory.best_discriminator")
def _best_discriminator(answer: Callable[[Tensor, Tensor, float], Any]) -> str | None:
    p, q = torch.rand(2, 9, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.05
    for share in (0.5, 0.2, 0.9):
        result = tensor(answer(p.clone(), q.clone(), share), p.shape)
        if not ((result > 0) & (result < 1)).all():
            return f"with real_share {share}, some values are not probabilities between 0 and 1"
        slope = share * p / result - (1 - share) * q / (1 - result)  # of share·p·log D + (1 − share)·q·log(1 − D)
        if not torch.allclose(slope, torch.zeros_like(slope), atol=1e-8):
            return f"with real_share {share}, a change of D still improves the value of the game at some points"
    return None


@checker("theory.initial_bias")
def _initial_bias(answer: Callable[[int], Any]) -> str | None:
    for n_classes in (1, 2, 10, 1000):
        sum_of_exponentials = math.fsum([math.exp(number(answer(n_classes)))] * n_classes)
        p_real = sum_of_exponentials / (sum_of_exponentials + 1)
        if not math.isclose(p_real, 0.5, abs_tol=1e-6):
            return f"with {n_classes} logits of that size, p(real | x) is {p_real:.4g}, not 0.5"
    return None
