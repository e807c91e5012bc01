"""Networks: shapes, ranges, initialisation, and the mended defects of the code that they come from."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from scipy import stats
from torch import nn

from sgan_lib import data, models
from sgan_lib.models import ConvDiscriminator, MLPDiscriminator, PooledDiscriminator, TransposedGenerator, UpsampledConv

SHAPES = [
    ("mlp", (1, 28, 28)),
    ("mlp_published", (1, 28, 28)),
    ("mlp_small", (1, 28, 28)),
    ("mlp_digits", (1, 8, 8)),
    ("mlp_2d", (2,)),
    ("dcgan", (1, 28, 28)),
    ("dcgan", (3, 32, 32)),
    ("upsample", (1, 32, 32)),
    ("upsample", (3, 32, 32)),
    ("svhn", (3, 32, 32)),
    ("svhn_small", (3, 32, 32)),
    ("svhn_small", (1, 28, 28)),
    ("cnn", (1, 8, 8)),
    ("cnn", (3, 32, 32)),
]
every_network = pytest.mark.parametrize(("name", "shape"), SHAPES)
TRIOS = [
    ("bigan_mlp", (1, 28, 28)),
    ("bigan_mlp_small", (1, 28, 28)),
    ("bigan_digits", (1, 8, 8)),
    ("bigan_digits", (2,)),
    ("bigan_conv", (1, 28, 28)),
    ("bigan_conv", (3, 32, 32)),
]
every_trio = pytest.mark.parametrize(("name", "shape"), TRIOS)
with_generator = pytest.mark.parametrize(("name", "shape"), [row for row in SHAPES + TRIOS if row[0] != "cnn"])


@pytest.fixture(autouse=True)
def _same_numbers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_default_dtype(torch.float32)


def images(n, shape):
    return 2 * torch.rand(n, *shape) - 1


def test_every_network_is_tested_here():
    assert {name for name, _ in SHAPES + TRIOS} == set(models.NETWORKS)
    assert {name for name, shape in SHAPES + TRIOS if models.build(name, shape, 2).encoder} == {n for n, _ in TRIOS}


@pytest.mark.parametrize(("name", "shape"), SHAPES + TRIOS)
def test_what_is_said_of_a_network_without_building_it_is_so(name, shape):
    networks = models.build(name, shape, 10)
    assert (networks.generator is None) == (name in models.WITHOUT_GENERATOR)
    assert (networks.encoder is not None) == (name in models.WITH_ENCODER)


# --- shapes and ranges


@every_network
def test_a_discriminator_gives_k_logits_and_its_last_hidden_layer(name, shape):
    """Whatever layers come before: the logits are one affine map of the features, found by name and not by position."""
    network = models.build(name, shape, 7).discriminator.eval()
    logits, features = network(images(5, shape))
    assert logits.shape == (5, 7)
    assert features.shape == (5, network.classes.in_features)
    torch.testing.assert_close(logits, features @ network.classes.weight.T + network.classes.bias)


@pytest.mark.parametrize("widths", [(6,), (9, 6), (9, 9, 9, 6)])
def test_features_are_the_last_hidden_layer_at_any_depth(widths):
    network = MLPDiscriminator((1, 4, 4), 3, widths=widths, input_noise=0.0, hidden_noise=0.0)
    hidden = images(5, (1, 4, 4))
    features = network(hidden).features
    hidden = hidden.flatten(1)
    for layer in network.hidden:
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    assert features.shape == (5, 6)
    torch.testing.assert_close(features, hidden)


def test_features_come_before_the_noise():
    """The features of training equal those of evaluation where only the last hidden layer is followed by noise."""
    network = MLPDiscriminator((1, 4, 4), 3, widths=(6,), input_noise=0.0, hidden_noise=0.5)
    batch = images(5, (1, 4, 4))
    training, evaluation = network(batch), network.eval()(batch)
    assert torch.equal(training.features, evaluation.features)
    assert not torch.equal(training.class_logits, evaluation.class_logits)


@with_generator
def test_a_generator_gives_images_between_minus_one_and_one(name, shape):
    network = models.build(name, shape, 7).generator
    found = network.sample(6)
    assert found.shape == (6, *shape)
    assert found.std(dim=0).max() > 0  # not the same image six times
    extreme = network(1e3 * network.latent(6))
    assert extreme.min() >= -1
    assert extreme.max() <= 1
    for parameter in network.parameters():
        parameter.data.mul_(50)
    assert network.sample(50).abs().max() > 0.99  # and the range is used


@with_generator
def test_a_generator_that_takes_classes_adds_a_vector_of_each_class_to_its_latents(name, shape):
    plain = models.build(name, shape, 7).generator.eval()
    network = copy.deepcopy(plain)
    network.take_classes(4)
    latent, classes = network.latent(6), torch.tensor([0, 3, 3, 1, 2, 0])
    assert dict(network.named_parameters())["classes.weight"].shape == (4, network.latent_dim)
    shifted = torch.stack([z + network.classes.weight[k] for z, k in zip(latent, classes, strict=True)])
    torch.testing.assert_close(network(latent, classes), plain(shifted))
    assert not torch.allclose(network(latent, classes), network(latent, (classes + 1) % 4))


@pytest.mark.parametrize(("uniform", "deviation"), [(True, 12**-0.5), (False, 1.0)])
def test_the_vectors_of_the_classes_start_at_a_tenth_of_the_latents_deviation(uniform, deviation):
    network = models.Generator(200, uniform)
    network.take_classes(50)
    assert network.classes.weight.std().item() == pytest.approx(deviation / 10, rel=0.05)
    assert network.classes.weight.requires_grad
    network.layers = nn.Identity()
    assert network.latent(500).std().item() == pytest.approx(deviation, rel=0.05)


def test_classes_are_drawn_evenly_and_from_the_random_numbers_given():
    network = models.build("mlp_2d", (2,), 5).generator
    assert network.draw_classes(7) is None
    network.take_classes(5)
    drawn = network.draw_classes(5000, torch.Generator().manual_seed(0))
    assert stats.chisquare(drawn.bincount(minlength=5).numpy()).pvalue > 1e-3
    assert torch.equal(drawn, network.draw_classes(5000, torch.Generator().manual_seed(0)))
    assert set(network.draw_classes(100).tolist()) == set(range(5))


def test_samples_are_of_the_classes_asked_for_or_of_classes_at_random():
    network = models.build("mlp_2d", (2,), 3).generator
    network.take_classes(3)
    network.classes.weight.data.copy_(torch.tensor([[0.0], [100.0], [200.0]]).expand(3, network.latent_dim))
    network.layers = nn.Identity()
    asked = torch.tensor([2, 0, 1, 1])
    assert torch.equal(network.sample(4, classes=asked).mean(dim=1).div(100).floor().long(), asked)
    found = network.sample(200, torch.Generator().manual_seed(0)).mean(dim=1).div(100).floor().long()
    assert torch.equal(found, network.draw_classes(200, torch.Generator().manual_seed(0)))


def test_classes_are_refused_where_there_are_none_and_demanded_where_there_are():
    network = models.build("mlp_2d", (2,), 3).generator
    latent, classes = network.latent(4), torch.tensor([0, 1, 2, 0])
    with pytest.raises(ValueError, match="classes must be None, because this generator takes none"):
        network(latent, classes)
    network.take_classes(3)
    with pytest.raises(ValueError, match="classes must be a tensor of class numbers; got None"):
        network(latent)


@every_network
def test_logits_are_not_squashed(name, shape):
    """No softmax or sigmoid hides in the model: what is added to the last bias is added to the logits."""
    network, batch = models.build(name, shape, 3).discriminator.eval(), images(4, shape)
    before = network(batch).class_logits
    with torch.no_grad():
        network.classes.bias += torch.tensor([100.0, -50.0, 0.0])
    torch.testing.assert_close(network(batch).class_logits, before + torch.tensor([100.0, -50.0, 0.0]))


def test_the_real_head_is_an_affine_map_to_one_unsquashed_logit():
    head, features = models.RealHead(5), 100 * torch.randn(4, 5)
    logits = head(features)
    assert logits.shape == (4,)
    torch.testing.assert_close(logits, (features @ head.logit.weight.T)[:, 0] + head.logit.bias)
    assert logits.abs().max() > 1


@with_generator
def test_latents_follow_the_generator_that_is_passed_and_leave_the_global_state_alone(name, shape):
    network = models.build(name, shape, 3).generator
    before = torch.get_rng_state()
    first, second = (network.latent(2000, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, second)
    assert first.shape == (2000, network.latent_dim)
    mean, variance = 0, 1  # standard normal
    if name.startswith(("mlp", "svhn")):
        mean, variance = 0.5, 1 / 12  # uniform in [0, 1): Salimans 2016
    elif name.startswith(("bigan_mlp", "bigan_digits")):
        mean, variance = 0, 4 / 12  # uniform in [-1, 1): Donahue 2016
        assert -1 <= first.min() < -0.99 < 0.99 < first.max() < 1
    assert first.mean().item() == pytest.approx(mean, abs=0.05)
    assert first.var().item() == pytest.approx(variance, abs=0.05)
    assert not torch.equal(network.latent(3), network.latent(3))


# --- weight norm and initialisation


@pytest.mark.parametrize("train_hidden_scales", [False, True])
def test_hidden_scales_are_frozen_unless_asked_for_and_the_last_is_trained(train_hidden_scales):
    network = MLPDiscriminator((1, 4, 4), 3, widths=(8, 6), train_hidden_scales=train_hidden_scales)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    scale, direction = "parametrizations.weight.original0", "parametrizations.weight.original1"
    layers = ["hidden.0", "hidden.1", "classes"]
    scales = layers if train_hidden_scales else ["classes"]
    expected = {f"{layer}.{part}" for layer in layers for part in ("bias", direction)}
    assert trained == expected | {f"{layer}.{scale}" for layer in scales}


def test_a_weight_normed_layer_has_rows_of_length_g_along_v():
    layer = models.normalised_linear(400, 300, train_scale=True)
    torch.testing.assert_close(layer.weight.norm(dim=1), torch.ones(300))
    scale, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    assert direction.std().item() == pytest.approx(0.1, rel=0.02)
    with torch.no_grad():
        scale.fill_(3)
        direction.mul_(7)
    torch.testing.assert_close(layer.weight, 3 * direction / direction.norm(dim=1, keepdim=True))


def pre_activations(network, batch):
    """What every weight-normed layer puts out, recorded in one pass."""
    found = []
    layers = [*network.hidden, network.classes]
    hooks = [layer.register_forward_hook(lambda *arguments: found.append(arguments[2])) for layer in layers]
    network(batch)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("first_bias", [0.0, 3.0])
def test_initialisation_from_data_gives_pre_activations_of_mean_0_and_variance_1(first_bias):
    network = MLPDiscriminator((1, 8, 8), 10, widths=(20, 12), input_noise=0.0, hidden_noise=0.0)
    batch = images(200, (1, 8, 8)) * 5 + 2
    for layer in network.hidden:
        layer.bias.data.fill_(first_bias)
    models.initialise_from_data(network, batch)
    outputs = pre_activations(network, batch)
    assert [one.shape[1] for one in outputs] == [20, 12, 10]
    for output in outputs:
        torch.testing.assert_close(output.mean(dim=0), torch.zeros(output.shape[1]), atol=1e-4, rtol=0)
        torch.testing.assert_close(output.var(dim=0), torch.ones(output.shape[1]), atol=1e-3, rtol=0)


KINDS = {
    "dense": (lambda: nn.Linear(6, 5), (6,)),
    "convolution": (lambda: nn.Conv2d(3, 5, 3, stride=2, padding=1), (3, 8, 8)),
    "transposed convolution": (lambda: nn.ConvTranspose2d(3, 5, 5, stride=2, padding=2, output_padding=1), (3, 8, 8)),
}


def by_output(kind, weight):
    """The weights that make up each output: rows [5, ...]. A transposed convolution has its outputs second."""
    return (weight.transpose(0, 1) if kind == "transposed convolution" else weight).flatten(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("train_scale", [False, True])
def test_any_layer_can_have_weight_norm(kind, train_scale):
    layer = models.normalised(KINDS[kind][0](), train_scale, deviation=0.05)
    scale, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    assert (scale.requires_grad, direction.requires_grad) == (train_scale, True)
    assert scale.numel() == 5
    assert not layer.bias.any()
    assert direction.std().item() == pytest.approx(0.05, rel=0.3)
    with torch.no_grad():
        scale.copy_(torch.arange(1.0, 6).view_as(scale))
        direction.mul_(7)
    torch.testing.assert_close(by_output(kind, layer.weight).norm(dim=1), torch.arange(1.0, 6))
    cosines = F.cosine_similarity(by_output(kind, layer.weight), by_output(kind, direction), dim=1)
    torch.testing.assert_close(cosines, torch.ones(5))


@pytest.mark.parametrize("kind", KINDS)
def test_initialisation_from_data_normalises_each_channel_over_batch_and_positions(kind):
    make, shape = KINDS[kind]
    layer, batch = models.normalised(make(), train_scale=True), images(100, shape) * 5 + 2
    layer.bias.data.fill_(3)
    before = by_output(kind, layer.weight).clone()
    models.initialise_from_data(layer, batch)
    outputs = layer(batch).transpose(0, 1).flatten(1)  # [5, everything else]
    torch.testing.assert_close(outputs.mean(dim=1), torch.zeros(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs.var(dim=1), torch.ones(5), atol=1e-3, rtol=0)
    torch.testing.assert_close(F.cosine_similarity(by_output(kind, layer.weight), before, dim=1), torch.ones(5))


@pytest.mark.parametrize("name", ["svhn", "svhn_small"])
def test_initialisation_from_data_reaches_every_convolution(name):
    """Each layer sees what the layers before it put out after they were set."""
    network = models.build(name, (3, 20, 20), 10).discriminator.eval()  # without dropout, so that the pass repeats
    batch, outputs = images(60, (3, 20, 20)) * 3 - 1, []
    models.initialise_from_data(network, batch)
    layers = [layer for layer in network.convolutions if isinstance(layer, nn.Conv2d)] + [network.classes]
    for layer in layers:
        layer.register_forward_hook(lambda *arguments: outputs.append(arguments[2].transpose(0, 1).flatten(1)))
    network(batch)
    assert len(outputs) == 10
    for output in outputs:
        torch.testing.assert_close(output.mean(dim=1), torch.zeros(len(output)), atol=1e-3, rtol=0)
        torch.testing.assert_close(output.var(dim=1), torch.ones(len(output)), atol=1e-2, rtol=0)


def test_initialisation_from_data_leaves_other_layers_and_what_is_trained_as_they_were():
    network = models.build("cnn", (1, 8, 8), 3).discriminator
    before = [parameter.clone() for parameter in network.parameters()]
    models.initialise_from_data(network, images(20, (1, 8, 8)))
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))
    normed = MLPDiscriminator((1, 4, 4), 3, widths=(5,))
    models.initialise_from_data(normed, images(20, (1, 4, 4)))
    assert not normed.hidden[0].parametrizations.weight.original0.requires_grad
    assert not any(layer._forward_hooks for layer in normed.modules())


@pytest.mark.parametrize("name", ["dcgan", "upsample"])
def test_convolutions_start_small_and_normal(name):
    for network in models.build(name, (1, 32, 32), 10)[:2]:
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.weight.numel() > 500:
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.5)
                assert not layer.bias.any()


# --- the pair for SVHN

# Salimans 2016, code for SVHN: (channels, kernel, stride, padding); a number alone is the probability of a dropout
PUBLISHED = [
    0.2, (64, 3, 1, 1), (64, 3, 1, 1), (64, 3, 2, 1),
    0.5, (128, 3, 1, 1), (128, 3, 1, 1), (128, 3, 2, 1),
    0.5, (128, 3, 1, 0), (128, 1, 1, 0), (128, 1, 1, 0),
]  # fmt: skip


def test_the_svhn_discriminator_is_the_published_one():
    """Its features from the table: leaky ReLU after each convolution, at the end the mean over positions."""
    network = models.build("svhn", (3, 32, 32), 10).discriminator
    dropped = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)]
    assert dropped == [row for row in PUBLISHED if isinstance(row, float)]
    models.initialise_from_data(network, images(20, (3, 32, 32)))
    hidden, table = images(2, (3, 32, 32)), [row for row in PUBLISHED if not isinstance(row, float)]
    features = network.eval()(hidden).features
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (n_out, kernel_size, stride, padding) in zip(layers, table, strict=True):
        assert layer.weight.shape == (n_out, hidden.shape[1], kernel_size, kernel_size)
        hidden = F.conv2d(hidden, layer.weight, layer.bias, stride, padding)
        hidden = torch.where(hidden > 0, hidden, 0.2 * hidden)
    assert hidden.shape == (2, 128, 6, 6)
    torch.testing.assert_close(features, hidden.sum(dim=(2, 3)) / 36)


@pytest.mark.parametrize("name", ["svhn", "svhn_small"])
def test_the_svhn_discriminators_have_weight_norm_throughout_and_no_batch_norm(name):
    network = models.build(name, (3, 32, 32), 10).discriminator
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert all(hasattr(layer, "parametrizations") for layer in layers)
    scales = [layer.parametrizations.weight.original0.requires_grad for layer in layers]
    assert scales == [False] * 9 + [True]  # those of hidden layers are frozen, as in the dense network
    assert not any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in network.modules())


def test_blocks_have_the_channels_and_strides_that_are_asked_for():
    strides = ((2,), (1, 2))
    network = PooledDiscriminator((2, 12, 12), 3, channels=(4, 6), strides=strides, input_dropout=0.1, dropout=0.3)
    kinds = [(layer.out_channels, *layer.stride) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert kinds == [(4, 2, 2), (6, 1, 1), (6, 2, 2), (6, 1, 1), (6, 1, 1), (6, 1, 1)]
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.1, 0.3, 0.3]
    assert network(images(2, (2, 12, 12))).features.shape == (2, 6)


@pytest.mark.parametrize(("side", "sides"), [(32, [4, 8, 16, 32]), (28, [4, 7, 14, 28]), (12, [2, 3, 6, 12])])
def test_the_svhn_generator_doubles_its_way_to_any_size(side, sides):
    network = TransposedGenerator((3, side, side), latent_dim=5, channels=(8, 6, 4))
    seen = []
    for layer in network.layers:
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda *arguments: seen.append((*arguments[1], arguments[2])))
    network.sample(3)
    assert [(before.shape[1:], after.shape[1:]) for before, after in seen] == [
        ((n_in, small, small), (n_out, large, large))
        for n_in, n_out, small, large in zip((8, 6, 4), (6, 4, 3), sides, sides[1:], strict=False)
    ]


def test_the_svhn_generator_starts_normal_and_uses_the_batchs_own_statistics():
    network = models.build("svhn", (3, 32, 32), 10).generator
    layers = [layer for layer in network.layers if isinstance(layer, (nn.Linear, nn.ConvTranspose2d))]
    assert [tuple(layer.weight.shape) for layer in layers] == [
        (8192, 100), (512, 256, 5, 5), (256, 128, 5, 5), (128, 3, 5, 5)
    ]  # fmt: skip
    for layer in layers[:3]:
        assert layer.weight.std().item() == pytest.approx(0.05, rel=0.02)
    assert [hasattr(layer, "parametrizations") for layer in layers] == [False, False, False, True]
    assert layers[3].parametrizations.weight.original0.requires_grad
    torch.testing.assert_close(layers[3].weight.square().sum(dim=(0, 2, 3)), torch.ones(3))
    latent = network.latent(4)
    assert torch.equal(network(latent), network.eval()(latent))


# --- doubling and a 3×3 convolution in one


@pytest.mark.parametrize("side", [(1, 1), (1, 4), (5, 3), (8, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_convolution_that_doubles_equals_doubling_and_a_convolution(side, bias):
    torch.set_default_dtype(torch.float64)
    fast = UpsampledConv(3, 4, bias=bias)
    plain = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, padding=1, bias=bias))
    plain[1].load_state_dict(fast.state_dict())  # the same names and shapes
    batch, found = torch.randn(2, 3, *side), {}
    for network in (plain, fast):
        given = batch.clone().requires_grad_()
        output = network(given)
        output.mul(torch.linspace(-1, 2, output.numel()).view_as(output)).sum().backward()
        found[network] = [output, given.grad, *(parameter.grad for parameter in network.parameters())]
    for one, other in zip(found[plain], found[fast], strict=True):  # borders are part of all of these
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-12)
    assert all(gradient.abs().min() > 0 for gradient in found[fast][1:])


def test_the_upsample_generator_is_the_plain_one():
    network = models.build("upsample", (3, 32, 32), 10).generator.double()
    plain = copy.deepcopy(network)
    for place, layer in enumerate(plain.layers):
        if isinstance(layer, UpsampledConv):
            convolution = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1, bias=False)
            convolution.weight = layer.weight
            plain.layers[place] = nn.Sequential(nn.Upsample(scale_factor=2), convolution)
    latent = torch.randn(4, 100, dtype=torch.float64)
    kinds = [type(layer).__name__ for layer in plain.layers]
    assert kinds.count("Sequential") == 2
    torch.testing.assert_close(network(latent), plain(latent), rtol=1e-10, atol=1e-12)


# --- the parts


def test_batch_norm_has_its_usual_constants():
    """The code that the two-head pair comes from passes 0.8, a momentum, where PyTorch expects eps."""
    ours = [row for row in SHAPES if row[0] != "mlp_published"]  # that one has Lasagne's
    built = [network for name, shape in ours for network in models.build(name, shape, 3) if network is not None]
    built.append(ConvDiscriminator((1, 8, 8), 3, batch_norm=True))
    layers = [m for network in built for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(layers) > 10
    assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-5, 0.1)}


def test_the_published_generator_has_no_scale_in_its_batch_norm_glorots_directions_and_a_sigmoid():
    """openai/improved-gan, train_mnist_feature_matching.py and nn.py; Lasagne's Glorot weights."""
    generator = models.build("mlp_published", (1, 28, 28), 10).generator
    norms = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm1d)]
    found = [(norm.weight.requires_grad, norm.bias.requires_grad, norm.eps) for norm in norms]
    assert found == [(False, True, 1e-6)] * 2
    assert all((norm.weight == 1).all() for norm in norms)
    output = generator.layers[-3]
    directions, bound = output.parametrizations.weight.original1, (6 / (500 + 784)) ** 0.5
    assert 0.99 * bound < directions.abs().max() <= bound
    assert directions.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
    latent = generator.latent(5)
    torch.testing.assert_close(generator(latent).flatten(1), 2 * generator.layers[:-2](latent).sigmoid() - 1)


def test_tanh_keeps_its_gradient_in_float32_where_bfloat16_has_lost_it():
    far = torch.tensor([-5.0], requires_grad=True)
    outputs = {}
    for full in (False, True):
        tanh = models.Tanh()
        if full:
            models.squash_in_float32(tanh)
        outputs[full] = tanh(far.bfloat16())
        (slope,) = torch.autograd.grad(outputs[full].sum(), far)
        assert slope.item() == pytest.approx(1 / np.cosh(5) ** 2 if full else 0, rel=0.01)
    assert outputs[False].item() == -1
    assert outputs[True].item() == pytest.approx(np.tanh(-5), rel=1e-6)


@with_generator
@pytest.mark.parametrize("full", [False, True])
def test_images_and_bounded_latents_come_in_float32_where_tanh_is_asked_to_work_so(name, shape, full):
    networks = models.build(name, shape, 7)
    players = [networks.generator] if networks.encoder is None else [networks.generator, networks.encoder]
    if full:
        models.squash_in_float32(nn.ModuleList(players))
    with torch.autocast("cpu", torch.bfloat16):
        found = networks.generator.sample(4)
        latent = networks.encoder(images(4, shape)).latent if networks.encoder else found
    bounded = networks.encoder is None or networks.generator.uniform
    assert found.dtype == (torch.float32 if full else torch.bfloat16)
    assert latent.dtype == (torch.float32 if full and bounded else torch.bfloat16)


def test_noise_has_the_given_size_while_training_and_is_off_in_evaluation():
    noise, zeros = models.Noise(0.6), torch.zeros(200, 200)
    assert noise(zeros).std().item() == pytest.approx(0.6, rel=0.02)
    assert noise(zeros).mean().item() == pytest.approx(0, abs=0.02)
    assert torch.equal(noise.eval()(zeros), zeros)
    assert torch.equal(models.Noise(0.0)(zeros), zeros)
    assert "0.6" in repr(noise)


@pytest.mark.parametrize(
    ("name", "noisy"),
    [
        ("mlp", True),
        ("mlp_digits", True),
        ("mlp_2d", True),
        ("upsample", True),
        ("svhn", True),
        ("svhn_small", True),
        ("cnn", False),
    ],
)
def test_discriminators_are_noisy_in_training_only(name, noisy):
    shape = dict(SHAPES)[name]
    network, batch = models.build(name, shape, 3).discriminator, images(4, shape)
    assert network.training
    assert torch.equal(network(batch).class_logits, network(batch).class_logits) != noisy
    network.eval()
    assert torch.equal(network(batch).class_logits, network(batch).class_logits)


def test_the_convolutional_discriminator_is_built_of_what_is_asked_for():
    network = ConvDiscriminator(
        (3, 16, 16), 5, channels=(4, 6, 8), kernel_size=3, dropout=0.5, batch_norm=True, dense=9
    )
    kinds = [type(layer).__name__ for layer in network.convolutions]
    first, others = ["Conv2d", "LeakyReLU", "Dropout2d"], ["Conv2d", "BatchNorm2d", "LeakyReLU", "Dropout2d"]
    assert kinds == [*first, *others, *others, "Flatten"]
    assert network.convolutions.eval()(images(2, (3, 16, 16))).shape == (2, 8 * 2 * 2)
    assert network.eval()(images(2, (3, 16, 16))).features.shape == (2, 9)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("resnet", (1, 28, 28), "network must be one of mlp, .*cnn, .*; got 'resnet'"),
        ("dcgan", (2,), r"'dcgan' takes square images .* got image_shape \(2,\)"),
        ("cnn", (1, 30, 30), r"divisible by 4; got image_shape \(1, 30, 30\)"),
        ("upsample", (1, 32, 28), r"square .* got image_shape \(1, 32, 28\)"),
        ("svhn", (1, 8, 8), r"image_shape is too small: .* leave less than 3×3 of \(1, 8, 8\)"),
    ],
)
def test_networks_and_shapes_that_do_not_go_together_are_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, shape, 3)


def test_the_baseline_classifier_has_no_generator():
    assert models.build("cnn", (1, 28, 28), 10).generator is None


# --- BiGAN's three


@every_trio
def test_an_encoder_gives_latents_as_the_generator_draws_them_and_its_last_hidden_layer(name, shape):
    networks = models.build(name, shape, 7)
    encoder, batch = networks.encoder.eval(), images(6, shape)
    latent, features = encoder(batch)
    assert latent.shape == networks.generator.latent(6).shape
    affine = features @ encoder.latent.weight.T + encoder.latent.bias
    torch.testing.assert_close(latent, affine.tanh() if networks.generator.uniform else affine)
    encoder.latent.weight.data.mul_(1e4)
    assert (encoder(batch).latent.abs().max() <= 1) == networks.generator.uniform


@every_trio
def test_a_discriminator_of_pairs_gives_one_logit_that_depends_on_both_halves(name, shape):
    networks = models.build(name, shape, 7)
    judge = networks.discriminator.eval()
    x, z = images(5, shape), networks.generator.latent(5)
    logits, features = judge(images=x, latent=z)
    assert (logits.shape, features.shape) == ((5, 1), (5, judge.classes.in_features))
    torch.testing.assert_close(logits, features @ judge.classes.weight.T + judge.classes.bias)
    assert (judge(images=x.flip(0), latent=z).class_logits - logits)[[0, 1, 3, 4]].abs().min() > 0
    assert (judge(images=x, latent=z.flip(0)).class_logits - logits)[[0, 1, 3, 4]].abs().min() > 0


def test_the_halves_of_a_pair_are_given_by_name():
    networks = models.build("bigan_digits", (1, 8, 8), 1)
    x, z = images(5, (1, 8, 8)), networks.generator.latent(5)
    with pytest.raises(TypeError):
        networks.discriminator(x, z)


def test_the_dense_trio_is_the_papers():
    """Two hidden layers of 1024, parameter-free batch norm, images in [0, 1] inside, by hand."""
    networks = models.build("bigan_mlp", (1, 28, 28), 1)
    encoder, judge, generator = networks.encoder.eval(), networks.discriminator.eval(), networks.generator.eval()
    x, z = images(4, (1, 28, 28)), networks.generator.latent(4)
    scale = (1 + 1e-5) ** -0.5  # batch norm with statistics 0 and 1, as at the start

    def leaky(x):
        return torch.where(x > 0, x, 0.2 * x)

    first = leaky(F.linear((x.flatten(1) + 1) / 2, encoder.body[1].weight, encoder.body[1].bias))
    assert first.shape == (4, 1024)
    torch.testing.assert_close(encoder(x).features, leaky(scale * F.linear(first, encoder.hidden[0].weight)))
    first = leaky(F.linear((x.flatten(1) + 1) / 2, judge.body[1].weight, judge.body[1].bias))
    both = torch.cat([first, z], dim=1)
    features = leaky(scale * F.linear(both, judge.hidden[0].weight))
    torch.testing.assert_close(judge(images=x, latent=z).features, features)
    hidden = z
    for layer in (generator.layers[0], generator.layers[3]):
        hidden = (scale * F.linear(hidden, layer.weight)).clamp(min=0)
    assert hidden.shape == (4, 1024)
    onto_0_1 = torch.sigmoid(2 * F.linear(hidden, generator.layers[6].weight, generator.layers[6].bias))
    torch.testing.assert_close(generator(z), 2 * onto_0_1.view(4, 1, 28, 28) - 1)
    assert not any(isinstance(m, nn.BatchNorm1d) and m.affine for n in networks for m in n.modules())


@every_trio
def test_dense_and_convolutional_weights_of_a_trio_are_small_and_normal_and_biases_0(name, shape):
    for network in models.build(name, shape, 1):
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                assert layer.bias is None or not layer.bias.any()
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.3)


# --- noise and centre


def test_noise_is_normal_to_the_layer_that_sums_it():
    """256 levels, none favoured; a sum over 250 of them, weighted at random, passes a test for normality."""
    torch.manual_seed(1)
    drawn = models.Noise(2.0)(torch.zeros(4000, 250))
    levels, counts = drawn.unique(return_counts=True)
    assert len(levels) == 256
    torch.testing.assert_close(levels.diff(), torch.full((255,), 2.0 / ((256**2 - 1) / 12) ** 0.5))
    torch.testing.assert_close(levels, -levels.flip(0))
    assert stats.chisquare(counts.numpy()).pvalue > 1e-3
    weights = torch.randn(250)
    summed = (drawn @ weights / (2 * weights.norm())).numpy()
    assert stats.kstest(summed, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, 0].numpy(), drawn[:, 1].numpy())[0, 1]) < 0.06  # neighbours share a random word


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_noise_keeps_shape_and_type(dtype):
    for shape in ((3,), (2, 5), (2, 3, 4, 4)):
        noisy = models.Noise(0.5)(torch.zeros(shape, dtype=dtype))
        assert (noisy.shape, noisy.dtype) == (shape, dtype)
        assert noisy.any()


@pytest.mark.parametrize("centre", [0.0, -1.0, None])
def test_a_dense_discriminator_takes_its_centre_from_every_image(centre):
    network = MLPDiscriminator((1, 4, 4), 3, widths=(6,), centre=centre).eval()
    batch = images(50, (1, 4, 4))
    models.initialise_from_data(network, batch)
    wanted = batch.mean(dim=0).flatten() if centre is None else torch.full((16,), centre)
    torch.testing.assert_close(network.centre, wanted)
    centred = (batch.flatten(1) - wanted) @ network.hidden[0].weight.T + network.hidden[0].bias
    torch.testing.assert_close(network(batch).features, centred.clamp(min=0))


# --- networks that come with the library


def test_the_shipped_pair_makes_the_round_trip_and_is_small():
    encoder, generator = models.bigan_pair()
    assert not any(weight.requires_grad for network in (encoder, generator) for weight in network.parameters())
    x = data.as_images(data.read("mnist").test.images[:1000])
    again = generator(encoder(x).latent)
    own, other = ((image - again).flatten(1).norm(dim=1).mean() for image in (x, x.roll(1, 0)))
    assert own < 0.85 * other
    shipped = {path.stem: path.stat().st_size for path in Path(str(models.ASSETS)).glob("*.safetensors")}
    assert shipped["bigan_pair"] + shipped.get("conditional_generator", 0) <= 4e6


def test_the_shipped_pair_is_that_of_a_standard_run_and_comes_as_new_copies():
    with safe_open(str(models.ASSETS / "bigan_pair.safetensors"), framework="pt") as file:
        settings = json.loads(file.metadata()["settings"])
    assert (settings["method"], settings["network"], settings["preset"]) == ("bigan", "bigan_mlp_small", "standard")
    first, second = models.bigan_pair(), models.bigan_pair()
    nn.init.zeros_(first.encoder.latent.weight)
    assert second.encoder.latent.weight.any()
