"""The measures of generated digits: against the closed formulas, and on digits that are known to be good or bad."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch.nn import functional as F

from sgan_lib import data, evaluation, quality
from sgan_lib.saved import read_file

N = 1000
REFERENCE = np.random.RandomState(0).permutation(60_000)[:10_000]  # of the training images; NEP 19


@pytest.fixture(scope="module")
def mnist():
    raw = data.read("mnist")
    return data.Labelled(data.as_images(raw.train.images), raw.train.labels)


@pytest.fixture(scope="module")
def real(mnist):
    return mnist.images[np.setdiff1d(np.arange(60_000), REFERENCE)[:N]]


@pytest.fixture(scope="module")
def real_quality(real):
    return quality.sample_quality(real)


def judged(images):
    """Logits and features of the classifier, as float64 arrays."""
    return [part.double().numpy() for part in quality.digit_classifier()(images)]


def test_the_distance_is_the_closed_formula(mnist, real, real_quality):
    features, reference = judged(real)[1], judged(mnist.images[REFERENCE])[1]
    covariance, reference_covariance = np.cov(features.T), np.cov(reference.T)
    root = scipy.linalg.sqrtm(covariance @ reference_covariance).real
    squares = ((features.mean(axis=0) - reference.mean(axis=0)) ** 2).sum()
    distance = squares + np.trace(covariance + reference_covariance - 2 * root)
    assert real_quality.digit_frechet == pytest.approx(distance, rel=1e-6)
    assert 0 <= quality.sample_quality(mnist.images[REFERENCE]).digit_frechet < 1e-4


def test_the_score_is_the_exponential_of_the_mean_divergence(real, real_quality):
    odds = np.exp(judged(real)[0])
    conditional = odds / odds.sum(axis=1, keepdims=True)
    marginal = conditional.mean(axis=0)
    divergences = [sum(p * np.log(p / q) for p, q in zip(row, marginal, strict=True)) for row in conditional]
    assert real_quality[1:] == pytest.approx((np.exp(np.mean(divergences)), N), rel=1e-6)


BAD = {
    "noise": (lambda real: torch.rand(real.shape) * 2 - 1, 1, 1.5),
    "one image": (lambda real: real[:1].expand_as(real), 1, 1.000001),
    "blurred": (lambda real: F.avg_pool2d(real + 1, 5, stride=1, padding=2) - 1, 1, 8),
    "twenty images": (lambda real: real[:20].repeat(50, 1, 1, 1), 8, 10),  # the score is blind to missing variety
}


@pytest.mark.parametrize(("spoil", "least_score", "most_score"), BAD.values(), ids=BAD)
def test_bad_digits_are_further_away_and_the_score_sees_some(real, real_quality, spoil, least_score, most_score):
    bad = quality.sample_quality(spoil(real))
    assert bad.digit_frechet > 5 * real_quality.digit_frechet
    assert least_score <= bad.digit_score < most_score


def test_the_accuracy_is_the_share_that_the_classifier_assigns_to_the_class_asked_for(mnist):
    images, asked = mnist.images[:300], mnist.labels[:300].clone()
    answers = torch.from_numpy(judged(images)[0].argmax(axis=1))
    asked[:100] = (answers[:100] + 3) % 10
    right = sum(answer == label for answer, label in zip(answers.tolist(), asked.tolist(), strict=True))
    assert quality.sample_accuracy(images, asked) == right / 300 > 190 / 300


@pytest.mark.parametrize(
    ("size", "value", "allowed"),
    [((255, 1, 28, 28), 0.0, "256 or more"), ((300, 28, 28), 0.0, "1, 28, 28"), ((300, 1, 28, 28), -1.02, "in .-1, 1"),
     ((300, 1, 28, 28), torch.nan, "in .-1, 1"), ((300, 1, 28, 28), 1, "float32")],
)  # fmt: skip
def test_bad_images_are_refused(size, value, allowed):
    with pytest.raises(ValueError, match=f"images must .*{allowed}"):
        quality.sample_quality(torch.full(size, value))


@pytest.mark.parametrize("asked", [[1, 2, 3], [1, 10], [-1, 1], [1.0, 2.0]])
def test_classes_that_do_not_fit_the_images_are_refused(asked):
    with pytest.raises(ValueError, match=r"asked must have shape \[2\] and torch.int64 in \[0, 9\]; got"):
        quality.sample_accuracy(torch.zeros(2, 1, 28, 28), torch.tensor(asked))


def test_the_classifier_is_as_good_as_its_notes_say_and_each_a_new_frozen_copy():
    classifier, test = quality.digit_classifier(), data.read("mnist").test
    error = evaluation.error_rate(classifier, data.as_images(test.images), test.labels)
    notes, _ = read_file(quality.ASSET, "network")
    assert error == pytest.approx(notes["test_error"], abs=2e-4)  # rounding to half precision
    assert not classifier.training
    assert not any(weight.requires_grad for weight in classifier.parameters())
    torch.nn.init.zeros_(classifier.classes.weight)
    assert quality.digit_classifier().classes.weight.abs().min() > 0


def test_a_missing_classifier_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "ASSET", tmp_path / "classifier.safetensors")
    with pytest.raises(ValueError, match=r"classifier\.safetensors"):
        quality.digit_classifier()
