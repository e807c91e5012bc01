"""Checkers of `04_feature_matching`: levelled logits, the matching loss, the label mask, both players' moves."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib import losses
from sgan_lib.course.exercises.checking import WrongAnswer, checker, compare, tensor
from sgan_lib.course.exercises.moves import gradients
from sgan_lib.course.exercises.playing import Judge, Maker, Move, moves_complaint, normal
from sgan_lib.course.exercises.worked import solution
from sgan_lib.data import Batch
from sgan_lib.methods import Moves, Nets


def _result(answer: Callable[..., Any], *arguments: Tensor, told: str, add: str) -> Any:
    """What the answer returns; where it raises with `told` in its message, the complaint starts with `add`."""
    try:
        return answer(*arguments)
    except WrongAnswer as wrong:
        said = str(wrong)
        raise WrongAnswer(said.replace("your answer raised", f"{add}:") if told in said else said) from None


@solution("feature_matching.level")
def level(class_logits: Tensor) -> Tensor:
    """Class logits with the same softmax and log Z = 0."""
    return class_logits - torch.logsumexp(class_logits, dim=1, keepdim=True)


@checker(
    "feature_matching.level",
    hints=(
        "which change of all ten logits of an image leaves the softmax over them as it is?",
        "add the same number c to all logits of an image and write down what happens to log Z; then choose c",
    ),
)
def _level(answer: Callable[[Tensor], Any]) -> str | None:
    logits = 3 * normal(6, 4)
    result = tensor(_result(answer, logits, told="must match", add="keep the dimension that you sum over"), (6, 4))
    if torch.allclose(result, logits - logits.logsumexp(dim=0)):
        return "you take the log-sum-exp over the images; take it over the classes of each image"
    before, after = logits.softmax(dim=1), result.softmax(dim=1)
    if not torch.allclose(after, before, atol=1e-6):
        return f"the predictions change: the first image's p of class 0 was {before[0, 0]:.3f}, now {after[0, 0]:.3f}"
    log_z = result.exp().sum(dim=1).log()
    if log_z.abs().max() < 1e-6:
        return None
    if abs(log_z.mean()) < 1e-6:
        return "the predictions stay, and log Z is 0 on average, but not for each image"
    return f"the predictions stay, but log Z of the first image is {log_z[0]:.3f}, not 0"


# --- the matching loss


@solution("feature_matching.loss")
def matching_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Mean squared difference of mean features; the real ones are the target."""
    return losses.feature_matching(real, fake)


def _matching_mistakes(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    difference = real.mean(dim=0) - fake.mean(dim=0)
    return {
        "you average over the features of each image; the mean goes over the images of a batch": (
            (real.mean(dim=1) - fake.mean(dim=1)).square().mean()
        ),
        "you compare image with image; compare the mean of all with the mean of all": (real - fake).square().mean(),
        "you add up the squares over the features; average them, so that their number does not matter": (
            difference.square().sum()
        ),
        "you take a root; the squared distance is asked for": difference.norm(),
        "you take a root of the average; the squared distance is asked for": difference.square().mean().sqrt(),
        "you take absolute differences, the l1 form; the squared one is asked for": difference.abs().mean(),
        "differences of opposite sign cancel; square them before you average": difference.mean(),
        "you average over images and features before you compare; keep one mean per feature": (
            (real.mean() - fake.mean()).square()
        ),
    }


@checker(
    "feature_matching.loss",
    hints=(
        "take the mean over the batch first, of each feature; you get two vectors as long as there are features",
        "the real features are a target: nothing may be learned through them; look up what `detach` does",
    ),
)
def _loss(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    for n_real, n_fake in ((6, 6), (7, 5)):
        real, fake = normal(n_real, 3), 2 * normal(n_fake, 3, seed=1) + 1
        real, fake = real.requires_grad_(), fake.requires_grad_()
        result = tensor(_result(answer, real, fake, told="must match", add="take each mean before you compare"))
        right = (real.mean(dim=0) - fake.mean(dim=0)).square().mean()
        mistakes = _matching_mistakes(real, fake) if n_real == n_fake else {}
        otherwise = f"with {n_real} real and {n_fake} generated images the loss is {right:.4f}; yours is {result:.4f}"
        if complaint := compare(result.detach(), right.detach(), mistakes, otherwise):
            return complaint
        to_real, to_fake = gradients(result, real, fake)
        if not to_fake:
            return "the value is right, but no gradient reaches the generated features"
        if to_real:
            return "the value is right, but a gradient flows into the real features; they are the target"
    return None


# --- the label mask


@solution("feature_matching.masked_loss")
def masked_loss(class_logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Mean cross-entropy over the images whose mask is 1; without any, 0."""
    return losses.supervised(class_logits, labels, mask)


@checker(
    "feature_matching.masked_loss",
    hints=(
        'ask `F.cross_entropy` for one loss per image (`reduction="none"`), and let the mask choose',
        "how many images does the mean go over? And what is that number where the mask is empty?",
    ),
)
def _masked_loss(answer: Callable[[Tensor, Tensor, Tensor], Any]) -> str | None:
    logits = normal(8, 5).requires_grad_()
    labels = torch.randint(5, (8,), generator=torch.Generator().manual_seed(1))
    each = F.cross_entropy(logits, labels, reduction="none").detach()
    for selected in ([0, 3, 4], list(range(8)), [6], []):
        mask = torch.zeros(8, dtype=torch.float64).index_fill(0, torch.tensor(selected, dtype=torch.long), 1)
        result = _result(answer, logits, labels, mask, told="used as indices", add="`mask == 1` can select")
        if not selected and not isinstance(result, Tensor):
            return "without a label return a tensor that knows the logits, such as `class_logits.sum() * 0`"
        result = tensor(result)
        if not selected and result.isnan():
            return "a batch without any label gives NaN, and one step with it ends a training; let it give 0"
        right = (each * mask).sum() / max(len(selected), 1)
        mistakes = {
            "the mask is not used: images without a label count too": each.mean(),
            "you divide by all images of the batch; the mean goes over those with a label": (each * mask).sum() / 8,
            "the mask is turned round: you use the images without a label": each[mask == 0].mean(),
            "you add up; take the mean over the images with a label": (each * mask).sum(),
            "you multiply the logits by the mask; multiply the losses": F.cross_entropy(logits * mask[:, None], labels),
        }
        otherwise = f"with {len(selected)} labels of 8 the loss is {right:.4f}; yours is {result:.4f}"
        if complaint := compare(result.detach(), right, {k: v.detach() for k, v in mistakes.items()}, otherwise, 1e-5):
            return complaint
        if selected and not gradients(result, logits)[0]:
            return "the value is right, but no gradient reaches the logits"
    return None


# --- the moves of both players


@solution("feature_matching.moves")
def moves(nets: Nets, batch: Batch) -> Moves:
    """The discriminator's loss, then the generator's."""
    judge, generator = nets["discriminator"], nets["generator"]
    fake = generator.sample(len(batch.unlabelled))
    real, generated = judge(batch.unlabelled).class_logits, judge(fake.detach()).class_logits
    told_apart = losses.discriminator(losses.real_logit(real), losses.real_logit(generated))
    classes = losses.supervised(judge(batch.images).class_logits, batch.labels, batch.mask)
    yield {"supervised": classes, "adversarial": told_apart / 2}
    yield {"matching": losses.feature_matching(judge(batch.unlabelled).features, judge(fake).features)}


@checker(
    "feature_matching.moves",
    hints=(
        "the first move is that of notebook 03: the class loss and half of the real-or-fake loss, on detached fakes",
        "ask the discriminator again for the second move, about real and generated images, and use its features",
    ),
)
def _moves(answer: Callable[[Nets, Batch], Any]) -> str | None:
    nets = nn.ModuleDict({"discriminator": Judge(), "generator": Maker()})
    images, mask = normal(8, 3, seed=7), torch.tensor([1.0, 0, 0, 1, 0, 0, 0, 1], dtype=torch.float64)
    batch = Batch(images, torch.tensor([0, 1, 1, 1, 0, 1, 0, 0]), images, mask)
    judge, generator = nets["discriminator"], nets["generator"]
    first, second = partial(_first_move, judge, generator, batch), partial(_second_move, judge, generator, batch)
    return moves_complaint(answer(nets, batch), nets, first, second)


def _first_move(judge: Any, generator: Any, batch: Batch) -> Move:
    fake = generator.sample(8)
    on_real, on_fake = (losses.real_logit(judge(x).class_logits) for x in (batch.unlabelled, fake))
    classes = losses.supervised(judge(batch.images).class_logits, batch.labels, batch.mask)
    matching = losses.feature_matching(judge(batch.unlabelled).features, judge(fake).features)
    told_apart = losses.discriminator(on_real, on_fake)
    right = classes + told_apart / 2
    return Move(right, {
        "the discriminator minimises the matching loss too; it belongs to the generator alone": right + matching,
        "the discriminator minimises the matching loss; it belongs to the generator": classes + matching,
        "the real-or-fake loss has the weight ½ here": classes + told_apart,
        "the class loss is missing in the first move": told_apart / 2,
        "the real-or-fake loss is missing in the first move": classes,
        "real and fake are exchanged in the first move": classes + losses.discriminator(on_fake, on_real) / 2,
        "the mask is not used in the first move": right - classes
        + F.cross_entropy(judge(batch.images).class_logits, batch.labels),
    }, "class loss and half the real-or-fake loss")  # fmt: skip


def _second_move(judge: Any, generator: Any, batch: Batch) -> Move:
    real, fake = judge(batch.unlabelled), judge(generator.sample(8))
    right = losses.feature_matching(real.features, fake.features)
    of_sgan = losses.generator(losses.real_logit(fake.class_logits))
    of_logits = losses.feature_matching(real.class_logits, fake.class_logits)
    return Move(right, {
        "the second move is the SGAN's generator loss; match features instead": of_sgan,
        "the second move matches class logits; match features": of_logits,
        "the sign of the second move is turned round: the generator minimises it": -right,
    }, "the matching loss of real and generated images")  # fmt: skip
