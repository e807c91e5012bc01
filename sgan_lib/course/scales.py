"""The scales of weight norm in a dense discriminator: read, and changed by hand so that no prediction changes."""

import copy
from typing import Any

import torch

Judge = Any  # a models.MLPDiscriminator, whose layers can more than nn.Module says


def first_scale(judge: Judge) -> float:
    """The mean scale g of the first hidden layer."""
    return float(judge.hidden[0].parametrizations["weight"].original0.detach().mean())


def enlarged(judge: Judge, c: float) -> Judge:
    """A copy whose hidden activations are c times larger and whose class weights are c times smaller.

    ReLU lets a positive factor through, so that without noise its logits are those of `judge`.
    """
    judge = copy.deepcopy(judge)
    with torch.no_grad():
        judge.hidden[0].parametrizations["weight"].original0.mul_(c)
        judge.classes.parametrizations["weight"].original0.div_(c)
        for layer in judge.hidden:
            layer.bias.mul_(c)
    return judge
