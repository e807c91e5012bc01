"""Checkers of `07_conditional_sgan`: a class beside z, the generator's loss, the worst class, fit judges."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sgan_lib.exercises import check_answers, checker


@checker("conditional_sgan.joined_weight")
def _joined_weight(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(7, 5, generator=random, dtype=torch.float64)
    vectors = torch.randn(3, 5, generator=random, dtype=torch.float64)
    result = answer(weight.clone(), vectors.clone())
    if not isinstance(result, Tensor):
        return f"the function returns {type(result).__name__}; return a tensor"
    if result.shape != (7, 8):
        return f"for 7 units, 5 numbers of z and 3 classes the shape is {list(result.shape)}; [7, 8] is needed"
    latent = torch.randn(5, generator=random, dtype=torch.float64)
    for k in range(3):
        wanted = [sum(w * (z + e) for w, z, e in zip(row, latent.tolist(), vectors[k].tolist(), strict=True))
                  for row in weight.tolist()]  # fmt: skip
        one_hot = [float(j == k) for j in range(3)]
        found = result @ torch.tensor([*latent.tolist(), *one_hot], dtype=torch.float64)
        if not torch.allclose(found, torch.tensor(wanted, dtype=torch.float64)):
            return f"given z with the one-hot code of class {k} behind it, it does not give W(z + e) of that class"
    return None


@checker("conditional_sgan.generator_loss")
def _generator_loss(answer: Callable[[Tensor, Tensor, float], Any]) -> str | None:
    random = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(6, 4, generator=random, dtype=torch.float64)
    asked = torch.randint(4, (6,), generator=random)
    for weight in (1.0, 0.25, 0.0):
        result = answer(logits.clone(), asked.clone(), weight)
        if not isinstance(result, Tensor) or result.shape != ():
            return f"at weight {weight:g} the result is not a tensor with a single value"
        fake, wrong_class = _loss_parts(logits.tolist(), asked.tolist())
        if math.isclose(result.item(), fake + weight * wrong_class, rel_tol=1e-4):
            continue
        if math.isclose(result.item(), fake + wrong_class, rel_tol=1e-4):
            return f"at weight {weight:g} the result is that for weight 1, the cross-entropy over N+1 classes"
        return f"at weight {weight:g} the result is {result.item():.4f}, and the two terms do not add up to that"
    return None


def _loss_parts(logits: list[list[float]], asked: list[int]) -> tuple[float, float]:
    """Means of −log p(real | x) and of −log p(asked | x, real), from the definition."""
    sums = [sum(math.exp(value) for value in row) for row in logits]
    fake = sum(-math.log(z / (1 + z)) for z in sums) / len(sums)
    return fake, sum(math.log(z) - row[k] for z, row, k in zip(sums, logits, asked, strict=True)) / len(sums)


@checker("conditional_sgan.worst_class")
def _worst_class(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    cases = {  # class asked for -> the judge's answers
        "three classes": {0: [0, 0, 0, 2], 1: [1, 1, 0, 0, 0, 0, 0, 1], 2: [2, 2, 2, 2, 2]},
        "classes of different size": {0: [0, 1], 1: [1] * 10 + [0] * 6, 2: [2, 2, 2, 2, 0]},
        "a class that was not asked for": {0: [0, 1, 1, 3], 3: [3, 3, 0]},
    }
    for name, given in cases.items():
        asked = torch.tensor([k for k, answers in given.items() for _ in answers])
        answers = torch.tensor([one for answers in given.values() for one in answers])
        shares = {k: answers.count(k) / len(answers) for k, answers in given.items()}
        worst = min(shares, key=shares.__getitem__)
        result = answer(answers, asked)
        if not isinstance(result, tuple) or len(result) != 2:
            return "return two things: the class and its accuracy"
        if int(result[0]) != worst:
            return f"with {name}, class {int(result[0])} is not the worst one; count among the images asked for a class"
        if not math.isclose(float(result[1]), shares[worst], rel_tol=1e-5):
            return f"with {name}, the class is right and its accuracy, {float(result[1]):.3g}, is not"
    return None


_FIT_JUDGES = {
    "the discriminator of the run that drew the samples": False,
    "a network trained on that run's 100 labels alone": False,
    "a network trained on all labels in a run of its own": True,
    "a network trained on all labels and on samples of that run": False,
    "a person who is not told which class was asked for": True,
}


check_answers("conditional_sgan.judges", _FIT_JUDGES, "judges", "ask what each has learnt from, and how often it errs")
