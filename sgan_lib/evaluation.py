"""How good is a classifier, how sure are we, what does a generator make, and what are an encoder's features worth."""

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

from sgan_lib.models import EncoderOutput
from sgan_lib.runtime import check_tensor

Images = Float[Tensor, "n ..."]
Classes = Int[Tensor, "n"]


@contextmanager
def evaluating(network: nn.Module, name: str, given: str) -> Iterator[nn.Module]:
    """Evaluation mode inside, then each layer's own. An error becomes a ValueError: `name` cannot take `given`."""
    modes = {layer: layer.training for layer in network.modules()}
    try:
        yield network.eval()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise ValueError(f"{name} cannot take {given}: {type(error).__name__}: {error}") from error
    finally:
        for layer, mode in modes.items():
            layer.training = mode


def _check_images(images: Tensor) -> None:
    """Raise ValueError where these are neither rows nor images within [-1, 1] as in training, but bytes, say."""
    shaped = isinstance(images, Tensor) and images.ndim in (2, 4)
    low, high = images.aminmax() if shaped and images.ndim == 4 and len(images) else (0.0, 0.0)
    if not (shaped and images.is_floating_point() and low >= -1.01 and high <= 1.01):
        got = f"{images.dtype} in [{low:g}, {high:g}]" if shaped else f"shape {list(np.shape(images))}"
        wanted = "floats in [-1, 1] (data.as_images makes them of bytes), [n, channels, height, width], or rows"
        raise ValueError(f"images must be {wanted}; got {got}")


@torch.no_grad()
def outputs(network: nn.Module, images: Images, batch_size: int = 2000) -> tuple[Tensor, ...]:
    """What a network returns for many images, in evaluation mode: on its device, by its dtype; returned on theirs.

    ValueError for images that it cannot take, and where it returns no tuple of tensors with a row for each image.
    """
    _check_images(images)
    like, size = next(network.parameters(), images), max(1, batch_size * 784 // max(784, images[:1].numel()))  # memory
    with evaluating(network, "network", f"images of shape {list(images.shape[1:])}"):
        batches = [network(batch.to(like)) for batch in images.split(size)]
    shapes = [list(np.shape(part)) for part in batches[0]] if isinstance(batches[0], (tuple, list)) else []
    if not shapes or any(shape[:1] != [len(images[:size])] for shape in shapes):
        raise ValueError(f"network must return (class_logits, features), row by row; got {shapes or type(batches[0])}")
    return tuple(torch.cat(parts).to(images.device) for parts in zip(*batches, strict=True))


def class_logits(discriminator: nn.Module, images: Images) -> Float[Tensor, "n classes"]:
    """The K logits of each image, in evaluation mode. ValueError where one is NaN."""
    logits = outputs(discriminator, images)[0]
    if logits.isnan().any():
        raise ValueError("the discriminator's logits must not be NaN; its weights are, or the images")
    return logits


def encode(encoder: nn.Module, images: Images) -> EncoderOutput:
    """E(x) and the encoder's last hidden layer, in evaluation mode."""
    return EncoderOutput(*outputs(encoder, images))


def predict(discriminator: nn.Module, images: Images) -> Classes:
    """The class of the largest of the K logits; "fake" is never an answer. ValueError where a logit is NaN."""
    return class_logits(discriminator, images).argmax(dim=1)


def error_rate(discriminator: nn.Module, images: Images, labels: Classes) -> float:
    """Share of wrong predictions, in [0, 1]. ValueError for labels that are not int64 [n], from 0 to K - 1."""
    logits = class_logits(discriminator, images)
    check_tensor("labels", labels, (len(images) or "images",), torch.int64, 0, logits.shape[1] - 1)
    return int((logits.argmax(dim=1) != labels).sum()) / len(labels)


def wilson_interval(n_wrong: int, n: int) -> tuple[float, float]:
    """95 % interval for this network's error rate, from n test images (Wilson 1927); of other seeds it says nothing."""
    interval = stats.binomtest(n_wrong, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's 95 % interval for the mean over runs, or of paired differences; ValueError for fewer than 2 values."""
    if len(values) < 2 or not np.isfinite(values).all():
        raise ValueError(f"values must hold at least 2 runs for an interval, all finite; got {list(values)}")
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)


@torch.no_grad()
def generate(generator: nn.Module, latent: Float[Tensor, "n latent"], classes: Classes | None = None) -> Images:
    """Images in [-1, 1] from given latents, in evaluation mode; in one pass, as batch norm may look at all of them."""
    device = next(generator.parameters(), latent).device
    with evaluating(generator, "generator", f"latents of shape {list(latent.shape[1:])}"):
        return generator(latent.to(device), *([] if classes is None else [classes.to(device)]))


def class_share(images: Images, classes: Classes) -> float:
    """Share of the images' variance, summed over pixels, that lies between classes (analysis of variance), in [0, 1].

    At 1 a class is always the same image; at 0 all have the same mean. ValueError: all images alike, classes not [n].
    """
    check_tensor("classes", classes, (len(images),))
    pixels, classes = images.detach().flatten(1).cpu().double(), classes.cpu()  # not every device has float64
    deviations = pixels - pixels.mean(dim=0)
    if (total := deviations.square().sum().item()) == 0:
        raise ValueError("images must differ from one another; all of them are the same")
    of_class = [deviations[classes == k] for k in classes.unique()]
    return sum(len(rows) * rows.mean(dim=0).square().sum().item() for rows in of_class) / total


def settle(network: nn.Module, inputs: Images, batch_size: int = 500) -> None:
    """Give batch norm the statistics of these inputs; its running ones trail behind the weights, averaged or not."""
    torch.optim.swa_utils.update_bn(inputs.tensor_split(-(-len(inputs) // batch_size)), network)


def nearest_neighbour_accuracy(
    features: Float[Tensor, "n width"], labels: Int[Tensor, "n"],
    references: Float[Tensor, "m width"], reference_labels: Int[Tensor, "m"], batch_size: int = 500,
) -> float:  # fmt: skip
    """Share of the features whose nearest reference, by Euclidean distance, has the same label, in [0, 1]."""
    check_tensor("labels", labels, (len(features),))
    check_tensor("reference_labels", reference_labels, (len(references),))
    nearest = [torch.cdist(part, references).argmin(dim=1) for part in features.split(batch_size)]
    return (reference_labels[torch.cat(nearest)] == labels).cpu().double().mean().item()


def linear_error(
    features: Float[Tensor, "n width"], labels: Int[Tensor, "n"],
    test_features: Float[Tensor, "m width"], test_labels: Int[Tensor, "m"], penalty: float = 1.0,
) -> float:  # fmt: skip
    """Error in [0, 1] of a logistic regression, penalty / 2 · ‖weights‖², on features of mean 0 and deviation 1."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=1 / penalty, max_iter=1000))
    classifier.fit(features.cpu().numpy(), labels.cpu().numpy())
    return 1 - float(classifier.score(test_features.cpu().numpy(), test_labels.cpu().numpy()))
