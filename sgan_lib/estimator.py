"""scikit-learn's interface: fit on images or a table with few labels, predict, keep in a file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data
from torch import Tensor

from sgan_lib import data, evaluation, experiments
from sgan_lib.data import Labelled, SemiSupervisedData
from sgan_lib.methods import METHODS
from sgan_lib.results import RunResult
from sgan_lib.runtime import check_choice, check_flag, check_whole_number
from sgan_lib.settings import LARGEST_SEED


class SemiSupervisedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier of images, or of columns, that learns from a few labels and many images without.

    Args:
        method, network, preset, device, progress, checkpoint: as in `experiments.run`; network="auto": by the data.
        settings: any other field of `Settings`, such as {"steps": 500}.
        class_weight: None, or "balanced": labels of the rarer classes are repeated until all have as many.
        image_size, value_range: as in `data.from_arrays`.
        warm_start: train the networks of the last `fit`, or of `load`, for longer, instead of new ones.
        random_state: seed of weights, batches and noise, from 0 to 2**32 - 1; None: a new one at each `fit`.

    Fitted, it has `classes_`, `n_features_in_` and `result_`, the run's, with the training's `history_table()`.
    """

    def __init__(
        self, method: str = "sgan", network: Any = "auto", preset: str = "standard", settings: Any = None,
        class_weight: str | None = None, image_size: Any = None, value_range: Any = None, warm_start: bool = False,
        random_state: int | None = 0, device: str = "auto", progress: bool = False, checkpoint: Any = None,
    ) -> None:  # fmt: skip
        self.method, self.network, self.preset, self.settings = method, network, preset, settings
        self.class_weight, self.image_size, self.value_range = class_weight, image_size, value_range
        self.warm_start, self.random_state, self.device, self.progress = warm_start, random_state, device, progress
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any = None) -> "SemiSupervisedClassifier":
        """Train on X, images or columns, with labels y: numbers or texts, and -1, None or NaN where there is none.

        X may be `SemiSupervisedData`, without y: its class names are then the classes. Errors as in `from_arrays`.
        """
        check_choice("method", self.method, [name for name, method in METHODS.items() if method.classifies])
        parts, classes = self._read(X, y)
        own = self.settings or {}
        taken = {*self.get_params(), "seed", "data", "dataset", "start", "observe", "record_every"}
        if not isinstance(own, Mapping) or taken & {*own}:
            raise ValueError(f"settings must be a dictionary of `Settings`' fields that are no parameters; got {own!r}")
        if self.class_weight is not None:
            check_choice("class_weight", self.class_weight, ("balanced",), "None")
            if own.get("label_mask"):
                raise ValueError("class_weight must be None where label_mask is True, which draws from the pool")
            parts = _balanced(parts)
        warm = check_flag("warm_start", self.warm_start) and hasattr(self, "result_")
        if warm and not np.array_equal(classes, getattr(self, "classes_", ())):
            raise ValueError(f"y must have the classes of the last fit where warm_start is True; got {classes}")
        network = None if isinstance(self.network, str) and self.network == "auto" else self.network
        if self.random_state is None and self.checkpoint is not None:
            raise ValueError("random_state must be a number where there is a checkpoint, or no run could go on from it")
        drawn = np.random.default_rng().integers(2**31) if self.random_state is None else self.random_state
        seed = check_whole_number("random_state", drawn, at_least=0, at_most=LARGEST_SEED)
        self.result_: Any = experiments.run(
            self.method, seed=seed, preset=self.preset, device=self.device, progress=self.progress, network=network,
            data=parts, start=self.result_.modules if warm else None, checkpoint=self.checkpoint, **own,
        )  # fmt: skip
        validate_data(self, X.pool if isinstance(X, SemiSupervisedData) else X, skip_check_array=True)  # keeps names
        self.classes_, self.n_features_in_ = classes, int(np.prod(parts.image_shape))
        return self

    def _read(self, X: Any, y: Any) -> tuple[SemiSupervisedData, np.ndarray]:
        if isinstance(X, SemiSupervisedData):
            for name, value in {"y": y, "image_size": self.image_size, "value_range": self.value_range}.items():
                if value is not None:
                    raise ValueError(f"{name} must be None where X is SemiSupervisedData; got {value!r}")
            return X, np.array(X.class_names)
        if y is None:
            raise ValueError("fit requires y to be passed, but the target y is None")
        X, y = validate_data(SemiSupervisedClassifier(), X, allow_nd=True), column_or_1d(y, warn=True)  # self stays
        parts = data.from_arrays(X, y, 0, self.image_size, self.value_range, name=type(self).__name__)
        return parts, data.classes_of(y)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, [n, K], in the order of `classes_`.

        X: images as in training or in other sizes, one image, a file, a list of files, a folder of images, or columns.
        Floats are in the training images' range: [0, 1] where those were given as bytes, [-1, 1] for `data.load`'s.
        """
        return self._logits(X).double().softmax(dim=1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each image, [n]; X as in `predict_proba`."""
        best = self._logits(X).argmax(dim=1).numpy()
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of right answers, in [0, 1], among the rows that have a label. ValueError for unequal lengths."""
        truth, predicted = data.labels_of(y, "y"), self.predict(X)
        check_consistent_length(predicted, truth, sample_weight)
        known = truth.notna().to_numpy()
        weights = None if sample_weight is None else np.asarray(sample_weight)[known]
        return float(accuracy_score(truth[known].tolist(), predicted[known], sample_weight=weights))

    def _logits(self, X: Any) -> Tensor:
        check_is_fitted(self)
        prepared = self.result_.preparation
        if isinstance(X, (str, Path)) or (isinstance(X, list) and all(isinstance(each, (str, Path)) for each in X)):
            X = data.read_new(X, prepared)
        elif len(prepared.shape) == 1:
            X = validate_data(self, X, reset=False)
        return evaluation.class_logits(self.result_.modules["discriminator"], data.as_images(prepared(X)))

    def save(self, path: str | Path) -> None:
        """Write one file with networks, classes, scaling, settings and versions; see `RunResult.save`."""
        check_is_fitted(self)
        parameters = {name: value for name, value in self.get_params().items() if name not in ("network", "checkpoint")}
        columns = [*getattr(self, "feature_names_in_", ())]
        notes = {"classes": self.classes_.tolist(), "parameters": parameters, "columns": columns}
        replace(self.result_, notes=notes).save(path)

    @classmethod
    def load(cls, path: str | Path, network: Any = None) -> "SemiSupervisedClassifier":
        """Read what `save` wrote; arguments and errors as in `RunResult.load`."""
        result: Any = RunResult.load(path, network)
        if not METHODS[method := result.settings.method].classifies:
            raise ValueError(f"path must be of a method that classifies; {path} is of {method!r}")
        classifier: Any = cls(**result.notes.get("parameters", {"method": method}))
        classifier.network = network or result.settings.network
        classifier.result_, classifier.classes_ = result, np.array(result.notes.get("classes", result.class_names))
        classifier.n_features_in_ = int(np.prod(result.preparation.shape))
        if columns := result.notes.get("columns"):
            classifier.feature_names_in_ = np.array(columns, dtype=object)
        return classifier


def _balanced(parts: SemiSupervisedData) -> SemiSupervisedData:
    """The same data, but the labelled images of each class repeated until there are as many as of the largest."""
    labels = parts.labelled.labels
    of_class = [torch.nonzero(labels == k).flatten().numpy() for k in labels.unique()]
    rows = torch.from_numpy(np.concatenate([np.resize(each, max(map(len, of_class))) for each in of_class]))
    labelled = Labelled(parts.labelled.images[rows], labels[rows])
    return replace(parts, labelled=labelled, labelled_in_pool=parts.labelled_in_pool[rows])
