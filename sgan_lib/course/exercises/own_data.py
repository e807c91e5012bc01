"""`10_your_data`: checkers for copies, macro-F1 and a decision; the folder that it practises on, and two pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from PIL import Image

from sgan_lib import comparison, data
from sgan_lib.course import plotting
from sgan_lib.course.exercises.checking import checker, compare, number
from sgan_lib.course.exercises.worked import solution

N_IMAGES, N_LABELLED = 3000, 150
FREQUENT = 5  # the classes 0 to 4 are five times as frequent as 5 to 9
COPIED = (5, 12, 21)  # labelled images of which the folder holds a second file


def write_example(folder: str | Path, copies: bool = True) -> None:
    """Write 3,000 images of `mnist_rgb` as PNG files: 150 in folders of their classes, the others in `unlabelled`.

    Images are drawn with classes 0 to 4 five times as frequent as 5 to 9, always the same ones. With `copies` there
    are three files more: of one labelled image in `unlabelled`, of one in its own class, packed anew, and of one in
    another class. Without, the image that two classes would claim has no label.
    """
    images, labels = data.read("mnist_rgb").train
    truth = labels.numpy()
    weight = np.where(np.arange(10) < FREQUENT, 5, 1)[truth] / np.bincount(truth)[truth]
    rows = np.random.RandomState(0).choice(len(truth), N_IMAGES, replace=False, p=weight / weight.sum())
    places = [str(truth[row]) if index < N_LABELLED else "unlabelled" for index, row in enumerate(rows)]
    in_pool, in_class, in_two = COPIED
    names = [f"{places[index]}/{index:04d}" for index in range(N_IMAGES)]
    if not copies:
        names[in_two] = f"unlabelled/{places[in_two]}-{in_two:04d}"
    files = dict(zip(names, rows, strict=True))
    if copies:
        other = (truth[rows[in_two]] + 1) % FREQUENT
        files["unlabelled/3000"] = rows[in_pool]
        files[f"{places[in_class]}/3001"] = rows[in_class]
        files[f"{other}/3002"] = rows[in_two]
    for name, row in files.items():
        path = Path(folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(images[int(row)].permute(1, 2, 0).numpy())
        picture.save(path, compress_level=9 if path.stem == "3001" else 1)  # the same pixels, packed in another way


def write_new(folder: str | Path, count: int = 3) -> None:
    """Write the first test images of `mnist_rgb`, which `write_example` never draws."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(data.read("mnist_rgb").test.images[:count]):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(Path(folder) / f"new-{index}.png")


def show_files(folder: str | Path, names: Sequence[str], title: str) -> Figure:
    """Image files of any size, six in a row, each with its name below."""
    pixels = [np.asarray(Image.open(Path(folder) / name).convert("RGB").resize((64, 64))) for name in names]
    images = data.as_images(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
    return plotting.image_grid(images, title, names, per_row=6, size=1.4)


def draw_gains(gains: Mapping[str, tuple[pd.Series, float, float]], best: str) -> Figure:
    """Paired differences in macro-F1 to the best simple classifier: a row per method, a dot per fold, mean, interval.

    `gains`: method -> (differences in points by fold, ends of the interval of their mean).
    """
    names = [plotting.METHOD_STYLES[method][0] for method in gains]
    ahead = sum(low > 0 for _, low, _ in gains.values())
    figure, axes = plotting.new_figure(8, 0.5 * len(gains) + 1.2)
    panel = axes[0, 0]
    for y, (method, (points, low, high)) in enumerate(gains.items()):
        _, colour, marker = plotting.METHOD_STYLES[method]
        mean = points.mean()
        look = {"markersize": 8, "markeredgewidth": 1.5} | plotting.stroke_of(marker)
        panel.errorbar(mean, y, xerr=[[mean - low], [high - mean]], fmt=marker, color=colour, capsize=4,
                       capthick=1.5, **look)  # fmt: skip
        panel.plot(points, [y + 0.25] * len(points), ".", color=colour, alpha=0.5)
    panel.axvline(0, color="black", linewidth=0.8)
    panel.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.4, -0.6),
              xlabel=f"macro-F1 minus that of {plotting.METHOD_STYLES[best][0]} on the same fold, points",
              title=f"Clearly ahead of the best simple classifier: {ahead} of {len(gains)} methods")  # fmt: skip
    return figure


def _groups(result: Any) -> list[list[str]] | None:
    """Groups of names in one order, whatever order they came in; None where the result is nothing of the kind."""
    if not isinstance(result, list | tuple) or not all(isinstance(group, list | tuple | set) for group in result):
        return None
    if not all(isinstance(name, str) for group in result for name in group):
        return None
    return sorted(sorted(group) for group in result)


@checker("own_data.same_pictures", hints=(
    "Comparing each picture with each other one takes 4.5 million comparisons. What could you look up in a dictionary?",
    "An array is no key of a dictionary, but its bytes are, and a hash of them is shorter. The bytes alone do not "
    "know the array's shape, so let the key hold that as well.",
))  # fmt: skip
def _same_pictures(answer: Callable[[list[tuple[str, np.ndarray]]], Any]) -> str | None:
    random = np.random.RandomState(0)
    first, second, third = (random.randint(256, size=(4, 6, 3)).astype(np.uint8) for _ in range(3))
    lighter = first.copy()
    lighter[0, 0, 0] ^= 1
    blank = np.zeros((4, 6, 3), np.uint8)
    cases: dict[str, tuple[dict[str, np.ndarray], list[list[str]]]] = {
        "three different pictures": ({"a": first, "b": second, "c": third}, []),
        "two files with the same picture": ({"a": first, "b": second, "c": first.copy()}, [["a", "c"]]),
        "two pictures that differ in one value by 1": ({"a": first, "b": lighter}, []),
        "two pictures, one three times and one twice": (
            {"a": first, "b": second, "c": first.copy(), "d": second.copy(), "e": first.copy(), "f": third},
            [["a", "c", "e"], ["b", "d"]],
        ),
        "two black pictures of different shapes": ({"a": blank, "b": blank.reshape(6, 4, 3)}, []),
    }
    for name, (pictures, right) in cases.items():
        groups = _groups(answer([(key, picture.copy()) for key, picture in pictures.items()]))
        if groups is None:
            return "the function must give back a list with one list of file names per group"
        if groups != right:
            named = [name for group in groups for name in group]
            more = "; a picture without a copy is no group" if any(len(group) < 2 for group in groups) else ""
            more = "; a picture is no copy of itself" if any(len({*group}) < len(group) for group in groups) else more
            more = more or ("; put all names of a picture into one group" if len({*named}) < len(named) else "")
            to_find = {0: "is no group", 1: "is one group", 2: "are two groups"}[len(right)]
            return f"for {name} there {to_find} to find; your function finds {len(groups)}{more}"
    return None


@checker("own_data.macro_f1", hints=(
    "Precision divides the hits by one kind of sum, recall by the other. Put both into the formula of F1 before you "
    "compute, and see what cancels.",
    "A class that is never predicted has no precision, but its hits are 0, and so is its F1. Which denominator is "
    "never 0 for a class that occurs? Leave out the classes where it is 0.",
))  # fmt: skip
def _macro_f1(answer: Callable[[np.ndarray], Any]) -> str | None:
    cases: dict[str, list[list[int]]] = {
        "all right": [[5, 0], [0, 1]],
        "two classes, 90 and 10 images": [[85, 5], [6, 4]],
        "three classes": [[50, 3, 2], [4, 9, 0], [7, 1, 2]],
        "a class that is never predicted": [[20, 0, 1], [3, 0, 2], [1, 0, 9]],
        "a class that has no image and is never predicted": [[20, 1, 0], [3, 6, 0], [0, 0, 0]],
    }
    for name, matrix in cases.items():
        counts = np.array(matrix)
        total, hits = counts.sum(), counts.diagonal()
        seen, said = counts.sum(axis=1).clip(1), counts.sum(axis=0).clip(1)
        precision, recall = (hits / said).mean(), (hits / seen).mean()
        f1 = 2 * hits / (seen + said)
        mistakes = {
            f"for {name} your result is in percent; give a number in [0, 1]": 100 * comparison.macro_f1(matrix),
            f"for {name} your result leaves that class out; without a hit its F1 is 0": f1[hits > 0].mean(),
            f"for {name} your result is the accuracy, which weighs images alike and not classes": hits.sum() / total,
            f"for {name} your result is the mean recall; precision is missing": recall,
            f"for {name} your result is the mean precision; recall is missing": precision,
            f"for {name} your result is made of the mean precision and the mean recall; take F1 of each class first":
                2 * precision * recall / (precision + recall),
            f"for {name} your result gives each class its share of the images as weight":
                float((f1 * counts.sum(axis=1)).sum() / total),
            f"for {name} your result counts a class that does not occur": f1.mean(),
        }  # fmt: skip
        result, right = number(answer(counts.copy())), comparison.macro_f1(matrix)
        if not np.isfinite(result):
            return f"for {name} your result is {result}: somewhere 0 is divided by 0"
        otherwise = f"for {name} your result is {result:.4g}, and that is not the mean over classes of their F1"
        if complaint := compare(result, right, mistakes, otherwise):
            return complaint
    return None


@solution("own_data.macro_f1")
def _f1(confusion: np.ndarray) -> float:
    return comparison.macro_f1(confusion.tolist())


@solution("own_data.decide")
def _rule(low: float, high: float) -> str:
    return "GAN" if low > 0 else "baseline" if high < 0 else "undecided"


@checker("own_data.decide", hints=(
    "A large mean is no reason. Only the two ends of the interval matter.",
    "Two cases are clear: both ends above 0, or both below. And what does an interval contain whose end is 0?",
))  # fmt: skip
def _decide(answer: Callable[[float, float], Any]) -> str | None:
    cases = {
        (1.5, 9.0): "GAN", (-8.0, -0.5): "baseline", (-3.0, 7.0): "undecided", (-6.0, 1.0): "undecided",
        (0.1, 0.3): "GAN", (0.0, 4.0): "undecided", (-4.0, 0.0): "undecided",
    }  # fmt: skip
    for (low, high), right in cases.items():
        result = answer(low, high)
        if result not in ("GAN", "baseline", "undecided"):
            return f"the answer must be one of GAN, baseline, undecided; got {result!r:.60}"
        if result != right:
            where = "contains 0" if low < 0 < high else "lies above 0" if low > 0 else "lies below 0"
            where = "has 0 as one of its ends" if 0 in (low, high) else where
            return f"the interval from {low:g} to {high:g} {where}; you say {result!r}"
    return None
