"""Notebook 10: simple baselines, networks and GANs on its folder of images, cross-validated on the 149 labels."""

import json
import tempfile
import time
from collections import namedtuple
from functools import cache
from typing import cast

import tables
import torch
from tables import Row

from sgan_lib import comparison, data, experiments
from sgan_lib.baselines import BASELINES
from sgan_lib.course.exercises import own_data

FOLDS, PRESET, SEED = 5, "quick", 0
Asked = namedtuple("Asked", "method fold preset seed")  # one training, tested on one fifth of the labelled images


def asked() -> list[Asked]:
    """A fold at a time, the simple baselines of all folds first, so that a stop leaves methods on the same folds."""
    simple = [Asked(method, fold, PRESET, SEED) for fold in range(FOLDS) for method in BASELINES]
    networks = [name for name in comparison.METHODS if name not in BASELINES]
    return simple + [Asked(method, fold, PRESET, SEED) for fold in range(FOLDS) for method in networks]


@cache
def photos() -> data.SemiSupervisedData:
    """The notebook's folder, once its copies are gone."""
    with tempfile.TemporaryDirectory() as folder:
        own_data.write_example(folder, copies=False)
        return data.from_folder(folder, test=0)


def measure(run: Asked) -> list[Row]:
    """One row: as `comparison.compare` has it for this method and this fold; seconds are those of the processor."""
    parts = photos()
    fold = list(comparison.folds_of(parts, FOLDS))[run.fold]
    started = time.process_time()
    result = experiments.run(run.method, data=fold, preset=run.preset, seed=run.seed, device="cpu")
    seconds = time.process_time() - started
    error, confusion = cast(float, result.test_error), result.confusion_matrix or []  # every method here classifies
    return [{"network": result.settings.network, "steps": result.settings.steps, "error": round(error, 6),
             "macro_f1": round(comparison.macro_f1(confusion), 6), "seconds": round(seconds, 1),
             "images": parts.digest(),
             "confusion_matrix": json.dumps(confusion), "torch": torch.__version__}]  # fmt: skip


FIGURES: tables.Figures = {
    "own_data": tables.Table(
        asked, "method fold preset seed network steps error macro_f1 seconds images confusion_matrix torch", measure
    ),
}

if __name__ == "__main__":
    tables.main(__doc__, FIGURES)
