"""What checkers of both players' moves share: networks small enough for a checker, and what each move must be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgan_lib.course.exercises.checking import compare
from sgan_lib.course.exercises.moves import descend, gradients, next_move
from sgan_lib.methods import Nets
from sgan_lib.models import DiscriminatorOutput


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64, the same each time."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Judge(nn.Module):
    """A discriminator of points [n, 3] with two layers and two classes."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.classes = (nn.Parameter(normal(*shape, seed=4)) for shape in ((3, 4), (4, 2)))

    def forward(self, images: Tensor) -> DiscriminatorOutput:
        return DiscriminatorOutput((features := (images @ self.hidden).relu()) @ self.classes, features)


class Maker(nn.Module):
    """A generator that always draws the same and, with `takes_classes`, the same classes, of which there are two."""

    def __init__(self, takes_classes: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(3, 3, seed=5))
        self.vectors = nn.Parameter(normal(2, 3, seed=10)) if takes_classes else None

    def draw_classes(self, n: int) -> Tensor:
        return torch.arange(n) % 2

    def sample(self, n: int, classes: Tensor | None = None) -> Tensor:
        latent = normal(n, 3, seed=6)
        if self.vectors is not None:
            latent = latent + self.vectors[self.draw_classes(n).flip(0) if classes is None else classes]
        return latent @ self.weight


@dataclass(frozen=True)
class Move:
    """What the terms of a move must add up to."""

    right: Tensor
    mistakes: Mapping[str, Tensor]  # complaint -> what the mistake adds up to
    what: str  # the right terms, in words


def moves_complaint(playing: Any, nets: Nets, first: Callable[[], Move], second: Callable[[], Move]) -> str | None:
    """What is wrong with the moves that a learner's generator function yields, or None.

    `first` and `second` say what is right, with the networks as they are when the move is made: between the two the
    discriminator, and whatever else is no generator, takes a step.
    """
    return _first_complaint(playing, nets, first()) or _second_complaint(playing, nets, second)


def _first_complaint(playing: Any, nets: Nets, move: Move) -> str | None:
    result = next_move(playing, "first")
    if complaint := _compared(result, move, "first"):
        return complaint
    if not all(gradients(result, *_judging(nets))):
        return "the value of the first move is right, but no gradient reaches the discriminator"
    if any(gradients(result, *nets["generator"].parameters())):
        return "the first move sends a gradient into the generator; detach the fakes there"
    descend(result, _judging(nets))
    return None


def _second_complaint(playing: Any, nets: Nets, second: Callable[[], Move]) -> str | None:
    before = [weight.clone() for weight in _judging(nets)]
    result = next_move(playing, "second")
    if not all(map(torch.equal, before, _judging(nets))):
        return "the second move changes the discriminator"
    if complaint := _compared(result, second(), "second"):
        return complaint
    try:
        reaches = all(gradients(result, *nets["generator"].parameters()))
    except RuntimeError:  # autograd's, of what was computed before the discriminator's step
        return "the second move uses what was computed before the discriminator's step; ask it again"
    return None if reaches else "the value of the second move is right, but no gradient reaches the generator"


def _compared(result: Tensor, move: Move, which: str) -> str | None:
    otherwise = f"the {which} move adds up to {result:.4f}; {move.what} would be {move.right:.4f}"
    if which == "second":
        otherwise += " after the discriminator's step. Ask the discriminator again"
    mistakes = {complaint: value.detach() for complaint, value in move.mistakes.items()}
    return compare(result.detach(), move.right.detach(), mistakes, otherwise)


def _judging(nets: Nets) -> list[nn.Parameter]:
    return [weight for name, net in nets.items() if name != "generator" for weight in net.parameters()]
