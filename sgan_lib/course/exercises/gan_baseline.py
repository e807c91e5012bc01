"""Checkers of `02_gan_baseline`: blind discriminator, honest report, batch norm's company, entropy, diagnosis."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from sgan_lib.course.exercises.checking import check_answers, checker, compare, number, tensor
from sgan_lib.models import ConvDiscriminator


@checker("gan_baseline.blind_loss")
def _blind_loss(answer: Callable[[Tensor], Any]) -> str | None:
    p = torch.rand(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.98 + 0.01
    on_real, on_fake = -p.log(), -(1 - p).log()
    mistakes = {
        "this is half of the loss; both expectations count whole here": (on_real + on_fake) / 2,
        "the sign is turned: this is what D maximises": -on_real - on_fake,
        "only the real images are in it; the generated ones get the same answer p": on_real,
    }
    otherwise = "the values differ from L_D with D(x) = D(G(z)) = p"
    return compare(tensor(answer(p.clone()), p.shape), on_real + on_fake, mistakes, otherwise)


@checker("gan_baseline.error_to_report")
def _error_to_report(answer: Callable[[pd.DataFrame], Any]) -> str | None:
    random = torch.Generator().manual_seed(1)
    for _ in range(5):
        validation, test = torch.randperm(6, generator=random), torch.randperm(6, generator=random)
        table = pd.DataFrame({"setting": list("abcdef"), "validation_error": 0.1 + 0.01 * validation.numpy(),
                              "test_error": 0.2 + 0.01 * test.numpy()}, index=range(10, 16))  # fmt: skip
        mistakes = {
            "a validation error that was used to choose is too good to report": table["validation_error"].min(),
            "this chooses by the test images; they are for one reading, after the choice": table["test_error"].min(),
        }
        otherwise = "this is not the test error of the setting that the validation images choose"
        right = 0.2 + 0.01 * test[validation.argmin()].item()
        if complaint := compare(number(answer(table.copy())), right, mistakes, otherwise):
            return complaint
    return None


@checker("gan_baseline.generator_loss_in_company")
def _generator_loss_in_company(answer: Callable[[nn.Module, Tensor, Tensor], Any]) -> str | None:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        judge = ConvDiscriminator((1, 8, 8), 1, channels=(4, 6), kernel_size=3, batch_norm=True)
        real, fake = torch.rand(5, 1, 8, 8) - 1, torch.rand(7, 1, 8, 8).requires_grad_()
        beside_real, alone = judge(torch.cat([real, fake])).class_logits[5:], judge(fake).class_logits
        result = tensor(answer(judge, real, fake))
    if not result.requires_grad or torch.autograd.grad(result, fake, allow_unused=True)[0] is None:
        return "no gradient reaches the generated images, so G would learn nothing"
    otherwise = "in mixed company the loss is another; check which logits enter, and the loss's form"
    mistakes = {"D still sees the generated images alone": -alone.sigmoid().log().mean().item()}
    return compare(result.item(), -beside_real.sigmoid().log().mean().item(), mistakes, otherwise, rtol=1e-4)


@checker("gan_baseline.effective_classes")
def _effective_classes(answer: Callable[[Tensor, int], Any]) -> str | None:
    uneven = torch.multinomial(torch.arange(1.0, 9.0), 200, True, generator=torch.Generator().manual_seed(3))
    cases = {"all classes alike": torch.arange(40) % 8, "uneven classes": uneven,
             "one missing class": torch.arange(40) % 7, "a single class": torch.full((40,), 5)}  # fmt: skip
    for name, classes in cases.items():
        result = number(answer(classes.clone(), 8))
        shares = [classes.tolist().count(k) / len(classes) for k in set(classes.tolist())]
        right = math.prod(share**-share for share in shares)
        mistakes = {"this is H; the effective number is e to the H": math.log(right),
                    "the entropy is in bits; take the natural logarithm": math.exp(math.log2(right))}  # fmt: skip
        what = "NaN; look at what a share of 0 contributes" if math.isnan(result) else f"{result:.4g}, not e to the H"
        if complaint := compare(result, right, mistakes, f"the result is {what}", rtol=1e-4):
            return f"for {name}, {complaint}"
    return None


check_answers("gan_baseline.diagnosis", "runs", "compare the last three columns", {
    "P": "discriminator has won",
    "Q": "healthy",
    "R": "batch statistics",
    "S": "mode collapse",
})  # fmt: skip
