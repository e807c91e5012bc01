"""Dense networks after Salimans 2016 (arXiv:1606.03498), code for MNIST."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.layers import (
    DiscriminatorOutput,
    Generator,
    Noise,
    Shape,
    Tanh,
    normalised_linear,
    scale_and_direction,
)


class MLPDiscriminator(nn.Module):
    """Dense layers with weight norm and noise between them (Salimans 2016, code for MNIST).

    Args:
        image_shape: shape of one input, which is flattened.
        n_classes: K, the number of logits.
        widths: hidden widths; the last one is the width of `features` (after its ReLU, before its noise).
        input_noise: standard deviation of the noise on the input, in units of [-1, 1].
        hidden_noise: the same, after each hidden layer.
        train_hidden_scales: train the weight-norm scales of hidden layers too; the recipe freezes them.
        centre: what is taken from every pixel first. A pixel that is −1 nearly everywhere, as MNIST's background is,
            else acts on its weights like one more bias. None: the mean image, once `initialise_from_data` has seen it.
    """

    centre: Tensor

    def __init__(
        self,
        image_shape: Shape,
        n_classes: int,
        widths: Sequence[int] = (1000, 500, 250, 250, 250),
        input_noise: float = 0.6,
        hidden_noise: float = 0.5,
        train_hidden_scales: bool = False,
        centre: float | None = 0.0,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths must name at least one hidden layer; got none")
        sizes = [prod(image_shape), *widths]
        self.register_buffer("centre", torch.full((sizes[0],), centre or 0.0))
        self.takes_mean_image = centre is None
        self.input_noise = Noise(input_noise)
        self.hidden_noise = Noise(hidden_noise)
        self.hidden = nn.ModuleList(
            normalised_linear(n_in, n_out, train_hidden_scales) for n_in, n_out in pairwise(sizes)
        )
        self.classes = normalised_linear(sizes[-1], n_classes, train_scale=True)

    def forward(self, images: Float[Tensor, "batch ..."]) -> DiscriminatorOutput:
        hidden = self.input_noise(images.flatten(1) - self.centre)
        for layer in self.hidden:
            features = torch.relu(layer(hidden))
            hidden = self.hidden_noise(features)
        return DiscriminatorOutput(self.classes(hidden), features)


class MLPGenerator(Generator):
    """Dense layers with batch norm and softplus, a weight-normed output and tanh (Salimans 2016, code for MNIST).

    Batch norm always uses the batch's own statistics, as there.

    Args:
        image_shape: shape of one image.
        latent_dim, widths: of the latent and of the hidden layers.
        to_the_letter: no trained scale in batch norm, the output's directions drawn as Glorot's, and half the slope:
            tanh(u/2) is his sigmoid of u, on [-1, 1]. Then the pair learns more slowly, and in the end more (notebook
            04). False: a trained scale, directions ~ N(0, 0.1²) as in the discriminator, tanh(u).
    """

    def __init__(
        self, image_shape: Shape, latent_dim: int = 100, widths: Sequence[int] = (500, 500), to_the_letter: bool = False
    ) -> None:
        super().__init__(latent_dim, uniform=True)
        self.image_shape = image_shape
        layers: list[nn.Module] = []
        for n_in, n_out in zip([latent_dim, *widths], widths, strict=False):
            dense = nn.Linear(n_in, n_out, bias=False)  # batch norm brings the bias
            nn.init.xavier_uniform_(dense.weight)
            norm = nn.BatchNorm1d(n_out, eps=1e-6 if to_the_letter else 1e-5, track_running_stats=False)
            norm.weight.requires_grad_(not to_the_letter)
            layers += [dense, norm, nn.Softplus()]
        output = normalised_linear(widths[-1], prod(image_shape), train_scale=True)
        if to_the_letter:
            _, direction = scale_and_direction(output)
            nn.init.xavier_uniform_(direction)
        squash = Tanh(slope=0.5 if to_the_letter else 1.0)
        self.layers = nn.Sequential(*layers, output, squash, nn.Unflatten(1, image_shape))
