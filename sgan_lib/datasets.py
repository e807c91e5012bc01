"""The raw data sets: whole, labelled, as tensors, before any split.

`read(name)` returns a `RawSet`. Five sets need no network: `mnist` (shipped with the package), `digits`, `moons`,
`rings` and `mnist_rgb`; the others come through torchvision's own download, which checks their sums.
"""

import gzip
import hashlib
import os
import tempfile
import uuid
import warnings
from functools import lru_cache
from http.client import HTTPException
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs
import sklearn.datasets
import torch
from filelock import FileLock
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.model_selection import train_test_split
from torch import Tensor
from torchvision import datasets

from sgan_lib.runtime import check_choice

OFFLINE = ("mnist", "digits", "moons", "rings", "mnist_rgb")
POINTS = ("moons", "rings")  # points in the plane; every other set holds images
_DOWNLOADED = {
    "fashion_mnist": datasets.FashionMNIST,
    "kmnist": datasets.KMNIST,
    "usps": datasets.USPS,
    "svhn": datasets.SVHN,
    "cifar10": datasets.CIFAR10,
}
DATASETS = (*OFFLINE, *_DOWNLOADED)
_TEN_DIGITS = tuple("0123456789")

# torchvision checks the sums of the archives only and would read a damaged unpacked file. So all eight are known here.
_ARCHIVE_MD5 = dict(datasets.MNIST.resources)
_UNPACKED_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DataError(OSError):
    """Data are damaged, unreachable, or cannot be written. The message names the file or folder and what to do."""


class Labelled(NamedTuple):
    """Images with their labels, row by row."""

    images: Tensor  # float32 in [-1, 1], [n, channels, height, width], or [n, 2] for points (raw sets also hold bytes)
    labels: Tensor  # int64 in [0, n_classes), [n]


class RawSet(NamedTuple):
    """A whole data set. Images are uint8 in [0, 255] or float32 in [-1, 1]."""

    train: Labelled
    test: Labelled
    class_names: tuple[str, ...]


def cache_folder() -> Path:
    """The folder for unpacked and downloaded files: `SGAN_DATA` if set, else the user's cache folder. Not created."""
    chosen = os.environ.get("SGAN_DATA")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("sgan_lib", appauthor=False)


def read(name: str) -> RawSet:
    """Read a whole data set, from memory if this process has read it before from the same folder.

    Raises ValueError for an unknown name, DataError for data that are damaged, unreachable or cannot be written.
    """
    raw = cached(name)
    train, test = (Labelled(*(tensor.clone() for tensor in part)) for part in (raw.train, raw.test))
    return raw._replace(train=train, test=test)  # the caller's to change


def cached(name: str) -> RawSet:
    """As `read`, without a copy: for the library, which changes nothing in it."""
    return _read(check_choice("name", name, DATASETS), cache_folder())


@lru_cache(maxsize=8)  # whole sets in memory: up to 0.2 GB each
def _read(name: str, folder: Path) -> RawSet:
    if name in _DOWNLOADED:
        return _read_downloaded(name, folder)
    if name == "mnist":
        return _read_mnist(folder)
    if name == "mnist_rgb":
        return _make_mnist_rgb(_read("mnist", folder))
    return {"digits": _read_digits, "moons": _make_moons, "rings": _make_rings}[name]()


# --- files: MNIST from the shipped copy, and torchvision's downloads


def _shipped_folder() -> Traversable:
    return resources.files("sgan_lib") / "assets" / "mnist"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _shipped_archive(file_name: str) -> bytes:
    """The content of one shipped archive, checked; DataError names the file if it is missing or damaged."""
    shipped = _shipped_folder() / file_name
    if not shipped.is_file() or _md5(shipped.read_bytes()) != _ARCHIVE_MD5[file_name]:
        raise DataError(f"the shipped data file {shipped} is missing or damaged: install sgan_lib again")
    return shipped.read_bytes()


def _write_whole(path: Path, content: bytes) -> None:
    """Write through a temporary name, so that no other process ever sees half a file."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _cannot_use(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"cannot use the cache folder {folder} ({error}): set the environment variable SGAN_DATA to a folder that can "
        "be read and written"
    )


def _restore_mnist(raw: Path) -> None:
    """Make the eight MNIST files in `raw` whole: absent ones are filled in, damaged ones replaced with a warning."""
    for archive, archive_md5 in _ARCHIVE_MD5.items():
        unpacked = archive.removesuffix(".gz")
        packed = _checked(raw / archive, archive_md5)
        if packed is None:
            packed = _shipped_archive(archive)
            _write_whole(raw / archive, packed)
        if _checked(raw / unpacked, _UNPACKED_MD5[unpacked]) is None:
            _write_whole(raw / unpacked, gzip.decompress(packed))


def _checked(path: Path, md5: str) -> bytes | None:
    """The content of a cached file, or None if it is absent or (with a warning that names it) damaged."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    if _md5(content) == md5:
        return content
    warnings.warn(f"the cached data file {path} is truncated or altered: restored from the shipped copy", stacklevel=7)
    return None


def _read_mnist(folder: Path) -> RawSet:
    """MNIST (LeCun 1998): 60,000 training and 10,000 test images of 28×28, through torchvision, without a network."""
    try:
        _restore_mnist(folder / "MNIST" / "raw")
    except DataError:
        raise
    except OSError as error:
        raise _cannot_use(folder, error) from error
    train, test = (_from_torchvision(datasets.MNIST(folder, train=is_train)) for is_train in (True, False))
    return RawSet(train, test, _TEN_DIGITS)


def _read_downloaded(name: str, folder: Path) -> RawSet:
    """One of torchvision's sets, downloaded at first use; whatever goes wrong becomes a DataError with a way out."""
    choose: list[dict[str, Any]] = [{"train": True}, {"train": False}]
    if name == "svhn":
        choose = [{"split": "train"}, {"split": "test"}]
    try:
        try:  # there already: a folder that can only be read will do
            train, test = (_DOWNLOADED[name](folder, **which) for which in choose)
        except (OSError, RuntimeError, EOFError, ValueError, AssertionError):
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / f".{name}.lock"):  # torchvision downloads in place; two at a time damage the file
                train, test = (_DOWNLOADED[name](folder, download=True, **which) for which in choose)
    except (OSError, RuntimeError, HTTPException, EOFError, ValueError, AssertionError) as error:
        raise _download_error(name, folder, error) from error
    return RawSet(_from_torchvision(train), _from_torchvision(test), tuple(getattr(train, "classes", _TEN_DIGITS)))


def _download_error(name: str, folder: Path, error: Exception) -> DataError:
    """Tell a folder that refuses files from a network that does not answer: torchvision raises OSError for both."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as refused:
        return _cannot_use(folder, refused)
    return DataError(
        f"could not get the data set {name!r} into {folder}: {error}. It needs the network at first use, and a damaged "
        f"file in that folder has to be deleted by hand. Sets that need no network: {', '.join(OFFLINE)}"
    )


def _from_torchvision(part: Any) -> Labelled:
    """A torchvision data set as bytes [n, channels, height, width]; SVHN's label 10 is already 0 there."""
    images = torch.as_tensor(part.data)
    if images.ndim == 3:
        images = images.unsqueeze(1)
    elif images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    return Labelled(images, torch.as_tensor(part.labels if hasattr(part, "labels") else part.targets))


# --- sets made on the spot. RandomState, not Generator: numpy promises that its numbers never change (NEP 19).


def _read_digits() -> RawSet:
    """scikit-learn's 1,797 real 8×8 digits (pixels 0 to 16): 1,347 for training, 450 for test, stratified."""
    digits = sklearn.datasets.load_digits()
    scaled = torch.from_numpy(digits.images / 8 - 1).float().unsqueeze(1)
    targets = torch.from_numpy(digits.target).long()
    train, test = train_test_split(np.arange(len(targets)), test_size=450, stratify=digits.target, random_state=0)
    return RawSet(Labelled(scaled[train], targets[train]), Labelled(scaled[test], targets[test]), _TEN_DIGITS)


def _make_moons() -> RawSet:
    """Two half moons: 1,000 training and 1,000 test points, noise 0.1, shifted and scaled by constants into [-1, 1].

    The constants leave five standard deviations of noise on each side. Each axis ends with a spread of about 0.4.
    """

    def draw(seed: int) -> Labelled:
        points, labels = sklearn.datasets.make_moons(1000, noise=0.1, random_state=seed)
        return Labelled(torch.from_numpy((points - (0.5, 0.25)) / (2, 1.25)).float(), torch.from_numpy(labels).long())

    return RawSet(draw(0), draw(1), ("upper moon", "lower moon"))


def _make_rings() -> RawSet:
    """A ring in a ring, radii 1 and 0.4: 1,000 training and 1,000 test points, noise 0.1, divided by 1.5."""

    def draw(seed: int) -> Labelled:
        points, labels = sklearn.datasets.make_circles(1000, noise=0.1, factor=0.4, random_state=seed)
        return Labelled(torch.from_numpy(points / 1.5).float(), torch.from_numpy(labels).long())

    return RawSet(draw(0), draw(1), ("outer ring", "inner ring"))


def _make_mnist_rgb(mnist: RawSet) -> RawSet:
    """MNIST digits in random colours over crops of scikit-learn's two sample photographs: 3×32×32, the label stays.

    Training images see the left half of each photograph, test images the right half.
    """
    photographs = np.stack(sklearn.datasets.load_sample_images().images).transpose(0, 3, 1, 2)
    left, right = np.split(photographs, 2, axis=3)
    train = _over_photographs(mnist.train.images, left, np.random.RandomState(0))
    test = _over_photographs(mnist.test.images, right, np.random.RandomState(1))
    return RawSet(mnist.train._replace(images=train), mnist.test._replace(images=test), mnist.class_names)


def _over_photographs(digits: Tensor, photographs: np.ndarray, random: np.random.RandomState) -> Tensor:
    """Blend digits [n, 1, 28, 28], padded to 32×32, over crops of photographs [p, 3, height, width]; all uint8.

    A digit gets a dark colour on a bright crop and a bright one on a dark crop, so that it can always be read.
    """
    windows = sliding_window_view(photographs, (32, 32), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    where = (random.randint(size, size=len(digits)) for size in windows.shape[:3])
    blended = windows[tuple(where)]
    colours = random.randint(0, 80, size=(len(digits), 3, 1, 1))
    for chunk in np.array_split(np.arange(len(digits)), max(1, len(digits) // 5000)):  # bounds the memory
        crops = blended[chunk].astype(np.float32)
        is_dark = crops.mean(axis=(1, 2, 3), keepdims=True) < 128
        opacity = np.pad(digits[chunk, 0].numpy(), ((0, 0), (2, 2), (2, 2)))[:, None] / np.float32(255)
        colour = np.where(is_dark, 255 - colours[chunk], colours[chunk]).astype(np.float32)
        blended[chunk] = crops + opacity * (colour - crops)
    return torch.from_numpy(blended)
