"""Each loss against an independent formula: mpmath with 40 digits, written from the papers' probabilities."""

import itertools

import jaxtyping
import pytest
import torch
import torch.nn.functional as F
from mpmath import mp
from mpmath import mpf as number

from sgan_lib import losses

EXTREMES = [-1e4, -1.0, 0.0, 1.0, 1e4]


def draw(*shape):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)


LOGITS, ON_REAL, ON_FAKE = draw(6, 4), draw(5), draw(7)
FEATURES_REAL, FEATURES_FAKE = draw(5, 3), draw(7, 3)
JUDGED = draw(4, 6).T.contiguous()  # probabilities of the answers: 0.79 0.79 0.97 0.97 1.00 0.59
LABELS, MASK = torch.tensor([0, 3, 2, 2, 1, 0]), torch.tensor([True, False, True, True, False, False])


# --- the formulas, on lists of mpmath numbers


def exact(tensor):
    """A tensor as nested lists of mpmath numbers, exactly."""
    return [exact(row) for row in tensor] if tensor.ndim else number(tensor.item())


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def sigmoid(logit):
    return 1 / (1 + mp.exp(-logit))


def softmax(logits):
    total = sum(mp.exp(one) for one in logits)
    return [mp.exp(one) / total for one in logits]


def cross_entropies(logits, labels):
    return [-mp.log(softmax(row)[label]) for row, label in zip(logits, labels, strict=True)]


def binary_cross_entropy(on_real, on_fake):
    return -mean(mp.log(sigmoid(one)) for one in on_real) - mean(mp.log(1 - sigmoid(one)) for one in on_fake)


def mean_differences(real, fake):
    return [
        mean(column) - mean(other)
        for column, other in zip(zip(*real, strict=True), zip(*fake, strict=True), strict=True)
    ]


def cosine(one, other):
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / mp.sqrt(sum(a * a for a in one)) / mp.sqrt(sum(b * b for b in other))


def confident_cross_entropy(logits, judged, confidence):
    """A loop over the images: those below the threshold count as 0, and count in the mean."""
    losses_of_images = []
    for row, other in zip(logits, judged, strict=True):
        q = softmax(other)
        losses_of_images.append(-mp.log(softmax(row)[q.index(max(q))]) if max(q) >= confidence else number(0))
    return mean(losses_of_images)


def entropy(logits):
    return -sum(p * mp.log(p) for p in softmax(logits))


TARGETS = (FEATURES_REAL, JUDGED)  # of feature matching and of pseudo-labels; no gradient flows into them


def by_name(loss):
    """A loss of BiGAN, which takes its two arguments by name only."""
    return lambda encoded, generated: loss(joint_logit_on_encoded=encoded, joint_logit_on_generated=generated)


CASES = {
    "real_logit": (losses.real_logit, [LOGITS], lambda logits: [mp.log(sum(map(mp.exp, row))) for row in logits]),
    "append_fake_logit": (losses.append_fake_logit, [LOGITS], lambda logits: [[*row, number(0)] for row in logits]),
    "supervised": (
        lambda logits: losses.supervised(logits, LABELS), [LOGITS], lambda logits: mean(cross_entropies(logits, LABELS))
    ),
    "supervised, masked": (
        lambda logits: losses.supervised(logits, LABELS, MASK),
        [LOGITS],
        lambda logits: mean(itertools.compress(cross_entropies(logits, LABELS), MASK)),
    ),
    "discriminator": (losses.discriminator, [ON_REAL, ON_FAKE], binary_cross_entropy),
    "generator, non-saturating": (
        losses.generator, [ON_FAKE], lambda fake: mean(-mp.log(sigmoid(one)) for one in fake)
    ),
    "generator, minimax": (
        lambda fake: losses.generator(fake, kind="minimax"),
        [ON_FAKE],
        lambda fake: mean(mp.log(1 - sigmoid(one)) for one in fake),
    ),
    "feature_matching, l2": (
        losses.feature_matching,
        [FEATURES_REAL, FEATURES_FAKE],
        lambda real, fake: mean(one**2 for one in mean_differences(real, fake)),
    ),
    "feature_matching, l1": (
        lambda real, fake: losses.feature_matching(real, fake, norm="l1"),
        [FEATURES_REAL, FEATURES_FAKE],
        lambda real, fake: mean(abs(one) for one in mean_differences(real, fake)),
    ),
    "bigan_discriminator": (by_name(losses.bigan_discriminator), [ON_REAL, ON_FAKE], binary_cross_entropy),
    "bigan_encoder_generator": (
        by_name(losses.bigan_encoder_generator),
        [ON_REAL, ON_FAKE],
        lambda real, fake: -mean(mp.log(1 - sigmoid(one)) for one in real) - mean(mp.log(sigmoid(one)) for one in fake),
    ),
    "pull_away": (
        losses.pull_away,
        [FEATURES_FAKE],
        lambda fake: mean(cosine(a, b) ** 2 for a, b in itertools.permutations(fake, 2)),
    ),
    "pseudo_label": (
        lambda logits, judged: losses.pseudo_label(logits, judged, 0.9),
        [LOGITS, JUDGED],
        lambda logits, judged: confident_cross_entropy(logits, judged, number("0.9")),
    ),
    "pseudo_label, own answers": (
        lambda logits: losses.pseudo_label(logits, logits),
        [LOGITS],
        lambda logits: mean(-mp.log(max(softmax(row))) for row in logits),
    ),
    "conditional_entropy": (losses.conditional_entropy, [LOGITS], lambda logits: mean(map(entropy, logits))),
}  # fmt: skip

both_precisions = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)], ids=["float32", "float64"]
)
every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@both_precisions
@every_loss
def test_value_equals_the_formula(case, dtype, tolerance):
    function, arguments, formula = case
    arguments = [argument.to(dtype) for argument in arguments]
    with mp.workdps(40):
        expected = formula(*map(exact, arguments))
        found = function(*arguments)
        assert found.dtype == dtype
        for one, other in zip(flat(exact(found)), flat(expected), strict=True):
            assert abs(one - other) <= tolerance * (1 + abs(other))


def flat(values):
    return [one for value in values for one in flat(value)] if isinstance(values, list) else [values]


@every_loss
def test_gradient_equals_finite_differences(case):
    function, arguments, _ = case
    takes_gradient = [not any(argument is target for target in TARGETS) for argument in arguments]
    inputs = [a.clone().requires_grad_(yes) for a, yes in zip(arguments, takes_gradient, strict=True)]
    assert torch.autograd.gradcheck(function, inputs)


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_value_and_gradient_are_finite_for_huge_inputs(case, dtype):
    function, arguments, _ = case
    for sign in (1, -1):
        inputs = [
            (
                sign * torch.tensor(EXTREMES, dtype=dtype).repeat(a.numel())[: a.numel()].reshape(a.shape)
            ).requires_grad_()
            for a in arguments
        ]
        value = function(*inputs).sum()
        value.backward()
        assert value.isfinite()
        assert all(one.grad is None or one.grad.isfinite().all() for one in inputs)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_values_at_huge_logits_are_the_limits(size):
    """Not merely finite: −log sigmoid(−1e4) is 1e4, and a sure and right player pays nothing."""
    sure = torch.full((2, 5), size)
    on_real, on_fake = torch.full((3,), size), torch.full((3,), -size)
    pays = 0 if size > 0 else 2e4
    torch.testing.assert_close(losses.real_logit(sure), torch.full((2,), size) + torch.tensor(5.0).log())
    assert losses.discriminator(on_real, on_fake).item() == pays
    assert losses.generator(on_fake).item() == max(size, 0)
    assert losses.generator(on_fake, kind="minimax").item() == min(size, 0)
    assert losses.conditional_entropy(sure).item() == pytest.approx(torch.tensor(5.0).log().item())


def test_k_logits_equal_the_explicit_softmax_over_k_and_fake():
    """p(real), the classes given real, and the adversarial loss: all from a softmax whose last logit is 0."""
    on_real, on_fake = draw(6, 4), draw(9, 4)
    p_real, p_fake = (F.softmax(torch.cat([k, torch.zeros(len(k), 1)], dim=1), dim=1) for k in (on_real, on_fake))
    assert torch.equal(losses.append_fake_logit(on_real)[:, -1], torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(torch.sigmoid(losses.real_logit(on_real)), p_real[:, :-1].sum(dim=1))
    torch.testing.assert_close(
        losses.discriminator(losses.real_logit(on_real), losses.real_logit(on_fake)),
        -(1 - p_real[:, -1]).log().mean() - p_fake[:, -1].log().mean(),
    )
    given_real = p_real[torch.arange(6), LABELS] / (1 - p_real[:, -1])
    torch.testing.assert_close(losses.supervised(on_real, LABELS), -given_real.log().mean())


def test_real_logit_of_one_class_is_that_logit():
    torch.testing.assert_close(losses.real_logit(LOGITS[:, :1]), LOGITS[:, 0])


@pytest.mark.parametrize("mask", [torch.zeros(6, dtype=torch.bool), torch.zeros(6)], ids=["bool", "float"])
def test_an_empty_mask_gives_zero_with_zero_gradients(mask):
    logits = LOGITS.clone().requires_grad_()
    loss = losses.supervised(logits, LABELS, mask)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_masked_rows_get_no_gradient_and_their_labels_do_not_count():
    logits = LOGITS.clone().requires_grad_()
    loss = losses.supervised(logits, LABELS, MASK.float())
    loss.backward()
    assert torch.equal(logits.grad.abs().sum(dim=1) > 0, MASK)
    assert torch.equal(losses.supervised(logits, torch.where(MASK, LABELS, 0), MASK), loss)


@pytest.mark.parametrize("norm", losses.NORMS)
def test_feature_matching_leaves_the_real_features_alone(norm):
    real, fake = FEATURES_REAL.clone().requires_grad_(), FEATURES_FAKE.clone().requires_grad_()
    losses.feature_matching(real, fake, norm).backward()
    assert real.grad is None
    assert fake.grad.abs().min() > 0


def test_pseudo_labels_take_no_gradient_and_unsure_images_give_none():
    logits, judged = LOGITS.clone().requires_grad_(), JUDGED.clone().requires_grad_()
    losses.pseudo_label(logits, judged, 0.9).backward()
    is_sure = F.softmax(JUDGED, dim=1).amax(dim=1) >= 0.9
    assert 0 < is_sure.sum() < len(is_sure)
    assert judged.grad is None
    assert torch.equal(logits.grad.abs().sum(dim=1) > 0, is_sure)


def test_own_answers_are_pushed_up_though_they_are_the_target_too():
    """With one tensor for both, the gradient is that of a cross-entropy with fixed labels: (p − one-hot) / n."""
    logits = LOGITS.clone().requires_grad_()
    losses.pseudo_label(logits, logits).backward()
    p = F.softmax(LOGITS, dim=1)
    torch.testing.assert_close(logits.grad, (p - F.one_hot(p.argmax(dim=1), 4)) / 6)


def test_a_threshold_that_no_answer_reaches_gives_zero_with_zero_gradients():
    logits = LOGITS.clone().requires_grad_()
    loss = losses.pseudo_label(logits, JUDGED, 1.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_minimax_gradient_vanishes_where_the_discriminator_is_sure_and_the_other_does_not():
    slopes = {}
    for kind in losses.GENERATOR_LOSSES:
        logit = torch.tensor([-20.0], requires_grad=True)
        losses.generator(logit, kind).backward()
        slopes[kind] = logit.grad.item()
    assert slopes == {"nonsaturating": pytest.approx(-1), "minimax": pytest.approx(0, abs=1e-8)}


@pytest.mark.parametrize("loss", [losses.bigan_discriminator, losses.bigan_encoder_generator])
def test_the_pairs_of_a_bigan_cannot_be_swapped_by_their_order(loss):
    with pytest.raises(TypeError):
        loss(ON_REAL, ON_FAKE)


def test_both_players_of_a_bigan_have_strong_gradients_where_they_lose():
    """Where the discriminator is sure and right, encoder and generator still feel a slope of 1; and the reverse."""
    for loss, losing in ((losses.bigan_encoder_generator, 20.0), (losses.bigan_discriminator, -20.0)):
        encoded, generated = torch.tensor([losing], requires_grad=True), torch.tensor([-losing], requires_grad=True)
        by_name(loss)(encoded, generated).backward()
        sign = 1 if losing > 0 else -1
        assert (encoded.grad.item(), generated.grad.item()) == (pytest.approx(sign), pytest.approx(-sign))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (losses.real_logit, [ON_REAL]),
        (losses.append_fake_logit, [ON_REAL]),
        (losses.supervised, [LOGITS, LABELS[:5]]),
        (losses.supervised, [LOGITS, LABELS.double()]),
        (losses.supervised, [LOGITS, LABELS, MASK[:5]]),
        (losses.supervised, [LOGITS, LABELS, MASK.long()]),
        (losses.discriminator, [ON_REAL[:, None], ON_FAKE]),
        (losses.generator, [ON_FAKE[:, None]]),
        (losses.feature_matching, [FEATURES_REAL[:, :2], FEATURES_FAKE]),
        (by_name(losses.bigan_discriminator), [ON_REAL, ON_FAKE[:, None]]),
        (by_name(losses.bigan_encoder_generator), [ON_REAL[:, None], ON_FAKE]),
        (losses.pull_away, [ON_FAKE]),
        (losses.conditional_entropy, [ON_FAKE]),
        (losses.pseudo_label, [LOGITS, JUDGED[:, :3]]),
        (losses.real_logit, [LABELS[:, None]]),
    ],
)
def test_wrong_shapes_and_types_are_refused(function, arguments):
    """Shapes are part of the signatures; the import hook in pyproject.toml checks them, in every test."""
    with pytest.raises(jaxtyping.TypeCheckError):
        function(*arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.generator(ON_FAKE, kind="hinge"), "kind must be one of nonsaturating, minimax; got 'hinge'"),
        (
            lambda: losses.feature_matching(FEATURES_REAL, FEATURES_FAKE, norm="l3"),
            "norm must be one of l1, l2; got 'l3'",
        ),
        (lambda: losses.pull_away(FEATURES_FAKE[:1]), "features_fake must hold at least 2 samples; got 1"),
    ],
)
def test_bad_values_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


def test_pull_away_bears_samples_without_any_active_feature():
    features = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    loss = losses.pull_away(features)
    loss.backward()
    assert loss.item() == 0
    assert features.grad.isfinite().all()


def test_pull_away_and_entropy_reach_the_ends_of_their_ranges():
    same, orthogonal = torch.ones(4, 3), torch.eye(3)
    assert losses.pull_away(same).item() == pytest.approx(1)
    assert losses.pull_away(orthogonal).item() == pytest.approx(0)
    assert losses.conditional_entropy(torch.zeros(2, 8)).item() == pytest.approx(torch.tensor(8.0).log().item())
    assert losses.conditional_entropy(100 * torch.eye(3)).item() == pytest.approx(0)
