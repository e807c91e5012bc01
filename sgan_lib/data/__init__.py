"""Data sets as semi-supervised learning sees them: a few labels, a large pool without, and batches of both.

All random choices depend on seeds alone. They come from numpy's `RandomState`, whose numbers never change between
versions (NEP 19); those of strong augmentation come from torch.
"""

from sgan_lib.data.batches import Batch, Batches, shift_images
from sgan_lib.data.files import image_files, read_images, read_new
from sgan_lib.data.preparation import Preparation, as_images
from sgan_lib.data.sets import DATASETS, OFFLINE, POINTS, SHAPES, DataError, Labelled, RawSet, cache_folder, read
from sgan_lib.data.sources import classes_of, from_arrays, from_dataset, from_folder, labels_of, load
from sgan_lib.data.splits import SemiSupervisedData, Split, split_indices

__all__ = [
    "DATASETS", "OFFLINE", "POINTS", "SHAPES", "Batch", "Batches", "DataError", "Labelled", "Preparation", "RawSet",
    "SemiSupervisedData", "Split", "as_images", "cache_folder", "classes_of", "from_arrays", "from_dataset",
    "from_folder", "image_files", "labels_of", "load", "read", "read_images", "read_new", "shift_images",
    "split_indices",
]  # fmt: skip
