"""Figures from results. Every function returns a `Figure` and shows nothing; in a notebook, let it end the cell.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; a marker of its own doubles each colour.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

COLOURS = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73", "yellow": "#F0E442",
           "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7", "grey": "#8A8A8A"}  # fmt: skip

# name of a method -> label, colour, marker: the same in every figure of the course
METHOD_STYLES = {
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
}


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


def _as_pictures(images: Tensor) -> np.ndarray:
    """[n, channels, height, width] in [-1, 1] -> [n, height, width] or [n, height, width, 3] in [0, 1]."""
    pictures = ((images.detach().cpu().float() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return pictures[..., 0] if pictures.shape[-1] == 1 else pictures


def _show(axes: Axes, picture: np.ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])


def image_grid(
    images: Tensor,
    title: str,
    captions: Sequence[str] | None = None,
    marked: Sequence[bool] | None = None,
    per_row: int = 10,
    size: float = 0.7,
) -> Figure:
    """Images [n, channels, height, width] in [-1, 1] in rows; `captions` below each, `marked` ones framed in red."""
    rows = -(-len(images) // per_row)
    height = size + (0.25 if captions else 0.05)
    figure, axes = new_figure(size * per_row, height * rows + 0.4, rows, per_row)
    for cell in axes.flat[len(images) :]:
        cell.set_axis_off()
    for i, (cell, picture) in enumerate(zip(axes.flat, _as_pictures(images), strict=False)):
        _show(cell, picture)
        is_marked = bool(marked is not None and marked[i])
        cell.spines[:].set(visible=True, color=COLOURS["vermilion"] if is_marked else "white", linewidth=2.5)
        if captions:
            cell.set_xlabel(captions[i], fontsize=8, color=COLOURS["vermilion"] if is_marked else "black", labelpad=2)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def filmstrip(frames: Mapping[str, Tensor], title: str, size: float = 0.6) -> Figure:
    """One row a frame: the key names it, the images [n, channels, height, width] in [-1, 1] stand beside it."""
    columns = len(next(iter(frames.values())))
    figure, axes = new_figure(size * columns + 1.2, size * len(frames) + 0.4, len(frames), columns)
    for row, (name, images) in zip(axes, frames.items(), strict=True):
        for cell, picture in zip(row, _as_pictures(images), strict=True):
            _show(cell, picture)
            cell.spines[:].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def samples_by_class(
    panels: Mapping[str, Tensor], title: str, marked: Mapping[str, Tensor] | None = None, size: float = 0.36
) -> Figure:
    """What generators draw when asked for each class: a panel a generator, a row a class.

    Args:
        panels: title of the panel -> images [classes, n, channels, height, width] in [-1, 1].
        title: the message.
        marked: panel's title -> which images are framed in red, [classes, n] of True or False.
        size: of an image, in inches.
    """
    classes, n = next(iter(panels.values())).shape[:2]
    figure, axes = new_figure(size * n * len(panels) + 0.8, size * classes + 0.8, 1, len(panels))
    for cell, (name, images) in zip(axes[0], panels.items(), strict=True):
        height, width = (side + 1 for side in images.shape[-2:])
        sheet = torch.nn.functional.pad(images, (0, 1, 0, 1)).permute(2, 0, 3, 1, 4)  # between them mid-grey, 0
        _show(cell, _as_pictures(sheet.flatten(3, 4).flatten(1, 2)[None])[0])
        cell.set_yticks([(k + 0.5) * height - 1 for k in range(classes)], range(classes))
        cell.tick_params(length=0)
        cell.spines[:].set_visible(False)
        cell.set_title(name, weight="normal", fontsize=10)
        for k, i in marked[name].nonzero().tolist() if marked and name in marked else []:
            corner = (i * width - 1, k * height - 1)
            cell.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=COLOURS["vermilion"], linewidth=2))
    axes[0, 0].set_ylabel("class asked for")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def errors_by_method(table: pd.DataFrame, title: str) -> Figure:
    """Test errors of several seeds: a point a run, lines between runs on the same split, means with 95 % intervals.

    `table` has a row a run and the columns method, seed, test_error (a fraction in [0, 1]). Raises ValueError for a
    method that has no style.
    """
    unknown = sorted(set(table["method"]) - set(METHOD_STYLES))
    if unknown:
        raise ValueError(f"table's methods must be among {', '.join(METHOD_STYLES)}; got {', '.join(unknown)}")
    methods = [method for method in METHOD_STYLES if method in set(table["method"])]
    figure, axes = new_figure(1.9 * len(methods) + 1.2, 3.8)
    panel = axes[0, 0]
    percent = 100 * table.pivot(index="seed", columns="method", values="test_error")[methods]
    panel.plot(range(len(methods)), percent.T, color="#BBBBBB", linewidth=0.8, zorder=1)
    for place, method in enumerate(methods):
        _, colour, marker = METHOD_STYLES[method]
        errors = percent[method].dropna().to_numpy()
        panel.scatter([place] * len(errors), errors, color=colour, marker=marker, alpha=0.5, s=28)
        sns.pointplot(x=[place] * len(errors), y=errors, ax=panel, color=colour, marker=marker, errorbar=("ci", 95),
                      seed=0, capsize=0.12, native_scale=True)  # fmt: skip
    means = percent.mean()
    names = [f"{METHOD_STYLES[m][0]}\n{means[m]:.{1 if means[m] > 2 else 2}f} %" for m in methods]
    panel.set(xticks=range(len(methods)), xticklabels=names, xlabel="", ylabel="test error, %", ylim=(0, None),
              xlim=(-0.4, len(methods) - 0.6), title=title)  # fmt: skip
    return figure


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    title: str,
    x: str,
    y: str,
    logarithmic: bool = False,
) -> Figure:
    """Lines, each named where it ends. `lines`: name -> (x values, y values); a method's name brings its style."""
    figure, axes = new_figure(7.0, 3.6)
    panel = axes[0, 0]
    taken = {METHOD_STYLES[name][1] for name in lines if name in METHOD_STYLES}
    order = ("blue", "vermilion", "green", "orange", "purple", "sky", "grey", "black")
    spare = cycle(COLOURS[name] for name in order if COLOURS[name] not in taken)
    for name, line in lines.items():
        across, up = map(np.asarray, line)
        label, colour, _ = METHOD_STYLES.get(name) or (name, next(spare), "")
        panel.plot(across, up, color=colour)
        panel.annotate(
            label, (across[-1], up[-1]), xytext=(5, 0), textcoords="offset points", color=colour, va="center"
        )
    panel.set(xlabel=x, ylabel=y, title=title)
    if logarithmic:
        panel.set_yscale("log")
    return figure


def learning_curves(table: pd.DataFrame, title: str, reference: Mapping[str, float] | None = None) -> Figure:
    """Test error against steps and against the processor's time, logarithmic: a thin line a seed, a thick one the mean.

    Args:
        table: a row a record, with the columns method, seed, step, cpu_seconds, test_error (a fraction in [0, 1]).
        title: the message.
        reference: label -> test error in percent, drawn as a dotted line across.
    """
    figure, axes = new_figure(10.5, 4.2, 1, 2)
    table = table.assign(percent=100 * table["test_error"], minutes=table["cpu_seconds"] / 60)
    means = table.groupby(["method", "step"])[["percent", "minutes"]].mean().reset_index()
    last = means.groupby("method")["percent"].last()
    heights = _spread({str(method): float(error) for method, error in last.items()})
    for panel, (column, label) in zip(axes[0], (("step", "steps"), ("minutes", "minutes on one core")), strict=True):
        for method in heights:
            name, colour, _ = METHOD_STYLES[method]
            for _, run in table[table["method"] == method].groupby("seed"):
                panel.plot(run[column], run["percent"], color=colour, alpha=0.3, linewidth=0.8)
            line = means[means["method"] == method]
            panel.plot(line[column], line["percent"], color=colour, linewidth=2.2)
            if panel is axes[0, -1]:
                text = f"{name} {last[method]:.2g} %"
                _name_beyond(panel, text, (float(line[column].iloc[-1]), last[method]), heights[method], colour)
        for name, percent in (reference or {}).items():
            panel.axhline(percent, color="black", linewidth=0.8, linestyle=":")
            panel.annotate(name, (0, percent), xycoords=("axes fraction", "data"), xytext=(3, 2),
                           textcoords="offset points", fontsize=8)  # fmt: skip
        panel.set(yscale="log", xlabel=label, ylabel="test error, %", xlim=(0, None))
        panel.set_yticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50) if tick < table["percent"].max()])
        panel.minorticks_off()
        panel.yaxis.set_major_formatter("{x:g}")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def errors_by_labels(table: pd.DataFrame, title: str, published: pd.DataFrame | None = None) -> Figure:
    """Test error against the number of labels, both axes logarithmic: a line a method, with 95 % bootstrap intervals.

    Args:
        table: a row a run, with the columns method, n_labels, test_error (a fraction in [0, 1]).
        title: the message.
        published: values to draw as hollow marks, with the columns method, n_labels, test_error, source.
    """
    figure, axes = new_figure(8.5, 4.8)
    draw_errors_by_labels(axes[0, 0], table, published)
    axes[0, 0].set_title(title)
    return figure


def errors_by_labels_of_sets(table: pd.DataFrame, title: str, published: Mapping[str, pd.DataFrame]) -> Figure:
    """`errors_by_labels` for each data set in the column dataset, side by side; `published` by data set."""
    names = list(dict.fromkeys(table["dataset"]))
    figure, axes = new_figure(6.2 * len(names), 4.8, columns=len(names))
    for panel, name in zip(axes[0], names, strict=True):
        rows = table[table["dataset"] == name]
        draw_errors_by_labels(panel, rows, published.get(name))
        runs = rows.groupby(["method", "n_labels"]).size()
        hollow = "; hollow marks: published" if name in published else ""
        panel.set_title(f"{name}: {_splits(int(runs.min()), int(runs.max()))} a point{hollow}")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def _splits(low: int, high: int) -> str:
    return f"{low} to {high} splits" if low != high else "1 split" if low == 1 else f"{low} splits"


def draw_errors_by_labels(panel: Axes, table: pd.DataFrame, published: pd.DataFrame | None = None) -> None:
    """`errors_by_labels` on axes that are there already."""
    table = table.assign(percent=100 * table["test_error"])
    methods = [method for method in METHOD_STYLES if method in set(table["method"])]
    means = table.groupby(["method", "n_labels"])["percent"].mean()
    last = {method: float(means[method].iloc[-1]) for method in methods}  # where the line ends
    heights = _spread(last, 1.18)
    for method in methods:
        name, colour, marker = METHOD_STYLES[method]
        rows = table[table["method"] == method]
        sns.lineplot(rows, x="n_labels", y="percent", ax=panel, color=colour, marker=marker, markersize=7, seed=0,
                     errorbar=("ci", 95), err_style="bars", err_kws={"capsize": 3, "elinewidth": 1})  # fmt: skip
        _name_beyond(panel, name, (float(rows["n_labels"].max()), last[method]), heights[method], colour)
    for _, row in (published if published is not None else table[:0]).iterrows():
        _, colour, marker = METHOD_STYLES[row["method"]]
        panel.plot(
            row["n_labels"], 100 * row["test_error"], marker, markerfacecolor="none", markersize=10, color=colour
        )
    counts = sorted(table["n_labels"].unique())
    names = [f"{count:,}" if count > 1.4 * before else "" for before, count in zip([0, *counts], counts, strict=False)]
    panel.set(xscale="log", yscale="log", xlabel="labelled images", ylabel="test error, %")
    panel.set_xticks(counts, names)
    least = panel.dataLim.ymin
    panel.set_yticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50) if least / 2 < tick < table["percent"].max()])
    panel.minorticks_off()
    panel.yaxis.set_major_formatter("{x:g}")


def _name_beyond(panel: Axes, name: str, end: tuple[float, float], height: float, colour: str) -> None:
    """Write a line's name to the right of the panel at `height`, and join it to the line's end."""
    line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "relpos": (0, 0.5)}
    across = panel.get_yaxis_transform()
    panel.annotate(name, end, (1.05, height), textcoords=across, color=colour, va="center", fontsize=9, arrowprops=line)


def conditional_samples(table: pd.DataFrame, title: str) -> Figure:
    """Against the number of labels: how many samples are not of the class asked for, and the test error.

    `table` has a row a run and the columns method, n_labels, seed, test_error, and sample_accuracy where a class was
    asked for (fractions in [0, 1]). Left, a small mark a run and a line through the means; right, `errors_by_labels`.
    """
    figure, axes = new_figure(11, 4, 1, 2)
    wrong, errors = axes[0]
    _, colour, marker = METHOD_STYLES["conditional_sgan"]
    rows = table.dropna(subset=["sample_accuracy"]).assign(percent=lambda rows: 100 * (1 - rows["sample_accuracy"]))
    means = rows.groupby("n_labels")["percent"].mean()
    wrong.plot(rows["n_labels"], rows["percent"], marker, color=colour, alpha=0.4, markersize=5, linestyle="none")
    wrong.plot(means.index, means, color=colour)
    for count, percent in means.items():
        wrong.annotate(f"{percent:.2g} %", (count, percent), xytext=(4, 5), textcoords="offset points", fontsize=8)
    draw_errors_by_labels(errors, table)
    wrong.set(xscale="log", yscale="log", xlim=errors.get_xlim(), xlabel="labelled images",
              ylabel="samples not of the class asked for, %", title="Samples of another class")  # fmt: skip
    errors.set_title("Test error of the classifier")
    wrong.set_xticks(errors.get_xticks(), [text.get_text() for text in errors.get_xticklabels()])
    wrong.set_yticks(
        [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if means.min() / 2 < tick < 2 * means.max()]
    )
    wrong.minorticks_off()
    wrong.yaxis.set_major_formatter("{x:g}")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def _spread(heights: Mapping[str, float], ratio: float = 1.25) -> dict[str, float]:
    """The heights, in order from the bottom, moved up where needed until each is at least `ratio` times the last."""
    spread: dict[str, float] = {}
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        spread[name] = max([height, *(ratio * lower for lower in spread.values())])
    return spread


def decision_regions(
    panels: Mapping[str, Callable[[Tensor], Tensor]],
    points: Tensor,
    labelled: tuple[Tensor, Tensor],
    title: str,
    reach: float = 1.1,
    generated: Mapping[str, Tensor] | None = None,
) -> Figure:
    """How classifiers of two classes divide the plane, a panel each.

    Args:
        panels: title of the panel -> function from points [n, 2] to the probability of class 1, [n], in [0, 1].
        points: unlabelled points [n, 2], drawn small.
        labelled: their positions [m, 2] and classes [m], drawn large.
        title: the message.
        reach: the square drawn is [-reach, reach]².
        generated: panel's title -> generated points [n, 2], drawn as small crosses.
    """
    steps = torch.linspace(-reach, reach, 160)
    across, up = torch.meshgrid(steps, steps, indexing="xy")
    figure, axes = new_figure(3.3 * len(panels), 3.7, 1, len(panels))
    for cell, (name, probability) in zip(axes[0], panels.items(), strict=True):
        shades = probability(torch.stack([across.flatten(), up.flatten()], dim=1)).reshape(across.shape)
        cell.contourf(across, up, shades.numpy(), levels=np.linspace(0, 1, 11), cmap="PuOr", alpha=0.6)
        cell.contour(across, up, shades.numpy(), levels=[0.5], colors="black", linewidths=1.5)
        cell.scatter(*points.T.numpy(), s=3, color="#444444", alpha=0.5, linewidths=0)
        if generated and name in generated:
            cell.scatter(*generated[name].T.numpy(), s=10, marker="x", color=COLOURS["green"], linewidths=0.7)
        for one, marker in ((0, "o"), (1, "s")):
            cell.scatter(*labelled[0][labelled[1] == one].T.numpy(), s=90, marker=marker, edgecolor="black",
                         color=(COLOURS["vermilion"], COLOURS["purple"])[one], zorder=3)  # fmt: skip
        cell.set(xticks=[], yticks=[], aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
        cell.set_title(name, weight="normal", fontsize=10)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def confusion(matrix: Sequence[Sequence[int]], class_names: Sequence[str], title: str) -> Figure:
    """A confusion matrix of counts, true class by row; the diagonal is as pale as a cell without errors."""
    counts = np.asarray(matrix)
    figure, axes = new_figure(5.2, 4.6)
    mistakes = counts * (1 - np.eye(len(counts), dtype=int))
    sns.heatmap(mistakes, annot=counts, fmt="d", cmap="Oranges", cbar=False, ax=axes[0, 0], linewidths=0.5,
                xticklabels=list(class_names), yticklabels=list(class_names), annot_kws={"size": 8})  # fmt: skip
    axes[0, 0].set(xlabel="predicted class", ylabel="true class", title=title)
    axes[0, 0].tick_params(axis="y", rotation=0)
    return figure


def _stored(name: str) -> Path:
    """A file of `figures/`, in the checkout or, where the library is installed alone, beside the library."""
    places = [Path(__file__).parents[1] / "figures", Path(__file__).parent / "figures"]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"no stored figure {name!r} in {places[0]}; `make figures` draws all of them")


def stored_table(name: str) -> pd.DataFrame:
    """A CSV of `figures/`, by file name: what a run of `make figures` measured.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    return pd.read_csv(_stored(name))


_PUBLISHED_AS = {"SGAN": "sgan", "CNN baseline": "supervised", "feature matching": "feature_matching",
                 "bad GAN": "bad_gan"}  # fmt: skip


def published_errors(dataset: str) -> pd.DataFrame:
    """Published test errors of our methods on a data set, from `figures/published.csv`, for `errors_by_labels`.

    Columns: method (our name), published_as, n_labels, test_error (a fraction in [0, 1]), spread and seeds (as
    published, or missing), status ("read" in the paper itself or "secondary"), source.
    """
    rows = stored_table("published.csv").query("dataset == @dataset and method in @_PUBLISHED_AS")
    error = (rows["value"] / 100).where(rows["metric"] == "error_percent", 1 - rows["value"])
    named = rows.assign(published_as=rows["method"], method=rows["method"].map(_PUBLISHED_AS), test_error=error)
    return named[["method", "published_as", "n_labels", "test_error", "spread", "seeds", "status", "source"]]


def stored_figure(name: str, width: float = 8.0) -> Figure:
    """A PNG of `figures/`, by file name, as a figure of `width` inches.

    Raises:
        FileNotFoundError: where there is no such file.
    """
    picture = plt.imread(_stored(name))
    figure, axes = new_figure(width, width * picture.shape[0] / picture.shape[1])
    axes[0, 0].imshow(picture)
    axes[0, 0].set_axis_off()
    return figure
