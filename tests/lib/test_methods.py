"""Methods: their terms against probabilities written out, and which weights each player moves."""

from dataclasses import replace
from itertools import pairwise, permutations

import pytest
import torch
import torch.nn.functional as F

from sgan_lib import experiments, networks, training
from sgan_lib.data import Batch
from sgan_lib.methods import METHODS

K = 4
SETTINGS = experiments.resolve(
    "sgan", "digits", adversarial_weight=2.0, entropy_weight=0.2, pull_away_weight=0.7, asked_class_weight=0.4,
    fake_class_weight=0.6, pseudo_label_weight=0.3, consistency_weight=0.3, confidence=0.0)  # fmt: skip
pytestmark = pytest.mark.usefixtures("same_numbers")


def small_network(method):
    """A network for 8×8 digits that the method can use."""
    return "bigan_digits" if METHODS[method].encoder else "mlp_digits"


def make(method, network):
    """The networks of a method, and a batch of 6 labelled images, 10 unlabelled ones, their strong views, 10 others."""
    nets = networks.build(network, (1, 8, 8), K if METHODS[method].classifies else 1)
    n_features = 0 if METHODS[method].encoder else nets.discriminator(torch.zeros(2, 1, 8, 8)).features.shape[1]
    labelled, unlabelled, strong, again = (torch.rand(n, 1, 8, 8) * 2 - 1 for n in (6, 10, 10, 10))
    batch = Batch(labelled, torch.randint(0, K, (6,)), unlabelled, None, strong, again)
    return METHODS[method].modules(nets, K, n_features), batch


# --- who moves


def player_of(name):
    """Who moves the weight of that name: encoder and generator move together."""
    return "generator" if name.startswith(("generator", "encoder")) else "discriminator"


def weights_of(nets):
    return {name: weight.detach().clone() for name, weight in nets.named_parameters()}


@pytest.mark.parametrize(
    ("method", "network", "halves"),
    [(method, small_network(method), halves) for method in METHODS for halves in (False, True)]
    + [("consistency", "cnn", True)],  # where autocast, in older torch, remembers weights from a pass without gradient
)  # fmt: skip
def test_each_player_moves_all_of_its_weights_and_no_other(method, network, halves):
    nets, batch = make(method, network)
    trained = {name for name, weight in nets.named_parameters() if weight.requires_grad}
    snapshots = []

    def play(nets, batch):
        for terms in METHODS[method].play(nets, batch, SETTINGS):
            snapshots.append(weights_of(nets))
            yield terms

    sides = ["discriminator", "generator"] if METHODS[method].generator else ["discriminator"]
    own = {side: [net for name, net in nets.items() if player_of(name) == side] for side in sides}
    players = {side: experiments.player(own[side], 0.01, SETTINGS) for side in sides}
    state = training.TrainingState(nets, players, training.average_of(nets, 0.9), play)
    if halves:
        state.autocast = lambda: torch.autocast("cpu", torch.bfloat16)
    terms = training.training_step(state, batch)
    snapshots.append(weights_of(nets))
    moved = [{name for name in old if not old[name].equal(new[name])} for old, new in pairwise(snapshots)]
    assert moved == [{name for name in trained if player_of(name) == side} for side in sides]
    in_halves = {name for name, term in terms.items() if term.dtype != torch.float32}
    assert in_halves <= {"pull_away"}  # a product of matrices


# --- the terms, from probabilities


def half_sure(nets, images):
    """A confidence that the network reaches on half of the images."""
    with torch.no_grad():
        return F.softmax(nets["discriminator"](images).class_logits, dim=1).amax(dim=1).sort().values[4:6].mean().item()


def spelt_out(method, nets, batch, seed, s):
    """The terms of both players from the definitions: explicit probabilities, images passed one part at a time."""
    torch.manual_seed(seed)
    if method == "bigan":
        return spelt_out_bigan(nets, batch)
    fake = asked = batch.unlabelled  # a stand-in where nothing is generated
    if "generator" in nets:
        asked = nets["generator"].draw_classes(10)
        fake = nets["generator"].sample(10, classes=asked)

    def p_real(output):
        if method == "two_head":
            return torch.sigmoid(output.features @ nets["real_head"].logit.weight[0] + nets["real_head"].logit.bias)
        return 1 - F.softmax(F.pad(output.class_logits, (0, 1)), dim=1)[:, -1]

    def cross_entropy(output, labels):
        return -F.softmax(output.class_logits, dim=1)[torch.arange(len(labels)), labels].log().mean()

    labelled, real, generated = map(nets["discriminator"], (batch.images, batch.unlabelled, fake))
    adversarial = -p_real(real).log().mean() - (1 - p_real(generated)).log().mean()
    generator = {"generator": -p_real(generated).log().mean()}
    if method == "gan":
        return {"adversarial": adversarial}, generator
    supervised = {"supervised": cross_entropy(labelled, batch.labels)}
    game = supervised | {"adversarial": s.adversarial_weight * adversarial}
    difference = real.features.mean(dim=0) - generated.features.mean(dim=0)
    matching = {"feature_matching": (difference.abs() if s.feature_norm == "l1" else difference**2).mean()}
    if method == "bad_gan":
        p = F.softmax(real.class_logits, dim=1)
        cosines = [F.cosine_similarity(a, b, dim=0) for a, b in permutations(generated.features, 2)]
        entropy = {"entropy": -s.entropy_weight * (p * p.log()).sum(dim=1).mean()}
        return game | entropy, matching | {"pull_away": s.pull_away_weight * torch.stack(cosines).square().mean()}
    if method in ("pseudo_label", "consistency"):
        q = F.softmax(real.class_logits, dim=1)
        p = F.softmax(nets["discriminator"](batch.strong).class_logits, dim=1) if method == "consistency" else q
        sure = [-p[i, q[i].argmax()].log() for i in range(10) if q[i].max() >= s.confidence]
        assert len(sure) == 5
        return (supervised | {method: 0.3 * sum(sure) / 10},)
    if method == "conditional_sgan":
        wrong = cross_entropy(generated, asked)
        game |= {"fake_class": s.fake_class_weight * wrong}
        return game, generator | {"asked_class": s.asked_class_weight * wrong}
    return {"supervised": (supervised,), "feature_matching": (game, matching)}.get(method, (game, generator))


def spelt_out_bigan(nets, batch):
    """BiGAN's terms from the probability that a pair is (x, E(x)), a pair at a time."""
    latent, judge = nets["generator"].latent(10), nets["discriminator"]
    on_encoded = [judge(images=x, latent=nets["encoder"](x).latent) for x in batch.unlabelled.split(1)]
    on_generated = [judge(images=nets["generator"](z), latent=z) for z in latent.split(1)]
    p, q = (torch.cat([each.class_logits[:, 0] for each in judged]).sigmoid() for judged in (on_encoded, on_generated))
    adversarial = {"adversarial": -p.log().mean() - (1 - q).log().mean()}
    return adversarial, {"generator": -(1 - p).log().mean() - q.log().mean()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("mixed", "reuse", "norm"), [(False, True, "l2"), (True, True, "l1"), (False, False, "l2")])
def test_the_terms_are_those_of_the_definition(method, mixed, reuse, norm):
    """With a label mask those of the labelled images alone; without reuse the generator's on images of its own."""
    torch.set_default_dtype(torch.float64)
    nets, batch = make(method, small_network(method))
    nets.eval()  # no noise, so that the same images give the same logits
    confidence = half_sure(nets, batch.unlabelled) if METHODS[method].classifies else 0.5
    settings = replace(SETTINGS, reuse=reuse, feature_norm=norm, confidence=confidence)
    plain = batch
    if mixed:
        mask = torch.arange(10) % 2 == 0
        labels = torch.randint(0, K, (10,))
        plain = batch._replace(images=batch.unlabelled[mask], labels=labels[mask])
        batch = batch._replace(images=batch.unlabelled, labels=labels * mask, mask=mask)
    moves = METHODS[method].play(nets, batch, settings)
    terms = []
    for seed in (5, 6)[: 1 + METHODS[method].generator]:
        torch.manual_seed(seed)  # for latents and classes
        terms.append(next(moves))
    wanted = list(spelt_out(method, nets, plain, 5, settings))
    if METHODS[method].generator and not reuse:
        wanted[1] = spelt_out(method, nets, plain._replace(unlabelled=plain.again), 6, settings)[1]
    torch.testing.assert_close(terms, wanted)
    assert list(moves) == []


def test_consistency_needs_a_strong_view():
    nets, batch = make("consistency", "mlp_digits")
    with pytest.raises(ValueError, match=r"^batch\.strong must hold .*; got None"):
        next(METHODS["consistency"].play(nets, batch._replace(strong=None), SETTINGS))
