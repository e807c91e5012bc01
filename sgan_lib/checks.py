"""Checks for semi-supervised GAN code, ours or anybody's: each measures one thing and reports it (notebook 08).

They look at behaviour (gradients, outputs, what a change of input does), never at names of layers, so they take any
torch code. A check that passes has found nothing; it proves nothing.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sgan_lib import losses
from sgan_lib.runtime import check_whole_number, forked_random

_DEPTH = 6  # how many attributes and items deep `hidden_labels_out_of_reach` looks


@dataclass(frozen=True)
class Report:
    """What a check found: did it pass, what was measured, and, where it did not pass, what to do."""

    passed: bool
    measured: Mapping[str, Any] = field(hash=False)
    advice: str

    def __str__(self) -> str:
        found = "; ".join(f"{name}: {_written(value)}" for name, value in self.measured.items())
        return f"passed. {found}" if self.passed else f"FAILED. {found}\n{self.advice}"


def _written(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(str, value[:6])) + (f" and {len(value) - 6} more" if len(value) > 6 else "") or "none"
    return str(value)


def _report(passed: bool, measured: Mapping[str, Any], advice: str) -> Report:
    return Report(passed, measured, "" if passed else advice)


def gradients_arrive(network: nn.Module, loss: Tensor) -> Report:
    """Does every trainable parameter of the network receive a gradient of this loss?

    Finds layers that are built and never used, inputs that a later layer does not read, and detached paths. Give the
    sum of all the losses that are to train the network. The graph is kept, and no `.grad` is touched.

    Raises:
        ValueError: for a loss that is no scalar or carries no gradient, or a network without trainable parameters.
    """
    trainable = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("network must have trainable parameters; all of its parameters are frozen, or it has none")
    if loss.ndim or not loss.requires_grad:
        raise ValueError(
            f"loss must be a scalar that carries a gradient; got shape {list(loss.shape)}, "
            f"requires_grad={loss.requires_grad}"
        )
    gradients = torch.autograd.grad(loss, list(trainable.values()), retain_graph=True, allow_unused=True)
    found = dict(zip(trainable, gradients, strict=True))
    unreached = [name for name, gradient in found.items() if gradient is None]
    zero = [name for name, gradient in found.items() if gradient is not None and not gradient.any()]
    idle = sum(trainable[name].numel() for name in [*unreached, *zero])
    return _report(
        not unreached and not zero,
        {
            "parameters": len(trainable),
            "not reached by the loss": unreached,
            "reached, and all zeros": zero,
            "share of idle weights": idle / sum(p.numel() for p in trainable.values()),
        },
        "Follow the forward pass: a layer that is not reached is not used, or what it returns is overwritten or "
        "detached. A gradient of zeros comes from a dead unit, a mask that selects nothing, or a saturated function.",
    )


def outputs_are_logits(outputs: Tensor) -> Report:
    """Is what the network returns fit for a loss that expects logits, or has a softmax or sigmoid been applied already?

    Softmax twice leaves a cross-entropy of at least log(1 + (K − 1)/e); sigmoid twice a binary one of log(1 + 1/e).
    After a log-softmax the cross-entropy is right, but log-sum-exp, the real logit of K classes, is 0 for every image.

    Args:
        outputs: [batch, K] class logits, or [batch] or [batch, 1] real-or-fake logits. A single column is reported
            where all its numbers lie within [0, 1], which logits may do by chance: train some steps and ask again.

    Raises:
        TypeError: for anything but a tensor of floating-point numbers.
        ValueError: for another shape, fewer than two rows, or values that are not finite.
    """
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        got = outputs.dtype if isinstance(outputs, Tensor) else type(outputs).__name__
        raise TypeError(f"outputs must be a tensor of floating-point numbers; got {got}")
    if outputs.ndim not in (1, 2) or len(outputs) < 2:
        raise ValueError(f"outputs must be [batch] or [batch, classes] with 2 rows or more; got {list(outputs.shape)}")
    rows = outputs.detach().float().reshape(len(outputs), -1)
    if not rows.isfinite().all():
        raise ValueError("outputs must be finite; some are not")
    smallest, largest, n_classes = rows.min().item(), rows.max().item(), rows.shape[1]
    kind, least = "logits", 0.0
    if smallest >= 0 and largest <= 1 and (n_classes == 1 or _all_close(rows.sum(dim=1), 1, outputs.dtype)):
        kind, least = "probabilities", math.log1p(max(n_classes - 1, 1) / math.e)
    elif n_classes > 1 and _all_close(rows.logsumexp(dim=1), 0, outputs.dtype):
        kind = "log-probabilities"
    return _report(
        kind == "logits",
        {"looks like": kind, "smallest": smallest, "largest": largest, "least possible loss": float(least)},
        "Return the last linear layer's numbers, and let the loss do the rest: F.cross_entropy, "
        "F.binary_cross_entropy_with_logits, losses.real_logit.",
    )


def _all_close(values: Tensor, target: float, given: torch.dtype) -> bool:
    """Within the rounding of the numbers as they were given: half precision keeps two or three digits."""
    return torch.allclose(values, torch.full_like(values, target), atol=max(1e-4, 4 * torch.finfo(given).eps))


def company_changes_nothing(network: nn.Module, real: Float[Tensor, "..."], fake: Float[Tensor, "..."]) -> Report:
    """Do batch statistics separate real from fake: does the verdict on an image depend on what else is in the batch?

    Asks the network about real and fake images one after the other and in one mixed batch, with batch norm as in
    training and all noise and dropout off. It works on a copy.

    Args:
        network: returns class logits [batch, K], real-or-fake logits [batch] or [batch, 1], or a DiscriminatorOutput.
        real, fake: images, at least 2 of each, fit for the network.

    Raises:
        ValueError: for fewer than 2 images of a kind.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"real and fake must hold at least 2 images each; got {len(real)} and {len(fake)}")
    judge = copy.deepcopy(network).eval()
    for layer in judge.modules():
        if isinstance(layer, _BatchNorm):
            layer.train()
    with torch.no_grad(), forked_random():
        alone = torch.cat([_real_logits(judge, real), _real_logits(judge, fake)])
        mixed = _real_logits(judge, torch.cat([real, fake]))
    change = (alone - mixed).abs().max().item()
    flipped = ((alone > 0) != (mixed > 0)).float()
    return _report(
        change <= 1e-4 * (1 + mixed.abs().max().item()),  # float32 sums in another order are no company
        {
            "largest change of a logit": change,
            "verdicts turned, real": flipped[: len(real)].mean().item(),
            "verdicts turned, fake": flipped[len(real) :].mean().item(),
        },
        "A layer looks at the whole batch. Take batch norm out of the discriminator (weight norm, dropout and noise "
        "do not look around), or show it real and fake in one batch in both players' steps.",
    )


def _real_logits(judge: nn.Module, images: Tensor) -> Float[Tensor, "batch"]:
    output = judge(images)
    logits = getattr(output, "class_logits", output)
    return losses.real_logit(logits) if logits.ndim == 2 else logits


def hidden_labels_out_of_reach(given: Any, n_hidden: int, n_classes: int) -> Report:
    """Are the labels that training must not see within reach of the object that training is given?

    Walks through attributes, items and fields, and reports every row of at least `n_hidden` whole numbers that could be
    labels: a `Subset` keeps the whole data set's `targets`, and so does a loader over it. It cannot see into functions,
    generators or files; `hidden_labels_change_nothing` can.

    Args:
        given: a data set, a loader, a batch, or whatever the training function takes.
        n_hidden: how many labels are to be hidden.
        n_classes: K; numbers from 0 to K count as labels (K itself, because some files count from 1).
    """
    check_whole_number("n_hidden", n_hidden, at_least=1)
    check_whole_number("n_classes", n_classes, at_least=2)
    found = [
        f"{path or 'the object itself'} ({len(array)} numbers)"
        for path, array in _arrays_within(given, "", {})
        if len(array) >= n_hidden and _could_be_labels(array, n_classes)
    ]
    return _report(
        not found,
        {"rows of numbers that could be labels": found},
        "Copy the images of the pool into a tensor of their own, and give training that tensor and the few labelled "
        "pairs: what it does not have it cannot use by mistake.",
    )


def _could_be_labels(array: np.ndarray, n_classes: int) -> bool:
    row = array.reshape(len(array), -1)
    if row.shape[1] != 1 or array.dtype.kind not in "iu":
        return False
    return bool(row.min() >= 0 and row.max() <= n_classes and row.min() < row.max())


def _arrays_within(
    given: Any, path: str, seen: dict[int, Any], depth: int = _DEPTH
) -> Iterator[tuple[str, np.ndarray]]:
    """Every tensor, array and list of whole numbers that can be reached from an object, with the way to it.

    `seen` keeps the objects: the id of one that is gone may be given to another.
    """
    if id(given) in seen or depth < 0 or isinstance(given, (str, bytes, type)):
        return
    seen[id(given)] = given
    if isinstance(given, Tensor):
        given = given.detach().cpu()
        given = (given.float() if given.is_floating_point() else given).numpy()  # numpy has no bfloat16
    elif hasattr(given, "to_numpy") and getattr(given, "ndim", 0) == 1:  # a column of pandas
        given = given.to_numpy()
    if isinstance(given, np.ndarray):
        if given.ndim:
            yield path, given
    elif isinstance(given, Mapping) or hasattr(given, "to_numpy"):
        for key, value in given.items():
            yield from _arrays_within(value, f"{path}[{key!r}]", seen, depth - 1)
    elif isinstance(given, Sequence):
        if len(given) and all(map(_whole_number, given)):
            yield path, np.asarray([int(value) for value in given])
            return
        for place, column in _columns(given).items():
            yield f"{path}[:][{place}]", np.asarray(column)
        for place, value in enumerate(given[:100]):
            yield from _arrays_within(value, f"{path}[{place}]", seen, depth - 1)
    else:
        slots = [name for kind in type(given).__mro__ for name in getattr(kind, "__slots__", ())]
        values = {name: getattr(given, name) for name in slots if hasattr(given, name)}
        for name, value in (values | getattr(given, "__dict__", {})).items():
            yield from _arrays_within(value, f"{path}.{name}", seen, depth - 1)


def _whole_number(value: Any) -> bool:
    of_torch = isinstance(value, Tensor) and not value.ndim and not value.is_floating_point()
    return isinstance(value, Integral) or of_torch


def _columns(rows: Sequence[Any]) -> dict[int, list[int]]:
    """Of a list of pairs, such as (image, label): the parts that are a whole number in every row, by their place."""
    if not (len(rows) and all(isinstance(row, tuple) and len(row) == len(rows[0]) for row in rows)):
        return {}
    columns = enumerate(zip(*rows, strict=True))
    return {place: [int(value) for value in column] for place, column in columns if all(map(_whole_number, column))}


def hidden_labels_change_nothing(
    train: Callable[[Tensor], Tensor], labels: Int[Tensor, "n"], known: Bool[Tensor, "n"], seed: int = 0
) -> Report:
    """Does training use a label that it should not know? Shuffle those labels and see whether anything changes.

    Args:
        train: takes all labels [n] and returns numbers that show what was learnt: weights, or logits of some images. It
            must give the same numbers for the same labels, so seed it inside.
        labels: of all training images.
        known: True where training may use the label.
        seed: of the shuffle.

    Raises:
        ValueError: where nothing is hidden, a shuffle of the hidden labels cannot change any, or `train` gives other
            numbers for the same labels.
    """
    if labels[~known].unique().numel() < 2:
        raise ValueError("known must leave labels of at least two classes hidden, or there is nothing to shuffle")
    shuffled = labels.clone()
    order = torch.randperm(int((~known).sum()), generator=torch.Generator().manual_seed(seed))
    shuffled[~known] = labels[~known][order]
    if torch.equal(shuffled, labels):
        raise ValueError(f"seed {seed} shuffles the hidden labels into the order that they have; take another seed")
    first, again, other = (train(given.clone()).detach() for given in (labels, labels, shuffled))
    if not torch.equal(first, again):
        raise ValueError("train must give the same numbers for the same labels; seed everything random inside it")
    difference = (first - other).abs().max().item()
    return _report(
        torch.equal(first, other),
        {"hidden labels changed": int((labels != shuffled).sum()), "largest difference": float(difference)},
        "Hidden labels steer the training. Search for the place where an unlabelled image's label enters a loss, a "
        "sampler or a choice of checkpoint.",
    )


def labelled_set_stays(epochs: Iterable[Tensor], n_labels: int) -> Report:
    """Are the labelled images of all epochs the same few, or is another set drawn each time?

    Args:
        epochs: for each epoch, what was seen of the labelled images: their positions in the training set [m], or the
            images themselves [m, ...], before augmentation. An epoch may miss some and repeat others.
        n_labels: how many labels the experiment claims to use.

    Raises:
        ValueError: for fewer than two epochs.
    """
    check_whole_number("n_labels", n_labels, at_least=1)
    seen = [{row.cpu().numpy().tobytes() for row in epoch} for epoch in epochs]
    if len(seen) < 2:
        raise ValueError(f"epochs must hold at least 2 epochs; got {len(seen)}")
    used = len(set[bytes]().union(*seen))
    return _report(
        used <= n_labels,
        {"epochs": len(seen), "labels claimed": n_labels, "different labels used": used},
        "Draw the labelled images once, with a seed, before the first epoch, and keep the list.",
    )
