"""BiGAN's encoder, generator and discriminator of pairs, after Donahue 2016 (arXiv:1605.09782; images in [0, 1] there).

Unlike his code: some layers have biases, G takes z in its first layer alone, and tanh stands for his sigmoid.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.layers import SYMMETRIC, DiscriminatorOutput, Generator, Shape, Tanh


class EncoderOutput(NamedTuple):
    """`latent` [batch, Z], which is E(x), and `features` [batch, F], what the last hidden layer puts out."""

    latent: Tensor
    features: Tensor


def _first(image_shape: Shape, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(image_shape), width), nn.LeakyReLU(0.2))


def _last(n_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width, bias=False), nn.BatchNorm1d(width, affine=False), nn.LeakyReLU(0.2))


class Encoder(nn.Module):
    """Images of any shape to latents in [-1, 1]: a dense layer, a second one with batch norm, a third with tanh."""

    def __init__(self, image_shape: Shape, width: int, latent_dim: int) -> None:
        super().__init__()
        self.body = _first(image_shape, width)
        self.hidden = _last(width, width)
        self.latent, self.squash = nn.Linear(width, latent_dim), Tanh()

    def forward(self, images: Float[Tensor, "batch ..."]) -> EncoderOutput:
        features = self.hidden(self.body((images + 1) / 2))
        return EncoderOutput(self.squash(self.latent(features)), features)


class JointDiscriminator(nn.Module):
    """One logit for each pair, of its being (x, E(x)) and not (G(z), z). The latent joins at the last hidden layer.

    `together`: in training both kinds of pairs share a pass, and batch norm leaves how their means differ.
    """

    def __init__(self, image_shape: Shape, width: int, latent_dim: int, together: bool = False) -> None:
        super().__init__()
        self.together = together
        self.body = _first(image_shape, width)
        self.hidden = _last(width + latent_dim, width)
        self.classes = nn.Linear(width, 1)

    def forward(self, *, images: Float[Tensor, "batch ..."], latent: Float[Tensor, "batch z"]) -> DiscriminatorOutput:
        features = self.hidden(torch.cat([self.body((images + 1) / 2), latent], dim=1))
        return DiscriminatorOutput(self.classes(features), features)


class ReLUGenerator(Generator):
    """Latents, uniform in [-1, 1), to images: dense layers with batch norm and ReLU, a dense layer, tanh."""

    def __init__(self, image_shape: Shape, latent_dim: int, widths: Sequence[int]) -> None:
        super().__init__(latent_dim, SYMMETRIC)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([latent_dim, *widths]):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out, affine=False), nn.ReLU()]
        layers += [nn.Linear(widths[-1], prod(image_shape)), Tanh(), nn.Unflatten(1, image_shape)]
        self.layers = nn.Sequential(*layers)
