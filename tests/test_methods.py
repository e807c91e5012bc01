"""Methods: their terms against probabilities written out, and which weights each player moves."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from sgan_lib import models, training
from sgan_lib.data import Batch
from sgan_lib.methods import METHODS, Weights

SHAPES = {
    "mlp": (1, 28, 28),
    "mlp_digits": (1, 8, 8),
    "mlp_2d": (2,),
    "dcgan": (1, 28, 28),
    "upsample": (1, 32, 32),
    "cnn": (1, 8, 8),
}
K = 4
PAIRS = [
    (method, network)
    for method in METHODS
    for network in SHAPES
    if network != "cnn" or METHODS[method].generator_terms is None
]
every_pair = pytest.mark.parametrize(("method", "network"), PAIRS)


@pytest.fixture(autouse=True)
def _same_numbers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(torch.float32)


def make(method, network):
    """The modules of a method, and a batch of 6 labelled and 10 unlabelled images."""
    shape = SHAPES[network]
    networks = models.build(network, shape, K if METHODS[method].classifies else 1)
    batch = Batch(torch.rand(6, *shape) * 2 - 1, torch.randint(0, K, (6,)), torch.rand(10, *shape) * 2 - 1)
    return METHODS[method].modules(networks), batch


def test_every_network_is_tested_here():
    assert set(SHAPES) == set(models.NETWORKS)


@every_pair
def test_every_trained_weight_gets_a_gradient(method, network):
    modules, batch = make(method, network)
    terms_of = {"discriminator": METHODS[method].discriminator_terms, "generator": METHODS[method].generator_terms}
    for player, terms in terms_of.items():
        if terms is None:
            continue
        modules.zero_grad()
        sum(terms(modules, batch, Weights()).values()).backward()
        own = [
            (name, p)
            for name, p in modules.named_parameters()
            if name.startswith("generator") == (player == "generator")
        ]
        without = [name for name, p in own if p.requires_grad and (p.grad is None or not p.grad.any())]
        assert own
        assert without == []


# --- the terms, from probabilities


def spelt_out(method, modules, batch, fake, adversarial):
    """The terms of both players from the definitions: explicit probabilities, images passed one part at a time."""
    parts = {"labelled": batch.images, "real": batch.unlabelled, "fake": fake}
    output = {name: modules["discriminator"](images) for name, images in parts.items()}
    rows = torch.arange(len(batch.labels))
    if method == "gan":
        p_real = {name: torch.sigmoid(one.class_logits[:, 0]) for name, one in output.items()}
    elif method == "two_head":
        head = modules["real_head"].logit
        p_real = {name: torch.sigmoid(one.features @ head.weight[0] + head.bias) for name, one in output.items()}
    else:
        n_plus_1 = {n: F.softmax(F.pad(one.class_logits, (0, 1)), dim=1) for n, one in output.items()}
        p_real = {name: 1 - p[:, -1] for name, p in n_plus_1.items()}
    p_class = F.softmax(output["labelled"].class_logits, dim=1)
    supervised = {} if method == "gan" else {"supervised": -p_class[rows, batch.labels % p_class.shape[1]].log().mean()}
    if method == "supervised":
        return supervised, None
    weight = 1 if method == "gan" else adversarial
    game = {"adversarial": -weight * (p_real["real"].log().mean() + (1 - p_real["fake"]).log().mean())}
    if method == "feature_matching":
        distance = output["real"].features.mean(dim=0) - output["fake"].features.mean(dim=0)
        return supervised | game, {"feature_matching": (distance**2).mean()}
    return supervised | game, {"generator": -p_real["fake"].log().mean()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adversarial", [0.5, 2.0])
def test_the_terms_are_those_of_the_definition(method, adversarial):
    torch.set_default_dtype(torch.float64)
    modules, batch = make(method, "mlp_digits")
    modules.eval()  # no noise, so that the same images give the same logits
    weights, row = Weights(adversarial=adversarial), METHODS[method]
    found = []
    for terms in (row.discriminator_terms, row.generator_terms):
        torch.manual_seed(5)  # for the latents
        found.append(terms(modules, batch, weights) if terms else None)
    torch.manual_seed(5)
    fake = modules["generator"].sample(10) if "generator" in modules else batch.unlabelled
    for one, other in zip(found, spelt_out(method, modules, batch, fake, adversarial), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def test_feature_matching_takes_the_norm_that_is_asked_for():
    modules, batch = make("feature_matching", "mlp_digits")
    modules.eval()
    found = {}
    for norm in ("l1", "l2"):
        torch.manual_seed(5)
        found[norm] = METHODS["feature_matching"].generator_terms(modules, batch, Weights(feature_norm=norm))
    assert found["l1"]["feature_matching"] > found["l2"]["feature_matching"] > 0  # the differences are below 1


@pytest.mark.parametrize(("method", "sizes"), [("sgan", [26]), ("two_head", [26]), ("gan", [20]), ("supervised", [6])])
def test_real_and_fake_pass_the_discriminator_together(method, sizes):
    """6 labelled, 10 unlabelled, 10 generated images in one pass; the plain GAN is not shown the labelled ones."""
    modules, batch = make(method, "mlp_digits")
    seen = []
    modules["discriminator"].register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    METHODS[method].discriminator_terms(modules, batch, Weights())
    assert seen == sizes


# --- who moves


def weights_of(modules):
    return {name: parameter.detach().clone() for name, parameter in modules.named_parameters()}


def moved(before, after):
    """The players whose weights differ."""
    return {
        "generator" if n.startswith("generator") else "discriminator" for n in before if not before[n].equal(after[n])
    }


@every_pair
def test_each_player_moves_its_own_weights_only(method, network):
    """Weights are recorded whenever a player is asked for its terms: between two such moments one player has moved."""
    modules, batch = make(method, network)
    snapshots = []

    def player(name, terms):
        def objective(modules, batch):
            snapshots.append(weights_of(modules))
            return terms(modules, batch, Weights())

        own = [
            p
            for n, p in modules.named_parameters()
            if p.requires_grad and n.startswith("generator") == (name == "generator")
        ]
        return training.Player(objective, torch.optim.Adam(own, lr=0.01), 0.01)

    row = METHODS[method]
    sides = {"discriminator": row.discriminator_terms, "generator": row.generator_terms}
    players = {name: player(name, terms) for name, terms in sides.items() if terms}
    state = training.TrainingState(modules, players, training.average_of(modules, 0.9))
    training.training_step(state, batch)
    snapshots.append(weights_of(modules))
    assert [moved(a, b) for a, b in pairwise(snapshots)] == [{name} for name in players]


def test_frozen_scales_stay_frozen_through_a_step():
    modules, batch = make("feature_matching", "mlp_digits")
    row, scale = METHODS["feature_matching"], "discriminator.hidden.0.parametrizations.weight.original0"
    before = weights_of(modules)[scale]
    players = {}
    for name, terms in (("discriminator", row.discriminator_terms), ("generator", row.generator_terms)):
        own = [p for p in modules[name].parameters() if p.requires_grad]
        objective = lambda modules, batch, terms=terms: terms(modules, batch, Weights())  # noqa: E731
        players[name] = training.Player(objective, torch.optim.SGD(own, lr=0.1), 0.1)
    state = training.TrainingState(modules, players, training.average_of(modules, 0.9))
    for _ in range(2):
        training.training_step(state, batch)
    assert weights_of(modules)[scale].equal(before)


# --- what a method needs


def test_the_plain_gan_has_one_logit_and_classifies_nothing():
    modules, _ = make("gan", "mlp_digits")
    assert [name for name in METHODS if not METHODS[name].classifies] == ["gan"]
    assert modules["discriminator"].classes.out_features == 1


def test_each_method_has_the_networks_that_it_needs():
    found = {name: set(make(name, "mlp_digits")[0]) for name in METHODS}
    pair = {"discriminator", "generator"}
    assert found == {
        "supervised": {"discriminator"},
        "gan": pair,
        "sgan": pair,
        "two_head": {*pair, "real_head"},
        "feature_matching": pair,
    }


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].generator_terms])
def test_a_network_without_generator_is_refused(method):
    with pytest.raises(ValueError, match=f"method '{method}' needs a network with a generator; 'cnn' has none"):
        METHODS[method].modules(models.build("cnn", (1, 8, 8), 3))
