"""Generators and discriminators. Images are float tensors in [-1, 1]; discriminators return logits and features.

| network | images | from |
| --- | --- | --- |
| `mlp` | MNIST, flattened | Salimans 2016 (arXiv:1606.03498), code for MNIST |
| `mlp_digits`, `mlp_2d` | 8×8 digits; points in the plane | the same, smaller |
| `dcgan` | 28×28 | Radford 2016 (arXiv:1511.06434), reduced to MNIST's size |
| `upsample` | 32×32 | the two-head pair of PyTorch-GAN's `sgan.py`, mended |
| `cnn` | any size from 8×8 | a small convolutional classifier, the supervised baseline; no generator |
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

Shape = tuple[int, ...]


class DiscriminatorOutput(NamedTuple):
    """What a discriminator says of a batch: `class_logits` [batch, K]; `features` [batch, F], its last hidden layer."""

    class_logits: Tensor
    features: Tensor


class Networks(NamedTuple):
    """A discriminator and the generator that it plays against (None where the network is a classifier only)."""

    discriminator: nn.Module
    generator: nn.Module | None


class GaussianNoise(nn.Module):
    """Add N(0, sigma²) noise while training; do nothing in evaluation."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training and self.sigma else x

    def extra_repr(self) -> str:
        return f"sigma={self.sigma:g}"


def normalised_linear(n_in: int, n_out: int, train_scale: bool) -> nn.Linear:
    """A dense layer with weight norm (Salimans & Kingma 2016, arXiv:1602.07868), W = g · v/‖v‖, v ~ N(0, 0.1²), g = 1.

    With `train_scale=False` g stays as it is. Under feature matching a trained scale in a hidden layer can grow without
    bound: larger features make a larger matching loss, which is what the discriminator profits from.
    """
    layer = nn.Linear(n_in, n_out)
    nn.init.normal_(layer.weight, std=0.1)
    nn.init.zeros_(layer.bias)
    weight_norm(layer)
    scale, _ = _scale_and_direction(layer)
    nn.init.ones_(scale)
    scale.requires_grad_(train_scale)
    return layer


def _scale_and_direction(layer: nn.Module) -> tuple[nn.Parameter, nn.Parameter]:
    parametrised = layer.parametrizations["weight"]  # type: ignore[index]
    return parametrised.original0, parametrised.original1  # type: ignore[union-attr]


@torch.no_grad()
def initialise_from_data(network: nn.Module, images: Float[Tensor, "batch ..."]) -> None:
    """Give each weight-normed layer pre-activations of mean 0 and variance 1 on these images.

    The data-dependent initialisation of Salimans & Kingma 2016 (arXiv:1602.07868), §3. One forward pass: each layer is
    set when its input arrives, so that the next one sees its new output. Layers without weight norm stay as they are.
    """

    def set_scale_and_bias(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        mean, deviation = output.mean(dim=0), output.std(dim=0) + 1e-8
        scale, _ = _scale_and_direction(layer)
        scale.div_(deviation[:, None])
        layer.bias.sub_(mean).div_(deviation)  # type: ignore[operator]
        return (output - mean) / deviation

    normed = [
        layer for layer in network.modules() if isinstance(layer, nn.Linear) and hasattr(layer, "parametrizations")
    ]
    hooks = [layer.register_forward_hook(set_scale_and_bias) for layer in normed]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()


class MLPDiscriminator(nn.Module):
    """Dense layers with weight norm and noise between them (Salimans 2016, code for MNIST).

    Args:
        image_shape: shape of one input, which is flattened.
        n_classes: K, the number of logits.
        widths: hidden widths; the last one is the width of `features` (after its ReLU, before its noise).
        input_noise: standard deviation of the noise on the input, in units of [-1, 1].
        hidden_noise: the same, after each hidden layer.
        train_hidden_scales: train the weight-norm scales of hidden layers too; the recipe freezes them.
    """

    def __init__(
        self,
        image_shape: Shape,
        n_classes: int,
        widths: Sequence[int] = (1000, 500, 250, 250, 250),
        input_noise: float = 0.6,
        hidden_noise: float = 0.5,
        train_hidden_scales: bool = False,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths must name at least one hidden layer; got none")
        sizes = [prod(image_shape), *widths]
        self.input_noise = GaussianNoise(input_noise)
        self.hidden_noise = GaussianNoise(hidden_noise)
        self.hidden = nn.ModuleList(
            normalised_linear(n_in, n_out, train_hidden_scales) for n_in, n_out in pairwise(sizes)
        )
        self.classes = normalised_linear(sizes[-1], n_classes, train_scale=True)

    def forward(self, images: Float[Tensor, "batch ..."]) -> DiscriminatorOutput:
        hidden = self.input_noise(images.flatten(1))
        for layer in self.hidden:
            features = torch.relu(layer(hidden))
            hidden = self.hidden_noise(features)
        return DiscriminatorOutput(self.classes(hidden), features)


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


class RealHead(nn.Module):
    """The second head of a two-head discriminator: features [batch, F] -> real-or-fake logit [batch]."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.logit = nn.Linear(n_features, 1)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        return self.logit(features).squeeze(1)


class Generator(nn.Module):
    """Base of all generators: knows its latent distribution.

    Subclasses map latents [n, latent_dim] to images in [-1, 1].
    """

    def __init__(self, latent_dim: int, uniform: bool) -> None:
        super().__init__()
        self.latent_dim, self.uniform = latent_dim, uniform

    def latent(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n latent"]:
        """Draw n latent vectors on this network's device: uniform in [0, 1) or standard normal."""
        draw = torch.rand if self.uniform else torch.randn
        device = next(self.parameters()).device
        if generator is None:
            return draw(n, self.latent_dim, device=device)
        return draw(n, self.latent_dim, generator=generator, device=generator.device).to(device)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Generate n images in [-1, 1]."""
        return self(self.latent(n, generator))


class MLPGenerator(Generator):
    """Dense layers with batch norm and softplus, a weight-normed output and tanh (Salimans 2016, code for MNIST).

    Batch norm always uses the batch's own statistics, as there. His output is a sigmoid onto [0, 1]; tanh is the same
    curve on [-1, 1], at twice the slope.
    """

    def __init__(self, image_shape: Shape, latent_dim: int = 100, widths: Sequence[int] = (500, 500)) -> None:
        super().__init__(latent_dim, uniform=True)
        self.image_shape = image_shape
        layers: list[nn.Module] = []
        for n_in, n_out in zip([latent_dim, *widths], widths, strict=False):
            dense = nn.Linear(n_in, n_out, bias=False)  # batch norm brings the bias
            nn.init.xavier_uniform_(dense.weight)
            layers += [dense, nn.BatchNorm1d(n_out, track_running_stats=False), nn.Softplus()]
        output = normalised_linear(widths[-1], prod(image_shape), train_scale=True)
        self.layers = nn.Sequential(*layers, output, nn.Tanh(), nn.Unflatten(1, image_shape))

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch ..."]:
        return self.layers(latent)


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


@torch.no_grad()
def initialise_normal(network: nn.Module) -> None:
    """Convolutions ~ N(0, 0.02²) (Radford 2016, §4); batch-norm scales ~ N(1, 0.02²), biases 0 (PyTorch-GAN)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
            nn.init.zeros_(layer.bias)


def _initialised(discriminator: nn.Module, generator: nn.Module) -> Networks:
    initialise_normal(discriminator)
    initialise_normal(generator)
    return Networks(discriminator, generator)


def _mlp(shape: Shape, k: int) -> Networks:
    return Networks(MLPDiscriminator(shape, k), MLPGenerator(shape))


def _mlp_digits(shape: Shape, k: int) -> Networks:
    discriminator = MLPDiscriminator(shape, k, widths=(256, 128, 128), input_noise=0.3, hidden_noise=0.3)
    return Networks(discriminator, MLPGenerator(shape, latent_dim=32, widths=(128, 128)))


def _mlp_2d(shape: Shape, k: int) -> Networks:
    discriminator = MLPDiscriminator(shape, k, widths=(128, 128, 128), input_noise=0.05, hidden_noise=0.0)
    return Networks(discriminator, MLPGenerator(shape, latent_dim=8, widths=(128, 128)))


def _dcgan(shape: Shape, k: int) -> Networks:
    return _initialised(ConvDiscriminator(shape, k), DCGANGenerator(shape))


def _upsample(shape: Shape, k: int) -> Networks:
    discriminator = ConvDiscriminator(shape, k, channels=(16, 32, 64, 128), kernel_size=3, dropout=0.25)
    return _initialised(discriminator, UpsampleGenerator(shape))


def _cnn(shape: Shape, k: int) -> Networks:
    return Networks(ConvDiscriminator(shape, k, channels=(32, 64), kernel_size=5, dense=128), None)


NETWORKS: dict[str, Callable[[Shape, int], Networks]] = {
    "mlp": _mlp,
    "mlp_digits": _mlp_digits,
    "mlp_2d": _mlp_2d,
    "dcgan": _dcgan,
    "upsample": _upsample,
    "cnn": _cnn,
}


def build(name: str, image_shape: Shape, n_classes: int) -> Networks:
    """Build a discriminator and its generator for images of this shape.

    Args:
        name: one of `NETWORKS`.
        image_shape: (channels, height, width), or (2,) for points in the plane.
        n_classes: K, the number of class logits; 1 for a plain GAN.

    Raises:
        ValueError: for an unknown name, or images that the network cannot take.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}; got {name!r}")
    convolutional = not name.startswith("mlp")
    if convolutional and (len(image_shape) != 3 or image_shape[1] % 4 or image_shape[1] != image_shape[2]):
        raise ValueError(
            f"network {name!r} takes square images with a side divisible by 4; got image_shape {image_shape}"
        )
    return NETWORKS[name](image_shape, n_classes)
