"""Layers and networks, by their formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import nn
from torch.nn.utils import parametrizations
from torch.testing import assert_close

from sgan_lib import models

pytestmark = pytest.mark.usefixtures("same_numbers")
TRANSPOSED = nn.ConvTranspose2d(3, 5, 5, stride=2, padding=2, output_padding=1)
NORMED = {  # networks without dropout or noise, and the shape of their inputs
    "dense": (models.MLPDiscriminator((1, 8, 8), 10, (20, 12), input_noise=0.0, hidden_noise=0.0), (1, 8, 8)),
    "convolutional": (models.PooledDiscriminator((3, 20, 20), 10, channels=16).eval(), (3, 20, 20)),
    "transposed": (models.normalised(TRANSPOSED, train_scale=False), (3, 8, 8)),
}
LAWS = [(models.NORMAL, stats.norm()), (models.UNIFORM, stats.uniform()), (models.SYMMETRIC, stats.uniform(-1, 2))]


def images(n, shape):
    return 2 * torch.rand(n, *shape) - 1


def g_and_v(layer):
    return layer.parametrizations.weight.original0, layer.parametrizations.weight.original1


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("train_scale", [False, True])
@pytest.mark.parametrize(
    ("make", "out"),  # where the weight has its outputs
    [(lambda: nn.Linear(6, 5), 0), (lambda: nn.Conv2d(3, 5, 3), 0), (lambda: nn.ConvTranspose2d(3, 5, 5), 1)],
    ids=["dense", "convolution", "transposed convolution"],
)
def test_weight_norm_is_g_times_v_over_its_length_for_each_output(make, out, train_scale):
    layer = models.normalised(make(), train_scale, deviation=0.05)
    g, v = g_and_v(layer)
    assert (g.requires_grad, v.requires_grad, g.flatten().tolist()) == (train_scale, True, [1] * 5)
    assert v.std().item() == pytest.approx(0.05, rel=0.3)
    assert not layer.bias.any()
    with torch.no_grad():
        g.copy_(torch.arange(1.0, 6).view_as(g))
        v.mul_(7)
    for k, own in enumerate(v.unbind(out)):
        assert_close(layer.weight.select(out, k), (k + 1) * own / own.square().sum().sqrt())


@pytest.mark.parametrize(("network", "shape"), NORMED.values(), ids=NORMED)
def test_initialisation_from_data_gives_every_layer_mean_0_and_variance_1_over_batch_and_positions(network, shape):
    """Each layer is given what the layers before it put out once they are set; directions stay."""
    layers = [layer for layer in network.modules() if hasattr(layer, "parametrizations")]
    batch, before, outputs = images(100, shape) * 3 - 1, [g_and_v(layer)[1].clone() for layer in layers], []
    for layer in layers:
        layer.bias.data.fill_(3)
    models.initialise_from_data(network, batch)
    assert not any(layer._forward_hooks for layer in layers)
    for layer in layers:
        layer.register_forward_hook(lambda *arguments: outputs.append(arguments[2].transpose(0, 1).flatten(1)))
    network(batch)
    for layer, direction, output in zip(layers, before, outputs, strict=True):
        assert torch.equal(g_and_v(layer)[1], direction)
        assert_close(output.mean(dim=1), torch.zeros(len(output)), atol=1e-3, rtol=0)
        assert_close(output.var(dim=1), torch.ones(len(output)), atol=1e-2, rtol=0)


def test_initialisation_from_data_leaves_other_layers_as_they_were():
    plain, spectral = nn.Linear(6, 5), parametrizations.spectral_norm(nn.Linear(5, 4))
    network = nn.Sequential(plain, spectral, parametrizations.weight_norm(nn.Linear(4, 3, bias=False))).eval()
    before = [weight.clone() for weight in network.state_dict().values()]
    models.initialise_from_data(network, images(20, (6,)))
    assert all(map(torch.equal, before, network.state_dict().values()))


def test_the_scales_of_hidden_layers_are_frozen_and_that_of_the_logits_is_trained():
    dense, trained = (models.MLPDiscriminator((9,), 3, (8, 6), train_hidden_scales=flag) for flag in (False, True))
    pooled = models.PooledDiscriminator((1, 8, 8), 3, channels=4)
    for network, scales in ((dense, [False] * 2), (trained, [True] * 2), (pooled, [False] * 9)):
        found = {name: p.requires_grad for name, p in network.named_parameters()}
        assert [flag for name, flag in found.items() if name.endswith("original0")] == [*scales, True]
        assert all(flag for name, flag in found.items() if not name.endswith("original0"))


def test_noise_has_mean_0_and_its_deviation_in_training_and_is_normal_to_the_layer_that_sums_it():
    """256 levels, none favoured; a sum over 250 of them, weighted at random, passes a test for normality."""
    drawn, weights = models.Noise(2.0)(torch.zeros(4000, 250)), torch.randn(250)
    levels, counts = drawn.unique(return_counts=True)
    assert (len(levels), stats.chisquare(counts.numpy()).pvalue > 1e-3) == (256, True)
    assert stats.kstest((drawn @ weights / (2 * weights.norm())).numpy(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, 0].numpy(), drawn[:, 1].numpy())[0, 1]) < 0.06  # neighbours share a random word
    for base in (torch.full((3, 200, 99), 2.0, dtype=dtype) for dtype in (torch.bfloat16, torch.float64)):
        noisy = models.Noise(0.6)(base)
        assert (noisy.dtype, noisy.shape) == (base.dtype, base.shape)
        assert (noisy.double().mean(), noisy.double().std()) == pytest.approx((2, 0.6), rel=0.01)
        assert torch.equal(models.Noise(0.6).eval()(base), base)


@pytest.mark.parametrize("sides", [(1, 1), (1, 4), (5, 3), (8, 8)])
@pytest.mark.parametrize("bias", [True, False])
def test_the_convolution_that_doubles_equals_doubling_and_a_convolution(sides, bias):
    fast = models.UpsampledConv(3, 4, bias=bias).double()
    plain = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3, padding=1, bias=bias)).double()
    plain[1].load_state_dict(fast.state_dict())  # the same names and shapes
    batch, results = torch.randn(2, 3, *sides, dtype=torch.float64, requires_grad=True), []
    for network in (plain, fast):
        output = network(batch)
        weighted = output.mul(torch.linspace(-1, 2, output.numel()).view_as(output)).sum()
        results.append([output, *torch.autograd.grad(weighted, [batch, *network.parameters()])])
    assert_close(*results, rtol=1e-12, atol=1e-12)  # borders are part of all of these


@pytest.mark.parametrize(("widths", "noise"), [((6,), 0.5), ((9, 6), 0.0)])
@pytest.mark.parametrize(("centre", "margin"), [(0.0, 0), (-1.0, 1), (None, 0), (None, 1)])
def test_the_dense_discriminator_by_hand(widths, noise, centre, margin):
    """Its features come before the noise that follows the last layer; None centres on the mean image."""
    network = models.MLPDiscriminator((1, 4, 4), 3, widths, 0.0, noise, centre=centre, margin=margin)
    models.initialise_from_data(network, batch := images(50, (1, 4, 4)) / 2)
    pixels = batch[:, 0, margin : 4 - margin, margin : 4 - margin].flatten(1)
    features = pixels - (pixels.mean(dim=0) if centre is None else centre)
    for layer in network.hidden:
        features = (features @ layer.weight.T + layer.bias).clamp(min=0)
    logits = features @ network.classes.weight.T + network.classes.bias
    assert_close(network(batch).features, features)
    assert torch.equal(network(batch).class_logits, network(batch).class_logits) == (not noise)
    assert_close(network.eval()(batch), models.DiscriminatorOutput(logits, features))


# Salimans 2016, code for SVHN: (channels, kernel, stride, padding); a number alone is the probability of a dropout
PUBLISHED = [0.2, *[(64, 3, 1, 1)] * 2, (64, 3, 2, 1), 0.5, *[(128, 3, 1, 1)] * 2, (128, 3, 2, 1), 0.5, (128, 3, 1, 0),
             *[(128, 1, 1, 0)] * 2]  # fmt: skip


def test_the_pooled_discriminator_is_the_published_one():
    network, hidden = models.PooledDiscriminator((3, 32, 32), 10), images(2, (3, 32, 32))
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [p for p in PUBLISHED if p in (0.2, 0.5)]
    features = network.eval()(hidden).features
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    for layer, (n_out, size, stride, padding) in zip(layers, filter(np.iterable, PUBLISHED), strict=True):
        assert layer.weight.shape == (n_out, hidden.shape[1], size, size)
        hidden = leaky(F.conv2d(hidden, layer.weight, layer.bias, stride, padding))
    assert hidden.shape == (2, 128, 6, 6)
    assert_close(features, hidden.sum(dim=(2, 3)) / 36)


def test_the_published_generator_has_no_scale_in_batch_norm_glorots_directions_and_a_sigmoid():
    """openai/improved-gan, train_mnist_feature_matching.py and nn.py; Lasagne's Glorot weights."""
    generator = models.MLPGenerator((1, 28, 28), as_published=True)
    latent, (_, first, _, _, second, _, output, *_) = generator.latent(5), generator.layers
    assert [(norm.weight.requires_grad, norm.eps) for norm in (first, second)] == [(False, 1e-6)] * 2
    directions, bound = g_and_v(output)[1], (6 / (500 + 784)) ** 0.5
    assert 0.99 * bound < directions.abs().max() <= bound
    assert directions.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
    assert_close(generator(latent).flatten(1), 2 * generator.layers[:-2](latent).sigmoid() - 1)


def test_the_margin_of_a_generated_image_stays_dark_and_the_rest_does_not():
    generated = models.MLPGenerator((2, 9, 7), margin=2).sample(50)
    inside = generated[:, :, 2:7, 2:5].clone()
    generated[:, :, 2:7, 2:5] = -1
    assert generated.shape == (50, 2, 9, 7)
    assert torch.equal(generated, torch.full_like(generated, -1))
    assert inside.std(dim=0).min() > 0


@pytest.mark.parametrize(("latents", "law"), LAWS, ids=["normal", "uniform", "symmetric"])
def test_latents_follow_their_law_and_the_random_numbers_that_are_passed(latents, law):
    network, before = models.Generator(20, latents, nn.Linear(20, 3)), torch.get_rng_state()
    first, second = (network.latent(500, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, second)
    assert not torch.equal(network.latent(3), network.latent(3))
    assert stats.kstest(first.flatten().numpy(), law.cdf).pvalue > 1e-3
    assert (latents.deviation, latents.bounded) == (pytest.approx(law.std()), law.support()[1] == 1)
    network.take_classes(500)
    assert network.classes.weight.std().item() == pytest.approx(law.std() / 10, rel=0.05)


def test_a_class_drawn_or_asked_for_does_what_its_one_hot_code_joined_to_the_latent_would_do():
    network = models.Generator(6, layers=nn.Linear(6, 5))
    latent, classes = network.latent(6), torch.tensor([0, 3, 3, 1, 2, 0])
    with pytest.raises(ValueError, match="classes must be"):
        network(latent, classes)
    network.take_classes(4)
    with pytest.raises(ValueError, match="classes must be"):
        network(latent)
    weight = torch.cat([network.layers.weight, network.layers.weight @ network.classes.weight.T], dim=1)
    joined = torch.cat([latent, F.one_hot(classes, 4)], dim=1)
    assert_close(network(latent, classes), F.linear(joined, weight, network.layers.bias))
    first, second = torch.Generator(), torch.Generator()
    drawn, latent = network.draw_classes(6, first.manual_seed(1)), network.latent(6, first)
    assert torch.equal(network.sample(6, second.manual_seed(1)), network(latent, drawn))
    latent = network.latent(6, first.manual_seed(1))
    assert torch.equal(network.sample(6, second.manual_seed(1), classes), network(latent, classes))
    assert stats.chisquare(network.draw_classes(5000).bincount(minlength=4).numpy()).pvalue > 1e-3


def test_encoder_generator_and_discriminator_of_pairs_by_hand():
    """Images in [0, 1] inside, and batch norm, of statistics 0 and 1 here, without weights (jeffdonahue/bigan)."""
    encoder, judge = models.Encoder((1, 4, 5), 9, 3).eval(), models.JointDiscriminator((1, 4, 5), 9, 3).eval()
    generator, scale = models.ReLUGenerator((1, 4, 5), 3, (9, 8)).eval(), (1 + 1e-5) ** -0.5
    x, z = images(4, (1, 4, 5)), generator.latent(4)
    inside = (x.flatten(1) + 1) / 2
    features = leaky(scale * encoder.hidden[0](leaky(encoder.body[1](inside))))
    assert_close(encoder(x), models.EncoderOutput(encoder.latent(features).tanh(), features))
    features = leaky(scale * judge.hidden[0](torch.cat([leaky(judge.body[1](inside)), z], dim=1)))
    assert_close(judge(images=x, latent=z), models.DiscriminatorOutput(judge.classes(features), features))
    hidden = (scale * generator.layers[0](z)).clamp(min=0)
    hidden = (scale * generator.layers[3](hidden)).clamp(min=0)
    assert_close(generator(z), generator.layers[6](hidden).tanh().view(4, 1, 4, 5))
    with pytest.raises(TypeError):  # by name only, so that no call can exchange the two
        judge(x, z)
