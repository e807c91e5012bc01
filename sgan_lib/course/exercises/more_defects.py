"""Checkers of `A2_more_defects`: does a player follow its own loss, the error of each class, an average corrected."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib.course.exercises.checking import checker, compare, tensor
from sgan_lib.course.exercises.worked import solution


@solution("more_defects.follows")
def follows(parameters: Sequence[nn.Parameter], loss: Tensor) -> Tensor:
    """The cosine between what the parameters hold in `.grad` and the gradient of the loss."""
    own = torch.autograd.grad(loss, parameters, retain_graph=True)
    used = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    return F.cosine_similarity(used, torch.cat([g.flatten() for g in own]), dim=0)


@checker("more_defects.follows", hints=(
    "One function of torch computes gradients and hands them back instead of storing them. Keep the graph for those "
    "who come after you.",
    "The parameters have several shapes. Make one long vector of all that is stored, and one of all that you computed, "
    "in the same order.",
))  # fmt: skip
def _follows(answer: Callable[[list[nn.Parameter], Tensor], Any]) -> str | None:
    random = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape, generator=random)) for shape in ((3, 2), (3,))]
    loss = (parameters[0].square().sum() + 5 * parameters[1].sum()).square() / 100
    own = torch.autograd.grad(loss, parameters, retain_graph=True)
    stored = [g + 3 * torch.randn(g.shape, generator=random) for g in own]
    for parameter, gradient in zip(parameters, stored, strict=True):
        parameter.grad = gradient.clone()
    result = tensor(answer(parameters, loss))
    if any(p.grad is None or not torch.equal(p.grad, g) for p, g in zip(parameters, stored, strict=True)):
        return "your function changes what is stored in `.grad`; the optimiser would use that"
    used, fresh = (torch.cat([g.flatten() for g in gradients]) for gradients in (stored, own))
    each = torch.stack([F.cosine_similarity(a.flatten(), b.flatten(), 0) for a, b in zip(stored, own, strict=True)])
    product = used @ fresh
    mistakes = {
        "this is the mean of the parameters' own cosines; join them to one long vector first": each.mean(),
        "this is the product of the two vectors; divide by both lengths": product,
        "you divide by the length of what is stored alone; divide by both": product / used.norm(),
        "you divide by the length of the loss's own gradient alone; divide by both": product / fresh.norm(),
        "you compare the parameters with the gradient of the loss": F.cosine_similarity(
            torch.cat([p.detach().flatten() for p in parameters]), fresh, 0
        ),
    }
    right = F.cosine_similarity(used, fresh, dim=0)
    otherwise = f"the cosine is {right:.4f} on the checker's parameters; yours is {result:.4f}"
    if complaint := compare(result.detach(), right, mistakes, otherwise, rtol=1e-5):
        return complaint
    try:
        torch.autograd.grad(loss, parameters)
    except RuntimeError:
        return "the value is right, but the graph is gone afterwards; the game needs it"
    return None


@solution("more_defects.error_by_class")
def error_by_class(answers: Tensor, labels: Tensor, n_classes: int) -> Tensor:
    """Of each class's images, the share with another answer; NaN for a class without images."""
    return torch.stack([(answers[labels == k] != k).float().mean() for k in range(n_classes)])


@checker("more_defects.error_by_class", hints=(
    "For one class: pick the images whose true class it is, and look at the answers to these alone.",
    "What does torch give as the mean of an empty tensor?",
))  # fmt: skip
def _error_by_class(answer: Callable[[Tensor, Tensor, int], Any]) -> str | None:
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 3, 3, 3, 3])
    answers = torch.tensor([4, 0, 4, 4, 1, 3, 1, 3, 1, 3, 1])  # 4 is no class, and class 2 has no image
    result = tensor(answer(answers, labels, 4), (4,)).double()
    own, n = [labels == k for k in range(4)], torch.tensor([4.0, 3.0, 0.0, 4.0])
    wrong = torch.tensor([3.0, 1.0, 0.0, 2.0])
    of_answers = torch.stack([(labels[answers == k] != k).double().mean() for k in range(4)])
    if result[2] == 0:
        return "class 2 has no image in the checker's data, and your result calls its error 0, as if it were known"
    if not result[2].isnan():
        return f"class 2 has no image in the checker's data; NaN is asked for, and your result is {result[2]:.4g}"
    there = torch.tensor([0, 1, 3])
    mistakes = {
        "these are the shares of right answers; the error is the rest": (1 - wrong / n)[there],
        "you divide by all images; divide by those of the class": (wrong / len(labels))[there],
        "these are counts; divide by the number of images of the class": wrong[there],
        "you group by the answer; group by the true class": of_answers[there],
        "an answer outside the classes is an error too": torch.stack(
            [(answers[mine & (answers < 4)] != k).double().mean() for k, mine in enumerate(own)]
        )[there],
        "these are percentages; return fractions": (100 * wrong / n)[there],
    }
    right = (wrong / n)[there]
    shown = [round(value, 3) for value in result[there].tolist()]
    otherwise = f"of classes 0, 1 and 3 your function gives {shown}; {[round(r, 3) for r in right.tolist()]} is right"
    return compare(result[there], right, mistakes, otherwise, rtol=1e-5)


@solution("more_defects.averaged")
def averaged(history: Sequence[Tensor], decay: float) -> Tensor:
    """The exponential average of the tensors, divided by the sum of its weights."""
    average = torch.zeros_like(history[0])
    for weights in history:
        average = decay * average + (1 - decay) * weights
    return average / (1 - decay ** len(history))


@checker("more_defects.averaged", hints=(
    "First write the loop over the steps, from a tensor of zeros, with the formula above.",
    "If all weights were 1, what would your loop give after t steps? Divide by that.",
))  # fmt: skip
def _averaged(answer: Callable[[list[Tensor], float], Any]) -> str | None:
    random, decay, n = torch.Generator().manual_seed(0), 0.8, 5
    history = list(1 + torch.rand(n, 3, generator=random, dtype=torch.float64))
    result = tensor(answer(history, decay), (3,))
    stacked = torch.stack(history)
    shares = decay ** torch.arange(n - 1, -1, -1, dtype=torch.float64)  # of the steps, the last one 1
    from_zero = (1 - decay) * (shares @ stacked)
    turned = (1 - decay) ** torch.arange(n - 1, -1, -1, dtype=torch.float64) @ stacked
    mistakes = {
        "this average is still too small; divide it as Adam does": from_zero,
        "you start at the first weights instead of zero, which gives them too much": (
            decay**n * history[0] + from_zero
        ),
        "you start at the first weights, and correct as well": (decay**n * history[0] + from_zero) / (1 - decay**n),
        "this is the plain mean of all steps": stacked.mean(dim=0),
        "these are the weights after the last step": history[-1],
        "decay and 1 − decay have changed places": decay * turned,
        "decay and 1 − decay have changed places, and what you divide by has not": decay * turned / (1 - decay**n),
        "you divide by the decay's power itself": from_zero / decay**n,
        "you correct with one step too few": from_zero / (1 - decay ** (n - 1)),
    }
    right = shares @ stacked / shares.sum()
    otherwise = f"the first number of the average is {right[0]:.4f} on the checker's weights; yours is {result[0]:.4f}"
    return compare(result, right, mistakes, otherwise)
