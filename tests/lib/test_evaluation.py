"""Error rates, intervals, pictures and features, against formulas by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from sgan_lib import evaluation, models, networks

LOGITS = torch.tensor([[5.0, 1, 0], [-3, -2, -9], [0, 0.1, 0.2], [7, 8, 9], [-1e4, -2e4, -3e4]])
CLASSES = [0, 1, 2, 2, 0]  # of the largest logit; a negative one counts too: "fake" is never an answer


class WithoutFloat64(torch.Tensor):  # as tensors of Apple's GPU
    double = None

    def cpu(self):
        return self.as_subclass(torch.Tensor)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("mode", [True, False])
def test_predictions_are_made_in_evaluation_mode_and_every_layer_keeps_its_mode(mode):
    network = nn.Sequential(nn.Dropout(0.9).train(mode), nn.Dropout(0.9).eval())
    network.forward = lambda images: [network[0](network[1](images))[:, [0, 1, 2]]]
    assert evaluation.predict(network, LOGITS).tolist() == CLASSES
    assert evaluation.error_rate(network, LOGITS, torch.tensor([0, 1, 1, 2, 2])) == pytest.approx(2 / 5)
    with pytest.raises(ValueError, match="logits must not be NaN"):
        evaluation.error_rate(network, LOGITS * math.nan, torch.tensor(CLASSES))
    with pytest.raises(ValueError, match=r"network cannot take images of shape \[2\]: IndexError: "):
        evaluation.predict(network, LOGITS[:, :2])
    assert [layer.training for layer in network.modules()] == [True, mode, False]


def test_outputs_come_whole_and_in_order_computed_where_the_network_is_returned_where_the_images_are():
    network = nn.Linear(1, 3, device="meta")
    network.forward = lambda x: (torch.full((len(x), 1), len(x)), torch.ones(len(x)) * x.is_meta)
    sizes, on_meta = evaluation.outputs(network, LOGITS, batch_size=2)
    assert (sizes.flatten().tolist(), on_meta.tolist()) == ([2, 2, 2, 2, 1], [1] * 5)
    assert evaluation.encode(network, LOGITS).features.sum() == 5


def test_large_images_go_in_a_few_at_a_time_and_a_lack_of_memory_is_named_as_such():
    network, seen = nn.Identity(), []
    network.forward = lambda images: (seen.append(len(images)) or images.flatten(1),)
    for shape in ((1, 8, 8), (1, 28, 28), (3, 128, 128), (1, 900, 900)):
        evaluation.outputs(network, torch.zeros(7, *shape), batch_size=200)
    assert seen == [7, 7, 3, 3, 1, *[1] * 7]  # 200 · 28² numbers are three times 3 · 128²
    network.forward = lambda images: (_ for _ in ()).throw(torch.OutOfMemoryError("no room"))
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        evaluation.outputs(network, LOGITS)


@pytest.mark.parametrize(
    ("returned", "got"),
    [(lambda x: x, "Tensor"), (lambda x: {"logits": x}, "dict"), (lambda x: (x, x.mean(dim=0)), r"\[\[4, 3\], \[3\]\]"),
     (lambda x: (x, x[:1]), r"\[\[4, 3\], \[1, 3\]\]"), (lambda x: (), "tuple"), (lambda x: (x, None), r", \[\]\]")],
)  # fmt: skip
def test_a_network_that_returns_no_rows_of_logits_and_features_is_refused(returned, got):
    network = nn.Identity()
    network.forward = returned
    with pytest.raises(ValueError, match=rf"network must return \(class_logits, features\), .*; got .*{got}"):
        evaluation.class_logits(network, LOGITS[:4])


@pytest.mark.parametrize(("wrong", "n"), [(0, 10), (93, 10_000), (10, 10)])
def test_the_wilson_interval_is_the_textbooks(wrong, n):
    p, z = wrong / n, 1.959963984540054
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert evaluation.wilson_interval(wrong, n) == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_the_interval_of_a_mean_is_students():
    # 1, 2, 4, 5, 8: mean 4, squared deviations 9 + 4 + 0 + 1 + 16 = 30, so the variance is 30 / 4 and its share 30 / 20
    half = 2.776 * math.sqrt(1.5)  # a printed table, 4 degrees of freedom
    assert evaluation.mean_interval([5.0, 1.0, 8.0, 2.0, 4.0]) == pytest.approx((4 - half, 4 + half), abs=1e-3)


def test_the_interval_of_a_mean_needs_two_values_and_has_no_width_where_they_agree():
    assert evaluation.mean_interval([0.25, 0.25]) == (0.25, 0.25)
    for few in ([0.25], [0.25, math.nan]):
        with pytest.raises(ValueError, match=r"values must hold at least 2 runs .*, all finite; got \[0.25"):
            evaluation.mean_interval(few)


@pytest.mark.parametrize("mode", [True, False])
def test_images_are_generated_of_the_classes_asked_for_in_evaluation_mode(mode):
    generator = networks.build("dcgan", (1, 8, 8), 1).generator
    generator.take_classes(3)
    latent, classes = generator.latent(4), torch.tensor([2, 0, 1, 1])
    expected = generator.eval()(latent, classes).detach()
    images = evaluation.generate(generator.train(mode), latent, classes)
    torch.testing.assert_close(images, expected)
    assert (generator.training, images.requires_grad) == (mode, False)
    assert torch.equal(evaluation.generate(models.Generator(100), latent), latent)  # which has no weights


def test_settled_statistics_are_those_of_the_inputs():
    network, inputs = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), random(1000, 3) * 5 + 2
    network(100 + inputs[:8])  # what it saw before does not count
    evaluation.settle(network, inputs, batch_size=500)
    before = network[0](inputs).detach()
    torch.testing.assert_close(network[1].running_mean, before.mean(dim=0))
    torch.testing.assert_close(network[1].running_var, before.var(dim=0), rtol=0.02, atol=0)  # the mean of two halves
    evaluation.settle(network, inputs[:501], batch_size=500)  # no batch of a single row, which batch norm refuses


def test_nearest_neighbours_are_those_of_a_loop():
    x, references, right = random(23, 5), random(40, 5, seed=1), 0
    for i in range(23):
        right += min(range(40), key=lambda j: math.dist(x[i], references[j])) % 3 == i % 3
    there = [each.as_subclass(WithoutFloat64) for each in (x, torch.arange(23) % 3, references, torch.arange(40) % 3)]
    accuracy = evaluation.nearest_neighbour_accuracy(*there, batch_size=7)
    assert accuracy == pytest.approx(right / 23)
    assert 0 < right < 23


def test_a_linear_classifier_is_that_at_the_minimum_of_the_penalised_cross_entropy():
    labels, test_labels = torch.arange(60) % 3, torch.arange(300) % 3
    features, test_features = (random(len(y), 4, seed=len(y)) + torch.eye(3, 4)[y] for y in (labels, test_labels))

    def logits(weights, inputs):
        scaled = (inputs - features.mean(dim=0)) / features.std(dim=0, correction=0)
        return scaled.numpy() @ weights[3:].reshape(4, 3) + weights[:3]

    def loss(weights, penalty=30):
        odds = np.exp(logits(weights, features) - logits(weights, features)[range(60), labels][:, None])
        return np.log(odds.sum(axis=1)).sum() + penalty / 2 * (weights[3:] ** 2).sum()

    answers = logits(minimize(loss, np.zeros(15)).x, test_features).argmax(axis=1)
    error = evaluation.linear_error(features, labels, test_features, test_labels, penalty=30)
    assert error == pytest.approx((answers != test_labels.numpy()).mean(), abs=1.5 / 300)


@pytest.mark.usefixtures("unchecked")
def test_the_share_of_the_class_is_that_of_an_analysis_of_variance():
    classes = torch.tensor([0, 0, 0, 2, 2, 5])  # of different sizes
    images = random(6, 1, 2, 2) + classes[:, None, None, None] / 5
    total = within = 0.0
    for pixel in images.flatten(1).T.tolist():
        total += sum((value - sum(pixel) / 6) ** 2 for value in pixel)
        for group in (pixel[:3], pixel[3:5], pixel[5:]):
            within += sum((value - sum(group) / len(group)) ** 2 for value in group)
    share = evaluation.class_share(images.as_subclass(WithoutFloat64), classes.as_subclass(WithoutFloat64))
    assert share == pytest.approx(1 - within / total)
    with pytest.raises(ValueError, match="images must differ from one another"):
        evaluation.class_share(torch.ones(6, 1, 2, 2), classes)
    with pytest.raises(ValueError, match=r"classes must have shape \[6\]; got \[2\]"):
        evaluation.class_share(images, classes[:2])


@pytest.mark.parametrize("images", [torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.full((2, 1, 8, 8), 255.0)])
def test_images_in_another_range_than_in_training_are_refused(images, unchecked):
    judge = networks.build("mlp_digits", (1, 8, 8), 10).discriminator
    with pytest.raises(ValueError, match=r"images must be floats in \[-1, 1\] .*; got torch\."):
        evaluation.predict(judge, images)
    with pytest.raises(ValueError, match=r"images must be floats in \[-1, 1\] .*; got shape \[1, 8, 8\]"):
        evaluation.predict(judge, torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match=r"network cannot take images of shape \[1, 9, 9\]: RuntimeError: "):
        evaluation.predict(judge, torch.zeros(2, 1, 9, 9))
    for labels in (torch.tensor([0]), torch.tensor([1, 10, 3]), torch.tensor([0.0, 1.0, 2.0])):
        with pytest.raises(ValueError, match=r"labels must have shape \[3\] and torch.int64 in \[0, 9\]; got"):
            evaluation.error_rate(judge, torch.zeros(3, 1, 8, 8), labels)


def test_images_in_double_precision_are_judged_as_those_in_single():
    judge, images = networks.build("mlp_digits", (1, 8, 8), 10).discriminator, random(50, 1, 8, 8).clamp(-1, 1)
    assert torch.equal(evaluation.class_logits(judge, images.double()), evaluation.class_logits(judge, images))
