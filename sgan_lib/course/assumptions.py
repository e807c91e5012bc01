"""Digits on which an assumption of semi-supervised learning does not hold, and a run on them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sgan_lib import data, experiments


def digits_with(split: int, counts: Sequence[int], pool_classes: int = 10, wrong: int = 0) -> data.SemiSupervisedData:
    """Digits with chosen labels and pool; the test images are those of the classes that have labels.

    Args:
        split: seed of all choices.
        counts: how many labels each class has; of fewer than ten, the task has only the first classes.
        pool_classes: the pool has images of so many first classes.
        wrong: so many of the labels are changed to another class.
    """
    images, labels = data.read("digits").train
    random = np.random.RandomState(split)
    order = torch.from_numpy(random.permutation(len(labels)))
    labelled = torch.cat([order[labels[order] == k][:count] for k, count in enumerate(counts)])
    told = labels[labelled].clone()
    changed = torch.from_numpy(random.permutation(len(told))[:wrong])
    told[changed] = (told[changed] + torch.from_numpy(random.randint(1, len(counts), wrong))) % len(counts)
    pool = order[labels[order] < pool_classes]
    whole = data.load("digits", 50, split_seed=split, validation=0)
    test = whole.test.labels < len(counts)
    return replace(
        whole,
        labelled=data.Labelled(images[labelled], told),
        pool=images[pool],
        labelled_in_pool=(labelled[:, None] == pool).int().argmax(dim=1),
        test=data.Labelled(whole.test.images[test], whole.test.labels[test]),
        class_names=whole.class_names[: len(counts)],
    )


def error_on(parts: data.SemiSupervisedData, method: str, seed: int, **budget: Any) -> float:
    """The test error in percent of one run on these parts; `budget`: its preset, and its steps where they differ."""
    error = experiments.run(method, data=parts, seed=seed, device="cpu", **budget).test_error
    return float("nan") if error is None else 100 * error
