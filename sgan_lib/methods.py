"""What a method is: which networks play, what the discriminator minimises, what the generator minimises.

A method is a pair of functions from networks and a batch to named loss terms; the player minimises their sum. Methods
know nothing of optimisers, schedules or data sets, so any method runs on any pair of networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from sgan_lib import losses
from sgan_lib.models import DiscriminatorOutput, Generator, Networks, RealHead

Terms = dict[str, Tensor]


@runtime_checkable
class Batch(Protocol):
    """What one step sees: labelled images with their labels, and unlabelled images; images in [-1, 1]."""

    @property
    def images(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def unlabelled(self) -> Tensor: ...


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of a method's losses."""

    adversarial: float = 0.5  # of the real-or-fake loss; ½ in Salimans' MNIST code, beside 1 for the supervised term
    feature_norm: str = "l2"  # "l2" in Salimans' MNIST code, "l1" in his SVHN code


TermsOf = Callable[[nn.ModuleDict, Batch, Weights], Terms]


@dataclass(frozen=True)
class Method:
    """One row of the comparison: its two loss functions, and what they need.

    `generator_terms` is None for a method without a generator. `classifies` is False for the plain GAN, whose
    discriminator has one logit. `real_head` adds a real-or-fake head beside the class logits.
    """

    name: str
    discriminator_terms: TermsOf
    generator_terms: TermsOf | None = None
    classifies: bool = True
    real_head: bool = False

    def modules(self, networks: Networks) -> nn.ModuleDict:
        """The networks that this method trains, by name: "discriminator", "generator", "real_head".

        Raises:
            ValueError: where the method needs a generator and the networks have none.
        """
        modules = nn.ModuleDict({"discriminator": networks.discriminator})
        if self.real_head:
            modules["real_head"] = RealHead(networks.discriminator.classes.in_features)  # type: ignore[union-attr, arg-type]
        if self.generator_terms is None:
            return modules
        if networks.generator is None:
            raise ValueError(f"method {self.name!r} needs a network with a generator; 'cnn' has none")
        modules["generator"] = networks.generator
        return modules


class _Outputs(NamedTuple):
    labelled: DiscriminatorOutput
    unlabelled: DiscriminatorOutput
    fake: DiscriminatorOutput


def _sample(modules: nn.ModuleDict, batch: Batch) -> Tensor:
    """As many generated images as the batch has unlabelled ones."""
    return cast(Generator, modules["generator"]).sample(len(batch.unlabelled))


def _discriminate(modules: nn.ModuleDict, batch: Batch, with_labelled: bool = True) -> _Outputs:
    """One pass of the discriminator over labelled, unlabelled and generated images together.

    Together, so that a layer that looks at the whole batch (batch norm) sees real and fake in one mixture.
    """
    with torch.no_grad():
        fake = _sample(modules, batch)
    images = [batch.images if with_labelled else batch.images[:0], batch.unlabelled, fake]
    sizes = [len(part) for part in images]
    output = modules["discriminator"](torch.cat(images))
    parts = zip(output.class_logits.split(sizes), output.features.split(sizes), strict=True)
    return _Outputs(*(DiscriminatorOutput(*part) for part in parts))


def _fake_output(modules: nn.ModuleDict, batch: Batch) -> DiscriminatorOutput:
    return modules["discriminator"](_sample(modules, batch))


def supervised_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """Cross-entropy on the labelled images and nothing else: the baseline."""
    return {"supervised": losses.supervised(modules["discriminator"](batch.images).class_logits, batch.labels)}


def gan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """Real against fake, no labels (Goodfellow 2014, eq. 1)."""
    output = _discriminate(modules, batch, with_labelled=False)
    on_real, on_fake = losses.real_logit(output.unlabelled.class_logits), losses.real_logit(output.fake.class_logits)
    return {"adversarial": losses.discriminator(on_real, on_fake)}


def sgan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """N+1 classes in one softmax: which class on labelled images, real or fake on the others (Salimans 2016, §5)."""
    output = _discriminate(modules, batch)
    on_real, on_fake = losses.real_logit(output.unlabelled.class_logits), losses.real_logit(output.fake.class_logits)
    return {
        "supervised": losses.supervised(output.labelled.class_logits, batch.labels),
        "adversarial": weights.adversarial * losses.discriminator(on_real, on_fake),
    }


def two_head_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """Two heads on one body: K classes in one softmax, real or fake in a logit of its own (the form of PyTorch-GAN).

    The second head reads `features`: on the dense networks, that is before the noise that the class head sees.
    """
    output, head = _discriminate(modules, batch), modules["real_head"]
    return {
        "supervised": losses.supervised(output.labelled.class_logits, batch.labels),
        "adversarial": weights.adversarial
        * losses.discriminator(head(output.unlabelled.features), head(output.fake.features)),
    }


def nonsaturating_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """The generator wants its samples called real, by whichever class (Goodfellow 2014, §3)."""
    return {"generator": losses.generator(losses.real_logit(_fake_output(modules, batch).class_logits))}


def two_head_generator_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """The same, with the real-or-fake head as judge."""
    return {"generator": losses.generator(modules["real_head"](_fake_output(modules, batch).features))}


def feature_matching_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights) -> Terms:
    """The generator matches the mean features of real images (Salimans 2016, §3.1)."""
    with torch.no_grad():
        real = modules["discriminator"](batch.unlabelled).features
    fake = _fake_output(modules, batch).features
    return {"feature_matching": losses.feature_matching(real, fake, weights.feature_norm)}


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("supervised", supervised_terms),
        Method("gan", gan_terms, nonsaturating_terms, classifies=False),
        Method("sgan", sgan_terms, nonsaturating_terms),
        Method("two_head", two_head_terms, two_head_generator_terms, real_head=True),
        Method("feature_matching", sgan_terms, feature_matching_terms),
    )
}
