"""The one training loop: read `descend`, `training_step`, `train`, in that order. It knows no model and no data set."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from sgan_lib.runtime import check_whole_number, guard_against_divergence

Terms = Mapping[str, Tensor]


@dataclass(frozen=True)
class Player:
    """One side of the game: the optimiser of its weights, and its full learning rate."""

    optimizer: Optimizer
    learning_rate: float

    def set_learning_rate(self, factor: float) -> float:
        """Set the rate to `factor` times the full one, and return it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        return self.learning_rate * factor


@dataclass(frozen=True)
class Record:
    """One line of the history: after `step` steps and `seconds` of training; terms are means since the last record."""

    step: int
    seconds: float
    terms: dict[str, float]
    learning_rate: float
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainingState:
    """What is trained, how it is played, and all that changes on the way: enough to resume as if nothing had been."""

    modules: nn.ModuleDict
    players: dict[str, Player]
    average: AveragedModel
    play: Callable[[nn.ModuleDict, Any], Iterator[Terms]]  # networks, batch -> the terms of each player, in their order
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext  # where terms are computed; not their gradients
    step: int = 0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list)

    @property
    def averaged(self) -> nn.ModuleDict:
        """The networks with averaged weights, by the same names."""
        return cast(nn.ModuleDict, self.average.module)


def descend(terms: Terms, optimizer: Optimizer) -> None:
    """One step of the optimiser down the gradient of the sum of the terms, taken for its own weights only."""
    optimizer.zero_grad(set_to_none=True)
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    torch.stack(list(terms.values())).sum().backward(inputs=own)
    optimizer.step()


def training_step(state: TrainingState, batch: Any) -> dict[str, Tensor]:
    """Let each player move once, in turn. Returns the terms of all, without gradients."""
    moves, seen = state.play(state.modules, batch), dict[str, Tensor]()
    for player in state.players.values():
        with state.autocast():
            terms = next(moves)
        descend(terms, player.optimizer)
        seen |= {name: term.detach() for name, term in terms.items()}
    return seen


def train(
    state: TrainingState, batch_at: Callable[[int], Any], n_steps: int, record_every: int = 100,
    evaluate: Callable[[nn.ModuleDict], dict[str, float]] | None = None, hold: float = 1.0, last_rate: float = 0.0,
) -> Iterator[Record]:  # fmt: skip
    """Train from `state.step` to `n_steps`, yielding a record every `record_every` steps and at the end.

    The state is changed in place, so a caller may save it at any record. `batch_at` gives the batch of a step, always
    the same one; `evaluate` gives named scores of the averaged networks, for the record, and its time does not count.
    The learning rate follows `hold_then_decay`, with numbers in [0, 1] as `Settings` has them. Raises ValueError or
    TypeError for `record_every`, and DivergenceError where a term or a weight is not finite, or exploded.
    """
    check_whole_number("record_every", record_every, at_least=1)
    started, sums, n_summed = time.perf_counter(), dict[str, Tensor](), 0
    while state.step < n_steps:
        factor = hold_then_decay(state.step, n_steps, hold, last_rate)
        rates = [player.set_learning_rate(factor) for player in state.players.values()]
        terms = training_step(state, batch_at(state.step))
        state.average.update_parameters(state.modules)
        state.step, n_summed = state.step + 1, n_summed + 1
        if state.step % 50 == 0:  # seldom enough not to hold up a GPU
            guard_against_divergence(terms, state.step)
        sums = {name: sums[name] + term if name in sums else term for name, term in terms.items()}
        if state.step % record_every == 0 or state.step == n_steps:
            values = guard_against_divergence({name: total / n_summed for name, total in sums.items()}, state.step)
            largest = torch.stack([weight.detach().abs().max() for weight in state.averaged.parameters()]).max()
            guard_against_divergence({"largest weight": largest}, state.step, limit=1e6)
            state.seconds += time.perf_counter() - started
            scores = evaluate(state.averaged) if evaluate else {}
            state.history.append(Record(state.step, state.seconds, values, rates[0], scores))
            yield state.history[-1]
            started, sums, n_summed = time.perf_counter(), {}, 0


def hold_then_decay(step: int, n_steps: int, hold: float, last: float = 0.0) -> float:
    """Factor on the learning rate: 1 for a share `hold` of the steps, then to 0 linearly or to `last` exponentially."""
    left = 1 - step / n_steps
    if left > 1 - hold or hold == 1:
        return 1.0
    return last ** (1 - left / (1 - hold)) if last else left / (1 - hold)


def average_of(modules: nn.ModuleDict, decay: float) -> AveragedModel:
    """A running average of weights, Σ_i decay^(t−i) · θ_i / Σ_i decay^(t−i) after t updates. Buffers: the last."""

    def update(averaged: Any, current: Any, n_averaged: Tensor | int) -> None:
        weight = (1 - decay) / (1 - decay ** (int(n_averaged) + 1))  # corrected as Adam's moments: arXiv:1412.6980, §3
        torch._foreach_lerp_(averaged, current, weight)

    return AveragedModel(modules, multi_avg_fn=update).eval()  # it is for looking at, never trained
