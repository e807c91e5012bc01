"""Networks that come with the library: small files in half precision, each with notes and a checksum."""

import hashlib
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sgan_lib.models.bidirectional import Encoder, ReLUGenerator, dense_body
from sgan_lib.models.convolutional import DCGANGenerator
from sgan_lib.models.layers import Generator

ASSETS = resources.files("sgan_lib") / "assets"


def save_weights(network: nn.Module, path: Path, notes: Mapping[str, str]) -> None:
    """Write a network's weights in half precision, with notes and a checksum of the weights as the file's metadata."""
    weights = {name: _in_half(tensor.detach().cpu()).contiguous() for name, tensor in network.state_dict().items()}
    path.write_bytes(save(weights, metadata={**notes, "sha256": _checksum(weights)}))


def _in_half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor


def _checksum(weights: Mapping[str, Tensor]) -> str:
    joined = b"".join(name.encode() + weights[name].numpy().tobytes() for name in sorted(weights))
    return hashlib.sha256(joined).hexdigest()


def load_weights(build: Callable[[], nn.Module], path: Traversable) -> nn.Module:
    """The network that `build` makes, with the weights of a file: float32, on the CPU, in evaluation mode, frozen.

    Raises:
        ValueError: where the file is missing or damaged, or belongs to another network.
    """
    with torch.device("meta"):  # no weights: drawing some would change the global random numbers
        network = build()
    try:
        with resources.as_file(path) as local, safe_open(local, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            if file.metadata()["sha256"] != _checksum(weights):
                raise ValueError("the weights do not match their checksum")
        floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in weights.items()}
        network.load_state_dict(floats, assign=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the shipped file {path} is missing or damaged ({error}): install sgan_lib again") from error
    return network.eval().requires_grad_(False)


def conditional_generator() -> Generator:
    """A generator of MNIST's digits that takes the class to draw: method `conditional_sgan`, 100 labels, split 0.

    Each call gives a new copy. How it was trained, and how its samples are, stands in the file's metadata.

    Raises:
        ValueError: where the file is missing or damaged.
    """
    return cast(Generator, load_weights(_conditional_dcgan, ASSETS / "conditional_generator.safetensors"))


def _conditional_dcgan() -> Generator:
    generator = DCGANGenerator((1, 28, 28))
    generator.take_classes(10)
    return generator


class EncoderGenerator(NamedTuple):
    """The two networks of a BiGAN that are of use when it is trained."""

    encoder: Encoder
    generator: Generator


def bigan_pair() -> EncoderGenerator:
    """Encoder and generator of MNIST's digits: method `bigan`, network `bigan_mlp_small`, no labels.

    Each call gives new copies. How they were trained stands in the file's metadata.

    Raises:
        ValueError: where the file is missing or damaged.
    """
    both = cast(nn.ModuleDict, load_weights(_small_dense_pair, ASSETS / "bigan_pair.safetensors"))
    return EncoderGenerator(cast(Encoder, both["encoder"]), cast(Generator, both["generator"]))


def _small_dense_pair() -> nn.ModuleDict:
    shape, width, latent_dim = (1, 28, 28), 512, 50
    encoder = Encoder(shape, dense_body(shape, width), width, latent_dim, bounded=True)
    return nn.ModuleDict({"encoder": encoder, "generator": ReLUGenerator(shape, latent_dim, (width, width))})
