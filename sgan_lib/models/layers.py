"""What networks share: outputs, tanh, weight norm and its initialisation, the base of generators."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from sgan_lib.runtime import forked_random

Shape = tuple[int, ...]
Weighted = TypeVar("Weighted", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class DiscriminatorOutput(NamedTuple):
    """`class_logits` [batch, K] and `features` [batch, F], what the last hidden layer puts out."""

    class_logits: Tensor
    features: Tensor


class Tanh(nn.Module):
    """tanh(slope · u); with `in_float32` in float32, where its gradient is 0 from u = 9 on, in bfloat16 from 3.5 on."""

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope, self.in_float32 = slope, False

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.slope * (x.float() if self.in_float32 else x))


def squash_in_float32(network: nn.Module) -> None:
    """From now on, every `Tanh` of this network works in float32."""
    for layer in network.modules():
        if isinstance(layer, Tanh):
            layer.in_float32 = True


class RealHead(nn.Module):
    """The second head of a two-head discriminator: features [batch, F] -> real-or-fake logit [batch]."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.logit = nn.Linear(n_features, 1)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        return self.logit(features).squeeze(1)


def normalised(layer: Weighted, train_scale: bool, deviation: float = 0.1) -> Weighted:
    """Give a layer weight norm, W = g · v/‖v‖ (Salimans & Kingma 2016, arXiv:1602.07868, eq. 2), and return it.

    Each output has a scale g (`original0`), 1 at first, and a direction v (`original1`) ~ N(0, deviation²); the bias
    starts at 0. Without `train_scale` g is not trained: in front of noise it could grow until it drowns the noise.
    """
    nn.init.normal_(layer.weight, std=deviation)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    normed: Any = weight_norm(layer, dim=1 if isinstance(layer, nn.ConvTranspose2d) else 0)  # where the outputs are
    nn.init.ones_(normed.parametrizations.weight.original0).requires_grad_(train_scale)
    made_for_this_layer: Any = type(normed)  # by torch, which does not let it be pickled
    made_for_this_layer.__reduce_ex__ = _reduce
    return layer


def _reduce(layer: Any, _protocol: int) -> tuple[Any, ...]:
    """For pickle: the layer without weight norm, and what weight norm adds."""
    kind: Any = type(layer).__bases__[0]
    plain = kind.__new__(kind)
    weights = {"weight": nn.Parameter(layer.weight.detach()), **layer._parameters}
    plain.__dict__ = layer.__dict__ | {"_parameters": weights, "_modules": {}}
    plain._load_state_dict_pre_hooks = OrderedDict()
    return _normed_again, (plain, layer.state_dict(), layer.parametrizations.weight.original0.requires_grad)


def _normed_again(plain: Any, weights: dict[str, Tensor], train_scale: bool) -> Any:
    kept = {name: weight.clone() for name, weight in weights.items()}  # some share their memory with the layer's
    with forked_random():  # its random weights are replaced
        layer: Any = normalised(plain, train_scale)
    layer.load_state_dict(kept)
    return layer


@torch.no_grad()
def initialise_from_data(network: nn.Module, images: Float[Tensor, "batch ..."]) -> None:
    """Give each weight-normed layer pre-activations of mean 0 and variance 1 on these images (ibid., §3).

    They are taken over the batch and, for a channel, over all positions; each layer sees what those before it put out
    once they are set. A network that takes the mean image from its input gets that here too.
    """
    if getattr(network, "takes_mean_image", False):
        network.centre.copy_(network.crop(images).flatten(1).mean(dim=0))  # type: ignore[operator]

    def set_scale_and_bias(layer: Any, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(output, dim=[0, *range(2, output.ndim)], keepdim=True)
        deviation += 1e-8
        scale = layer.parametrizations.weight.original0
        scale.div_(deviation.view_as(scale))
        layer.bias.sub_(mean.flatten()).div_(deviation.flatten())
        return (output - mean) / deviation

    names = {"bias", "parametrizations.weight.original1"}  # which a layer with weight norm has
    normed = [layer for layer in network.modules() if names <= dict(layer.named_parameters()).keys()]
    hooks = [layer.register_forward_hook(set_scale_and_bias) for layer in normed]
    network(images)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def initialise_normal(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> None:
    """Weights of layers of these kinds ~ N(0, 0.02²), batch norm's ~ N(1, 0.02²); biases 0, but not convolutions'."""
    layers: list[Any] = [layer for layer in network.modules() if isinstance(layer, kinds)]
    for layer in layers:
        nn.init.normal_(layer.weight, mean=float(isinstance(layer, nn.BatchNorm2d)), std=0.02)
        if layer.bias is not None and not isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.zeros_(layer.bias)


class Latents(NamedTuple):
    """A distribution of latents: what draws them, called as torch.rand is, and the deviation of each number."""

    draw: Callable[..., Tensor]
    deviation: float
    bounded: bool  # within [-1, 1]


def _rand_symmetric(*sizes: int, **source: Any) -> Tensor:
    return 2 * torch.rand(*sizes, **source) - 1


NORMAL = Latents(torch.randn, 1.0, bounded=False)
UNIFORM = Latents(torch.rand, 12**-0.5, bounded=True)  # in [0, 1)
SYMMETRIC = Latents(_rand_symmetric, 3**-0.5, bounded=True)  # uniform in [-1, 1)


class Generator(nn.Module):
    """Draws latents and turns them, [n, latent_dim], into images in [-1, 1] by `layers`, which a subclass may set."""

    def __init__(self, latent_dim: int, latents: Latents = NORMAL, layers: nn.Module | None = None) -> None:
        super().__init__()
        self.latent_dim, self.latents = latent_dim, latents
        self.classes: nn.Embedding | None = None
        self.layers = nn.Identity() if layers is None else layers

    def take_classes(self, n_classes: int) -> None:
        """From now on, add to z a learnt vector e of the class; like a one-hot code joined to z: W(z + e) = Wz + We."""
        self.classes = nn.Embedding(n_classes, self.latent_dim)
        nn.init.normal_(self.classes.weight, std=0.1 * self.latents.deviation)

    def draw_classes(self, n: int, generator: torch.Generator | None = None) -> Int64[Tensor, "n"] | None:
        """Draw n classes, each as likely as any other; None where the generator takes none."""
        n_classes = self.classes and self.classes.num_embeddings
        return None if n_classes is None else self._draw(torch.randint, generator, n_classes, (n,))

    def latent(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n latent"]:
        """Draw n latents."""
        return self._draw(self.latents.draw, generator, n, self.latent_dim)

    def _draw(self, draw: Callable[..., Tensor], generator: torch.Generator | None, *arguments: Any) -> Tensor:
        """Draw on the device of `generator` (None: torch's global random numbers), for this network's device."""
        own = next(self.parameters(), torch.empty(0)).device
        return draw(*arguments, generator=generator, device=generator.device if generator else own).to(own)

    def forward(self, latent: Float[Tensor, "batch latent"], classes: Int64[Tensor, "batch"] | None = None) -> Tensor:
        """Images [batch, ...] in [-1, 1]. Raises ValueError where classes are missing, or passed in vain."""
        if (self.classes is None) != (classes is None):
            raise ValueError(f"classes must be passed where the generator takes them, and only there; got {classes}")
        return self.layers(latent if self.classes is None else latent + self.classes(classes))

    def sample(self, n: int, generator: torch.Generator | None = None, classes: Tensor | None = None) -> Tensor:
        """n images in [-1, 1]; of classes at random where the generator takes classes and none are passed."""
        classes = self.draw_classes(n, generator) if classes is None else classes
        return self(self.latent(n, generator), classes)


class Networks(NamedTuple):
    """The discriminator maps images [n, ...] to a `DiscriminatorOutput` or any (class_logits [n, K], features [n, F]).

    Where there is an encoder, it takes pairs, as `JointDiscriminator` does. Without a generator it is a classifier.
    """

    discriminator: nn.Module
    generator: Generator | None = None
    encoder: nn.Module | None = None
