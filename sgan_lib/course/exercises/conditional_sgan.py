"""Checkers of `07_conditional_sgan`: a class beside z, the generator's loss, the worst class, fit judges."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sgan_lib.course.exercises.checking import check_answers, checker, compare, tensor


@checker(
    "conditional_sgan.joined_weight",
    hints=(
        "the first columns meet z, the last ones the one-hot code; which columns are there already?",
        "class k adds one column to the units, and it must be the shift that the vector of class k causes there",
    ),
)
def _joined_weight(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    random = torch.Generator().manual_seed(0)
    weight, vectors, latent = (torch.randn(*shape, generator=random, dtype=torch.float64)
                               for shape in ((7, 5), (3, 5), (5,)))  # fmt: skip
    result = tensor(answer(weight.clone(), vectors.clone()), (7, 8))  # 7 units; 5 numbers of z and 3 classes
    for k in range(3):
        joined = torch.cat([latent, (torch.arange(3) == k).double()])
        if not torch.allclose(result.double() @ joined, weight @ (latent + vectors[k])):
            return f"given z with the one-hot code of class {k} behind it, it does not give W(z + e) of that class"
    return None


@checker(
    "conditional_sgan.generator_loss",
    hints=(
        "the inherited line holds both wishes at weight 1; how much of the second one is too much at weight 0?",
        "which cross-entropy is the wish for the class alone? Its factor must be 0 at weight 1",
    ),
)
def _generator_loss(answer: Callable[[Tensor, Tensor, float], Any]) -> str | None:
    random = torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(6, 4, generator=random, dtype=torch.float64)
    asked = torch.randint(4, (6,), generator=random)
    sums = logits.exp().sum(dim=1)
    fake = -(sums / (1 + sums)).log().mean()  # −log p(real | x)
    wrong_class = F.cross_entropy(logits, asked)  # −log p(asked | x, real)
    for weight in (1.0, 0.25, 0.0):
        result = tensor(answer(logits.clone(), asked.clone(), weight)).item()
        mistakes = {"the result is that for weight 1, the cross-entropy over N+1 classes": fake + wrong_class}
        otherwise = f"the result is {result:.4f}, and the two terms do not add up to that"
        if complaint := compare(result, fake + weight * wrong_class, mistakes, otherwise, rtol=1e-4):
            return f"at weight {weight:g} {complaint}"
    return None


@checker(
    "conditional_sgan.worst_class",
    hints=(
        "compute one share for each class: among the images asked for that class, how often does the judge agree?",
        "go through the classes that occur among those asked for; then find the class with the smallest share",
    ),
)
def _worst_class(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    cases = {  # class asked for -> the judge's answers
        "three classes": {0: [0, 0, 0, 2], 1: [1, 1, 0, 0, 0, 0, 0, 1], 2: [2, 2, 2, 2, 2]},
        "classes of different size": {0: [0, 1], 1: [1] * 10 + [0] * 6, 2: [2, 2, 2, 2, 0]},
        "a class that was not asked for": {0: [0, 1, 1, 3], 3: [3, 3, 0]},
    }
    for name, answers_to in cases.items():
        asked = torch.tensor([k for k, answers in answers_to.items() for _ in answers])
        shares = {k: answers.count(k) / len(answers) for k, answers in answers_to.items()}
        worst = min(shares, key=shares.__getitem__)
        result = answer(torch.cat([torch.tensor(answers) for answers in answers_to.values()]), asked)
        if not isinstance(result, tuple) or len(result) != 2:
            return "return two things: the class and its accuracy"
        if int(result[0]) != worst:
            return f"with {name}, class {int(result[0])} is not the worst one; count among the images asked for a class"
        if not math.isclose(float(result[1]), shares[worst], rel_tol=1e-5):
            return f"with {name}, the class is right and its accuracy, {float(result[1]):.3g}, is not"
    return None


check_answers("conditional_sgan.judges", "judges", "ask what each has learnt from, and how often it is wrong", {
    "the discriminator of the run that drew the samples": False,
    "a network trained on that run's 100 labels alone": False,
    "a network trained on all labels in a run of its own": True,
    "a network trained on all labels and on samples of that run": False,
    "a person who is not told which class was asked for": True,
}, hints=(
    "who has taken part in the game, or has learned from its samples?",
    "of the others: how often is each wrong about real digits, and does it know what it is expected to see?",
))  # fmt: skip
