"""Networks that come with the library: small files in half precision, each with notes and a checksum."""

import hashlib
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

ASSETS = Path(str(resources.files("sgan_lib"))) / "assets"


def save_weights(network: nn.Module, path: str | Path, notes: Mapping[str, str]) -> None:
    """Write a network's weights in half precision, with notes and a checksum of the weights as the file's metadata."""
    weights = {name: tensor.cpu().contiguous() for name, tensor in _cast(network.state_dict(), torch.float16).items()}
    Path(path).write_bytes(save(weights, metadata={**notes, "sha256": _checksum(weights)}))


def _cast(weights: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in weights.items()}


def _checksum(weights: Mapping[str, Tensor]) -> str:
    joined = b"".join(name.encode() + weights[name].numpy().tobytes() for name in sorted(weights))
    return hashlib.sha256(joined).hexdigest()


def load_weights(build: Callable[[], nn.Module], path: str | Path) -> nn.Module:
    """The network that `build` makes, with the weights of a file: float32, on the CPU, in evaluation mode, frozen.

    Raises ValueError where the file is missing or damaged, or belongs to another network.
    """
    with torch.device("meta"):  # no weights: drawing some would change the global random numbers
        network = build()
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            if file.metadata()["sha256"] != _checksum(weights):
                raise ValueError("the weights do not match their checksum")
        network.load_state_dict(_cast(weights, torch.float32), assign=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        advice = ": install sgan_lib again" if str(path).startswith(str(ASSETS)) else ""
        raise ValueError(f"the file {path} is missing or damaged ({error}){advice}") from error
    return network.eval().requires_grad_(False)
