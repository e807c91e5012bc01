"""Pictures: images in rows, samples by class, the plane as classifiers divide it, a confusion matrix, a stored PNG."""

from collections.abc import Callable, Collection, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from sgan_lib.course.plotting.style import COLOURS, add_title, new_figure
from sgan_lib.course.stored import course_file
from sgan_lib.data import as_images
from sgan_lib.runtime import check_tensor

_CLASS_MARKS = (("o", "vermilion"), ("s", "blue"))  # of classes 0 and 1
_REAL = LinearSegmentedColormap.from_list("real", ["#FFFFFF", "#8FCDB4"])  # of p(real | x), unlike both classes
_TWO_CLASSES = LinearSegmentedColormap.from_list("classes", ["#F6CDB8", "#FFFFFF", "#B9DAF0"])  # the same colours, pale


def _as_pictures(images: Tensor) -> np.ndarray:
    """[n, channels, height, width], bytes or in [-1, 1] -> [n, height, width] or [n, height, width, 3] in [0, 1].

    What lies beyond, as noise does, is cut off; numbers beyond 10 are no such images.
    """
    check_tensor("images", images, ("n", "channels", "height", "width"))
    if images.is_floating_point() and images.numel() and images.abs().max() > 10:
        raise ValueError(f"images must be bytes, or floats in [-1, 1]; got numbers up to {images.abs().max():g}")
    pictures = ((as_images(images.detach().cpu()).float() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])


def image_grid(
    images: Tensor, title: str, captions: Sequence[str] | None = None, per_row: int = 10, size: float = 0.7
) -> Figure:
    """Images [n, channels, height, width] in [-1, 1] in rows, `captions` below each; `size` of one, in inches."""
    rows = -(-len(images) // per_row)
    height = size + (0.25 if captions else 0.05)
    figure, axes = new_figure(size * per_row, height * rows + 0.4, rows, per_row)
    for cell in axes.flat[len(images) :]:
        cell.set_axis_off()
    for i, (cell, picture) in enumerate(zip(axes.flat, _as_pictures(images), strict=False)):
        _show(cell, picture)
        cell.spines[:].set(visible=True, color="white", linewidth=2.5)
        if captions:
            cell.set_xlabel(_label(captions[i], 60), fontsize=8, labelpad=2)
    return add_title(figure, title)


def filmstrip(frames: Mapping[str, Tensor], title: str) -> Figure:
    """One row a frame: the key names it, the images [n, channels, height, width] in [-1, 1] stand beside it."""
    columns = len(next(iter(frames.values())))
    figure, axes = new_figure(0.6 * columns + 1.2, 0.6 * len(frames) + 0.4, len(frames), columns)
    for row, (name, images) in zip(axes, frames.items(), strict=True):
        for cell, picture in zip(row, _as_pictures(images), strict=True):
            _show(cell, picture)
            cell.spines[:].set_visible(False)
        row[0].set_ylabel(_label(name, 24), rotation=0, ha="right", va="center")
    return add_title(figure, title)


def latent_pairs(kinds: Mapping[str, tuple[Tensor, Tensor]], title: str) -> Figure:
    """Images [n, channels, height, width], each beside its latent, in [-1, 1]: a row a kind, latents as five rows."""
    n = len(next(iter(kinds.values()))[0])
    figure, axes = new_figure(1.5 * n + 1.2, 0.75 * len(kinds) + 0.5, len(kinds), 2 * n)
    for row, (name, (images, latents)) in zip(axes, kinds.items(), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for picture, latent, left, right in zip(_as_pictures(images), latents, row[::2], row[1::2], strict=True):
            _show(left, picture)
            right.imshow(latent.detach().cpu().reshape(5, -1).numpy(), cmap="PuOr", vmin=-1, vmax=1)
            right.set(xticks=[], yticks=[])
            right.spines[:].set_visible(False)
    return add_title(figure, title)


def samples_by_class(panels: Mapping[str, Tensor], title: str) -> Figure:
    """What generators draw when asked for each class: a panel a generator, a row a class.

    Args:
        panels: title of the panel -> images [classes, n, channels, height, width] in [-1, 1].
        title: the message.
    """
    classes, n = next(iter(panels.values())).shape[:2]
    figure, axes = new_figure(0.36 * n * len(panels) + 0.8, 0.36 * classes + 0.8, 1, len(panels))
    for cell, (name, images) in zip(axes[0], panels.items(), strict=True):
        height = images.shape[-2] + 1
        sheet = torch.nn.functional.pad(images, (0, 1, 0, 1)).permute(2, 0, 3, 1, 4)  # between them mid-grey, 0
        _show(cell, _as_pictures(sheet.flatten(3, 4).flatten(1, 2)[None])[0])
        cell.set_yticks([(k + 0.5) * height - 1 for k in range(classes)], range(classes))
        cell.tick_params(length=0)
        cell.spines[:].set_visible(False)
        cell.set_title(name, weight="normal", fontsize=10)
    axes[0, 0].set_ylabel("class asked for")
    return add_title(figure, title)


def decision_regions(
    panels: Mapping[str, Callable[[Tensor], Tensor] | None],
    points: Tensor,
    labelled: tuple[Tensor, Tensor],
    title: str,
    generated: Mapping[str, Tensor] | None = None,
    crosses: str = "generated",
    real: Collection[str] = (),
) -> Figure:
    """How classifiers of two classes divide the plane, a panel each: pale fills in the colours of the classes.

    Args:
        panels: title of the panel -> function from points [n, 2] to the probability of class 1, [n], in [0, 1]; None
            leaves the plane white.
        points: unlabelled points [n, 2], drawn small and grey.
        labelled: their positions [m, 2] and classes [m], drawn large.
        title: the message.
        generated: panel's title -> generated points [n, 2], drawn as small crosses.
        crosses: what the legend calls them.
        real: titles of the panels whose function is the probability of "real"; they are filled in green.
    """
    steps = torch.linspace(-1.1, 1.1, 160)
    across, up = torch.meshgrid(steps, steps, indexing="xy")
    figure, axes = new_figure(3.3 * len(panels), 4.0, 1, len(panels))
    for cell, (name, probability) in zip(axes[0], panels.items(), strict=True):
        if probability is not None:
            shades = probability(torch.stack([across.flatten(), up.flatten()], dim=1)).reshape(across.shape)
            colours = _REAL if name in real else _TWO_CLASSES
            cell.contourf(across, up, shades.numpy(), levels=np.linspace(0, 1, 11), cmap=colours)
            cell.contour(across, up, shades.numpy(), levels=[0.5], colors="black", linewidths=1.5)
        cell.scatter(*points.T.numpy(), s=4, color="#777777", linewidths=0, label="unlabelled")
        if generated and name in generated:
            cell.scatter(*generated[name].T.numpy(), s=14, marker="x", color="black", linewidths=0.8, label=crosses)
        for k, (marker, colour) in enumerate(_CLASS_MARKS):
            cell.scatter(*labelled[0][labelled[1] == k].T.numpy(), s=80, marker=marker, edgecolor="black",
                         color=COLOURS[colour], zorder=3, label=f"label {k}")  # fmt: skip
        cell.set(xticks=[], yticks=[], aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))
        cell.set_title(name, weight="normal", fontsize=10)
    named = {name: mark for cell in axes[0] for mark, name in zip(*cell.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=len(named), frameon=False)
    return add_title(figure, title)


def confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str], title: str) -> Figure:
    """A confusion matrix of counts, true class by row; the diagonal is as pale as a cell without errors."""
    counts, names = np.asarray(matrix), [_label(name) for name in class_names]
    figure, axes = new_figure(max(5.2, 0.3 * len(names)), max(4.6, 0.27 * len(names)))
    mistakes = counts * (1 - np.eye(len(counts), dtype=int))
    sns.heatmap(mistakes, annot=counts, fmt="d", cmap="Oranges", cbar=False, ax=axes[0, 0], linewidths=0.5,
                xticklabels=names, yticklabels=names, annot_kws={"size": 8})  # fmt: skip
    axes[0, 0].set(xlabel="predicted class", ylabel="true class", title=title)
    axes[0, 0].tick_params(axis="y", rotation=0)
    return figure


def _label(name: str, longest: int = 16) -> str:
    """A class's name as a label: at most so many letters, and a dollar is a dollar, no mathematics."""
    return (name if len(name) <= longest else f"{name[: longest - 1]}…").replace("$", r"\$")


def stored_figure(name: str, width: float = 8.0) -> Figure:
    """A PNG of `figures/`, by file name, as a figure of `width` inches.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    picture = plt.imread(course_file("figures", name))
    figure, axes = new_figure(width, width * picture.shape[0] / picture.shape[1])
    axes[0, 0].imshow(picture)
    axes[0, 0].set_axis_off()
    return figure
