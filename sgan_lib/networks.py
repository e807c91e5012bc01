"""One row per network: what builds it, how it is trained, for how long, on what."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any

from torch import nn

from sgan_lib import models
from sgan_lib.models import Generator, Networks, Shape
from sgan_lib.runtime import check_choice
from sgan_lib.settings import PRESETS

OWN = "own"  # the name, in settings and results, of networks that the caller has made


@dataclass(frozen=True)
class Network:
    """One row. `build` takes the shape of an image and K, the number of class logits, and returns the networks.

    `steps` are those of the presets quick, standard and paper. `recipe` holds the settings that deviate from the
    defaults in `settings`; under the preset paper `paper` replaces it, where there is one.
    """

    build: Callable[[Shape, int], Networks]
    steps: tuple[int, int, int] = (600, 3_000, 93_800)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    paper: Mapping[str, Any] | None = None
    default_for: tuple[str, ...] = ()  # the library's data sets whose network it is by default
    kinds: tuple[str, ...] = ()  # "table", "grey" (and small), "colour": all other data whose network it is by default
    default_in_paper: tuple[str, ...] = ()  # data sets whose network it is under the preset paper
    generator: bool = True
    encoder: bool = False
    any_shape: bool = True  # False: images of 1 to 4 channels with sides from 8 to 128
    image_size: int | None = None  # side to which a data set's images are brought
    step_seconds: float = 0.1  # on one core of a server, roughly: for a first estimate of a sweep's time

    def settings(self, preset: str) -> dict[str, Any]:
        """What this network trains with under a preset: its steps, and what deviates from the defaults."""
        recipe = self.paper if preset == "paper" and self.paper is not None else self.recipe
        return {"steps": self.steps[list(PRESETS).index(preset)], **recipe}


def _pair(
    discriminator: Callable[[Shape, int], nn.Module], generator: Callable[[Shape], Generator] | None,
    normal: tuple[type[nn.Module], ...] = (),
) -> Callable[[Shape, int], Networks]:  # fmt: skip
    """What builds a discriminator, then a generator, and draws layers of the `normal` kinds anew in both."""

    def built(shape: Shape, k: int) -> Networks:
        networks = Networks(discriminator(shape, k), generator(shape) if generator else None)
        for network in networks:
            if network is not None:
                models.initialise_normal(network, normal)
        return networks

    return built


def _bigan(shape: Shape, k: int, width: int = 1024, latent_dim: int = 50, together: bool = False) -> Networks:
    generator = models.ReLUGenerator(shape, latent_dim, (width, width))
    encoder = models.Encoder(shape, width, latent_dim)
    discriminator = models.JointDiscriminator(shape, width, latent_dim, together)
    for network in (discriminator, generator, encoder):
        models.initialise_normal(network, (nn.Linear,))
    return Networks(discriminator, generator, encoder)


_NORMAL = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d)
# Salimans 2016, code for MNIST; ε is that of his Adam, 1e-8 under the root, as about 1e-4 after it.
_PUBLISHED = {"batch_size": 100, "labelled_batch_size": 100, "learning_rate": 3e-3, "hold": 1.0, "epsilon": 1e-4,
              "average_decay": 0.9999}  # fmt: skip
# Ours, from trials on splits 100 and 101. Both rates are of Dai 2017, code for MNIST: 3e-3, and 1e-3 for the generator.
_SHORTER = {"batch_size": 100, "labelled_batch_size": 50, "learning_rate": 3e-3, "hold": 0.75, "beta2": 0.99,
            "generator_rate": 1 / 3}  # fmt: skip
_SVHN = {"feature_norm": "l1", "pull_away_weight": 0.8}  # Salimans 2016, Dai 2017: codes for SVHN
# Donahue 2016, code. His loss is the mean of the two terms and ours their sum, so that the same decay counts half here.
_DONAHUE = {"batch_size": 128, "labelled_batch_size": 1, "learning_rate": 2e-4, "weight_decay": 2.5e-5}

NETWORKS: dict[str, Network] = {
    # MNIST: Salimans 2016 (arXiv:1606.03498), code, whose images are in [0, 1]; 300 epochs of 600 steps.
    "mlp": Network(_pair(partial(models.MLPDiscriminator, centre=-1.0), models.MLPGenerator),
                   (600, 24_000, 180_000), _SHORTER, paper=_PUBLISHED, step_seconds=0.03),
    # The generator too as there. `paper`: 100,000 steps, a falling rate, unbiased average, shared batches; 40 minutes.
    "mlp_published": Network(
        _pair(partial(models.MLPDiscriminator, centre=-1.0), partial(models.MLPGenerator, as_published=True)),
        (600, 24_000, 100_000), _PUBLISHED, paper=_PUBLISHED | {"hold": 0.75}, default_in_paper=("mnist",),
        step_seconds=0.03),
    # The first two layers half as wide, the input centred.
    "mlp_small": Network(
        _pair(partial(models.MLPDiscriminator, widths=(500, 250, 250, 250, 250), centre=None), models.MLPGenerator),
        (600, 24_000, 180_000), _SHORTER, kinds=("grey",), step_seconds=0.02),
    # The same for digits that keep away from the edge, as MNIST's do: the outer 2 pixels are left out.
    "mlp_cropped": Network(
        _pair(partial(models.MLPDiscriminator, widths=(500, 250, 250, 250, 250), centre=None, margin=2),
              partial(models.MLPGenerator, margin=2)),
        (600, 32_000, 180_000), _SHORTER | {"labelled_batch_size": 25}, step_seconds=0.018),
    # 8×8 digits, and points in the plane: ours, from trials on other splits.
    "mlp_digits": Network(
        _pair(partial(models.MLPDiscriminator, widths=(256, 128, 128), input_noise=0.3, hidden_noise=0.3),
              partial(models.MLPGenerator, latent_dim=32, widths=(128, 128))),
        (1_500, 3_000, 3_000), {"learning_rate": 2e-3, "threads": 1}, default_for=("digits",), step_seconds=0.005),
    "mlp_2d": Network(
        _pair(partial(models.MLPDiscriminator, widths=(128, 128, 128), input_noise=0.05, hidden_noise=0.0),
              partial(models.MLPGenerator, latent_dim=8, widths=(128, 128))),
        (1_000, 4_000, 4_000), {"labelled_batch_size": 16, "learning_rate": 3e-3, "average_decay": 0.99, "threads": 1},
        default_for=("moons", "rings"), step_seconds=0.003),
    # Tables of columns: ours, as for the points.
    "mlp_table": Network(
        _pair(partial(models.MLPDiscriminator, widths=(128, 128, 128), input_noise=0.1, hidden_noise=0.1),
              partial(models.MLPGenerator, latent_dim=16, widths=(128, 128), bounded=False)),
        (1_000, 4_000, 4_000), {"learning_rate": 2e-3, "threads": 1}, kinds=("table",), step_seconds=0.004),
    # Radford 2016 (arXiv:1511.06434), reduced to MNIST's size; more and smaller steps, 100 epochs under `paper`.
    "dcgan": Network(
        _pair(models.ConvDiscriminator, models.DCGANGenerator, _NORMAL), (600, 3_000, 187_500),
        {"batch_size": 32, "labelled_batch_size": 32, "average_decay": 0.99}, any_shape=False, step_seconds=0.05),
    # The two-head pair of PyTorch-GAN's sgan.py, mended; 200 epochs of 938 steps on MNIST resized to 32×32.
    "upsample": Network(
        _pair(partial(models.ConvDiscriminator, channels=(16, 32, 64, 128), kernel_size=3, dropout=0.25),
              partial(models.DCGANGenerator, channels=(128, 128, 64), upsample=True), _NORMAL),
        (200, 3_000, 187_600), {"learning_rate": 2e-4, "hold": 1.0}, any_shape=False, image_size=32, step_seconds=0.2),
    # Salimans 2016, code for SVHN, 900 epochs of 732 steps; for a GPU.
    "svhn": Network(
        _pair(models.PooledDiscriminator, models.TransposedGenerator), (600, 12_000, 658_800),
        {"batch_size": 100, "labelled_batch_size": 100, "learning_rate": 3e-4, "hold": 2 / 3, **_SVHN},
        default_for=("svhn", "cifar10"), any_shape=False, step_seconds=3.0),
    # The same with a stride in the first layer and fewer channels, for a CPU; from trials on split 100.
    "svhn_small": Network(
        _pair(partial(models.PooledDiscriminator, channels=32, stride=2),
              partial(models.TransposedGenerator, channels=(128, 64, 32))),
        (600, 4_000, 658_800), {"batch_size": 32, "labelled_batch_size": 32, "average_decay": 0.99, **_SVHN},
        default_for=("mnist_rgb",), kinds=("colour",), any_shape=False, step_seconds=0.15),
    # A small classifier, the supervised baseline; 100 epochs under `paper`.
    "cnn": Network(_pair(partial(models.ConvDiscriminator, dense=128), None), generator=False, any_shape=False,
                   step_seconds=0.02),
    # The same, and DCGAN's generator; more and smaller steps, as there.
    "cnn_pair": Network(_pair(partial(models.ConvDiscriminator, dense=128), models.DCGANGenerator),
                        recipe={"batch_size": 32, "labelled_batch_size": 32}, any_shape=False, step_seconds=0.03),
    # MNIST, with an encoder and a discriminator of pairs: after Donahue 2016 (arXiv:1605.09782), code; 400 epochs of
    # 469 steps. By default his have 391, as 10,000 images are held out.
    "bigan_mlp": Network(_bigan, (300, 14_000, 187_600), _DONAHUE, paper=_DONAHUE | {"last_rate": 0.01},
                         default_in_paper=("mnist",), encoder=True),
    # Half as wide; and smaller, for 8×8 digits, from trials on training images held out.
    "bigan_mlp_small": Network(
        partial(_bigan, width=512), (600, 30_000, 187_600), _DONAHUE, kinds=("grey", "colour"), encoder=True),
    "bigan_digits": Network(
        partial(_bigan, width=128, latent_dim=16, together=True), (2_000, 4_000, 4_000),
        {"labelled_batch_size": 1, "learning_rate": 5e-4, "threads": 1},
        default_for=("digits", "moons", "rings"), kinds=("table",), encoder=True),
}  # fmt: skip


def default_network(dataset: str, preset: str, encoder: bool, shape: Shape) -> str:
    """The default network of a data set of the library, or of other data by their shape, with an encoder or without."""
    rows = {name: row for name, row in NETWORKS.items() if row.encoder == encoder}
    published = [name for name, row in rows.items() if preset == "paper" and dataset in row.default_in_paper]
    kind = "table" if len(shape) == 1 else "grey" if shape[0] == 1 and prod(shape) <= 32 * 32 else "colour"
    named = [name for name, row in rows.items() if dataset in row.default_for]
    return [*published, *named, *(name for name, row in rows.items() if kind in row.kinds)][0]


def row_of(network: str | nn.Module | Networks) -> tuple[str, Network]:
    """The name and the row of a network; networks of the caller's own get a row with the defaults, and are copied.

    Raises ValueError for an unknown name, TypeError where `network` is no name, nor networks, nor a discriminator.
    """
    if isinstance(network, str):
        return check_choice("network", network, NETWORKS), NETWORKS[network]
    network = Networks(network) if isinstance(network, nn.Module) else network
    types = [nn.Module, Generator | None, nn.Module | None]
    if not (isinstance(network, tuple) and 1 < len(network) < 4 and all(map(isinstance, network, types))):
        kinds = [type(part).__name__ for part in network] if isinstance(network, tuple) else type(network).__name__
        raise TypeError(f"network must be a name, a module or (discriminator, models.Generator or None); got {kinds}")
    own = Networks(*network)
    has_generator, has_encoder = own.generator is not None, own.encoder is not None
    return OWN, Network(lambda *_: copy.deepcopy(own), generator=has_generator, encoder=has_encoder)


def build(name: str, image_shape: Shape, n_classes: int) -> Networks:
    """Build a discriminator, its generator and, for a BiGAN, an encoder for images of this shape.

    `image_shape` is (channels, height, width), or (d,) for points. `n_classes` is K, the number of class logits: 1 for
    a plain GAN; a discriminator of pairs always has one. Raises ValueError for an unknown name, and as `check_shape`.
    """
    name, row = row_of(name)
    check_shape(name, row, image_shape)
    return row.build(image_shape, n_classes)


def check_shape(name: str, row: Network, image_shape: Shape) -> None:
    """Raise ValueError where a network cannot take images of this shape."""
    fits = len(image_shape) == 3 and 1 <= image_shape[0] <= 4 and all(8 <= side <= 128 for side in image_shape[1:])
    if not (row.any_shape or fits):
        allowed = "images of 1 to 4 channels with sides from 8 to 128"
        raise ValueError(f"network {name!r} takes {allowed}; got image_shape {image_shape}")
