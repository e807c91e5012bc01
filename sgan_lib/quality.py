"""How good are generated digits: a Fréchet distance and an inception-style score, on a small MNIST classifier of ours.

Both formulas are those of the literature; the network under them is not. The numbers compare runs of this library with
one another, and with nothing else.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torchmetrics.functional import kl_divergence
from torchmetrics.image.fid import FrechetInceptionDistance

from sgan_lib import data, models

ASSET = models.ASSETS / "mnist_classifier.safetensors"
NETWORK, N_FEATURES, N_CLASSES, IMAGE_SHAPE = "cnn", 128, 10, (1, 28, 28)
LEAST_IMAGES = 2 * N_FEATURES  # fewer than N_FEATURES + 1 give a singular covariance; twice as many, still a poor one


class SampleQuality(NamedTuple):
    """What `sample_quality` found. Not comparable to the FID and the Inception score that papers report."""

    digit_frechet: float  # at least 0, smaller is better; too large where n is small: compare equal n only
    digit_score: float  # in [1, 10], larger is better; blind to variety within a class
    n: int  # images measured


def digit_classifier() -> nn.Module:
    """The classifier that came with the library: network `cnn`, 128 features, in evaluation mode, weights frozen.

    Each call gives a new copy, on the CPU. How it was trained, and its test error, are in the file's metadata.

    Raises:
        DataError: where the file is missing or damaged.
    """
    try:
        return models.load_weights(lambda: models.build(NETWORK, IMAGE_SHAPE, N_CLASSES).discriminator, ASSET)
    except ValueError as error:
        raise data.DataError(str(error)) from error


def sample_quality(images: Tensor) -> SampleQuality:
    """Measure digits [n, 1, 28, 28] in [-1, 1], n at least 256, against 10,000 real ones.

    With the classifier's 128 features f(x) of mean m and covariance C, and its class probabilities p(y|x):

    - digit_frechet = ‖m − m_r‖² + tr(C + C_r − 2 (C C_r)^½), r for real (Heusel 2017, arXiv:1706.08500). It sees poor
      digits, missing classes and missing variety.
    - digit_score = exp(mean over x of KL(p(y|x) ‖ p(y))), p(y) the mean of p(y|x) (Salimans 2016, §4), over all images
      at once. It sees whether each digit is clear and whether all classes occur; one clear image of each class,
      repeated, scores above real digits.

    The result does not depend on the order of the images.

    Raises:
        TypeError, ValueError: for images of another shape, type or range, or too few.
        DataError: where the classifier or MNIST is missing or damaged.
    """
    _check_images(images)
    if len(images) < LEAST_IMAGES:
        raise ValueError(
            f"images must be n >= {LEAST_IMAGES}, twice the number of features, for a covariance; got n = {len(images)}"
        )
    features, logits = _seen_by(digit_classifier(), images)
    return SampleQuality(_frechet(_reference_features(), features), _score(logits), len(images))


def _check_images(images: Tensor) -> None:
    if not isinstance(images, Tensor) or not images.is_floating_point():
        got = images.dtype if isinstance(images, Tensor) else type(images).__name__
        raise TypeError(f"images must be a tensor of floating-point numbers in [-1, 1]; got {got}")
    if images.shape[1:] != IMAGE_SHAPE or not len(images):
        raise ValueError(f"images must have the shape [n, 1, 28, 28], n at least 1; got {list(images.shape)}")
    smallest, largest = images.min().item(), images.max().item()
    if not (smallest >= -1 and largest <= 1):  # written so that NaN fails too
        raise ValueError(f"images must be in [-1, 1]; got values in [{smallest:.4g}, {largest:.4g}]")


def sample_accuracy(images: Tensor, asked: Tensor) -> float:
    """Share of generated digits that the classifier assigns to the class asked for, in [0, 1].

    Args:
        images: generated digits [n, 1, 28, 28] in [-1, 1].
        asked: the class that each was to be of, whole numbers in [0, 10), [n].

    The classifier errs on one real test image in 190 or so, so a share near its own accuracy is as good as 1. The
    measure does not see variety: one good image of each class, repeated, has a share of 1.

    Raises:
        TypeError, ValueError: for images of another shape, type or range, or classes that do not fit to them.
        DataError: where the classifier is missing or damaged.
    """
    _check_images(images)
    _check_asked(asked, len(images))
    found = _seen_by(digit_classifier(), images)[1].argmax(dim=1)
    return (found == asked.cpu()).double().mean().item()


def _check_asked(asked: Tensor, n: int) -> None:
    if not isinstance(asked, Tensor) or asked.is_floating_point():
        got = asked.dtype if isinstance(asked, Tensor) else type(asked).__name__
        raise TypeError(f"asked must be a tensor of whole numbers; got {got}")
    allowed = f"asked must be {n} whole numbers in [0, {N_CLASSES}), one an image"
    if asked.shape != (n,):
        raise ValueError(f"{allowed}; got shape {list(asked.shape)}")
    smallest, largest = asked.min().item(), asked.max().item()
    if smallest < 0 or largest >= N_CLASSES:
        raise ValueError(f"{allowed}; got values in [{smallest}, {largest}]")


@torch.no_grad()
def _seen_by(
    classifier: nn.Module, images: Float[Tensor, "n 1 28 28"], batch_size: int = 500
) -> tuple[Float[Tensor, "n features"], Float[Tensor, "n classes"]]:
    """Features and logits in float64, on the CPU: the formulas cancel, and not every device has float64."""
    classifier = classifier.to(images.device)
    parts = [classifier(part.float()) for part in images.split(batch_size)]
    features, logits = (torch.cat([getattr(p, name) for p in parts]) for name in ("features", "class_logits"))
    return features.cpu().double(), logits.cpu().double()


def reference_indices() -> Int64[Tensor, "n"]:
    """Which of MNIST's training images `sample_quality` compares with. RandomState's numbers never change (NEP 19)."""
    return torch.from_numpy(np.random.RandomState(0).permutation(60_000)[:10_000])


@lru_cache(maxsize=1)
def _reference_features() -> Float[Tensor, "n features"]:
    """Features of 10,000 real digits, drawn by a fixed seed from MNIST's training images.

    Training images, because a generator is to be like those, and because a setting may be chosen by this measure while
    the test set is for one reading at the end. The classifier has seen their labels, which does not show: its error on
    them is that on the test set. Drawn, because the file's order matters: the images at even places and those at odd
    ones differ, at a distance of 67, where its two halves are at 1.
    """
    images = data.read("mnist").train.images[reference_indices()]
    return _seen_by(digit_classifier(), images.float() / 127.5 - 1)[0]


class _FeaturesAsTheyAre(nn.Identity):
    """What torchmetrics is given for a network, so that one pass through ours serves both measures."""

    num_features = N_FEATURES


def _frechet(real: Float[Tensor, "m features"], generated: Float[Tensor, "n features"]) -> float:
    metric = FrechetInceptionDistance(feature=_FeaturesAsTheyAre())
    metric.update(real, real=True)
    metric.update(generated, real=False)
    return max(0.0, metric.compute().item())  # rounding can bring 0 to -1e-12


def _score(logits: Float[Tensor, "n classes"]) -> float:
    """The score from torchmetrics' KL divergence.

    Its own InceptionScore shuffles with the global random numbers, warns whenever it is made, and gives NaN where all
    images are so surely of one class that another's probability underflows.
    """
    given = logits.softmax(dim=1)
    overall = given.mean(dim=0, keepdim=True).expand_as(given)
    return max(1.0, kl_divergence(given, overall).exp().item())  # rounding can bring 1 to 1 − 1e-16
