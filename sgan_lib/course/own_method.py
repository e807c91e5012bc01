"""A method that stands in a notebook, trained as `experiments.run` trains those of the library."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from sgan_lib import experiments
from sgan_lib.data import Batch
from sgan_lib.methods import Moves, Nets
from sgan_lib.results import RunResult

Play = Callable[[Nets, Batch], Moves]


def run(
    play: Play,
    dataset: str,
    n_labels: int,
    generator_moves: bool = True,
    method: str = "feature_matching",
    **chosen: Any,
) -> RunResult:
    """Train the networks of `experiments.run(method, dataset, n_labels, device="cpu", **chosen)` by other moves.

    Args:
        play: a function of the networks and a batch that yields what the discriminator minimises and then, with
            `generator_moves`, what the generator does: each time a dictionary from a name to a scalar.
        dataset, n_labels: as for `experiments.run`.
        chosen: preset, network, seed, split_seed and other fields of `Settings`; networks, first weights and batches
            are the same for equal ones, whatever is played.
            The batch's mask is always there: 1 where `labels` may be used, else 0.
        generator_moves: False for a generator that stays as it is, whose move `play` then leaves out.
        method: the one whose networks and settings are taken; "two_head" has a `real_head` too.

    Raises what `experiments.run` raises, and whatever `play` does.
    """
    split = chosen.pop("split_seed", chosen.get("seed", 0))
    settings = experiments.resolve(method, dataset, n_labels=n_labels, split_seed=split, **chosen)
    with experiments.reproducible(settings):
        prepared = experiments.prepare(settings)
        players = dict(list(prepared.state.players.items())[: 1 + generator_moves])
        state = replace(prepared.state, players=players, play=lambda nets, batch: play(nets, _with_mask(batch)))
        prepared = replace(prepared, state=state)
        for _ in experiments.train(prepared):
            pass
        return experiments.finish(prepared)


def _with_mask(batch: Batch) -> Batch:
    mask = torch.ones(len(batch.labels)) if batch.mask is None else batch.mask.float()
    return batch._replace(mask=mask)
