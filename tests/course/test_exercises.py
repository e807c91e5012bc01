"""Exercises: folded solutions are right; stubs and mistakes are not, and get complaints that do not tell the answer."""

import ast
import math
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sgan_lib.course import exercises
from sgan_lib.course.exercises import checking
from sgan_lib.networks import NETWORKS

SOURCES = Path(__file__).parents[2] / "notebooks" / "src"
EMPTY = "Not yet: this is still the empty answer; fill it in."
RETURNS_NONE = "Not yet: the function returns None; let it return its result."


def stubs_and_solutions(path):
    """Of one notebook: its imports and parameters; name of exercise -> its stub; name of exercise -> its solution."""
    cells = jupytext.read(path).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    tagged = {tag: cell.source for cell in code for tag in cell.metadata.get("tags", [])}
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    folded = "\n".join(re.findall(r"<details>.*?</details>", prose, flags=re.DOTALL))
    blocks = re.findall(r"```python\n(.*?)```", folded, flags=re.DOTALL)
    by_name = ({name[1]: source for source in sources if (name := re.search(r'exercises\.check\("([\w.]+)"', source))}
               for sources in ([cell.source for cell in code], blocks))  # fmt: skip
    return tagged["imports"] + "\n\n" + tagged["parameters"] + "\n\n", *by_name


LESSONS = [stubs_and_solutions(path) for path in sorted(SOURCES.glob("[0-9][0-9]_*.py"))]
EXERCISES = {name: (setup, stub, solutions.get(name)) for setup, stubs, solutions in LESSONS
             for name, stub in stubs.items()}  # fmt: skip


@pytest.fixture
def execute(monkeypatch, capsys):
    """Run code as a notebook would, with the shortest of training runs, and return the lines that it printed."""
    for name, row in NETWORKS.items():
        monkeypatch.setitem(NETWORKS, name, replace(row, steps=(20, 20, 20)))

    def run(source):
        with torch.random.fork_rng(), plt.rc_context():
            exec(compile(source, "a notebook", "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out.splitlines()

    return run


@pytest.fixture
def complaint(capsys):
    """What `check` says of an answer to an exercise, which it must refuse."""

    def of(name, answer):
        assert exercises.check(name, answer) is None  # a value would be shown below the cell
        printed = capsys.readouterr().out
        assert printed.startswith("Not yet: ")
        return printed

    return of


@pytest.mark.parametrize("name", sorted({*EXERCISES, *exercises.CHECKERS}))
def test_the_stub_is_told_that_it_is_empty_and_the_folded_solution_that_it_is_right(name, execute):
    setup, stub, solution = EXERCISES[name]
    is_silent = "def " in stub and "NotImplementedError" not in stub  # its body is "..."
    assert execute(setup + stub) == [RETURNS_NONE if is_silent else EMPTY]
    assert execute(setup + solution) == ["Right."]


NONSENSE = [None, "seven", [], {}, 7, math.nan, [None], {"a": None, "b": [1]}, lambda: 1, lambda x: x, lambda *_: "",
            lambda *_: {}["left out"], lambda *_: 0.0, lambda *_: False, lambda *_: torch.zeros(3)]  # fmt: skip


@pytest.mark.parametrize("name", exercises.CHECKERS)
def test_nonsense_is_refused_and_never_raises(name, complaint):
    assert [complaint(name, answer).strip() == EMPTY for answer in NONSENSE] == [True] + 14 * [False]


def plan(methods, seeds, **settings):
    return [settings | {"method": method, "seed": seed} for method in methods for seed in seeds]


def help_plan(seeds=range(3), **changes):
    return plan(["supervised", "sgan"], seeds, **{"dataset": "digits", "n_labels": 200} | changes)


def pair_plan(seeds=range(5), **changes):
    return plan(["feature_matching", "consistency"], seeds, **{"dataset": "mnist", "n_labels": 100} | changes)


def term_plan(weights=((0, 0), (0.1, 0), (0, 0.3), (0.1, 0.3)), seeds=range(3), method="bad_gan", **changes):
    asked = {"dataset": "digits", "n_labels": 50} | changes
    return [run for e, p in weights for run in plan([method], seeds, entropy_weight=e, pull_away_weight=p, **asked)]


def test_plans_that_differ_from_those_below_in_their_mistake_alone_are_right(capsys):
    for name, right in (("sgan.fair_comparison", help_plan(steps=9)), ("label_scarcity.plan", pair_plan(shift=2)),
                        ("feature_matching.which_term", term_plan(preset="paper"))):  # fmt: skip
        exercises.check(name, right)
    split = [run | {"split_seed": run["seed"], "preset": "quick"} for run in help_plan()]  # what is the default anyway
    neither = term_plan([(0.1, 0.3)], method="feature_matching")  # which has neither term
    exercises.check("sgan.fair_comparison", help_plan()[:3] + split[3:])
    exercises.check("feature_matching.which_term", neither + term_plan()[3:])
    assert capsys.readouterr().out == 5 * "Right.\n"


def log_softmax(logits, subtracted):
    """Log-probabilities of K + 1 classes, with this number subtracted before the exponentials."""
    full = F.pad(logits, (0, 1)) - subtracted
    return full - full.exp().sum(dim=1, keepdim=True).log()


def masked(divide):
    return lambda logits, labels, mask: (F.cross_entropy(logits, labels, reduction="none") * mask).sum() / divide(mask)


def moments(real, fake, variance=lambda x: x.var(dim=0, unbiased=False)):
    return (real.mean(0) - fake.mean(0)).square().mean() + (variance(real) - variance(fake)).square().mean()


def told_apart(a, b):
    return F.softplus(-a).mean() + F.softplus(b).mean()


# exercise -> wrong answers, each of which is to get another complaint
def grouped(key):
    """An answer that takes pictures with the same key for the same."""

    def answer(pictures):
        keys = [key(picture) for _, picture in pictures]
        names = {k: [name for (name, _), other in zip(pictures, keys, strict=True) if other == k] for k in keys}
        return [group for group in names.values() if len(group) > 1]

    return answer


MISTAKES = {
    "start.validation_errors": [[0.5, 0.1], [90.0] * 20, [i / 20 for i in range(20)], [object()] * 20],
    "start.mean_gain": [lambda a, b: 100 * (sum(b) - sum(a)) / 3, lambda a, b: (sum(a) - sum(b)) / 3,
                        lambda a, b: 100 * (sum(a) - sum(b)), lambda a, b: str(9)],
    "start.errors_at_20": [{"supervised": 0.3}, {"supervised": 30.0, "sgan": 10.0}, {"supervised": 0.08, "sgan": 0.04},
                           {"supervised": 0.3, "sgan": 0.12345}],
    "theory.number_to_add": [lambda full: full[:, -1], lambda full: -full[:, 0], lambda full: -full[:, -1:]],
    "theory.log_probabilities": [
        lambda logits: F.pad(logits, (0, 1)).log_softmax(dim=1).detach(), lambda logits: log_softmax(logits, 0),
        lambda logits: F.pad(logits, (0, 1)).log_softmax(dim=1) + 1, lambda logits: logits.log_softmax(dim=1),
        lambda logits: (log_p := F.pad(logits, (0, 1)).log_softmax(dim=1)).detach() + 0 * log_p,
        lambda logits: log_softmax(logits, logits.max().relu()),  # one maximum for the whole batch
        lambda logits: log_softmax(logits, logits.amax(1, keepdim=True))],  # without that of the fake class
    "theory.best_discriminator": [lambda p, q, share: p / (p + q), lambda p, q, share: q / (p + q),
                                  lambda p, q, share: share * p / ((1 - share) * q), lambda p, q, share: (p + q).sum()],
    "theory.initial_bias": [lambda k: 0.0, lambda k: math.log(k), lambda k: -math.log(k + 1)],
    "gan_baseline.blind_loss": [lambda p: -(p.log() + (1 - p).log()) / 2, lambda p: p.log() + (1 - p).log(),
                                lambda p: -p.log(), lambda p: -2 * p.log(), lambda p: -p.log().mean()],
    "gan_baseline.error_to_report": [lambda table: table["validation_error"].min(), lambda table: table,
                                     lambda table: table["test_error"].min(), lambda table: table["test_error"].mean()],
    "gan_baseline.generator_loss_in_company": [
        lambda judge, real, fake: judge(fake).class_logits,
        lambda judge, real, fake: F.softplus(-judge(fake).class_logits).mean(),
        lambda judge, real, fake: F.softplus(-judge(torch.cat([real, fake])).class_logits).mean(),
        lambda judge, real, fake: F.softplus(-judge(torch.cat([real, fake.detach()])).class_logits[5:]).mean()],
    "gan_baseline.effective_classes": [
        lambda classes, k: math.log(8), lambda classes, k: math.exp(3), lambda classes, k: float(len(classes.unique())),
        lambda classes, k: math.nan],
    "gan_baseline.diagnosis": [dict.fromkeys("PQRS", "healthy"), dict.fromkeys("PQR", "healthy"),
                               dict.fromkeys("PQRS", "the flu")],
    "sgan.fake_probability": [
        lambda logits, k: torch.sigmoid(-logits[:, :k].logsumexp(dim=1)),  # of K outputs only
        lambda logits, k: 1 - torch.sigmoid(logits[:, :k].logsumexp(1) - F.pad(logits, (0, 1))[:, k]),
        lambda logits, k: (exp := F.pad(logits, (0, 1))[:, : k + 1].exp())[:, k] / exp.sum(dim=1),
        lambda logits, k: F.pad(logits, (0, 1)).softmax(dim=1)[:, k:]],
    "sgan.masked_loss": [masked(len), masked(torch.sum), masked(lambda mask: mask.sum() + 1),
                         lambda logits, labels, mask: F.cross_entropy(logits, labels, reduction="none") * mask],
    "sgan.combined_accuracy": [lambda real, fake, n, m: (real + fake) / 2, lambda real, fake, n, m: real,
                               lambda real, fake, n, m: (real * m + fake * n) / (n + m)],
    "sgan.fair_comparison": [
        help_plan()[3:], help_plan(split_seed=0), help_plan()[:4], help_plan(n_labels=100), [{"seed": 0}],
        help_plan()[:3] + help_plan(steps=9)[3:], help_plan()[:3] + help_plan(network="cnn", preset="paper")[3:]],
    "feature_matching.unseen_fakes": [
        [[1.0, 0.0]], torch.ones(2, 4), torch.ones(4, 2), 2 * torch.tensor([[0.0, 0], [1, 0], [0, 1], [1, 1]]),
        torch.tensor([[1.0, 0.0], [0.8, 1.0], [1.2, 0.5], [1.0, 0.7]]), torch.full((4, 2), torch.nan)],
    "feature_matching.two_moments": [
        moments, lambda real, fake: moments(fake.detach(), real), lambda real, fake: real - fake.mean(dim=0),
        lambda real, fake: moments(real.detach(), fake, lambda x: x.var(dim=0)),
        lambda real, fake: moments(real.detach(), fake, lambda x: x.std(dim=0))],
    "feature_matching.empty_share": [lambda n, m, b: (1 - n / m) ** b, lambda n, m, b: "none"],
    "feature_matching.which_term": [
        term_plan(((0, 0), (0.1, 0.3))), term_plan(((0, 0), (0.1, 0), (0.1, 0.3))), term_plan(seeds=(0, 1)), [7],
        term_plan()[:-1], term_plan()[:-1] + term_plan(steps=9)[-1:], term_plan(n_labels=100), [],
        term_plan() + term_plan(((0.2, 0),)), term_plan() + term_plan(((0, 0.2),))],
    "label_scarcity.labels_worth": [lambda counts, errors, error: np.interp(error, errors[::-1], counts[::-1]),
                                    lambda counts, errors, error: counts[0], lambda counts, errors, error: counts],
    "label_scarcity.standard_errors": [  # of differences 3, 2, 4: divided by n; exchanged; one alone; both unpaired
        lambda a, b: ((14 / 9) ** 0.5, (2 / 9) ** 0.5), lambda a, b: ((1 / 3) ** 0.5, (7 / 3) ** 0.5),
        lambda a, b: ((7 / 3) ** 0.5,), lambda a, b: ((7 / 3) ** 0.5,) * 2],
    "label_scarcity.plan": [pair_plan(range(4)), pair_plan(network="cnn"), pair_plan()[:5],
                            pair_plan(n_labels=50), pair_plan()[1:], pair_plan()[:5] + pair_plan(network="mlp")[5:]],
    "bigan.jensen_shannon": [lambda p, q: sum((a * (2 * a / (p + q)).log()).sum() for a in (p, q)) / 2,
                             lambda p, q: torch.special.xlogy(p, 2 * p / (p + q)).sum(), lambda p, q: p - q],
    "bigan.five_images": [(0.0, 24), (0.0749, 120), (0.2294, 480), (0.0749,)],
    "bigan.nearest_neighbour": [
        lambda a, labels, b, of_b: (of_b[(a @ b.T).argmax(dim=1)] == labels).double().mean(),
        lambda a, labels, b, of_b: (of_b[torch.cdist(a, b, p=1).argmin(dim=1)] == labels).double().mean(),
        lambda *tensors: 18, lambda *tensors: tensors[0]],
    "bigan.honest_gain": [lambda table: table["encoder"] - table["raw pixels"], lambda table: table["encoder"],
                          lambda table: table["encoder"] - table["untrained encoder"], lambda table: table],
    "conditional_sgan.joined_weight": [lambda weight, vectors: torch.cat([weight, -weight @ vectors.T], dim=1),
                                       lambda weight, vectors: weight @ vectors.T],
    "conditional_sgan.generator_loss": [
        lambda logits, asked, weight: F.cross_entropy(F.pad(logits, (0, 1)), asked),
        lambda logits, asked, weight: weight * F.cross_entropy(logits, asked), lambda logits, asked, weight: logits,
        lambda logits, asked, weight: F.softplus(-logits.amax(1)).mean() + weight * F.cross_entropy(logits, asked)],
    "conditional_sgan.worst_class": [  # among those judged to be of a class; the best; no class; another share
        lambda answers, asked: (0, 3 / 8), lambda answers, asked: (2, 1.0), lambda answers, asked: 0.375,
        lambda answers, asked: (min(asked.tolist(), key=lambda k: (answers[asked == k] == k).double().mean()), 0.5)],
    "debugging.bigan_losses": [
        lambda a, b: (told_apart(-a, -b), told_apart(a, b)), lambda a, b: (told_apart(a, b),) * 2, told_apart,
        lambda a, b: (told_apart(a, b), -told_apart(a, b)), lambda a, b: (told_apart(a, -b), told_apart(-a, -b)),
        lambda a, b: tuple((1 + (s * a).exp()).log().mean() + (1 + (-s * b).exp()).log().mean() for s in (-1, 1)),
        lambda a, b: (a, b)],
    "debugging.labels_used": [lambda n, k, e: k * e, lambda n, k, e: k, lambda n, k, e: n - n * math.exp(-k * e / n)],
    "debugging.pool_matters": [
        lambda train, pool: not torch.equal(train(pool), train(pool.flip(0))), lambda train, pool: train(pool),
        lambda train, pool: not torch.equal(train(pool), train(-pool)), lambda train, pool: True,
        lambda train, pool: not torch.equal(train(pool), train(pool[::2])),
        lambda train, pool: not torch.equal(train(pool), train(torch.cat([0 * pool[:1], pool[1:]]))),
        lambda train, pool: not torch.allclose(train(pool), train(torch.zeros_like(pool)))],
    "debugging.diagnosis": [dict.fromkeys("PQRSTU", "softmax twice"), dict.fromkeys("PQRST", "softmax twice"),
                            dict.fromkeys("PQRSTU", "the flu")],
    "scaling.makespan": [lambda seconds, workers: sum(seconds), lambda seconds, workers: max(seconds),
                         lambda seconds, workers: max(sum(seconds[k::workers]) for k in range(workers))],
    "scaling.splits_needed": [lambda sd, gap: max(1, int((1.96 * sd / gap) ** 2)), lambda sd, gap: 10_000,
                              lambda sd, gap: (1.96 * sd / gap) ** 2, lambda sd, gap: int((sd / gap) ** 2) + 1],
    "own_data.same_pictures": [
        lambda pictures: [], lambda pictures: [[name] for name, _ in pictures], lambda pictures: 3,
        grouped(lambda picture: picture.tobytes()), grouped(lambda picture: picture.shape),
        grouped(lambda picture: int(picture.mean()))],
    "own_data.macro_f1": [
        lambda c: c.trace() / c.sum(), lambda c: (c.diagonal() / c.sum(1).clip(1)).mean(),
        lambda c: (c.diagonal() / c.sum(0).clip(1)).mean(), lambda c: 2 * c.trace(), lambda c: math.nan],
    "own_data.decide": [
        lambda low, high: "GAN" if low + high > 0 else "baseline", lambda low, high: "GAN" if low > 0 else "baseline",
        lambda low, high: "undecided", lambda low, high: low > 0],
}  # fmt: skip


@pytest.mark.parametrize("name", exercises.CHECKERS)
def test_typical_mistakes_are_told_apart(name, complaint):
    mistakes = MISTAKES.get(name, [{"the moon is full": True}])  # of short answers the test below has more
    complaints = [complaint(name, answer) for answer in mistakes]
    assert len(set(complaints)) == len(mistakes)
    told = ["your answer raised", *re.findall(r"(?:return|=) (.{6,})", EXERCISES[name][2])]  # the solution's terms
    assert not [each for each in complaints if any(words in each for words in told)]


def terms(source):
    """The calls and operations in a source, without spaces; bare names and constants are none."""
    plain = (ast.Name, ast.Attribute, ast.Constant)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr) and not isinstance(node, plain)]
    return {"".join(ast.unparse(node).split()) for node in nodes}


@pytest.mark.parametrize("name", exercises.HINTS)
def test_there_are_two_hints_and_no_term_of_the_solution_in_them(name):
    _, stub, solution = EXERCISES[name]
    hints = exercises.HINTS[name]
    assert len(set(hints)) == len(hints) == 2
    told = [term for term in terms(solution) - terms(stub) for hint in hints if term in "".join(hint.split())]
    assert [term for term in told if len(term) > 12] == []


SHORT = [name for name, (_, _, solution) in EXERCISES.items() if re.search(r"^\w+ = \{\n", solution, re.MULTILINE)]


@pytest.mark.parametrize("name", SHORT)
def test_a_wrong_short_answer_is_not_pointed_at(name, complaint):
    assignment = EXERCISES[name][2].partition("\nexercises.check")[0]
    right = eval(assignment.partition(" = ")[2])
    others = {value: next(other for other in right.values() if other != value) for value in right.values()}
    assert len({complaint(name, right | {key: others[value]}) for key, value in right.items()}) == 1
    complaint(name, {key: int(value) if isinstance(value, bool) else value.upper() for key, value in right.items()})


def test_what_goes_wrong_in_an_answer_is_reported_and_an_unknown_exercise_refused(complaint):
    assert "raised KeyError: 'left out'" in complaint("theory.initial_bias", lambda _: {}["left out"])
    assert "raised NotImplementedError: Module" in complaint("theory.initial_bias", torch.nn.Module())  # not the stub's
    assert complaint("theory.initial_bias", lambda _: None).strip() == RETURNS_NONE
    with pytest.raises(ValueError, match=r"^name must be one of .*theory\.initial_bias.*; got 'theory\.odd'$"):
        exercises.check("theory.odd", 1)


# --- whatever an answer does


def makespan(seconds, workers):
    """A right answer of 09's first exercise, which uses up its list."""
    ends = [0] * workers
    while seconds:
        ends[ends.index(min(ends))] += seconds.pop(0)
    return max(ends)


ODD = {
    "exit": (lambda seconds, workers: sys.exit("bye"), "Not yet: your answer raised SystemExit: bye."),
    "in place, right": (makespan, "Right."),
    "in place, wrong": (lambda seconds, workers: seconds.clear() or 0, "Not yet: with [5, 5, 5] and workers=1"),
    "numpy's number": (lambda seconds, workers: np.float32(makespan(seconds, workers)), "Right."),
    "an array of one": (lambda seconds, workers: np.array(makespan(seconds, workers)), "Right."),
    "an error": (lambda seconds, workers: 1 / 0, "Not yet: your answer raised ZeroDivisionError: division by zero."),
    "endless": (
        lambda seconds, workers: time.sleep(60),
        "Not yet: your answer raised TimeoutError: it takes more than",
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_a_checker_goes_on_whatever_an_answer_does(kind, capsys, monkeypatch):
    monkeypatch.setattr(checking, "_SECONDS", 0.2)
    answer, told = ODD[kind]
    exercises.check("scaling.makespan", answer)
    assert capsys.readouterr().out.startswith(told)


def test_a_message_of_any_length_is_cut(capsys):
    def answer(seconds, workers):
        raise ValueError("x" * 10**6)

    exercises.check("scaling.makespan", answer)
    assert len(capsys.readouterr().out) < 400


def test_a_plan_that_no_run_can_follow_is_refused():
    runs = [{"method": "sgan", "dataset": "digits", "n_labels": 50, "seed": seed, "preset": "slow"} for seed in (0, 1)]
    told = checking.plan_complaint(runs, ["method"], 2, ("digits", 50))
    assert told.startswith("a run of the plan cannot be made: preset must be one of quick")
