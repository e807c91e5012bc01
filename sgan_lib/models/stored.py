"""Networks that come with the library: files of `saved`, in half precision, each with notes on its training."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import torch
from torch import nn

from sgan_lib.saved import read_file

ASSETS = Path(str(resources.files("sgan_lib"))) / "assets"


def load_weights(build: Callable[[], nn.Module], path: str | Path) -> nn.Module:
    """The network that `build` makes, with the weights of a file: float32, on the CPU, in evaluation mode, frozen.

    Raises ValueError where the file is missing or damaged, or belongs to another network.
    """
    with torch.device("meta"):  # no weights: drawing some would change the global random numbers
        network = build()
    try:
        _, stored = read_file(path, "network")
        weights = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}
        network.load_state_dict(weights, assign=True)
    except (RuntimeError, ValueError) as error:
        advice = ": install sgan_lib again" if str(path).startswith(str(ASSETS)) else ""
        raise ValueError(f"the file {path} is missing or damaged ({error}){advice}") from error
    return network.eval().requires_grad_(False)
