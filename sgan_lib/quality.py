"""How good are generated digits: a Fréchet distance and an inception-style score, on a small MNIST classifier of ours.

Both formulas are those of the literature; the network under them is not. The numbers compare runs of this library only.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from sgan_lib import data, evaluation, models, networks
from sgan_lib.runtime import check_tensor

ASSET = models.ASSETS / "mnist_classifier.safetensors"
NETWORK, N_FEATURES, N_CLASSES, IMAGE_SHAPE = "cnn", 128, 10, (1, 28, 28)
LEAST_IMAGES = 2 * N_FEATURES  # fewer than N_FEATURES + 1 give a singular covariance; twice as many, still a poor one


class SampleQuality(NamedTuple):
    """What `sample_quality` measures. Not comparable to the FID and the Inception score that papers report."""

    digit_frechet: float  # at least 0, smaller is better; too large where n is small: compare equal n only
    digit_score: float  # in [1, 10], larger is better; blind to variety within a class
    n: int  # images measured


def digit_classifier() -> nn.Module:
    """A new, frozen copy of the shipped classifier, in evaluation mode. ValueError: its file is missing or damaged."""
    return models.load_weights(lambda: networks.build(NETWORK, IMAGE_SHAPE, N_CLASSES).discriminator, ASSET)


def sample_quality(images: Tensor) -> SampleQuality:
    """Measure digits [n, 1, 28, 28] in [-1, 1], n at least 256, in any order, against 10,000 real ones.

    With the classifier's 128 features f(x) of mean m and covariance C, and its class probabilities p(y|x):

    - digit_frechet = ‖m − m_r‖² + tr(C + C_r − 2 (C C_r)^½), r for real (Heusel 2017, arXiv:1706.08500). It sees poor
      digits, missing classes and missing variety.
    - digit_score = exp(mean over x of KL(p(y|x) ‖ p(y))), p(y) the mean of p(y|x) (Salimans 2016, §4). It sees whether
      each digit is clear and whether all classes occur; one clear image of each, repeated, scores above real digits.

    Raises ValueError for other images, or where the classifier is missing or damaged; DataError where MNIST is.
    """
    check_tensor("images", images, ("n", *IMAGE_SHAPE), torch.float32, -1, 1)
    if len(images) < LEAST_IMAGES:
        raise ValueError(f"images must be {LEAST_IMAGES} or more; got {len(images)}")
    logits, features = _judged(images)
    return SampleQuality(_frechet(_reference_features(), features), _score(logits), len(images))


def sample_accuracy(images: Tensor, asked: Tensor) -> float:
    """Share of digits [n, 1, 28, 28] in [-1, 1] that the classifier assigns to the class asked for, in [0, 1].

    A share near the classifier's own accuracy on real digits, 0.995, is as good as 1. It does not see variety. Raises
    ValueError for other images, or unless `asked` is n classes in [0, 10); errors as `sample_quality`.
    """
    check_tensor("images", images, ("n", *IMAGE_SHAPE), torch.float32, -1, 1)
    check_tensor("asked", asked, (len(images),), torch.int64, 0, N_CLASSES - 1)
    return (_judged(images)[0].argmax(dim=1) == asked.cpu()).double().mean().item()


def _judged(images: Tensor) -> list[Float[Tensor, "n _"]]:
    """The classifier's logits and features in float64, on the CPU: the formulas cancel, and not every device has it."""
    return [part.cpu().double() for part in evaluation.outputs(digit_classifier().to(images.device), images, 500)]


@lru_cache(maxsize=1)
def _reference_features() -> Float[Tensor, "m features"]:
    """Of 10,000 training images: settings may be chosen by this measure, and the test set is for one reading."""
    chosen = np.random.RandomState(0).permutation(60_000)[:10_000]  # the same in every version (NEP 19)
    return _judged(data.as_images(data.read("mnist").train.images[chosen]))[1]


class _Features(nn.Identity):
    """Stands for a network in torchmetrics, which is given features in place of images."""

    num_features = N_FEATURES


def _frechet(real: Float[Tensor, "m features"], generated: Float[Tensor, "n features"]) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance  # two seconds, which an import of this module need not

    metric = FrechetInceptionDistance(feature=_Features())
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return max(0.0, metric.compute().item())  # rounding can bring 0 to -1e-12


def _score(logits: Float[Tensor, "n classes"]) -> float:
    """From the KL divergence: torchmetrics' InceptionScore draws from the global random numbers."""
    conditional = logits.log_softmax(dim=1)
    marginal = (conditional.logsumexp(dim=0) - math.log(len(logits))).expand_as(conditional)
    divergence = F.kl_div(marginal, conditional, log_target=True, reduction="batchmean")
    return max(1.0, divergence.exp().item())  # rounding can bring 1 to 1 − 1e-16
