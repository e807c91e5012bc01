"""The scales of weight norm in a dense discriminator: read, and changed by hand so that no prediction changes."""

import copy

import torch

from sgan_lib.models import MLPDiscriminator


def first_scale(judge: MLPDiscriminator) -> float:
    """The mean scale g of the first hidden layer."""
    return float(judge.hidden[0].parametrizations["weight"].original0.detach().mean())


def enlarged(judge: MLPDiscriminator, c: float) -> MLPDiscriminator:
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
