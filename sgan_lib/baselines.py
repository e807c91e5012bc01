"""Simple baselines: classifiers of scikit-learn on pixels or columns, under names like those of the methods."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from sklearn.svm import SVC
from torch import Tensor

from sgan_lib.data import SemiSupervisedData, as_images

BASELINES: dict[str, Callable[[], Any]] = {  # name -> a fresh classifier
    "linear": lambda: LogisticRegression(max_iter=200),  # on the labelled images alone, as the next
    "rbf_svm": lambda: SVC(C=10.0),
    # Takes its own confident answers for labels (Yarowsky 1995). It is fitted ten times, hence the tolerance.
    "self_training": lambda: SelfTrainingClassifier(LogisticRegression(max_iter=200, tol=1e-3), threshold=0.95),
    # Zhou 2004, "Learning with local and global consistency". Of 3 to 20 neighbours, and alpha of 0.2 to 0.99, the best
    # on the validation images of `digits`, 20 to 100 labels, splits 100 to 102.
    "label_spreading": lambda: LabelSpreading(kernel="knn", n_neighbors=10),
}


def fit_baseline(name: str, data: SemiSupervisedData) -> Any:
    """The baseline of that name, fitted to the labelled images and, where it can use them, to the pool."""
    baseline, images, labels = BASELINES[name](), data.labelled.images, data.labelled.labels
    if isinstance(baseline, (SelfTrainingClassifier, LabelSpreading)):
        images, known = as_images(data.pool), torch.full((len(data.pool),), -1)  # -1: no label
        labels = known.index_copy(0, data.labelled_in_pool.cpu(), labels.cpu())
    if isinstance(baseline, LabelSpreading):
        baseline.n_neighbors = min(baseline.n_neighbors, len(images))
    with warnings.catch_warnings():  # logistic regression may stop after 200 rounds, near enough to its end
        warnings.simplefilter("ignore", ConvergenceWarning)
        return baseline.fit(_rows(images), labels.cpu().numpy())


def predict_baseline(baseline: Any, images: Tensor) -> Tensor:
    """The class of each image [n, ...], int64 [n]; the first for an image whose neighbours no label has reached."""
    with np.errstate(invalid="ignore"):  # spreading divides 0 by 0 there
        predicted = baseline.predict(_rows(images))
    return torch.from_numpy(np.asarray(predicted, dtype=np.int64))


def _rows(images: Tensor) -> np.ndarray:
    return images.flatten(1).cpu().numpy()
