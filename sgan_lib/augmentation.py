"""Strong augmentation: views that distort an image as far as its class allows, through torchvision.transforms.v2.

A transform draws once for all the images that it is given, and a call costs about as much for one small image as for
many. So the images of a block of training steps are distorted together: those at the same place in their batches share
a draw, and within a batch every image has a draw of its own.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from sgan_lib.runtime import seeded

# Two of RandAugment's fourteen distortions (Cubuk 2019, arXiv:1909.13719) at a third of their full strength, then
# Cutout (DeVries 2017, arXiv:1708.04552) with a grey square of up to half the side. So has FixMatch (Sohn 2020,
# arXiv:2001.07685, §2.3); there the strength is drawn too.
_STRONG = v2.Compose([
    v2.RandAugment(num_ops=2, magnitude=10, interpolation=InterpolationMode.BILINEAR, fill=0.0),
    v2.RandomErasing(p=1.0, scale=(0.02, 0.25), ratio=(1.0, 1.0), value=0.5),
])  # fmt: skip


def strong_views(
    images: Float[Tensor, "steps batch channels height width"], seed: int
) -> Float[Tensor, "steps batch channels height width"]:
    """A strongly augmented view of each image, of one channel or three; in and out in [-1, 1].

    What is moved in from outside is black. The draws depend on the seed alone and are made on the CPU, so every device
    gets the same; torch's global random numbers stay as they were.
    """
    views = torch.empty_like(images)
    with seeded(seed):
        for place, together in enumerate(images.unbind(dim=1)):
            views[:, place] = _STRONG((together + 1) / 2).clamp(0, 1) * 2 - 1
    return views
