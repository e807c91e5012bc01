"""Where data come from: known sets by name, and arrays, a torch Dataset or a folder of images of the reader's own."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor

from sgan_lib.data.files import image_table, read_images
from sgan_lib.data.preparation import Preparation, Range, sides_of, to_array
from sgan_lib.data.sets import DATASETS, Labelled, RawSet, shared
from sgan_lib.data.splits import SemiSupervisedData, split_of
from sgan_lib.runtime import check_choice, check_number, check_path

_CODED = ("P", "CMYK", "YCbCr", "LAB", "HSV")  # Pillow's modes whose numbers are no brightness


def load(
    dataset: str | Path = "mnist", n_labels: int | None = 100, split_seed: int = 0, validation: int | None = None,
    image_size: int | None = None, draw: str = "balanced",
) -> SemiSupervisedData:  # fmt: skip
    """Read a data set and hide all but `n_labels` of its training labels.

    - dataset: one of DATASETS, or a folder of images, for which see `from_folder`.
    - n_labels: at least one a class; balanced to within one a class as long as none runs out of images, and nested:
      with one split seed, the 50 are among the 100, unless `validation` grows into a small class. None: all labels.
    - split_seed: which images are labelled; independent of any training seed.
    - validation: size of the validation part, at most `n_labels`. None takes as many as there are labels, but at most
      1,000, at most a tenth of the training images, and no more than the labels leave over.
    - image_size: side of the square images, 4 to 128. None keeps them as they are; a slightly larger size pads grey
      images of a named set with -1 (28 to 32 is exact that way), any other cuts and resizes as in `from_arrays`.
    - draw: "balanced", or "as_they_come": drawn without a look at classes, which may miss some.

    Raises TypeError or ValueError for bad arguments, DataError for data that are damaged or cannot be had.
    """
    if isinstance(dataset, (str, Path)) and dataset not in DATASETS and check_path("dataset", dataset).is_dir():
        return from_folder(dataset, image_size=image_size, n_labels=n_labels, split_seed=split_seed,
                           validation=validation, draw=draw)  # fmt: skip
    name = check_choice("dataset", dataset, DATASETS, "a folder of images")
    return split_of(shared(name), name, n_labels, split_seed, validation, image_size, draw)


def from_arrays(
    X: Any, y: Any, test: Any = 0.2, image_size: Any = None, value_range: Range | None = None,
    classes: Sequence[Any] | None = None, name: str = "arrays", notes: Sequence[str] = (), **split: Any,
) -> SemiSupervisedData:  # fmt: skip
    """Images or a table with few labels, ready for `experiments.run(data=...)`.

    Args:
        X: images [n, height, width], with 1 to 4 channels first or last, or columns [n, d], which get mean 0 and
            deviation 1 over the training part. Bytes in [0, 255], or numbers in [0, 1] or [-1, 1].
        y: one label a row, numbers or texts; -1, None or NaN where there is none.
        test: (X, y) to test on, or the share of the labelled rows of each class to set aside for that; 0: no test.
        image_size: side, or (height, width), 4 to 128, to cut and resize images to; None: as they are.
        value_range: what the numbers of X run over, such as (0, 16), where it is none of the above.
        classes: all labels there are, in order, if more than y has; by default the sorted labels of y.
        name: of the data set, for results; none of DATASETS. notes: what `describe` should say beside.
        split: n_labels, split_seed, validation and draw, as in `load`; n_labels=None: all labels that there are.

    Raises ValueError or TypeError, which name the argument, the value and what is allowed. Warns of a class none of
    whose images is labelled, and of a single class.
    """
    if name in DATASETS:  # whose networks it would get
        raise ValueError(f"name must be none of {', '.join(DATASETS)}; got {name!r}")
    raw, prepared = raw_set(X, y, test, image_size, value_range, classes)
    if prepared.value_range is not None:
        notes = [*notes, "values in [{:g}, {:g}] brought to [-1, 1]".format(*prepared.value_range)]
    return split_of(raw, name, preparation=prepared, notes=notes, **{"n_labels": None, "validation": 0} | split)


def from_dataset(dataset: Any, name: str | None = None, **arguments: Any) -> SemiSupervisedData:
    """A torch Dataset of (image, label), all read into memory; other arguments as in `from_arrays`.

    Images are PIL's, arrays or tensors, of one size; -1 or None is no label. The dataset's `classes` name its labels.
    """
    rows = [dataset[index] for index in range(len(dataset))] if hasattr(dataset, "__len__") else []
    if not rows or any(not isinstance(row, (tuple, list)) or len(row) != 2 for row in rows):
        raise ValueError(f"dataset must hold pairs of image and label; got {rows[0] if rows else 'nothing'!r}"[:200])
    names = getattr(dataset, "classes", None)
    labels = [label.item() if isinstance(label, (Tensor, np.generic, np.ndarray)) else label for _, label in rows]
    if names:  # by which the labels are numbers from 0 on
        if odd := [label for label in labels if label not in (None, -1, *range(len(names)))]:
            raise ValueError(f"dataset must have labels from 0 to {len(names) - 1}, -1 or None; got {odd[0]!r}")
        labels = [None if label in (None, -1) else names[int(label)] for label in labels]
    images = [np.asarray(image.convert("RGB") if getattr(image, "mode", "") in _CODED else image) for image, _ in rows]
    return from_arrays(images, labels, classes=names, name=name or type(dataset).__name__, **arguments)


def from_folder(
    folder: str | Path, unlabelled: str = "unlabelled", labels: str | Path | None = None, test: Any = None,
    image_size: Any = None, on_error: str = "skip", **split: Any,
) -> SemiSupervisedData:  # fmt: skip
    """A folder of images, one subfolder for each class and one, or the folder itself, for images without a label.

    Args:
        folder: any format that Pillow reads, of any size, grey or in colour. Hidden files and others are passed over.
        unlabelled: the subfolder of images without a label, as "unlabeled" is.
        labels: a CSV file with columns file (relative to the folder) and label instead of subfolders.
        on_error: "skip" files that cannot be read, with a warning, or "raise" a DataError at the first.
        test: as in `from_arrays`, by default 0.2; None or 0 where a subfolder "test" holds the images to test on.
        image_size, split, and what is raised: as in `from_arrays`. By default a common size up to 128 stays, else 32.
    """
    check_choice("on_error", on_error, ("skip", "raise"))
    table = image_table(folder := check_path("folder", folder), unlabelled, labels)
    sides = None if image_size is None else sides_of(image_size)
    images, readable, notes = read_images(table["path"].tolist(), sides, None, on_error)
    table, of_test = table[readable], table["test"][readable].to_numpy(bool)
    known = of_test & table["label"].notna().to_numpy()
    if nameless := int(of_test.sum() - known.sum()):
        notes.append(f"{nameless} images in test without a label passed over")
    if known.any():
        if not (test is None or (np.isscalar(test) and test == 0)):
            raise ValueError(f"test must be None or 0 where the folder has a subfolder test; got {test!r:.80}")
        test = images[known], table["label"][known]
    return from_arrays(
        images[~of_test], table["label"][~of_test], 0.2 if test is None else test, classes=table.attrs["classes"],
        name=str(folder.resolve()), notes=[*table.attrs["notes"], *notes], **split,
    )  # fmt: skip


def raw_set(X: Any, y: Any, test: Any, image_size: Any, value_range: Any, classes: Any) -> tuple[RawSet, Preparation]:
    """A whole data set from arrays, prepared for training; arguments and errors as in `from_arrays`."""
    X, y = to_array(X, "X"), labels_of(y, "y")
    if len(y) != len(X):
        raise ValueError(f"y must hold a label for each of the {len(X)} rows of X; got {len(y)}")
    named = pd.Series(classes_of(y)) if classes is None else labels_of(classes, "classes")
    if named.isna().any() or named.duplicated().any():
        raise ValueError(f"classes must hold each label once, and neither -1 nor None; got {classes}")
    classes = np.array(named.tolist())
    k = encode(y, classes, "y")
    if pair := isinstance(test, (tuple, list)):
        if len(test) != 2:
            raise ValueError(f"test must be a pair (X, y), or a share; got {len(test)} of them")
        train, test_X = (X, k), to_array(test[0], "test")
        test_k = encode(labels_of(test[1], "test"), classes, "test")
        if (test_k < 0).any() or len(test_X) != len(test_k):
            raise ValueError(f"test must hold a label for each of its {len(test_X)} rows; got {(test_k >= 0).sum()}")
    else:
        held_out = _stratified(k, check_number("test", test, at_most=0.9))
        train, test_X, test_k = (X[~held_out], k[~held_out]), X[held_out], k[held_out]
    if len(train[0]) < 2:
        raise ValueError(f"X must hold at least 2 rows to train on; got n_samples={len(train[0])}")
    prepared = Preparation.of(train[0], image_size, value_range)
    images = prepared(train[0])
    test_images = prepared(test_X, "test" if pair else "X", single=False) if len(test_k) else images[:0]
    parts = Labelled(images, torch.from_numpy(train[1])), Labelled(test_images, torch.from_numpy(test_k))
    return RawSet(*parts, tuple(map(str, classes))), prepared


def classes_of(y: Any) -> np.ndarray:
    """The different labels of y, sorted."""
    return np.unique(np.array(labels_of(y, "y").dropna().tolist()))


def labels_of(y: Any, name: str) -> pd.Series:
    """One label a row, numbers or texts; None where there is none. ValueError or TypeError name the argument."""
    y = y.cpu().numpy() if isinstance(y, Tensor) else y if isinstance(y, (list, tuple, pd.Series)) else np.asarray(y)
    if np.ndim(y) != 1:
        raise ValueError(f"{name} must hold one label a row; got shape {list(np.shape(y))}")
    given = pd.Series(list(y), dtype=object)
    given = given.mask(given.isin([-1, "-1"]))
    if given.isna().all():
        raise ValueError(f"{name} must hold at least one label; all {len(given)} are -1, None or NaN")
    if len({isinstance(label, str) for label in given.dropna()}) > 1:
        raise ValueError(f"{name} must hold numbers or texts, not both; got {given.dropna().unique()[:12].tolist()}")
    with warnings.catch_warnings():  # few labels of many classes are no sign of a regression here
        warnings.simplefilter("ignore", UserWarning)
        check_classification_targets(np.array(given.dropna().tolist()))
    return given


def encode(y: pd.Series, classes: np.ndarray, name: str) -> np.ndarray:
    """The position of each label among the classes, int64; -1 where there is none."""
    known = y.dropna()
    if unknown := set(known) - set(classes.tolist()):
        few = ", ".join(map(str, classes[:12]))
        raise ValueError(f"{name} must hold labels among {few}; got {min(map(str, unknown))!r}")
    return pd.Categorical(y, categories=classes.tolist()).codes.astype(np.int64)


def _stratified(k: np.ndarray, share: float) -> np.ndarray:
    """Which rows to test on: this share of each class, to within one, always the same; no class loses its last one."""
    chosen, random = np.zeros(len(k), dtype=bool), np.random.RandomState([0, 9])
    for index in np.unique(k[k >= 0]):
        rows = random.permutation(np.flatnonzero(k == index))
        chosen[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return chosen
