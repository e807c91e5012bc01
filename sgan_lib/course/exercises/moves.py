"""What checkers of a method's moves share: the next move, where its gradients go, and the discriminator's step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sgan_lib.course.exercises.checking import WrongAnswer, tensor


def next_move(playing: Any, which: str) -> Tensor:
    """The sum of the next move's terms; what goes wrong inside the learner's function is told."""
    if not isinstance(playing, Iterator):
        raise WrongAnswer("the function must `yield` twice: once what each player minimises")
    try:
        terms = next(playing)
    except StopIteration:
        raise WrongAnswer(f"there is no {which} move; `yield` twice") from None
    except Exception as error:
        raise WrongAnswer(f"the {which} move raised {type(error).__name__}: {str(error)[:300]}") from error
    if not isinstance(terms, Mapping) or not terms:
        raise WrongAnswer(f"the {which} move must be a dictionary from a name to a scalar")
    return torch.stack([tensor(term) for term in terms.values()]).sum()


def gradients(loss: Tensor, *inputs: Tensor) -> list[bool]:
    """Which of these the loss sends a gradient to."""
    if not loss.requires_grad:
        return [False] * len(inputs)
    slopes = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)
    return [slope is not None and bool(slope.abs().sum() > 0) for slope in slopes]


def descend(loss: Tensor, weights: Sequence[nn.Parameter]) -> None:
    """A player's step, in place as an optimiser's is, so that what was computed before is out of date."""
    slopes = torch.autograd.grad(loss, weights, retain_graph=True)
    with torch.no_grad():
        for weight, slope in zip(weights, slopes, strict=True):
            weight.sub_(0.1 * slope)
