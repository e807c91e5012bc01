"""A training state to a file and back, to the last bit: weights, their average, optimisers, random numbers, history."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sgan_lib.runtime import available_devices, check_number, check_tensor, check_whole_number
from sgan_lib.saved import read_file, write_file
from sgan_lib.training import Record, TrainingState


def save_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Write the state as one file, whole or not at all, with the settings and the history."""
    tensors = {f"modules.{name}": tensor for name, tensor in state.modules.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in state.average.state_dict().items()}
    for name, player in state.players.items():
        for index, moments in player.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{name}.{index}.{moment}": tensor for moment, tensor in moments.items()}
    tensors |= {name: device.get_rng_state() for name, device in _random_numbers().items()}
    header = {"settings": dict(settings), "history": [asdict(record) for record in state.history]}
    write_file(path, "checkpoint", header, tensors)


def load_checkpoint(state: TrainingState, path: Path, settings: Mapping[str, Any]) -> None:
    """Bring a fresh state to where the file left off. ValueError for a foreign or damaged file, or other settings."""
    header, tensors = read_file(path, "checkpoint")
    try:
        there, now = header["settings"], json.loads(json.dumps(dict(settings)))
        names = [name for name in sorted({*there, *now}) if there.get(name) != now.get(name)]
        if different := "; ".join(f"{name}: {there.get(name)!r} there, {now.get(name)!r} now" for name in names):
            raise ValueError(f"it belongs to one with other settings ({different})")
        state.modules.load_state_dict(_below("modules.", tensors))
        state.average.load_state_dict(_below("average.", tensors))
        for name, player in state.players.items():
            by_index = {}
            for index, weight in enumerate(player.optimizer.param_groups[0]["params"]):
                if moments := _below(f"optimizer.{name}.{index}.", tensors):  # none: no loss has reached this weight
                    by_index[index] = moments
                    for moment, shape in {"step": (), "exp_avg": weight.shape, "exp_avg_sq": weight.shape}.items():
                        check_tensor(moment, moments[moment], shape, weight.dtype)  # a short one would end the process
            player.optimizer.load_state_dict({**player.optimizer.state_dict(), "state": by_index})
        for name, device in _random_numbers().items():
            if name == "random.cpu" or name in tensors:
                device.set_rng_state(tensors[name])
        state.history = [Record(**record) for record in header["history"]]
        state.step = check_whole_number("step", state.history[-1].step, 1, settings["steps"])
        state.seconds = check_number("seconds", state.history[-1].seconds)
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"checkpoint {path} does not fit this run: {error}") from error


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _random_numbers() -> dict[str, Any]:
    """What gets and sets the state of each device's random numbers."""
    sources = {"cpu": torch.random, "cuda": torch.cuda, "mps": torch.mps}
    return {f"random.{name}": sources[name] for name in available_devices()}
