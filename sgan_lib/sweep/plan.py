"""What is to run: the grid, with every setting resolved and checked, and an estimate of its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

from sgan_lib import data
from sgan_lib.experiments import RunResult, Settings
from sgan_lib.runtime import check_whole_number

RESULT, NOTEBOOK = "result.json", "run_experiment.ipynb"  # what a run leaves in its folder
_OF_THE_GRID = ("method", "dataset", "n_labels", "seed", "preset")

# For a first estimate only, before there are results: seconds on one core of the machine that the course was made on.
ROUGH_START = 6.0  # until a kernel has started, imported the library and loaded the data
ROUGH_STEP = {"mlp": 0.03, "mlp_published": 0.03, "mlp_small": 0.02, "mlp_digits": 0.005, "mlp_2d": 0.003,
              "dcgan": 0.05, "upsample": 0.2, "svhn": 3.0, "svhn_small": 0.15, "cnn": 0.02}  # others: 0.1  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One point of the grid: its settings, and which of them were given beside the grid's own."""

    settings: Settings
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the run's folder, such as "digits-sgan-50-seed0-quick-shift=1"."""
        s = self.settings
        extras = [f"{name}={getattr(s, name)}" for name in self.overrides]
        return "-".join([s.dataset, s.method, str(s.n_labels), f"seed{s.seed}", s.preset, *extras])

    def parameters(self, device: str) -> dict[str, Any]:
        """What the notebook `run_experiment` is given."""
        given = {name: getattr(self.settings, name) for name in _OF_THE_GRID}
        overrides = {name: getattr(self.settings, name) for name in self.overrides}
        return given | {"overrides": overrides, "device": device, "result_file": RESULT}


def grid(
    methods: Sequence[str],
    dataset: str,
    n_labels: Sequence[int],
    seeds: Sequence[int],
    preset: str = "quick",
    **overrides: Any,
) -> list[Run]:
    """All combinations, each once; the seeds outermost, so that a sweep that is stopped has whole pairs of runs.

    `overrides` are other fields of `Settings`, the same for the whole grid. A seed is also the split's seed, unless
    `split_seed` is among them.

    Raises ValueError or TypeError for whatever `Settings` refuses, for an override that the grid itself sets, and for
    more labels than the data set has or fewer than it has classes (where it need not be downloaded to know that).
    """
    if taken := [name for name in _OF_THE_GRID if name in overrides]:
        raise ValueError(f"{', '.join(taken)} cannot be set for the whole grid: each has an argument of its own")
    if not (methods and n_labels and seeds):
        raise ValueError(f"methods, n_labels and seeds must each hold one at least; got {methods}, {n_labels}, {seeds}")
    runs = [
        Run(
            Settings.resolve(method, dataset, preset, n_labels=n, seed=seed, **({"split_seed": seed} | overrides)),
            tuple(sorted(overrides)),
        )
        for seed, n, method in product(seeds, n_labels, methods)
    ]
    if dataset in data.OFFLINE:
        for n in {min(n_labels), max(n_labels)}:
            data.load(dataset, n)
    return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Estimate:
    """How long runs may take: seconds with the workers asked for, and for how many of them nothing like it was run."""

    seconds: float
    guessed: int

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.seconds), 60)
        time = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"
        like = (
            f"rough for {self.guessed}, since the folder holds nothing like them" if self.guessed else "from the folder"
        )
        return f"about {time} (an estimate, {like})"


def estimate(runs: Sequence[Run], results: Sequence[RunResult], workers: int) -> Estimate:
    """Estimate the time of `runs`: steps × the median seconds a step of `results` that are alike, and the start-up.

    Alike means the same network, data set and method; where there is none, the same network and data set; failing
    that, a rough cost a step is taken, which may be off by a factor of a few.
    """
    check_whole_number("workers", workers, at_least=1)
    costs: dict[tuple[str, ...], list[float]] = {}
    for result in results:
        for key in _likeness(result.settings):
            costs.setdefault(key, []).append(result.seconds / result.settings.steps)
    known = {key: median(seconds) for key, seconds in costs.items()}
    steps = [_step_cost(run.settings, known) for run in runs]
    total = sum(ROUGH_START + run.settings.steps * cost for run, (cost, _) in zip(runs, steps, strict=True))
    return Estimate(total / max(1, min(workers, len(runs))), sum(guessed for _, guessed in steps))


def _likeness(settings: Settings) -> list[tuple[str, ...]]:
    """Keys under which a run's cost is known, the closest first."""
    return [(settings.network, settings.dataset, settings.method), (settings.network, settings.dataset)]


def _step_cost(settings: Settings, known: Mapping[tuple[str, ...], float]) -> tuple[float, bool]:
    """Seconds a step, and whether they are a guess."""
    for key in _likeness(settings):
        if key in known:
            return known[key], False
    return ROUGH_STEP.get(settings.network, 0.1), True
