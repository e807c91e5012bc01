"""Data sets as semi-supervised learning sees them: a few labels, a large pool without, and batches of both.

`load` splits a data set; `Batches` draws from it. Everything lies in memory as whole tensors in [-1, 1]; a batch is an
index selection. All random choices depend on seeds and on nothing else. They come from numpy's `RandomState`, whose
numbers never change between versions (NEP 19); torch and numpy's newer generators do not promise that. Strong
augmentation is the exception: torchvision draws from torch, seeded afresh for every block of steps.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from sgan_lib.augmentation import strong_views
from sgan_lib.datasets import DATASETS, OFFLINE, POINTS, DataError, Labelled, cache_folder, cached, read
from sgan_lib.runtime import check_choice, check_flag, check_whole_number

__all__ = [
    "DATASETS", "OFFLINE", "POINTS", "Batch", "Batches", "DataError", "Labelled", "SemiSupervisedData", "Split",
    "as_images", "cache_folder", "load", "read", "shift_images", "split_indices",
]  # fmt: skip

_LARGEST_SEED = 2**32 - 1  # RandomState takes words of 32 bits
_CLASS_ORDER, _LABEL_ORDER, _POOL_ORDER = range(3)  # second word of the seed: keeps the draws of a split apart
_LABELLED, _UNLABELLED, _SHIFT, _STRONG, _AGAIN = range(3, 8)  # the same for batches
_OFFSET_STEPS = 64  # steps whose shifts are drawn at once
_STRONG_STEPS = 64  # steps whose strong views are made at once


@dataclass(frozen=True, eq=False, repr=False)
class SemiSupervisedData:
    """What training and evaluation are given. Images are float32 in [-1, 1], [n, channels, height, width] or [n, 2].

    The pool `unlabelled` holds every training image that is not for validation, the labelled ones too (as in Salimans
    2016), in an order that tells nothing. Its labels are not kept; `labelled_in_pool` says where the labelled ones lie
    in it, in their order. `test` is for one reading at the end.

    In memory the pool stays as the data set has it: `pool` is uint8 where that has bytes, a quarter of the floats.
    """

    name: str
    split_seed: int
    labelled: Labelled
    pool: Tensor
    labelled_in_pool: Tensor
    validation: Labelled
    test: Labelled
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

        def move(part: Labelled) -> Labelled:
            return Labelled(part.images.to(device), part.labels.to(device))

        return replace(
            self,
            labelled=move(self.labelled),
            pool=self.pool.to(device),
            labelled_in_pool=self.labelled_in_pool.to(device),
            validation=move(self.validation),
            test=move(self.test),
        )

    def describe(self) -> str:
        """Sizes of the parts, shape and range of the images, and how many labelled images each class has."""
        shape = "×".join(map(str, self.image_shape))
        smallest, largest = (as_images(end).item() for end in self.pool.aminmax())
        counts = torch.bincount(self.labelled.labels, minlength=self.n_classes).tolist()
        width = max(map(len, self.class_names))
        longest = max(counts)
        rows = (f"  {name:>{width}} {count:6,d}  {'█' * round(20 * count / longest)}"
                for name, count in zip(self.class_names, counts, strict=True))  # fmt: skip
        return "\n".join([
            f"{self.name}: values of shape {shape} in [{smallest:.2g}, {largest:.2g}], split seed {self.split_seed}",
            f"  labelled   {len(self.labelled.labels):6,d}",
            f"  unlabelled {len(self.pool):6,d}  (the labelled images are among them, without their labels)",
            f"  validation {len(self.validation.labels):6,d}",
            f"  test       {len(self.test.labels):6,d}",
            "labelled images a class",
            *rows,
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

    - n_labels: from one a class up to all training images that are not for validation. Balanced to within one image a
      class (as long as no class runs out of images), and nested: with one split seed, the 50 are among the 100.
    - split_seed: which images are labelled; independent of any training seed.
    - validation: size of the validation part, at most `n_labels`. None takes as many as there are labels, but at most
      1,000, at most a tenth of the training images, and no more than the labels leave over.
    - image_size: side of the square images. None keeps them as they are; a slightly larger size pads grey images with
      -1 (28 to 32 is exact that way), any other resizes bilinearly with antialiasing.

    Raises TypeError or ValueError for bad arguments, DataError for data that are damaged or cannot be had.
    """
    check_choice("name", name, DATASETS)
    check_whole_number("split_seed", split_seed, at_least=0, at_most=_LARGEST_SEED)
    raw = cached(name)
    size = None if image_size is None else _check_image_size(image_size, raw.train.images)
    n_validation = _check_sizes(n_labels, validation, len(raw.train.labels), len(raw.class_names))
    split = split_indices(raw.train.labels, n_labels, n_validation, split_seed)

    def pick(chosen: Tensor) -> Tensor:  # copies, so that no tensor shares memory with the whole set
        return _resized(raw.train.images.index_select(0, chosen), size)

    return SemiSupervisedData(
        name=name,
        split_seed=int(split_seed),
        labelled=Labelled(as_images(pick(split.labelled)), raw.train.labels[split.labelled]),
        pool=pick(split.unlabelled),
        labelled_in_pool=torch.from_numpy(_find(split.labelled.numpy(), split.unlabelled.numpy())),
        validation=Labelled(as_images(pick(split.validation)), raw.train.labels[split.validation]),
        test=Labelled(as_images(_resized(raw.test.images.clone(), size)), raw.test.labels.clone()),
        class_names=raw.class_names,
    )


def _check_sizes(n_labels: int, validation: int | None, n_train: int, n_classes: int) -> int:
    """Check both sizes and return that of the validation part."""
    n_labels = check_whole_number("n_labels", n_labels, at_least=n_classes, at_most=n_train)
    if validation is None:
        return min(n_labels, 1000, n_train // 10, n_train - n_labels)
    validation = check_whole_number("validation", validation, at_least=0, at_most=n_labels)
    check_whole_number("n_labels", n_labels, at_least=n_classes, at_most=n_train - validation)
    return validation


def _check_image_size(image_size: int, images: Tensor) -> int:
    if images.ndim != 4:
        raise ValueError(f"image_size must be None for a set of points; got {image_size!r}")
    return check_whole_number("image_size", image_size, at_least=4, at_most=64)


def as_images(stored: Tensor) -> Tensor:
    """Images in [-1, 1], float32, from bytes in [0, 255]; floats are images already."""
    return stored.float().div_(127.5).sub_(1) if stored.dtype == torch.uint8 else stored


def _resized(images: Tensor, size: int | None) -> Tensor:
    """Bytes or floats in the wanted size: bytes stay bytes where padding is enough."""
    if size is None or size == images.shape[-1]:
        return images
    margin = size - images.shape[-1]
    if images.shape[1] == 1 and 0 < margin <= images.shape[-1] // 4:
        black = 0 if images.dtype == torch.uint8 else -1.0
        return F.pad(images, (margin // 2, margin - margin // 2) * 2, value=black)
    return F.interpolate(as_images(images), size=(size, size), mode="bilinear", antialias=True)


def _random(*words: int) -> np.random.RandomState:
    """Random numbers that depend on the given words only."""
    return np.random.RandomState(list(words))


def split_indices(labels: Tensor, n_labels: int, n_validation: int, split_seed: int) -> Split:
    """Choose the labelled, the validation and the pool images of a training set by its labels [n].

    Each class is a queue in random order. Labelled images are taken from the fronts in turn, class after class, and
    validation images from the ends: so both are balanced, and neither moves when the number of labels changes.
    """
    classes = labels.numpy()
    class_order = _random(split_seed, _CLASS_ORDER).permutation(np.unique(classes))
    shuffled = _random(split_seed, _LABEL_ORDER).permutation(len(classes))
    queues = [shuffled[classes[shuffled] == one] for one in class_order]
    validation = _take_in_turn([queue[::-1] for queue in queues], n_validation)
    labelled = _take_in_turn([queue[~np.isin(queue, validation)] for queue in queues], n_labels)
    pool = _random(split_seed, _POOL_ORDER).permutation(len(classes))
    return Split(*(torch.from_numpy(part) for part in (labelled, validation, pool[~np.isin(pool, validation)])))


def _take_in_turn(queues: list[np.ndarray], count: int) -> np.ndarray:
    """The first `count` elements when the queues are served in turn; an empty queue is passed over."""
    place = np.concatenate([np.arange(len(queue)) for queue in queues])
    return np.concatenate(queues)[np.argsort(place, kind="stable")[:count]]


def _find(wanted: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Where each wanted number stands among different numbers, int64."""
    order = among.argsort(kind="stable")
    return order[np.searchsorted(among, wanted, sorter=order)]


class Batch(NamedTuple):
    """What one training step sees."""

    images: Tensor  # labelled images
    labels: Tensor  # their labels
    unlabelled: Tensor  # images from the pool
    mask: Tensor | None = None  # in a mixed batch: whose label is known; `images` and `unlabelled` are then the same
    strong: Tensor | None = None  # where asked for: the images of `unlabelled` once more, strongly augmented
    again: Tensor | None = None  # where asked for: as many other images from the pool

    def of_generator(self) -> "Batch":
        """The batch that the generator moves on where it does not share the discriminator's."""
        return self if self.again is None else self._replace(unlabelled=self.again, again=None)


class Batches:
    """Batches as a pure function of seed and step, so that a resumed run sees what an uninterrupted one would.

    Pool and labelled images are each gone through in passes; every pass is a fresh permutation of all of them. A batch
    that reaches the end of a pass continues with the next: nothing is dropped, and a batch may be larger than the set.
    """

    def __init__(
        self,
        data: SemiSupervisedData,
        batch_size: int,
        labelled_batch_size: int,
        seed: int,
        shift: int = 0,
        mixed: bool = False,
        strong: bool = False,
        again: bool = False,
    ) -> None:
        """Draw `batch_size` pool images and `labelled_batch_size` labelled ones a step.

        batch_size: 0 for a method that looks at labelled images only.
        shift: move each image by up to that many pixels in both directions, afresh each time (0: not at all).
        mixed: draw from the pool alone; a mask says which of its images have a label. There may be none.
        strong: give each pool image in a second, strongly augmented view too; not for points.
        again: draw `batch_size` more pool images a step, in passes of their own.
        Raises TypeError or ValueError for a bad argument, by name.
        """
        self.data = data
        self.strong, self.again = check_flag("strong", strong), check_flag("again", again)
        self.batch_size = check_whole_number("batch_size", batch_size, at_least=int(mixed or strong))
        self.labelled_batch_size = check_whole_number("labelled_batch_size", labelled_batch_size, at_least=1)
        self.seed = check_whole_number("seed", seed, at_least=0, at_most=_LARGEST_SEED)
        is_image = len(data.image_shape) == 3
        self.shift = check_whole_number("shift", shift, at_least=0, at_most=data.image_shape[-1] if is_image else 0)
        self._known = _known_labels(data) if mixed else None
        if strong and not is_image:
            raise ValueError("strong must be False for points, which cannot be augmented; got True")
        self._made: tuple[int, Tensor] | None = None  # a block of steps, and its strong views

    def at(self, step: int) -> Batch:
        """The batch of one step, counted from 0, on the device of the data."""
        pool = self._positions(_UNLABELLED, len(self.data.pool), self.batch_size, step)
        unlabelled = as_images(self.data.pool.index_select(0, pool))  # twice as fast as square brackets for whole rows
        again = self._again(step)
        if self._known is not None:
            known = self._known.index_select(0, pool)
            unlabelled = self._shifted(unlabelled, step, 0)
            return Batch(unlabelled, known.clamp(min=0), unlabelled, known >= 0, self._strong_views(step), again)
        images, labels = self.data.labelled
        labelled = self._positions(_LABELLED, len(labels), self.labelled_batch_size, step)
        images = self._shifted(images.index_select(0, labelled), step, 0)
        unlabelled = self._shifted(unlabelled, step, len(images))
        labels = labels.index_select(0, labelled)
        return Batch(images, labels, unlabelled, strong=self._strong_views(step), again=again)

    def _again(self, step: int) -> Tensor | None:
        """This step's second draw from the pool."""
        if not self.again:
            return None
        pool = self._positions(_AGAIN, len(self.data.pool), self.batch_size, step)
        return self._shifted(as_images(self.data.pool.index_select(0, pool)), step, self._drawn_once)

    @property
    def _drawn_once(self) -> int:
        """Images a step without the second draw."""
        return self.batch_size + (0 if self._known is not None else self.labelled_batch_size)

    def _positions(self, stream: int, count: int, size: int, step: int) -> Tensor:
        """Which of `count` images are at places [step·size, (step+1)·size) of the endless row of passes."""
        if size == 0:
            return torch.empty(0, dtype=torch.int64, device=self.data.pool.device)
        length = _block_length(count)
        start, stop = step * size, (step + 1) * size
        blocks = [_passes(count, self.seed, stream, block, self.data.pool.device)
                  for block in range(start // length, (stop - 1) // length + 1)]  # fmt: skip
        joined = blocks[0] if len(blocks) == 1 else torch.cat(blocks)
        return joined[start % length : start % length + size]

    def _shifted(self, images: Tensor, step: int, first: int) -> Tensor:
        """The images, moved by this step's shifts from number `first` on."""
        if not self.shift or not len(images):
            return images
        size = self._drawn_once + self.again * self.batch_size
        offsets = _offsets(size, self.shift, self.seed, step // _OFFSET_STEPS, images.device)[step % _OFFSET_STEPS]
        return shift_images(images, offsets[first : first + len(images)], self.shift)

    def _strong_views(self, step: int) -> Tensor | None:
        """This step's pool images, strongly augmented; those of a whole block of steps are made and kept together."""
        if not self.strong:
            return None
        block, place = divmod(step, _STRONG_STEPS)
        if self._made is None or self._made[0] != block:
            pool = self._positions(_UNLABELLED, len(self.data.pool), _STRONG_STEPS * self.batch_size, block)
            images = as_images(self.data.pool.index_select(0, pool)).unflatten(0, (_STRONG_STEPS, self.batch_size))
            self._made = block, strong_views(images, seed=int(_random(self.seed, _STRONG, block).randint(2**31)))
        return self._made[1][place].clone()  # a batch is its owner's to change


def _known_labels(data: SemiSupervisedData) -> Tensor:
    """For each pool image its label, or -1 where it has none, int64."""
    known = torch.full((len(data.pool),), -1, device=data.pool.device)
    return known.index_copy(0, data.labelled_in_pool, data.labelled.labels)


def _block_length(count: int) -> int:
    """Short passes are drawn several at once, because seeding costs more than drawing."""
    return count * max(1, 4096 // count)


@lru_cache(maxsize=16)
def _passes(count: int, seed: int, stream: int, block: int, device: torch.device) -> Tensor:
    """Permutations of `count` images, one after the other, int64 [block length]."""
    keys = _random(seed, stream, block).random_sample((_block_length(count) // count, count))
    return torch.from_numpy(keys.argsort(axis=1, kind="stable").ravel()).to(device)


@lru_cache(maxsize=4)
def _offsets(count: int, limit: int, seed: int, block: int, device: torch.device) -> Tensor:
    """Shifts within ±limit for `count` images at each step of a block, int64 [steps, count, 2]."""
    drawn = _random(seed, _SHIFT, block).randint(-limit, limit + 1, size=(_OFFSET_STEPS, count, 2))
    return torch.from_numpy(drawn).long().to(device)


def shift_images(
    images: Float[Tensor, "n channels height width"], offsets: Int64[Tensor, "n 2"], limit: int
) -> Float[Tensor, "n channels height width"]:
    """Move image i by offsets[i] = (down, right) pixels, each within ±limit; what moves in repeats the edge pixel."""
    height, width = images.shape[2:]
    padded = F.pad(images, (limit,) * 4, mode="replicate")
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view of every shift: [n, c, 2l+1, 2l+1, h, w]
    down, right = (limit - offsets).unbind(1)
    return windows[torch.arange(len(images), device=images.device), :, down, right]
