"""The three networks of a BiGAN after Donahue 2016 (arXiv:1605.09782): encoder, generator, discriminator of pairs.

His images are in [0, 1]. Ours are in [-1, 1] outside the networks: (x + 1) / 2 stands before each first layer, and at
each output, in place of his sigmoid, tanh: the same curve on [-1, 1], at twice the slope.
"""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.layers import DiscriminatorOutput, Generator, Shape, Tanh

SLOPE = 0.2  # of the leaky ReLU, on the left


class EncoderOutput(NamedTuple):
    """What an encoder says of a batch: `latent` [batch, Z] is E(x); `features` [batch, F] its last hidden layer."""

    latent: Tensor
    features: Tensor


def dense_body(image_shape: Shape, width: int) -> nn.Sequential:
    """Images, flattened, to one dense layer with leaky ReLU."""
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(image_shape), width), nn.LeakyReLU(SLOPE))


def conv_body(image_shape: Shape, channels: Sequence[int] = (32, 64)) -> nn.Sequential:
    """Images to 5×5 convolutions with stride 2 and leaky ReLU, flattened."""
    layers: list[nn.Module] = []
    for n_in, n_out in zip([image_shape[0], *channels], channels, strict=False):
        layers += [nn.Conv2d(n_in, n_out, 5, stride=2, padding=2), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Flatten())


def _last_hidden(body: nn.Module, image_shape: Shape, more: int, width: int) -> nn.Sequential:
    """Dense, batch norm, leaky ReLU, on what the body gives and `more` numbers beside it.

    Batch norm has no scale and no shift of its own, as in his code.
    """
    with torch.no_grad():
        n_in = body(torch.zeros(1, *image_shape)).shape[1]
    dense = nn.Linear(n_in + more, width, bias=False)
    return nn.Sequential(dense, nn.BatchNorm1d(width, affine=False), nn.LeakyReLU(SLOPE))


@torch.no_grad()
def initialise_all_normal(network: nn.Module) -> None:
    """Weights of dense and convolutional layers ~ N(0, 0.02²), their biases 0, as in his code."""
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Encoder(nn.Module):
    """x to E(x): a body, a last hidden layer with batch norm, a dense layer to the latent.

    Args:
        image_shape: shape of one input.
        body: the layers before, of `dense_body` or `conv_body`.
        width: of the last hidden layer, whose activations are `features`.
        latent_dim: of E(x).
        bounded: E(x) goes through tanh, for a generator whose latents are uniform in [-1, 1].
    """

    def __init__(self, image_shape: Shape, body: nn.Module, width: int, latent_dim: int, bounded: bool) -> None:
        super().__init__()
        self.body = body
        self.hidden = _last_hidden(body, image_shape, 0, width)
        self.latent = nn.Linear(width, latent_dim)
        self.squash = Tanh() if bounded else nn.Identity()

    def forward(self, images: Float[Tensor, "batch ..."]) -> EncoderOutput:
        features = self.hidden(self.body((images + 1) / 2))
        latent = self.latent(features)
        return EncoderOutput(self.squash(latent), features)


class JointDiscriminator(nn.Module):
    """Judges pairs (x, z): one logit, of the pair being (x, E(x)) and not (G(z), z).

    The latent joins the image at the last hidden layer, as in his code. Images and latents are given by name, so that
    no call can exchange them.

    Args:
        image_shape, body, width, latent_dim: as for `Encoder`.
        together: in training, both kinds of pairs go through in one pass and share the statistics of batch norm. False,
            as in his code: a pass for each kind, and batch norm takes away what their means and variances would tell.
            On MNIST that handicap keeps the discriminator from winning within a hundred steps; on 8×8 digits it makes
            it too weak.
    """

    def __init__(
        self, image_shape: Shape, body: nn.Module, width: int, latent_dim: int, together: bool = False
    ) -> None:
        super().__init__()
        self.together = together
        self.body = body
        self.hidden = _last_hidden(body, image_shape, latent_dim, width)
        self.classes = nn.Linear(width, 1)

    def forward(
        self, *, images: Float[Tensor, "batch ..."], latent: Float[Tensor, "batch latent"]
    ) -> DiscriminatorOutput:
        features = self.hidden(torch.cat([self.body((images + 1) / 2), latent], dim=1))
        return DiscriminatorOutput(self.classes(features), features)


class ReLUGenerator(Generator):
    """z, uniform in [-1, 1), to G(z): dense layers with batch norm and ReLU, a dense layer, tanh.

    In evaluation batch norm uses statistics of its own, so that one latent can be drawn without company. His code also
    feeds z into the second hidden layer; here it enters once.
    """

    def __init__(self, image_shape: Shape, latent_dim: int, widths: Sequence[int]) -> None:
        super().__init__(latent_dim, uniform=True, low=-1.0)
        layers: list[nn.Module] = []
        for n_in, n_out in zip([latent_dim, *widths], widths, strict=False):
            layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out, affine=False), nn.ReLU()]
        output = nn.Linear(widths[-1], prod(image_shape))
        self.layers = nn.Sequential(*layers, output, Tanh(), nn.Unflatten(1, image_shape))
