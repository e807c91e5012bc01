"""Images from files: of any format that Pillow reads, of any size, grey or in colour."""

import os
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps

from sgan_lib.data.preparation import Preparation, resized
from sgan_lib.data.sets import DataError
from sgan_lib.runtime import check_choice, check_path

_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")  # Pillow's modes without colour
_SIDES = (32, 32)  # that images of different sizes are brought to: small enough to train on a CPU


def image_table(folder: Path, unlabelled: str, labels: str | Path | None) -> pd.DataFrame:
    """One row per image of `from_folder`: path, label or None, test or not; `attrs`: the classes, sorted, and notes."""
    if not folder.is_dir():
        raise ValueError(f"folder must be a folder of images; there is none at {str(folder)!r}")
    check_choice("unlabelled", unlabelled)
    paths = image_files(folder, files := [*_files(folder)])
    notes = [f"{others} hidden and other files passed over"] if (others := len(files) - len(paths)) else []
    tops = [path.relative_to(folder).parts[0] if path.parent != folder else unlabelled for path in paths]
    table = pd.DataFrame({"path": paths, "label": tops, "test": [top == "test" for top in tops]}, dtype=object)
    if labels is not None:
        table["label"] = _labels_from_csv(check_path("labels", labels), folder, paths)
    else:
        table["label"] = table["label"].replace("unlabeled", unlabelled)  # spelt as in America
        rows = table["test"].astype(bool)
        below = [path.relative_to(folder).parts for path in table["path"][rows]]
        if odd := [parts[1] for parts in below if len(parts) < 3]:
            raise ValueError(f"folder must have a subfolder for each class in its subfolder test; {odd[0]} is in none")
        table.loc[rows, "label"] = [parts[1] for parts in below]
        table.loc[table["label"] == unlabelled, "label"] = None
    subfolders = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}
    _check_names(subfolders, unlabelled)
    classes = set(table["label"].dropna())
    if labels is None:  # a class whose folder is empty is a class all the same
        if absent := classes - subfolders:
            raise ValueError(f"folder must have a subfolder for each class of its test; {min(absent)!r} has none")
        classes = subfolders - {unlabelled, "test", "unlabeled"}
    if not classes:
        raise ValueError(f"folder must have a subfolder for each class, or labels= to go by; got {folder}")
    table.attrs = {"classes": sorted(classes), "notes": notes}
    return table


def _check_names(subfolders: Collection[str], unlabelled: str) -> None:
    """Refuse a folder without labels that would pass for a class."""
    if unlabelled not in ("unlabelled", *subfolders):
        raise ValueError(f"unlabelled must be a subfolder, one of {', '.join(sorted(subfolders))}; got {unlabelled!r}")
    kept = ("unlabelled", "unlabeled", "test")
    if odd := [name for name in subfolders if name.casefold() in kept and name not in (*kept, unlabelled)]:
        raise ValueError(f"folder must have {odd[0]!r} written {odd[0].casefold()!r}")


def image_files(folder: Path, files: Collection[Path] | None = None) -> list[Path]:
    """Those of `files`, by default of all in and below a folder, with the suffix of an image, sorted; none hidden."""
    visible = (file for file in files or _files(folder) if not any(p[0] == "." for p in file.relative_to(folder).parts))
    suffixes = {suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    return sorted(path for path in visible if path.suffix.lower() in suffixes)


def _files(folder: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """All files in and below a folder, behind links too; one that leads back to a folder above it is not followed."""
    if (real := folder.resolve()) not in above and os.access(folder, os.R_OK | os.X_OK):
        for path in folder.iterdir():
            yield from _files(path, (*above, real)) if path.is_dir() else [path] if path.is_file() else []


def _labels_from_csv(file: Path, folder: Path, paths: Sequence[Path]) -> list[str | None]:
    """The label of each path by a CSV file with the columns file and label."""
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False, usecols=["file", "label"])
        names, labels = table["file"], table["label"].str.strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"labels must be a CSV file with the columns file, label; got {file} ({error})") from error
    named = [folder / name for name in names]
    if twice := names[pd.Series(named, dtype=object).duplicated()].tolist():
        raise ValueError(f"labels must name each file once; {file} names {twice[0]!r} again")
    known = set(paths)
    if absent := [name for name, path in zip(names, named, strict=True) if path not in known]:
        raise ValueError(f"labels must name images in {folder}; {file} names {absent[0]!r}")
    by_path = {path: label if label not in ("", "-1") else None for path, label in zip(named, labels, strict=True)}
    return [by_path.get(path) for path in paths]


def read_images(
    paths: Sequence[Path], sides: tuple[int, int] | None, channels: int | None, on_error: str, margin: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The images of some files as bytes, [n, channels, height, width]; which of the files these are; notes.

    Transparency is laid over white; 16 bits become 8; for `margin` see `preparation.resized`. sides=None keeps a common
    size of at most 128; channels=None: 3 if any image has colour, else 1. Raises DataError for a file that cannot be
    read, or, with on_error="skip", warns and goes on: such a file counts for neither.
    """
    heads, broken = _heads(paths), dict[Path, str]()
    damaged: Any = True
    while damaged:  # again, without the heads of such files
        (size, depth, notes), images = _alike(heads.values(), sides, channels), []
        for path in (path for path in paths if path not in broken):
            try:
                images.append(_pixels(path, size, depth, margin))
            except Exception as error:  # Pillow raises whatever a damaged file makes it stumble over
                broken[path] = f"{type(error).__name__}: {error}"
                if on_error == "raise":
                    raise DataError(f"{path} cannot be read as an image: {error}") from error
        damaged = [heads.pop(path) for path in broken if path in heads]
    if 0 < (highest := max((top for *_, top in heads.values()), default=0)) < 2**14:
        notes.append(f"16-bit images reach only {highest} of 65535 and are read as dark: brighten the files first")
        warnings.warn(notes[-1], stacklevel=3)
    if broken:
        first, reason = next(iter(broken.items()))
        notes.append(f"{len(broken)} files that cannot be read passed over, such as {first} ({reason})")
        warnings.warn(notes[-1], stacklevel=3)
    if not images:
        raise DataError(notes[-1] if broken else "no file has the suffix of an image")
    return np.stack(images), np.array([path not in broken for path in paths]), notes


def _alike(heads: Collection[Any], sides: tuple[int, int] | None, channels: int | None) -> tuple[Any, int, list[str]]:
    """The size and the channels to bring these images to, by default what all have, and notes on what that changes."""
    sizes, modes = {size for size, *_ in heads}, {mode for _, mode, _ in heads}
    small = [size[::-1] for size in sizes if max(size) <= 128]
    sides = sides or (small[0] if small and len(sizes) == 1 else _SIDES)
    channels = channels or (1 if modes <= {*_GREY} else 3)
    notes = [f"images of {len(sizes)} sizes brought to {sides[0]}x{sides[1]}"] if sizes != {sides[::-1]} else []
    notes += [f"modes {', '.join(sorted(modes))} as {'grey' if channels == 1 else 'RGB'}"] if len(modes) > 1 else []
    return sides, channels, notes


def read_new(where: str | Path | Sequence[str | Path], preparation: Preparation) -> np.ndarray:
    """The images of a file, of several, or of a folder, in the size and the colours of the training images."""
    paths = [check_path("X", each) for each in ([where] if isinstance(where, (str, Path)) else where)]
    if len(paths) == 1 and paths[0].is_dir():
        paths = image_files(paths[0])
    channels, *sides = preparation.shape
    if len(sides) != 2 or channels not in (1, 3) or preparation.value_range not in (None, (0, 1), (-1, 1), (0, 255)):
        trained = f"shape {preparation.shape}" + f" and range {preparation.value_range}" * (len(sides) == 2)
        raise ValueError(f"X must hold arrays of {trained}, as in training, which files cannot; got {where!r}")
    return read_images(paths, (sides[0], sides[1]), channels, "raise", preparation.margin)[0]


def _heads(paths: Sequence[Path]) -> dict[Path, tuple[tuple[int, int], str, int]]:
    """(width, height), mode, and the highest value of 16 bits, else 0, of each file whose head can be read."""
    heads = {}
    for path in paths:
        try:
            with Image.open(path) as image:
                turned = image.getexif().get(0x0112, 1) >= 5  # EXIF: lies on its side
                highest = int(image.getextrema()[1]) if image.mode.startswith("I") else 0  # type: ignore[arg-type]
                heads[path] = image.size[::-1] if turned else image.size, image.mode, highest
        except Exception:  # it is named when it is read
            continue
    return heads


def _pixels(path: Path, sides: tuple[int, int], channels: int, margin: bool) -> np.ndarray:
    """One image as bytes [channels, height, width], upright."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode.startswith("I"):  # 16 bits
            image = Image.fromarray((np.asarray(image) / 257).clip(0, 255).astype(np.uint8))
        if image.mode == "F":
            raise ValueError("its pixels are floats of unknown range")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("L" if channels == 1 else "RGB")
        pixels = torch.from_numpy(np.array(image).reshape(1, *image.size[::-1], channels)).movedim(3, 1)
        return resized(pixels, sides, margin, as_bytes=True)[0].numpy()
