"""The class explorer: what a generator that takes classes draws, for one class, another, and mixtures of the two."""

import copy
import math
from typing import Any

import ipywidgets
import torch

from sgan_lib import evaluation, models, quality
from sgan_lib.course import stored
from sgan_lib.course.widgets.shared import png_of_images, share_slider

_N_SAMPLES = 20  # drawn at a time


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
    chosen = stored.conditional_generator() if generator is None else generator
    if chosen.classes is None:
        raise ValueError("generator must take classes, as that of method conditional_sgan does; this one takes none")
    return _ClassExplorer(chosen).box


class _ClassExplorer:
    """The controls, the picture, and the latents that it shows."""

    def __init__(self, generator: models.Generator) -> None:
        self.generator, self.judge = copy.deepcopy(generator).cpu().eval(), quality.digit_classifier()
        digits = list(range(self.generator.classes.num_embeddings))  # type: ignore[union-attr]
        self.first = ipywidgets.Dropdown(options=digits, value=3, description="class")
        self.second = ipywidgets.Dropdown(options=digits, value=8, description="second")
        self.mixture, self.style = share_slider("mixture"), share_slider("style")
        self.new = ipywidgets.Button(description="new")
        self.message = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", width=700)
        rows = [[self.first, self.second, self.new], [self.mixture, self.style]]
        self.box: Any = ipywidgets.VBox([*(ipywidgets.HBox(row) for row in rows), self.message, self.picture])
        self.n_draws = 0
        self._draw_latents()
        for control in (self.first, self.second, self.mixture, self.style):
            control.observe(self._redraw, "value")
        self.new.on_click(self._draw_latents)

    def _draw_latents(self, button: Any = None) -> None:
        """Two ends for each sample, between which "style" moves it."""
        random = torch.Generator().manual_seed(self.n_draws)
        self.ends = [self.generator.latent(_N_SAMPLES, random) for _ in range(2)]
        self.n_draws += 1
        self._redraw()

    def _latents(self) -> torch.Tensor:
        """Between the ends: on a straight line, or on an arc, which stays where a normal distribution has its mass."""
        t, (start, end) = self.style.value, self.ends
        if self.generator.latents.bounded:
            return (1 - t) * start + t * end
        return math.cos(t * math.pi / 2) * start + math.sin(t * math.pi / 2) * end

    @torch.no_grad()
    def _redraw(self, change: Any = None) -> None:
        vectors, t = self.generator.classes.weight, self.mixture.value  # type: ignore[union-attr]
        mixed = (1 - t) * vectors[self.first.value] + t * vectors[self.second.value]
        images = self.generator.layers(self._latents() + mixed)
        digits = evaluation.predict(self.judge, images)
        counts = torch.bincount(digits, minlength=quality.N_CLASSES).tolist()
        seen = ", ".join(f"{count} × {digit}" for digit, count in enumerate(counts) if count)
        self.message.value = f"The classifier takes these {_N_SAMPLES} samples for: <b>{seen}</b>"
        self.picture.value = png_of_images(images, per_row=10)
