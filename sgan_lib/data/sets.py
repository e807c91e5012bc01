"""The raw data sets: whole, labelled, as tensors, before any split. Those in `OFFLINE` need no network."""

import gzip
import hashlib
import os
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
import torch
from filelock import FileLock
from sklearn.datasets import load_digits, load_sample_images, make_circles, make_moons
from sklearn.model_selection import train_test_split
from torch import Tensor

from sgan_lib.runtime import check_choice

SHAPES = {"mnist": (1, 28, 28), "digits": (1, 8, 8), "moons": (2,), "rings": (2,), "mnist_rgb": (3, 32, 32),
          "fashion_mnist": (1, 28, 28), "kmnist": (1, 28, 28), "usps": (1, 16, 16), "svhn": (3, 32, 32),
          "cifar10": (3, 32, 32)}  # of an image, or of a point in the plane  # fmt: skip
_DOWNLOADED = {"fashion_mnist": "FashionMNIST", "kmnist": "KMNIST", "usps": "USPS", "svhn": "SVHN",
               "cifar10": "CIFAR10"}  # in torchvision.datasets  # fmt: skip
DATASETS, OFFLINE = tuple(SHAPES), tuple(name for name in SHAPES if name not in _DOWNLOADED)
POINTS = tuple(name for name, shape in SHAPES.items() if len(shape) == 1)
_MNIST = {"train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",  # the shipped archives: MD5
          "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
          "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
          "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c"}  # fmt: skip
_TEN_DIGITS = tuple("0123456789")


class DataError(OSError):
    """Data are damaged, unreachable, or cannot be written. The message names the file or folder and what to do."""


class Labelled(NamedTuple):
    """Images with their labels, row by row."""

    images: Tensor  # float32 in [-1, 1], [n, channels, height, width], or [n, columns] (raw sets also hold bytes)
    labels: Tensor  # int64 in [0, n_classes), [n]


class RawSet(NamedTuple):
    """A whole data set. Images are uint8 in [0, 255] or float32 in [-1, 1]."""

    train: Labelled
    test: Labelled
    class_names: tuple[str, ...]


def cache_folder() -> Path:
    """The folder for downloaded files: `SGAN_DATA` if set, else the user's cache folder. Not created."""
    try:
        return Path(os.getenv("SGAN_DATA") or platformdirs.user_cache_path("sgan_lib", appauthor=False)).expanduser()
    except RuntimeError as error:
        raise DataError(f"there is no folder for downloads: {error} The variable SGAN_DATA names one") from error


def read(name: str) -> RawSet:
    """A whole data set, the caller's to change; ValueError for an unknown name, DataError where it cannot be had."""
    return deepcopy(shared(check_choice("name", name, DATASETS)))


def shared(name: str) -> RawSet:
    """As `read`, without a copy: for the library, which changes nothing in it."""
    return _kept(name, cache_folder() if name in _DOWNLOADED else Path())  # a set that is shipped needs no home


@lru_cache(maxsize=8)  # whole sets in memory: up to 0.2 GB each
def _kept(name: str, folder: Path) -> RawSet:
    if name in _DOWNLOADED:
        return _downloaded(name, folder)
    return _points(name) if name in POINTS else {"mnist": _mnist, "digits": _digits, "mnist_rgb": _mnist_rgb}[name]()


def _downloaded(name: str, folder: Path) -> RawSet:
    """One of torchvision's sets, downloaded at first use; whatever goes wrong becomes a DataError with a way out."""
    from torchvision import datasets  # a second, and the shipped sets need none of it

    choices = [{"split": "train"}, {"split": "test"}] if name == "svhn" else [{"train": True}, {"train": False}]
    kind = getattr(datasets, _DOWNLOADED[name])
    try:
        try:
            parts = [kind(folder, **choice) for choice in choices]  # as a read-only folder allows
        except Exception:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{name}.lock"):  # torchvision downloads in place; two at a time damage the file
                parts = [kind(folder, download=True, **choice) for choice in choices]
        if name in ("fashion_mnist", "kmnist"):  # torchvision compares no checksum of what it has unpacked
            return RawSet(*_archived(folder / kind.__name__ / "raw", kind.resources), class_names=tuple(kind.classes))
        files = [(folder / file, checksum) for _, file, checksum in kind.split_list.values()] if name == "usps" else ()
        if not all(datasets.utils.check_integrity(*file) for file in files):
            raise ValueError("a file of it is damaged")
    except Exception as error:
        raise DataError(
            f"could not get the data set {name!r} into the cache folder {folder}: {error}. At first use it needs the "
            "network and a folder that can be written (the environment variable SGAN_DATA names another); a damaged "
            f"file there has to be deleted by hand. Sets that need no network: {', '.join(OFFLINE)}"
        ) from error
    train, test = (_labelled(part.data, part.labels if name == "svhn" else part.targets) for part in parts)
    return RawSet(train, test, tuple(getattr(parts[0], "classes", _TEN_DIGITS)))


def _labelled(images: Any, labels: Any) -> Labelled:
    """Arrays or tensors as tensors; grey images may come without channels, those in colour with the channels last."""
    images, labels = torch.as_tensor(images), torch.as_tensor(labels).long()
    images = images.unsqueeze(1) if images.ndim == 3 else images
    images = images.movedim(3, 1) if images.shape[-1] == 3 else images
    return Labelled(images if images.dtype == torch.uint8 else images.float(), labels)


def _mnist() -> RawSet:
    """MNIST (LeCun 1998): 60,000 training and 10,000 test images of 28×28, from the shipped archives."""
    try:
        folder = Path(str(resources.files("sgan_lib"))) / "assets" / "mnist"
        return RawSet(*_archived(folder, [*_MNIST.items()]), class_names=_TEN_DIGITS)
    except ValueError as error:
        raise DataError(f"{error}; it is shipped with the library: install sgan_lib again") from error


def _archived(folder: Path, archives: Sequence[tuple[str, str]]) -> tuple[Labelled, Labelled]:
    """The two parts of a set in MNIST's format; ValueError where one of the archives has another checksum."""
    parts: list[Any] = []
    for file_name, checksum in archives:  # training images, their labels, test images, their labels
        packed = path.read_bytes() if (path := folder / file_name).is_file() else b""
        if hashlib.md5(packed, usedforsecurity=False).hexdigest() != checksum:
            raise ValueError(f"the data file {path} is missing or damaged")
        content = np.frombuffer(bytearray(gzip.decompress(packed)), np.uint8)
        parts.append(content[16:].reshape(-1, 28, 28) if "images" in file_name else content[8:])  # after its header
    return _labelled(*parts[:2]), _labelled(*parts[2:])


def _digits() -> RawSet:
    """scikit-learn's 1,797 real 8×8 digits (pixels 0 to 16): 1,347 for training, 450 for test, stratified."""
    raw = load_digits()
    parts = train_test_split(raw.images / 8 - 1, raw.target, test_size=450, stratify=raw.target, random_state=0)
    return RawSet(_labelled(*parts[::2]), _labelled(*parts[1::2]), _TEN_DIGITS)


def _points(name: str) -> RawSet:
    """1,000 training and 1,000 test points with noise 0.1, brought into [-1, 1] by constants."""
    draw, centre, scale, class_names = {
        "moons": (make_moons, (0.5, 0.25), (2, 1.25), ("upper moon", "lower moon")),
        "rings": (partial(make_circles, factor=0.4), (0, 0), (1.5, 1.5), ("outer ring", "inner ring")),
    }[name]
    drawn = (draw(1000, noise=0.1, random_state=seed) for seed in (0, 1))
    train, test = (_labelled((points - centre) / scale, labels) for points, labels in drawn)
    return RawSet(train, test, class_names)


def _mnist_rgb() -> RawSet:
    """MNIST digits in random colours over crops of scikit-learn's two sample photographs: 3×32×32, the label stays.

    Training images see the left half of each photograph, test images the right half. A digit gets a dark colour on a
    bright crop and a bright one on a dark crop, so that it can always be read.
    """
    train, test, class_names = shared("mnist")
    left, right = np.split(np.stack(load_sample_images().images), 2, axis=2)
    return RawSet(_over_photographs(train, left, seed=0), _over_photographs(test, right, seed=1), class_names)


def _over_photographs(part: Labelled, photographs: np.ndarray, seed: int) -> Labelled:
    """Blend digits, padded to 32×32, over crops of photographs [p, height, width, 3]; all uint8."""
    random, digits = np.random.RandomState(seed), np.pad(part.images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (32, 32), axis=(1, 2))  # of shape [..., 3, 32, 32]
    blended = windows[tuple(random.randint(size, size=len(digits)) for size in windows.shape[:3])]
    dark = random.randint(0, 80, size=(len(digits), 3, 1, 1)).astype(np.float32)
    for chunk in np.array_split(np.arange(len(digits)), 12):  # bounds the memory
        crops = blended[chunk].astype(np.float32)
        colours = np.where(crops.mean(axis=(1, 2, 3), keepdims=True) < 128, 255 - dark[chunk], dark[chunk])
        blended[chunk] = crops + digits[chunk] / np.float32(255) * (colours - crops)
    return Labelled(torch.from_numpy(blended), part.labels)
