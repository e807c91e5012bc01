"""Widgets for the notebooks, on what ipywidgets 7.7 (Colab) and 8 (JupyterLab 4) have in common.

A widget is a picture and its controls. The picture is a PNG in an `ipywidgets.Image`, so that it redraws in one piece
and looks the same everywhere.
"""

import copy
import io
import json
import math
from functools import lru_cache
from threading import Event, Thread
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from torch import nn

from sgan_lib import data, evaluation, experiments, models, plotting, quality
from sgan_lib.training import Record

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
    runs = plotting.stored_table("label_scarcity.csv") if table is None else table
    needed = ("dataset", "method", "n_labels", "seed", "test_error", "confusion_matrix")
    if lacking := [name for name in needed if name not in runs]:
        raise ValueError(f"table must have the columns {', '.join(needed)}; it lacks {', '.join(lacking)}")
    runs = runs.dropna(subset=["dataset", "method", "test_error", "confusion_matrix"])  # a sweep's failed runs
    if runs.empty:
        raise ValueError("table must hold a run at least; it is empty")
    images = [name for name in data.DATASETS if name not in data.POINTS]
    for name, known in (("dataset", images), ("method", plotting.METHOD_STYLES)):
        if unknown := sorted(set(runs[name]) - set(known)):
            raise ValueError(f"the {name} of table must be one of {', '.join(known)}; got {', '.join(unknown)}")
    return _LabelExplorer(runs, published).box


class _LabelExplorer:
    """The controls, the picture, and the thread that trains."""

    def __init__(self, runs: pd.DataFrame, published: pd.DataFrame | None) -> None:
        self.runs, self.published = runs, published
        self.dataset = ipywidgets.Dropdown(options=list(dict.fromkeys(runs["dataset"])), description="data set")
        self.method = ipywidgets.Dropdown(description="method")
        self.labels = ipywidgets.SelectionSlider(options=[0], description="labels", continuous_update=True)
        self.said = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png")
        self.live = _LiveRun()
        controls = ipywidgets.HBox([self.dataset, self.method, self.labels])
        self.box: Any = ipywidgets.VBox([controls, self.said, self.picture, self.live.box])
        self._choose_dataset()
        self.dataset.observe(self._choose_dataset, "value")
        self.method.observe(self._redraw, "value")
        self.labels.observe(self._redraw, "value")
        self.live.train.on_click(self._train)

    def _choose_dataset(self, change: Any = None) -> None:
        """Offer the methods and the numbers of labels that the table has for this data set."""
        self.drawing: _Drawing | None = None  # not yet: offering choices must not redraw
        self.rows = self.runs[self.runs["dataset"] == self.dataset.value]
        _offer(self.method, [method for method in plotting.METHOD_STYLES if method in set(self.rows["method"])])
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
        self.said.value = _sentence(chosen["test_error"].tolist(), plotting.METHOD_STYLES[method][0], count)
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
    where = f"<b>{name}, {count:,} labels</b>: test error {np.mean(percent):.2f} %"
    if len(percent) < 2:
        return f"{where} (1 run, so no interval)"
    low, high = evaluation.bootstrap_interval(percent)
    return f"{where}, 95 % interval {low:.2f} to {high:.2f} % ({len(percent)} splits)"


@lru_cache(maxsize=8)
def _labelled(dataset: str, most: int) -> data.Labelled:
    """The labelled images of split 0; as splits are nested, the first n of them are those of a run with n labels."""
    return data.load(dataset, most, split_seed=0, validation=0).labelled


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
        self._draw_confusion([json.loads(one) for one in chosen["confusion_matrix"]])
        self._draw_images(count)
        self.canvas.restore_region(self.background)
        for changed in (self.ring, self.confusion, self.images):
            changed.draw(self.canvas.get_renderer())
        buffer = io.BytesIO()
        imsave(buffer, np.asarray(self.canvas.buffer_rgba()), format="png")
        return buffer.getvalue()

    def _draw_confusion(self, matrices: list[list[list[int]]]) -> None:
        self.confusion.clear()
        self.confusion.set(xlabel="predicted", ylabel="true", aspect="equal", title="Mistakes, %")
        if not matrices:
            return
        counts = np.sum(matrices, axis=0)
        percent = 100 * counts / counts.sum(axis=1, keepdims=True)
        mistakes = percent * (1 - np.eye(len(counts)))
        self.confusion.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(5.0, mistakes.max()))
        ticks = range(len(counts))
        self.confusion.set(xticks=ticks, yticks=ticks)
        for row, column in zip(*np.nonzero(mistakes >= 1), strict=True):
            self.confusion.text(column, row, f"{mistakes[row, column]:.0f}", ha="center", va="center", fontsize=7)

    def _draw_images(self, count: int) -> None:
        """The labelled images, a row a class, at most ten of each."""
        images, labels = (part[:count] for part in _labelled(self.dataset, self.most))
        side = images.shape[-1]
        n_classes = int(labels.max()) + 1
        sheet = np.ones((n_classes * (side + 1), _PER_CLASS * (side + 1)))
        for k in range(n_classes):
            for place, image in enumerate(images[labels == k][:_PER_CLASS, 0].numpy()):
                top, left = k * (side + 1), place * (side + 1)
                sheet[top : top + side, left : left + side] = (image + 1) / 2
        self.images.clear()
        self.images.imshow(sheet, cmap="gray", vmin=0, vmax=1)
        self.images.set_axis_off()
        all_shown = count <= _PER_CLASS * n_classes
        self.images.set_title("All of the labels" if all_shown else f"Of the labels, {_PER_CLASS * n_classes}")


class _Stopped(Exception):
    """The reader pressed Stop."""


class _LiveRun:
    """ "Train now": one run at a time in a thread, a bar, a curve of validation errors, and a way to stop."""

    def __init__(self) -> None:
        self.train = ipywidgets.Button(description="Train now", button_style="primary")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.bar = ipywidgets.IntProgress(min=0, max=20)
        self.said = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", layout={"display": "none"})  # nothing to show yet
        self.box = ipywidgets.VBox([ipywidgets.HBox([self.train, self.stop, self.bar, self.said]), self.picture])
        self._stopping = Event()
        self.stop.on_click(lambda _: self._stopping.set())

    def start(self, method: str, dataset: str, n_labels: int) -> None:
        if self.train.disabled:  # a second click, under way before the reader saw the button grey
            return
        self._stopping.clear()
        self._busy(True)
        Thread(target=self._run, args=(method, dataset, n_labels), daemon=True).start()

    def _busy(self, busy: bool) -> None:
        self.train.disabled, self.stop.disabled = busy, not busy

    def _run(self, method: str, dataset: str, n_labels: int) -> None:
        name = f"{plotting.METHOD_STYLES[method][0]}, {dataset}, {n_labels:,} labels"
        seen: list[Record] = []

        def look(record: Record, modules: nn.ModuleDict) -> None:
            seen.append(record)
            self._show(name, seen)
            if self._stopping.is_set():
                raise _Stopped

        self.bar.value, self.said.value = 0, f"{name}: reading the data"
        try:
            result = experiments.run(method, dataset, n_labels, seed=0, preset="quick", observe=look)
            found = "no test error" if result.test_error is None else f"test error {100 * result.test_error:.1f} %"
            self.said.value = f"<b>{name}</b>: {found} after {result.seconds:.0f} s of training"
        except _Stopped:
            self.said.value = f"{name}: stopped at step {seen[-1].step}"
        except Exception as error:  # shown where the reader looks; a thread's traceback is seen by nobody
            self.said.value = f"{name}: {type(error).__name__}: {error}"
        finally:
            self._busy(False)

    def _show(self, name: str, seen: list[Record]) -> None:
        self.bar.value = len(seen)
        errors = [100 * record.scores.get("validation_error", float("nan")) for record in seen]
        self.said.value = f"{name}: step {seen[-1].step}, validation error {errors[-1]:.1f} %"
        figure = Figure(figsize=(7, 2.4), dpi=_DPI, layout="constrained")
        panel = figure.add_subplot()
        panel.plot([record.step for record in seen], errors, "o-", color=plotting.COLOURS["blue"])
        panel.set(xlabel="training step", ylabel="validation error, %", ylim=(0, None))
        panel.set_xlim(0, seen[-1].step * self.bar.max / len(seen))  # the whole run, from the first record on
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        self.picture.value = buffer.getvalue()
        self.picture.layout.display = ""


_EXPLORED = 20  # samples that the class explorer draws at a time


def class_explorer(generator: models.Generator | None = None) -> ipywidgets.VBox:
    """What a generator that takes classes draws, for one class, for another, and for mixtures of the two.

    Twenty samples of as many latents z. "mixture" goes from the vector of the first class to that of the second on a
    straight line; "style" moves every z, and leaves the class alone; "new" draws other latents. The sentence counts
    what the library's own MNIST classifier takes the samples for.

    Args:
        generator: takes classes and draws MNIST's digits; by default the one that came with the library.

    Raises:
        ValueError: for a generator that takes no classes.
    """
    chosen = models.conditional_generator() if generator is None else generator
    if chosen.classes is None:
        raise ValueError("generator must take classes, as that of method conditional_sgan does; this one takes none")
    return _ClassExplorer(chosen).box


class _ClassExplorer:
    """The controls, the picture, and the latents that it shows."""

    def __init__(self, generator: models.Generator) -> None:
        self.generator, self.judge = copy.deepcopy(generator).cpu().eval(), quality.digit_classifier()
        names = list(range(self.generator.classes.num_embeddings))  # type: ignore[union-attr]
        self.first = ipywidgets.Dropdown(options=names, value=3, description="class")
        self.second = ipywidgets.Dropdown(options=names, value=8, description="second")
        self.mixture = ipywidgets.FloatSlider(value=0.0, min=0.0, max=1.0, step=0.05, description="mixture")
        self.style = ipywidgets.FloatSlider(value=0.0, min=0.0, max=1.0, step=0.05, description="style")
        self.new = ipywidgets.Button(description="new")
        self.said = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", width=700)
        rows = [[self.first, self.second, self.new], [self.mixture, self.style]]
        self.box: Any = ipywidgets.VBox([*(ipywidgets.HBox(row) for row in rows), self.said, self.picture])
        self.draws = 0
        self._draw_latents()
        for control in (self.first, self.second, self.mixture, self.style):
            control.observe(self._redraw, "value")
        self.new.on_click(self._draw_latents)

    def _draw_latents(self, button: Any = None) -> None:
        """Two ends for each sample, between which "style" moves it."""
        random = torch.Generator().manual_seed(self.draws)
        self.ends = [self.generator.latent(_EXPLORED, random) for _ in range(2)]
        self.draws += 1
        self._redraw()

    def _latents(self) -> torch.Tensor:
        """Between the ends: on a straight line, or on an arc, which stays where a normal distribution has its mass."""
        t, (start, end) = self.style.value, self.ends
        if self.generator.uniform:
            return (1 - t) * start + t * end
        return math.cos(t * math.pi / 2) * start + math.sin(t * math.pi / 2) * end

    @torch.no_grad()
    def _redraw(self, change: Any = None) -> None:
        vectors, t = self.generator.classes.weight, self.mixture.value  # type: ignore[union-attr]
        mixed = (1 - t) * vectors[self.first.value] + t * vectors[self.second.value]
        images = self.generator.layers(self._latents() + mixed)
        answers = evaluation.predict(self.judge, images)
        counts = torch.bincount(answers, minlength=quality.N_CLASSES).tolist()
        seen = ", ".join(f"{count} × {digit}" for digit, count in enumerate(counts) if count)
        self.said.value = f"The classifier takes these {_EXPLORED} samples for: <b>{seen}</b>"
        self.picture.value = _sheet(images, per_row=10)


def _sheet(images: torch.Tensor, per_row: int) -> bytes:
    """Images in [-1, 1] side by side, as a PNG."""
    buffer = io.BytesIO()
    sheet = evaluation.sample_grid(images, per_row).permute(1, 2, 0).numpy()
    imsave(buffer, np.ascontiguousarray(sheet), format="png")
    return buffer.getvalue()


def latent_explorer(pair: models.EncoderGenerator | None = None) -> ipywidgets.VBox:
    """What lies between the codes of two of MNIST's test images, and between their pixels.

    Two rows of three pictures. Above, what the generator makes of the codes: G(E(x)) of both images, and between them
    G of the point that "way" gives on the straight line from one code to the other. Below, the images themselves, and
    the mixture of their pixels. "new" takes the next test image of each class. The sentence says what the library's own
    MNIST classifier takes the two middle pictures for.

    Args:
        pair: encoder and generator of MNIST's digits; by default those that came with the library.
    """
    return _LatentExplorer(models.bigan_pair() if pair is None else pair).box


class _LatentExplorer:
    """The controls, the picture, and the two test images with their codes."""

    def __init__(self, pair: models.EncoderGenerator) -> None:
        self.encoder, self.generator = (copy.deepcopy(network).cpu().eval() for network in pair)
        self.test, self.judge = data.read("mnist").test, quality.digit_classifier()
        self.first = ipywidgets.Dropdown(options=list(range(10)), value=0, description="from")
        self.second = ipywidgets.Dropdown(options=list(range(10)), value=6, description="to")
        self.way = ipywidgets.FloatSlider(value=0.5, min=0.0, max=1.0, step=0.05, description="way")
        self.new = ipywidgets.Button(description="new")
        self.said = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", width=350)
        self.box: Any = ipywidgets.VBox(
            [ipywidgets.HBox([self.first, self.second, self.new]), self.way, self.said, self.picture]
        )
        self.place = 0  # among the test images of a class
        self._choose_images()
        for control in (self.first, self.second):
            control.observe(self._choose_images, "value")
        self.way.observe(self._redraw, "value")
        self.new.on_click(self._take_next)

    def _take_next(self, button: Any) -> None:
        self.place += 1
        self._choose_images()

    def _choose_images(self, change: Any = None) -> None:
        start, end = self.first.value, self.second.value
        indices = [self._index(start, self.place), self._index(end, self.place + (start == end))]
        self.images = data.as_images(self.test.images[indices])
        self.codes = evaluation.encode(self.encoder, self.images).latent
        self._redraw()

    def _index(self, digit: int, place: int) -> int:
        of_class = (self.test.labels == digit).nonzero()[:, 0]
        return int(of_class[place % len(of_class)])

    def _redraw(self, change: Any = None) -> None:
        drawn = evaluation.generate(self.generator, self._walk(self.codes))
        mixed = self._walk(self.images)
        shares, answers = evaluation.class_logits(self.judge, torch.stack([drawn[1], mixed[1]])).softmax(dim=1).max(1)
        of_codes, of_pixels = (
            f"<b>{answer}</b> ({100 * share:.0f} %)" for answer, share in zip(answers, shares, strict=True)
        )
        self.said.value = f"Between the codes, the classifier sees {of_codes}; in the mixed pixels {of_pixels}"
        self.picture.value = _sheet(torch.cat([drawn, mixed]), per_row=3)

    def _walk(self, ends: torch.Tensor) -> torch.Tensor:
        """The first end, the point on the way, the second end."""
        return torch.stack([ends[0], torch.lerp(ends[0], ends[1], self.way.value), ends[1]])
