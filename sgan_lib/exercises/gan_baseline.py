"""Checkers of `02_gan_baseline`: blind discriminator, honest report, batch norm's company, entropy, diagnosis."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from sgan_lib.exercises import checker
from sgan_lib.models import ConvDiscriminator


@checker("gan_baseline.blind_loss")
def _blind_loss(answer: Callable[[Tensor], Any]) -> str | None:
    p = torch.rand(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.98 + 0.01
    result = answer(p.clone())
    if result is None:
        return "the function returns None; fill it in"
    if not isinstance(result, Tensor) or result.shape != p.shape:
        return f"return a tensor of p's shape, {list(p.shape)}; got {_kind(result)}"
    expected = torch.tensor([-math.log(value) - math.log(1 - value) for value in p.tolist()], dtype=torch.float64)
    if torch.allclose(result, expected / 2):
        return "this is half of the loss; both expectations count whole here"
    if torch.allclose(result, -expected):
        return "the sign is turned: this is what D maximises"
    if torch.allclose(result, -p.log()):
        return "only the real images are in it; the generated ones get the same answer p"
    return None if torch.allclose(result, expected) else "the values differ from L_D with D(x) = D(G(z)) = p"


@checker("gan_baseline.error_to_report")
def _error_to_report(answer: Callable[[pd.DataFrame], Any]) -> str | None:
    random = torch.Generator().manual_seed(1)
    for _ in range(5):
        validation, test = torch.randperm(6, generator=random), torch.randperm(6, generator=random)
        table = pd.DataFrame({"setting": list("abcdef"), "validation_error": 0.1 + 0.01 * validation.numpy(),
                              "test_error": 0.2 + 0.01 * test.numpy()}, index=range(10, 16))  # fmt: skip
        expected = 0.2 + 0.01 * test[list(validation).index(0)].item()
        if complaint := _report_complaint(answer(table.copy()), expected, table):
            return complaint
    return None


def _report_complaint(result: Any, expected: float, table: pd.DataFrame) -> str | None:
    if result is None:
        return "the function returns None; fill it in"
    value = float(result)
    if math.isclose(value, expected):
        return None
    if math.isclose(value, table["validation_error"].min()):
        return "this is a validation error, which was used to choose; it is too good to report"
    if math.isclose(value, table["test_error"].min()):
        return "this chooses by the test images; they are for one reading, after the choice"
    return "this is not the test error of the setting that the validation images choose"


@checker("gan_baseline.generator_loss_in_company")
def _generator_loss_in_company(answer: Callable[[nn.Module, Tensor, Tensor], Any]) -> str | None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        judge = ConvDiscriminator((1, 8, 8), 1, channels=(4, 6), kernel_size=3, batch_norm=True)
        real, fake = torch.rand(5, 1, 8, 8) - 1, torch.rand(7, 1, 8, 8).requires_grad_()
        together = _mean_loss(judge(torch.cat([real, fake])).class_logits.flatten().tolist()[5:])
        alone = _mean_loss(judge(fake).class_logits.flatten().tolist())
        result = answer(judge, real, fake)
    if result is None:
        return "the function returns None; fill it in"
    if not isinstance(result, Tensor) or result.ndim:
        return f"return a scalar tensor; got {_kind(result)}"
    if not result.requires_grad or torch.autograd.grad(result, fake, allow_unused=True)[0] is None:
        return "no gradient reaches the generated images, so G would learn nothing"
    return _company_complaint(result.item(), together, alone)


def _mean_loss(logits: list[float]) -> float:
    """-log D averaged, from the definition of the sigmoid."""
    return -sum(math.log(1 / (1 + math.exp(-value))) for value in logits) / len(logits)


def _company_complaint(value: float, together: float, alone: float) -> str | None:
    if math.isclose(value, together, rel_tol=1e-4):
        return None
    if math.isclose(value, alone, rel_tol=1e-4):
        return "D still sees the generated images alone"
    return f"the loss is {value:.4f}, in mixed company it is another; check which logits enter, and the loss's form"


@checker("gan_baseline.effective_classes")
def _effective_classes(answer: Callable[[Tensor, int], Any]) -> str | None:
    random = torch.Generator().manual_seed(3)
    cases = {
        "all classes alike": torch.arange(40) % 8,
        "uneven classes": torch.multinomial(torch.arange(1.0, 9.0), 200, replacement=True, generator=random),
        "one missing class": torch.arange(40) % 7,
        "a single class": torch.full((40,), 5),
    }
    for name, classes in cases.items():
        result = answer(classes.clone(), 8)
        if result is None:
            return "the function returns None; fill it in"
        if complaint := _entropy_complaint(float(result), _exact_effective(classes.tolist())):
            return f"for {name}, {complaint}"
    return None


def _exact_effective(classes: list[int]) -> float:
    """The product of share^(-share) over the classes that occur."""
    shares = [classes.count(one) / len(classes) for one in set(classes)]
    return math.prod(share**-share for share in shares)


def _entropy_complaint(value: float, expected: float) -> str | None:
    if math.isnan(value):
        return "the result is NaN; look at what a share of 0 contributes"
    if math.isclose(value, expected, rel_tol=1e-4):
        return None
    if expected > 1 and math.isclose(value, math.log(expected), rel_tol=1e-4):
        return "this is H; the effective number is e to the H"
    if expected > 1 and math.isclose(value, math.exp(math.log2(expected)), rel_tol=1e-4):
        return "the entropy is in bits; take the natural logarithm"
    return f"the result is {value:.4g}, which is not e to the H"


_DIAGNOSES = {"P": "discriminator has won", "Q": "healthy", "R": "batch statistics", "S": "mode collapse"}


@checker("gan_baseline.diagnosis")
def _diagnosis(answer: dict[str, str]) -> str | None:
    if not isinstance(answer, dict) or set(answer) != set(_DIAGNOSES):
        return f"give a dictionary with the keys {', '.join(_DIAGNOSES)}"
    unknown = sorted({str(value) for value in answer.values()} - set(_DIAGNOSES.values()))
    if unknown:
        return f"{unknown[0]!r} is none of {', '.join(sorted(_DIAGNOSES.values()))}"
    wrong = sum(answer[run] != diagnosis for run, diagnosis in _DIAGNOSES.items())
    return f"{wrong} of the four runs are not right yet; compare the last three columns" if wrong else None


def _kind(value: Any) -> str:
    return f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
