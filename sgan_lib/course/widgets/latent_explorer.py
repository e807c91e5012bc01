"""The latent explorer: what lies between the codes of two of MNIST's test images, and between their pixels."""

import copy
from typing import Any

import ipywidgets
import torch

from sgan_lib import data, evaluation, quality
from sgan_lib.course import stored
from sgan_lib.course.widgets.shared import png_of_images, share_slider


def latent_explorer(pair: stored.EncoderGenerator | None = None) -> ipywidgets.VBox:
    """What lies between the codes of two of MNIST's test images, and between their pixels.

    Two rows of three pictures. Above, what the generator makes of the codes: G(E(x)) of both images, and between them
    G of the point that "way" gives on the straight line from one code to the other. Below, the images themselves, and
    the mixture of their pixels. "new" takes the next test image of each class. The sentence says what the library's own
    MNIST classifier takes the two middle pictures for.

    Args:
        pair: encoder and generator of MNIST's digits; by default those that came with the library.
    """
    return _LatentExplorer(stored.bigan_pair() if pair is None else pair).box


class _LatentExplorer:
    """The controls, the picture, and the two test images with their codes."""

    def __init__(self, pair: stored.EncoderGenerator) -> None:
        self.encoder, self.generator = (copy.deepcopy(network).cpu().eval() for network in pair)
        self.test, self.judge = data.read("mnist").test, quality.digit_classifier()
        self.first = ipywidgets.Dropdown(options=list(range(10)), value=0, description="from")
        self.second = ipywidgets.Dropdown(options=list(range(10)), value=6, description="to")
        self.way, self.new = share_slider("way", 0.5), ipywidgets.Button(description="new")
        self.message = ipywidgets.HTML()
        self.picture = ipywidgets.Image(format="png", width=350)
        choices = ipywidgets.HBox([self.first, self.second, self.new])
        self.box: Any = ipywidgets.VBox([choices, self.way, self.message, self.picture])
        self.index = 0  # among the test images of a class
        self._choose_images()
        for control in (self.first, self.second):
            control.observe(self._choose_images, "value")
        self.way.observe(self._redraw, "value")
        self.new.on_click(self._take_next)

    def _take_next(self, button: Any) -> None:
        self.index += 1
        self._choose_images()

    def _choose_images(self, change: Any = None) -> None:
        start, end = self.first.value, self.second.value
        rows = [self._row(start, self.index), self._row(end, self.index + (start == end))]
        self.images = data.as_images(self.test.images[rows])
        self.codes = evaluation.encode(self.encoder, self.images).latent
        self._redraw()

    def _row(self, digit: int, index: int) -> int:
        """Where the test set has the image of this index among those of a digit."""
        of_class = (self.test.labels == digit).nonzero()[:, 0]
        return int(of_class[index % len(of_class)])

    def _redraw(self, change: Any = None) -> None:
        drawn = evaluation.generate(self.generator, self._walk(self.codes))
        mixed = self._walk(self.images)
        shares, digits = evaluation.class_logits(self.judge, torch.stack([drawn[1], mixed[1]])).softmax(dim=1).max(1)
        codes, pixels = (f"<b>{k}</b> ({100 * share:.0f} %)" for k, share in zip(digits, shares, strict=True))
        self.message.value = f"Between the codes, the classifier sees {codes}; in the mixed pixels {pixels}"
        self.picture.value = png_of_images(torch.cat([drawn, mixed]), per_row=3)

    def _walk(self, ends: torch.Tensor) -> torch.Tensor:
        """The first end, the point on the way, the second end."""
        return torch.stack([ends[0], torch.lerp(ends[0], ends[1], self.way.value), ends[1]])
