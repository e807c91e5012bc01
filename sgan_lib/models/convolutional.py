"""Convolutional networks: DCGAN-sized, the two-head pair of PyTorch-GAN, the SVHN pair of Salimans, a classifier."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib.models.layers import DiscriminatorOutput, Generator, Shape, Tanh, normalised, normalised_linear


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
            Tanh(),
        )


class UpsampledConv(nn.Conv2d):
    """Doubling by nearest neighbour and then a 3×3 convolution, in one, with 2.25 times fewer multiplications.

    After doubling, a pixel fills a 2×2 square, so several taps of the 3×3 kernel meet the same pixel. Their sums make a
    4×4 kernel, and the transposed convolution with it and stride 2 gives the same numbers. `weight` stays the 3×3 one.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        super().__init__(n_in, n_out, 3, padding=1, bias=bias)

    def forward(
        self, images: Float[Tensor, "batch n_in height width"]
    ) -> Float[Tensor, "batch n_out double_h double_w"]:
        # The sums over all 2×2 windows: the kernel (mirrored, as it is transposed) convolved with that square.
        sums = F.avg_pool2d(self.weight.flip(2, 3), 2, stride=1, padding=1, divisor_override=1)
        return F.conv_transpose2d(images, sums.transpose(0, 1), self.bias, stride=2, padding=1)


class UpsampleGenerator(Generator):
    """Dense to a quarter of the size; twice: double by nearest neighbour, 3×3 convolution, batch norm, leaky ReLU."""

    def __init__(self, image_shape: Shape, latent_dim: int = 100) -> None:
        super().__init__(latent_dim, uniform=False)
        size = image_shape[1] // 4
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 128 * size * size, bias=False),
            nn.Unflatten(1, (128, size, size)),
            nn.BatchNorm2d(128),
            UpsampledConv(128, 128, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            UpsampledConv(128, 64, bias=False),
            nn.BatchNorm2d(64),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, image_shape[0], 3, padding=1),
            Tanh(),
        )


class PooledDiscriminator(nn.Module):
    """Weight-normed convolutions with leaky ReLU and dropout, averaged over all positions (Salimans 2016, SVHN code).

    Args:
        image_shape: (channels, height, width).
        n_classes: K, the number of logits.
        channels: output channels of the blocks of padded 3×3 convolutions. After the blocks come three convolutions as
            wide as the last block: 3×3 without padding, 1×1, 1×1.
        strides: for each block the strides of its convolutions.
        input_dropout: probability that a number of the input is dropped.
        dropout: the same, after each block.

    `features` are the means of the last convolution's channels over all positions. No layer has batch norm: its
    statistics alone would tell real from fake where these come one after the other, and on the last layer it would make
    all feature means equal, which are what feature matching compares. The weight-norm scales of the convolutions stay
    as the initialisation from data sets them, and the scale of the logits is trained: so has his code, as for MNIST.
    The logits start with deviation 1, as in his code for MNIST; his code for SVHN has 0.1.

    Raises:
        ValueError: for images too small for the 3×3 convolution without padding.
    """

    def __init__(
        self,
        image_shape: Shape,
        n_classes: int,
        channels: Sequence[int] = (64, 128),
        strides: Sequence[Sequence[int]] = ((1, 1, 2), (1, 1, 2)),
        input_dropout: float = 0.2,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout(input_dropout)]
        n_in, side = image_shape[0], image_shape[1]
        for n_out, block in zip(channels, strides, strict=True):
            for stride in block:
                layers += _normalised_conv(n_in, n_out, 3, stride, padding=1)
                n_in, side = n_out, -(-side // stride)
            layers.append(nn.Dropout(dropout))
        if side < 3:
            raise ValueError(f"image_shape is too small: strides {strides} leave less than 3×3 of {image_shape}")
        for kernel_size in (3, 1, 1):
            layers += _normalised_conv(n_in, n_in, kernel_size)
        self.convolutions = nn.Sequential(*layers)
        self.classes = normalised_linear(n_in, n_classes, train_scale=True)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> DiscriminatorOutput:
        features = self.convolutions(images).mean(dim=(2, 3))
        return DiscriminatorOutput(self.classes(features), features)


def _normalised_conv(n_in: int, n_out: int, kernel_size: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride, padding)
    return [normalised(convolution, train_scale=False, deviation=0.05), nn.LeakyReLU(0.2)]


class TransposedGenerator(Generator):
    """Dense to an eighth of the size, then three transposed 5×5 convolutions that double it (Salimans 2016, SVHN code).

    Batch norm and ReLU after all but the last convolution, which has weight norm with a trained scale, and tanh.
    Weights ~ N(0, 0.05²). Batch norm always uses the batch's own statistics, as there. Where the side is not divisible
    by 8 (28 is not), the first convolution makes one row and column less than double.
    """

    def __init__(self, image_shape: Shape, latent_dim: int = 100, channels: Sequence[int] = (512, 256, 128)) -> None:
        super().__init__(latent_dim, uniform=True)
        sides = [-(-image_shape[1] // share) for share in (8, 4, 2, 1)]
        dense = nn.Linear(latent_dim, channels[0] * sides[0] ** 2, bias=False)  # batch norm brings the bias
        layers: list[nn.Module] = [dense, nn.BatchNorm1d(dense.out_features, track_running_stats=False), nn.ReLU()]
        layers.append(nn.Unflatten(1, (channels[0], sides[0], sides[0])))
        for (n_in, n_out), (small, large) in zip(pairwise(channels), pairwise(sides), strict=False):
            layers.append(_doubling(n_in, n_out, small, large, bias=False))
            layers += [nn.BatchNorm2d(n_out, track_running_stats=False), nn.ReLU()]
        for layer in layers:
            if isinstance(layer, (nn.Linear, nn.ConvTranspose2d)):
                nn.init.normal_(layer.weight, std=0.05)
        output = _doubling(channels[-1], image_shape[0], sides[2], sides[3])
        self.layers = nn.Sequential(*layers, normalised(output, train_scale=True, deviation=0.05), Tanh())


def _doubling(n_in: int, n_out: int, small: int, large: int, bias: bool = True) -> nn.ConvTranspose2d:
    """A transposed 5×5 convolution with stride 2 from side `small` to side `large`, its double or one less."""
    more = large - (2 * small - 1)
    return nn.ConvTranspose2d(n_in, n_out, 5, stride=2, padding=2, output_padding=more, bias=bias)
