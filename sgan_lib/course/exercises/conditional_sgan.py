"""Checkers of `07_conditional_sgan`: a generator that takes a class, both players' moves, fit judges, variety."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib import evaluation, losses
from sgan_lib.course.exercises.checking import check_answers, checker, compare, number, tensor
from sgan_lib.course.exercises.playing import Judge, Maker, Move, moves_complaint, normal
from sgan_lib.course.exercises.worked import solution
from sgan_lib.data import Batch
from sgan_lib.losses import real_logit
from sgan_lib.methods import Moves, Nets


@solution("conditional_sgan.draw")
def draw(layers: Callable[[Tensor], Tensor], vectors: Tensor, z: Tensor, classes: Tensor) -> Tensor:
    """G(z + e_y): images of the classes asked for."""
    return layers(z + vectors[classes])


@checker(
    "conditional_sgan.draw",
    hints=(
        "row y of `vectors` is the vector of class y; a tensor of classes can pick one row for each latent",
        "z and the picked rows have the same shape; their sum takes the place of z",
    ),
)
def _draw(answer: Callable[[Callable[[Tensor], Tensor], Tensor, Tensor, Tensor], Any]) -> str | None:
    z, vectors, classes = normal(6, 5), normal(3, 5, seed=1).requires_grad_(), torch.tensor([2, 0, 0, 1, 2, 1])
    weight = normal(5, 4, seed=2)

    def layers(latent: Tensor) -> Tensor:
        return torch.tanh(latent @ weight).reshape(len(latent), 1, 2, 2)

    result = tensor(answer(layers, vectors, z, classes), (6, 1, 2, 2))
    right, plain = layers(z + vectors[classes]), layers(z)
    mistakes = {
        "the class changes nothing; add its vector to z": plain,
        "each image gets the sum of all class vectors; it needs the one of its class": layers(z + vectors.sum(dim=0)),
        "each image gets the mean of all class vectors; it needs the one of its class": layers(z + vectors.mean(dim=0)),
        "you multiply z by the vector; add it": layers(z * vectors[classes]),
        "the vector takes the place of z; add the two": layers(vectors[classes]),
        "all images get the vector of the first class asked for": layers(z + vectors[classes[0]]),
    }
    otherwise = "these are not the images that the layers make of z plus the vector of the class"
    if complaint := compare(result.detach(), right.detach(), {k: v.detach() for k, v in mistakes.items()}, otherwise):
        return complaint
    return None if result.requires_grad else "the images are right, but the class vectors could not learn from them"


@solution("conditional_sgan.moves")
def moves(nets: Nets, batch: Batch) -> Moves:
    """SGAN's moves, and the class asked for in both."""
    D, G = nets["discriminator"], nets["generator"]
    asked = G.draw_classes(len(batch.unlabelled))
    fake = G.sample(len(asked), classes=asked)
    real, generated = D(batch.unlabelled).class_logits, D(fake.detach()).class_logits
    told_apart = losses.discriminator(real_logit(real), real_logit(generated))
    classes = F.cross_entropy(D(batch.images).class_logits, batch.labels)
    yield {"classes": classes, "real or fake": told_apart / 2, "fakes": 0.3 * F.cross_entropy(generated, asked)}
    judged = D(fake).class_logits
    yield {"real": losses.generator(real_logit(judged)), "class": 0.1 * F.cross_entropy(judged, asked)}


@checker(
    "conditional_sgan.moves",
    hints=(
        "start from your N+1 moves of notebook 03; draw the classes first, and ask for fakes of these classes",
        "each move gets one term more: a cross-entropy of the fakes' class logits against the classes asked for",
    ),
)
def _moves(answer: Callable[[Nets, Batch], Any]) -> str | None:
    D, G = Judge(), Maker(takes_classes=True)
    nets = nn.ModuleDict({"discriminator": D, "generator": G})
    batch = Batch(normal(5, 3, seed=9), torch.tensor([0, 1, 1, 0, 1]), normal(8, 3, seed=7))
    asked = G.draw_classes(8)

    def judged() -> tuple[Tensor, Tensor, Tensor]:
        """Of the fakes: their class logits, what these say of the class asked for, and the same over N+1 classes."""
        logits = D(G.sample(8, classes=asked)).class_logits
        return logits, F.cross_entropy(logits, asked), F.cross_entropy(losses.append_fake_logit(logits), asked)

    def first() -> Move:
        on_fake, named, over_all = judged()
        on_real, classes = D(batch.unlabelled).class_logits, F.cross_entropy(D(batch.images).class_logits, batch.labels)
        of_sgan = classes + losses.discriminator(real_logit(on_real), real_logit(on_fake)) / 2
        other = D(G.sample(8)).class_logits  # of classes that nobody asked for
        told_apart = losses.discriminator(real_logit(on_real), real_logit(other)) / 2
        return Move(of_sgan + 0.3 * named, {
            "the fakes' classes are missing in the first move; they weigh 0.3": of_sgan,
            "the fakes are of other classes than those you drew; hand these to `sample`": (
                classes + told_apart + 0.3 * F.cross_entropy(other, asked)
            ),
            "the fakes' classes have the weight 1 in the first move": of_sgan + named,
            "the first move has the generator's weight": of_sgan + 0.1 * named,
            "in the first move the fakes' classes go over K + 1 classes": of_sgan + 0.3 * over_all,
            "the classes of labelled images are missing in the first move": of_sgan - classes + 0.3 * named,
            "the real-or-fake terms have the weight ½": 2 * of_sgan - classes + 0.3 * named,
        }, "SGAN's terms and 0.3 times the fakes' classes")  # fmt: skip

    def second() -> Move:
        on_fake, named, over_all = judged()
        of_sgan = losses.generator(real_logit(on_fake))
        return Move(of_sgan + 0.1 * named, {
            "the class is missing in the second move; it weighs 0.1": of_sgan,
            "the class has the weight 1 in the second move": of_sgan + named,
            "the second move has the discriminator's weight": of_sgan + 0.3 * named,
            "the second move lacks the wish to be called real": 0.1 * named,
            "in the second move the class goes over K + 1 classes": of_sgan + 0.1 * over_all,
        }, "SGAN's term and 0.1 times the class")  # fmt: skip

    return moves_complaint(answer(nets, batch), nets, first, second)


@solution("conditional_sgan.class_share")
def class_share(images: Tensor, classes: Tensor) -> float:
    """The share of the images' variance that their classes decide."""
    return evaluation.class_share(images, classes)


@checker(
    "conditional_sgan.class_share",
    hints=(
        "flatten the images to [n, pixels] first. Each image then needs the mean of its class, also [n, pixels]",
        "both sums go over all images and all pixels; an image of a large class counts as much as any other",
    ),
)
def _class_share(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    classes = torch.tensor([0, 0, 0, 0, 0, 1, 1, 3, 3, 3])
    images = normal(10, 1, 3, 2) + 1 + classes.double()[:, None, None, None]
    result, right = number(answer(images, classes)), evaluation.class_share(images, classes)
    pixels = images.flatten(1)
    of_class = torch.stack([pixels[classes == k].mean(dim=0) for k in (0, 1, 3)])
    each = of_class[torch.tensor([0] * 5 + [1] * 2 + [2] * 3)]
    away, everything = (each - pixels.mean(dim=0)).square(), (pixels - pixels.mean(dim=0)).square()
    once = (of_class - pixels.mean(dim=0)).square()
    mistakes = {
        "this is the share of the hand; take the one of the class": 1 - right,
        "each class counts once; each image counts, with the mean of its class": once.sum() / everything.sum(),
        "you average one share per pixel; add up both sums before you divide": (away.sum(0) / everything.sum(0)).mean(),
        "subtract the mean of all images first": each.square().sum() / pixels.square().sum(),
        "you take roots; the sums are of squares": right**0.5,
        "this is the mean distance, not a share of all": away.sum() / 10,
    }
    otherwise = f"for ten images of three classes the share is {right:.4f}; yours is {result:.4f}"
    return compare(result, right, mistakes, otherwise)


check_answers("conditional_sgan.judges", "judges", "ask what each has learnt from, and how often it is wrong", {
    "the discriminator of the run that drew the samples": False,
    "a network trained on that run's 100 labels alone": False,
    "a network trained on all labels in a run of its own": True,
    "a network trained on all labels and on samples of that run": False,
    "a person who is not told which class was asked for": True,
}, hints=(
    "who has taken part in the game, or has learned from its samples?",
    "of the others: how often is each wrong about real digits, and does it know what it is expected to see?",
))  # fmt: skip
