"""Checkers of `03_sgan`: p(fake), masked loss, the fake class of two heads, the log, a fair comparison."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sgan_lib.course.exercises.checking import check_answers, checker, number, plan_complaint, tensor


@checker(
    "sgan.fake_probability",
    hints=(
        "with K outputs the class fake has a logit too; which number is it?",
        "p(fake) depends on one difference: the logit of fake, and what all class logits give together",
    ),
)
def _fake_probability(answer: Callable[[Tensor, int], Any]) -> str | None:
    full = 2 * torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for logits, fake in ((full[:, :4], torch.ones(6)), (full, full[:, 4].exp())):
        result, shape = tensor(answer(logits.clone(), 4), [6]), list(logits.shape)
        exact = fake / (fake + full[:, :4].exp().sum(dim=1))
        if not torch.allclose(result.double(), exact, rtol=1e-6):
            return f"for logits of shape {shape} the first row gives {result[0]:.4f}; its p(fake | x) is {exact[0]:.4f}"
    if not bool(answer(torch.full((1, 5), 1000.0), 4).isfinite().all()):
        return "K + 1 logits of 1,000 make it overflow; let torch's logsumexp or softmax do the sum"
    if answer(torch.full((1, 4), 20.0), 4).item() == 0:
        return "at float32 logits of 20 it is rounded to 0; do not take it as the rest that p(real) leaves"
    return None


@checker(
    "sgan.masked_loss",
    hints=(
        "compute the loss of each image first, and let the mask set those without a label to zero",
        "by how many images must the sum be divided? And what divisor is harmless where that number is 0?",
    ),
)
def _masked_loss(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(5, (8,), generator=generator)
    each = -logits.softmax(dim=1).log()[range(8), labels]
    for selected in ([0, 3, 4], list(range(8)), [6], []):
        mask = torch.isin(torch.arange(8), torch.tensor(selected, dtype=torch.long)).double()
        result = tensor(answer(logits.clone(), labels.clone(), mask)).item()
        expected = each[selected].mean().item() if selected else 0.0
        if not abs(result - expected) < 1e-5:  # written so that NaN fails too
            used = f"with {len(selected)} of 8 labels in use"
            return f"{used}, the result is {result:.4f}; the mean over those in use alone is {expected:.4f}"
    return None


check_answers("sgan.without_fake_class", "statements", "follow each image through the two heads", {
    "generated images give the class head a gradient": False,
    "unlabelled images give the class head a gradient": False,
    "a test image can be classified as fake": False,
    "the generator's loss stays the same function of the real-or-fake head": True,
}, hints=(
    "which terms of the loss are left for the class head once it has K outputs? Which images have what they need?",
    "the generator's loss in part 2 reads one of the two heads; is it the one that changes here?",
))  # fmt: skip


@checker(
    "sgan.combined_accuracy",
    hints=(
        "an accuracy is a count over a count: how many real images are right, and how many generated ones?",
        "try 96 real and 32 generated images; a mean of the two accuracies would weigh both groups alike",
    ),
)
def _combined_accuracy(answer: Callable[[float, float, int, int], Any]) -> str | None:
    cases = [(0.0, 1.0, 32, 32), (0.75, 1.0, 32, 32), (0.5, 0.25, 64, 64), (0.5, 1.0, 96, 32), (0.25, 0.75, 4, 12)]
    for real, fake, n_real, n_fake in cases:
        result, right = number(answer(real, fake, n_real, n_fake)), real * n_real + fake * n_fake
        if not abs(result - right / (n_real + n_fake)) < 1e-9:
            return (
                f"with {n_real} real images at accuracy {real} and {n_fake} generated ones at {fake}, {right:g} "
                f"of {n_real + n_fake} images are right; your {result:.4g} says otherwise"
            )
    return None


@checker(
    "sgan.fair_comparison",
    hints=(
        "which two methods does the question compare, and what must be equal within a pair of runs?",
        "give both methods the same seeds, three at least; a seed without split_seed also chooses the split",
    ),
)
def _fair_comparison(answer: Any) -> str | None:
    if complaint := plan_complaint(answer, ["method"], min_splits=3, question=("digits", 200)):
        return complaint
    methods = {run["method"] for run in answer}
    if not {"supervised", "sgan"} <= methods:
        return f"the plan runs {', '.join(sorted(methods))}; the question needs two methods, one of them the baseline"
    return None
