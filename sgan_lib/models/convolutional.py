"""Convolutional networks, for images of any height and width: what does not fit exactly is padded or cropped."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib.models.fast import UpsampledConv
from sgan_lib.models.layers import NORMAL, UNIFORM, DiscriminatorOutput, Generator, Shape, Tanh, normalised


class ConvDiscriminator(nn.Module):
    """Strided convolutions with leaky ReLU, each halving the sides, then one dense layer to the K logits.

    `kernel_size` is odd. `dropout` is the probability that a channel is dropped after a convolution. `dense` is the
    width of a layer before the last one, 0 for none. `features` enter the last.
    """

    def __init__(
        self, image_shape: Shape, n_classes: int, channels: Sequence[int] = (32, 64), kernel_size: int = 5,
        dropout: float = 0.0, dense: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise([image_shape[0], *channels]):
            layers += [nn.Conv2d(n_in, n_out, kernel_size, 2, kernel_size // 2), nn.LeakyReLU(0.2)]
            layers += [nn.Dropout2d(dropout)] if dropout else []
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        n_features = channels[-1] * prod(-(-side // 2 ** len(channels)) for side in image_shape[1:])
        self.dense = nn.Sequential(nn.Linear(n_features, dense), nn.LeakyReLU(0.2)) if dense else nn.Identity()
        self.classes = nn.Linear(dense or n_features, n_classes)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> DiscriminatorOutput:
        features = self.dense(self.convolutions(images))
        return DiscriminatorOutput(self.classes(features), features)


class PooledDiscriminator(nn.Module):
    """Weight-normed convolutions with leaky ReLU, and dropout around their blocks (Salimans 2016, code for SVHN).

    Two blocks of three, 3×3, the last with stride 2, to `channels` outputs and then twice as many; `stride` is that of
    the first. Then 3×3 without padding (with it, where less than 3×3 is left), 1×1, 1×1, whose outputs' means over all
    positions are `features`. Only the logits' weight-norm scales are trained.
    """

    def __init__(self, image_shape: Shape, n_classes: int, channels: int = 64, stride: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Dropout(0.2)]
        n_in, side = image_shape[0], min(image_shape[1:])
        for n_out, strides in ((channels, (stride, 1, 2)), (2 * channels, (1, 1, 2))):
            for step in strides:
                layers += _normalised_conv(n_in, n_out, 3, step, padding=1)
                n_in, side = n_out, -(-side // step)
            layers.append(nn.Dropout(0.5))
        layers += _normalised_conv(n_in, n_in, 3, padding=int(side < 3))
        layers += _normalised_conv(n_in, n_in, 1) + _normalised_conv(n_in, n_in, 1)
        self.convolutions = nn.Sequential(*layers)
        self.classes = normalised(nn.Linear(n_in, n_classes), train_scale=True)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> DiscriminatorOutput:
        features = self.convolutions(images).mean(dim=(2, 3))
        return DiscriminatorOutput(self.classes(features), features)


def _normalised_conv(n_in: int, n_out: int, kernel_size: int, stride: int = 1, padding: int = 0) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, kernel_size, stride, padding)
    return [normalised(convolution, train_scale=False, deviation=0.05), nn.LeakyReLU(0.2)]


class DCGANGenerator(Generator):
    """Dense to a quarter of each side, doubled twice, with batch norm; a 3×3 convolution and tanh (Radford 2016).

    With `upsample` it doubles by nearest neighbour, 3×3 convolution and leaky ReLU (PyTorch-GAN's sgan.py).
    """

    def __init__(
        self, image_shape: Shape, latent_dim: int = 100, channels: Sequence[int] = (64, 32, 16), upsample: bool = False
    ) -> None:
        super().__init__(latent_dim, NORMAL)
        height, width = (-(-side // 4) for side in image_shape[1:])
        dense = nn.Linear(latent_dim, channels[0] * height * width, bias=False)
        layers = [dense, nn.Unflatten(1, (channels[0], height, width)), nn.BatchNorm2d(channels[0])]
        layers += [] if upsample else [nn.ReLU()]
        for n_in, n_out in pairwise(channels):
            if upsample:
                layers += [UpsampledConv(n_in, n_out, bias=False), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
            else:
                layers += [nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
        below, right = (-(-side % 4) for side in image_shape[1:])  # negative: that many rows and columns too much
        crop = nn.ZeroPad2d((0, right, 0, below))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], image_shape[0], 3, padding=1), Tanh(), crop)


class TransposedGenerator(Generator):
    """Dense to an eighth of each side, then transposed 5×5 convolutions that double it (Salimans 2016, code for SVHN).

    Weights ~ N(0, 0.05²); batch norm, on the batch's own statistics, and ReLU, or in the end weight norm and tanh.
    """

    def __init__(self, image_shape: Shape, latent_dim: int = 100, channels: Sequence[int] = (512, 256, 128)) -> None:
        super().__init__(latent_dim, UNIFORM)
        sizes = [tuple(-(-side // share) for side in image_shape[1:]) for share in (8, 4, 2, 1)]
        n_units = channels[0] * prod(sizes[0])
        layers = [nn.Linear(latent_dim, n_units, bias=False), nn.BatchNorm1d(n_units, track_running_stats=False)]
        layers += [nn.ReLU(), nn.Unflatten(1, (channels[0], *sizes[0]))]
        *doublings, last = pairwise(sizes)
        for (n_in, n_out), sides in zip(pairwise(channels), doublings, strict=True):
            double = _doubling(n_in, n_out, *sides, bias=False)
            layers += [double, nn.BatchNorm2d(n_out, track_running_stats=False), nn.ReLU()]
        for layer in layers:
            if isinstance(layer, (nn.Linear, nn.ConvTranspose2d)):
                nn.init.normal_(layer.weight, std=0.05)
        output = normalised(_doubling(channels[-1], image_shape[0], *last), train_scale=True, deviation=0.05)
        self.layers = nn.Sequential(*layers, output, Tanh())


def _doubling(n_in: int, n_out: int, small: Shape, large: Shape, bias: bool = True) -> nn.ConvTranspose2d:
    """A transposed 5×5 convolution with stride 2 from sides `small` to sides `large`, each double or one less."""
    more = large[0] - (2 * small[0] - 1), large[1] - (2 * small[1] - 1)
    return nn.ConvTranspose2d(n_in, n_out, 5, stride=2, padding=2, output_padding=more, bias=bias)
