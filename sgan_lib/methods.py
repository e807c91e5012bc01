"""What each method plays: a generator function in which every `yield` is one player's move.

A method yields named loss terms: first those that the discriminator minimises, then the generator's. The trainer
(`training.training_step`) lets each player descend on the sum of its terms before it asks for the next, so the second
player meets a discriminator that has just moved, and may reuse what the first has computed.

Images are in [-1, 1], [n, channels, height, width]; points and rows of a table are [n, columns].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sgan_lib import losses
from sgan_lib.data import Batch
from sgan_lib.losses import real_logit
from sgan_lib.models import DiscriminatorOutput, Networks, RealHead
from sgan_lib.settings import Settings

Nets: TypeAlias = Any  # an nn.ModuleDict, by the names of `Method.modules`; its networks can more than nn.Module says
Moves = Iterator[dict[str, Float[Tensor, ""]]]


def supervised(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """Cross-entropy on the labelled images and nothing else: the baseline."""
    yield {"supervised": losses.supervised(judge(nets, batch.images).class_logits, batch.labels, batch.mask)}


def gan(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """Real against fake, without labels (Goodfellow 2014, eq. 1); the generator wants "real" (§3)."""
    fake = nets["generator"].sample(len(batch.unlabelled))
    real, generated = judge_together(nets, batch.unlabelled, fake.detach())
    yield {"adversarial": losses.discriminator(real_logit(real.class_logits), real_logit(generated.class_logits))}
    fake = fake if settings.reuse else nets["generator"].sample(len(fake))
    yield {"generator": losses.generator(real_logit(judge(nets, fake).class_logits))}


def sgan(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """N+1 classes in one softmax: which class on labelled images, real or fake on the others (Salimans 2016, §5)."""
    fake = nets["generator"].sample(len(batch.unlabelled))
    labelled, real, generated = judge_batch(nets, batch, fake.detach())
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    told_apart = losses.discriminator(real_logit(real.class_logits), real_logit(generated.class_logits))
    yield {"supervised": classified, "adversarial": settings.adversarial_weight * told_apart}
    fake = fake if settings.reuse else nets["generator"].sample(len(fake))
    yield {"generator": losses.generator(real_logit(judge(nets, fake).class_logits))}  # real, as any class


def two_head(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """Two heads on one body: K classes in one softmax, real or fake in a logit of its own (the form of PyTorch-GAN)."""
    fake = nets["generator"].sample(len(batch.unlabelled))
    labelled, real, generated = judge_batch(nets, batch, fake.detach())
    on_real, on_fake = (in_float32(nets["real_head"](judged.features)) for judged in (real, generated))
    told_apart = losses.discriminator(on_real, on_fake)
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    yield {"supervised": classified, "adversarial": settings.adversarial_weight * told_apart}
    fake = fake if settings.reuse else nets["generator"].sample(len(fake))
    yield {"generator": losses.generator(in_float32(nets["real_head"](judge(nets, fake).features)))}


def feature_matching(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """SGAN's discriminator; the generator matches the mean features of real images (Salimans 2016, §3.1)."""
    fake = nets["generator"].sample(len(batch.unlabelled))
    labelled, real, generated = judge_batch(nets, batch, fake.detach())
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    told_apart = losses.discriminator(real_logit(real.class_logits), real_logit(generated.class_logits))
    yield {"supervised": classified, "adversarial": settings.adversarial_weight * told_apart}
    target, fake = (real.features, fake) if settings.reuse else drawn_afresh(nets, batch)  # reused: one move old
    matched = judge(nets, fake).features
    yield {"feature_matching": losses.feature_matching(target, matched, settings.feature_norm)}


def bad_gan(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """Feature matching, a classifier that decides, and samples that differ from one another (Dai 2017, §5).

    The entropy of p(y | x, real) makes it decide; the pull-away term keeps samples apart. Left out is the term that
    keeps them out of dense regions, which needs a PixelCNN (weight 1e-4 in the MNIST code, and seldom active there).
    """
    fake = nets["generator"].sample(len(batch.unlabelled))
    labelled, real, generated = judge_batch(nets, batch, fake.detach())
    undecided = settings.entropy_weight * losses.conditional_entropy(real.class_logits)
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    told_apart = losses.discriminator(real_logit(real.class_logits), real_logit(generated.class_logits))
    yield {"supervised": classified, "adversarial": settings.adversarial_weight * told_apart, "entropy": undecided}
    target, fake = (real.features, fake) if settings.reuse else drawn_afresh(nets, batch)
    matched = judge(nets, fake).features
    matching = losses.feature_matching(target, matched, settings.feature_norm)
    yield {"feature_matching": matching, "pull_away": settings.pull_away_weight * losses.pull_away(matched)}


def pseudo_label(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """The baseline, and the network's own confident answers as labels of unlabelled images (Lee 2013, §2.4).

    Lee lets the weight of the second term grow from 0, and takes every answer. Here the threshold keeps the term small
    while the network is unsure (Sohn 2020, §2.2).
    """
    labelled, unlabelled = judge_batch(nets, batch)
    answered = losses.pseudo_label(unlabelled.class_logits, unlabelled.class_logits, settings.confidence)
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    yield {"supervised": classified, "pseudo_label": settings.pseudo_label_weight * answered}


def consistency(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """The same, but the answers come from one view of an image and are learned on another (FixMatch; Sohn 2020, §2.2).

    Not FixMatch as published: the weak view is shifted only where the settings say so, and never mirrored; by default
    batches have not seven unlabelled images for a labelled one. Raises ValueError for a batch without the strong view.
    """
    if batch.strong is None:
        raise ValueError("batch.strong must hold the unlabelled images, strongly augmented; got None")
    labelled, strong = judge_together(nets, batch.images, batch.strong)
    with torch.no_grad():  # after the pass with gradients: older autocasts keep weights cast without (torch #158232)
        weak = judge(nets, batch.unlabelled)
    answered = losses.pseudo_label(strong.class_logits, weak.class_logits, settings.confidence)
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    yield {"supervised": classified, "consistency": settings.consistency_weight * answered}


def bigan(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """(x, E(x)) or (G(z), z)? No labels; encoder and generator move together (Donahue 2016, arXiv:1605.09782, §3)."""
    encoded, generated = pairs(nets, batch.unlabelled)
    detached = [(images.detach(), latent.detach()) for images, latent in (encoded, generated)]
    yield {"adversarial": losses.bigan_discriminator(**judge_pairs(nets, *detached))}
    if not settings.reuse:
        encoded, generated = pairs(nets, batch.of_generator().unlabelled)
    yield {"generator": losses.bigan_encoder_generator(**judge_pairs(nets, encoded, generated))}


def conditional_sgan(nets: Nets, batch: Batch, settings: Settings) -> Moves:
    """SGAN whose generator is asked for a class, which both players' losses know (Odena 2017, eq. 2 and 3).

    At weight 1 the generator's two terms are the cross-entropy of the asked class over all N+1 classes.
    """
    asked = nets["generator"].draw_classes(len(batch.unlabelled))
    fake = nets["generator"].sample(len(asked), classes=asked)
    labelled, real, generated = judge_batch(nets, batch, fake.detach())
    fake_class = settings.fake_class_weight * losses.supervised(generated.class_logits, asked)
    classified = losses.supervised(labelled.class_logits, batch.labels, batch.mask)
    told_apart = losses.discriminator(real_logit(real.class_logits), real_logit(generated.class_logits))
    yield {"supervised": classified, "adversarial": settings.adversarial_weight * told_apart, "fake_class": fake_class}
    if not settings.reuse:
        asked = nets["generator"].draw_classes(len(asked))
        fake = nets["generator"].sample(len(asked), classes=asked)
    judged = judge(nets, fake).class_logits
    asked_class = settings.asked_class_weight * losses.supervised(judged, asked)
    yield {"generator": losses.generator(real_logit(judged)), "asked_class": asked_class}


@dataclass(frozen=True)
class Method:
    """What is played, and what it needs. A new method is a loss, a function, its settings and one row in METHODS."""

    play: Callable[[Nets, Batch, Settings], Moves]
    generator: bool = True  # plays against the discriminator
    encoder: bool = False  # plays beside the generator; the discriminator then judges pairs
    classifies: bool = True  # False: the discriminator has one logit
    real_head: bool = False  # a real-or-fake head on the features, beside the class logits
    unlabelled: bool = True  # False: looks at labelled images only
    strong_view: bool = False  # wants the unlabelled images in a strongly augmented view too
    conditional: bool = False  # its generator takes a class

    def check_fits(self, network: str, generator: bool, encoder: bool) -> None:
        """Raise ValueError where the method cannot play on networks with or without a generator or an encoder."""
        needed = "with an encoder" if self.encoder else "without an encoder" if encoder else "with a generator"
        if self.encoder != encoder or (self.generator and not generator):
            raise ValueError(f"method {self.play.__name__!r} needs a network {needed}; got network {network!r}")

    def modules(self, networks: Networks, n_classes: int, n_features: int) -> nn.ModuleDict:
        """The networks that it trains, by name. n_classes is K, n_features the width of the features."""
        generator = networks.generator if self.generator else None
        if self.conditional and generator is not None:
            generator.take_classes(n_classes)
        head = RealHead(n_features) if self.real_head else None
        parts = {"discriminator": networks.discriminator, "real_head": head, "generator": generator}
        parts["encoder"] = networks.encoder
        return nn.ModuleDict({name: part for name, part in parts.items() if part is not None})


METHODS: dict[str, Method] = {
    "supervised": Method(supervised, generator=False, unlabelled=False),
    "gan": Method(gan, classifies=False),
    "sgan": Method(sgan),
    "two_head": Method(two_head, real_head=True),
    "feature_matching": Method(feature_matching),
    "bad_gan": Method(bad_gan),
    "pseudo_label": Method(pseudo_label, generator=False),
    "consistency": Method(consistency, generator=False, strong_view=True),
    "bigan": Method(bigan, classifies=False, encoder=True),
    "conditional_sgan": Method(conditional_sgan, conditional=True),
}


def judge(nets: Nets, images: Float[Tensor, "n ..."]) -> DiscriminatorOutput:
    """What the discriminator says of these images: class logits and features."""
    return DiscriminatorOutput(*map(in_float32, nets["discriminator"](images)))


def judge_together(nets: Nets, *parts: Float[Tensor, "_ ..."]) -> list[DiscriminatorOutput]:
    """The same for each part, from one pass: faster, and batch norm sees real and fake in one mixture."""
    sizes = [len(part) for part in parts]
    split = [output.split(sizes) for output in judge(nets, torch.cat(parts))]
    return [DiscriminatorOutput(*part) for part in zip(*split, strict=True)]


def judge_batch(nets: Nets, batch: Batch, *fake: Float[Tensor, "fake ..."]) -> list[DiscriminatorOutput]:
    """The same for labelled, unlabelled and generated images. In a mixed batch the first are among the second."""
    images = batch.images if batch.mask is None else batch.images[:0]
    labelled, unlabelled, *generated = judge_together(nets, images, batch.unlabelled, *fake)
    return [labelled if batch.mask is None else unlabelled, unlabelled, *generated]


def drawn_afresh(nets: Nets, batch: Batch) -> tuple[Float[Tensor, "real features"], Float[Tensor, "fake ..."]]:
    """The features of other real images, and other generated images."""
    others = batch.of_generator().unlabelled
    with torch.no_grad():
        target = judge(nets, others).features
    return target, nets["generator"].sample(len(others))


def pairs(nets: Nets, images: Float[Tensor, "n ..."]) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """BiGAN's two kinds of pairs of n images and n latents: (x, E(x)) and (G(z), z)."""
    latent = nets["generator"].latent(len(images))
    encoded = nets["encoder"](images)[0]
    return (images, in_float32(encoded)), (in_float32(nets["generator"](latent)), latent)


def judge_pairs(nets: Nets, *kinds: tuple[Tensor, Tensor]) -> dict[str, Float[Tensor, "_"]]:
    """The logits on both kinds, by the names that BiGAN's losses have; one pass where the discriminator asks for it."""
    together = getattr(nets["discriminator"], "together", False)
    passes = [tuple(map(torch.cat, zip(*kinds, strict=True)))] if together else kinds
    logits = torch.cat([nets["discriminator"](images=images, latent=latent)[0] for images, latent in passes])
    on_encoded, on_generated = real_logit(in_float32(logits)).split([len(images) for images, _ in kinds])
    return {"joint_logit_on_encoded": on_encoded, "joint_logit_on_generated": on_generated}


def in_float32(numbers: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The same numbers, in float32 where a layer worked in bfloat16: losses need the digits."""
    return numbers.float() if numbers.dtype == torch.bfloat16 else numbers
