"""Batches of a data set, each a pure function of seed and step, made by selecting rows of tensors in memory."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from numpy.random import RandomState
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib.data.preparation import as_images
from sgan_lib.data.splits import SemiSupervisedData
from sgan_lib.runtime import check_flag, check_whole_number, seeded
from sgan_lib.settings import LARGEST_SEED

_LABELLED, _POOL, _SHIFT, _STRONG, _AGAIN = range(3, 8)  # second word of the seed; 0 to 2 are for splits
_BLOCK = 64  # steps whose shifts, or strong views, are made at once


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


@dataclass(eq=False, repr=False)
class Batches:
    """Batches as a pure function of seed and step, so that a resumed run sees what an uninterrupted one would.

    Pool and labelled images are each gone through in passes; every pass is a fresh permutation of all of them. A batch
    that reaches the end of a pass continues with the next: nothing is dropped, and a batch may be larger than the set.
    Raises TypeError or ValueError for a bad argument, by name.
    """

    data: SemiSupervisedData
    batch_size: int  # pool images a step; 0 for a method that looks at labelled images only
    labelled_batch_size: int  # labelled images a step
    seed: int
    shift: int = 0  # move each image by up to that many pixels in both directions, afresh each time
    mixed: bool = False  # draw from the pool alone; a mask says which of its images have a label. There may be none
    strong: bool = False  # give each pool image in a second, strongly augmented view too; not for points
    again: bool = False  # draw `batch_size` more pool images a step, in passes of their own

    def __post_init__(self) -> None:
        for flag in ("mixed", "strong", "again"):
            check_flag(flag, getattr(self, flag))
        largest_shift = self.data.image_shape[-1] if len(self.data.image_shape) == 3 else 0
        if self.strong and not largest_shift:
            raise ValueError("strong must be False for points, which cannot be augmented; got True")
        self.batch_size = check_whole_number("batch_size", self.batch_size, int(self.mixed or self.strong), 65536)
        self.labelled_batch_size = check_whole_number("labelled_batch_size", self.labelled_batch_size, 1, 65536)
        self.seed = check_whole_number("seed", self.seed, at_least=0, at_most=LARGEST_SEED)
        self.shift = check_whole_number("shift", self.shift, at_least=0, at_most=largest_shift)
        if self.mixed:
            unknown = torch.full((len(self.data.pool),), -1, device=self.data.pool.device)
            self._known = unknown.index_copy(0, self.data.labelled_in_pool, self.data.labelled.labels)  # -1: no label
        self._offsets: dict[int, Tensor] = {}  # of the block of steps that was last asked for, as are the strong views
        self._views: dict[int, Tensor] = {}

    def at(self, step: int) -> Batch:
        """The batch of one step, counted from 0, on the device of the data."""
        n_labelled, size, pool = 0 if self.mixed else self.labelled_batch_size, self.batch_size, self.data.pool
        rows, unlabelled = self._draw(_POOL, pool, size, step, n_labelled)
        again = self._draw(_AGAIN, pool, size, step, n_labelled + size)[1] if self.again else None
        strong = self._distorted(step) if self.strong else None
        if self.mixed:
            known = self._known.index_select(0, rows)
            return Batch(unlabelled, known.clamp(min=0), unlabelled, known >= 0, strong, again)
        rows, images = self._draw(_LABELLED, self.data.labelled.images, n_labelled, step, 0)
        return Batch(images, self.data.labelled.labels.index_select(0, rows), unlabelled, None, strong, again)

    def _draw(self, stream: int, source: Tensor, size: int, step: int, first: int) -> tuple[Tensor, Tensor]:
        """This step's rows of `source`, and these as images, moved by the step's shifts from number `first` on."""
        rows = self._rows(stream, source, size, step)
        images = as_images(source.index_select(0, rows))  # twice as fast as square brackets for whole rows
        if self.shift and size:
            block, index = divmod(step, _BLOCK)
            if block not in self._offsets:
                count = self.batch_size * (1 + self.again) + (0 if self.mixed else self.labelled_batch_size)
                drawn = RandomState([self.seed, _SHIFT, block]).randint(-self.shift, self.shift + 1, (_BLOCK, count, 2))
                self._offsets = {block: torch.from_numpy(drawn).long().to(source.device)}
            images = shift_images(images, self._offsets[block][index, first : first + size], self.shift)
        return rows, images

    def _rows(self, stream: int, source: Tensor, size: int, step: int) -> Tensor:
        """Numbers [step·size, (step+1)·size) of the endless row of passes through the images of `source`."""
        at_once = max(1, 4096 // len(source))  # short passes are drawn several at once: seeding costs more than drawing
        first, start = divmod(step * size, at_once * len(source))
        blocks = range(first, first + (start + size) // (at_once * len(source)) + 1)
        passes = [_passes(at_once, len(source), self.seed, stream, block, source.device) for block in blocks]
        return (torch.cat(passes) if len(passes) > 1 else passes[0])[start : start + size]

    def _distorted(self, step: int) -> Tensor:
        """This step's pool images, strongly augmented; those of a whole block of steps are made and kept together."""
        (block, index), pool, size = divmod(step, _BLOCK), self.data.pool, self.batch_size
        if block not in self._views:
            images = as_images(pool.index_select(0, self._rows(_POOL, pool, _BLOCK * size, block)))
            # A transform draws once a call (on the CPU), and a call costs much the same for one small image or many: so
            # images with the same index in the batches of a block share a draw.
            by_index = images.unflatten(0, (_BLOCK, size)).unbind(1)
            with seeded(int(RandomState([self.seed, _STRONG, block]).randint(2**31))):
                views = [_distortion()((same_index + 1) / 2) for same_index in by_index]
            self._views = {block: torch.stack(views, dim=1).clamp(0, 1) * 2 - 1}
        return self._views[block][index].clone()  # a batch is its owner's to change


@lru_cache(maxsize=1)
def _distortion() -> nn.Module:
    """Two of RandAugment's distortions (Cubuk 2019, arXiv:1909.13719) at a third of full strength, then Cutout (DeVries
    2017, arXiv:1708.04552). So has FixMatch (Sohn 2020, arXiv:2001.07685, §2.3), where the strength is drawn too.
    """
    from torchvision.transforms import InterpolationMode, v2  # a second, and most runs need none of it

    distort = v2.RandAugment(num_ops=2, magnitude=10, interpolation=InterpolationMode.BILINEAR, fill=0.0)
    return v2.Compose([distort, v2.RandomErasing(p=1.0, scale=(0.02, 0.25), ratio=(1.0, 1.0), value=0.5)])


@lru_cache(maxsize=16)
def _passes(n_passes: int, count: int, seed: int, stream: int, block: int, device: torch.device) -> Tensor:
    """Permutations of `count` images, one after the other, int64."""
    keys = RandomState([seed, stream, block]).random_sample((n_passes, count))
    return torch.from_numpy(keys.argsort(axis=1, kind="stable").ravel()).to(device)


def shift_images(
    images: Float[Tensor, "n channels height width"], offsets: Int64[Tensor, "n 2"], limit: int
) -> Float[Tensor, "n channels height width"]:
    """Move image i by offsets[i] = (down, right) pixels, each within ±limit; what moves in repeats the edge pixel."""
    height, width = images.shape[2:]
    windows = F.pad(images, (limit,) * 4, mode="replicate").unfold(2, height, 1).unfold(3, width, 1)  # of every shift
    down, right = (limit - offsets).unbind(1)
    return windows[torch.arange(len(images), device=images.device), :, down, right]
