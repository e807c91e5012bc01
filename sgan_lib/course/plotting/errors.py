"""Errors as points and lines: by method, by step, by number of labels; and named curves of anything."""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgan_lib import evaluation
from sgan_lib.course.plotting.style import COLOURS, METHOD_STYLES, add_title, methods_in, new_figure, stroke_of

ENOUGH = 5  # runs; of fewer no interval is drawn


def _interval(percent: pd.Series) -> tuple[float, float]:
    """The 95 % t-interval of the mean, as seaborn wants it; of too few runs, nothing."""
    return evaluation.mean_interval(percent.tolist()) if len(percent) >= ENOUGH else (np.nan, np.nan)


def errors_by_method(table: pd.DataFrame, title: str) -> Figure:
    """Test errors of several seeds: a point a run, lines between runs on the same split, and the means.

    `table` has a row a run and the columns method, seed, test_error (a fraction in [0, 1]). From five runs on a mean
    has its 95 % t-interval.
    """
    methods = methods_in(table["method"])
    figure, axes = new_figure(1.9 * len(methods) + 1.2, 3.8)
    panel = axes[0, 0]
    percent = 100 * table.pivot(index="seed", columns="method", values="test_error")[methods]
    panel.plot(range(len(methods)), percent.T, color="#BBBBBB", linewidth=0.8, zorder=1)
    for x, method in enumerate(methods):
        _, colour, marker = METHOD_STYLES[method]
        errors = percent[method].dropna().to_numpy()
        panel.scatter([x] * len(errors), errors, color=colour, marker=marker, alpha=0.5, s=28)
        sns.pointplot(x=[x] * len(errors), y=errors, ax=panel, color=colour, marker=marker, errorbar=_interval,
                      capsize=0.12, native_scale=True, **stroke_of(marker))  # fmt: skip
    means = percent.mean()
    names = [f"{METHOD_STYLES[m][0]}\n{means[m]:.{1 if means[m] > 2 else 2}f} %" for m in methods]
    panel.set(xticks=range(len(methods)), xticklabels=names, xlabel="", ylabel="test error, %", ylim=(0, None),
              xlim=(-0.4, len(methods) - 0.6), title=title)  # fmt: skip
    return figure


def errors_in_rows(errors: Mapping[str, Sequence[float]], title: str, strong: Collection[str] = ()) -> Figure:
    """Test errors in percent on a logarithmic axis: a row a name, from the top, and a dot a run; `strong` in colour."""
    figure, axes = new_figure(8.0, 0.27 * len(errors) + 0.9)
    panel = axes[0, 0]
    for height, (name, percents) in enumerate(errors.items()):
        colour = COLOURS["vermilion" if name in strong else "grey"]
        panel.scatter(percents, [height] * len(percents), color=colour, alpha=0.6)
    panel.set(xscale="log", xlabel="test error, %", yticks=range(len(errors)), yticklabels=errors)
    panel.invert_yaxis()
    low, high = panel.dataLim.x0, panel.dataLim.x1
    panel.set_xticks([tick for tick in (0.5, 1, 2, 5, 10, 20, 50) if low / 1.5 < tick < high * 1.5])
    panel.minorticks_off()
    panel.xaxis.set_major_formatter("{x:g}")
    return add_title(figure, title)


def curves(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], title: str, x: str, y: str) -> Figure:
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
        end = (across[-1], up[-1])
        panel.annotate(label, end, xytext=(5, 0), textcoords="offset points", color=colour, va="center")
    panel.set(xlabel=x, ylabel=y, title=title)
    return figure


def errors_by_labels(table: pd.DataFrame, title: str, published: pd.DataFrame | None = None) -> Figure:
    """Test error against the number of labels, both axes logarithmic: a line a method, through its means.

    From five runs on a mean has its 95 % t-interval; of fewer, each run is a small mark.

    Args:
        table: a row a run, with the columns method, n_labels, test_error (a fraction in [0, 1]).
        title: the message.
        published: values to draw as hollow marks, with the columns method, n_labels, test_error, source.
    """
    figure, axes = new_figure(8.5, 4.8)
    draw_errors_by_labels(axes[0, 0], table, published)
    axes[0, 0].set_title(title)
    return figure


def errors_in_panels(
    table: pd.DataFrame, title: str, simple: str, published: pd.DataFrame | None = None,
    longer: pd.DataFrame | None = None,
) -> Figure:  # fmt: skip
    """Test error against the number of labels, a row of panels for each data set and a panel for each method.

    In its panel a method's means have 95 % t-intervals; the others are pale, and the method `simple` is dashed.

    Args:
        table: a row a run, with the columns method, dataset, n_labels, test_error (a fraction in [0, 1]).
        title: the message.
        simple: the baseline that stands in every panel.
        published: values to draw as hollow marks, with the columns method, dataset, n_labels, test_error.
        longer: runs of more steps, with the columns of `table`; their mean is a filled star.
    """
    table = table.assign(percent=100 * table["test_error"])
    methods = [method for method in methods_in(table["method"]) if method != simple]
    datasets = list(dict.fromkeys(table["dataset"]))
    figure, axes = new_figure(2.1 * len(methods) + 0.6, 2.7 * len(datasets), len(datasets), len(methods))
    for panel, method in zip(axes[0], methods, strict=True):
        panel.set_title(METHOD_STYLES[method][0], fontsize=10, color=METHOD_STYLES[method][1])
    for row, dataset in zip(axes, datasets, strict=True):
        rows = table[table["dataset"] == dataset]
        means = rows.groupby(["method", "n_labels"])["percent"].mean()
        for panel, method in zip(row, methods, strict=True):
            _, colour, marker = METHOD_STYLES[method]
            for other in means.index.unique("method"):
                style = {"color": "black", "linestyle": "--"} if other == simple else {"color": "#D8D8D8"}
                panel.plot(means[other].index, means[other], linewidth=1, zorder=1, **style)
            sns.lineplot(rows[rows["method"] == method], x="n_labels", y="percent", ax=panel, color=colour,
                         marker=marker, markersize=6, errorbar=_interval, err_style="bars",
                         err_kws={"capsize": 2, "elinewidth": 1})  # fmt: skip
            for marks, look in ((published, {"fillstyle": "none", "marker": marker}), (longer, {"marker": "*"})):
                if marks is not None:
                    mine = marks[(marks["method"] == method) & (marks["dataset"] == dataset)]
                    high = 100 * mine.groupby("n_labels")["test_error"].mean()
                    panel.plot(high.index, high, color=colour, markersize=9, linestyle="none", zorder=3, **look)
            panel.set(xscale="log", yscale="log", xlabel="", ylabel="")
            counts = [count for count in (20, 50, 200, 1000) if count in set(rows["n_labels"])]
            panel.set_xticks(counts, [f"{count:,}" for count in counts])
        row[0].set_ylabel(f"{dataset}\ntest error, %")
        lowest = min(panel.dataLim.ymin for panel in row)
        for panel in row:
            panel.set_ylim(0.8 * lowest, 1.2 * rows["percent"].max())
            _percent_ticks(panel, 0.8 * lowest, 1.2 * rows["percent"].max())
            panel.tick_params(labelleft=panel is row[0])
    for panel in axes[-1]:
        panel.set_xlabel("labelled images")
    return add_title(figure, title)


def draw_errors_by_labels(panel: Axes, table: pd.DataFrame, published: pd.DataFrame | None = None) -> None:
    """`errors_by_labels` on axes that are there already."""
    table = table.assign(percent=100 * table["test_error"])
    methods = methods_in(table["method"])
    means = table.groupby(["method", "n_labels"])["percent"].mean()
    last = {method: float(means[method].iloc[-1]) for method in methods}  # where the line ends
    heights = _spread(last, 1.18)
    for method in methods:
        name, colour, marker = METHOD_STYLES[method]
        rows = table[table["method"] == method]
        sns.lineplot(rows, x="n_labels", y="percent", ax=panel, color=colour, marker=marker, markersize=7,
                     errorbar=_interval, err_style="bars", err_kws={"capsize": 3, "elinewidth": 1})  # fmt: skip
        few = rows[rows.groupby("n_labels")["percent"].transform("size").between(2, ENOUGH - 1)]
        panel.scatter(few["n_labels"], few["percent"], color=colour, marker=marker, alpha=0.4, s=14)
        _name_beyond(panel, name, (float(rows["n_labels"].max()), last[method]), heights[method], colour)
    for _, row in (published if published is not None else table[:0]).iterrows():
        _, colour, marker = METHOD_STYLES[row["method"]]
        percent = 100 * row["test_error"]
        panel.plot(row["n_labels"], percent, marker, markerfacecolor="none", markersize=10, color=colour)
    counts = sorted(table["n_labels"].unique())
    names = [f"{count:,}" if count > 1.4 * before else "" for before, count in zip([0, *counts], counts, strict=False)]
    panel.set(xscale="log", yscale="log", xlabel="labelled images", ylabel="test error, %")
    panel.set_xticks(counts, names)
    _percent_ticks(panel, max(0.2, panel.dataLim.ymin / 2), table["percent"].max())


def paired_differences(differences: Mapping[str, Sequence[float]], title: str, x: str) -> Figure:
    """A row per comparison: a pale mark per pair and, from five pairs on, their mean with its 95 % t-interval.

    Args:
        differences: name of the row -> one difference per pair, in percentage points.
        title: the message.
        x: what is subtracted from what.

    Each row ends in its numbers. A mean whose interval covers zero is hollow.
    """
    figure, axes = new_figure(8.0, 0.34 * len(differences) + 1.0)
    panel = axes[0, 0]
    panel.axvline(0, color="black", linewidth=1, linestyle=":")
    for height, values in enumerate(map(np.asarray, differences.values())):
        low, high = _interval(pd.Series(values))
        mean, covers_zero = values.mean(), not low * high > 0
        panel.scatter(values, [height] * len(values), color=COLOURS["sky"], s=16, alpha=0.7)
        digits = 2 if abs(mean) < 2 else 1
        told = f"{len(values)} {'pair' if len(values) == 1 else 'pairs'}: {mean:.{digits}f}"
        if len(values) >= ENOUGH:
            panel.errorbar(mean, height, xerr=[[mean - low], [high - mean]], color="black", marker="o", capsize=3,
                           markerfacecolor="white" if covers_zero else "black")  # fmt: skip
            told += f" ({low:.{digits}f} to {high:.{digits}f})"
        told, across = told.replace("-", "−"), panel.get_yaxis_transform()
        panel.annotate(told, (1.02, height), xycoords=across, va="center", fontsize=8)
    panel.set(yticks=range(len(differences)), yticklabels=list(differences), xlabel=x,
              ylim=(len(differences) - 0.4, -0.6))  # fmt: skip
    return add_title(figure, title)


def _percent_ticks(panel: Axes, above: float, below: float) -> None:
    """Ticks 1, 2, 5, 10, … of a logarithmic axis of percentages, between two bounds."""
    panel.set_yticks([tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if above < tick < below])
    panel.minorticks_off()
    panel.yaxis.set_major_formatter("{x:g}")


def _name_beyond(panel: Axes, name: str, end: tuple[float, float], height: float, colour: str) -> None:
    """Write a line's name to the right of the panel at `height`, and join it to the line's end."""
    line = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "relpos": (0, 0.5)}
    across = panel.get_yaxis_transform()
    panel.annotate(name, end, (1.05, height), textcoords=across, color=colour, va="center", fontsize=9, arrowprops=line)


def _spread(heights: Mapping[str, float], ratio: float = 1.25) -> dict[str, float]:
    """The heights, in order from the bottom, moved up where needed until each is at least `ratio` times the last."""
    spread: dict[str, float] = {}
    for name, height in sorted(heights.items(), key=lambda item: item[1]):
        spread[name] = max([height, *(ratio * lower for lower in spread.values())])
    return spread
