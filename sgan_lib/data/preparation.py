"""From arrays of the caller's own to what networks see: the same way for training images and for new ones."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn import functional as F

from sgan_lib.runtime import check_whole_number

Range = tuple[float, float]
_WHOLE = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "bool": (0.0, 1.0)}  # what these types stand for
_FOUND = ((0.0, 1.0), (-1.0, 1.0))  # ranges that are recognised in other numbers


def as_images(stored: Tensor) -> Tensor:
    """Images in [-1, 1], float32, from bytes in [0, 255]; floats are images already."""
    return stored.float().div_(127.5).sub_(1) if stored.dtype == torch.uint8 else stored


@dataclass(frozen=True)
class Preparation:
    """What the images of a data set have gone through: called on new arrays, it lets them go the same way."""

    shape: tuple[int, ...]  # (channels, height, width), or (columns,) for a table
    value_range: Range | None = (-1.0, 1.0)  # what floats run over; None: [0, 1], as training saw whole numbers
    mean: tuple[float, ...] = ()  # of each column of a table; () for images and for points that stay as they are
    deviation: tuple[float, ...] = ()
    as_given: tuple[str, ...] = ()  # types, such as uint8, whose numbers run over `value_range` too
    margin: bool = False  # grey images that are a little smaller get a black margin, as by `load`

    @classmethod
    def of(cls, X: Any, image_size: int | Sequence[int] | None = None, value_range: Range | None = None) -> Any:
        """The preparation of these training arrays; the arguments are those of `from_arrays`. Raises as `__call__`."""
        array = to_array(X, "X")
        if array.ndim == 2:
            for name, value in {"image_size": image_size, "value_range": value_range}.items():
                if value is not None:
                    raise ValueError(f"{name} must be None for a table of columns; got {value!r}")
            if (array == array[0]).all():
                raise ValueError(f"X must have a column that varies; all {len(array)} training rows are equal")
            scaler = StandardScaler().fit(array.astype(float))
            return cls(array.shape[1:], None, tuple(scaler.mean_.tolist()), tuple(scaler.scale_.tolist()))
        if array.dtype == np.uint8 and value_range is None and array.max() <= 16:
            got = f"bytes in [0, {array.max()}]: value_range says theirs"
            raise ValueError(f"X must use the range of its bytes, [0, 255]; got {got}")
        sides = array.shape[2:] if image_size is None else sides_of(image_size)
        as_given = (array.dtype.name,) if value_range is not None else ()
        return cls((array.shape[1], *sides), _range_of(array, value_range), as_given=as_given)

    def __call__(self, X: Any, name: str = "X", single: bool = True) -> Tensor:
        """New arrays [n, ...] as images [n, *shape]: bytes stay bytes where they have the size, all else is float32.

        Images may be of another size, and a `single` one without its batch axis. Floats are in [0, 1] where
        `value_range` is None. Raises TypeError or ValueError, naming the argument `name`, for other channels or
        columns, or numbers out of range or not finite.
        """
        array = to_array(X, name, self.shape if single else ())
        kind, parts = ("images", "channels") if len(self.shape) == 3 else ("columns", "columns")
        if array.ndim != len(self.shape) + 1:
            raise ValueError(f"{name} must hold {kind} as in training; got shape {list(array.shape)}")
        if array.shape[1] != self.shape[0]:
            raise ValueError(f"{name} must have {self.shape[0]} {parts} as in training; got {array.shape[1]}")
        if len(self.shape) == 1:
            scaled = (array - np.asarray(self.mean or 0.0)) / np.asarray(self.deviation or 1.0)
            return torch.from_numpy(scaled.astype(np.float32))
        return resized(_scaled(array, name, self.value_range, self.as_given), self.shape[1:], self.margin)


def to_array(X: Any, name: str, shape: tuple[int, ...] = ()) -> np.ndarray:
    """X as [n, channels, height, width] or [n, columns]; one image gets a batch axis where `shape` tells it apart."""
    try:
        half = isinstance(X, Tensor) and X.dtype == torch.bfloat16  # which numpy does not know
        array = np.asarray((X.float() if half else X).detach().cpu() if isinstance(X, Tensor) else X)
    except ValueError as error:
        raise ValueError(f"{name} must hold images of one size; {error}") from error
    if array.dtype.kind not in "buif" or np.ma.is_masked(X):
        raise TypeError(f"{name} must hold numbers; got {array.dtype}{' and masked ones' * np.ma.is_masked(X)}")
    if len(shape) == 3 and array.ndim == 2 and array.shape[1] == prod(shape):
        raise ValueError(f"{name} must hold images as in training, {list(shape)}; got columns, {list(array.shape)}")
    small = len(shape) == 3 and array.ndim in (2, 3)
    if small and (array.ndim == 2 or shape[0] > 1 or array.shape[-1] in {1, 3, 4} - {shape[2]}):
        array = array[None]
    array = array[:, None] if array.ndim == 3 else array
    if array.ndim == 4 and (array.shape[1] > 4 or (array.shape[1] in (2, 4) and array.shape[3] in (1, 3))):
        array = np.moveaxis(array, 3, 1)
    if array.ndim not in (2, 4) or (array.ndim == 4 and not 1 <= array.shape[1] <= 4) or 0 in array.shape:
        allowed = "images [n, height, width], with 1 to 4 channels first or last, or columns [n, d]"
        raise ValueError(f"{name} must hold {allowed}; got shape {list(np.shape(X))}")
    if not float(np.abs(array).max()) < 1e150:  # whose square is finite
        raise ValueError(f"{name} must hold finite numbers below 1e150; it contains larger ones, NaN or infinity")
    return array


def _range_of(array: np.ndarray, given: Range | None) -> Range | None:
    """The range that training images run over: the given one, or one found in numbers that are not bytes."""
    if given is not None:
        low, high = given if np.shape(given) == (2,) and np.asarray(given).dtype.kind in "iuf" else (0, 0)
        if not -np.inf < low < high < np.inf:
            raise ValueError(f"value_range must be two finite numbers, low < high; got {given!r}")
        if low < 0 and array.dtype.name in _WHOLE:
            raise ValueError(f"value_range must begin at 0 or above for {array.dtype}; got {given!r}")
        _check_within(array, (low, high), "value_range must hold all values of X")
        return float(low), float(high)
    low, high = float(array.min()), float(array.max())
    fitting = [found for found in _FOUND if found[0] <= low and high <= found[1]]
    if array.dtype.name in _WHOLE or fitting:
        return fitting[0] if array.dtype.name not in _WHOLE else None
    found = f"{array.dtype} from {low:g} to {high:g}. If that is their whole range, say value_range=({low:g}, {high:g})"
    raise ValueError(f"X must hold bytes in [0, 255], or numbers in [0, 1] or [-1, 1]; got {found}")


def _check_within(array: np.ndarray, allowed: Range, what: str, advice: str = "") -> None:
    low, high, slack = float(array.min()), float(array.max()), 1e-3 * (allowed[1] - allowed[0])
    if not (allowed[0] - slack <= low and high <= allowed[1] + slack):
        raise ValueError(f"{what}, {array.dtype} from {low:g} to {high:g}; got {allowed}{advice}")


def _scaled(array: np.ndarray, name: str, value_range: Range | None, as_given: tuple[str, ...]) -> Tensor:
    """Bytes as they are, all else as float32 in [-1, 1]."""
    if array.dtype.name in {*_WHOLE} - {*as_given} and value_range in (None, *_FOUND):
        value_range = _WHOLE[array.dtype.name]
    if array.dtype == np.uint8 and value_range == _WHOLE["uint8"]:
        return torch.from_numpy(np.ascontiguousarray(array))
    if value_range == (-1, 1) and array.min() >= 0:
        warnings.warn(f"{name} has no number below 0, but is taken as in [-1, 1]; of [0, 1] give 2x - 1", stacklevel=4)
    advice = "" if value_range else ", as training saw whole numbers: give such, or (X + 1) / 2 of floats in [-1, 1]"
    low, high = value_range = value_range or (0.0, 1.0)
    _check_within(array, value_range, f"the range of the training images must hold the values of {name}", advice)
    return torch.from_numpy(np.clip((array.astype(np.float32) - low) / (high - low) * 2 - 1, -1, 1))


def sides_of(image_size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) of an image size, 4 to 128 each."""
    both = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(both) != 2:
        raise ValueError(f"image_size must be a side, or (height, width); got {image_size!r}")
    height, width = (check_whole_number("image_size", side, at_least=4, at_most=128) for side in both)
    return height, width


def resized(images: Tensor, sides: tuple[int, ...], margin: bool = False, as_bytes: bool = False) -> Tensor:
    """Bytes or floats [n, channels, height, width] in the wanted size, cut to its proportions around the centre.

    margin: grey images that lack up to a quarter of both sides get a black one; bytes stay bytes there or `as_bytes`.
    """
    if images.shape[2:] == sides:
        return images
    (height, width), (high, wide) = images.shape[2:], sides
    down, right = high - height, wide - width
    if margin and images.shape[1] == 1 and 0 < down <= height // 4 and 0 < right <= width // 4:
        black = 0 if images.dtype == torch.uint8 else -1.0
        return F.pad(images, (right // 2, right - right // 2, down // 2, down - down // 2), value=black)
    rows, columns = min(height, max(1, round(width * high / wide))), min(width, max(1, round(height * wide / high)))
    top, left = (height - rows) // 2, (width - columns) // 2
    cut = images[:, :, top : top + rows, left : left + columns]
    return F.interpolate(cut if as_bytes else as_images(cut), (high, wide), mode="bilinear", antialias=True)
