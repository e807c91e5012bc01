"""Checkers of `01_theory`: the best discriminator, the generator's slopes, the first bias, the SGAN's loss."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sgan_lib import losses
from sgan_lib.course.exercises.checking import WrongAnswer, checker, compare, number, tensor
from sgan_lib.course.exercises.playing import normal
from sgan_lib.course.exercises.worked import solution

# --- the best discriminator


@solution("theory.best_discriminator")
def best_discriminator(density_p: Tensor, density_q: Tensor, real_share: float) -> Tensor:
    """The share of real points among those at x."""
    real, fake = real_share * density_p, (1 - real_share) * density_q
    return real / (real + fake)


@checker(
    "theory.best_discriminator",
    hints=(
        "at one x the value is a·log y + b·log(1 − y). What are a and b, if a share of all points is real?",
        "set the derivative by y to zero and solve for y; a and b each hold one share and one density",
    ),
)
def _best_discriminator(answer: Callable[[Tensor, Tensor, float], Any]) -> str | None:
    p, q = torch.rand(2, 9, generator=torch.Generator().manual_seed(2), dtype=torch.float64) + 0.05
    for share in (0.5, 0.2, 0.9):
        result = tensor(answer(p.clone(), q.clone(), share), p.shape).detach()
        a, b = share * p, (1 - share) * q
        mistakes = {
            "that is right for equal shares only; use real_share": p / (p + q),
            "that is the probability of “generated”": b / (a + b),
            "that is the ratio of the two, which may be over 1; a probability is asked for": a / b,
            "the two shares are exchanged": (1 - share) * p / ((1 - share) * p + share * q),
            "below the line each density has its share, too": a / (p + q),
            "one share is in its place; the generated points have the other one": a / (a + q),
            "that is the logit; return the probability": a.log() - b.log(),
        }
        otherwise = f"with real_share {share}, a change of D still improves the value of the game at some points"
        if complaint := compare(result, a / (a + b), mistakes, otherwise):
            return complaint
    return None


# --- the slopes of the generator's two losses


@solution("theory.slopes")
def slopes(logit: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives by the logit: of log(1 − D), and of −log D."""
    D = torch.sigmoid(logit)
    return -D, -(1 - D)


@checker(
    "theory.slopes",
    hints=(
        "write both losses in the logit first: each is a softplus, up to its sign and that of its argument",
        "the derivative of softplus(t) is the sigmoid of t; mind the inner derivative of the second loss",
    ),
)
def _slopes(answer: Callable[[Tensor], Any]) -> str | None:
    logit = torch.linspace(-4, 5, 10, dtype=torch.float64)
    result = answer(logit.clone())
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise WrongAnswer("return two tensors: the slope of the minimax loss, then that of the non-saturating one")
    result = torch.stack([tensor(each, logit.shape).detach().double() for each in result])
    D = torch.sigmoid(logit)
    right = torch.stack([-D, D - 1])
    mistakes = {
        "the signs are turned round: does each loss rise or fall when the logit rises?": -right,
        "the two are exchanged; minimax comes first": right.flip(0),
        "these are the losses; their slopes are asked for": torch.stack([-F.softplus(logit), F.softplus(-logit)]),
        "these are derivatives by D; those by the logit are asked for": torch.stack([-1 / (1 - D), -1 / D]),
        "the inner derivative of the second loss is missing": torch.stack([-D, 1 - D]),
    }
    at = f"at logit {logit[2]:g} the slopes are {right[0, 2]:.3f} and {right[1, 2]:.3f}"
    return compare(result, right, mistakes, f"{at}; yours are {result[0, 2]:.3f} and {result[1, 2]:.3f}")


# --- where a discriminator starts


@checker(
    "theory.initial_bias",
    hints=(
        "p(real | x) is the sigmoid of log Z. Which value of Z gives one half?",
        "K equal logits b: write Z with K and b, set it to that value and solve for b",
    ),
)
def _initial_bias(answer: Callable[[int], Any]) -> str | None:
    for n_classes in (2, 1, 10, 1000):
        bias = number(answer(n_classes))
        p_real = 1 / (1 + math.exp(min(-bias - math.log(n_classes), 700)))
        mistakes = {
            "the sign is wrong: this makes the start surer still that all is real": math.log(n_classes),
            "that gives “fake” the share of one class among K + 1; p(real | x) is to be one half": 0.0,
            "Z is a sum over the K real classes; the fake class is not in it": -math.log(n_classes + 1),
            "p(real | x) is to be one half, and not Z": -math.log(2 * n_classes),
        }
        otherwise = f"with {n_classes} logits of that size, p(real | x) is {p_real:.4g}, not 0.5"
        if complaint := compare(bias, -math.log(n_classes), mistakes, otherwise):
            return complaint
    return None


# --- the discriminator's loss of an SGAN


@solution("theory.sgan_loss")
def sgan_loss(labelled: Tensor, labels: Tensor, unlabelled: Tensor, generated: Tensor, w: float = 0.5) -> Tensor:
    """Which class, and w times real or generated."""
    log_p_class = labelled.log_softmax(dim=1)
    which_class = -log_p_class[torch.arange(len(labels)), labels].mean()
    called_real = F.softplus(-unlabelled.logsumexp(dim=1)).mean()
    called_fake = F.softplus(generated.logsumexp(dim=1)).mean()
    return which_class + w * (called_real + called_fake)


def _sgan_mistakes(
    labelled: Tensor, labels: Tensor, unlabelled: Tensor, generated: Tensor, w: float
) -> dict[str, Tensor]:
    on_labelled, on_real, on_fake = (losses.real_logit(logits) for logits in (labelled, unlabelled, generated))
    classes, told_apart = losses.supervised(labelled, labels), losses.discriminator(on_real, on_fake)
    largest = losses.discriminator(unlabelled.amax(dim=1), generated.amax(dim=1))
    in_one_mean = torch.cat([F.softplus(-on_real), F.softplus(on_fake)]).mean()
    return {
        "the weight w is not used": classes + told_apart,
        "the weight w belongs to the bracket alone": w * (classes + told_apart),
        "unlabelled and generated are exchanged": classes + w * losses.discriminator(on_fake, on_real),
        "the term of the labelled points is missing": w * told_apart,
        "the term of the generated points is missing": classes + w * F.softplus(-on_real).mean(),
        "the term of the unlabelled points is missing": classes + w * F.softplus(on_fake).mean(),
        "the labelled term has “and it is real” in it; it is the softmax over the K logits alone": (
            classes + F.softplus(-on_labelled).mean() + w * told_apart
        ),
        "log Z is not the largest logit; it is the log-sum-exp": classes + w * largest,
        "log Z adds up over the classes of a point; yours adds up over the points of the batch": classes
        + w * losses.discriminator(unlabelled.logsumexp(dim=0), generated.logsumexp(dim=0)),
        "the generated points, too, are asked to be real": classes + w * losses.discriminator(on_real, -on_fake),
        "these are sums over the batches; take means": classes
        + w * (F.softplus(-on_real).sum() + F.softplus(on_fake).sum()),
        "one mean runs over unlabelled and generated points together; take one of each": classes + w * in_one_mean,
        "there is a softmax before the cross-entropy, which makes its own": (
            losses.supervised(labelled.softmax(dim=1), labels) + w * told_apart
        ),
        "the loss has the wrong sign": -classes - w * told_apart,
    }


@checker(
    "theory.sgan_loss",
    hints=(
        "three means: over the labelled, the unlabelled and the generated points; begin with the labelled one",
        "write minus log sigmoid(t) as a softplus; for the third term, 1 − sigmoid(t) is again a sigmoid",
    ),
)
def _sgan_loss(answer: Callable[..., Any]) -> str | None:
    labels = torch.randint(4, (6,), generator=torch.Generator().manual_seed(1))
    for size in (2.0, 2000.0):
        labelled, unlabelled, generated = (size * normal(n, 4, seed=n) for n in (6, 9, 5))
        leaves = [each.requires_grad_() for each in (labelled, unlabelled, generated)]
        result = tensor(answer(labelled, labels, unlabelled, generated, 0.3))
        if not result.isfinite():
            return f"for logits around {size:,.0f} the result is not finite: an exponential overflows"
        right = sgan_loss(labelled, labels, unlabelled, generated, 0.3)
        mistakes = _sgan_mistakes(labelled, labels, unlabelled, generated, 0.3)
        otherwise = f"for logits around {size:,.0f} the loss is {right:.4f}; yours is {result:.4f}"
        detached = {complaint: value.detach() for complaint, value in mistakes.items()}
        if complaint := compare(result.detach(), right.detach(), detached, otherwise):
            return complaint
        if not result.requires_grad or None in torch.autograd.grad(result, leaves, allow_unused=True):
            return "the value is right, but it carries no gradient to the logits: do not detach"
    return None
