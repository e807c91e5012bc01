"""Checker of the loop of `02_gan_baseline`: who moves when, with which optimiser, on which points."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgan_lib.course.exercises.checking import checker
from sgan_lib.runtime import forked_random

_ROUNDS, _BATCH = 3, 5


class _Move(NamedTuple):
    player: str
    optimiser: Optimizer
    points: Tensor | None
    z: Tensor


class _Table:
    """The players, and a record of everything that a loop does with them."""

    def __init__(self) -> None:
        self.G, self.D = nn.Linear(8, 2), nn.Linear(2, 1)
        self.moves: list[_Move] = []
        self.drawn: list[Tensor] = []
        self.watched: list[tuple[Any, int]] = []  # what `watch` is told, and how many moves there were by then

    def draw_real(self) -> Tensor:
        self.drawn.append(torch.rand(_BATCH, 2))
        return self.drawn[-1]

    def step_d(self, G: nn.Module, D: nn.Module, adam_d: Optimizer, real: Tensor, z: Tensor) -> Tensor:
        return self._move("D", adam_d, real, z)

    def step_g(self, G: nn.Module, D: nn.Module, adam_g: Optimizer, z: Tensor) -> Tensor:
        return self._move("G", adam_g, None, z)

    def watch(self, number: Any) -> None:
        self.watched.append((number, len(self.moves)))

    def _move(self, player: str, optimiser: Optimizer, points: Tensor | None, z: Tensor) -> Tensor:
        self.moves.append(_Move(player, optimiser, points, z))
        return torch.tensor(float(len(self.moves)), requires_grad=True)

    def of(self, player: str) -> list[_Move]:
        return [move for move in self.moves if move.player == player]


def _order(table: _Table) -> str | None:
    played, wanted = "".join(move.player for move in table.moves), "DG" * _ROUNDS
    if played == wanted[::-1]:
        return "G moves first; D moves first here"
    return (
        None
        if played == wanted
        else f"{_ROUNDS} rounds of D, then G, were asked for; the moves were {played or 'none'}"
    )


def _optimisers(table: _Table, rate_d: float) -> str | None:
    weights = {"D": {*map(id, table.D.parameters())}, "G": {*map(id, table.G.parameters())}}
    for player, rate in (("D", rate_d), ("G", 0.001)):
        used = [move.optimiser for move in table.of(player)]
        if not isinstance(used[0], torch.optim.Adam):
            return f"{player}'s step must get an optimiser, Adam"
        held = {id(weight) for group in used[0].param_groups for weight in group["params"]}
        if held == weights["D"] | weights["G"]:
            return "one optimiser holds the weights of both players, so that each step moves both"
        if held != weights[player]:
            return f"the optimiser in {player}'s step holds other weights than {player}'s"
        if any(each is not used[0] for each in used):
            return "an optimiser is made anew in every round, and forgets its running means; make both before the loop"
        group = used[0].param_groups[0]
        if abs(group["lr"] - rate) > 1e-9:
            return f"the learning rate of {player} must be {'rate_d' if player == 'D' else '0.001'}"
        if group["betas"] != (0.5, 0.999):
            return "Adam's betas must be 0.5 and 0.999; the default remembers for too long in a game"
    return None


def _draws(table: _Table) -> str | None:
    seen, latents = [move.points for move in table.of("D")], [move.z for move in table.moves]
    if len(table.drawn) < _ROUNDS:
        return "every round sees the same real points; draw a new batch in each"
    if len(table.drawn) > _ROUNDS:
        return f"draw_real was called {len(table.drawn)} times in {_ROUNDS} rounds; call it once in each round"
    if any(not torch.equal(ours, theirs) for ours, theirs in zip(seen, table.drawn, strict=False) if ours is not None):
        return "D does not get the real points that were drawn in its round"
    if any(not isinstance(z, Tensor) or z.shape != (_BATCH, 8) for z in latents):
        return "the latents must have the shape [n, 8], with n as in the real batch"
    if len({move.z[0, 0].item() for move in table.of("D")}) < _ROUNDS:
        return "every round sees the same latents; draw new ones in each"
    if any(torch.equal(ours, theirs) for ours, theirs in zip(latents[::2], latents[1::2], strict=True)):
        return "both moves of a round get the same latents; draw new ones for G"
    if (torch.stack(latents).abs() < 1.8).all():  # a uniform distribution of variance one ends at 1.73
        return "no latent is far from zero, as if they were uniform; draw them from a standard normal distribution"
    return None


def _results(table: _Table, result: Any) -> str | None:
    numbers = [number for number, _ in table.watched]
    if numbers != [*range(1, _ROUNDS + 1)]:
        called = f"with {numbers}" if numbers else "not at all"
        return f"watch must be called after each round with its number, 1, 2, 3; it was called {called}"
    if any(moves != 2 * number for number, moves in table.watched):
        return "watch is called before both players have moved; it comes last in a round"
    if not isinstance(result, (list, tuple)) or len(result) != _ROUNDS:
        return "return a list with one pair of losses for each round"
    if any(not isinstance(pair, (list, tuple)) or len(pair) != 2 for pair in result):
        return "each round gives two losses, D's and G's"
    if any(isinstance(value, Tensor) for pair in result for value in pair):
        return "the losses are tensors, which keep each round's whole graph in memory; store plain numbers"
    right = [(2.0 * k + 1, 2.0 * k + 2) for k in range(_ROUNDS)]
    return None if [*map(tuple, result)] == right else "each pair must be the losses of D and of G in that round"


@checker(
    "gan_baseline.train",
    hints=(
        "Before the loop: one optimiser for each network, each given the weights of that network alone. In the loop: "
        "a real batch, D's move, G's move, the two losses as numbers.",
        "Call the two steps with the arguments of exercises 3 and 4, in their order. The number of latents is the "
        "length of the real batch; a tensor's method turns one value into a plain number.",
    ),
)
def _train(answer: Callable[..., Any]) -> str | None:
    table, rate_d = _Table(), 0.003
    with forked_random():
        result = answer(table.G, table.D, table.step_d, table.step_g, table.draw_real, _ROUNDS, rate_d,
                        table.watch)  # fmt: skip
    return _order(table) or _optimisers(table, rate_d) or _draws(table) or _results(table, result)
