"""Checkers of `03_sgan`: both players' moves in either form, the push on class logits, a fair comparison."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib import losses
from sgan_lib.course.exercises.checking import checker, compare, plan_complaint, tensor
from sgan_lib.course.exercises.playing import Judge, Maker, Move, moves_complaint, normal
from sgan_lib.course.exercises.worked import solution
from sgan_lib.data import Batch
from sgan_lib.losses import real_logit
from sgan_lib.methods import Moves, Nets


@solution("sgan.n_plus_one")
def n_plus_one(nets: Nets, batch: Batch) -> Moves:
    """The discriminator's loss with log Z as the real-or-fake logit, then the generator's."""
    D, G = nets["discriminator"], nets["generator"]
    fake = G.sample(len(batch.unlabelled))
    real, generated = D(batch.unlabelled).class_logits, D(fake.detach()).class_logits
    told_apart = losses.discriminator(real_logit(real), real_logit(generated))
    yield {"classes": F.cross_entropy(D(batch.images).class_logits, batch.labels), "real or fake": told_apart / 2}
    yield {"called real": losses.generator(real_logit(D(fake).class_logits))}


@solution("sgan.two_heads")
def two_heads(nets: Nets, batch: Batch) -> Moves:
    """The same with the logit of a second head."""
    D, head, G = nets["discriminator"], nets["real_head"], nets["generator"]
    fake = G.sample(len(batch.unlabelled))
    told_apart = losses.discriminator(head(D(batch.unlabelled).features), head(D(fake.detach()).features))
    yield {"classes": F.cross_entropy(D(batch.images).class_logits, batch.labels), "real or fake": told_apart / 2}
    yield {"called real": losses.generator(head(D(fake).features))}


class _Head(nn.Module):
    """Features [n, 4] -> real-or-fake logit [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(4, seed=8))

    def forward(self, features: Tensor) -> Tensor:
        return features @ self.weight


Logit = Callable[[Tensor], Tensor]


def _complaint(answer: Callable[[Nets, Batch], Any], nets: Nets, logit: Logit, others: Mapping[str, Logit]) -> Any:
    """What is wrong with the moves of an SGAN whose real-or-fake logit is this one; `others` are mistaken for it."""
    batch = Batch(normal(5, 3, seed=9), torch.tensor([0, 1, 1, 0, 1]), normal(8, 3, seed=7))

    def fake() -> Tensor:
        return nets["generator"].sample(len(batch.unlabelled))

    def told_apart(of: Logit) -> Tensor:
        return losses.discriminator(of(batch.unlabelled), of(fake()))

    def first() -> Move:
        on_labelled, apart = nets["discriminator"](batch.images).class_logits, told_apart(logit)
        classes = F.cross_entropy(on_labelled, batch.labels)
        over_all = F.cross_entropy(losses.append_fake_logit(on_labelled), batch.labels)
        swapped = losses.discriminator(logit(fake()), logit(batch.unlabelled))
        return Move(classes + apart / 2, {
            "the real-or-fake terms have the weight ½": classes + apart,
            "only the real-or-fake terms have the weight ½": (classes + apart) / 2,
            "you average over unlabelled and generated images together; add the two means": classes + apart / 4,
            "the class term is missing in the first move": apart / 2,
            "the real-or-fake terms are missing in the first move": classes,
            "real and fake are exchanged in the first move": classes + swapped / 2,
            "the sign of the first move is turned round: a player minimises": -classes - apart / 2,
            "the class term goes over K + 1 classes; here it goes over K, given that the image is real": (
                over_all + apart / 2
            ),
            **{f"{said} in the first move": classes + told_apart(of) / 2 for said, of in others.items()},
        }, "class term and half the real-or-fake terms")  # fmt: skip

    def second() -> Move:
        on_fake = logit(fake())
        right = losses.generator(on_fake)
        return Move(right, {
            "the sign of the second move is turned round: a player minimises": -right,
            "the second move is the minimax loss; take the non-saturating one": losses.generator(on_fake, "minimax"),
            "the second move asks G to be called fake": F.softplus(on_fake).mean(),
            "the second move has no weight": right / 2,
            **{f"{said} in the second move": losses.generator(of(fake())) for said, of in others.items()},
        }, "the generator's non-saturating loss")  # fmt: skip

    return moves_complaint(answer(nets, batch), nets, first, second)


@checker(
    "sgan.n_plus_one",
    hints=(
        "the first move is your loss of notebook 01: ask D about each of the three streams, and cut G off from it, as "
        "in notebook 02",
        "log Z is one number per image, from all its class logits; in the second move ask D again about the same fakes",
    ),
)
def _n_plus_one(answer: Callable[[Nets, Batch], Any]) -> str | None:
    nets = nn.ModuleDict({"discriminator": Judge(), "generator": Maker()})

    def logits(images: Tensor) -> Tensor:
        return nets["discriminator"](images).class_logits

    others = {
        "you take the largest logit instead of log Z": lambda images: logits(images).amax(dim=1),
        "you add up the logits; log Z is their log-sum-exp": lambda images: logits(images).sum(dim=1),
    }
    return _complaint(answer, nets, lambda images: real_logit(logits(images)), others)


@checker(
    "sgan.two_heads",
    hints=(
        "only one thing changes: the real-or-fake logit. D's output has the features that its head needs",
        "in the first move the head judges the features of unlabelled and generated images, later of generated ones",
    ),
)
def _two_heads(answer: Callable[[Nets, Batch], Any]) -> str | None:
    nets = nn.ModuleDict({"discriminator": Judge(), "real_head": _Head(), "generator": Maker()})
    D, head = nets["discriminator"], nets["real_head"]

    def log_z(images: Tensor) -> Tensor:
        return real_logit(D(images).class_logits)

    others = {"log Z of the class logits takes the place of the head's logit": log_z}
    return _complaint(answer, nets, lambda images: head(D(images).features), others)


@solution("sgan.push")
def push(class_logits: Tensor) -> Tensor:
    """p(fake | x) · p(k | x, real), for each class k."""
    return torch.sigmoid(-real_logit(class_logits))[:, None] * class_logits.softmax(dim=1)


@checker(
    "sgan.push",
    hints=(
        "the term is softplus(−log Z); its slope in log Z is minus the probability of fake. Then use the chain rule",
        "what is the derivative of a log-sum-exp by one of its logits? You know it from the softmax",
    ),
)
def _push(answer: Callable[[Tensor], Any]) -> str | None:
    logits = 2 * normal(6, 4)
    result = tensor(answer(logits), (6, 4))
    p_real, softmax = torch.sigmoid(real_logit(logits))[:, None], logits.softmax(dim=1)
    right = (1 - p_real) * softmax
    mistakes = {
        "this is the derivative; a step goes the other way": -right,
        "this is the softmax alone; where the image is surely real there is hardly a push": softmax,
        "this is what a generated image gives, with its sign turned round; the factor is p(fake)": p_real * softmax,
        "this is what a generated image gives; take the term of an unlabelled one": -p_real * softmax,
        "this is p(fake) for each class alike; the classes get different parts of it": (1 - p_real).expand(6, 4),
        "you have the mean over the batch in it; each image has a push of its own": right / 6,
    }
    otherwise = f"the first image's push on class 0 is {right[0, 0]:.4f}; yours is {result[0, 0]:.4f}"
    return compare(result.detach(), right, mistakes, otherwise)


@checker(
    "sgan.fair_comparison",
    hints=(
        "which two methods does the question compare, and what must be equal within a pair of runs?",
        "give both methods the same seeds, one per split; a seed without split_seed also chooses the split",
    ),
)
def _fair_comparison(answer: Callable[[int, range], Any]) -> str | None:
    for n_labels, splits in ((200, range(5)), (100, range(3, 6))):
        plan = answer(n_labels, splits)
        if complaint := plan_complaint(plan, ["method"], min_splits=len(splits), question=("digits", n_labels)):
            return complaint
        methods = {run["method"] for run in plan}
        if not {"supervised", "sgan"} <= methods:
            listed = ", ".join(sorted(methods))
            return f"the plan runs {listed}; the question needs two methods, one of them the network alone"
        if {run.get("split_seed", run.get("seed", 0)) for run in plan} != set(splits):
            return "the plan must use the splits that it is given"
    return None


@solution("sgan.fair_comparison")
def fair_comparison(n_labels: int, splits: range) -> list[dict[str, Any]]:
    """Both methods on each split, with the same seed."""
    of_all = {"dataset": "digits", "n_labels": n_labels, "steps": 300}
    return [of_all | {"method": method, "seed": split} for split in splits for method in ("supervised", "sgan")]
