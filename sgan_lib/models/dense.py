"""Dense networks after Salimans 2016 (arXiv:1606.03498), code for MNIST."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.fast import Noise
from sgan_lib.models.layers import UNIFORM, DiscriminatorOutput, Generator, Shape, Tanh, normalised


class MLPDiscriminator(nn.Module):
    """Images of any shape, flattened, through dense layers with weight norm, ReLU and noise to the K logits.

    `features` are what the last of the hidden layers, of these `widths`, puts out, before its noise. Noise is given by
    standard deviations. `centre` is taken from every pixel first; None: the mean image, from `initialise_from_data`.
    It does not see the `margin`, so many pixels at each edge.
    """

    centre: Tensor

    def __init__(
        self, image_shape: Shape, n_classes: int, widths: Sequence[int] = (1000, 500, 250, 250, 250),
        input_noise: float = 0.6, hidden_noise: float = 0.5, train_hidden_scales: bool = False,
        centre: float | None = 0.0, margin: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.crop = nn.ConstantPad2d(-margin, 0.0) if margin else nn.Identity()
        sizes = [self.crop(torch.empty(image_shape)).numel(), *widths]
        self.register_buffer("centre", torch.full((sizes[0],), centre or 0.0))
        self.takes_mean_image = centre is None
        self.input_noise, self.hidden_noise = Noise(input_noise), Noise(hidden_noise)
        self.hidden = nn.ModuleList(normalised(nn.Linear(*ends), train_hidden_scales) for ends in pairwise(sizes))
        self.classes = normalised(nn.Linear(sizes[-1], n_classes), train_scale=True)

    def forward(self, images: Float[Tensor, "batch ..."]) -> DiscriminatorOutput:
        features = self.crop(images).flatten(1) - self.centre
        hidden = self.input_noise(features)
        for layer in self.hidden:
            features = torch.relu(layer(hidden))
            hidden = self.hidden_noise(features)
        return DiscriminatorOutput(self.classes(hidden), features)


class MLPGenerator(Generator):
    """Dense layers with batch norm (on the batch's own statistics) and softplus, a weight-normed output, tanh.

    `as_published`: batch norm without a trained scale, Glorot's directions for the output, tanh(u/2), his sigmoid of u.
    Not `bounded`: no tanh, for columns that are not in [-1, 1]. The `margin` of its images is -1.
    """

    def __init__(
        self, image_shape: Shape, latent_dim: int = 100, widths: Sequence[int] = (500, 500), as_published: bool = False,
        bounded: bool = True, margin: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(latent_dim, UNIFORM)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([latent_dim, *widths]):
            dense = nn.Linear(n_in, n_out, bias=False)  # batch norm brings the bias
            nn.init.xavier_uniform_(dense.weight)
            norm = nn.BatchNorm1d(n_out, eps=1e-6 if as_published else 1e-5, track_running_stats=False)
            norm.weight.requires_grad_(not as_published)
            layers += [dense, norm, nn.Softplus()]
        inside = (image_shape[0], *(side - 2 * margin for side in image_shape[1:]))
        output: Any = normalised(nn.Linear(widths[-1], prod(inside)), train_scale=True)
        if as_published:
            nn.init.xavier_uniform_(output.parametrizations.weight.original1)
        squash = Tanh(0.5 if as_published else 1.0) if bounded else nn.Identity()
        edge = [nn.ConstantPad2d(margin, -1.0)] if margin else []
        self.layers = nn.Sequential(*layers, output, squash, nn.Unflatten(1, inside), *edge)
