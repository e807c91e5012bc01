"""Checkers of `02_gan_baseline`: the five parts of a GAN on eight modes, and the diagnosis of five reports."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib.course.exercises import gan_worked  # noqa: F401  (registers the worked parts)
from sgan_lib.course.exercises.checking import WrongAnswer, check_answers, checker, compare, tensor
from sgan_lib.runtime import seeded

_WIDTHS = "two hidden layers of 128 were asked for, and one dense layer behind them"
_RATE = 0.1  # of the optimisers that the checkers of the steps hand out


def _first(complaints: Mapping[str, bool]) -> str | None:
    """The first complaint that holds."""
    return next((words for words, holds in complaints.items() if holds), None)


# --- the networks


def _networks(make: Callable[[], Any]) -> list[nn.Module]:
    """Eight of a learner's networks, since a single one may look odd by chance."""
    with seeded(0):
        made = [make() for _ in range(8)]
    return [network for network in made if isinstance(network, nn.Module)]


def _inputs(n: int, n_in: int) -> Tensor:
    return torch.randn(n, n_in, generator=torch.Generator().manual_seed(n))


def _shape_complaint(networks: Sequence[nn.Module], n_in: int, n_out: int) -> str | None:
    if len(networks) < 8:
        return "the function must return a network, an nn.Module that is ready to be called"
    try:
        shape = list(networks[0](_inputs(5, n_in)).shape)
    except RuntimeError:
        return f"the network does not take inputs of shape [n, {n_in}]; look at its first layer and those that follow"
    return f"five inputs must give the shape [5, {n_out}]; this gives {shape}" if shape != [5, n_out] else None


def _are_linear(networks: Sequence[nn.Module], n_in: int) -> bool:
    """Whether the networks are affine maps: what lies in the middle goes to the middle."""
    a, b = _inputs(40, n_in).split(20)
    with torch.no_grad():
        bends = [network((a + b) / 2) - (network(a) + network(b)) / 2 for network in networks]
    return bool(torch.stack(bends).abs().max() < 1e-4)


def _is_as_wide_as_asked(network: nn.Module, n_out: int) -> bool:
    widths = [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)]
    return widths == [128, 128, n_out]


def _outputs(networks: Sequence[nn.Module], n_in: int) -> Tensor:
    """What the networks say of inputs near and very far."""
    with torch.no_grad():
        return torch.stack([network(1000 * _inputs(200, n_in)) for network in networks])


@checker(
    "gan_baseline.make_generator",
    hints=(
        "Three dense layers are enough. The first takes as many numbers as a latent has, the last gives a point's two.",
        "Put an activation after every layer but the last, and list layers and activations in order in one container.",
    ),
)
def _make_generator(answer: Callable[[], Any]) -> str | None:
    networks = _networks(answer)
    if complaint := _shape_complaint(networks, 8, 2):
        return complaint
    outputs, is_linear = _outputs(networks, 8), _are_linear(networks, 8)
    return _first({
        "two calls return the same network; make a new one in each call": networks[0] is networks[1],
        "the outputs never leave [-1, 1], and the ring has radius 2": bool((outputs.abs() <= 1).all()),
        "the outputs are never negative, and half of the plane is; see the last layer": bool((outputs >= 0).all()),
        "the network is linear; without activations it can only stretch and turn a cloud": is_linear,
        _WIDTHS: not _is_as_wide_as_asked(networks[0], 2),
    })  # fmt: skip


@checker(
    "gan_baseline.make_discriminator",
    hints=(
        "It is an ordinary classifier with two inputs and a single output. Which numbers may a logit be?",
        "The last layer is a dense one with nothing behind it. Between layers, a leaky activation lets gradients pass.",
    ),
)
def _make_discriminator(answer: Callable[[], Any]) -> str | None:
    networks = _networks(answer)
    if complaint := _shape_complaint(networks, 2, 1):
        return complaint
    outputs, is_linear = _outputs(networks, 2), _are_linear(networks, 2)
    has_flat_parts = any(isinstance(layer, nn.ReLU) for layer in networks[0].modules())
    return _first({
        "two calls return the same network; make a new one in each call": networks[0] is networks[1],
        "the outputs are probabilities or alike; a logit may be any number": bool((outputs.abs() <= 1).all()),
        "the outputs are never negative, so D could not say generated; see the last layer": bool((outputs >= 0).all()),
        "the outputs are never positive: logarithms of probabilities, it seems, no logits": bool((outputs <= 0).all()),
        "the network is linear; a straight line cannot enclose eight modes": is_linear,
        _WIDTHS: not _is_as_wide_as_asked(networks[0], 1),
        "where a plain ReLU is flat, G hears nothing from D; take the leaky one": has_flat_parts,
    })  # fmt: skip


# --- the two steps


class _Round(NamedTuple):
    """Two small players before a step, with gradients left over from an earlier one, and what the step is given."""

    G: nn.Module
    D: nn.Module
    real: Tensor
    z: Tensor
    passes: list[int]  # how many points D has seen, pass by pass

    def logits(self) -> tuple[Tensor, Tensor]:
        return self.D(self.real)[:, 0], self.D(self.G(self.z))[:, 0]


def _new_round() -> _Round:
    with seeded(4):
        G = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))
        D = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), last := nn.Linear(6, 1))
        players = _Round(G, D, torch.randn(6, 2), 3 * torch.randn(6, 8), [])
    nn.init.constant_(last.bias, -0.2)  # some logits of either kind are negative
    D.register_forward_hook(lambda _, points, __: players.passes.append(len(points[0])))
    return players


def _weights(network: nn.Module) -> Tensor:
    return nn.utils.parameters_to_vector(network.parameters()).detach()


def _gradients(network: nn.Module) -> Tensor:
    """The gradients in a network's weights, flat; where there are none, zeros."""
    grads = ((weight, weight.grad) for weight in network.parameters())
    return torch.cat([(torch.zeros_like(weight) if grad is None else grad).flatten() for weight, grad in grads])


def _step_complaint(play: Callable[..., Any], loss_of: Callable[[_Round], Tensor], mistakes: Mapping[str, Tensor],
                    mover: str) -> str | None:  # fmt: skip
    """What is wrong with a step of the player `mover` ("D" or "G"): its loss, who moves, and which way."""
    other = "G" if mover == "D" else "D"
    game, ideal = _new_round(), _new_round()
    for weight in [*game.G.parameters(), *game.D.parameters()]:
        weight.grad = torch.ones_like(weight)
    own, before, others = getattr(game, mover), _weights(getattr(game, mover)), _weights(getattr(game, other))
    try:
        loss = tensor(play(game, torch.optim.SGD(own.parameters(), lr=_RATE)))
    except WrongAnswer as refused:
        return "the loss has no gradient; something cuts it off" if "not require grad" in str(refused) else str(refused)
    if not torch.equal(_weights(getattr(game, other)), others):
        return f"the weights of {other} have moved; this step is {mover}'s alone"
    if loss.isnan():
        return "the loss is not a number: a logarithm of something negative. D returns logits, not probabilities"
    wrong = {words: value.item() for words, value in mistakes.items()}
    if complaint := compare(loss.item(), loss_of(ideal).item(), wrong, "the loss differs from the equation", 1e-4):
        return complaint
    loss_of(ideal).backward()
    slope, moved = _gradients(getattr(ideal, mover)), _weights(own) - before
    of_g = _gradients(game.G)
    trespass = mover == "D" and bool(of_g.any()) and not (of_g == 1).all()

    def is_near(way: Tensor | float) -> bool:
        return torch.allclose(moved, way * torch.ones_like(moved), atol=1e-5)

    stuck = not moved.any() or (mover == "G" and is_near(-_RATE))
    return _first({
        "the loss went backward into G, which this step must not touch; cut its points off first": trespass,
        "no gradient reaches G, so it would learn nothing; something cuts it off": stuck and mover == "G",
        f"the weights of {mover} have not moved": stuck,
        "gradients left from an earlier step are added in": is_near(-_RATE * (slope + 1)),
        f"{mover} moves up its loss, not down": is_near(_RATE * slope),
        f"{mover} has not taken one step down this loss": not is_near(-_RATE * slope),
        "D must see real and generated points in one batch, joined": mover == "D" and game.passes != [12],
    })  # fmt: skip


def _loss_of_d(game: _Round) -> Tensor:
    on_real, on_fake = game.logits()[0], game.D(game.G(game.z).detach())[:, 0]
    return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()


def _loss_of_g(game: _Round) -> Tensor:
    return F.softplus(-game.logits()[1]).mean()


@checker(
    "gan_baseline.discriminator_step",
    hints=(
        "Work in this order: points from z, cut off from G; one pass of D over both kinds; the loss; then the three "
        "lines with which every training step in PyTorch ends.",
        "Join the two kinds along the batch before the pass, and split the logits after it. Old gradients stay until "
        "you clear them, and a logarithm of a sigmoid has a function of its own.",
    ),
)
def _discriminator_step(answer: Callable[..., Any]) -> str | None:
    real, fake = _new_round().logits()
    right, real_alone, fake_alone = _loss_of_d(_new_round()), F.softplus(-real).mean(), F.softplus(fake).mean()
    probabilities = F.softplus(-real.sigmoid()).mean() + F.softplus(fake.sigmoid()).mean()
    mistakes = {
        "the sign is turned: this is what D maximises": -right,
        "this is half of the loss; both expectations count whole here": right / 2,
        "real and generated are exchanged": F.softplus(real).mean() + F.softplus(-fake).mean(),
        "only the real points are in the loss": real_alone,
        "only the generated points are in the loss": fake_alone,
        "probabilities went in where the function wants logits": probabilities,
        "this is a sum over the batch; take means": 6 * right,
    }

    def play(game: _Round, optimiser: torch.optim.Optimizer) -> Any:
        return answer(game.G, game.D, optimiser, game.real, game.z)

    return _step_complaint(play, _loss_of_d, mistakes, "D")


@checker(
    "gan_baseline.generator_step",
    hints=(
        "G wants D to call its points real. Which of the two terms of the discriminator's loss says that, and of which "
        "points?",
        "The gradient has to travel from the loss through D into G, so nothing may be cut off on the way. Only the "
        "optimiser decides whose weights move.",
    ),
)
def _generator_step(answer: Callable[..., Any]) -> str | None:
    fake = _new_round().logits()[1]
    right = F.softplus(-fake).mean()
    mistakes = {
        "the sign is turned: a step down this makes D surer that the points are generated": -right,
        "this is the minimax form, which hardly has a slope while D wins; take the non-saturating one":
            -F.softplus(fake).mean(),
        "this is D's term: its minimum is where D calls the points generated": F.softplus(fake).mean(),
        "probabilities went in where the function wants logits": F.softplus(-fake.sigmoid()).mean(),
        "this is a sum over the batch; take the mean": 6 * right,
    }  # fmt: skip

    def play(game: _Round, optimiser: torch.optim.Optimizer) -> Any:
        return answer(game.G, game.D, optimiser, game.z)

    return _step_complaint(play, _loss_of_g, mistakes, "G")


check_answers("gan_baseline.diagnosis", "reports", "compare the last columns", {
    "P": "discriminator has won",
    "Q": "healthy",
    "R": "batch statistics",
    "S": "mode collapse",
    "T": "weak baseline",
}, hints=(
    "Four of the reports are about a game. Ask first whether both losses can be small at once, and where that happens.",
    "Then count what is drawn. The losses of a healthy game and of a collapsed one look alike; the modes do not.",
))  # fmt: skip
