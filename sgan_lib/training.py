"""The one training loop. Networks, batches, losses and the evaluation are arguments; it knows no model and no data set.

Read `descend`, `training_step`, `train`, in that order.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from sgan_lib.runtime import check_number, check_whole_number, guard_against_divergence, whole_file

Terms = Mapping[str, Tensor]
Objective = Callable[[nn.ModuleDict, Any], Terms]


@dataclass(frozen=True)
class Player:
    """One side of the game: what it minimises, the optimiser that holds its weights, its base learning rate."""

    objective: Objective
    optimizer: Optimizer
    learning_rate: float

    def set_learning_rate(self, factor: float) -> float:
        """Set the rate to `factor` times this player's base rate, and return it."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * factor
        return self.learning_rate * factor

    def load_moments(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the optimiser from tensors named "<index of parameter>.<moment>"."""
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, moment = name.split(".")
            state.setdefault(int(index), {})[moment] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})


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
    """All that changes during training. Saved and loaded whole, so that a resumed run equals an uninterrupted one."""

    modules: nn.ModuleDict
    players: dict[str, Player]
    average: AveragedModel
    step: int = 0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list)

    @property
    def averaged(self) -> nn.ModuleDict:
        """The networks with averaged weights, by the same names."""
        return cast(nn.ModuleDict, self.average.module)


def average_of(modules: nn.ModuleDict, decay: float) -> AveragedModel:
    """A running average of weights, corrected for its start as Adam's moments are (arXiv:1412.6980, §3).

    After t updates it is Σ_i decay^(t−i) · θ_i, divided by Σ_i decay^(t−i): an average of what was seen. Buffers, such
    as the statistics of batch norm, are those of the last step.
    """

    @torch.no_grad()
    def update(averaged: Any, current: Any, n_averaged: Tensor | int) -> None:
        weight = (1 - decay) / (1 - decay ** (int(n_averaged) + 1))
        torch._foreach_lerp_(averaged, current, weight)

    return AveragedModel(modules, multi_avg_fn=update).eval()  # it is for looking at, never trained


def hold_then_decay(step: int, n_steps: int, hold: float, last: float = 0.0) -> float:
    """Factor on the learning rate: 1 for the first `hold` of the steps, then linearly to 0 at the end.

    With `last` above 0 it falls exponentially, to `last`.
    """
    left = 1 - step / n_steps
    if left > 1 - hold or hold == 1:
        return 1.0
    return last ** (1 - left / (1 - hold)) if last else left / (1 - hold)


def descend(terms: Terms, optimizer: Optimizer) -> None:
    """One step of the optimiser down the gradient of the sum of the terms, taken for its own weights only."""
    optimizer.zero_grad(set_to_none=True)
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    torch.stack(list(terms.values())).sum().backward(inputs=own)
    optimizer.step()


def training_step(state: TrainingState, batch: Any) -> dict[str, Tensor]:
    """Let each player move once, in turn."""
    seen: dict[str, Tensor] = {}
    for player in state.players.values():
        terms = player.objective(state.modules, batch)
        descend(terms, player.optimizer)
        seen |= {name: term.detach() for name, term in terms.items()}
    return seen


def _largest_weight(state: TrainingState) -> Tensor:
    return torch.stack([p.detach().abs().max() for p in state.averaged.parameters()]).max()


def train(
    state: TrainingState,
    batch_at: Callable[[int], Any],
    n_steps: int,
    hold: float = 1.0,
    record_every: int = 100,
    evaluate: Callable[[nn.ModuleDict], dict[str, float]] | None = None,
    last_rate: float = 0.0,
) -> Iterator[Record]:
    """Train from `state.step` to `n_steps`, yielding a record every `record_every` steps and at the end.

    Args:
        state: what is trained; changed in place, so that a caller may save it at any record.
        batch_at: step -> batch; the same step must give the same batch.
        n_steps: where to stop, and where the learning rate reaches 0 or `last_rate`.
        hold: share of the steps at full learning rate, in [0, 1]; then it falls.
        record_every: steps between records.
        evaluate: averaged networks -> named scores, for the record. Its time does not count as training time.
        last_rate: 0 to let the rate fall linearly; above 0 it falls exponentially, to this share of the full rate.

    Raises:
        ValueError, TypeError: for a bad number, at the first record.
        DivergenceError: where a term or a weight is not finite, or exploded.
    """
    check_whole_number("record_every", record_every, at_least=1)
    check_number("hold", hold, at_most=1)
    check_number("last_rate", last_rate, at_most=1)
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
            guard_against_divergence({"largest weight": _largest_weight(state)}, state.step, limit=1e6)
            state.seconds += time.perf_counter() - started
            scores = evaluate(state.averaged) if evaluate else {}
            state.history.append(Record(state.step, state.seconds, values, rates[0], scores))
            yield state.history[-1]
            started, sums, n_summed = time.perf_counter(), {}, 0


def _tensors_of(state: TrainingState) -> dict[str, Tensor]:
    """Every tensor of the state under a name of its own, the random-number states among them."""
    tensors = {f"modules.{name}": tensor for name, tensor in state.modules.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for name, player in state.players.items():
        for index, moments in player.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}.{index}.{key}": value for key, value in moments.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    if torch.backends.mps.is_available():
        tensors["random.mps"] = torch.mps.get_rng_state()
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def save_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Write the state as one safetensors file, whole or not at all; `settings` and the history go into its header."""
    header = {"step": state.step, "seconds": state.seconds, "settings": dict(settings)}
    header["history"] = [asdict(record) for record in state.history]
    with whole_file(path) as partial:
        save_file(_tensors_of(state), partial, metadata={"training": json.dumps(header)})


def load_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Bring a freshly made state to where the checkpoint left off, random numbers included.

    Raises:
        ValueError: where the file is damaged or no checkpoint, or of a run with other settings; it names those.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, TypeError, KeyError, ValueError, OSError) as error:
        raise ValueError(f"{path} does not hold a whole checkpoint ({error}); delete it to start afresh") from error
    _check_same_settings(path, header["settings"], json.loads(json.dumps(dict(settings))))
    state.modules.load_state_dict(_below("modules.", tensors))
    state.average.load_state_dict(_below("average.", tensors))
    for name, player in state.players.items():
        player.load_moments(_below(f"optimizer.{name}.", tensors))
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])
    if "random.mps" in tensors and torch.backends.mps.is_available():
        torch.mps.set_rng_state(tensors["random.mps"])
    state.step, state.seconds = header["step"], header["seconds"]
    state.history = [Record(**record) for record in header["history"]]


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _check_same_settings(path: Path, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    names = sorted({*saved, *wanted})
    different = [f"{n}: {saved.get(n)!r} there, {wanted.get(n)!r} now" for n in names if saved.get(n) != wanted.get(n)]
    if different:
        raise ValueError(f"checkpoint {path} belongs to a run with other settings ({'; '.join(different)})")
