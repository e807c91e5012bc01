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
    "mlp_published": (1, 28, 28),
    "mlp_small": (1, 28, 28),
    "mlp_digits": (1, 8, 8),
    "mlp_2d": (2,),
    "dcgan": (1, 28, 28),
    "upsample": (1, 32, 32),
    "svhn": (3, 16, 16),
    "svhn_small": (1, 28, 28),
    "cnn": (1, 8, 8),
    "bigan_mlp": (1, 28, 28),
    "bigan_mlp_small": (1, 28, 28),
    "bigan_digits": (1, 8, 8),
    "bigan_conv": (1, 28, 28),
}
K = 4
PAIRS = [
    (method, network)
    for method in METHODS
    for network in SHAPES
    if METHODS[method].encoder == network.startswith("bigan")
    and (network != "cnn" or METHODS[method].generator_terms is None)
]
every_pair = pytest.mark.parametrize(("method", "network"), PAIRS)


@pytest.fixture(autouse=True)
def _same_numbers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(torch.float32)


def make(method, network):
    """The modules of a method, and a batch of 6 labelled and 10 unlabelled images and another view of these."""
    shape = SHAPES[network]
    networks = models.build(network, shape, K if METHODS[method].classifies else 1)
    labelled, unlabelled, strong = (torch.rand(n, *shape) * 2 - 1 for n in (6, 10, 10))
    batch = Batch(labelled, torch.randint(0, K, (6,)), unlabelled, strong=strong)
    return METHODS[method].modules(networks), batch


def small_network(method):
    """Networks for 8×8 digits that the method can use."""
    return "bigan_digits" if METHODS[method].encoder else "mlp_digits"


def player_of(name):
    """Who moves the weight of that name: encoder and generator move together."""
    return "generator" if name.startswith(("generator", "encoder")) else "discriminator"


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
        sum(terms(modules, batch, Weights(confidence=0.0), Seen()).values()).backward()
        own = [(name, p) for name, p in modules.named_parameters() if player_of(name) == player]
        without = [name for name, p in own if p.requires_grad and (p.grad is None or not p.grad.any())]
        assert own
        assert without == []


# --- the terms, from probabilities


def half_sure(modules, batch):
    """A confidence that the network, without noise, reaches on half of the unlabelled images."""
    with torch.no_grad():
        logits = modules["discriminator"].eval()(batch.unlabelled).class_logits
    return F.softmax(logits, dim=1).amax(dim=1).sort().values[4:6].mean().item()


def spelt_out_bigan(modules, batch):
    """BiGAN's terms from the probability that a pair is (x, E(x)), a pair at a time."""
    latent = modules["generator"].latent(10)
    judge = modules["discriminator"]
    on_encoded, on_generated = [], []
    for x, z in zip(batch.unlabelled.split(1), latent.split(1), strict=True):
        on_encoded.append(judge(images=x, latent=modules["encoder"](x).latent).class_logits[0, 0].sigmoid())
        on_generated.append(judge(images=modules["generator"](z), latent=z).class_logits[0, 0].sigmoid())
    p, q = torch.stack(on_encoded), torch.stack(on_generated)
    adversarial = {"adversarial": -p.log().mean() - (1 - q).log().mean()}
    return adversarial, {"generator": -(1 - p).log().mean() - q.log().mean()}


def spelt_out(method, modules, batch, fake, asked, adversarial, confidence):
    """The terms of both players from the definitions: explicit probabilities, images passed one part at a time."""
    if method == "bigan":
        return spelt_out_bigan(modules, batch)
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
    if method in ("pseudo_label", "consistency"):
        judged, learned = batch.unlabelled, batch.unlabelled if method == "pseudo_label" else batch.strong
        q, p = (F.softmax(modules["discriminator"](images).class_logits, dim=1) for images in (judged, learned))
        sure = [-one[other.argmax()].log() for one, other in zip(p, q, strict=True) if other.max() >= confidence]
        assert len(sure) == 5
        return supervised | {method: 0.3 * sum(sure) / 10}, None
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
    generator = {"generator": -p_real["fake"].log().mean()}
    if method == "conditional_sgan":
        p_asked = F.softmax(output["fake"].class_logits, dim=1)[torch.arange(len(asked)), asked]
        taught = {"fake_class": -0.6 * p_asked.log().mean()}
        return supervised | game | taught, generator | {"asked_class": -0.4 * p_asked.log().mean()}
    return supervised | game, generator


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adversarial", [0.5, 2.0])
def test_the_terms_are_those_of_the_definition(method, adversarial):
    torch.set_default_dtype(torch.float64)
    modules, batch = make(method, small_network(method))
    modules.eval()  # no noise, so that the same images give the same logits
    row = METHODS[method]
    confidence = half_sure(modules, batch) if row.classifies else 0.5
    given = {"conditional_entropy": 0.2, "pull_away": 0.7, "pseudo_label": 0.3, "consistency": 0.3,
             "asked_class": 0.4, "fake_class": 0.6}  # fmt: skip
    weights = Weights(adversarial, **given, confidence=confidence)
    found = []
    for terms in (row.discriminator_terms, row.generator_terms):
        torch.manual_seed(5)  # for the latents
        found.append(terms(modules, batch, weights, Seen()) if terms else None)
    torch.manual_seed(5)
    with torch.random.fork_rng():
        asked = modules["generator"].draw_classes(10) if "generator" in modules else None
        fake = modules["generator"].sample(10, classes=asked) if "generator" in modules else batch.unlabelled
    for one, other in zip(found, spelt_out(method, modules, batch, fake, asked, adversarial, confidence), strict=True):
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


@pytest.mark.parametrize(
    ("method", "sizes"),
    [("sgan", [26]), ("two_head", [26]), ("gan", [20]), ("supervised", [6]), ("pseudo_label", [16]),
     ("consistency", [16, 10])],
)  # fmt: skip
def test_images_pass_the_discriminator_together(method, sizes):
    """6 labelled, 10 unlabelled, 10 generated images in one pass; the plain GAN is not shown the labelled ones.

    Consistency's second pass is the weakly augmented view, which needs no gradient.
    """
    modules, batch = make(method, "mlp_digits")
    seen = []
    modules["discriminator"].register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    METHODS[method].discriminator_terms(modules, batch, Weights(), Seen())
    assert seen == sizes


def test_the_conditional_generator_minimises_the_cross_entropy_of_the_asked_class_over_n_plus_1_classes():
    modules, batch = make("conditional_sgan", "mlp_digits")
    modules.eval()
    seen = Seen()
    terms = METHODS["conditional_sgan"].generator_terms(modules, batch, Weights(asked_class=1.0), seen)
    logits = modules["discriminator"](seen.fake).class_logits
    over_all = F.cross_entropy(F.pad(logits, (0, 1)), seen.asked)
    torch.testing.assert_close(sum(terms.values()), over_all)


def test_only_the_conditional_generator_takes_classes():
    with_generator = [name for name in METHODS if METHODS[name].generator_terms]
    generators = {name: make(name, small_network(name))[0]["generator"] for name in with_generator}
    assert {name for name, generator in generators.items() if generator.classes} == {"conditional_sgan"}
    assert generators["conditional_sgan"].classes.num_embeddings == K


# --- who moves


def weights_of(modules):
    return {name: parameter.detach().clone() for name, parameter in modules.named_parameters()}


def moved(before, after):
    """The players whose weights differ."""
    return {player_of(n) for n in before if not before[n].equal(after[n])}


def own_weights(modules, player):
    return [p for n, p in modules.named_parameters() if p.requires_grad and player_of(n) == player]


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


@pytest.mark.parametrize("method", ["sgan", "pseudo_label", "consistency"])
def test_a_mixed_batch_is_the_plain_one_with_its_labelled_images_taken_by_the_mask(method):
    """Labels behind the mask do not count; every image of the batch is unlabelled too."""
    torch.set_default_dtype(torch.float64)
    modules, whole = make(method, "mlp_digits")
    confidence = half_sure(modules.eval(), whole)
    images, labels, strong = whole.unlabelled, torch.randint(0, K, (10,)), whole.strong
    mask = torch.tensor([True, False] * 5)
    found = []
    mixed = Batch(images, labels * mask, images, mask, strong)
    for batch in (mixed, Batch(images[mask], labels[mask], images, strong=strong)):
        torch.manual_seed(5)
        found.append(METHODS[method].discriminator_terms(modules, batch, Weights(confidence=confidence), Seen()))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_without_a_label_teaches_no_class(method):
    modules, batch = make(method, small_network(method))
    labels, mask = torch.zeros(10, dtype=torch.long), torch.zeros(10, dtype=torch.bool)
    batch = batch._replace(images=batch.unlabelled, labels=labels, mask=mask)
    terms = METHODS[method].discriminator_terms(modules, batch, Weights(), Seen())
    assert all(term.isfinite() for term in terms.values())
    assert terms.get("supervised", torch.tensor(0.0)) == 0


def test_consistency_says_what_a_batch_lacks():
    modules, batch = make("consistency", "mlp_digits")
    batch = batch._replace(strong=None)
    with pytest.raises(ValueError, match=r"^batch\.strong must hold .* images, strongly augmented; got None"):
        METHODS["consistency"].discriminator_terms(modules, batch, Weights(), Seen())


def test_images_that_give_the_answers_get_no_gradient_and_the_other_view_does():
    modules, batch = make("consistency", "cnn")
    weak, strong = batch.unlabelled.requires_grad_(), batch.strong.requires_grad_()
    terms = METHODS["consistency"].discriminator_terms(modules, batch, Weights(confidence=0.0), Seen())
    terms["consistency"].backward()
    assert weak.grad is None
    assert strong.grad.flatten(1).any(dim=1).all()


@pytest.mark.parametrize("method", ["pseudo_label", "consistency"])
def test_an_unsure_network_learns_from_labels_alone(method):
    modules, batch = make(method, "cnn")
    terms = METHODS[method].discriminator_terms(modules, batch, Weights(confidence=1.0), Seen())
    assert terms[method].item() == 0
    gradients = torch.autograd.grad(sum(terms.values()), list(modules.parameters()))
    alone = METHODS["supervised"].discriminator_terms(modules, batch, Weights(), Seen())["supervised"]
    for one, other in zip(gradients, torch.autograd.grad(alone, list(modules.parameters())), strict=True):
        torch.testing.assert_close(one, other)


def test_every_weight_gets_a_gradient_in_bfloat16_too():
    """Autocast remembers weights that it has converted; older torch also those from a pass without gradient."""
    modules, batch = make("consistency", "cnn")
    with torch.autocast("cpu", torch.bfloat16):
        terms = METHODS["consistency"].discriminator_terms(modules, batch, Weights(confidence=0.0), Seen())
    sum(terms.values()).backward()
    assert [name for name, p in modules.named_parameters() if p.grad is None or not p.grad.any()] == []


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
        modules, batch = make(method, small_network(method))
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


@pytest.mark.parametrize("method", [name for name in METHODS if METHODS[name].generator_terms])
def test_without_reuse_the_generator_moves_on_images_and_noise_of_its_own(method):
    modules, batch = make(method, small_network(method))
    other = torch.rand_like(batch.unlabelled) * 2 - 1
    objectives = METHODS[method].objectives(Weights(), reuse=False)
    objectives["discriminator"](modules, batch)
    torch.manual_seed(5)
    found = objectives["generator"](modules, batch._replace(again=other))
    torch.manual_seed(5)
    wanted = METHODS[method].generator_terms(modules, batch._replace(unlabelled=other), Weights(), Seen())
    torch.testing.assert_close(found, wanted)


def test_without_reuse_a_step_has_a_pass_more_of_each_network():
    modules, batch = make("feature_matching", "mlp_digits")
    passes = []
    for name, module in modules.items():
        module.register_forward_hook(lambda _, inputs, output, name=name: passes.append((name, len(inputs[0]))))
    state = playing(METHODS["feature_matching"].objectives(Weights(), reuse=False), modules)
    training.training_step(state, batch._replace(again=batch.unlabelled[:7]))
    assert passes == [
        ("generator", 10),
        ("discriminator", 26),
        ("discriminator", 7),
        ("generator", 7),
        ("discriminator", 7),
    ]


# --- what a method needs


def test_the_plain_gan_has_one_logit_and_classifies_nothing():
    modules, _ = make("gan", "mlp_digits")
    assert [name for name in METHODS if not METHODS[name].classifies] == ["gan", "bigan"]
    assert modules["discriminator"].classes.out_features == 1


def test_each_method_has_the_networks_that_it_needs():
    found = {name: set(make(name, small_network(name))[0]) for name in METHODS}
    pair = {"discriminator", "generator"}
    assert found == {
        "supervised": {"discriminator"},
        "gan": pair,
        "sgan": pair,
        "two_head": {*pair, "real_head"},
        "feature_matching": pair,
        "bad_gan": pair,
        "pseudo_label": {"discriminator"},
        "consistency": {"discriminator"},
        "bigan": {*pair, "encoder"},
        "conditional_sgan": pair,
    }


@pytest.mark.parametrize(
    "method", [name for name in METHODS if METHODS[name].generator_terms and not METHODS[name].encoder]
)
def test_a_network_without_generator_is_refused(method):
    with pytest.raises(ValueError, match=f"method '{method}' needs a network with a generator; 'cnn' has none"):
        METHODS[method].modules(models.build("cnn", (1, 8, 8), 3))


@pytest.mark.parametrize(
    ("method", "network", "needed"),
    [
        ("bigan", "mlp_digits", "a network with an encoder, 'bigan_…'"),
        ("gan", "bigan_digits", "a network without an encoder"),
        ("supervised", "bigan_digits", "a network without an encoder"),
    ],
)
def test_methods_and_networks_that_do_not_go_together_are_refused(method, network, needed):
    with pytest.raises(ValueError, match=f"method '{method}' needs {needed}"):
        METHODS[method].modules(models.build(network, (1, 8, 8), 1))


# --- BiGAN's pairs


@pytest.mark.parametrize("together", [True, False])
def test_bigan_pairs_each_image_with_its_own_code_and_each_latent_with_its_own_image(together):
    """Its discriminator sees (x, E(x)) and (G(z), z), in both players' moves; z is drawn once a step."""
    modules, batch = make("bigan", "bigan_digits")
    modules.eval()
    modules["discriminator"].together = together
    passes = []
    modules["discriminator"].register_forward_hook(lambda *hook: passes.append(hook[2]), with_kwargs=True)
    state = playing(METHODS["bigan"].objectives(Weights()), modules, rates={"discriminator": 0.0, "generator": 0.0})
    training.training_step(state, batch)
    assert [len(seen["latent"]) for seen in passes] == ([20, 20] if together else [10] * 4)
    latents = []
    for move in (passes[: len(passes) // 2], passes[len(passes) // 2 :]):
        images, latent = (torch.cat([seen[name] for seen in move]) for name in ("images", "latent"))
        latents.append(latent)
        assert torch.equal(images[:10], batch.unlabelled)
        torch.testing.assert_close(latent[:10], modules["encoder"](batch.unlabelled).latent)
        torch.testing.assert_close(images[10:], modules["generator"](latent[10:]))
    assert torch.equal(*latents)
    assert [latent.requires_grad for latent in latents] == [False, True]


@pytest.mark.parametrize(("network", "together"), [("bigan_digits", True), ("bigan_mlp_small", False)])
def test_batch_norm_sees_both_kinds_of_pairs_together_or_each_alone(network, together):
    modules, batch = make("bigan", network)
    seen = []
    modules["discriminator"].hidden[1].register_forward_hook(lambda _, inputs, output: seen.append(output))
    METHODS["bigan"].discriminator_terms(modules, batch, Weights(), Seen())
    assert [len(one) for one in seen] == ([20] if together else [10, 10])
    for one in seen:
        torch.testing.assert_close(one.mean(dim=0), torch.zeros(one.shape[1]), atol=1e-5, rtol=0)
