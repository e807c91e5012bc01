"""The matrix products of one step of feature matching on dense networks, by shape."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import nn


class Product(NamedTuple):
    """[rows, inner] · [inner, columns]."""

    kind: str  # "forward", "weights" (their gradient) or "input" (its gradient)
    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        """One multiplication and one addition for each element that is summed."""
        return 2 * self.rows * self.inner * self.columns


def widths(network: nn.Module) -> list[int]:
    """Width of the input and of every dense layer of a network, in order."""
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def products_of_a_step(
    discriminator: Sequence[int], generator: Sequence[int], n_labelled: int, n_unlabelled: int
) -> list[Product]:
    """What one step multiplies, given the widths of both networks.

    The discriminator's move: generate, one pass over all three parts, back to its first layer's weights. The
    generator's move: one pass over the generated images, back from the features (the layer before the logits) through
    the discriminator, whose weights need no gradient now, and through the generator. The latents need none.
    """
    n_all = n_labelled + 2 * n_unlabelled
    return [
        *_each_layer("forward", generator, n_unlabelled),
        *_each_layer("forward", discriminator, n_all),
        *_each_layer("weights", discriminator, n_all),
        *_each_layer("input", discriminator[1:], n_all),
        *_each_layer("forward", discriminator, n_unlabelled),
        *_each_layer("input", discriminator[:-1], n_unlabelled),
        *_each_layer("weights", generator, n_unlabelled),
        *_each_layer("input", generator[1:], n_unlabelled),
    ]


def _each_layer(kind: str, sizes: Sequence[int], n: int) -> Iterator[Product]:
    for n_in, n_out in pairwise(sizes):
        shape = {"forward": (n, n_in, n_out), "weights": (n_out, n, n_in), "input": (n, n_out, n_in)}[kind]
        yield Product(kind, *shape)


def multiplier(products: Sequence[Product]) -> Callable[[], None]:
    """A function that does these products and nothing else, each on tensors of its own, laid out as in training.

    A layer's weights are stored [out, in]: its forward pass reads them transposed, and the gradient of the weights
    reads the gradient of the output transposed.
    """
    operands = []
    for kind, rows, inner, columns in products:
        left = torch.randn(inner, rows).t() if kind == "weights" else torch.randn(rows, inner)
        right = torch.randn(columns, inner).t() if kind == "forward" else torch.randn(inner, columns)
        operands.append((left, right, torch.empty(rows, columns)))

    def multiply() -> None:
        for left, right, result in operands:
            torch.mm(left, right, out=result)

    return multiply
