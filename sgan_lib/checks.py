"""Checks for semi-supervised GAN code, ours or anybody's: each measures one thing and reports it (notebook 08).

They look at behaviour, never at names of layers, so they take any torch code. A check that passes proves nothing.
"""

import copy
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pandas import DataFrame, Series
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from sgan_lib import losses
from sgan_lib.runtime import check_whole_number, forked_random


@dataclass(frozen=True)
class Report:
    """Did the check pass, what was measured, and what to do where it did not pass."""

    passed: bool
    measured: Mapping[str, Any]
    advice: str

    def __str__(self) -> str:
        measured = "; ".join(f"{name}: {_written(value)}" for name, value in self.measured.items())
        return f"passed. {measured}" if self.passed else f"FAILED. {measured}\n{self.advice}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return (", ".join(value[:6]) or "none") + (f" and {len(value) - 6} more" if len(value) > 6 else "")
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def gradients_arrive(network: nn.Module, loss: Tensor) -> Report:
    """Does every trainable parameter of the network receive a gradient of this loss?

    Finds layers that are built and never used, inputs that a later layer does not read, and detached paths. Give the
    sum of all the losses that train the network. Keeps the graph, touches no `.grad`. ValueError for a loss that is no
    scalar or carries no gradient, or a network without trainable parameters.
    """
    trainable = {name: p for name, p in network.named_parameters() if p.requires_grad}
    if not trainable:
        raise ValueError("network must have trainable parameters; all of its parameters are frozen, or it has none")
    got = f"shape {list(loss.shape)}, requires_grad={loss.requires_grad}" if isinstance(loss, Tensor) else repr(loss)
    if not isinstance(loss, Tensor) or loss.ndim or not loss.requires_grad:
        raise ValueError(f"loss must be a scalar that carries a gradient; got {got}")
    gradients = torch.autograd.grad(loss, list(trainable.values()), retain_graph=True, allow_unused=True)
    unreached = [name for name, g in zip(trainable, gradients, strict=True) if g is None]
    zero = [name for name, g in zip(trainable, gradients, strict=True) if g is not None and not g.any()]
    idle = sum(trainable[name].numel() for name in unreached + zero) / sum(p.numel() for p in trainable.values())
    measured = {"parameters": len(trainable), "not reached by the loss": unreached, "reached, and all zeros": zero,
                "share of idle weights": idle}  # fmt: skip
    return Report(not idle, measured, "Follow the forward pass: a layer that is not reached is not used, or what it "
                  "returns is overwritten or detached. A gradient of zeros comes from a dead unit, a mask that selects "
                  "nothing, or a saturated function.")  # fmt: skip


def outputs_are_logits(outputs: Tensor) -> Report:
    """Are these class logits, or real-or-fake logits, or has a softmax or sigmoid been applied to them already?

    Softmax twice leaves a cross-entropy of at least log(1 + (K − 1)/e); sigmoid twice a binary one of log(1 + 1/e).
    After a log-softmax the cross-entropy is right, but log-sum-exp, the real logit of K classes, is 0 for every image.
    `outputs` is [batch] or [batch, K]; a single column within [0, 1] is reported too. TypeError for anything but a
    tensor of floating-point numbers; ValueError for fewer than two finite rows.
    """
    if not isinstance(outputs, Tensor) or not outputs.is_floating_point():
        got = outputs.dtype if isinstance(outputs, Tensor) else type(outputs).__name__
        raise TypeError(f"outputs must be a tensor of floating-point numbers; got {got}")
    rounding = max(1e-4, 4 * torch.finfo(outputs.dtype).eps)
    rows = outputs.detach().float().reshape(len(outputs), -1)
    if outputs.ndim > 2 or len(rows) < 2 or not rows.isfinite().all():
        raise ValueError(f"outputs must be finite, [batch, classes] with 2 rows or more; got {list(outputs.shape)}")
    smallest, largest, n_classes = rows.min().item(), rows.max().item(), rows.shape[1]
    kind, least = "logits", 0.0
    if smallest >= 0 and largest <= 1 and (n_classes == 1 or (rows.sum(dim=1) - 1).abs().max() <= rounding):
        kind, least = "probabilities", math.log1p(max(n_classes - 1, 1) / math.e)
    elif n_classes > 1 and rows.logsumexp(dim=1).abs().max() <= rounding:
        kind = "log-probabilities"
    measured = {"looks like": kind, "smallest": smallest, "largest": largest, "least possible loss": least}
    return Report(kind == "logits", measured, "Return the last linear layer's numbers, and let the loss do the rest: "
                  "F.cross_entropy, F.binary_cross_entropy_with_logits, losses.real_logit.")  # fmt: skip


def batch_changes_nothing(network: nn.Module, real: Float[Tensor, "..."], fake: Float[Tensor, "..."]) -> Report:
    """Do batch statistics separate real from fake: does the verdict on an image depend on what else is in the batch?

    Asks a copy of the network about real and fake images (two of each, else ValueError), apart and in a mixed batch,
    with batch norm as in training, noise and dropout off. The network returns a DiscriminatorOutput, or its logits.
    """
    if min(len(real), len(fake)) < 2:
        raise ValueError(f"real and fake must hold at least 2 images each; got {len(real)} and {len(fake)}")
    judge = copy.deepcopy(network)
    for layer in judge.modules():
        layer.training = isinstance(layer, _BatchNorm)
    with torch.no_grad(), forked_random():
        outputs = [judge(images) for images in (real, fake, torch.cat([real, fake]))]
    logits = [getattr(output, "class_logits", output) for output in outputs]
    on_real, on_fake, mixed = (losses.real_logit(rows.reshape(len(rows), -1)) for rows in logits)
    alone = torch.cat([on_real, on_fake])
    change, turned = (alone - mixed).abs().max().item(), ((alone > 0) != (mixed > 0)).float()
    measured = {"largest change of a logit": change, "verdicts turned, real": turned[: len(real)].mean().item(),
                "verdicts turned, fake": turned[len(real) :].mean().item()}  # fmt: skip
    rounding = 1e-4 * (1 + mixed.abs().max().item())  # float32 sums in another order differ by less
    return Report(change <= rounding, measured, "A layer looks at the whole batch. Take batch norm out of the "
                  "discriminator (weight norm, dropout and noise do not look around), or show it real and fake in "
                  "separate batches in both players' steps.")  # fmt: skip


def hidden_labels_out_of_reach(data: Any, n_hidden: int, n_classes: int) -> Report:
    """Can the labels that training must not see be reached from the object that training is given?

    Reports every row of at least `n_hidden` whole numbers in [0, K] (some files count from 1) to which attributes and
    items lead. It cannot see into functions, generators or files; `hidden_labels_change_nothing` can.
    """
    check_whole_number("n_hidden", n_hidden, at_least=1)
    check_whole_number("n_classes", n_classes, at_least=2)
    rows = [f"{path or 'the object itself'} ({array.size} numbers)" for path, array in _arrays_within(data, "", {})
            if array.dtype.kind in "iu" and n_hidden <= array.size == max(array.shape, default=0)
            and 0 <= array.min() < array.max() <= n_classes]  # fmt: skip
    return Report(not rows, {"rows of numbers that could be labels": rows}, "Copy the images of the pool into a tensor "
                  "of their own, and give training that tensor and the few labelled pairs: what it does not have it "
                  "cannot use by mistake.")  # fmt: skip


def _arrays_within(data: Any, path: str, seen: dict[int, Any], depth: int = 7) -> Iterator[tuple[str, np.ndarray]]:
    """Every array within so many steps, with the way to it. `seen` keeps the objects, lest another get the same id."""
    if id(data) in seen:
        return
    seen[id(data)] = data
    if isinstance(data, np.ndarray):
        yield path, data
    elif depth:
        for step, part in _parts(data):
            yield from _arrays_within(part, path + step, seen, depth - 1)


def _parts(data: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, each with the step to it. Tensors, and lists of whole numbers, become arrays."""
    if isinstance(data, Tensor):
        yield from [] if data.is_floating_point() else [("", data.numpy(force=True))]  # numpy has no bfloat16
    elif isinstance(data, Series):
        yield "", data.to_numpy()
    elif isinstance(data, (Mapping, DataFrame)):
        yield from ((f"[{key!r}]", value) for key, value in data.items())
    elif isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        rows = [row if isinstance(row, tuple) else (row,) for row in data]
        for index, column in enumerate(zip(*rows, strict=False)):
            with suppress(TypeError):  # where a row is no whole number
                array = np.array([operator.index(number) for number in column])
                yield f"[:][{index}]" if isinstance(data[0], tuple) else "", array
        yield from ((f"[{index}]", row) for index, row in enumerate(data[:100]))
    elif not isinstance(data, (str, bytes, type)):
        slots = [name for kind in type(data).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(data, name)]
        attributes = {name: getattr(data, name) for name in slots} | getattr(data, "__dict__", {})
        yield from ((f".{name}", value) for name, value in attributes.items())


def hidden_labels_change_nothing(
    train: Callable[[Tensor], Tensor], labels: Int[Tensor, "n"], known: Bool[Tensor, "n"]
) -> Report:
    """Does training use a label that it should not know? Shuffle those labels and see whether anything changes.

    `train` takes all labels [n] and returns what was learnt: weights, or logits of some images. `known` is True where
    training may use the label. ValueError where the shuffle moves no label, the same labels give other numbers, or NaN.
    """
    shuffled = labels.clone()
    order = torch.randperm(int((~known).sum()), generator=torch.Generator().manual_seed(0))
    shuffled[~known] = labels[~known][order]
    if torch.equal(shuffled, labels):
        raise ValueError("known must hide labels that a shuffle changes; all stay as they are")
    first, again, other = (train(some.clone()).detach() for some in (labels, labels, shuffled))
    if not torch.equal(first, again):
        why = "it gave NaN: has it diverged?" if first.isnan().any() else "seed everything random inside it"
        raise ValueError(f"train must give the same numbers for the same labels; {why}")
    measured = {"hidden labels changed": int((labels != shuffled).sum()),
                "largest difference": (first - other).abs().max().item()}  # fmt: skip
    return Report(torch.equal(first, other), measured, "Hidden labels steer the training. Search for the place where "
                  "an unlabelled image's label enters a loss, a sampler or a choice of checkpoint.")  # fmt: skip


def labelled_set_stays(epochs: Iterable[Tensor], n_labels: int) -> Report:
    """Are the labelled images of all epochs the same few, `n_labels`, or is another set drawn each time?

    Of each epoch, what was seen of the labelled images: their positions in the training set [m], or the images before
    augmentation [m, ...]. Some may be missing or repeated. ValueError for fewer than two epochs.
    """
    check_whole_number("n_labels", n_labels, at_least=1)
    seen = [{row.cpu().numpy().tobytes() for row in epoch} for epoch in epochs]
    if len(seen) < 2:
        raise ValueError(f"epochs must hold at least 2 epochs; got {len(seen)}")
    used = len(set[bytes]().union(*seen))
    measured = {"epochs": len(seen), "labels claimed": n_labels, "different labels used": used}
    return Report(used <= n_labels, measured, "Draw the labelled images once, with a seed, before the first epoch, and "
                  "keep the list.")  # fmt: skip
