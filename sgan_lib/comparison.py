"""Which method is best on data of one's own? Cross-validation on the labelled images, simple baselines first."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from sgan_lib import experiments
from sgan_lib.baselines import BASELINES
from sgan_lib.data import Labelled, SemiSupervisedData
from sgan_lib.features import with_features
from sgan_lib.runtime import check_choice, check_whole_number

METHODS = (*BASELINES, "supervised", "consistency", "sgan", "feature_matching")


def compare(
    data: SemiSupervisedData, methods: Sequence[str] | None = None, folds: int = 5, features: str | Path | None = None,
    **arguments: Any,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """One row per method and fold, as each is there: method, fold, error, macro_f1 (both in [0, 1]), seconds.

    The labelled images are divided into folds with equal shares of each class. Each fold is tested on once, by networks
    that have never seen its images, not even without labels; columns were scaled with it. `data`'s test set stays shut.

    Args:
        methods: of `METHODS` and of `experiments.METHODS`; by default those of `METHODS` that the data can take.
        features: weights of one of torchvision's networks in a file named after it, such as "resnet18.pth": the
            baselines are measured on its features too.
        arguments: of `experiments.run`: preset, seed, device, progress and, unless all are baselines, settings.

    Raises ValueError for no method, fewer than two classes with two labels, fewer labels in each class than folds, and
    whatever `experiments.run` refuses, before anything is trained.
    """
    folds, rows = check_whole_number("folds", folds, at_least=2), experiments.METHODS
    if taken := {"dataset", "n_labels", "split_seed", "checkpoint", "start", "observe", "record_every"} & {*arguments}:
        raise ValueError(f"{', '.join(sorted(taken))} cannot be set for a whole comparison")
    plain: dict[str, Any] = {name: arguments[name] for name in {"preset", "seed", "device", "progress"} & {*arguments}}
    settings = {name: value for name, value in arguments.items() if name not in ("device", "progress")}
    drawn = len(data.image_shape) == 3 and data.image_shape[0] in (1, 3)  # what strong augmentation takes
    able = [name for name in METHODS if drawn or name in BASELINES or not rows[name].strong_view]
    for method in (methods := [*dict.fromkeys(able if methods is None else methods)]):
        check_choice("methods", method, [*BASELINES, *(name for name, row in rows.items() if row.classifies)])
        if method not in BASELINES:
            settled = experiments.resolve(method, data.name, data=data, **settings)
            with experiments.reproducible(settled):
                experiments.prepare(settled, data, network=arguments.get("network"))
    if not methods:
        raise ValueError("methods must hold at least one; got none")
    if {*methods} <= {*BASELINES} and (unused := {*arguments} - {*plain}):
        raise ValueError(f"{', '.join(sorted(unused))} must be left out for {methods}, which train no network")
    if features and not {*methods} & {*BASELINES}:
        raise ValueError(f"methods must include one of {', '.join(BASELINES)} where features are given; got {methods}")
    counts = data.labelled.labels.bincount(minlength=1)
    if counts.max() < folds or (counts > 1).sum() < 2:
        allowed = f"two labels of each of two classes, and {folds} of one"
        raise ValueError(f"data must hold {allowed}; got {dict(zip(data.class_names, counts.tolist(), strict=False))}")
    described = {"": data} | ({f" on {Path(features).stem}": with_features(data, features)} if features else {})
    for fold, parts in enumerate(zip(*(folds_of(each, folds) for each in described.values()), strict=True)):
        for suffix, part in zip(described, parts, strict=True):
            for method in (name for name in methods if not suffix or name in BASELINES):
                result = experiments.run(method, data=part, **(plain if method in BASELINES else arguments))
                yield {"method": method + suffix, "fold": fold, "error": result.test_error,
                       "macro_f1": macro_f1(result.confusion_matrix or []), "seconds": result.seconds}  # fmt: skip


def folds_of(data: SemiSupervisedData, folds: int = 5) -> Iterator[SemiSupervisedData]:
    """The folds of `compare`, one by one: the same data, of which one fold is the test set and nothing else."""
    labels = data.labelled.labels
    for _, rows in StratifiedKFold(folds, shuffle=True, random_state=0).split(labels, labels):
        yield without(data, torch.from_numpy(rows))


def without(data: SemiSupervisedData, rows: torch.Tensor) -> SemiSupervisedData:
    """The same data, whose labelled images in these rows are the test set and nothing else."""
    labelled, in_pool = (torch.ones(len(part), dtype=torch.bool) for part in (data.labelled.labels, data.pool))
    labelled[rows], in_pool[data.labelled_in_pool[rows]] = False, False
    places = in_pool.cumsum(0)[data.labelled_in_pool[labelled]] - 1
    kept, test = (Labelled(*(part[chosen] for part in data.labelled)) for chosen in (labelled, rows))
    return replace(data, labelled=kept, pool=data.pool[in_pool], labelled_in_pool=places, test=test)


def macro_f1(confusion: Sequence[Sequence[int]]) -> float:
    """The mean over classes of the harmonic mean of precision and recall; classes that never occur do not count."""
    counts = np.asarray(confusion, dtype=float)
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return float(np.mean(2 * counts.diagonal()[both > 0] / both[both > 0]))


def summarise(table: pd.DataFrame, folds: int | None = None) -> pd.DataFrame:
    """One row per method, in percent: mean error and macro-F1 over the folds with 95 % intervals, and seconds a fold.

    `gain` is the error of the simple baseline with the least mean minus that of the method, on the same folds. An
    interval of it that covers 0 leaves it undecided. Intervals are of Student's t; folds share training images, so
    the variance of a mean over k of them counts 1/k + 1/(folds − 1) times (Nadeau & Bengio 2003, Machine Learning 52,
    eq. 9), where `folds` is how many were planned: by default as many as the table has.
    """
    errors, f1 = (100 * table.pivot(index="fold", columns="method", values=name) for name in ("error", "macro_f1"))
    simple = [name for name in errors if str(name).split(" on ")[0] in BASELINES]
    gains = -errors.sub(errors[errors[simple].mean().idxmin()] if simple else np.nan, axis=0)
    columns, planned = dict[str, pd.Series](), max(2, folds or table["fold"].nunique())
    for name, values, least in (("error", errors, 0), ("macro_f1", f1, 0), ("gain", gains, -100)):
        k = values.count()  # of a comparison that was stopped, not all methods have all folds
        half = stats.t.ppf(0.975, k - 1) * values.std() * np.sqrt(1 / k + 1 / (planned - 1))
        low, high = (values.mean() - half).clip(least, 100), (values.mean() + half).clip(least, 100)
        columns |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    columns["seconds"] = table.groupby("method")["seconds"].mean()
    return pd.DataFrame(columns).loc[table["method"].unique()]
