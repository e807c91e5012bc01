"""How good is a classifier, how sure are we, what do samples look like, and what are an encoder's features worth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torchmetrics.functional.classification import multiclass_confusion_matrix
from torchvision.utils import make_grid

from sgan_lib.models import EncoderOutput


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block; then every layer has the mode in which it came, frozen ones too."""
    modes = {layer: layer.training for layer in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode


@torch.no_grad()
def class_logits(
    discriminator: nn.Module, images: Float[Tensor, "n ..."], batch_size: int = 2000
) -> Float[Tensor, "n classes"]:
    """The K logits of each image, in evaluation mode; the network is left in the mode in which it came.

    The images may be on another device than the network; the logits are where the images are.
    """
    place = next(discriminator.parameters(), images).device
    with _evaluating(discriminator):
        logits = [discriminator(part.to(place)).class_logits for part in images.split(batch_size)]
    return torch.cat(logits).to(images.device)


def predict(discriminator: nn.Module, images: Float[Tensor, "n ..."]) -> Int[Tensor, "n"]:
    """The class of the largest of the K logits; "fake" is never an answer for a test image.

    Raises ValueError where a logit is NaN.
    """
    logits = class_logits(discriminator, images)
    if logits.isnan().any():
        raise ValueError("the discriminator's logits must not be NaN; its weights are, or the images")
    return logits.argmax(dim=1)


def error_rate(discriminator: nn.Module, images: Float[Tensor, "n ..."], labels: Int[Tensor, "n"]) -> float:
    """Share of wrong predictions, a fraction in [0, 1]."""
    return int((predict(discriminator, images) != labels).sum()) / len(labels)


def confusion_matrix(
    predictions: Int[Tensor, "n"], labels: Int[Tensor, "n"], n_classes: int
) -> Int[Tensor, "classes classes"]:
    """Counts, true class by row, predicted class by column (torchmetrics)."""
    return multiclass_confusion_matrix(predictions, labels, num_classes=n_classes)


def wilson_interval(n_wrong: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for an error rate measured on n test images (Wilson 1927).

    It says how well n images measure *this* network. It says nothing of another seed or another labelled set: for that,
    run several and use `bootstrap_interval`.
    """
    interval = stats.binomtest(n_wrong, n).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)


def bootstrap_interval(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile bootstrap interval for the mean over runs, from 10,000 resamples.

    Raises:
        ValueError: for fewer than two values.
    """
    if len(values) < 2:
        raise ValueError(f"values must hold at least 2 runs for an interval; got {len(values)}")
    if np.ptp(values) == 0:  # all alike: scipy would warn of a degenerate distribution
        return float(values[0]), float(values[0])
    found = stats.bootstrap(
        (np.asarray(values),),
        np.mean,
        confidence_level=confidence,
        n_resamples=10_000,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def sample_grid(
    images: Float[Tensor, "n channels height width"], per_row: int = 8
) -> Float[Tensor, "rgb rows columns"]:
    """Lay images in [-1, 1] out as one picture with values in [0, 1] (torchvision's make_grid)."""
    return make_grid(images.detach().cpu(), nrow=per_row, padding=1, normalize=True, value_range=(-1, 1), pad_value=0.5)


@torch.no_grad()
def generate(
    generator: nn.Module, latent: Float[Tensor, "n latent"], classes: Int[Tensor, "n"] | None = None
) -> Float[Tensor, "n ..."]:
    """Images in [-1, 1] from given latents, in evaluation mode; the network is left in the mode in which it came.

    `classes` are for a generator that takes them.

    One pass: a generator whose batch norm uses the batch's own statistics needs at least two latents.
    """
    with _evaluating(generator):
        place = next(generator.parameters()).device
        return generator(latent.to(place), *([] if classes is None else [classes.to(place)]))


def class_share(images: Float[Tensor, "n ..."], classes: Int[Tensor, "n"]) -> float:
    """The share of the images' variance that their class decides, in [0, 1].

    The variance of a pixel around its mean over all images, summed over pixels, is that of the class means, each
    counted as often as the class occurs, plus that within the classes (analysis of variance); the share is the first
    over the sum. At 1 a class is always the same image; at 0 the mean images of all classes are the same.

    Raises:
        ValueError: where all images are the same.
    """
    pixels = images.detach().flatten(1).double()
    deviations = pixels - pixels.mean(dim=0)
    total = deviations.square().sum().item()
    if total == 0:
        raise ValueError("images must differ from one another; all of them are the same")
    means = torch.zeros_like(deviations)
    for k in classes.unique():
        means[classes == k] = deviations[classes == k].mean(dim=0)
    return means.square().sum().item() / total


@torch.no_grad()
def encode(encoder: nn.Module, images: Float[Tensor, "n ..."], batch_size: int = 2000) -> EncoderOutput:
    """E(x) and the encoder's last hidden layer, in evaluation mode; the network keeps the mode in which it came.

    As in `class_logits`, the images may be on another device than the network; the answers are where the images are.
    """
    place = next(encoder.parameters(), images).device
    with _evaluating(encoder):
        parts = [encoder(part.to(place)) for part in images.split(batch_size)]
    return EncoderOutput(*(torch.cat(found).to(images.device) for found in zip(*parts, strict=True)))


def settle(network: nn.Module, inputs: Float[Tensor, "n ..."], batch_size: int = 500) -> None:
    """Give batch norm the statistics that the network has on these inputs, in place of its running ones.

    The running statistics trail behind the weights, and an average of weights never had any of its own.
    """
    update_bn(inputs.tensor_split(-(-len(inputs) // batch_size)), network)


@torch.no_grad()
def nearest_neighbour_accuracy(
    features: Float[Tensor, "n width"],
    labels: Int[Tensor, "n"],
    references: Float[Tensor, "m width"],
    reference_labels: Int[Tensor, "m"],
    batch_size: int = 500,
) -> float:
    """Share of the features whose nearest reference, by Euclidean distance, has the same label, in [0, 1]."""
    nearest = [torch.cdist(part, references).argmin(dim=1) for part in features.split(batch_size)]
    return (reference_labels[torch.cat(nearest)] == labels).double().mean().item()


def linear_error(
    features: Float[Tensor, "n width"],
    labels: Int[Tensor, "n"],
    test_features: Float[Tensor, "m width"],
    test_labels: Int[Tensor, "m"],
    penalty: float = 1.0,
) -> float:
    """Error of a linear classifier on features, a fraction in [0, 1].

    Logistic regression (scikit-learn) on features scaled to mean 0 and deviation 1 over the n labelled images, with
    penalty / 2 times the squared length of the weights beside the sum of the cross-entropies.
    """
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=1000))
    classifier.fit(features.cpu().numpy(), labels.cpu().numpy())
    return 1 - float(classifier.score(test_features.cpu().numpy(), test_labels.cpu().numpy()))
