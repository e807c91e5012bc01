"""Checks of semi-supervised GAN code: each passes sound code, reports broken code, and refuses what it cannot judge."""

import math

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from sgan_lib import checks, data, methods, models


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- the report


def test_a_report_says_whether_it_passed_what_was_measured_and_what_to_do():
    report = checks.Report(False, {"weights": ["a", "b"], "share": 0.123456}, "Look at a.")
    assert str(report) == "FAILED. weights: a, b; share: 0.123\nLook at a."
    assert str(checks.Report(True, {"weights": []}, "")) == "passed. weights: none"
    assert "and 3 more" in str(checks.Report(True, {"weights": list("abcdefghi")}, ""))
    with pytest.raises(AttributeError):
        report.passed = True


# --- every parameter gets a gradient


class Wired(nn.Module):
    """Three layers; `mistake` says what `forward` does wrong."""

    def __init__(self, mistake=None):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.mistake = mistake

    def forward(self, x):
        first = torch.tanh(self.first(x))
        second = torch.tanh(self.second(first))
        if self.mistake == "skips a layer":
            second = first
        if self.mistake == "detaches":
            second = second.detach()
        if self.mistake == "zeros":
            second = 0 * second
        return self.last(second)


@pytest.mark.parametrize(
    ("mistake", "unreached", "zero", "share"),
    [
        (None, [], [], 0.0),
        ("skips a layer", ["second.weight", "second.bias"], [], 30 / 73),
        ("detaches", ["first.weight", "first.bias", "second.weight", "second.bias"], [], 55 / 73),
        ("zeros", [], ["first.weight", "first.bias", "second.weight", "second.bias", "last.weight"], 70 / 73),
    ],
)
def test_parameters_without_a_gradient_are_named(mistake, unreached, zero, share):
    network = Wired(mistake)
    report = checks.gradients_arrive(network, network(random(6, 4)).square().sum())
    assert report.passed == (mistake is None)
    assert report.measured["not reached by the loss"] == unreached
    assert report.measured["reached, and all zeros"] == zero
    assert math.isclose(report.measured["share of idle weights"], share)
    assert bool(report.advice) == (mistake is not None)


def test_frozen_parameters_are_not_asked_and_the_graph_and_grads_stay():
    network = Wired()
    network.second.requires_grad_(False)
    loss = network(random(6, 4)).sum()
    assert checks.gradients_arrive(network, loss).measured["parameters"] == 4
    assert all(parameter.grad is None for parameter in network.parameters())
    loss.backward()


@pytest.mark.parametrize("name", ["sgan", "two_head", "feature_matching"])
def test_every_weight_of_the_librarys_players_learns(name):
    parts = data.load("digits", n_labels=50)
    batch = data.Batches(parts, 32, 32, seed=0).at(0)
    method = methods.METHODS[name]
    modules = method.modules(models.build("mlp_digits", parts.image_shape, parts.n_classes))
    for player, objective in method.objectives(methods.Weights()).items():
        loss = torch.stack(list(objective(modules, batch).values())).sum()
        assert checks.gradients_arrive(modules[player], loss).passed, player


def test_a_loss_or_network_that_cannot_be_checked_is_refused():
    network = Wired()
    with pytest.raises(ValueError, match=r"loss must be a scalar that carries a gradient; got shape \[6, 3\]"):
        checks.gradients_arrive(network, network(random(6, 4)))
    with pytest.raises(ValueError, match="requires_grad=False"):
        checks.gradients_arrive(network, torch.tensor(1.0))
    with pytest.raises(ValueError, match="network must have trainable parameters"):
        checks.gradients_arrive(network.requires_grad_(False), torch.tensor(1.0, requires_grad=True))


# --- logits


@pytest.mark.parametrize("n_classes", [2, 10, 11])
def test_a_softmax_is_found_and_its_least_loss_is_right(n_classes):
    outputs = random(20, n_classes)
    assert checks.outputs_are_logits(outputs).passed
    report = checks.outputs_are_logits(outputs.softmax(dim=1))
    assert not report.passed
    assert report.measured["looks like"] == "probabilities"
    certain = F.one_hot(torch.arange(n_classes)).double()
    least = F.cross_entropy(certain, torch.arange(n_classes)).item()
    assert math.isclose(report.measured["least possible loss"], least, rel_tol=1e-6)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_half_the_bits_hide_no_softmax(precision):
    outputs = random(200, 10)
    assert checks.outputs_are_logits(outputs.to(precision)).passed
    found = [checks.outputs_are_logits(f(dim=1).to(precision)) for f in (outputs.softmax, outputs.log_softmax)]
    assert [report.measured["looks like"] for report in found] == ["probabilities", "log-probabilities"]


@pytest.mark.parametrize("shape", [(20,), (20, 1)])
def test_a_sigmoid_is_found_and_its_least_loss_is_right(shape):
    outputs = random(*shape)
    assert checks.outputs_are_logits(outputs).passed
    report = checks.outputs_are_logits(outputs.sigmoid())
    assert report.measured["looks like"] == "probabilities"
    least = F.binary_cross_entropy_with_logits(torch.ones(1), torch.ones(1)).item()
    assert math.isclose(report.measured["least possible loss"], least, rel_tol=1e-6)


def test_log_probabilities_are_found_and_large_logits_are_logits():
    outputs = random(20, 10)
    assert checks.outputs_are_logits(outputs.log_softmax(dim=1)).measured["looks like"] == "log-probabilities"
    assert checks.outputs_are_logits(1e4 * outputs).passed
    assert checks.outputs_are_logits(outputs.sigmoid()).passed  # within [0, 1], but no rows of probabilities


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (torch.zeros(2, 3, 4), r"outputs must be \[batch\] or \[batch, classes\] .*; got \[2, 3, 4\]"),
        (torch.zeros(1, 3), "with 2 rows or more"),
        (torch.full((4, 3), math.nan), "outputs must be finite"),
    ],
)
def test_outputs_that_cannot_be_judged_are_refused(outputs, message):
    with pytest.raises(ValueError, match=message):
        checks.outputs_are_logits(outputs)


def test_labels_in_place_of_outputs_are_refused():
    with pytest.raises(TypeError, match=r"outputs must be a tensor of floating-point numbers; got torch\.int64"):
        checks.outputs_are_logits(torch.arange(5))


# --- company


def judge(batch_norm, n_classes=1):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return models.ConvDiscriminator((1, 8, 8), n_classes, (4, 6), 3, dropout=0.5, batch_norm=batch_norm)


@pytest.mark.parametrize("n_classes", [1, 10])
def test_batch_norm_makes_the_verdict_depend_on_the_company(n_classes):
    real, fake = random(20, 1, 8, 8), random(30, 1, 8, 8, seed=1) + 2
    assert checks.company_changes_nothing(judge(False, n_classes), real, fake).passed
    report = checks.company_changes_nothing(judge(True, n_classes), real, fake)
    assert not report.passed
    assert report.measured["largest change of a logit"] > 0.01


def test_the_share_of_turned_verdicts_is_counted():
    centre = nn.BatchNorm1d(1, eps=1e-12)  # a logit is above 0 where its number is above the batch's mean
    real, fake = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [-2.0], [-6.0]])  # means 4 and -3, together -0.2
    report = checks.company_changes_nothing(centre, real, fake)
    assert report.measured["verdicts turned, real"] == 0.5
    assert math.isclose(report.measured["verdicts turned, fake"], 2 / 3, rel_tol=1e-6)


def test_company_leaves_the_network_and_the_random_numbers_as_they_were():
    network = judge(batch_norm=True)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state = torch.get_rng_state()
    checks.company_changes_nothing(network, random(4, 1, 8, 8), random(4, 1, 8, 8))
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_a_network_of_plain_logits_can_be_asked():
    plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    assert checks.company_changes_nothing(plain, random(4, 1, 8, 8), random(4, 1, 8, 8)).passed


def test_too_few_images_are_refused():
    with pytest.raises(ValueError, match="at least 2 images each; got 1 and 4"):
        checks.company_changes_nothing(judge(False), random(1, 1, 8, 8), random(4, 1, 8, 8))


# --- hidden labels


@pytest.fixture
def parts():
    return data.load("digits", n_labels=50)


def test_the_librarys_data_keep_hidden_labels_out_of_reach(parts):
    for given in (parts, data.Batches(parts, 64, 50, seed=0), data.Batches(parts, 64, 50, seed=0).at(0)):
        assert checks.hidden_labels_out_of_reach(given, n_hidden=1247, n_classes=10).passed


class WithTargets:
    def __init__(self, targets):
        self.inside = {"targets": targets}


class Slotted:
    __slots__ = ("nothing", "targets")

    def __init__(self, targets):
        self.targets = targets


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (
            lambda images, labels: DataLoader(Subset(TensorDataset(images, labels), [0, 1])),
            ".dataset.dataset.tensors[1]",
        ),
        (lambda images, labels: WithTargets(labels.tolist()), ".inside['targets']"),
        (lambda images, labels: WithTargets(labels.numpy()[:, None] + 1), ".inside['targets']"),
        (lambda images, labels: (images, labels), "[1]"),
        (lambda images, labels: list(zip(images, labels.tolist(), strict=True)), "[:][1]"),
        (lambda images, labels: list(zip(labels, images, strict=True)), "[:][0]"),
        (lambda images, labels: list(labels), "the object itself"),
        (lambda images, labels: list(labels.numpy()), "the object itself"),
        (lambda images, labels: list(zip(images, labels.numpy(), strict=True)), "[:][1]"),
        (lambda images, labels: pd.DataFrame({"digit": labels.numpy()}), "['digit']"),
        (lambda images, labels: (images.bfloat16(), labels), "[1]"),
        (lambda images, labels: Slotted(labels), ".targets"),
        (lambda images, labels: {"a.long.name.with.seven.dots.in.it": labels}, "['a.long.name.with.seven.dots.in.it']"),
        (lambda images, labels: labels, "the object itself"),
    ],
    ids=[
        "a loader over a subset",
        "a list",
        "an array that counts from 1",
        "a tuple",
        "pairs",
        "pairs turned round",
        "a list of tensors",
        "a list of numpy's integers",
        "pairs with numpy's integers",
        "a table of pandas",
        "images in bfloat16",
        "slots",
        "a key with dots",
        "a tensor",
    ],
)
def test_hidden_labels_within_reach_are_found_with_the_way_to_them(wrap, path):
    raw = data.read("digits").train
    report = checks.hidden_labels_out_of_reach(wrap(raw.images, raw.labels), n_hidden=1297, n_classes=10)
    assert not report.passed
    assert report.measured["rows of numbers that could be labels"] == [f"{path} (1347 numbers)"]


def test_positions_masks_and_images_are_no_labels():
    given = [torch.arange(2000), torch.ones(2000, dtype=torch.int64), torch.randint(9, (2000, 8, 8)), torch.rand(2000)]
    given.append(given)  # and an object that holds itself ends the walk
    assert checks.hidden_labels_out_of_reach(given, n_hidden=1000, n_classes=10).passed


@pytest.mark.parametrize("argument", ["n_hidden", "n_classes"])
def test_sizes_of_what_is_hidden_are_checked(argument):
    with pytest.raises(ValueError, match=f"{argument} must be a whole number"):
        checks.hidden_labels_out_of_reach([], **({"n_hidden": 5, "n_classes": 5} | {argument: 0}))


LABELS = torch.arange(40) % 4
KNOWN = torch.arange(40) < 8


def trainer(rows, weight=1.0):
    """Class means of 40 fixed points, over these rows and by the labels given: training without randomness."""
    points = random(40, 3)

    def train(labels):
        return weight * torch.stack([points[rows][labels[rows] == k].sum(dim=0) for k in range(4)])

    return train


def test_training_on_hidden_labels_is_found_however_little_it_does():
    assert checks.hidden_labels_change_nothing(trainer(KNOWN), LABELS, KNOWN).passed
    for weight in (1.0, 1e-6):
        report = checks.hidden_labels_change_nothing(trainer(slice(None), weight), LABELS, KNOWN)
        assert not report.passed
        assert report.measured["hidden labels changed"] > 10
        assert report.measured["largest difference"] > 0


def test_a_shuffle_that_changes_nothing_proves_nothing():
    labels = torch.tensor([0, 1, 0, 1])
    with pytest.raises(ValueError, match="seed 0 shuffles the hidden labels into the order that they have"):
        checks.hidden_labels_change_nothing(lambda given: given.float(), labels, torch.arange(4) < 2, seed=0)


def test_the_labels_that_are_known_are_left_alone():
    seen = []
    checks.hidden_labels_change_nothing(lambda labels: seen.append(labels) or torch.zeros(1), LABELS, KNOWN, seed=3)
    assert len(seen) == 3
    for labels in seen:
        assert torch.equal(labels[KNOWN], LABELS[KNOWN])
        assert torch.equal(labels.sort().values, LABELS.sort().values)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_training_that_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="train must give the same numbers for the same labels"):
        checks.hidden_labels_change_nothing(lambda labels: torch.rand(3), LABELS, KNOWN)
    with pytest.raises(ValueError, match="at least two classes hidden"):
        checks.hidden_labels_change_nothing(trainer(KNOWN), LABELS, torch.ones(40, dtype=torch.bool))


# --- the labelled set


def test_a_labelled_set_that_is_drawn_once_passes_and_one_drawn_anew_does_not():
    once, images = torch.arange(50), random(60, 1, 4, 4)
    assert checks.labelled_set_stays([once, once.flip(0), once[:40], once.repeat(2)], n_labels=50).passed
    assert checks.labelled_set_stays([images[:50], images[:50].flip(0)], n_labels=50).passed
    for epochs in ([once, once + 1], [images[:50], images[1:51]]):
        report = checks.labelled_set_stays(epochs, n_labels=50)
        assert not report.passed
        assert report.measured == {"epochs": 2, "labels claimed": 50, "different labels used": 51}


def test_one_epoch_says_nothing():
    with pytest.raises(ValueError, match="epochs must hold at least 2 epochs; got 1"):
        checks.labelled_set_stays([torch.arange(5)], n_labels=5)
    with pytest.raises(ValueError, match="n_labels must be a whole number of at least 1; got 0"):
        checks.labelled_set_stays([torch.arange(5)] * 2, n_labels=0)


def test_the_librarys_batches_keep_to_their_labels(parts):
    batches = data.Batches(parts, 64, 25, seed=0)
    assert checks.labelled_set_stays([batches.at(step).images for step in range(40)], n_labels=50).passed
