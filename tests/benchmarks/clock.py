"""Timing of several ways of doing a step, in turn."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd


class Effort(NamedTuple):
    """How much to measure."""

    rounds: int = 7
    seconds: float = 0.6  # of one contender in one round, and of one method on one network
    least_steps: int = 2
    memory_steps: int = 60
    sweep: tuple[str, ...] = ()  # arguments of the sweep; without any, those of `make sweep`


class Contender(NamedTuple):
    """One way of doing a step: fetch a batch, then do the rest."""

    load: Callable[[], Any]
    compute: Callable[[Any], Any]


def timed(contender: Contender, steps: int) -> tuple[float, float]:
    """Mean seconds a step for loading and for computing."""
    loading = computing = 0.0
    for _ in range(steps):
        start = time.perf_counter()
        batch = contender.load()
        loaded = time.perf_counter()
        contender.compute(batch)
        loading += loaded - start
        computing += time.perf_counter() - loaded
    return loading / steps, computing / steps


def interleaved(contenders: Mapping[str, Contender], effort: Effort) -> pd.DataFrame:
    """Seconds a step, one row per round; columns "<name>", "<name>: loading" and "<name>: computing"."""
    steps = {}
    for name, contender in contenders.items():
        timed(contender, 2)  # the first steps allocate
        steps[name] = max(effort.least_steps, int(effort.seconds / sum(timed(contender, effort.least_steps))))
    rounds = []
    for _ in range(effort.rounds):
        seconds: dict[str, float] = {}
        for name, contender in contenders.items():
            parts = timed(contender, steps[name])
            seconds |= {name: sum(parts), f"{name}: loading": parts[0], f"{name}: computing": parts[1]}
        rounds.append(seconds)
    return pd.DataFrame(rounds)


def each_step(contender: Contender, seconds: float) -> "pd.Series[float]":
    """Seconds of each of several steps, about `seconds` in all; at least one, after one that is not counted."""
    timed(contender, 1)
    steps = [sum(timed(contender, 1))]
    while sum(steps) < seconds:
        steps.append(sum(timed(contender, 1)))
    return pd.Series(steps)
