"""Generators and discriminators. Images are float tensors in [-1, 1]; discriminators return logits and features.

| network | images | from |
| --- | --- | --- |
| `mlp` | MNIST, flattened | Salimans 2016 (arXiv:1606.03498), code for MNIST |
| `mlp_published` | the same | the same, the generator too to the letter |
| `mlp_small` | the same | the same, the discriminator's first two layers half as wide, its input centred |
| `mlp_digits`, `mlp_2d` | 8×8 digits; points in the plane | the same, smaller |
| `dcgan` | 28×28 | Radford 2016 (arXiv:1511.06434), reduced to MNIST's size |
| `upsample` | 32×32 | the two-head pair of PyTorch-GAN's `sgan.py`, mended |
| `svhn` | 32×32, from 12×12 | Salimans 2016, code for SVHN; for a GPU |
| `svhn_small` | 32×32, from 20×20 | the same with a stride in the first layer and fewer channels; for a CPU |
| `cnn` | any size from 8×8 | a small convolutional classifier, the supervised baseline; no generator |
| `bigan_mlp` | MNIST, flattened | Donahue 2016 (arXiv:1605.09782): with an encoder, and a discriminator of pairs |
| `bigan_mlp_small`, `bigan_digits` | MNIST, flattened; 8×8 digits | the same, half as wide; smaller |
| `bigan_conv` | 28×28 | the same with two convolutions, and the generator of `dcgan` |
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from sgan_lib.models.bidirectional import (
    Encoder,
    EncoderOutput,
    JointDiscriminator,
    ReLUGenerator,
    conv_body,
    dense_body,
    initialise_all_normal,
)
from sgan_lib.models.convolutional import (
    ConvDiscriminator,
    DCGANGenerator,
    PooledDiscriminator,
    TransposedGenerator,
    UpsampledConv,
    UpsampleGenerator,
)
from sgan_lib.models.dense import MLPDiscriminator, MLPGenerator
from sgan_lib.models.layers import (
    DiscriminatorOutput,
    Generator,
    Networks,
    Noise,
    RealHead,
    Shape,
    Tanh,
    initialise_from_data,
    initialise_normal,
    normalised,
    normalised_linear,
    squash_in_float32,
)
from sgan_lib.models.stored import (
    ASSETS,
    EncoderGenerator,
    bigan_pair,
    conditional_generator,
    load_weights,
    save_weights,
)

__all__ = [
    "ASSETS",
    "NETWORKS",
    "WITHOUT_GENERATOR",
    "WITH_ENCODER",
    "ConvDiscriminator",
    "DCGANGenerator",
    "DiscriminatorOutput",
    "Encoder",
    "EncoderGenerator",
    "EncoderOutput",
    "Generator",
    "JointDiscriminator",
    "MLPDiscriminator",
    "MLPGenerator",
    "Networks",
    "Noise",
    "PooledDiscriminator",
    "ReLUGenerator",
    "RealHead",
    "Tanh",
    "TransposedGenerator",
    "UpsampleGenerator",
    "UpsampledConv",
    "bigan_pair",
    "build",
    "conditional_generator",
    "initialise_from_data",
    "initialise_normal",
    "load_weights",
    "normalised",
    "normalised_linear",
    "save_weights",
    "squash_in_float32",
]  # fmt: skip


def _initialised(discriminator: ConvDiscriminator, generator: Generator) -> Networks:
    initialise_normal(discriminator)
    initialise_normal(generator)
    return Networks(discriminator, generator)


def _mlp(shape: Shape, k: int) -> Networks:
    return Networks(MLPDiscriminator(shape, k, centre=-1.0), MLPGenerator(shape))  # there, the background is 0


def _mlp_published(shape: Shape, k: int) -> Networks:
    return Networks(MLPDiscriminator(shape, k, centre=-1.0), MLPGenerator(shape, to_the_letter=True))


def _mlp_small(shape: Shape, k: int) -> Networks:
    discriminator = MLPDiscriminator(shape, k, widths=(500, 250, 250, 250, 250), centre=None)
    return Networks(discriminator, MLPGenerator(shape))


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


def _svhn(shape: Shape, k: int) -> Networks:
    return Networks(PooledDiscriminator(shape, k), TransposedGenerator(shape))


def _svhn_small(shape: Shape, k: int) -> Networks:
    discriminator = PooledDiscriminator(shape, k, channels=(32, 64), strides=((2, 1, 2), (1, 1, 2)))
    return Networks(discriminator, TransposedGenerator(shape, channels=(128, 64, 32)))


def _cnn(shape: Shape, k: int) -> Networks:
    return Networks(ConvDiscriminator(shape, k, channels=(32, 64), kernel_size=5, dense=128), None)


def _trio(
    shape: Shape, body: Callable[[], nn.Module], width: int, generator: Generator, together: bool = False
) -> Networks:
    """Encoder and joint discriminator, each with a body of its own, around a generator."""
    encoder = Encoder(shape, body(), width, generator.latent_dim, bounded=generator.uniform)
    discriminator = JointDiscriminator(shape, body(), width, generator.latent_dim, together)
    for network in (discriminator, generator, encoder):
        initialise_all_normal(network)
    return Networks(discriminator, generator, encoder)


def _bigan_mlp(shape: Shape, k: int, width: int = 1024, latent_dim: int = 50, together: bool = False) -> Networks:
    generator = ReLUGenerator(shape, latent_dim, (width, width))
    return _trio(shape, lambda: dense_body(shape, width), width, generator, together)


def _bigan_conv(shape: Shape, k: int) -> Networks:
    return _trio(shape, lambda: conv_body(shape), 256, DCGANGenerator(shape, latent_dim=50))


NETWORKS: dict[str, Callable[[Shape, int], Networks]] = {
    "mlp": _mlp,
    "mlp_published": _mlp_published,
    "mlp_small": _mlp_small,
    "mlp_digits": _mlp_digits,
    "mlp_2d": _mlp_2d,
    "dcgan": _dcgan,
    "upsample": _upsample,
    "svhn": _svhn,
    "svhn_small": _svhn_small,
    "cnn": _cnn,
    "bigan_mlp": _bigan_mlp,
    "bigan_mlp_small": partial(_bigan_mlp, width=512),
    "bigan_digits": partial(_bigan_mlp, width=128, latent_dim=16, together=True),
    "bigan_conv": _bigan_conv,
}

WITHOUT_GENERATOR = ("cnn",)
WITH_ENCODER = ("bigan_mlp", "bigan_mlp_small", "bigan_digits", "bigan_conv")


def build(name: str, image_shape: Shape, n_classes: int) -> Networks:
    """Build a discriminator, its generator and, for a BiGAN, an encoder for images of this shape.

    Args:
        name: one of `NETWORKS`.
        image_shape: (channels, height, width), or (2,) for points in the plane.
        n_classes: K, the number of class logits; 1 for a plain GAN. A discriminator of pairs always has one.

    Raises:
        ValueError: for an unknown name, or images that the network cannot take.
    """
    if name not in NETWORKS:
        raise ValueError(f"network must be one of {', '.join(NETWORKS)}; got {name!r}")
    convolutional = not name.startswith(("mlp", "bigan_mlp", "bigan_digits"))
    if convolutional and (len(image_shape) != 3 or image_shape[1] % 4 or image_shape[1] != image_shape[2]):
        raise ValueError(
            f"network {name!r} takes square images with a side divisible by 4; got image_shape {image_shape}"
        )
    return NETWORKS[name](image_shape, n_classes)
