"""Networks: shapes, ranges, initialisation, and the mended defects of the code that they come from."""

import pytest
import torch
from torch import nn

from sgan_lib import models
from sgan_lib.models import ConvDiscriminator, MLPDiscriminator

SHAPES = [
    ("mlp", (1, 28, 28)),
    ("mlp_digits", (1, 8, 8)),
    ("mlp_2d", (2,)),
    ("dcgan", (1, 28, 28)),
    ("dcgan", (3, 32, 32)),
    ("upsample", (1, 32, 32)),
    ("upsample", (3, 32, 32)),
    ("cnn", (1, 8, 8)),
    ("cnn", (3, 32, 32)),
]
every_network = pytest.mark.parametrize(("name", "shape"), SHAPES)
with_generator = pytest.mark.parametrize(("name", "shape"), [row for row in SHAPES if row[0] != "cnn"])


@pytest.fixture(autouse=True)
def _same_numbers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def images(n, shape):
    return 2 * torch.rand(n, *shape) - 1


def test_every_network_is_tested_here():
    assert {name for name, _ in SHAPES} == set(models.NETWORKS)


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
    mean, variance = (0.5, 1 / 12) if name.startswith("mlp") else (0, 1)  # uniform in [0, 1), or standard normal
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
    for network in models.build(name, (1, 32, 32), 10):
        for layer in network.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)) and layer.weight.numel() > 500:
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.15)
            if isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.5)
                assert not layer.bias.any()


# --- the parts


def test_batch_norm_has_its_usual_constants():
    """The code that the two-head pair comes from passes 0.8, a momentum, where PyTorch expects eps."""
    built = [network for name, shape in SHAPES for network in models.build(name, shape, 3) if network is not None]
    built.append(ConvDiscriminator((1, 8, 8), 3, batch_norm=True))
    layers = [m for network in built for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert len(layers) > 10
    assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-5, 0.1)}


def test_noise_has_the_given_size_while_training_and_is_off_in_evaluation():
    noise, zeros = models.Noise(0.6), torch.zeros(200, 200)
    assert noise(zeros).std().item() == pytest.approx(0.6, rel=0.02)
    assert noise(zeros).mean().item() == pytest.approx(0, abs=0.02)
    assert torch.equal(noise.eval()(zeros), zeros)
    assert torch.equal(models.Noise(0.0)(zeros), zeros)
    assert "0.6" in repr(noise)


@pytest.mark.parametrize(
    ("name", "noisy"), [("mlp", True), ("mlp_digits", True), ("mlp_2d", True), ("upsample", True), ("cnn", False)]
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
        ("resnet", (1, 28, 28), "network must be one of mlp, .*cnn; got 'resnet'"),
        ("dcgan", (2,), r"'dcgan' takes square images .* got image_shape \(2,\)"),
        ("cnn", (1, 30, 30), r"divisible by 4; got image_shape \(1, 30, 30\)"),
        ("upsample", (1, 32, 28), r"square .* got image_shape \(1, 32, 28\)"),
    ],
)
def test_networks_and_shapes_that_do_not_go_together_are_refused(name, shape, message):
    with pytest.raises(ValueError, match=message):
        models.build(name, shape, 3)


def test_the_baseline_classifier_has_no_generator():
    assert models.build("cnn", (1, 28, 28), 10).generator is None
