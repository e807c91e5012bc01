"""What a method is: which networks play, what the discriminator minimises, what the generator minimises.

A method is a pair of functions from networks and a batch to named loss terms; the player minimises their sum. Methods
know nothing of optimisers, schedules or data sets, so any method runs on any pair of networks.

The generator moves right after the discriminator, and part of what it needs was computed then: generated images, and
the features of real ones. The discriminator's function leaves them in a `Seen`; where a generator's function is given
an empty one it computes its own.
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
    """What one step sees: labelled images with their labels, and unlabelled images; images in [-1, 1].

    A batch with a `mask` is mixed: `images` and `unlabelled` are one tensor, and a label counts where the mask is True.
    `strong` holds the unlabelled images strongly augmented, for a method that asks for that view. `of_generator` gives
    the batch that the generator moves on where it shares nothing with the discriminator's move.
    """

    @property
    def images(self) -> Tensor: ...
    @property
    def labels(self) -> Tensor: ...
    @property
    def unlabelled(self) -> Tensor: ...
    @property
    def mask(self) -> Tensor | None: ...
    @property
    def strong(self) -> Tensor | None: ...
    def of_generator(self) -> "Batch": ...


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of a method's losses."""

    adversarial: float = 0.5  # of the real-or-fake loss; ½ in Salimans' MNIST code, beside 1 for the supervised term
    feature_norm: str = "l2"  # "l2" in Salimans' MNIST code, "l1" in his SVHN code
    conditional_entropy: float = 0.1  # of bad GAN's discriminator; 0.1 in Dai's SVHN code
    pull_away: float = 0.3  # of bad GAN's generator; 0.8 in Dai's SVHN code
    pseudo_label: float = 1.0  # of the term on unlabelled images in `pseudo_label`
    consistency: float = 1.0  # the same in `consistency`; 1 in FixMatch
    confidence: float = 0.95  # the least probability that makes an answer a label, in both; 0.95 in FixMatch
    asked_class: float = 0.1  # of conditional SGAN's generator; 1 in Odena 2017, whose L_S and L_C count alike
    fake_class: float = 0.3  # of conditional SGAN's discriminator; 1 there


class Pairs(NamedTuple):
    """What BiGAN's discriminator tells apart: (x, E(x)) and (G(z), z)."""

    images: Tensor
    encoded: Tensor
    generated: Tensor
    latent: Tensor

    def detached(self) -> "Pairs":
        return Pairs(*(part.detach() for part in self))


@dataclass
class Seen:
    """What one step has computed so far that a later player can use."""

    fake: Tensor | None = None  # generated images, with the generator's graph behind them
    pairs: Pairs | None = None  # of BiGAN, with the graphs of encoder and generator behind them
    asked: Tensor | None = None  # the classes that they were asked to be of, where the generator takes classes
    real_features: Tensor | None = None  # features of the unlabelled images, without gradient


TermsOf = Callable[[nn.ModuleDict, Batch, Weights, Seen], Terms]
Objective = Callable[[nn.ModuleDict, Batch], Terms]


@dataclass(frozen=True)
class Method:
    """One row of the comparison: its two loss functions, and what they need.

    `generator_terms` is None for a method without a generator. `classifies` is False for the plain GAN, whose
    discriminator has one logit. `real_head` adds a real-or-fake head beside the class logits. `unlabelled` is False
    for a method that looks at labelled images only; `strong_view` is True for one that wants the unlabelled ones in a
    strongly augmented view too. `encoder` is True for BiGAN, whose generator moves together with an encoder, and whose
    discriminator judges pairs. `conditional` makes the generator take a class.
    """

    name: str
    discriminator_terms: TermsOf
    generator_terms: TermsOf | None = None
    classifies: bool = True
    real_head: bool = False
    unlabelled: bool = True
    strong_view: bool = False
    encoder: bool = False
    conditional: bool = False

    def objectives(self, weights: Weights, reuse: bool = True) -> dict[str, Objective]:
        """What each player minimises, in the order in which they move.

        reuse: the generator moves on the images that the discriminator has just seen, real and generated, and on the
            features that it had for the real ones. False: on noise and real images of its own.
        """
        seen = Seen()

        def discriminator(modules: nn.ModuleDict, batch: Batch) -> Terms:
            seen.fake = seen.asked = seen.real_features = seen.pairs = None
            return self.discriminator_terms(modules, batch, weights, seen)

        if self.generator_terms is None:
            return {"discriminator": discriminator}
        generator_terms = self.generator_terms

        def generator(modules: nn.ModuleDict, batch: Batch) -> Terms:
            own = (batch, seen) if reuse else (batch.of_generator(), Seen())
            return generator_terms(modules, own[0], weights, own[1])

        return {"discriminator": discriminator, "generator": generator}

    def modules(self, networks: Networks) -> nn.ModuleDict:
        """The networks that this method trains, by name: "discriminator", "generator", "real_head", "encoder".

        Raises:
            ValueError: where the method needs a generator or an encoder and the networks have none, or where they have
                an encoder and the method has no use for it.
        """
        if self.encoder != (networks.encoder is not None):
            which = "a network with an encoder, 'bigan_…'" if self.encoder else "a network without an encoder"
            raise ValueError(f"method {self.name!r} needs {which}")
        modules = nn.ModuleDict({"discriminator": networks.discriminator})
        if self.real_head:
            modules["real_head"] = RealHead(networks.discriminator.classes.in_features)  # type: ignore[union-attr, arg-type]
        if self.generator_terms is None:
            return modules
        if networks.generator is None:
            raise ValueError(f"method {self.name!r} needs a network with a generator; 'cnn' has none")
        modules["generator"] = networks.generator
        if networks.encoder is not None:
            modules["encoder"] = networks.encoder
        if self.conditional:
            n_classes = networks.discriminator.classes.out_features  # type: ignore[union-attr]
            cast(Generator, networks.generator).take_classes(cast(int, n_classes))
        return modules


class _Outputs(NamedTuple):
    labelled: DiscriminatorOutput
    unlabelled: DiscriminatorOutput
    fake: DiscriminatorOutput


def _fake(modules: nn.ModuleDict, batch: Batch, seen: Seen) -> Tensor:
    """As many generated images as the batch has unlabelled ones: those of this step, or new ones."""
    if seen.fake is None:
        generator, n = cast(Generator, modules["generator"]), len(batch.unlabelled)
        seen.asked = generator.draw_classes(n)
        seen.fake = generator.sample(n, classes=seen.asked)
    return seen.fake


def _discriminate(modules: nn.ModuleDict, batch: Batch, seen: Seen, with_labelled: bool = True) -> _Outputs:
    """One pass of the discriminator over labelled, unlabelled and generated images together; a mixed batch counts once.

    Together, so that a layer that looks at the whole batch (batch norm) sees real and fake in one mixture, and because
    one large matrix product is faster than three small ones.
    """
    labelled = batch.images if with_labelled and batch.mask is None else batch.images[:0]
    parts = [labelled, batch.unlabelled, _fake(modules, batch, seen).detach()]
    output = _output(modules, torch.cat(parts))
    sizes = [len(part) for part in parts]
    split = zip(output.class_logits.split(sizes), output.features.split(sizes), strict=True)
    outputs = _Outputs(*(DiscriminatorOutput(*part) for part in split))
    seen.real_features = outputs.unlabelled.features.detach()
    return outputs if batch.mask is None else outputs._replace(labelled=outputs.unlabelled)


def _full(numbers: Tensor) -> Tensor:
    """The same numbers, in float32 where a layer worked in bfloat16: losses need the digits."""
    return numbers.float() if numbers.dtype == torch.bfloat16 else numbers


def _output(modules: nn.ModuleDict, images: Tensor) -> DiscriminatorOutput:
    class_logits, features = modules["discriminator"](images)
    return DiscriminatorOutput(_full(class_logits), _full(features))


def _is_real(modules: nn.ModuleDict, features: Tensor) -> Tensor:
    """The real-or-fake head's logits."""
    return _full(modules["real_head"](features))


def _fake_output(modules: nn.ModuleDict, batch: Batch, seen: Seen) -> DiscriminatorOutput:
    return _output(modules, _fake(modules, batch, seen))


def supervised_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """Cross-entropy on the labelled images and nothing else: the baseline."""
    logits = _output(modules, batch.images).class_logits
    return {"supervised": losses.supervised(logits, batch.labels, batch.mask)}


def gan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """Real against fake, no labels (Goodfellow 2014, eq. 1)."""
    output = _discriminate(modules, batch, seen, with_labelled=False)
    return {"adversarial": _real_against_fake(output)}


def _real_against_fake(output: _Outputs) -> Tensor:
    on_real, on_fake = losses.real_logit(output.unlabelled.class_logits), losses.real_logit(output.fake.class_logits)
    return losses.discriminator(on_real, on_fake)


def _n_plus_one_terms(output: _Outputs, batch: Batch, weights: Weights) -> Terms:
    return {
        "supervised": losses.supervised(output.labelled.class_logits, batch.labels, batch.mask),
        "adversarial": weights.adversarial * _real_against_fake(output),
    }


def sgan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """N+1 classes in one softmax: which class on labelled images, real or fake on the others (Salimans 2016, §5)."""
    return _n_plus_one_terms(_discriminate(modules, batch, seen), batch, weights)


def bad_gan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The same, and a classifier that decides: small entropy of p(y | x, real) on unlabelled images (Dai 2017, §5)."""
    output = _discriminate(modules, batch, seen)
    entropy = losses.conditional_entropy(output.unlabelled.class_logits)
    return _n_plus_one_terms(output, batch, weights) | {"entropy": weights.conditional_entropy * entropy}


def two_head_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """Two heads on one body: K classes in one softmax, real or fake in a logit of its own (the form of PyTorch-GAN).

    The second head reads `features`: on the dense networks, that is before the noise that the class head sees.
    """
    output = _discriminate(modules, batch, seen)
    on_real, on_fake = _is_real(modules, output.unlabelled.features), _is_real(modules, output.fake.features)
    return {
        "supervised": losses.supervised(output.labelled.class_logits, batch.labels, batch.mask),
        "adversarial": weights.adversarial * losses.discriminator(on_real, on_fake),
    }


def nonsaturating_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The generator wants its samples called real, by whichever class (Goodfellow 2014, §3)."""
    return {"generator": losses.generator(losses.real_logit(_fake_output(modules, batch, seen).class_logits))}


def two_head_generator_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The same, with the real-or-fake head as judge."""
    return {"generator": losses.generator(_is_real(modules, _fake_output(modules, batch, seen).features))}


def _matched(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> tuple[Terms, Tensor]:
    """The term of feature matching, and the generated images' features."""
    if seen.real_features is None:
        with torch.no_grad():
            seen.real_features = _output(modules, batch.unlabelled).features
    fake = _fake_output(modules, batch, seen).features
    return {"feature_matching": losses.feature_matching(seen.real_features, fake, weights.feature_norm)}, fake


def feature_matching_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The generator matches the mean features of real images (Salimans 2016, §3.1).

    Where it reuses what the discriminator saw, the target is one update old.
    """
    return _matched(modules, batch, weights, seen)[0]


def bad_gan_generator_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The same, and samples that differ from one another (pull-away term, Dai 2017, §5).

    Left out of Dai's method: the term that keeps samples out of dense regions, which needs a PixelCNN (weight 1e-4 in
    the MNIST code, and seldom active there).
    """
    terms, fake = _matched(modules, batch, weights, seen)
    return terms | {"pull_away": weights.pull_away * losses.pull_away(fake)}


def _logits(modules: nn.ModuleDict, *parts: Tensor) -> tuple[Tensor, ...]:
    """The class logits of each part, from one pass over all of them."""
    return _output(modules, torch.cat(parts)).class_logits.split([len(part) for part in parts])


def pseudo_label_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The baseline, and the network's own confident answers as labels of unlabelled images (Lee 2013, §2.4).

    Lee lets the weight of the second term grow from 0, and takes every answer. Here the threshold keeps the term small
    while the network is unsure (Sohn 2020, §2.2).
    """
    parts = [batch.images, batch.unlabelled] if batch.mask is None else [batch.unlabelled]
    logits = _logits(modules, *parts)
    labelled, unlabelled = logits[0], logits[-1]
    pseudo = losses.pseudo_label(unlabelled, unlabelled, weights.confidence)
    return {
        "supervised": losses.supervised(labelled, batch.labels, batch.mask),
        "pseudo_label": weights.pseudo_label * pseudo,
    }


def consistency_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The same, but the answers come from one view of an image and are learned on another (FixMatch; Sohn 2020, §2.2).

    FixMatch calls them the weakly and the strongly augmented view. The weak one is shifted as the settings say for all
    methods, and not mirrored: digits have no mirror images.

    Raises:
        ValueError: for a batch without the strongly augmented view.
    """
    if batch.strong is None:
        raise ValueError("batch.strong must hold the unlabelled images, strongly augmented; got None")
    labelled, strong = _logits(modules, batch.images, batch.strong)
    with torch.no_grad():  # second: from a first pass, autocast kept weights without gradient (torch issue 158232)
        (weak,) = _logits(modules, batch.unlabelled)
    pseudo = losses.pseudo_label(strong, weak, weights.confidence)
    return {
        "supervised": losses.supervised(labelled, batch.labels, batch.mask),
        "consistency": weights.consistency * pseudo,
    }


def _pairs(modules: nn.ModuleDict, batch: Batch, seen: Seen) -> Pairs:
    """Both kinds of pairs, as many as the batch has unlabelled images: those of this step, or new ones."""
    if seen.pairs is None:
        generator = cast(Generator, modules["generator"])
        latent = generator.latent(len(batch.unlabelled))
        encoded = modules["encoder"](batch.unlabelled).latent
        seen.pairs = Pairs(batch.unlabelled, _full(encoded), _full(generator(latent)), latent)
    return seen.pairs


def _joint_logits(modules: nn.ModuleDict, pairs: Pairs) -> dict[str, Tensor]:
    """The discriminator's logits on both kinds of pairs, by the names that BiGAN's losses have.

    A pass for each kind, or one for both where the discriminator says so.
    """
    judge = modules["discriminator"]
    if judge.together:
        images, latent = torch.cat([pairs.images, pairs.generated]), torch.cat([pairs.encoded, pairs.latent])
        logits = judge(images=images, latent=latent).class_logits
    else:
        on_encoded = judge(images=pairs.images, latent=pairs.encoded).class_logits
        logits = torch.cat([on_encoded, judge(images=pairs.generated, latent=pairs.latent).class_logits])
    on_encoded, on_generated = losses.real_logit(_full(logits)).split([len(pairs.images), len(pairs.generated)])
    return {"joint_logit_on_encoded": on_encoded, "joint_logit_on_generated": on_generated}


def bigan_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The discriminator of pairs: (x, E(x)) or (G(z), z)? No labels (Donahue 2016, arXiv:1605.09782, §3)."""
    logits = _joint_logits(modules, _pairs(modules, batch, seen).detached())
    return {"adversarial": losses.bigan_discriminator(**logits)}


def bigan_encoder_generator_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """Encoder and generator want each kind of pair taken for the other (Donahue 2016, §3.4)."""
    logits = _joint_logits(modules, _pairs(modules, batch, seen))
    return {"generator": losses.bigan_encoder_generator(**logits)}


def conditional_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """SGAN's, and the classes of generated images: they were asked for, so they are known (Odena 2017, eq. 3)."""
    output = _discriminate(modules, batch, seen)
    fake_class = losses.supervised(output.fake.class_logits, cast(Tensor, seen.asked))
    return _n_plus_one_terms(output, batch, weights) | {"fake_class": weights.fake_class * fake_class}


def conditional_generator_terms(modules: nn.ModuleDict, batch: Batch, weights: Weights, seen: Seen) -> Terms:
    """The generator wants its samples called real and of the class that it was asked for (Odena 2017, eq. 2 and 3).

    At weight 1 the two terms are the cross-entropy of the asked class over all N+1 classes.
    """
    logits = _fake_output(modules, batch, seen).class_logits
    asked = weights.asked_class * losses.supervised(logits, cast(Tensor, seen.asked))
    return {"generator": losses.generator(losses.real_logit(logits)), "asked_class": asked}


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("supervised", supervised_terms, unlabelled=False),
        Method("gan", gan_terms, nonsaturating_terms, classifies=False),
        Method("sgan", sgan_terms, nonsaturating_terms),
        Method("two_head", two_head_terms, two_head_generator_terms, real_head=True),
        Method("feature_matching", sgan_terms, feature_matching_terms),
        Method("bad_gan", bad_gan_terms, bad_gan_generator_terms),
        Method("pseudo_label", pseudo_label_terms),
        Method("consistency", consistency_terms, strong_view=True),
        Method("bigan", bigan_terms, bigan_encoder_generator_terms, classifies=False, encoder=True),
        Method("conditional_sgan", conditional_terms, conditional_generator_terms, conditional=True),
    )
}
