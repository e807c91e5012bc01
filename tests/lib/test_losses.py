"""Each loss against an independent formula: mpmath with 40 digits, written from the papers' probabilities."""

import doctest
import math
from functools import partial
from itertools import compress, permutations, starmap

import numpy as np
import pytest
import torch
from mpmath import mp, mpf

from sgan_lib import losses


def draw(*shape):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


LOGITS, ON_REAL, ON_FAKE = draw(6, 4), draw(5), draw(7)
FEATURES_REAL, FEATURES_FAKE = draw(5, 3), draw(7, 3)
JUDGED = draw(4, 6).T.contiguous()  # probabilities of the answers: 0.79 0.79 0.97 0.97 1.00 0.59
LABELS, MASK = torch.tensor([0, 3, 2, 2, 1, 0]), torch.tensor([True, False, True, True, False, False])


def exact(tensor):
    """A tensor as nested lists of mpmath numbers, exactly."""
    return [exact(row) for row in tensor] if tensor.ndim else mpf(tensor.item())


def mean(values):
    return np.mean(list(values))


def softmax(logits):
    return [mp.exp(logit) / sum(map(mp.exp, logits)) for logit in logits]


def cross_entropies(logits, labels=LABELS):
    return [-mp.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)]


def surprise(logits, real):
    """Mean of −log D where the logits are to be real, of −log(1 − D) where fake; D = 1 / (1 + exp −logit)."""
    return mean(mp.log(1 + mp.exp(-logit if real else logit)) for logit in logits)


def mean_gaps(real, fake):
    return [mean(a) - mean(b) for a, b in zip(zip(*real, strict=True), zip(*fake, strict=True), strict=True)]


def squared_cosine(a, b):
    return mp.fdot(a, b) ** 2 / mp.fdot(a, a) / mp.fdot(b, b)


def confident_cross_entropy(logits, judged, confidence):
    """A loop over the images: those below the threshold count as 0, and count in the mean."""
    answers = [softmax(row) for row in judged]
    entropies = cross_entropies(logits, [q.index(max(q)) for q in answers])
    return mean(entropy if max(q) >= confidence else mpf(0) for entropy, q in zip(entropies, answers, strict=True))


CASES = {
    "real_logit": (losses.real_logit, [LOGITS], lambda x: [mp.log(sum(map(mp.exp, row))) for row in x]),
    "append_fake_logit": (losses.append_fake_logit, [LOGITS], lambda x: [[*row, mpf(0)] for row in x]),
    "supervised": (lambda x: losses.supervised(x, LABELS), [LOGITS], lambda x: mean(cross_entropies(x))),
    "supervised, masked": (lambda x: losses.supervised(x, LABELS, MASK), [LOGITS],
                           lambda x: mean(compress(cross_entropies(x), MASK))),
    "discriminator": (losses.discriminator, [ON_REAL, ON_FAKE], lambda x, z: surprise(x, True) + surprise(z, False)),
    "generator": (losses.generator, [ON_FAKE], lambda z: surprise(z, True)),
    "generator, minimax": (lambda z: losses.generator(z, kind="minimax"), [ON_FAKE], lambda z: -surprise(z, False)),
    "feature_matching": (losses.feature_matching, [FEATURES_REAL, FEATURES_FAKE],
                         lambda x, z: mean(gap**2 for gap in mean_gaps(x, z))),
    "feature_matching, l1": (lambda x, z: losses.feature_matching(x, z, norm="l1"), [FEATURES_REAL, FEATURES_FAKE],
                             lambda x, z: mean(map(abs, mean_gaps(x, z)))),
    "bigan_discriminator": (
        lambda x, z: losses.bigan_discriminator(joint_logit_on_encoded=x, joint_logit_on_generated=z),
        [ON_REAL, ON_FAKE], lambda x, z: surprise(x, True) + surprise(z, False)),
    "bigan_encoder_generator": (
        lambda x, z: losses.bigan_encoder_generator(joint_logit_on_encoded=x, joint_logit_on_generated=z),
        [ON_REAL, ON_FAKE], lambda x, z: surprise(x, False) + surprise(z, True)),
    "pull_away": (losses.pull_away, [FEATURES_FAKE], lambda z: mean(starmap(squared_cosine, permutations(z, 2)))),
    "pseudo_label": (lambda x, q: losses.pseudo_label(x, q, 0.9), [LOGITS, JUDGED],
                     lambda x, q: confident_cross_entropy(x, q, mpf("0.9"))),
    "pseudo_label, own": (lambda x: losses.pseudo_label(x, x), [LOGITS], lambda x: confident_cross_entropy(x, x, 0)),
    "conditional_entropy": (losses.conditional_entropy, [LOGITS],
                            lambda x: -mean(sum(p * mp.log(p) for p in softmax(row)) for row in x)),
}  # fmt: skip
every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
@every_loss
def test_value_equals_the_formula(case, dtype, tolerance):
    loss, arguments, formula = case
    arguments = [argument.to(dtype) for argument in arguments]
    with mp.workdps(40):
        expected = np.array(formula(*map(exact, arguments)), dtype=float)
    value = loss(*arguments)
    assert value.dtype == dtype
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)


@every_loss
def test_gradient_equals_finite_differences_and_none_flows_into_targets(case):
    loss, arguments, _ = case
    learns = [not any(argument is target for target in (FEATURES_REAL, JUDGED)) for argument in arguments]
    inputs = [a.clone().requires_grad_() for a in arguments]
    loss(*inputs).sum().backward()
    assert [x.grad is not None for x in inputs] == learns
    assert torch.autograd.gradcheck(loss, [x.requires_grad_(x.grad is not None) for x in inputs])


@every_loss
@pytest.mark.parametrize("sign", [1, -1, 0])
def test_value_and_gradient_are_finite_for_huge_inputs_and_for_zeros(case, sign):
    loss, arguments, _ = case
    extremes = sign * torch.tensor([-1e4, -1.0, 0.0, 1.0, 1e4])
    inputs = [extremes.repeat(a.numel())[: a.numel()].reshape(a.shape).requires_grad_() for a in arguments]
    value = loss(*inputs).sum()
    value.backward()
    assert value.isfinite()
    assert all(x.grad is None or x.grad.isfinite().all() for x in inputs)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_values_at_huge_logits_are_the_limits(size):
    on_real, on_fake = torch.full((3,), size), torch.full((3,), -size)
    assert losses.real_logit(torch.full((2, 5), size)).tolist() == pytest.approx([size + math.log(5)] * 2)
    assert losses.discriminator(on_real, on_fake).item() == (0 if size > 0 else 2e4)
    assert losses.generator(on_fake).item() == max(size, 0)
    assert losses.generator(on_fake, kind="minimax").item() == min(size, 0)


@pytest.mark.parametrize(
    ("loss", "counted"),
    [
        (lambda logits: losses.supervised(logits, torch.where(MASK, LABELS, 0), MASK.float()), MASK.tolist()),
        (lambda logits: losses.supervised(logits, LABELS, MASK & ~MASK), [False] * 6),
        (lambda logits: losses.pseudo_label(logits, JUDGED, 0.9), [False, False, True, True, True, False]),
        (lambda logits: losses.pseudo_label(logits, JUDGED, 1.0), [False] * 6),
    ],
)
def test_only_the_rows_that_count_get_a_gradient(loss, counted):
    logits = LOGITS.clone().requires_grad_()
    value = loss(logits)
    value.backward()
    assert logits.grad.any(dim=1).tolist() == counted
    assert (value.item() > 0) == any(counted)


EXAMPLES = [each for each in doctest.DocTestFinder(exclude_empty=False).find(losses)[1:] if "._" not in each.name]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_every_loss_has_an_example_that_holds(example):
    assert doctest.DocTestRunner().run(example).failed == 0 < len(example.examples)


TEN = torch.zeros(4, 10)
REFUSED = [  # unknown kinds, and what torch broadcasts, ignores or rounds to a number
    (partial(losses.generator, kind="hinge"), (ON_FAKE,), "kind must be one of nonsaturating, minimax"),
    (partial(losses.feature_matching, norm="l3"), (draw(2, 3), draw(2, 3)), "norm must be one of l1, l2"),
    (losses.pull_away, (FEATURES_FAKE[:1],), "features_fake must hold at least 2"),
    (losses.bigan_discriminator, (ON_REAL, ON_FAKE), "positional"),
    (losses.bigan_encoder_generator, (ON_REAL, ON_FAKE), "positional"),
    (losses.supervised, (TEN, torch.tensor([0, 1, 2, -100])), r"labels must be in \[0, 10\)"),
    (losses.supervised, (TEN, torch.tensor([0, 1, 2, 10])), r"labels must be in \[0, 10\)"),
    (losses.supervised, (TEN, torch.tensor([0.0, 1.0, 1.7, 2.0])), "labels must be whole numbers"),
    (losses.supervised, (TEN, torch.zeros(4, 1).long()), r"labels must have shape \[4\]; got \[4, 1\]"),
    (losses.supervised, (TEN, torch.zeros(4).long(), torch.ones(4, 1)), r"mask must have shape \[4\]; got \[4, 1\]"),
    (losses.supervised, (TEN, torch.zeros(4).long(), -torch.ones(4)), "mask must hold 0 or 1 alone; got -1"),
    (losses.supervised, (TEN, torch.zeros(4).long(), torch.full((4,), 0.5)), "mask must hold 0 or 1 alone; got 0.5"),
    (losses.discriminator, (TEN, torch.zeros(4)), r"real_logit_on_real must have shape \[batch\]; got \[4, 10\]"),
    (losses.discriminator, (torch.zeros(4), TEN), "real_logit_on_fake must have shape"),
    (losses.generator, (TEN,), "real_logit_on_fake must have shape"),
    (losses.feature_matching, (torch.zeros(4, 1), torch.zeros(3, 5)), r"features_fake must have shape \[batch, 1\]"),
    (losses.pseudo_label, (TEN, torch.zeros(3, 10)), "judged_logits must have shape"),
    (losses.pseudo_label, (TEN, TEN, float("nan")), "confidence must be a number at least 0 and at most 1; got nan"),
    (losses.supervised, (TEN, torch.zeros(4).long(), torch.tensor([1, 1, 2, 1])), "mask must hold 0 or 1 alone; got 2"),
    (losses.supervised, (TEN, torch.zeros(4).long(), torch.full((4,), torch.nan)), "mask must hold 0 or 1 .*; got nan"),
    (losses.supervised, (TEN, [0, 1, 2, 3]), r"labels must have shape \[4\]; got list"),
    *(
        (loss, (TEN.expand(2, 4, 10),), r"class_logits must have shape \[batch, classes\]; got \[2, 4, 10\]")
        for loss in (losses.real_logit, losses.append_fake_logit, losses.conditional_entropy)
    ),
    (losses.pull_away, (torch.zeros(4),), r"features_fake must have shape \[batch, features\]; got \[4\]"),
    *(
        (losses.discriminator, arguments, r"must have shape \[batch\]; got \[0\]")
        for arguments in ((torch.zeros(0), torch.zeros(4)), (torch.zeros(4), torch.zeros(0)))
    ),
]


@pytest.mark.parametrize(("loss", "arguments", "message"), REFUSED, ids=[row[2][:20] for row in REFUSED])
def test_bad_arguments_are_refused_by_name(loss, arguments, message, unchecked):
    with pytest.raises((TypeError, ValueError), match=message):
        loss(*arguments)
