"""A data set as semi-supervised learning sees it: a few labels, and a large pool without."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sgan_lib.data.preparation import Preparation, as_images, resized, sides_of
from sgan_lib.data.sets import Labelled, RawSet
from sgan_lib.runtime import check_choice, check_tensor, check_whole_number
from sgan_lib.settings import LARGEST_SEED


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedData:
    """What training and evaluation see. Images are float32 in [-1, 1], [n, channels, height, width], rows [n, columns].

    Raises ValueError, naming the part, where parts that were put together by hand do not fit.
    """

    name: str
    split_seed: int
    labelled: Labelled
    pool: Tensor  # training images not for validation, the labelled too (as Salimans 2016), shuffled; bytes or floats
    labelled_in_pool: Tensor  # where in the pool the labelled images lie, in their order
    validation: Labelled
    test: Labelled  # for one reading at the end
    class_names: tuple[str, ...]
    preparation: Preparation | None = None  # for new images, to go the same way; None: only `as_images`
    notes: tuple[str, ...] = ()  # on what was found in data of the reader's own

    def __post_init__(self) -> None:
        pool, is_image, by_hand = self.pool, np.ndim(self.pool) == 4, self.preparation is None
        floats = (torch.float32, -1, 1) if is_image else (torch.float32,)
        kind: Any = (torch.uint8, 0, 255) if getattr(pool, "dtype", None) == torch.uint8 else floats
        check_tensor("pool", pool, ("n", "channels", "height", "width") if is_image else ("n", "columns"), *kind)
        for name in ("labelled", "validation", "test"):
            images, labels = getattr(self, name)
            check_tensor(f"{name}.images", images, (len(labels), *self.image_shape), *floats)
            check_tensor(f"{name}.labels", labels, (len(labels),), torch.int64, 0, self.n_classes - 1)
        check_tensor("labelled_in_pool", self.labelled_in_pool, (len(self.labelled[1]),), torch.int64, 0, len(pool) - 1)
        if is_image:
            if self.image_shape[0] > 4:
                raise ValueError(f"pool must have 1 to 4 channels, which come first; got shape {list(pool.shape)}")
            if by_hand and pool.is_floating_point() and 0 <= pool.min() < pool.max():
                raise ValueError("pool must hold images in [-1, 1]; none has a number below 0, so they are in [0, 1]")
        elif by_hand and not 0.01 < (size := pool.abs().mean(dim=0).max().item()) < 10:
            raise ValueError(f"pool must have columns of mean 0 and deviation 1; the numbers are of size {size:.3g}")

    @property
    def unlabelled(self) -> Tensor:
        """The images of the pool: computed from bytes at each call; floats are the pool's own."""
        return as_images(self.pool)

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(channels, height, width), or (columns,)."""
        return tuple(self.pool.shape[1:])

    def to(self, device: torch.device | str) -> "SemiSupervisedData":
        """The same data with every tensor on `device`."""
        parts = {"labelled": self.labelled, "validation": self.validation, "test": self.test}
        moved: Any = {name: Labelled(*(tensor.to(device) for tensor in part)) for name, part in parts.items()}
        return replace(self, pool=self.pool.to(device), labelled_in_pool=self.labelled_in_pool.to(device), **moved)

    def digest(self) -> str:
        """Ten characters that tell these data from others: of pool, known labels and validation part."""
        content = hashlib.sha256()
        for part in (self.pool, self.labelled_in_pool, self.labelled.labels, *self.validation):
            content.update(part.cpu().numpy().tobytes())
        return content.hexdigest()[:10]

    def describe(self) -> str:
        """Sizes of the parts, shape and range of the images, and how many labelled images each class has."""
        shape = "x".join(map(str, self.image_shape))
        low, high = (as_images(end).item() for end in self.pool.aminmax())
        counts = torch.bincount(self.labelled.labels, minlength=self.n_classes).tolist()
        width, longest = max(map(len, self.class_names)), max(1, *counts)
        return "\n".join([
            f"{self.name}: values of shape {shape} in [{low:.2g}, {high:.2g}], split seed {self.split_seed}",
            f"  labelled   {len(self.labelled.labels):6,d}",
            f"  unlabelled {len(self.pool):6,d}  (the labelled images are among them, without their labels)",
            f"  validation {len(self.validation.labels):6,d}",
            f"  test       {len(self.test.labels):6,d}",
            *(f"  {note}" for note in self.notes),
            "labelled images of each class",
            *(f"  {name:>{width}} {count:6,d}  {'#' * round(20 * count / longest)}"
              for name, count in zip(self.class_names, counts, strict=True)),
        ])  # fmt: skip

    __repr__ = describe


class Split(NamedTuple):
    """Positions in the training set, each int64 [n]."""

    labelled: Tensor
    validation: Tensor
    unlabelled: Tensor


def split_of(
    raw: RawSet, name: str, n_labels: int | None, split_seed: int = 0, validation: int | None = None,
    image_size: int | None = None, draw: str = "balanced", preparation: Preparation | None = None,
    notes: Sequence[str] = (),
) -> SemiSupervisedData:  # fmt: skip
    """`load` for a set that has been read. Warns of a class that no labelled image is of, and of one class alone."""
    split_seed = check_whole_number("split_seed", split_seed, at_least=0, at_most=LARGEST_SEED)
    (images, labels), test, class_names = raw
    n_known, least = int((labels >= 0).sum()), 1 if draw == "as_they_come" else len(labels[labels >= 0].unique())
    n_labels = check_whole_number("n_labels", n_known if n_labels is None else n_labels, least, n_known)
    if validation is None:
        validation = min(n_labels, 1000, len(labels) // 10, n_known - n_labels)
    validation = check_whole_number("validation", validation, 0, min(n_labels, n_known - n_labels))
    split = split_indices(labels, n_labels, validation, split_seed, draw)
    sides = images.shape[2:] if image_size is None else sides_of(image_size)
    if image_size is not None and images.ndim != 4:
        raise ValueError(f"image_size must be None for a set of points; got {image_size!r}")

    def pick(part: Labelled, rows: Tensor) -> Tensor:  # copies, so that no tensor shares memory with the whole set
        return resized(part.images.index_select(0, rows), sides, margin=True)

    labelled, held_out = (Labelled(as_images(pick(raw.train, rows)), labels[rows]) for rows in split[:2])
    in_pool = torch.empty_like(labels).index_copy_(0, split.unlabelled, torch.ones_like(split.unlabelled).cumsum(0) - 1)
    test = Labelled(as_images(resized(test.images.clone(), sides, margin=True)), test.labels.clone())
    if len(class_names) == 1:
        warnings.warn(f"all labels are {class_names[0]!r}: there is nothing to tell apart", stacklevel=3)
    for missing in sorted({*range(len(class_names))} - {*labelled.labels.tolist()}):
        warnings.warn(f"no labelled image is of class {class_names[missing]!r}: nothing can learn it", stacklevel=3)
    return SemiSupervisedData(
        name, split_seed, labelled, pick(raw.train, split.unlabelled), in_pool[split.labelled], held_out, test,
        class_names, preparation or Preparation((*images.shape[1:2], *sides), margin=True), tuple(notes),
    )  # fmt: skip


def split_indices(labels: Tensor, n_labels: int, n_validation: int, split_seed: int, draw: str = "balanced") -> Split:
    """Choose the labelled, the validation and the pool images of a training set by its labels [n].

    Each class is a queue in random order. Labelled images are taken from the fronts in turn, class after class, and
    validation images from the ends: so both are balanced, and neither moves with the number of labels until they meet.
    The first image of a class is never one for validation. With draw="as_they_come" all classes stand in one queue.
    Images without a label, -1, belong to the pool only.
    """
    check_choice("draw", draw, ("balanced", "as_they_come"))
    classes = labels.numpy()
    of_classes, of_labels, of_pool = (np.random.RandomState([split_seed, stream]) for stream in range(3))
    shuffled = of_labels.permutation(len(classes))
    queues = [shuffled[classes[shuffled] == k] for k in of_classes.permutation(np.unique(classes[classes >= 0]))]
    queues = queues if draw == "balanced" else [shuffled[classes[shuffled] >= 0]]
    validation = _take_in_turn([queue[:0:-1] for queue in queues], n_validation)
    labelled = _take_in_turn([queue[~np.isin(queue, validation)] for queue in queues], n_labels)
    pool = of_pool.permutation(len(classes))
    return Split(*(torch.from_numpy(part) for part in (labelled, validation, pool[~np.isin(pool, validation)])))


def _take_in_turn(queues: list[np.ndarray], count: int) -> np.ndarray:
    """The first `count` elements when the queues are served in turn; an empty queue is passed over."""
    turn = np.concatenate([np.arange(len(queue)) for queue in queues])
    return np.concatenate(queues)[np.argsort(turn, kind="stable")[:count]]
