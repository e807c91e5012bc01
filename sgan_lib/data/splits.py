"""A data set as semi-supervised learning sees it: a few labels, and a large pool without."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sgan_lib.data.sets import DATASETS, Labelled, cache_folder, shared
from sgan_lib.runtime import check_choice, check_whole_number
from sgan_lib.settings import LARGEST_SEED


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedData:
    """What training and evaluation see. Images are float32 in [-1, 1], [n, channels, height, width] or [n, 2]."""

    name: str
    split_seed: int
    labelled: Labelled
    pool: Tensor  # training images not for validation, the labelled too (as Salimans 2016), shuffled; bytes or floats
    labelled_in_pool: Tensor  # where in the pool the labelled images lie, in their order
    validation: Labelled
    test: Labelled  # for one reading at the end
    class_names: tuple[str, ...]

    @property
    def unlabelled(self) -> Tensor:
        """The images of the pool; computed at each call."""
        return as_images(self.pool)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width), or (2,) for points."""
        return tuple(self.pool.shape[1:])

    def to(self, device: torch.device | str) -> "SemiSupervisedData":
        """The same data with every tensor on `device`."""
        parts = {"labelled": self.labelled, "validation": self.validation, "test": self.test}
        moved: Any = {name: Labelled(*(tensor.to(device) for tensor in part)) for name, part in parts.items()}
        return replace(self, pool=self.pool.to(device), labelled_in_pool=self.labelled_in_pool.to(device), **moved)

    def describe(self) -> str:
        """Sizes of the parts, shape and range of the images, and how many labelled images each class has."""
        shape = "×".join(map(str, self.image_shape))
        low, high = (as_images(end).item() for end in self.pool.aminmax())
        counts = torch.bincount(self.labelled.labels, minlength=self.n_classes).tolist()
        width, longest = max(map(len, self.class_names)), max(counts)
        return "\n".join([
            f"{self.name}: values of shape {shape} in [{low:.2g}, {high:.2g}], split seed {self.split_seed}",
            f"  labelled   {len(self.labelled.labels):6,d}",
            f"  unlabelled {len(self.pool):6,d}  (the labelled images are among them, without their labels)",
            f"  validation {len(self.validation.labels):6,d}",
            f"  test       {len(self.test.labels):6,d}",
            "labelled images a class",
            *(f"  {name:>{width}} {count:6,d}  {'█' * round(20 * count / longest)}"
              for name, count in zip(self.class_names, counts, strict=True)),
        ])  # fmt: skip

    __repr__ = describe


class Split(NamedTuple):
    """Positions in the training set, each int64 [n]."""

    labelled: Tensor
    validation: Tensor
    unlabelled: Tensor


def load(
    name: str = "mnist",
    n_labels: int = 100,
    split_seed: int = 0,
    validation: int | None = None,
    image_size: int | None = None,
) -> SemiSupervisedData:
    """Read a data set and hide all but `n_labels` of its training labels.

    - n_labels: at least one a class; balanced to within one a class as long as none runs out of images, and nested:
      with one split seed, the 50 are among the 100.
    - split_seed: which images are labelled; independent of any training seed.
    - validation: size of the validation part, at most `n_labels`. None takes as many as there are labels, but at most
      1,000, at most a tenth of the training images, and no more than the labels leave over.
    - image_size: side of the square images, 4 to 64. None keeps them as they are; a slightly larger size pads grey
      images with -1 (28 to 32 is exact that way), any other resizes bilinearly with antialiasing.

    Raises TypeError or ValueError for bad arguments, DataError for data that are damaged or cannot be had.
    """
    check_choice("name", name, DATASETS)
    split_seed = check_whole_number("split_seed", split_seed, at_least=0, at_most=LARGEST_SEED)
    (images, labels), test, class_names = shared(name, cache_folder())
    n_labels = check_whole_number("n_labels", n_labels, len(class_names), len(labels))
    if validation is None:
        validation = min(n_labels, 1000, len(labels) // 10, len(labels) - n_labels)
    validation = check_whole_number("validation", validation, 0, min(n_labels, len(labels) - n_labels))
    split = split_indices(labels, n_labels, validation, split_seed)

    def pick(rows: Tensor) -> Tensor:  # copies, so that no tensor shares memory with the whole set
        return _resized(images.index_select(0, rows), image_size)

    labelled, held_out = (Labelled(as_images(pick(rows)), labels[rows]) for rows in split[:2])
    in_pool = torch.empty_like(labels).index_copy_(0, split.unlabelled, torch.arange(len(split.unlabelled)))
    test = Labelled(as_images(_resized(test.images.clone(), image_size)), test.labels.clone())
    return SemiSupervisedData(
        name, split_seed, labelled, pick(split.unlabelled), in_pool[split.labelled], held_out, test, class_names
    )


def as_images(stored: Tensor) -> Tensor:
    """Images in [-1, 1], float32, from bytes in [0, 255]; floats are images already."""
    return stored.float().div_(127.5).sub_(1) if stored.dtype == torch.uint8 else stored


def _resized(images: Tensor, size: int | None) -> Tensor:
    """Bytes or floats in the wanted size: bytes stay bytes where padding is enough."""
    if size is None:
        return images
    if images.ndim != 4:
        raise ValueError(f"image_size must be None for a set of points; got {size!r}")
    margin = check_whole_number("image_size", size, at_least=4, at_most=64) - images.shape[-1]
    if images.shape[1] == 1 and 0 < margin <= images.shape[-1] // 4:
        black = 0 if images.dtype == torch.uint8 else -1.0
        return F.pad(images, (margin // 2, margin - margin // 2) * 2, value=black)
    return F.interpolate(as_images(images), (size, size), mode="bilinear", antialias=True) if margin else images


def split_indices(labels: Tensor, n_labels: int, n_validation: int, split_seed: int) -> Split:
    """Choose the labelled, the validation and the pool images of a training set by its labels [n].

    Each class is a queue in random order. Labelled images are taken from the fronts in turn, class after class, and
    validation images from the ends: so both are balanced, and neither moves when the number of labels changes.
    """
    classes = labels.numpy()
    of_classes, of_labels, of_pool = (np.random.RandomState([split_seed, stream]) for stream in range(3))
    shuffled = of_labels.permutation(len(classes))
    queues = [shuffled[classes[shuffled] == k] for k in of_classes.permutation(np.unique(classes))]
    validation = _take_in_turn([queue[::-1] for queue in queues], n_validation)
    labelled = _take_in_turn([queue[~np.isin(queue, validation)] for queue in queues], n_labels)
    pool = of_pool.permutation(len(classes))
    return Split(*(torch.from_numpy(part) for part in (labelled, validation, pool[~np.isin(pool, validation)])))


def _take_in_turn(queues: list[np.ndarray], count: int) -> np.ndarray:
    """The first `count` elements when the queues are served in turn; an empty queue is passed over."""
    turn = np.concatenate([np.arange(len(queue)) for queue in queues])
    return np.concatenate(queues)[np.argsort(turn, kind="stable")[:count]]
