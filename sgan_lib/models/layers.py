"""What all networks share: their output, noise, weight norm, initialisation, the base of generators."""

from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

Shape = tuple[int, ...]


class DiscriminatorOutput(NamedTuple):
    """What a discriminator says of a batch: `class_logits` [batch, K]; `features` [batch, F], its last hidden layer."""

    class_logits: Tensor
    features: Tensor


class Networks(NamedTuple):
    """A discriminator and the generator that it plays against (None where the network is a classifier only).

    Where there is an encoder, the discriminator judges pairs of an image and a latent.
    """

    discriminator: nn.Module
    generator: nn.Module | None
    encoder: nn.Module | None = None


class Noise(nn.Module):
    """Add noise of mean 0 and standard deviation `sigma` while training; do nothing in evaluation.

    On a CPU it has 256 equally likely levels in place of a bell curve, because eight such numbers cost one random word:
    a fifth of the time. A dense layer sums hundreds of them, so its units see normal noise all the same (central limit
    theorem). On other devices it is normal to begin with.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.sigma:
            return x
        if x.device.type != "cpu":
            return x + self.sigma * torch.randn_like(x)
        return torch.add(x, _random_levels(x), alpha=self.sigma / _LEVELS_DEVIATION)

    def extra_repr(self) -> str:
        return f"sigma={self.sigma:g}"


class Tanh(nn.Module):
    """tanh(slope · u), the last layer of generators; in float32 where `in_float32` is set, whatever u is in.

    In bfloat16 it is 1 exactly from 3.5 on, and its gradient 0: a pixel that is as black as that on every sample has
    stopped learning, while float32 goes on to 9 (notebook 04).
    """

    in_float32 = False

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.slope * (x.float() if self.in_float32 else x))


def squash_in_float32(network: nn.Module) -> None:
    """From now on, every `Tanh` of this network works in float32."""
    for layer in network.modules():
        if isinstance(layer, Tanh):
            layer.in_float32 = True


_LEVELS_DEVIATION = ((256**2 - 1) / 12) ** 0.5  # of whole numbers that are uniform over a range of 256


def _random_levels(x: Tensor) -> Tensor:
    """Independent draws from −127.5, −126.5, …, 127.5, in the shape and type of x."""
    words = torch.empty(x.numel() // 8 + 1, dtype=torch.int64).random_(-(2**63), None)
    return words.view(torch.int8)[: x.numel()].view(x.shape).to(x.dtype).add_(0.5)


Weighted = TypeVar("Weighted", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def normalised(layer: Weighted, train_scale: bool, deviation: float = 0.1) -> Weighted:
    """Give a layer weight norm (Salimans & Kingma 2016, arXiv:1602.07868), W = g · v/‖v‖, and return it.

    For each output unit or channel one scale g, 1 at first, and one direction v ~ N(0, deviation²). The bias starts at
    0. With `train_scale=False` g stays as it is. A trained scale in a hidden layer can grow without bound: larger
    activations drown the noise that follows them, which is what the discriminator profits from.
    """
    nn.init.normal_(layer.weight, std=deviation)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    weight_norm(layer, dim=1 if isinstance(layer, nn.ConvTranspose2d) else 0)  # where the weight has its outputs
    scale, _ = scale_and_direction(layer)
    nn.init.ones_(scale)
    scale.requires_grad_(train_scale)
    return layer


def normalised_linear(n_in: int, n_out: int, train_scale: bool) -> nn.Linear:
    """A dense layer with weight norm, v ~ N(0, 0.1²)."""
    return normalised(nn.Linear(n_in, n_out), train_scale)


def scale_and_direction(layer: nn.Module) -> tuple[nn.Parameter, nn.Parameter]:
    """g and v of a layer with weight norm, whose weight is g · v/‖v‖."""
    parametrised = layer.parametrizations["weight"]  # type: ignore[index]
    return parametrised.original0, parametrised.original1  # type: ignore[union-attr]


@torch.no_grad()
def initialise_from_data(network: nn.Module, images: Float[Tensor, "batch ..."]) -> None:
    """Give each weight-normed layer pre-activations of mean 0 and variance 1 on these images.

    The data-dependent initialisation of Salimans & Kingma 2016 (arXiv:1602.07868), §3. Mean and variance are those of a
    unit over the batch, or of a channel over the batch and all positions. One forward pass: each layer is set when its
    input arrives, so that the next one sees its new output. Layers without weight norm stay as they are. A network that
    takes the mean image from its input gets it here.
    """
    if getattr(network, "takes_mean_image", False):
        network.centre.copy_(images.flatten(1).mean(dim=0))  # type: ignore[operator]

    def set_scale_and_bias(layer: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(output, dim=[0, *range(2, output.ndim)], keepdim=True)
        deviation += 1e-8
        scale, _ = scale_and_direction(layer)
        scale.div_(deviation.view_as(scale))
        layer.bias.sub_(mean.flatten()).div_(deviation.flatten())  # type: ignore[operator]
        return (output - mean) / deviation

    normed = [layer for layer in network.modules() if hasattr(layer, "parametrizations")]
    hooks = [layer.register_forward_hook(set_scale_and_bias) for layer in normed]
    try:
        network(images)
    finally:
        for hook in hooks:
            hook.remove()


class RealHead(nn.Module):
    """The second head of a two-head discriminator: features [batch, F] -> real-or-fake logit [batch]."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.logit = nn.Linear(n_features, 1)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        return self.logit(features).squeeze(1)


class Generator(nn.Module):
    """Base of all generators: knows its latent distribution, and whether a class can be asked for.

    Subclasses set `layers`, which map latents [n, latent_dim] to images in [-1, 1].
    """

    layers: nn.Sequential

    def __init__(self, latent_dim: int, uniform: bool, low: float = 0.0) -> None:
        super().__init__()
        self.latent_dim, self.uniform, self.low = latent_dim, uniform, low
        self.classes: nn.Embedding | None = None

    def take_classes(self, n_classes: int) -> None:
        """From now on, a class goes in beside z: as a learnt vector that is added to it.

        The first dense layer makes of it what it makes of a one-hot code joined to z: W(z + e_y) = Wz + We_y, a shift
        of its units that depends on the class. The vectors start at a tenth of z's deviation, and grow. Where they
        start as large as z, the generator is soon content with one image a class (notebook 07).
        """
        self.classes = nn.Embedding(n_classes, self.latent_dim)
        nn.init.normal_(self.classes.weight, std=0.1 * (12**-0.5 if self.uniform else 1.0))

    def draw_classes(self, n: int, generator: torch.Generator | None = None) -> Int64[Tensor, "n"] | None:
        """Draw n classes, each as likely as any other; None where the generator takes none."""
        if self.classes is None:
            return None
        device = next(self.parameters()).device
        if generator is None:
            return torch.randint(self.classes.num_embeddings, (n,), device=device)
        return torch.randint(self.classes.num_embeddings, (n,), generator=generator, device=generator.device).to(device)

    def latent(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n latent"]:
        """Draw n latent vectors on this network's device: uniform in [low, 1) or standard normal."""
        draw = torch.rand if self.uniform else torch.randn
        device = next(self.parameters()).device
        if generator is None:
            drawn = draw(n, self.latent_dim, device=device)
        else:
            drawn = draw(n, self.latent_dim, generator=generator, device=generator.device).to(device)
        return self.low + (1 - self.low) * drawn if self.low else drawn

    def forward(
        self, latent: Float[Tensor, "batch latent"], classes: Int64[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch ..."]:
        """Images in [-1, 1] from latents and, after `take_classes`, from the classes asked for.

        Raises:
            ValueError: where classes are missing, or given to a generator that takes none.
        """
        if self.classes is None and classes is not None:
            raise ValueError("classes must be None, because this generator takes none")
        if self.classes is not None and classes is None:
            raise ValueError("classes must be a tensor of class numbers; got None")
        return self.layers(latent if self.classes is None else latent + self.classes(classes))

    def sample(
        self, n: int, generator: torch.Generator | None = None, classes: Int64[Tensor, "n"] | None = None
    ) -> Tensor:
        """Generate n images in [-1, 1]; where the generator takes classes and none are given, of classes at random."""
        classes = self.draw_classes(n, generator) if classes is None else classes
        return self(self.latent(n, generator), classes)


@torch.no_grad()
def initialise_normal(network: nn.Module) -> None:
    """Convolutions ~ N(0, 0.02²) (Radford 2016, §4); batch-norm scales ~ N(1, 0.02²), biases 0 (PyTorch-GAN)."""
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
            nn.init.zeros_(layer.bias)
