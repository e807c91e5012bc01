"""What is to run: the grid, with every setting resolved and checked, and an estimate of its time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from sgan_lib import data
from sgan_lib.experiments import Settings, resolve
from sgan_lib.networks import NETWORKS
from sgan_lib.runtime import check_whole_number, short_name

RESULT, NOTEBOOK = "result.json", "run_experiment.ipynb"  # what a run leaves in its folder
START_SECONDS = 6.0  # roughly, until a kernel has started, imported the library and loaded the data


@dataclass(frozen=True)
class Run:
    """One point of the grid: its settings, and which of them were given beside the grid's own."""

    settings: Settings
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the run's folder, such as "digits-sgan-50-seed0-quick-shift=1". A folder of images has a hash."""
        s = self.settings
        extras = [f"{name}={getattr(s, name)}" for name in self.overrides]
        of_path = "" if s.dataset in data.DATASETS else "-" + sha256(s.dataset.encode()).hexdigest()[:6]
        parts = Path(s.dataset).name + of_path, s.method, s.n_labels, f"seed{s.seed}", s.preset, *extras
        return short_name("-".join(map(str, parts)))

    def parameters(self, device: str) -> dict[str, Any]:
        """The parameters of the notebook `run_experiment`."""
        s, overrides = self.settings, {name: getattr(self.settings, name) for name in self.overrides}
        return {"method": s.method, "dataset": s.dataset, "n_labels": s.n_labels, "seed": s.seed, "preset": s.preset,
                "overrides": overrides, "device": device, "result_file": RESULT}  # fmt: skip


def grid(
    methods: Sequence[str], dataset: str, n_labels: Sequence[int], seeds: Sequence[int], /, preset: str = "quick",
    **more: Any,
) -> list[Run]:  # fmt: skip
    """All combinations, each once; the seeds outermost, so that a sweep that is stopped has whole pairs of runs.

    `dataset` may be a folder of images. `more` are other settings, the same for all runs. A seed is also the split's,
    unless `split_seed` is among them. Raises ValueError or TypeError for whatever `Settings` refuses, for a setting
    that the grid varies, and for too many labels or too few (where nothing need be downloaded to know that).
    """
    if not (methods and n_labels and seeds):
        raise ValueError(f"methods, n_labels and seeds must each hold at least one; got {methods}, {n_labels}, {seeds}")
    if taken := {"method", "dataset", "n_labels", "seed"} & {*more}:
        raise ValueError(f"{', '.join(sorted(taken))} cannot be set for the whole grid: there is an argument for it")
    own, runs = None if dataset in data.DATASETS else data.load(dataset, None), []
    for seed, n, method in product(seeds, n_labels, methods):
        settings = resolve(method, dataset, preset, data=own, n_labels=n, seed=seed, **({"split_seed": seed} | more))
        runs.append(Run(settings, tuple(sorted(more))))
    if own or dataset in data.OFFLINE:
        known = own.labelled.labels if own else data.read(dataset).train.labels
        for n in n_labels:
            check_whole_number("n_labels", n, len(known.unique()), len(known))
    return list(dict.fromkeys(runs))


def estimate(runs: Sequence[Run], table: pd.DataFrame, workers: int) -> str:
    """How long `runs` may take, in words, by runs of the same network and data set in `table`, else by its row."""
    per_step = table["seconds"].astype(float) / table["steps"].astype(float)
    known = per_step.groupby([table["network"], table["dataset"]]).median().dropna()
    seconds, rough = START_SECONDS * len(runs), 0
    for settings in (run.settings for run in runs if run.settings.network in NETWORKS):  # baselines take no time
        cost = known.get((settings.network, settings.dataset))
        seconds += settings.steps * (cost or NETWORKS[settings.network].step_seconds)
        rough += cost is None
    time = timedelta(seconds=round(seconds / min(workers, len(runs))))
    source = f"rough for {rough}, since the folder holds nothing like them" if rough else "from the folder"
    return f"about {time} h with {workers} worker{'s' if workers > 1 else ''} (an estimate, {source})"
