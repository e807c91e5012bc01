"""Error rates, intervals and pictures, against formulas by hand."""

import math

import pytest
import torch
from torch import nn

from sgan_lib import evaluation, models


class Table(nn.Module):
    """A "discriminator" whose logits are given: image i holds the number i. Its logits are wrong in training mode."""

    def __init__(self, logits):
        super().__init__()
        self.logits = logits

    def forward(self, images):
        logits = self.logits[images.flatten().long()]
        return models.DiscriminatorOutput(-logits if self.training else logits, logits)


LOGITS = torch.tensor([[5.0, 1, 0], [-3, -2, -9], [0, 0.1, 0.2], [7, 8, 9], [-1e4, -2e4, -3e4]])
CLASSES = [0, 1, 2, 2, 0]  # of the largest logit; a negative one counts too: "fake" is never an answer
IMAGES = torch.arange(5.0).reshape(5, 1, 1, 1)


def test_logits_come_in_order_whatever_the_parts():
    for size in (1, 2, 5, 100):
        assert torch.equal(evaluation.class_logits(Table(LOGITS), IMAGES, batch_size=size), LOGITS)


@pytest.mark.parametrize("mode", [True, False])
def test_predictions_are_made_in_evaluation_mode_and_the_mode_is_restored(mode):
    table = Table(LOGITS).train(mode)
    assert evaluation.predict(table, IMAGES).tolist() == CLASSES
    assert table.training is mode
    with pytest.raises(IndexError):
        evaluation.predict(table, IMAGES + 10)
    assert table.training is mode


def test_a_layer_that_was_frozen_stays_so():
    network = nn.ModuleDict({"frozen": nn.BatchNorm1d(2), "other": nn.Dropout()})
    network["frozen"].eval()
    network.forward = lambda images: models.DiscriminatorOutput(images, images)
    evaluation.predict(network, torch.zeros(3, 2))
    assert [network.training, network["frozen"].training, network["other"].training] == [True, False, True]


def test_logits_and_latents_are_where_the_images_are_and_computed_where_the_network_is():
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 3)).to("meta")
    seen = []

    def forward(images):
        seen.append(images.device.type)
        return models.DiscriminatorOutput(torch.zeros(len(images), 3), torch.zeros(len(images), 3))

    network.forward = forward
    assert evaluation.class_logits(network, IMAGES).device.type == "cpu"
    encoded = evaluation.encode(network, IMAGES)
    assert encoded.latent.device.type == encoded.features.device.type == "cpu"
    assert seen == ["meta", "meta"]


def test_logits_that_are_no_numbers_are_no_answers():
    with pytest.raises(ValueError, match="logits must not be NaN"):
        evaluation.error_rate(Table(LOGITS * math.nan), IMAGES, torch.zeros(5, dtype=torch.int64))


def test_the_error_rate_is_the_share_of_wrong_answers():
    labels = torch.tensor([0, 1, 1, 2, 2])
    assert evaluation.error_rate(Table(LOGITS), IMAGES, labels) == pytest.approx(2 / 5)
    assert evaluation.error_rate(Table(LOGITS), IMAGES, torch.tensor(CLASSES)) == 0


def test_the_confusion_matrix_counts_true_classes_by_row():
    generator = torch.Generator().manual_seed(0)
    predictions, labels = torch.randint(0, 4, (2, 50), generator=generator)
    counts = [[0] * 5 for _ in range(5)]  # a class that never occurs keeps its row and column
    for prediction, label in zip(predictions.tolist(), labels.tolist(), strict=True):
        counts[label][prediction] += 1
    assert evaluation.confusion_matrix(predictions, labels, 5).tolist() == counts


@pytest.mark.parametrize(("wrong", "n"), [(0, 10), (1, 10), (93, 10_000), (5000, 10_000), (10, 10)])
@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959963984540054), (0.99, 2.5758293035489004)])
def test_the_wilson_interval_is_the_textbooks(wrong, n, confidence, z):
    p = wrong / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = evaluation.wilson_interval(wrong, n, confidence)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-12)
    assert 0 <= low <= p <= high <= 1


def test_the_bootstrap_interval_repeats_and_covers_the_mean():
    values = [0.0512, 0.0731, 0.0405, 0.1217, 0.0623, 0.0488, 0.0941, 0.0309]
    low, high = evaluation.bootstrap_interval(values)
    assert (low, high) == evaluation.bootstrap_interval(values)
    assert (low, high) != evaluation.bootstrap_interval(values, seed=1)
    mean = sum(values) / 8
    standard_error = math.sqrt(sum((v - mean) ** 2 for v in values)) / 8  # of resampled means: spread over n, by √n
    assert low == pytest.approx(mean - 1.96 * standard_error, abs=0.004)
    assert high == pytest.approx(mean + 1.96 * standard_error, abs=0.004)
    narrow = evaluation.bootstrap_interval(values, confidence=0.5)
    assert low < narrow[0] < mean < narrow[1] < high


def test_the_bootstrap_of_equal_values_is_that_value_and_of_one_value_is_refused():
    assert evaluation.bootstrap_interval([0.25, 0.25, 0.25]) == (0.25, 0.25)
    with pytest.raises(ValueError, match="values must hold at least 2 runs for an interval; got 1"):
        evaluation.bootstrap_interval([0.25])


def test_a_sample_grid_is_one_picture_between_0_and_1():
    images = torch.stack([torch.full((1, 2, 3), value) for value in (-1.0, 0.0, 1.0, 7.0, -7.0)])
    grid = evaluation.sample_grid(images, per_row=3)
    assert grid.shape == (3, 2 * 3 + 1, 3 * 4 + 1)  # two rows of three, a pixel of frame around each
    corners = [grid[:, 1 + 3 * (i // 3), 1 + 4 * (i % 3)].tolist() for i in range(5)]
    assert corners == [[0.0] * 3, [0.5] * 3, [1.0] * 3, [1.0] * 3, [0.0] * 3]
    assert grid[0, 0].tolist() == [0.5] * 13
    assert not grid.requires_grad


@pytest.mark.parametrize("mode", [True, False])
def test_generated_images_come_from_the_given_latents_in_evaluation_mode(mode):
    generator = models.build("dcgan", (1, 8, 8), 1).generator.train(mode)
    latent = generator.latent(5, torch.Generator().manual_seed(0))
    before = [buffer.clone() for buffer in generator.buffers()]
    first, again = (evaluation.generate(generator, latent) for _ in range(2))
    assert torch.equal(first, again)
    assert first.shape == (5, 1, 8, 8)
    assert generator.training is mode
    assert not first.requires_grad
    assert all(torch.equal(old, new) for old, new in zip(before, generator.buffers(), strict=True))
    torch.testing.assert_close(generator.eval()(latent).detach(), first)
    torch.testing.assert_close(evaluation.generate(generator, latent[:1]), first[:1])


def test_many_latents_go_through_a_generator_with_batch_statistics():
    generator = models.build("mlp_2d", (2,), 1).generator
    assert evaluation.generate(generator, generator.latent(1001)).shape == (1001, 2)


# --- an encoder's features


def test_the_encoder_is_read_in_evaluation_mode_whole_and_left_as_it_was():
    encoder = models.build("bigan_digits", (1, 8, 8), 1).encoder.train()
    images = torch.rand(11, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    evaluation.settle(encoder, images)
    before = [buffer.clone() for buffer in encoder.buffers()]
    found = evaluation.encode(encoder, images, batch_size=4)
    assert encoder.training
    assert all(torch.equal(old, new) for old, new in zip(before, encoder.buffers(), strict=True))
    assert not found.latent.requires_grad
    for one, other in zip(found, encoder.eval()(images), strict=True):
        torch.testing.assert_close(one, other.detach())


@pytest.mark.parametrize("mode", [True, False])
def test_settled_statistics_are_those_of_the_inputs(mode):
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).train(mode)
    network(100 + torch.randn(8, 3))  # what it saw before does not count
    inputs = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * 5 + 2
    evaluation.settle(network, inputs, batch_size=500)
    seen = network[0](inputs).detach()
    torch.testing.assert_close(network[1].running_mean, seen.mean(dim=0))
    torch.testing.assert_close(network[1].running_var, seen.var(dim=0), rtol=0.02, atol=0)  # the mean of two halves
    assert network.training is mode
    evaluation.settle(network, inputs[:501], batch_size=500)  # no batch of one is left over


def test_nearest_neighbours_are_those_of_a_search_one_by_one():
    generator = torch.Generator().manual_seed(0)
    features, references = torch.randn(23, 5, generator=generator), torch.randn(40, 5, generator=generator)
    labels, of_references = (torch.randint(0, 3, (n,), generator=generator) for n in (23, 40))
    right = 0
    for feature, label in zip(features.tolist(), labels.tolist(), strict=True):
        distances = [math.dist(feature, reference) for reference in references.tolist()]
        right += label == of_references[distances.index(min(distances))]
    assert 0 < right < 23
    for batch_size in (23, 7):
        found = evaluation.nearest_neighbour_accuracy(features, labels, references, of_references, batch_size)
        assert found == pytest.approx(right / 23)


def test_a_linear_classifier_minimises_what_it_says_it_does():
    """Its error is that of the minimum of the penalised cross-entropy, found here by another optimiser."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    features = torch.randn(60, 4, generator=generator) + torch.eye(3, 4)[labels]
    test_labels = torch.arange(300) % 3
    test_features = torch.randn(300, 4, generator=generator) + torch.eye(3, 4)[test_labels]
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0)
    scaled, test_scaled = ((f - mean) / deviation for f in (features, test_features))
    for penalty in (1.0, 30.0):
        weight, bias = torch.zeros(3, 4, requires_grad=True), torch.zeros(3, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn="strong_wolfe")

        def loss(weight=weight, bias=bias, optimizer=optimizer, penalty=penalty):
            optimizer.zero_grad()
            logits = scaled @ weight.T + bias
            value = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            value = value + penalty / 2 * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)
        wrong = ((test_scaled @ weight.T + bias).argmax(dim=1) != test_labels).double().mean().item()
        found = evaluation.linear_error(features, labels, test_features, test_labels, penalty)
        assert found == pytest.approx(wrong, abs=1.5 / 300)


def test_a_linear_classifier_bears_a_feature_that_never_varies():
    features, labels = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.1, 1.0], [0.9, 1.0]]), torch.tensor([0, 1, 0, 1])
    assert evaluation.linear_error(features, labels, features, labels) == 0


def test_images_are_generated_of_the_classes_asked_for():
    generator = models.build("dcgan", (1, 8, 8), 1).generator
    generator.take_classes(3)
    latent, classes = generator.latent(4), torch.tensor([2, 0, 1, 1])
    found = evaluation.generate(generator, latent, classes)
    torch.testing.assert_close(found, generator.eval()(latent, classes).detach())
    assert not torch.allclose(found, evaluation.generate(generator, latent, torch.zeros(4, dtype=torch.long)))


def test_the_share_of_the_class_is_that_of_an_analysis_of_variance():
    random = torch.Generator().manual_seed(0)
    classes = torch.tensor([0, 0, 0, 2, 2, 5])  # of different sizes
    images = torch.rand(6, 1, 2, 2, generator=random) + classes[:, None, None, None] / 5
    total = within = 0.0
    for place in range(4):
        pixel = images.flatten(1)[:, place].tolist()
        mean = sum(pixel) / 6
        total += sum((value - mean) ** 2 for value in pixel)
        for group in (pixel[:3], pixel[3:5], pixel[5:]):
            within += sum((value - sum(group) / len(group)) ** 2 for value in group)
    assert evaluation.class_share(images, classes) == pytest.approx(1 - within / total)


def test_the_share_of_the_class_is_1_where_it_decides_all_and_0_where_it_decides_nothing():
    two = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
    assert evaluation.class_share(two.repeat(3, 1, 1, 1), torch.tensor([0, 1] * 3)) == pytest.approx(1)
    assert evaluation.class_share(two.repeat(2, 1, 1, 1), torch.tensor([0, 0, 1, 1])) == pytest.approx(0)
    with pytest.raises(ValueError, match="images must differ from one another; all of them are the same"):
        evaluation.class_share(torch.ones(4, 1, 2, 2), torch.tensor([0, 0, 1, 1]))
