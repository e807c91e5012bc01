"""What widgets share: a slider of shares, and PNGs of pixels and of images."""

import io
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.image import imsave
from torch import Tensor


def share_slider(label: str, value: float = 0.0) -> Any:
    """A slider from 0 to 1."""
    return ipywidgets.FloatSlider(value=value, min=0.0, max=1.0, step=0.05, description=label)


def png(pixels: np.ndarray) -> bytes:
    """A PNG from [height, width, 3 or 4]: bytes, or numbers in [0, 1]."""
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="png")
    return buffer.getvalue()


def sample_grid(images: Tensor, per_row: int) -> np.ndarray:
    """Images [n, channels, height, width] in [-1, 1] side by side: one picture [height, width, 3] in [0, 1]."""
    from torchvision.utils import make_grid  # a second, and few notebooks need it

    sheet = make_grid(images.detach().cpu(), per_row, padding=1, normalize=True, value_range=(-1, 1), pad_value=0.5)
    return sheet.permute(1, 2, 0).numpy()


def png_of_images(images: Tensor, per_row: int) -> bytes:
    """A PNG of such a picture."""
    return png(sample_grid(images, per_row))
