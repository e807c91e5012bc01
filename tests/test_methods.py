"""Methods: their terms against probabilities written out, and which weights each player moves."""

from itertools import pairwise, permutations

import pytest
import torch
import torch.nn.functional as F

from sgan_lib import models, training
from sgan_lib.data import Batch
from sgan_lib.methods import METHODS, Seen, Weights

SHAPES = {
    "mlp": (1, 28, 28),
    "mlp_small": (1, 28, 28),
    "mlp_digits": (1, 8, 8),
    "mlp_2d": (2,),
    "dcgan": (1, 28, 28),
    "upsample": (1, 32, 32),
    "svhn": (3, 16, 16),
    "svhn_small": (1, 28, 28),
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
        sum(terms(modules, batch, Weights(), Seen()).values()).backward()
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
    if method in ("feature_matching", "bad_gan"):
        distance = output["real"].features.mean(dim=0) - output["fake"].features.mean(dim=0)
        matching = {"feature_matching": (distance**2).mean()}
        if method == "feature_matching":
            return supervised | game, matching
        p = F.softmax(output["real"].class_logits, dim=1)
        cosines = [F.cosine_similarity(a, b, dim=0) for a, b in permutations(output["fake"].features, 2)]
        entropy = {"entropy": -0.2 * (p * p.log()).sum(dim=1).mean()}
        return supervised | game | entropy, matching | {"pull_away": 0.7 * torch.stack(cosines).square().mean()}
    return supervised | game, {"generator": -p_real["fake"].log().mean()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adversarial", [0.5, 2.0])
def test_the_terms_are_those_of_the_definition(method, adversarial):
    torch.set_default_dtype(torch.float64)
    modules, batch = make(method, "mlp_digits")
    modules.eval()  # no noise, so that the same images give the same logits
    weights, row = Weights(adversarial, conditional_entropy=0.2, pull_away=0.7), METHODS[method]
    found = []
    for terms in (row.discriminator_terms, row.generator_terms):
        torch.manual_seed(5)  # for the latents
        found.append(terms(modules, batch, weights, Seen()) if terms else None)
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
        found[norm] = METHODS["feature_matching"].generator_terms(modules, batch, Weights(feature_norm=norm), Seen())
    assert found["l1"]["feature_matching"] > found["l2"]["feature_matching"] > 0  # the differences are below 1


@pytest.mark.parametrize(("method", "sizes"), [("sgan", [26]), ("two_head", [26]), ("gan", [20]), ("supervised", [6])])
def test_real_and_fake_pass_the_discriminator_together(method, sizes):
    """6 labelled, 10 unlabelled, 10 generated images in one pass; the plain GAN is not shown the labelled ones."""
    modules, batch = make(method, "mlp_digits")
    seen = []
    modules["discriminator"].register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    METHODS[method].discriminator_terms(modules, batch, Weights(), Seen())
    assert seen == sizes


# --- who moves


def weights_of(modules):
    return {name: parameter.detach().clone() for name, parameter in modules.named_parameters()}


def moved(before, after):
    """The players whose weights differ."""
    return {
        "generator" if n.startswith("generator") else "discriminator" for n in before if not before[n].equal(after[n])
    }


def own_weights(modules, player):
    return [
        p
        for n, p in modules.named_parameters()
        if p.requires_grad and n.startswith("generator") == (player == "generator")
    ]


def playing(objectives, modules, rates=None):
    """A state whose players descend these objectives by plain gradient steps."""
    players = {}
    for name, objective in objectives.items():
        rate = rates[name] if rates else 0.1
        players[name] = training.Player(objective, torch.optim.SGD(own_weights(modules, name), lr=rate), rate)
    return training.TrainingState(modules, players, training.average_of(modules, 0.9))


@every_pair
def test_each_player_moves_its_own_weights_only(method, network):
    """Weights are recorded whenever a player is asked for its terms: between two such moments one player has moved."""
    modules, batch = make(method, network)
    snapshots = []

    def player(name, objective):
        def spying(modules, batch):
            snapshots.append(weights_of(modules))
            return objective(modules, batch)

        return training.Player(spying, torch.optim.Adam(own_weights(modules, name), lr=0.01), 0.01)

    objectives = METHODS[method].objectives(Weights())
    players = {name: player(name, objective) for name, objective in objectives.items()}
    state = training.TrainingState(modules, players, training.average_of(modules, 0.9))
    training.training_step(state, batch)
    snapshots.append(weights_of(modules))
    assert [moved(a, b) for a, b in pairwise(snapshots)] == [{name} for name in players]


def test_frozen_scales_stay_frozen_through_a_step():
    modules, batch = make("feature_matching", "mlp_digits")
    scale = "discriminator.hidden.0.parametrizations.weight.original0"
    before = weights_of(modules)[scale]
    state = playing(METHODS["feature_matching"].objectives(Weights()), modules)
    for _ in range(2):
        training.training_step(state, batch)
    assert weights_of(modules)[scale].equal(before)


# --- the fast step


def test_a_mixed_batch_is_the_plain_one_with_its_labelled_images_taken_by_the_mask():
    """Labels behind the mask do not count; every image of the batch is unlabelled too."""
    torch.set_default_dtype(torch.float64)
    modules, _ = make("sgan", "mlp_digits")
    modules.eval()
    images, labels = torch.rand(10, 1, 8, 8) * 2 - 1, torch.randint(0, K, (10,))
    mask = torch.tensor([True, False] * 5)
    found = []
    for batch in (Batch(images, labels * mask, images, mask), Batch(images[mask], labels[mask], images)):
        torch.manual_seed(5)
        found.append(METHODS["sgan"].discriminator_terms(modules, batch, Weights(), Seen()))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_without_a_label_teaches_no_class(method):
    modules, batch = make(method, "mlp_digits")
    batch = Batch(batch.unlabelled, torch.zeros(10, dtype=torch.long), batch.unlabelled, torch.zeros(10).bool())
    terms = METHODS[method].discriminator_terms(modules, batch, Weights(), Seen())
    assert all(term.isfinite() for term in terms.values())
    assert terms.get("supervised", torch.tensor(0.0)) == 0


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].generator_terms])
def test_the_fast_step_is_the_plain_one(method):
    """What the generator takes over from the discriminator's move is what it would compute itself.

    So that nothing but rounding may differ, the discriminator stands still (rate 0), there is no noise, and the plain
    generator draws the same latents.
    """
    torch.set_default_dtype(torch.float64)
    after = []
    for is_fast in (True, False):
        torch.manual_seed(0)
        modules, batch = make(method, "mlp_digits")
        modules["discriminator"].eval()
        objectives = METHODS[method].objectives(Weights())
        if not is_fast:
            for name in objectives:
                terms = getattr(METHODS[method], f"{name}_terms")
                objectives[name] = lambda m, b, terms=terms: torch.manual_seed(5) and terms(m, b, Weights(), Seen())
        state = playing(objectives, modules, rates={"discriminator": 0.0, "generator": 0.1})
        torch.manual_seed(5)
        training.training_step(state, batch)
        after.append(weights_of(modules))
    torch.testing.assert_close(*after)


def test_the_generator_reuses_the_images_and_features_of_its_own_step():
    """Two passes of the discriminator and one of the generator a step; nothing is kept for the next one."""
    modules, batch = make("feature_matching", "mlp_digits")
    passes = []
    for name, module in modules.items():
        module.register_forward_hook(lambda _, inputs, output, name=name: passes.append((name, len(inputs[0]))))
    state = playing(METHODS["feature_matching"].objectives(Weights()), modules)
    for _ in range(2):
        training.training_step(state, batch)
    assert passes == 2 * [("generator", 10), ("discriminator", 26), ("discriminator", 10)]


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
        "bad_gan": pair,
    }


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].generator_terms])
def test_a_network_without_generator_is_refused(method):
    with pytest.raises(ValueError, match=f"method '{method}' needs a network with a generator; 'cnn' has none"):
        METHODS[method].modules(models.build("cnn", (1, 8, 8), 3))
