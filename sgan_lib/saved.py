"""One format for all that is kept: tensors and a description in a safetensors file, with a checksum over both."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sgan_lib.runtime import check_path, whole_file


def write_file(path: str | Path, kind: str, content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write the file, whole or not at all. `kind` says what it is, such as "model"; `content` must go through JSON."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps(content, default=lambda x: x.tolist() if hasattr(x, "tolist") else json.JSONEncoder().default(x))
    metadata = {"sgan_lib": kind, "content": text, "sha256": checksum(text, plain)}
    with whole_file(path) as partial:
        partial.write_bytes(safetensors.torch.save(plain, metadata))


def read_file(path: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The content and the tensors of such a file. ValueError names the file where it is foreign, damaged or missing."""
    try:  # all of it at once: a file that shrinks under a memory map would end the process
        whole = check_path("path", path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    try:
        end = 8 + int.from_bytes(whole[:8], "little")
        metadata = json.loads(whole[8:end])["__metadata__"]
        there = metadata["sgan_lib"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is no {kind} of this library, or its head is damaged") from error
    if there != kind:
        raise ValueError(f"{path} is no {kind} of this library but a {there}")
    try:
        tensors, text = safetensors.torch.load(whole), metadata["content"]
        if metadata["sha256"] != checksum(text, tensors):
            raise ValueError("its checksum does not match")
        return json.loads(text), tensors
    except Exception as error:  # safetensors and torch raise many kinds for a damaged file
        raise ValueError(f"{path} is a damaged {kind}: {error}") from error


def checksum(text: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a text and of the names, types, shapes and numbers of tensors."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {list(tensors[name].shape)}".encode())
        digest.update(tensors[name].cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
