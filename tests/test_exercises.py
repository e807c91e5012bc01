"""Exercises: folded solutions are right, empty stubs and typical mistakes are not, and nothing stops a notebook."""

import math
import re
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F

from sgan_lib import exercises
from sgan_lib.presets import PRESETS

SOURCES = sorted((Path(__file__).resolve().parents[1] / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
NAME = re.compile(r'exercises\.check\("([\w.]+)"')
EMPTY = "Not yet: this is still the empty answer; fill it in."


def stubs_and_solutions(path):
    """Of one notebook: its imports and parameters cells; name of exercise -> its stub; name -> its solution."""
    cells = jupytext.read(path).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    tagged = {tag: cell.source for cell in code for tag in cell.metadata.get("tags", [])}
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    folded = re.findall(r"<details>.*?</details>", prose, flags=re.DOTALL)
    blocks = [block for part in folded for block in re.findall(r"```python\n(.*?)```", part, flags=re.DOTALL)]
    by_name = ({NAME.search(source)[1]: source for source in sources if NAME.search(source)}
               for sources in ([cell.source for cell in code], blocks))  # fmt: skip
    return tagged["imports"] + "\n\n" + tagged["parameters"] + "\n\n", *by_name


FOUND = {path.stem: stubs_and_solutions(path) for path in SOURCES}
EXERCISES = [(notebook, name) for notebook, (_, stubs, _) in FOUND.items() for name in stubs]


@pytest.fixture
def execute(monkeypatch, capsys):
    """Run code as a notebook would, with the shortest of training runs, and return the lines that it printed."""
    for network in PRESETS["quick"].steps:
        monkeypatch.setitem(PRESETS["quick"].steps, network, 20)

    def run(source):
        with torch.random.fork_rng(), plt.rc_context():
            exec(compile(source, "a notebook", "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out.splitlines()

    return run


def test_there_are_exercises_and_each_checker_has_its_stub_and_solution():
    assert EXERCISES
    names = [name for _, name in EXERCISES]
    assert sorted(names) == sorted(exercises.CHECKERS)
    for _, stubs, solutions in FOUND.values():
        assert list(stubs) == list(solutions)


@pytest.mark.parametrize(("notebook", "name"), EXERCISES)
def test_the_folded_solution_is_right_on_top_of_imports_and_parameters(notebook, name, execute):
    setup, _, solutions = FOUND[notebook]
    assert execute(setup + solutions[name]) == ["Right."]


@pytest.mark.parametrize(("notebook", "name"), EXERCISES)
def test_the_stub_runs_and_says_that_it_is_not_solved_yet(notebook, name, execute):
    setup, stubs, _ = FOUND[notebook]
    assert execute(setup + stubs[name]) == [EMPTY]


# --- wrong answers


def raising(*_arguments):
    raise KeyError("left out")


ANYTHING = {
    "nothing": None,
    "a word": "seven",
    "an empty list": [],
    "an empty dictionary": {},
    "minus one": -1,
    "not a number": float("nan"),
    "a function of nothing": lambda: None,
    "a function that returns None": lambda *_: None,
    "a function that returns a word": lambda *_: "seven",
    "a function that returns 0": lambda *_: 0.0,
    "a function that returns a tensor": lambda *_: torch.zeros(3),
    "a function that raises": raising,
}


@pytest.mark.parametrize("answer", ANYTHING.values(), ids=ANYTHING)
@pytest.mark.parametrize("name", exercises.CHECKERS)
def test_nonsense_is_refused_and_never_raises(name, answer, capsys):
    exercises.check(name, answer)
    assert capsys.readouterr().out.startswith("Not yet: ")


def plan(**changes):
    runs = [
        {"method": m, "dataset": "digits", "n_labels": 200, "seed": s}
        for m in ("supervised", "sgan")
        for s in (0, 1, 2)
    ]
    return [run | changes.get(run["method"], {}) for run in runs]


def shares(classes, k):
    return torch.bincount(classes, minlength=k) / len(classes)


def shares_entropy(classes, k):
    return torch.special.entr(shares(classes, k)).sum().item()


def with_fake(logits, n_classes):
    """K + 1 logits, the last for "fake", from K or from K + 1."""
    return logits if logits.shape[1] > n_classes else F.pad(logits, (0, 1))


def shifted_by(logits, largest):
    """Log-probabilities, with this number subtracted before the exponentials."""
    return logits - largest - (logits - largest).exp().sum(dim=1, keepdim=True).log()


def masked(divide):
    def loss(logits, labels, mask):
        return (F.cross_entropy(logits, labels, reduction="none") * mask).sum() / divide(mask)

    return loss


def moments(variance, of_mean=lambda x: x.square().mean(), target=torch.Tensor.detach):
    def loss(real, fake):
        real = target(real)
        return of_mean(real.mean(dim=0) - fake.mean(dim=0)) + of_mean(variance(real) - variance(fake))

    return loss


def by_n(x):
    return x.var(dim=0, unbiased=False)


def factorial(weights=((0.0, 0.0), (0.1, 0.0), (0.0, 0.3), (0.1, 0.3)), seeds=(0, 1, 2), **changes):
    asked = {"method": "bad_gan", "dataset": "digits", "n_labels": 50} | changes
    return [asked | {"seed": s, "entropy_weight": e, "pull_away_weight": p} for s in seeds for e, p in weights]


def both_losses(eg, d=lambda a, b: F.softplus(-a).mean() + F.softplus(b).mean()):
    return lambda encoded, generated: (d(encoded, generated), eg(encoded, generated))


def by_distance(distance, count=lambda right: right.double().mean().item()):
    return lambda a, labels, b, of_b: count(of_b[distance(a, b).argmin(dim=1)] == labels)


def jensen_shannon(p, q):
    half = (p + q) / 2
    return (torch.special.entr(half) - (torch.special.entr(p) + torch.special.entr(q)) / 2).sum()


def in_turn(seconds, workers):
    return max(sum(seconds[k::workers]) for k in range(workers))


def log_worth(counts, errors, error, log=torch.log):
    """Interpolated from the left, in whatever `log` makes of counts and errors."""
    x, y = (log(torch.tensor(one, dtype=torch.float64)) for one in (counts, errors))
    at = log(torch.tensor(error, dtype=torch.float64))
    k = min(int((y >= at).sum()) - 1, len(counts) - 2)
    found = x[k] + (at - y[k]) / (y[k + 1] - y[k]) * (x[k + 1] - x[k])
    return (found.exp() if log is torch.log else found).item()


def errors_of(a, b, unbiased=True):
    a, b = torch.tensor(a), torch.tensor(b)
    n = len(a)
    unpaired = (a.var(unbiased=unbiased) / n + b.var(unbiased=unbiased) / n).sqrt().item()
    return unpaired, ((a - b).std(unbiased=unbiased) / n**0.5).item()


def comparison(seeds=range(5), methods=("feature_matching", "consistency"), **changes):
    asked = {"dataset": "mnist", "n_labels": 100, "network": "dcgan", "shift": 2} | changes
    return [asked | {"method": method, "seed": one} for one in seeds for method in methods]


MISTAKES = {
    "scaling.makespan": {
        "the sum": lambda seconds, workers: sum(seconds),
        "a fair share": lambda seconds, workers: sum(seconds) / workers,
        "the longest": lambda seconds, workers: max(seconds),
        "dealt out in turn": in_turn,
        "the list itself": lambda seconds, workers: seconds,
        "the longest first": lambda seconds, workers: in_turn(sorted(seconds, reverse=True), workers),
    },
    "scaling.splits_needed": {
        "rounded down": lambda sd, difference: max(1, int((1.96 * sd / difference) ** 2)),
        "not squared": lambda sd, difference: -int(-1.96 * sd / difference // 1),
        "without 1.96": lambda sd, difference: -int(-((sd / difference) ** 2) // 1),
        "not whole": lambda sd, difference: (1.96 * sd / difference) ** 2,
        "ten times as many": lambda sd, difference: 10 * -int(-((1.96 * sd / difference) ** 2) // 1),
    },
    "scaling.which_tool": {
        "nothing said": dict.fromkeys(["100 labels; the next 1,000 cost an afternoon of one person"]),
        "three situations": {"100 labels; the next 1,000 cost an afternoon of one person": "label more"},
    },
    "label_scarcity.labels_worth": {
        "straight in the numbers": lambda *given: log_worth(*given, log=lambda x: x),
        "how many fewer": lambda counts, errors, error: counts[-1] - log_worth(counts, errors, error),
        "the nearest point": lambda counts, errors, error: min(
            zip(counts, errors, strict=True), key=lambda point: abs(point[1] - error)
        )[0],
        "the logarithm": lambda *given: math.log(log_worth(*given)),
        "a text": lambda *given: str(log_worth(*given)),
    },
    "label_scarcity.standard_errors": {
        "divided by n": lambda a, b: errors_of(a, b, unbiased=False),
        "exchanged": lambda a, b: errors_of(a, b)[::-1],
        "the paired one alone": lambda a, b: errors_of(a, b)[1],
        "not by the square root": lambda a, b: tuple(one * len(a) ** -0.5 for one in errors_of(a, b)),
        "twice the unpaired": lambda a, b: (errors_of(a, b)[0],) * 2,
    },
    "label_scarcity.statements": {
        "nothing said": dict.fromkeys(["if two intervals overlap, there is no difference between the methods"]),
        "another statement": {"the moon is full": True},
    },
    "label_scarcity.plan": {
        "one method": comparison(methods=("consistency",)),
        "a third method": comparison(methods=("feature_matching", "consistency", "sgan")),
        "four splits": comparison(seeds=range(4)),
        "a network without a generator": comparison(network="cnn"),
        "other labels": comparison(n_labels=50),
        "another set": comparison(dataset="digits"),
        "one split": comparison(split_seed=0),
        "unpaired": comparison(methods=("feature_matching",))
        + comparison(seeds=range(5, 10), methods=("consistency",)),
        "two networks": comparison(methods=("feature_matching",)) + comparison(methods=("consistency",), network="mlp"),
    },
    "theory.number_to_add": {
        "the wrong sign": lambda full: full[:, -1],
        "of another class": lambda full: -full[:, 0],
        "a column": lambda full: -full[:, -1:],
        "a single number": lambda full: -full[0, -1],
    },
    "theory.log_probabilities": {
        "the logarithm of a softmax": lambda logits: F.pad(logits, (0, 1)).softmax(dim=1).log(),
        "overflows": lambda logits: F.pad(logits, (0, 1)) - F.pad(logits, (0, 1)).exp().sum(1, keepdim=True).log(),
        "of the K classes": lambda logits: F.pad(logits.log_softmax(dim=1), (0, 1)),
        "fake first": lambda logits: F.pad(logits, (1, 0)).log_softmax(dim=1),
        "over the batch": lambda logits: F.pad(logits, (0, 1)).log_softmax(dim=0),
        "the largest only": lambda logits: F.pad(logits, (0, 1)) - F.pad(logits, (0, 1)).amax(dim=1, keepdim=True),
        "one maximum for the whole batch": lambda logits: shifted_by(F.pad(logits, (0, 1)), logits.max().relu()),
        "the maximum without fake": lambda logits: shifted_by(F.pad(logits, (0, 1)), logits.amax(1, keepdim=True)),
        "no gradient": lambda logits: F.pad(logits, (0, 1)).log_softmax(dim=1).detach(),
    },
    "theory.best_discriminator": {
        "equal shares": lambda p, q, share: p / (p + q),
        "shares turned round": lambda p, q, share: (1 - share) * p / ((1 - share) * p + share * q),
        "of the fakes": lambda p, q, share: (1 - share) * q / (share * p + (1 - share) * q),
        "the odds": lambda p, q, share: share * p / ((1 - share) * q),
    },
    "theory.initial_bias": {
        "zero": lambda k: 0.0,
        "the sign": lambda k: torch.tensor(float(k)).log().item(),
        "of K + 1": lambda k: -torch.tensor(float(k + 1)).log().item(),
    },
    "start.validation_errors": {
        "per cent": [90.0] * 20,
        "too few": [0.5, 0.1],
        "turned round": [i / 20 for i in range(20)],
        "the records": [object()] * 20,
    },
    "start.mean_gain": {
        "the sign": lambda a, b: 100 * (sum(b) - sum(a)) / len(a),
        "a fraction": lambda a, b: (sum(a) - sum(b)) / len(a),
        "a sum": lambda a, b: 100 * (sum(a) - sum(b)),
        "relative": lambda a, b: 100 * (1 - sum(b) / sum(a)),
    },
    "start.errors_at_20": {
        "one method": {"supervised": 0.3},
        "per cent": {"supervised": 30.0, "sgan": 10.0},
        "with 50 labels": {"supervised": 0.08, "sgan": 0.04},
        "made up": {"supervised": 0.3, "sgan": 0.12345},
    },
    "gan_baseline.blind_loss": {
        "half of it": lambda p: -(p.log() + (1 - p).log()) / 2,
        "the sign": lambda p: p.log() + (1 - p).log(),
        "the real ones only": lambda p: -p.log(),
        "real and real": lambda p: -2 * p.log(),
        "the mean": lambda p: -(p.log() + (1 - p).log()).mean(),
    },
    "gan_baseline.error_to_report": {
        "the validation error": lambda table: table["validation_error"].min(),
        "chosen on the test set": lambda table: table["test_error"].min(),
        "the first row": lambda table: table["test_error"].iloc[0],
        "the mean": lambda table: table["test_error"].mean(),
    },
    "gan_baseline.generator_loss_in_company": {
        "alone": lambda judge, real, fake: F.softplus(-judge(fake).class_logits).mean(),
        "of all images": lambda judge, real, fake: F.softplus(-judge(torch.cat([real, fake])).class_logits).mean(),
        "of the real ones": lambda judge, real, fake: F.softplus(
            -judge(torch.cat([real, fake])).class_logits[: len(real)]
        ).mean(),
        "an image at a time": lambda judge, real, fake: F.softplus(
            -judge(torch.cat([real, fake])).class_logits[len(real) :]
        ),
        "detached": lambda judge, real, fake: F.softplus(
            -judge(torch.cat([real, fake.detach()])).class_logits[len(real) :]
        ).mean(),
    },
    "gan_baseline.effective_classes": {
        "the entropy": lambda classes, k: shares_entropy(classes, k),
        "not a number": lambda classes, k: (-(s := shares(classes, k)) * s.log()).sum().exp().item(),
        "in bits": lambda classes, k: torch.tensor(shares_entropy(classes, k) / 0.6931472).exp().item(),
        "how many occur": lambda classes, k: float(len(classes.unique())),
        "inverse Simpson": lambda classes, k: 1 / shares(classes, k).square().sum().item(),
    },
    "gan_baseline.diagnosis": {
        "all healthy": dict.fromkeys("ABCD", "healthy"),
        "three runs": dict.fromkeys("ABC", "healthy"),
        "another illness": dict.fromkeys("ABCD", "the flu"),
    },
    "sgan.fake_probability": {
        "of K outputs only": lambda logits, k: torch.sigmoid(-logits[:, :k].logsumexp(dim=1)),
        "of all outputs": lambda logits, k: F.pad(logits, (0, 1)).softmax(dim=1)[:, -1],
        "real": lambda logits, k: torch.sigmoid(logits[:, :k].logsumexp(dim=1) - with_fake(logits, k)[:, k]),
        "a column": lambda logits, k: with_fake(logits, k).softmax(dim=1)[:, k:],
        "the last class": lambda logits, k: with_fake(logits, k).softmax(dim=1)[:, k - 1],
        "overflows": lambda logits, k: with_fake(logits, k).exp()[:, k] / with_fake(logits, k).exp().sum(dim=1),
        "the rest": lambda logits, k: 1 - torch.sigmoid(logits[:, :k].logsumexp(dim=1) - with_fake(logits, k)[:, k]),
    },
    "sgan.masked_loss": {
        "mean over the batch": masked(len),
        "not a number where nothing is selected": masked(torch.sum),
        "one image too many": masked(lambda mask: mask.sum() + 1),
        "without the mask": lambda logits, labels, mask: F.cross_entropy(logits, labels),
    },
    "sgan.without_fake_class": {
        "nothing said": dict.fromkeys(["a test image can be classified as fake"]),
        "another statement": {"the moon is full": True},
    },
    "sgan.combined_accuracy": {
        "a plain mean": lambda real, fake, n_real, n_fake: (real + fake) / 2,
        "weights turned round": lambda real, fake, n, m: (real * m + fake * n) / (n + m),
        "the real ones only": lambda real, fake, n_real, n_fake: real,
    },
    "sgan.fair_comparison": {
        "no baseline": plan()[3:],
        "too few seeds": [run for run in plan() if run["seed"] == 0],
        "other seeds": plan()[:3] + [run | {"seed": run["seed"] + 1} for run in plan()[3:]],
        "other steps": plan(sgan={"steps": 9000}),
        "another network": plan(supervised={"network": "cnn"}),
        "other labels": plan(supervised={"n_labels": 100}),
        "one split": [run | {"split_seed": 0} for run in plan()],
    },
    "feature_matching.unseen_fakes": {
        "a list": [[1.0, 0.0], [1.0, 2.0], [0.0, 1.0], [2.0, 1.0]],
        "all in the middle": torch.ones(4, 2),
        "the corners": torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]),
        "turned": torch.ones(2, 4),
        "another mean": torch.tensor([[1.0, 0.0], [1.0, 2.0], [0.0, 1.0], [1.0, 1.0]]),
        "a mean right in one coordinate": torch.tensor([[1.0, 0.0], [0.8, 1.0], [1.2, 0.5], [1.0, 0.7]]),
        "not numbers": torch.full((4, 2), torch.nan),
    },
    "feature_matching.two_moments": {
        "means only": lambda real, fake: (real.detach().mean(dim=0) - fake.mean(dim=0)).square().mean(),
        "variances only": lambda real, fake: (by_n(real.detach()) - by_n(fake)).square().mean(),
        "divided by n - 1": moments(lambda x: x.var(dim=0)),
        "standard deviations": moments(lambda x: by_n(x).sqrt()),
        "sums": moments(by_n, lambda x: x.square().sum()),
        "l1": moments(by_n, lambda x: x.abs().mean()),
        "over all features at once": moments(lambda x: x.var(unbiased=False)),
        "a gradient into the target": moments(by_n, target=lambda x: x),
        "no gradient": lambda real, fake: moments(by_n)(real, fake.detach()),
        "the sides exchanged": lambda real, fake: moments(by_n)(fake, real),
    },
    "feature_matching.empty_share": {
        "with repetition": lambda n, m, b: (1 - n / m) ** b,
        "how many on average": lambda n, m, b: b * n / m,
        "the others": lambda n, m, b: 1 - (1 - n / m) ** b,
        "of the unlabelled": lambda n, m, b: (n / m) ** b,
    },
    "feature_matching.statements": {
        "nothing said": dict.fromkeys(["the discriminator minimises the matching loss too"]),
        "another statement": {"the moon is full": True},
    },
    "feature_matching.which_term": {
        "both or none": factorial(((0.0, 0.0), (0.1, 0.3))),
        "one after the other": factorial(((0.0, 0.0), (0.1, 0.0), (0.1, 0.3))),
        "the same weights in other words": factorial(((0.1, 0.3), (0.1, 0.3), (0.1, 0.3), (0.1, 0.3))),
        "too few seeds": factorial(seeds=(0, 1)),
        "one split": factorial(split_seed=0),
        "other seeds": factorial()[:-1] + factorial(seeds=(7,))[-1:],
        "other steps": factorial()[:-1] + factorial(steps=9000)[-1:],
        "other labels": factorial(n_labels=100),
        "another method": factorial(method="sgan"),
        "two strengths": factorial() + factorial(((0.2, 0.0),)),
    },
    "debugging.bigan_losses": {
        "minus the first": both_losses(lambda a, b: -F.softplus(-a).mean() - F.softplus(b).mean()),
        "the same twice": both_losses(lambda a, b: F.softplus(-a).mean() + F.softplus(b).mean()),
        "generated pairs only": both_losses(lambda a, b: F.softplus(-b).mean()),
        "exchanged": lambda a, b: (
            F.softplus(a).mean() + F.softplus(-b).mean(),
            F.softplus(-a).mean() + F.softplus(b).mean(),
        ),
        "halves": lambda a, b: tuple((F.softplus(s * a).mean() + F.softplus(-s * b).mean()) / 2 for s in (-1, 1)),
        "overflows": lambda a, b: tuple(
            (1 + (s * a).exp()).log().mean() + (1 + (-s * b).exp()).log().mean() for s in (-1, 1)
        ),
        "one loss": lambda a, b: F.softplus(-a).mean() + F.softplus(b).mean(),
        "a loss a pair": lambda a, b: (F.softplus(-a), F.softplus(a)),
    },
    "debugging.labels_used": {
        "every draw new": lambda n, k, e: k * e,
        "every draw new, until all are used": lambda n, k, e: min(n, k * e),
        "the same each time": lambda n, k, e: k,
        "an exponential": lambda n, k, e: n - n * 2.718281828 ** (-k * e / n),
        "one draw too many": lambda n, k, e: n * (1 - (1 - k / n) ** (e + 1)),
        "the share": lambda n, k, e: 1 - (1 - k / n) ** e,
    },
    "debugging.pool_matters": {
        "shuffled": lambda train, pool: not torch.equal(train(pool), train(pool.flip(0))),
        "negated": lambda train, pool: not torch.equal(train(pool), train(-pool)),
        "halved": lambda train, pool: not torch.equal(train(pool), train(pool[::2])),
        "one image changed": lambda train, pool: (
            not torch.equal(train(pool), train(torch.cat([torch.zeros_like(pool[:1]), pool[1:]])))
        ),
        "within a tolerance": lambda train, pool: not torch.allclose(train(pool), train(torch.zeros_like(pool))),
        "turned round": lambda train, pool: torch.equal(train(pool), train(torch.zeros_like(pool))),
        "always": lambda train, pool: True,
    },
    "debugging.diagnosis": {
        "all alike": dict.fromkeys("PQRSTU", "softmax twice"),
        "five programs": dict.fromkeys("PQRST", "softmax twice"),
        "another illness": dict.fromkeys("PQRSTU", "the flu"),
    },
    "conditional_sgan.joined_weight": {
        "the vectors themselves": lambda weight, vectors: torch.cat([weight, vectors.T.repeat(2, 1)[:7]], dim=1),
        "z behind the code": lambda weight, vectors: torch.cat([weight @ vectors.T, weight], dim=1),
        "one shift for all": lambda weight, vectors: torch.cat(
            [weight, weight @ vectors.mean(0).repeat(3, 1).T], dim=1
        ),
        "the sign": lambda weight, vectors: torch.cat([weight, -weight @ vectors.T], dim=1),
        "the shifts alone": lambda weight, vectors: weight @ vectors.T,
    },
    "conditional_sgan.generator_loss": {
        "without the weight": lambda logits, asked, weight: F.cross_entropy(F.pad(logits, (0, 1)), asked),
        "the weight on both": lambda logits, asked, weight: weight * F.cross_entropy(F.pad(logits, (0, 1)), asked),
        "the class alone": lambda logits, asked, weight: weight * F.cross_entropy(logits, asked),
        "over N+1 classes": lambda logits, asked, weight: (
            F.softplus(-logits.logsumexp(dim=1)).mean() + weight * F.cross_entropy(F.pad(logits, (0, 1)), asked)
        ),
        "the sign": lambda logits, asked, weight: (
            F.softplus(-logits.logsumexp(dim=1)).mean() - weight * F.cross_entropy(logits, asked)
        ),
        "the largest logit": lambda logits, asked, weight: (
            F.softplus(-logits.amax(dim=1)).mean() + weight * F.cross_entropy(logits, asked)
        ),
    },
    "conditional_sgan.worst_class": {
        "among the answers": lambda answers, asked: min(
            ((asked == k)[answers == k].float().mean().item(), k) for k in answers.unique().tolist()
        )[::-1],
        "the mean": lambda answers, asked: (0, (answers == asked).float().mean().item()),
        "the share of all images": lambda answers, asked: min(
            (((answers == asked) & (asked == k)).float().mean().item(), k) for k in asked.unique().tolist()
        )[::-1],
        "the best": lambda answers, asked: max(
            ((answers == asked)[asked == k].float().mean().item(), k) for k in asked.unique().tolist()
        )[::-1],
        "the accuracy alone": lambda answers, asked: 0.5,
    },
    "conditional_sgan.judges": {
        "three judges": {"a network trained on all labels in a run of its own": True},
        "nothing said": dict.fromkeys(["a person who is not told which class was asked for"]),
    },
    "bigan.jensen_shannon": {
        "not a number in empty cells": lambda p, q: sum((a * (2 * a / (p + q)).log()).sum() for a in (p, q)) / 2,
        "twice as large": lambda p, q: 2 * jensen_shannon(p, q),
        "in bits": lambda p, q: jensen_shannon(p, q) / 0.6931472,
        "one side only": lambda p, q: (torch.special.xlogy(p, p) - torch.special.xlogy(p, (p + q) / 2)).sum(),
        "a divergence a cell": lambda p, q: p - q,
    },
    "bigan.five_images": {
        "the optimum of four and four": (0.0, 24),
        "the four that match": (0.0749, 120),
        "three of five": (0.2294, 480),
        "one number": (0.0749,),
        "a word for a number": (0.0749, "all"),
    },
    "bigan.nearest_neighbour": {
        "the farthest": by_distance(lambda a, b: -torch.cdist(a, b)),
        "the largest product": by_distance(lambda a, b: -a @ b.T),
        "the sum of differences": by_distance(lambda a, b: torch.cdist(a, b, p=1)),
        "how many": by_distance(torch.cdist, lambda right: int(right.sum())),
        "the error": by_distance(torch.cdist, lambda right: 1 - right.double().mean()),
        "which are right": by_distance(torch.cdist, lambda right: right),
    },
    "bigan.honest_gain": {
        "over raw pixels": lambda table: table["encoder"] - table["raw pixels"],
        "over its own start": lambda table: table["encoder"] - table["untrained encoder"],
        "over the mean": lambda table: table["encoder"] - (table["raw pixels"] + table["untrained encoder"]) / 2,
        "never negative": lambda table: max(0.0, 2 * table["encoder"] - sum(sorted(table.values())[-2:])),
        "the accuracy": lambda table: table["encoder"],
        "the table": lambda table: table,
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "mistake"), [(name, mistake) for name in MISTAKES for mistake in MISTAKES[name]])
def test_typical_mistakes_are_refused_without_a_crash(name, mistake, capsys):
    exercises.check(name, MISTAKES[name][mistake])
    printed = capsys.readouterr().out
    assert printed.startswith("Not yet: ")
    assert "raised" not in printed


def test_every_checker_is_tried_with_typical_mistakes():
    assert set(MISTAKES) == set(exercises.CHECKERS)


# --- the checking itself


@pytest.fixture
def even(monkeypatch):
    monkeypatch.setattr(exercises, "CHECKERS", {})

    @exercises.checker("test.even")
    def complain(answer):
        return "it is odd" if answer % 2 else None

    return "test.even"


def test_check_prints_its_verdict_and_returns_nothing(even, capsys):
    for answer in (4, 5, None, "two"):
        assert exercises.check(even, answer) is None  # a value would be shown below the cell
    assert capsys.readouterr().out.splitlines() == [
        "Right.",
        "Not yet: it is odd.",
        EMPTY,
        "Not yet: your answer raised TypeError: not all arguments converted during string formatting.",
    ]


def constant(*_arguments):
    """A function that says something, if not much."""
    return 0


@pytest.mark.parametrize(
    "answer", [constant, lambda: 0.0, lambda: False, lambda x: x, {"a": None, "b": [1]}, {}, [None]]
)
def test_an_answer_that_says_anything_is_not_empty(even, answer, capsys):
    exercises.check(even, answer)
    assert EMPTY not in capsys.readouterr().out


@pytest.mark.usefixtures("even")
def test_an_exercise_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match=r"^name must be one of test\.even; got 'test\.odd'$"):
        exercises.check("test.odd", 1)
