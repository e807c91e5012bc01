"""The label explorer: how the test error depends on the number of labels, from stored runs and from live ones."""

import json
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sgan_lib import data, evaluation, experiments
from sgan_lib.course import plotting, stored
from sgan_lib.course.widgets import shared
from sgan_lib.runtime import check_choice, choose_device
from sgan_lib.settings import Settings
from sgan_lib.training import Record

_COLUMNS = ("dataset", "method", "n_labels", "seed", "test_error", "confusion_matrix")
_PER_CLASS = 10  # labelled images of a class that the picture shows
_DPI = 80


def label_explorer(table: pd.DataFrame | None = None, published: pd.DataFrame | None = None) -> ipywidgets.VBox:
    """How the test error depends on the number of labels: a slider, the stored runs, and "Train now".

    The slider redraws from the table alone: the point on the curve, its interval over the seeds, the confusion matrix
    of those runs, and the labelled images of the first split. "Train now" runs the chosen method in this kernel,
    preset `quick`, in a thread of its own, with a curve as it goes; "Stop" ends it after its next record.

    Args:
        table: a row a run, with the columns dataset, method, n_labels, seed, test_error (a fraction in [0, 1]) and
            confusion_matrix (JSON, true class by row); by default the stored runs of `figures/label_scarcity.csv`.
        published: see `plotting.errors_by_labels`; drawn on MNIST's curves.

    Raises:
        ValueError: naming the columns that `table` lacks, or what it holds that cannot be shown.
    """
    runs = stored.stored_table("label_scarcity.csv") if table is None else table
    if lacking := [name for name in _COLUMNS if name not in runs]:
        raise ValueError(f"table must have the columns {', '.join(_COLUMNS)}; it lacks {', '.join(lacking)}")
    runs = runs.dropna(subset=["dataset", "method", "test_error", "confusion_matrix"])  # a sweep's failed runs
    if runs.empty:
        raise ValueError("table must hold a run at least; it is empty")
    for name in runs["dataset"].unique():
        known = [each for each in data.DATASETS if each not in data.POINTS]
        check_choice("the dataset of table", name, [*known, *([name] if Path(name).is_dir() else [])], "a folder")
    return _LabelExplorer(runs, published).box


class _LabelExplorer:
    """The controls, the picture, and the thread that trains."""

    def __init__(self, runs: pd.DataFrame, published: pd.DataFrame | None) -> None:
        self.runs, self.published = runs, published
        self.dataset = ipywidgets.Dropdown(options=list(dict.fromkeys(runs["dataset"])), description="data set")
        self.method = ipywidgets.Dropdown(description="method")
        self.labels = ipywidgets.SelectionSlider(options=[0], description="labels", continuous_update=True)
        self.message = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png")
        self.live = _LiveRun()
        controls = ipywidgets.HBox([self.dataset, self.method, self.labels])
        self.box: Any = ipywidgets.VBox([controls, self.message, self.picture, self.live.box])
        self._choose_dataset()
        self.dataset.observe(self._choose_dataset, "value")
        self.method.observe(self._redraw, "value")
        self.labels.observe(self._redraw, "value")
        self.live.train.on_click(self._train)

    def _choose_dataset(self, change: Any = None) -> None:
        """Offer the methods and the numbers of labels that the table has for this data set."""
        self.drawing: _Drawing | None = None  # not yet: offering choices must not redraw
        self.rows = self.runs[self.runs["dataset"] == self.dataset.value]
        _offer(self.method, plotting.methods_in(self.rows["method"]))
        _offer(self.labels, sorted(int(count) for count in self.rows["n_labels"].unique()))
        self.drawing = _Drawing(self.rows, self.published if self.dataset.value == "mnist" else None)
        self._redraw()

    def _train(self, button: Any) -> None:
        self.live.start(self.method.value, self.dataset.value, self.labels.value)

    def _redraw(self, change: Any = None) -> None:
        if self.drawing is None:
            return
        method, count = self.method.value, self.labels.value
        chosen = self.rows[(self.rows["method"] == method) & (self.rows["n_labels"] == count)]
        self.message.value = _sentence(chosen["test_error"].tolist(), plotting.METHOD_STYLES[method][0], count)
        self.picture.value = self.drawing.png(method, count, chosen)


def _offer(control: Any, options: list[Any]) -> None:
    """Set the options and keep the choice where it is still one of them."""
    chosen = control.value
    control.options = options
    control.value = chosen if chosen in options else options[0]


def _sentence(errors: list[float], name: str, count: int) -> str:
    """What the table says at one point, in words."""
    if not errors:
        return f"No stored run of {name} with {count:,} labels."
    percent = [100 * error for error in errors]
    mean = f"<b>{name}, {count:,} labels</b>: test error {np.mean(percent):.2f} %"
    if len(percent) < 2:
        return f"{mean} (1 run, so no interval)"
    low, high = evaluation.mean_interval(percent)
    return f"{mean}, 95 % interval {low:.2f} to {high:.2f} % ({len(percent)} splits)"


@lru_cache(maxsize=8)
def _labelled(dataset: str, most: int) -> data.Labelled:
    """The labelled images of split 0; as splits are nested, the first n of them are those of a run with n labels."""
    return data.load(dataset, most, split_seed=0).labelled


class _Drawing:
    """One figure of three panels. The curves are drawn once; a choice draws the ring and the other two panels anew."""

    def __init__(self, rows: pd.DataFrame, published: pd.DataFrame | None) -> None:
        self.dataset, self.most = str(rows["dataset"].iloc[0]), int(rows["n_labels"].max())
        self.means = 100 * rows.groupby(["method", "n_labels"])["test_error"].mean()
        figure = Figure(figsize=(11.5, 4.6), dpi=_DPI)
        self.canvas = FigureCanvasAgg(figure)
        curve = figure.add_axes((0.06, 0.13, 0.34, 0.78), title="Error against labels")
        plotting.draw_errors_by_labels(curve, rows, published)
        self.canvas.draw()
        self.background = self.canvas.copy_from_bbox(figure.bbox)
        (self.ring,) = curve.plot([], [], "o", markersize=16, markerfacecolor="none", color="black")
        self.confusion = figure.add_axes((0.585, 0.13, 0.18, 0.78))
        self.images = figure.add_axes((0.79, 0.02, 0.2, 0.92))

    def png(self, method: str, count: int, chosen: pd.DataFrame) -> bytes:
        has_run = (method, count) in self.means.index
        self.ring.set_data(([count], [self.means[method, count]]) if has_run else ([], []))
        self._draw_confusion([json.loads(matrix) for matrix in chosen["confusion_matrix"]])
        self._draw_images(count)
        self.canvas.restore_region(self.background)
        for changed in (self.ring, self.confusion, self.images):
            changed.draw(self.canvas.get_renderer())
        return shared.png(np.asarray(self.canvas.buffer_rgba()))

    def _draw_confusion(self, matrices: list[list[list[int]]]) -> None:
        self.confusion.clear()
        self.confusion.set(xlabel="predicted", ylabel="true", aspect="equal", title="Mistakes, %")
        if not matrices:
            return
        counts = np.sum(matrices, axis=0)
        percent = 100 * counts / counts.sum(axis=1, keepdims=True)
        mistakes = percent * (1 - np.eye(len(counts)))
        self.confusion.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(5.0, mistakes.max()))
        self.confusion.set(xticks=range(len(counts)), yticks=range(len(counts)))
        for row, column in zip(*np.nonzero(mistakes >= 1), strict=True):
            self.confusion.text(column, row, f"{mistakes[row, column]:.0f}", ha="center", va="center", fontsize=7)

    def _draw_images(self, count: int) -> None:
        """The labelled images, a row a class, at most ten of each."""
        images, labels = (part[:count] for part in _labelled(self.dataset, self.most))
        n_classes = int(labels.max()) + 1
        cells = torch.ones(n_classes, _PER_CLASS, *images.shape[1:])  # white where there is no image
        for k in range(n_classes):
            of_class = images[labels == k][:_PER_CLASS]
            cells[k, : len(of_class)] = of_class
        self.images.clear()
        self.images.imshow(shared.sample_grid(cells.flatten(0, 1), _PER_CLASS))
        self.images.set_axis_off()
        all_shown = count <= _PER_CLASS * n_classes
        self.images.set_title("All of the labels" if all_shown else f"Of the labels, {_PER_CLASS * n_classes}")


class _LiveRun:
    """ "Train now": one run at a time in a thread, a bar, a curve of validation errors, and a way to stop."""

    def __init__(self) -> None:
        self.train = ipywidgets.Button(description="Train now", button_style="primary")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.bar = ipywidgets.IntProgress(min=0, max=20)
        self.message = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", layout={"display": "none"})  # nothing to show yet
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.train, self.stop, self.bar, self.message]), self.picture])
        self._stopping = Event()
        self.stop.on_click(lambda _: self._stopping.set())

    def start(self, method: str, dataset: str, n_labels: int) -> None:
        if self.train.disabled:  # a second click, under way before the reader saw the button grey
            return
        self._stopping.clear()
        self._set_busy(True)
        Thread(target=self._run, args=(method, dataset, n_labels), daemon=True).start()

    def _set_busy(self, busy: bool) -> None:
        self.stop.disabled, self.train.disabled = not busy, busy  # in this order, for who waits for `train`

    def _run(self, method: str, dataset: str, n_labels: int) -> None:
        name = f"{plotting.METHOD_STYLES[method][0]}, {dataset}, {n_labels:,} labels"
        self.bar.value, self.message.value = 0, f"{name}: reading the data"
        try:
            settings = experiments.resolve(method, dataset, n_labels=n_labels)
            with experiments.reproducible(settings):
                self.message.value = self._train(name, settings)
        except Exception as error:  # shown where the reader looks; a thread's traceback is seen by nobody
            self.message.value = f"{name}: {type(error).__name__}: {error}"
        finally:
            self._set_busy(False)

    def _train(self, name: str, settings: Settings) -> str:
        """Train to the end or until "Stop" is pressed, and return how it ended."""
        if settings.method in experiments.BASELINES:  # in one go, without a curve
            self.picture.layout.display = "none"
            result = experiments.run(**asdict(settings))
            self.bar.value = self.bar.max
        else:
            run = experiments.prepare(settings, device=choose_device())
            for record in experiments.train(run):
                self._show(name, run.state.history)
                if self._stopping.is_set():
                    return f"{name}: stopped at step {record.step}"
            result = experiments.finish(run)
        error = "no test error" if result.test_error is None else f"test error {100 * result.test_error:.1f} %"
        return f"<b>{name}</b>: {error} after {result.seconds:.0f} s of training"

    def _show(self, name: str, history: list[Record]) -> None:
        """The bar, and the curve of the records so far on an axis as long as the whole run."""
        self.bar.value, step = len(history), history[-1].step
        errors = [100 * record.scores.get("validation_error", float("nan")) for record in history]
        self.message.value = f"{name}: step {step}, validation error {errors[-1]:.1f} %"
        canvas = FigureCanvasAgg(Figure(figsize=(7, 2.4), dpi=_DPI, layout="constrained"))
        panel = canvas.figure.add_subplot()
        panel.plot([record.step for record in history], errors, "o-", color=plotting.COLOURS["blue"])
        panel.set(xlabel="training step", ylabel="validation error, %", ylim=(0, None))
        panel.set_xlim(0, step * self.bar.max / len(history))
        canvas.draw()
        self.picture.value = shared.png(np.asarray(canvas.buffer_rgba()))
        self.picture.layout.display = ""
