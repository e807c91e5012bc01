"""The measures of generated digits: against the closed formulas, and on digits that are known to be good or bad."""

import ast
import json

import numpy as np
import pytest
import scipy.linalg
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

from sgan_lib import data, evaluation, models, quality

N = 1000


def scaled(images):
    return images.float() / 127.5 - 1


@pytest.fixture(scope="module")
def mnist():
    return data.read("mnist")


@pytest.fixture(scope="module")
def real(mnist):
    """Training images, none of which is in the reference."""
    others = np.setdiff1d(np.arange(60_000), quality.reference_indices())
    return scaled(mnist.train.images[others[:N]])


@pytest.fixture(scope="module")
def real_quality(real):
    return quality.sample_quality(real)


def seen(images):
    output = quality.digit_classifier()(images)
    return output.features.double().numpy(), output.class_logits.double().numpy()


def test_the_distance_is_the_closed_formula(mnist, real, real_quality):
    features, reference = seen(real)[0], seen(scaled(mnist.train.images[quality.reference_indices()]))[0]
    assert features.shape == (N, 128)
    covariance, reference_covariance = np.cov(features.T), np.cov(reference.T)
    root = scipy.linalg.sqrtm(covariance @ reference_covariance)
    squares = ((features.mean(axis=0) - reference.mean(axis=0)) ** 2).sum()
    by_hand = squares + np.trace(covariance + reference_covariance - 2 * root.real)
    assert real_quality.digit_frechet == pytest.approx(by_hand, rel=1e-6)
    assert by_hand > 1  # a finite sample is never at 0


def test_the_score_is_the_exponential_of_the_mean_divergence(real, real_quality):
    odds = np.exp(seen(real)[1])
    given = odds / odds.sum(axis=1, keepdims=True)
    overall = given.mean(axis=0)
    divergences = [sum(p * np.log(p / q) for p, q in zip(row, overall, strict=True)) for row in given]
    assert real_quality.digit_score == pytest.approx(np.exp(np.mean(divergences)), rel=1e-6)
    assert real_quality.n == N


def test_the_reference_is_at_distance_0_from_itself(mnist):
    assert len(set(quality.reference_indices().tolist())) == 10_000
    found = quality.sample_quality(scaled(mnist.train.images[quality.reference_indices()]))
    assert 0 <= found.digit_frechet < 1e-4
    assert 9.3 < found.digit_score < 10


def test_the_order_of_the_images_does_not_matter(real, real_quality):
    shuffled = quality.sample_quality(real[torch.randperm(N, generator=torch.Generator().manual_seed(0))])
    assert shuffled == pytest.approx(real_quality, rel=1e-6)


def noise(mnist, real):
    return torch.rand(real.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def digits_0_to_4(mnist, real):
    return scaled(mnist.train.images[mnist.train.labels < 5][:N])


def one_digit_only(mnist, real):
    return scaled(mnist.train.images[mnist.train.labels == 3][:N])


def one_image_repeated(mnist, real):
    return real[:1].expand_as(real)


def one_image_a_class_repeated(mnist, real):
    first = [int((mnist.train.labels == digit).nonzero()[0]) for digit in range(10)]
    return scaled(mnist.train.images[first]).repeat(N // 10, 1, 1, 1)


def blurred(mnist, real):
    return F.avg_pool2d(real + 1, 5, stride=1, padding=2) - 1  # the margin is -1


@pytest.mark.parametrize(
    ("spoil", "most_score"),
    [(noise, 1.5), (one_image_repeated, 1.000001), (one_digit_only, 1.3), (digits_0_to_4, 5.3), (blurred, 8)],
)
def test_bad_digits_are_further_away_and_score_less(mnist, real, real_quality, spoil, most_score):
    found = quality.sample_quality(spoil(mnist, real))
    assert found.digit_frechet > 5 * real_quality.digit_frechet
    assert 1 <= found.digit_score < most_score < real_quality.digit_score


def test_the_distance_sees_missing_variety_and_the_score_does_not(mnist, real, real_quality):
    found = quality.sample_quality(one_image_a_class_repeated(mnist, real))
    assert found.digit_frechet > 5 * real_quality.digit_frechet
    assert found.digit_score > real_quality.digit_score


def test_few_images_are_further_away_than_many_of_the_same_kind(real, real_quality):
    few = quality.sample_quality(real[: quality.LEAST_IMAGES])
    assert few.digit_frechet > 1.5 * real_quality.digit_frechet


def test_measuring_changes_nothing(real):
    images, state = real[:256].clone().requires_grad_(), torch.get_rng_state()
    with torch.enable_grad():
        quality.sample_quality(images)
    assert torch.equal(images, real[:256])
    assert images.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_half_and_double_precision_are_taken(real, real_quality):
    assert quality.sample_quality(real.double()) == pytest.approx(real_quality, rel=1e-6)
    assert quality.sample_quality(real.half()) == pytest.approx(real_quality, rel=1e-2)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.zeros(255, 1, 28, 28), ValueError, r"n >= 256, .* got n = 255"),
        (torch.zeros(300, 28, 28), ValueError, r"shape \[n, 1, 28, 28\], .* got \[300, 28, 28\]"),
        (torch.zeros(300, 1, 32, 32), ValueError, r"got \[300, 1, 32, 32\]"),
        (torch.full((300, 1, 28, 28), 1.01), ValueError, r"in \[-1, 1\]; got values in \[1.01, 1.01\]"),
        (torch.full((300, 1, 28, 28), torch.nan), ValueError, "got values in .nan, nan"),
        (torch.zeros(300, 1, 28, 28, dtype=torch.uint8), TypeError, "floating-point .* got torch.uint8"),
    ],
)
def test_bad_images_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        quality.sample_quality(images)


# --- the accuracy of conditional samples


def test_the_accuracy_is_the_share_that_the_classifier_assigns_to_the_class_asked_for(mnist):
    """Real digits stand in for samples. Asked for their own class, nearly all are right; asked for another, none."""
    real, labels = scaled(mnist.train.images[:300]), mnist.train.labels[:300].clone()
    answers = seen(real)[1].argmax(axis=1)
    agreed = sum(int(answer == label) for answer, label in zip(answers, labels.tolist(), strict=True))
    assert quality.sample_accuracy(real, labels) == agreed / 300 > 0.98
    assert quality.sample_accuracy(real, (torch.from_numpy(answers) + 1) % 10) == 0
    labels[:100] = (torch.from_numpy(answers[:100]) + 3) % 10
    assert quality.sample_accuracy(real, labels) == sum(answers[100:] == labels[100:].numpy()) / 300


def test_the_accuracy_does_not_see_variety(mnist, real):
    images = one_image_a_class_repeated(mnist, real)[:100]
    assert quality.sample_accuracy(images, torch.arange(100) % 10) == 1.0


@pytest.mark.parametrize(
    ("n", "asked", "error", "message"),
    [
        (0, torch.zeros(0).long(), ValueError, r"shape \[n, 1, 28, 28\], n at least 1; got \[0, 1, 28, 28\]"),
        (3, torch.tensor([1, 2]), ValueError, r"asked must be 3 whole numbers in \[0, 10\), .* got shape \[2\]"),
        (2, torch.tensor([1, 10]), ValueError, r"asked must be 2 whole numbers .* got values in \[1, 10\]"),
        (2, torch.tensor([-1, 1]), ValueError, r"got values in \[-1, 1\]"),
        (2, torch.tensor([1.0, 2.0]), TypeError, "asked must be a tensor of whole numbers; got torch.float32"),
    ],
)
def test_classes_that_do_not_fit_the_images_are_refused(n, asked, error, message):
    with pytest.raises(error, match=message):
        quality.sample_accuracy(torch.zeros(n, 1, 28, 28), asked)


# --- the classifier


def notes_of(path):
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def test_the_shipped_classifier_is_small_and_as_good_as_its_notes_say(mnist):
    notes = notes_of(quality.ASSET)
    error = evaluation.error_rate(quality.digit_classifier(), scaled(mnist.test.images), mnist.test.labels)
    assert error < 0.01
    assert error == pytest.approx(float(notes["test_error"]), abs=2e-4)  # that was before rounding to half precision
    low, high = ast.literal_eval(notes["test_error_interval"])
    assert low < error < high
    settings = json.loads(notes["settings"])
    assert (settings["method"], settings["network"], settings["n_labels"]) == ("supervised", "cnn", 59_000)
    assert quality.ASSET.stat().st_size < 1e6


def test_each_classifier_is_a_new_frozen_copy_in_evaluation_mode():
    first, second = quality.digit_classifier(), quality.digit_classifier()
    assert not first.training
    assert not any(weight.requires_grad for weight in first.parameters())
    nn.init.zeros_(first.classes.weight)
    assert second.classes.weight.abs().min() > 0
    assert quality.digit_classifier().classes.weight.equal(second.classes.weight)


def test_a_saved_classifier_comes_back_with_its_notes(tmp_path, monkeypatch):
    network = quality.digit_classifier()
    nn.init.constant_(network.classes.bias, 0.25)
    path = tmp_path / "classifier.safetensors"
    models.save_weights(network, path, {"test_error": "0.5"})
    assert notes_of(path)["test_error"] == "0.5"
    monkeypatch.setattr(quality, "ASSET", path)
    found = quality.digit_classifier().state_dict()
    assert all(found[name].equal(weight) for name, weight in network.state_dict().items())


def test_the_shipped_generator_is_small_and_draws_many_digits_of_the_class_asked_for():
    path = models.ASSETS / "conditional_generator.safetensors"
    notes, asked = notes_of(path), torch.arange(1000) % 10
    generator = models.conditional_generator()
    latents = generator.latent(1000, torch.Generator().manual_seed(1))
    halves = zip(latents.split(500), asked.split(500), strict=True)
    images = torch.cat([evaluation.generate(generator, *part) for part in halves])
    accuracy, noted = quality.sample_accuracy(images, asked), float(notes["sample_accuracy"])
    assert accuracy > 0.95
    assert accuracy == pytest.approx(noted, abs=4 * (noted * (1 - noted) / 1000) ** 0.5)
    assert evaluation.class_share(images, asked) < 0.5  # 0.2 for real digits, 0.9 for one image a class
    settings = json.loads(notes["settings"])
    assert (settings["method"], settings["n_labels"], settings["split_seed"]) == ("conditional_sgan", 100, 0)
    assert path.stat().st_size < 1e6


@pytest.mark.parametrize("damage", ["missing", "cut short", "a weight altered", "not safetensors", "no checksum"])
def test_a_damaged_classifier_is_refused_by_name(tmp_path, monkeypatch, damage):
    path = tmp_path / "classifier.safetensors"
    content = bytearray(quality.ASSET.read_bytes())
    content[-1000] ^= 1
    spoilt = {
        "cut short": content[:-1000],
        "a weight altered": content,
        "not safetensors": b"\x00" * 1000,
        "no checksum": quality.ASSET.read_bytes().replace(b'"sha256"', b'"sha257"'),
    }
    if damage != "missing":
        path.write_bytes(spoilt[damage])
    monkeypatch.setattr(quality, "ASSET", path)
    with pytest.raises(data.DataError, match=r"classifier\.safetensors is missing or damaged .*install sgan_lib again"):
        quality.digit_classifier()
