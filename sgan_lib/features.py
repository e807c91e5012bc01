"""What a pretrained network of torchvision sees in images, where the reader has its weights as a file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib.data import Labelled, Preparation, SemiSupervisedData, as_images
from sgan_lib.runtime import check_path

_MEAN, _DEVIATION = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)  # of ImageNet


def with_features(data: SemiSupervisedData, weights: str | Path) -> SemiSupervisedData:
    """The same data as a table: for each image, what the network's last hidden layer puts out, standardised.

    weights: a file of torchvision's, named after the network, such as "resnet18-f37072fd.pth". Raises ValueError where
    it is no such file, and for data that are no images of 1 or 3 channels.
    """
    network = _network(check_path("weights", weights))
    if len(data.image_shape) != 3 or data.image_shape[0] not in (1, 3):
        raise ValueError(f"data must be images of 1 or 3 channels for {weights}; got shape {data.image_shape}")
    pool = _features(network, data.pool)
    scaled = Preparation.of(pool)
    parts: Any = {name: getattr(data, name) for name in ("labelled", "validation", "test")}
    for name, (images, labels) in parts.items():
        parts[name] = Labelled(scaled(_features(network, images)) if len(labels) else pool[:0], labels)
    return replace(data, pool=scaled(pool), preparation=scaled, **parts)


def _network(path: Path) -> nn.Module:
    import torchvision  # a second, and few need it

    name = path.stem.split("-")[0]
    if name not in torchvision.models.list_models(torchvision.models) or not path.is_file():
        raise ValueError(f"weights must be a file named after a network of torchvision.models; got {str(path)!r}")
    network = torchvision.models.get_model(name)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises many kinds for a damaged file
        raise ValueError(f"weights must be a file with the weights of {name}; {path}: {error}") from error
    *_, last = (name for name, part in network.named_modules() if isinstance(part, (nn.Linear, nn.Conv2d)))
    network.set_submodule(last, nn.Identity())  # it maps features to ImageNet's classes
    return network.eval()


@torch.no_grad()
def _features(network: nn.Module, images: Tensor) -> Tensor:
    """Float32 [n, f], from images or bytes of any size."""
    rows = []
    for part in images.split(64):
        unit = (as_images(part).expand(-1, 3, -1, -1) + 1) / 2
        large = F.interpolate(unit, (224, 224), mode="bilinear", antialias=True)
        rows.append(network((large - _MEAN) / _DEVIATION))
    return torch.cat(rows)
