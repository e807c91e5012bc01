"""Convolutional networks: the DCGAN-sized pair, the two-head pair of PyTorch-GAN, a small classifier."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.layers import DiscriminatorOutput, Generator, Shape


class ConvDiscriminator(nn.Module):
    """Strided convolutions with leaky ReLU, then one dense layer to the K logits.

    Args:
        image_shape: (channels, height, width).
        n_classes: K, the number of logits.
        channels: output channels of the convolutions; each halves height and width.
        kernel_size: of the convolutions.
        dropout: probability that a whole channel is dropped after a convolution.
        batch_norm: normalise over the batch after every convolution but the first. Off by default: where real and fake
            images pass through one after the other, their batch statistics alone tell them apart (notebook 02).
        dense: width of a dense layer before the logits; 0 for none.

    `features` are what enters the last dense layer.
    """

    def __init__(
        self,
        image_shape: Shape,
        n_classes: int,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 5,
        dropout: float = 0.0,
        batch_norm: bool = False,
        dense: int = 0,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for depth, (n_in, n_out) in enumerate(zip([image_shape[0], *channels], channels, strict=False)):
            layers.append(nn.Conv2d(n_in, n_out, kernel_size, stride=2, padding=kernel_size // 2))
            layers += [nn.BatchNorm2d(n_out)] if batch_norm and depth else []
            layers += [nn.LeakyReLU(0.2)] + ([nn.Dropout2d(dropout)] if dropout else [])
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            n_features = self.convolutions.eval()(torch.zeros(1, *image_shape)).shape[1]
        self.dense = nn.Sequential(nn.Linear(n_features, dense), nn.LeakyReLU(0.2)) if dense else nn.Identity()
        self.classes = nn.Linear(dense or n_features, n_classes)
        self.train()

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> DiscriminatorOutput:
        features = self.dense(self.convolutions(images))
        return DiscriminatorOutput(self.classes(features), features)


class DCGANGenerator(Generator):
    """Dense to a quarter of the size, two transposed convolutions with batch norm and ReLU, one convolution, tanh."""

    def __init__(self, image_shape: Shape, latent_dim: int = 100, channels: Sequence[int] = (64, 32, 16)) -> None:
        super().__init__(latent_dim, uniform=False)
        size, (wide, middle, narrow) = image_shape[1] // 4, channels
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, wide * size * size, bias=False),
            nn.Unflatten(1, (wide, size, size)),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.ConvTranspose2d(wide, middle, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.ConvTranspose2d(middle, narrow, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(narrow),
            nn.ReLU(),
            nn.Conv2d(narrow, image_shape[0], 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels height width"]:
        return self.layers(latent)


class UpsampleGenerator(Generator):
    """Dense to a quarter of the size; twice: double by nearest neighbour, 3×3 convolution, batch norm, leaky ReLU."""

    def __init__(self, image_shape: Shape, latent_dim: int = 100) -> None:
        super().__init__(latent_dim, uniform=False)
        size = image_shape[1] // 4
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 128 * size * size, bias=False),
            nn.Unflatten(1, (128, size, size)),
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, padding=1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, image_shape[0], 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels height width"]:
        return self.layers(latent)
