"""What widgets share: a slider of shares, and PNGs of pixels and of images."""

import io
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.image import imsave
from torch import Tensor

from sgan_lib.evaluation import sample_grid


def share_slider(label: str, value: float = 0.0) -> Any:
    """A slider from 0 to 1."""
    return ipywidgets.FloatSlider(value=value, min=0.0, max=1.0, step=0.05, description=label)


def png(pixels: np.ndarray) -> bytes:
    """A PNG from [height, width, 3 or 4]: bytes, or numbers in [0, 1]."""
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="png")
    return buffer.getvalue()


def png_of_images(images: Tensor, per_row: int) -> bytes:
    """A PNG of images [n, channels, height, width] in [-1, 1] side by side."""
    return png(sample_grid(images, per_row).permute(1, 2, 0).numpy())
