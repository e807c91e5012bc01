"""Losses of GANs and semi-supervised GANs: pure functions of logits and features, each returning a scalar.

Logits go in, never probabilities. Symbols used throughout:

| symbol | variable | meaning |
| --- | --- | --- |
| l_k(x) | `class_logits[:, k]` | logit of real class k, k = 1 … K; the fake class's logit is fixed at 0 |
| Z(x) = Σ_k exp l_k(x) | `real_logit(...).exp()` | so D(x) = Z(x) / (Z(x) + 1) is the probability that x is real |
| f(x) | `features` | the activations of the discriminator's last hidden layer |
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from sgan_lib.runtime import check_choice, check_number, check_tensor

GENERATOR_LOSSES = ("nonsaturating", "minimax")
NORMS = ("l1", "l2")


def real_logit(class_logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch"]:
    """Log-odds that each x is real: log Z(x) = logsumexp_k l_k(x).

    With the fake class's logit at 0, p(real | x) = Z / (Z + 1) = sigmoid(log Z) (Salimans 2016, arXiv:1606.03498, §5).
    With one class it is the logit itself, so a plain GAN's discriminator is the case K = 1.

    >>> real_logit(torch.zeros(1, 10))  # Z = 10 · exp 0, and log 10 = 2.3026
    tensor([2.3026])
    """
    check_tensor("class_logits", class_logits, ("batch", "classes"))
    return torch.logsumexp(class_logits, dim=1)


def append_fake_logit(class_logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes_and_fake"]:
    """The explicit form of the N+1-class softmax: a last column of zeros for the class "fake".

    N+1 classes: Odena 2016 (arXiv:1606.01583); the fixed zero: Salimans 2016, §5. Subtracting one number from all
    logits leaves a softmax unchanged, so fixing the fake logit at 0 loses nothing.

    >>> append_fake_logit(torch.tensor([[2.0, 3.0]]))
    tensor([[2., 3., 0.]])
    """
    check_tensor("class_logits", class_logits, ("batch", "classes"))
    return F.pad(class_logits, (0, 1))


def supervised(
    class_logits: Float[Tensor, "batch classes"], labels: Int[Tensor, "batch"],
    mask: Bool[Tensor, "batch"] | Float[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:  # fmt: skip
    """Mean cross-entropy −log p(y | x, real) over the labelled images of a batch (Salimans 2016, §5, L_supervised).

    labels: class numbers in [0, K); where the mask is 0 they are ignored and may be anything in that range.
    mask: 1 or True where the label may be used, else 0 or False. None: everywhere. A mask that selects nothing gives 0,
        with zero gradients, not NaN.

    >>> supervised(torch.zeros(2, 4), torch.tensor([0, 3]))  # each of the 4 classes has p = 1/4: log 4
    tensor(1.3863)
    """
    check_tensor("class_logits", class_logits, ("batch", "classes"))
    check_tensor("labels", labels, (len(class_logits),))
    if labels.is_floating_point():
        raise TypeError(f"labels must be whole numbers; got {labels.dtype}")
    try:  # no label is ignored: torch would, silently, ignore −100
        losses = F.cross_entropy(class_logits, labels.long(), reduction="none", ignore_index=-(2**31))
    except IndexError as error:
        raise ValueError(f"labels must be in [0, {class_logits.shape[1]}); {error}") from error
    if mask is None:
        return losses.mean()
    check_tensor("mask", mask, (len(labels),))
    if mask.dtype != torch.bool and len(other := mask[(mask != 0) & (mask != 1)]):
        raise ValueError(f"mask must hold 0 or 1 alone; got {other[0].item():g}")
    weights = mask.to(losses.dtype)
    return (losses * weights).sum() / weights.sum().clamp(min=1)


def discriminator(
    real_logit_on_real: Float[Tensor, "real"], real_logit_on_fake: Float[Tensor, "fake"]
) -> Float[Tensor, ""]:
    """−E_real[log D(x)] − E_fake[log(1 − D(G(z)))], with D = sigmoid(logit) (Goodfellow 2014, arXiv:1406.2661, eq. 1).

    log D = −softplus(−logit) and log(1 − D) = −softplus(logit): exact for logits of any size.

    >>> discriminator(torch.zeros(2), torch.zeros(3))  # D = ½ everywhere: 2 log 2
    tensor(1.3863)
    """
    check_tensor("real_logit_on_real", real_logit_on_real, ("batch",))
    check_tensor("real_logit_on_fake", real_logit_on_fake, ("batch",))
    return F.softplus(-real_logit_on_real).mean() + F.softplus(real_logit_on_fake).mean()


def generator(real_logit_on_fake: Float[Tensor, "fake"], kind: str = "nonsaturating") -> Float[Tensor, ""]:
    """What the generator minimises, given the logits of its own samples (Goodfellow 2014, §3).

    kind: "nonsaturating" is −E[log D(G(z))]; "minimax" is E[log(1 − D(G(z)))], whose gradient vanishes where the
        discriminator is sure. ValueError for another kind.

    >>> generator(torch.zeros(3)), generator(torch.zeros(3), kind="minimax")  # D = ½: log 2 and −log 2
    (tensor(0.6931), tensor(-0.6931))
    """
    check_tensor("real_logit_on_fake", real_logit_on_fake, ("batch",))
    if check_choice("kind", kind, GENERATOR_LOSSES) == "minimax":
        return -F.softplus(real_logit_on_fake).mean()
    return F.softplus(-real_logit_on_fake).mean()


def feature_matching(
    features_real: Float[Tensor, "real features"], features_fake: Float[Tensor, "fake features"], norm: str = "l2"
) -> Float[Tensor, ""]:
    """Distance between mean features, ‖E_real f(x) − E_fake f(G(z))‖, averaged over features (Salimans 2016, §3.1).

    No gradient flows into f(x), the target. ValueError for another norm.
    norm: "l2" is the mean squared difference (the paper's equation and its MNIST code), "l1" the mean absolute
        difference (its SVHN and CIFAR-10 code).

    >>> feature_matching(torch.tensor([[1.0, 3.0]]), torch.zeros(5, 2))  # (1² + 3²) / 2
    tensor(5.)
    """
    check_choice("norm", norm, NORMS)
    check_tensor("features_real", features_real, ("batch", "features"))
    check_tensor("features_fake", features_fake, ("batch", features_real.shape[1]))
    difference = features_real.detach().mean(dim=0) - features_fake.mean(dim=0)
    return difference.abs().mean() if norm == "l1" else difference.square().mean()


def bigan_discriminator(
    *, joint_logit_on_encoded: Float[Tensor, "real"], joint_logit_on_generated: Float[Tensor, "fake"]
) -> Float[Tensor, ""]:
    """−E_x[log D(x, E(x))] − E_z[log(1 − D(G(z), z))], D = sigmoid(logit) (Donahue 2016, arXiv:1605.09782, §3).

    By name only, so that the pairs cannot be swapped: (x, E(x)) counts as real, (G(z), z) as generated.

    >>> real, fake = torch.tensor([1000.0]), torch.tensor([-1000.0])  # the discriminator is sure, and right about both
    >>> bigan_discriminator(joint_logit_on_encoded=real, joint_logit_on_generated=fake)
    tensor(0.)
    """
    return discriminator(joint_logit_on_encoded, joint_logit_on_generated)


def bigan_encoder_generator(
    *, joint_logit_on_encoded: Float[Tensor, "real"], joint_logit_on_generated: Float[Tensor, "fake"]
) -> Float[Tensor, ""]:
    """−E_x[log(1 − D(x, E(x)))] − E_z[log D(G(z), z)]: what encoder and generator minimise (Donahue 2016, §3.4).

    The discriminator's loss with the labels swapped. It keeps strong gradients where the discriminator is right, and it
    is bounded below by 0, while minus the discriminator's loss is not. By name only, as there.

    >>> real, fake = torch.tensor([1000.0]), torch.tensor([-1000.0])  # the discriminator is sure, and right about both
    >>> bigan_encoder_generator(joint_logit_on_encoded=real, joint_logit_on_generated=fake)
    tensor(2000.)
    """
    return discriminator(joint_logit_on_generated, joint_logit_on_encoded)


def pull_away(features_fake: Float[Tensor, "fake features"]) -> Float[Tensor, ""]:
    """Mean squared cosine similarity of different samples' features, in [0, 1] (Zhao 2017, arXiv:1609.03126, §2.4).

    Small where generated samples differ from one another; used with feature matching by Dai 2017 (arXiv:1705.09783).
    ValueError for fewer than two samples.

    >>> pull_away(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]]))  # of three pairs, one points the same way
    tensor(0.3333)
    """
    check_tensor("features_fake", features_fake, ("batch", "features"))
    if (n := len(features_fake)) < 2:
        raise ValueError(f"features_fake must hold at least 2 samples; got {n}")
    directions = F.normalize(features_fake, dim=1)
    similarities = directions @ directions.T
    return (similarities.square().sum() - similarities.diagonal().square().sum()) / (n * (n - 1))


def conditional_entropy(class_logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    """Mean entropy −Σ_k p_k log p_k of p(y | x, real), in nats, in [0, log K].

    Minimised on unlabelled images, it asks the classifier to decide (Springenberg 2016, arXiv:1511.06390; Dai 2017).

    >>> conditional_entropy(torch.zeros(2, 8))  # undecided among 8: log 8
    tensor(2.0794)
    """
    check_tensor("class_logits", class_logits, ("batch", "classes"))
    log_probabilities = F.log_softmax(class_logits, dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1).mean()


def pseudo_label(
    class_logits: Float[Tensor, "batch classes"], judged_logits: Float[Tensor, "batch classes"], confidence: float = 0.0
) -> Float[Tensor, ""]:
    """Cross-entropy against the network's own confident answers: 1/n Σ_x 1[max_k q_k ≥ τ] · −log p(argmax_k q_k | x).

    n counts all unlabelled images of the batch, those below the threshold too; where all are below, the loss is 0. With
    one tensor for both arguments and τ = 0 it is the unlabelled part of Lee's loss (*Pseudo-Label*, ICML workshop 2013,
    §2.4); with two views of the same images it is FixMatch's (Sohn 2020, arXiv:2001.07685, eq. 4).

    class_logits: the logits that learn; p is their softmax.
    judged_logits: the logits that answer, row by row for the same images; q is their softmax, without gradient.
    confidence: τ in [0, 1].

    >>> logits, judged = torch.zeros(2, 4), torch.tensor([[9.0, 0, 0, 0], [0.0, 0, 0, 0]])
    >>> pseudo_label(logits, judged, confidence=0.9)  # log 4 from the first image, 0 from the second
    tensor(0.6931)
    """
    check_number("confidence", confidence, at_most=1)
    check_tensor("class_logits", class_logits, ("batch", "classes"))
    check_tensor("judged_logits", judged_logits, class_logits.shape)
    probability, answers = F.softmax(judged_logits.detach(), dim=1).max(dim=1)
    losses = F.cross_entropy(class_logits, answers, reduction="none")
    return (losses * (probability >= confidence)).mean()
