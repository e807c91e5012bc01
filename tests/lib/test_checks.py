"""Checks of semi-supervised GAN code: each passes sound code, reports broken code, and refuses what it cannot judge."""

from dataclasses import make_dataclass

import jaxtyping
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

from sgan_lib import checks, data, models


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_report_tells_what_was_measured_and_where_it_failed_what_to_do():
    report = checks.Report(False, {"weights": list("abcdefgh"), "none": [], "share": 0.123456, "n": 5}, "Look at a.")
    assert str(report) == "FAILED. weights: a, b, c, d, e, f and 2 more; none: none; share: 0.123; n: 5\nLook at a."
    assert str(checks.Report(True, {"weights": ["a"]}, "Look at a.")) == "passed. weights: a"


@pytest.mark.parametrize(
    ("spoil", "unreached", "zero", "share"),
    [(lambda x, hidden: hidden, [], [], 0), (lambda x, hidden: x, ["first.weight", "first.bias"], [], 20 / 35),
     (lambda x, hidden: 0 * hidden, [], ["first.weight", "first.bias", "last.weight"], 32 / 35)],
)  # fmt: skip
def test_parameters_without_a_gradient_are_named(spoil, unreached, zero, share):
    network, x = nn.ModuleDict({"first": nn.Linear(4, 4), "last": nn.Linear(4, 3)}), random(6, 4)  # 20 and 15 weights
    loss = network["last"](spoil(x, network["first"](x))).square().sum()
    report = checks.gradients_arrive(network, loss)
    assert report.passed == (share == 0)
    assert list(report.measured.values()) == [4, unreached, zero, pytest.approx(share)]
    network["first"].requires_grad_(False)
    assert checks.gradients_arrive(network, loss).measured["parameters"] == 2  # the graph is there still
    assert network["last"].weight.grad is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("k", [1, 2, 11])
def test_outputs_that_are_no_logits_are_named_with_the_least_loss_they_leave(k, dtype):
    outputs = random(200, k)
    for sound in (outputs, 1e4 * outputs, outputs.sigmoid() + 1):
        assert checks.outputs_are_logits(sound.to(dtype)).passed
    probabilities, least = outputs.sigmoid().squeeze(1), F.softplus(torch.tensor(-1.0))
    if k > 1:
        probabilities, least = outputs.softmax(dim=1), F.cross_entropy(torch.eye(k), torch.arange(k))
        log_probabilities = outputs.log_softmax(dim=1).to(dtype)
        assert checks.outputs_are_logits(log_probabilities).measured["looks like"] == "log-probabilities"
    report = checks.outputs_are_logits(probabilities.to(dtype))
    assert (report.passed, report.measured["looks like"]) == (False, "probabilities")
    assert report.measured["least possible loss"] == pytest.approx(least.item())


@pytest.mark.parametrize("n_classes", [1, 10])
def test_batch_norm_makes_the_verdict_depend_on_the_batch(n_classes):
    real, fake = random(20, 1, 8, 8), random(30, 1, 8, 8, seed=1) + 2
    for batch_norm in (False, True):
        judge = models.ConvDiscriminator((1, 8, 8), n_classes, (4, 6), 3, dropout=0.5)
        judge.convolutions[0] = nn.Sequential(judge.convolutions[0], nn.BatchNorm2d(4) if batch_norm else nn.Identity())
        before = {name: tensor.clone() for name, tensor in judge.state_dict().items()}
        assert checks.batch_changes_nothing(judge, real, fake).passed != batch_norm
        assert judge.training
        assert all(tensor.equal(before[name]) for name, tensor in judge.state_dict().items())


def test_the_share_of_turned_verdicts_is_counted():
    centre = nn.Sequential(nn.BatchNorm1d(1, eps=1e-12), nn.Flatten(0))  # above 0 where above the batch's mean
    real, fake = torch.tensor([[3.0], [5.0]]), torch.tensor([[-1.0], [-2.0], [-6.0]])  # means 4 and -3, together -0.2
    assert [*checks.batch_changes_nothing(centre, real, fake).measured.values()][1:] == [0.5, pytest.approx(2 / 3)]


Slotted = make_dataclass("Slotted", ["targets"], slots=True)
WITHIN_REACH = {  # what holds images x and labels y, and where the labels are
    "loader": (lambda x, y: DataLoader(Subset(TensorDataset(x, y), [0])), ".dataset.dataset.tensors[1]"),
    "slots": (lambda x, y: Slotted({"a.key": y.numpy()[:, None] + 1}), ".targets['a.key']"),
    "tuple": (lambda x, y: (x.bfloat16(), y), "[1]"),
    "pairs": (lambda x, y: list(zip(x, y.tolist(), strict=True)), "[:][1]"),
    "pairs of arrays": (lambda x, y: list(zip(y.numpy(), x.numpy(), strict=True)), "[:][0]"),
    "pairs of tensors": (lambda x, y: {"train": list(zip(x, y, strict=True))}, "['train'][:][1]"),
    "list": (lambda x, y: list(y), "the object itself"),
    "table": (lambda x, y: pd.DataFrame({"digit": y.numpy()}), "['digit']"),
}


@pytest.mark.parametrize(("hold", "path"), WITHIN_REACH.values(), ids=WITHIN_REACH)
def test_hidden_labels_within_reach_are_reported_with_the_way_to_them(hold, path):
    report = checks.hidden_labels_out_of_reach(hold(random(90, 1, 2, 2), torch.arange(90) % 10), 90, n_classes=10)
    assert (report.passed, *report.measured.values()) == (False, [f"{path} (90 numbers)"])


def test_positions_masks_images_and_the_librarys_data_hold_no_hidden_labels():
    batches = data.Batches(parts := data.load("digits", n_labels=50), 64, 50, seed=0)
    rows = [torch.arange(2000), torch.ones(2000).long(), torch.arange(4000).view(-1, 2) % 9, random(2000), "text"]
    rows += [rows, parts, batches, batches.at(0)]  # an object that holds itself ends the walk
    assert checks.hidden_labels_out_of_reach(rows, n_hidden=1247, n_classes=10).passed


LABELS, KNOWN = torch.arange(40) % 4, torch.arange(40) < 8


def class_sums(rows):
    """Training without randomness: the sums of these rows of 40 points, by their labels."""
    return lambda labels: 1e-6 * torch.stack([random(40, 3)[rows][labels[rows] == k].sum(dim=0) for k in range(4)])


def test_training_on_hidden_labels_is_reported_however_little_it_does():
    assert checks.hidden_labels_change_nothing(class_sums(KNOWN), LABELS, KNOWN).passed
    report = checks.hidden_labels_change_nothing(class_sums(slice(None)), LABELS, KNOWN)
    assert report.measured["hidden labels changed"] > 10
    assert (report.passed, report.measured["largest difference"] > 0) == (False, True)


@pytest.mark.parametrize("rows", [torch.arange(60), random(60, 1, 4, 4)], ids=["positions", "images"])
def test_a_labelled_set_that_is_drawn_once_passes_and_one_drawn_anew_does_not(rows):
    once = rows[:50]
    assert checks.labelled_set_stays([once, once.flip(0), once[:40], torch.cat([once, once])], n_labels=50).passed
    report = checks.labelled_set_stays([once, rows[1:51]], n_labels=50)
    assert (report.passed, report.measured["different labels used"]) == (False, 51)


@pytest.mark.parametrize(
    ("check", "error", "message"),
    [(lambda: checks.gradients_arrive(nn.Linear(1, 1), torch.tensor(1.0)), ValueError, "requires_grad=False"),
     (lambda: checks.gradients_arrive(nn.Linear(1, 1), torch.ones(6, 3)), ValueError, r"loss must be .* \[6, 3\]"),
     (lambda: checks.gradients_arrive(nn.Linear(1, 1), 1.0), ValueError, r"loss must be a scalar .*; got 1\.0"),
     (lambda: checks.gradients_arrive(nn.ReLU(), torch.tensor(1.0)), ValueError, "network must have trainable"),
     (lambda: checks.outputs_are_logits(torch.ones(4, 3).long()), TypeError, "outputs must be .* got torch.int64"),
     (lambda: checks.hidden_labels_out_of_reach([], 0, 5), ValueError, "n_hidden must be a whole number"),
     (lambda: checks.hidden_labels_out_of_reach([], 5, 1), ValueError, "n_classes must be a whole number"),
     (lambda: checks.labelled_set_stays([LABELS, LABELS], n_labels=0), ValueError, "n_labels must be a whole"),
     (lambda: checks.outputs_are_logits(random(1, 3)), ValueError, "outputs must be .* 2 rows or more"),
     (lambda: checks.outputs_are_logits(random(4, 3) / 0), ValueError, "outputs must be finite"),
     (lambda: checks.batch_changes_nothing(nn.Linear(2, 1), random(1, 2), random(2, 2)), ValueError, "at least 2"),
     (lambda: checks.hidden_labels_change_nothing(lambda y: torch.rand(3), LABELS, KNOWN), ValueError, "seed every"),
     (lambda: checks.hidden_labels_change_nothing(lambda y: y / y.sum() / 0, LABELS, KNOWN), ValueError, "gave NaN"),
     (lambda: checks.hidden_labels_change_nothing(class_sums(KNOWN), LABELS, KNOWN | ~KNOWN), ValueError, "known"),
     (lambda: checks.labelled_set_stays([torch.arange(5)], n_labels=5), ValueError, "epochs must hold at least 2")],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_by_name(check, error, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # users have no checks of signatures
    with pytest.raises(error, match=message):
        check()
