"""Colours and markers of methods, and the frame of every figure.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; a marker of its own doubles each colour.
"""

import zlib
from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

COLOURS = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73", "yellow": "#F0E442",
           "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7", "grey": "#8A8A8A"}  # fmt: skip
_SPARE_COLOURS, _SPARE_MARKERS = ("#332288", "#44AA99", "#661100", "#117733"), "*hd8"


class _Styles(dict[str, tuple[str, str, str]]):
    """Name of a method -> label, colour, marker; for a method that is not listed they follow from its name."""

    def __missing__(self, method: str) -> tuple[str, str, str]:
        number = zlib.crc32(method.encode())  # the same in every session
        return method.replace("_", " "), _SPARE_COLOURS[number % 4], _SPARE_MARKERS[number // 4 % 4]


# the same in every figure of the course
METHOD_STYLES = _Styles({
    "supervised": ("supervised", COLOURS["grey"], "o"),
    "gan": ("plain GAN", COLOURS["black"], "v"),
    "sgan": ("SGAN (N+1 classes)", COLOURS["blue"], "s"),
    "two_head": ("SGAN (two heads)", COLOURS["sky"], "D"),
    "feature_matching": ("feature matching", COLOURS["vermilion"], "^"),
    "bad_gan": ("bad GAN", COLOURS["purple"], "P"),
    "bigan": ("BiGAN", COLOURS["green"], "X"),
    "conditional_sgan": ("conditional SGAN", "#997700", "p"),  # yellow lines vanish on white
    "pseudo_label": ("pseudo-label", COLOURS["orange"], "<"),
    "consistency": ("consistency", "#882255", ">"),
    "linear": ("linear", "#777777", "1"),
    "rbf_svm": ("SVM, Gaussian kernel", "#555555", "2"),
    "self_training": ("self-training, linear", "#AA7744", "3"),
    "label_spreading": ("label spreading", "#117733", "4"),
})  # fmt: skip


def stroke_of(marker: str) -> dict[str, float]:
    """What makes a marker of three strokes, as baselines have, as easy to see as a filled one."""
    return {"markersize": 15, "markeredgewidth": 3} if marker in "1234" else {}


def methods_in(names: Iterable[str]) -> list[str]:
    """The different methods among these, in the order of `METHOD_STYLES`; those that it lacks follow, by name."""
    present = set(names)
    return [method for method in METHOD_STYLES if method in present] + sorted(present - set(METHOD_STYLES))


def use_course_style() -> None:
    """Set matplotlib's defaults for the notebooks: readable sizes, no box, a title that starts at the left."""
    sns.set_theme(style="ticks", font_scale=0.95)
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left",
                         "axes.titleweight": "bold", "figure.dpi": 100, "savefig.dpi": 150})  # fmt: skip


def new_figure(width: float = 7.0, height: float = 3.6, rows: int = 1, columns: int = 1) -> tuple[Figure, np.ndarray]:
    """A figure of `width` × `height` inches and its axes as an array [rows, columns].

    It is closed at once, so that a notebook shows it where it is returned and nowhere else.
    """
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)
    plt.close(figure)
    return figure, axes


def add_title(figure: Figure, title: str) -> Figure:
    """The figure, with its message above all panels."""
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure
