"""Checkers of a BiGAN's game in `06_bigan`: the loss of encoder and generator, and the joint step."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sgan_lib import losses
from sgan_lib.course.exercises.checking import checker, compare, tensor
from sgan_lib.course.exercises.moves import descend, gradients, next_move
from sgan_lib.course.exercises.playing import normal
from sgan_lib.course.exercises.worked import solution
from sgan_lib.data import Batch
from sgan_lib.methods import Moves, Nets
from sgan_lib.models import DiscriminatorOutput
from sgan_lib.models.bidirectional import EncoderOutput

# --- the loss of encoder and generator


@solution("bigan.joint_loss")
def joint_loss(on_encoded: Tensor, on_generated: Tensor) -> Tensor:
    """The discriminator's loss with the labels swapped."""
    return losses.bigan_encoder_generator(joint_logit_on_encoded=on_encoded, joint_logit_on_generated=on_generated)


def _joint_mistakes(on_encoded: Tensor, on_generated: Tensor) -> dict[str, Tensor]:
    own = losses.discriminator(on_encoded, on_generated)
    encoder, generator = F.softplus(on_encoded).mean(), F.softplus(-on_generated).mean()
    return {
        "this is D's own loss; swap what D is to say of the two kinds": own,
        "this is minus D's loss: it has no lower bound, and no slope where D is right; swap the labels instead": -own,
        "generated pairs are there and encoded ones are not, so the encoder would learn nothing": generator,
        "encoded pairs are there and generated ones are not, so the generator would learn nothing": encoder,
        "one mean too many: add the two means": (encoder + generator) / 2,
        "both kinds are to be called generated; swap both labels": encoder + F.softplus(on_generated).mean(),
        "both kinds are to be called encoded; swap both labels": generator + F.softplus(-on_encoded).mean(),
        "logits go into softplus as they are, not as probabilities": (
            F.softplus(on_encoded.sigmoid()).mean() + F.softplus(-on_generated.sigmoid()).mean()
        ),
    }


@checker(
    "bigan.joint_loss",
    hints=(
        "which pairs is D to give a large logit? And what are encoder and generator to make it say of these?",
        "compare with the loss above: which sign does each of the two logits need now?",
    ),
)
def _joint_loss(answer: Callable[[Tensor, Tensor], Any]) -> str | None:
    encoded, generated = ((2 * normal(n, seed=n) + 1).requires_grad_() for n in (7, 5))
    result = tensor(answer(encoded, generated))
    right = losses.discriminator(generated, encoded)
    mistakes = {words: value.detach() for words, value in _joint_mistakes(encoded, generated).items()}
    otherwise = f"for some logits the loss is {right:.4f}, one mean for each kind of pair; yours is {result:.4f}"
    if complaint := compare(result.detach(), right.detach(), mistakes, otherwise):
        return complaint
    if not all(gradients(result, encoded, generated)):
        return "the value is right, but a gradient does not reach both kinds of logits"
    large = torch.tensor([1000.0, -1000.0], requires_grad=True)
    slope = torch.autograd.grad(tensor(answer(large, large)), large)[0]
    return None if slope.isfinite().all() else "for logits of ±1,000 the loss or its gradient is not finite"


# --- the joint step


@solution("bigan.moves")
def moves(nets: Nets, batch: Batch) -> Moves:
    """The discriminator's loss on both kinds of pairs, then that of encoder and generator."""
    encoder, generator, judge = nets["encoder"], nets["generator"], nets["discriminator"]
    x, z = batch.unlabelled, generator.latent(len(batch.unlabelled))
    code, fake = encoder(x).latent, generator(z)
    yield {"discriminator": losses.discriminator(*_ask(judge, x, code.detach(), fake.detach(), z))}
    on_encoded, on_generated = _ask(judge, x, code, fake, z)
    yield {"encoder and generator": losses.discriminator(on_generated, on_encoded)}


def _ask(judge: nn.Module, x: Tensor, code: Tensor, fake: Tensor, z: Tensor) -> tuple[Tensor, ...]:
    """The logits on (x, code) and on (fake, z), from one batch."""
    output = judge(images=torch.cat([x, fake]), latent=torch.cat([code, z]))
    return tuple(output.class_logits[:, 0].split(len(x)))


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(4, 2, seed=3))

    def forward(self, images: Tensor) -> EncoderOutput:
        return EncoderOutput(latent := images @ self.weight, latent)


class _Generator(nn.Module):
    """Remembers the latents that it has drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.drawn = nn.Parameter(normal(2, 4, seed=4)), list[Tensor]()

    def latent(self, n: int) -> Tensor:
        self.drawn.append(normal(n, 2, seed=5 + len(self.drawn)))
        return self.drawn[-1]

    def forward(self, latent: Tensor) -> Tensor:
        return latent @ self.weight

    def sample(self, n: int) -> Tensor:
        return self(self.latent(n))


class _Judge(nn.Module):
    """Judges pairs, and remembers how many came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.of_images, self.of_latents = (nn.Parameter(normal(*shape, seed=8)) for shape in ((4, 3), (2, 3)))
        self.classes, self.sizes = nn.Parameter(normal(3, 1, seed=9)), list[int]()

    def forward(self, *, images: Tensor, latent: Tensor) -> DiscriminatorOutput:
        self.sizes.append(len(images))
        features = (images @ self.of_images + latent @ self.of_latents).tanh()
        return DiscriminatorOutput(features @ self.classes, features)


@checker(
    "bigan.moves",
    hints=(
        "make E(x), z and G(z) once, at the beginning; then join images with images and latents with latents",
        "the second move asks the discriminator again, about the same pairs, and this time nothing is detached",
    ),
)
def _moves(answer: Callable[[Nets, Batch], Any]) -> str | None:
    nets: Nets = nn.ModuleDict({"encoder": _Encoder(), "generator": _Generator(), "discriminator": _Judge()})
    images = normal(6, 4, seed=7)
    batch = Batch(images[:1], torch.tensor([0]), images, None)
    playing = answer(nets, batch)
    encoder, generator, judge = (nets[name] for name in ("encoder", "generator", "discriminator"))
    result, sizes = next_move(playing, "first"), tuple(judge.sizes)
    if complaint := _off(result, nets, batch, "first"):
        return complaint
    to_judge, *to_others = gradients(result, judge.of_images, encoder.weight, generator.weight)
    if not to_judge:
        return "the value of the first move is right, but no gradient reaches the discriminator"
    if any(to_others):
        return "the first move is D's alone, but it sends a gradient into encoder or generator; detach E(x) and G(z)"
    before = _rights(nets, batch, side=-1)
    descend(result, list(judge.parameters()))
    judge.sizes.clear()
    result, sizes_then = next_move(playing, "second"), tuple(judge.sizes)
    if complaint := _off(result, nets, batch, "second"):
        is_old = any(torch.allclose(result.detach(), value) for value in before)
        return "the second move uses what D said before its step; ask D again" if is_old else complaint
    if sizes != sizes_then:
        return "D judges both kinds in one batch in one move and apart in the other; batch norm would show the kind"
    try:
        reaches = gradients(result, encoder.weight, generator.weight)
    except RuntimeError:  # autograd's, of what was computed before the discriminator's step
        return "the second move uses what was computed before the discriminator's step; ask D again"
    lacking = [name for name, is_reached in zip(("encoder", "generator"), reaches, strict=True) if not is_reached]
    return f"the second move sends no gradient into the {lacking[0]}; they move together" if lacking else None


def _terms(nets: Nets, x: Tensor, code: Tensor, fake: Tensor, z: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """The terms of encoded and of generated pairs in D's loss (side 1) or in that of encoder and generator (−1)."""
    encoded, generated = _ask(nets["discriminator"], x, code, fake, z)
    return F.softplus(-side * encoded).mean().detach(), F.softplus(side * generated).mean().detach()


def _rights(nets: Nets, batch: Batch, side: int) -> list[Tensor]:
    """What a move may add up to: a value for each time that as many latents as real images were drawn."""
    x, generator = batch.unlabelled, nets["generator"]
    drawn, code = [z for z in generator.drawn if len(z) == len(x)], nets["encoder"](x).latent
    return [torch.stack(_terms(nets, x, code, generator(z), z, side)).sum() for z in drawn]


def _off(result: Tensor, nets: Nets, batch: Batch, which: str) -> str | None:
    """What is wrong with the value of a move, whichever of the drawn latents it uses."""
    x, side, code = batch.unlabelled, 1 if which == "first" else -1, nets["encoder"](batch.unlabelled).latent
    rights, others = (_rights(nets, batch, each) for each in (side, -side))
    if not rights:
        return f"the {which} move needs as many latents as real images: `latent({len(x)})` of the generator"
    drawn = [z for z in nets["generator"].drawn if len(z) == len(x)]
    kept = [(nets["generator"](z), z) for z in drawn]
    alone = [_terms(nets, x, code, fake, z, side) for fake, z in kept]
    mistakes: dict[str, list[Any]] = {
        f"the labels of the {which} move are the wrong way round": others,
        f"the {which} move is minus the other side's loss; swap the labels instead": [-value for value in others],
        f"the {which} move takes one mean over both kinds; add a mean for each": [value / 2 for value in rights],
        f"encoded pairs are missing in the {which} move": [on_generated for _, on_generated in alone],
        f"generated pairs are missing in the {which} move": [on_encoded for on_encoded, _ in alone],
        f"the {which} move crosses its pairs: E(x) belongs beside x, and z beside G(z)": [
            sum(_terms(nets, x, z, fake, code, side)) for fake, z in kept
        ],
        f"the {which} move has G(z) beside another z than the one it was made of": [
            sum(_terms(nets, x, code, fake, z, side)) for fake, _ in kept for z in drawn
        ],
    }

    def is_among(values: Iterable[Any]) -> bool:
        return any(torch.allclose(result.detach(), value) for value in values)

    if is_among(rights):
        return None
    otherwise = f"the {which} move adds up to {result:.4f}; a mean for each kind of pair gives {rights[-1]:.4f}"
    return next((words for words, values in mistakes.items() if is_among(values)), otherwise)
