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
from torch import nn

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


LESSONS = [stubs_and_solutions(path) for path in sorted(SOURCES.glob("[0-9A][0-9]_*.py"))]
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


def test_plans_that_differ_from_those_below_in_their_mistake_alone_are_right(capsys):
    for name, right in (("sgan.fair_comparison", help_plan(steps=9)), ("label_scarcity.plan", pair_plan(shift=2))):
        exercises.check(name, right)
    split = [run | {"split_seed": run["seed"], "preset": "quick"} for run in help_plan()]  # what is the default anyway
    exercises.check("sgan.fair_comparison", help_plan()[:3] + split[3:])
    assert capsys.readouterr().out == 3 * "Right.\n"


def sgan_loss(weight=lambda w: w, outer=lambda w: 1, class_term=F.cross_entropy, log_z=None, swapped=False, sign=1):
    """A right answer, or one with these mistakes."""
    log_z = log_z or (lambda logits: logits.logsumexp(1))

    def loss(labelled, labels, unlabelled, generated, w=0.5):
        real, fake = (generated, unlabelled) if swapped else (unlabelled, generated)
        bracket = F.softplus(-log_z(real)).mean() + F.softplus(log_z(fake)).mean()
        return sign * (outer(w) * class_term(labelled, labels) + weight(w) * bracket)

    return loss


def masked(divide):
    return lambda logits, labels, mask: (F.cross_entropy(logits, labels, reduction="none") * mask).sum() / divide(mask)


def matched(real, fake):
    return (real.mean(0) - fake.mean(0)).square().mean()


def cosines(features):
    unit = features / features.norm(dim=1, keepdim=True)
    return unit @ unit.T


def played(second="right", detach=True, weight=0.5, swap=False, use_mask=True, both=False, supervised=True):
    """Both moves of feature matching, with a mistake."""

    def moves(nets, batch):
        judge, fake = nets["discriminator"], nets["generator"].sample(len(batch.unlabelled))
        real, generated = judge(batch.unlabelled), judge(fake.detach() if detach else fake)
        old, pair = judge(fake).features, [real.class_logits.logsumexp(1), generated.class_logits.logsumexp(1)]
        mask = batch.mask if use_mask else torch.ones_like(batch.mask)
        classes = masked(lambda m: m.sum())(judge(batch.images).class_logits, batch.labels, mask)
        terms = {"told apart": weight * told_apart(*(pair[::-1] if swap else pair))}
        terms |= {"classes": classes} if supervised else {}
        yield terms | ({"matching": matched(real.features, generated.features)} if both else {})
        real, generated = judge(batch.unlabelled), judge(fake)
        yield {"generator": {
            "right": matched(real.features.detach(), generated.features),
            "sgan": F.softplus(-generated.class_logits.logsumexp(1)).mean(),
            "logits": matched(real.class_logits, generated.class_logits),
            "minus": -matched(real.features, generated.features),
            "detached": matched(real.features, generated.features.detach()),
            "old": matched(real.features, old)}[second]}  # fmt: skip

    return moves


def told_apart(a, b):
    return F.softplus(-a).mean() + F.softplus(b).mean()


def dense(n_in, n_out, *last):
    return nn.Sequential(nn.Linear(n_in, 9), nn.ReLU(), nn.Linear(9, n_out), *last)


def deep(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, n_out))


class Judge(nn.Module):
    """Exercise 1 of notebook 08, right but for what the arguments say."""

    def __init__(self, end=None, last=None, idle=None, norm=None, bend=None, n_out=10):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 9), norm or nn.Identity(), bend or nn.ReLU())
        self.valid = nn.Sequential(nn.Linear(9, 1), last or nn.Sigmoid())
        self.digit, self.idle = nn.Sequential(nn.Linear(9, n_out), end or nn.Identity()), idle

    def forward(self, images):
        hidden = self.body(images)
        return self.valid(hidden), self.digit(hidden)


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def stored(parameters):
    return flat([parameter.grad for parameter in parameters])


def own(parameters, loss, keep=True):
    return flat(torch.autograd.grad(loss, parameters, retain_graph=keep))


def cosine_of(parameters, loss, keep=True):
    return F.cosine_similarity(stored(parameters), own(parameters, loss, keep), dim=0)


def errors(answers, labels, k):
    return torch.stack([(answers[labels == each] != each).double().mean() for each in range(k)])


def smoothed(history, decay, start=0.0):
    for weights in history:
        start = decay * start + (1 - decay) * weights
    return start


ALWAYS_THE_SAME = {8: dense(8, 2), 2: dense(2, 1)}  # by the number of inputs


def step_of_d(loss=told_apart, cut=True, clear=True, joined=True, sign=1, moves="D"):
    """Exercise 3 of notebook 02, right but for what the arguments say."""

    def step(G, D, adam, real, z):
        fake = G(z).detach() if cut else G(z)
        on_real, on_fake = D(torch.cat([real, fake])).split(len(real)) if joined else (D(real), D(fake))
        return descended(loss(on_real, on_fake), {"D": adam, "G": torch.optim.SGD(G.parameters(), 1), "": None}[moves],
                         clear, sign)  # fmt: skip

    return step


def step_of_g(loss=lambda logits: F.softplus(-logits).mean(), cut=False, clear=True, sign=1, moves="G"):
    """Exercise 4, likewise."""

    def step(G, D, adam, z):
        logits = D(G(z).detach() if cut else G(z))
        return descended(loss(logits), {"G": adam, "D": torch.optim.SGD(D.parameters(), 1)}[moves], clear, sign)

    return step


def descended(loss, optimiser, clear, sign):
    if optimiser and clear:
        optimiser.zero_grad()
    (sign * loss).backward()
    if optimiser:
        optimiser.step()
    return loss


def loop(order="DG", same="", draw=torch.randn, each=False, held="own", rate_g=0.001, betas=(0.5, 0.999), first=1,
         early=False, more=0, kept=lambda d, g: (d.item(), g.item())):  # fmt: skip
    """Exercise 5, likewise."""

    def train(G, D, step_d, step_g, draw_real, n_steps, rate_d, watch):
        of_d, of_g = {"own": (D, G), "swapped": (G, D), "both": (nn.ModuleList([G, D]),) * 2}[held]

        def make():
            rates = ((of_d, rate_d), (of_g, rate_g))
            return [torch.optim.Adam(of.parameters(), rate, betas=betas) for of, rate in rates]

        (adam_d, adam_g), real, z, history = make(), draw_real(), draw(5, 8), []
        for _ in range(more):
            draw_real()
        for step in range(n_steps):
            real = real if same == "real" or not step else draw_real()
            adam_d, adam_g = make() if each else (adam_d, adam_g)
            losses, z = {}, z if same == "z" else draw(5, 8)
            if early:
                watch(step + first)
            for player in order:
                z = z if same in ("z", "z in a round") else draw(5, 8)
                losses[player] = step_d(G, D, adam_d, real, z) if player == "D" else step_g(G, D, adam_g, z)
            history.append(kept(losses["D"], losses["G"]))
            if not early:
                watch(step + first)
        return history

    return train


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
    "theory.best_discriminator": [
        lambda p, q, share: p / (p + q), lambda p, q, share: q / (p + q), lambda p, q, share: p / q,
        lambda p, q, share: (share * p / (1 - share) / q).log(), lambda p, q, share: (p + q).sum(),
        lambda p, q, share: share * p],
    "theory.slopes": [
        lambda t: (t.sigmoid(), (-t).sigmoid()), lambda t: (-(-t).sigmoid(), -t.sigmoid()), lambda t: -t.sigmoid(),
        lambda t: (-F.softplus(t), F.softplus(-t)), lambda t: (-1 / (-t).sigmoid(), -1 / t.sigmoid()),
        lambda t: (-t.sigmoid(), (-t).sigmoid()), lambda t: (t, t)],
    "theory.initial_bias": [
        lambda k: 0.0, lambda k: math.log(k), lambda k: -math.log(k + 1), lambda k: -math.log(2 * k), lambda k: -k],
    "theory.sgan_loss": [
        sgan_loss(weight=lambda w: 1), sgan_loss(outer=lambda w: w), sgan_loss(swapped=True), sgan_loss(sign=-1),
        sgan_loss(class_term=lambda logits, labels: 0), sgan_loss(log_z=lambda logits: logits.amax(1)),
        sgan_loss(class_term=lambda logits, labels: F.cross_entropy(F.pad(logits, (0, 1)), labels)),
        sgan_loss(log_z=lambda logits: logits.exp().sum(1).log()), lambda *given: sgan_loss()(*given).detach(),
        sgan_loss(log_z=lambda logits: logits.sum(1)), lambda *given: given[0]],
    "gan_baseline.make_generator": [
        lambda: nn.Linear(8, 2), lambda: nn.Sequential(nn.Linear(2, 9), nn.ReLU(), nn.Linear(9, 1)),
        lambda: dense(8, 1), lambda: dense(8, 2, nn.ReLU()), lambda: dense(8, 2, nn.Sigmoid()), lambda: nn.Sequential,
        lambda: ALWAYS_THE_SAME[8], lambda: dense(8, 2), dense(8, 2)],
    "gan_baseline.make_discriminator": [
        lambda: nn.Linear(2, 1), lambda: dense(8, 1), lambda: dense(2, 2), lambda: dense(2, 1, nn.Sigmoid()),
        lambda: dense(2, 1, nn.ReLU()), lambda: dense(2, 1, nn.LogSigmoid()), lambda: ALWAYS_THE_SAME[2],
        lambda: dense(2, 1), lambda: deep(2, 1)],
    "gan_baseline.discriminator_step": [
        step_of_d(cut=False), step_of_d(clear=False), step_of_d(joined=False), step_of_d(sign=-1),
        step_of_d(moves="G", clear=False), step_of_d(moves=""),
        step_of_d(lambda a, b: -told_apart(a, b)), step_of_d(lambda a, b: told_apart(a, b) / 2),
        step_of_d(lambda a, b: told_apart(-a, -b)), step_of_d(lambda a, b: F.softplus(-a).mean()),
        step_of_d(lambda a, b: F.softplus(b).mean()), step_of_d(lambda a, b: told_apart(a.sigmoid(), b.sigmoid())),
        step_of_d(lambda a, b: 6 * told_apart(a, b)), step_of_d(lambda a, b: -a.log().mean() - (1 - b).log().mean()),
        step_of_d(lambda a, b: b.mean() - a.mean()), lambda *given: step_of_d()(*given).item()],
    "gan_baseline.generator_step": [
        step_of_g(cut=True), step_of_g(clear=False), step_of_g(moves="D", clear=False), step_of_g(sign=-1),
        step_of_g(lambda b: -F.softplus(-b).mean()), step_of_g(lambda b: F.softplus(b).mean()),
        step_of_g(lambda b: -F.softplus(b).mean()), step_of_g(lambda b: F.softplus(-b.sigmoid()).mean()),
        step_of_g(lambda b: F.softplus(-b).sum()), step_of_g(lambda b: -b.log().mean()),
        step_of_g(lambda b: F.softplus(-b).mean().detach()),
        lambda *given: step_of_g()(*given).item()],
    "gan_baseline.train": [
        loop(order="GD"), loop(order="DDG"), loop(same="real"), loop(same="z"), loop(draw=torch.rand), loop(each=True),
        loop(held="both"), loop(held="swapped"), loop(rate_g=0.1), loop(betas=(0.9, 0.999)), loop(first=0),
        loop(kept=lambda d, g: (d, g)), loop(kept=lambda d, g: (g.item(), d.item())),
        loop(kept=lambda d, g: d.item()), lambda *given: loop()(*given)[-1], loop(same="z in a round"),
        loop(early=True), loop(more=1)],
    "gan_baseline.diagnosis": [dict.fromkeys("PQRST", "healthy"), dict.fromkeys("PQR", "healthy"),
                               dict.fromkeys("PQRST", "the flu")],
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
    "feature_matching.level": [
        lambda x: x.softmax(1), lambda x: x - x.mean(1, keepdim=True), lambda x: x.logsumexp(1),
        lambda x: x - x.logsumexp(1).mean(), lambda x: x - x.logsumexp(0), lambda x: x - x.logsumexp(1)],
    "feature_matching.loss": [
        lambda real, fake: (real.detach().mean(1) - fake.mean(1)).square().mean(), lambda real, fake: real - fake,
        lambda real, fake: (real - fake).square().mean(), lambda real, fake: (real.mean(0) - fake.mean(0)).norm(),
        lambda real, fake: (real.mean(0) - fake.mean(0)).square().sum(),
        lambda real, fake: (real.mean(0) - fake.mean(0)).square().mean().sqrt(),
        lambda real, fake: (real.mean(0) - fake.mean(0)).abs().mean(), lambda real, fake: (real - fake).mean(),
        lambda real, fake: (real.mean() - fake.mean()).square(),
        lambda real, fake: (real.mean(0) - fake.mean(0)).square().mean(),
        lambda real, fake: (real.mean(0) - fake.detach().mean(0)).square().mean()],
    "feature_matching.masked_loss": [
        lambda logits, labels, mask: F.cross_entropy(logits, labels), lambda logits, labels, mask: logits,
        lambda logits, labels, mask: (F.cross_entropy(logits, labels, reduction="none") * mask).mean(),
        lambda logits, labels, mask: (F.cross_entropy(logits, labels, reduction="none") * mask).sum(),
        lambda logits, labels, mask: F.cross_entropy(logits[mask == 0], labels[mask == 0]),
        lambda logits, labels, mask: F.cross_entropy(logits[mask == 1], labels[mask == 1]),
        lambda logits, labels, mask: F.cross_entropy(logits[mask], labels[mask]),
        lambda logits, labels, mask: F.cross_entropy(logits * mask[:, None], labels),
        lambda logits, labels, mask: F.cross_entropy(logits[mask == 1], labels[mask == 1]) if mask.any() else 0.0,
        lambda logits, labels, mask: masked(lambda m: m.sum().clamp(min=1))(logits.detach(), labels, mask)],
    "feature_matching.moves": [
        played(detach=False), played(weight=1), played(swap=True), played(use_mask=False), played(both=True),
        played(second="sgan"), played(second="logits"), played(second="minus"), played(second="detached"),
        played(second="old"), played(second=None), played(supervised=False), lambda nets, batch: (1, 2)],
    "case_studies.labels_needed": [lambda s, c: int(math.log(c) / math.log(1 - s)), lambda s, c: 50,
                                   lambda s, c: math.log(c) / math.log(1 - s)],
    "case_studies.relative_matching": [
        matched, lambda real, fake: matched(real, fake) / fake.square().mean(),
        lambda real, fake: matched(real, fake) / real.mean().square(), lambda real, fake: real / fake,
        lambda real, fake: matched(real, fake) / real.var(), lambda real, fake: matched(real, fake).sqrt(),
        lambda real, fake: matched(real, fake) / (real.square().mean() + fake.square().mean())],
    "case_studies.pull_away": [
        lambda x: cosines(x).square().mean(), lambda x: (cosines(x).sum() - len(x)) / (len(x) * (len(x) - 1)),
        lambda x: (cosines(x).square().sum() - len(x)) / len(x) ** 2, lambda x: x, lambda x: cosines(x).mean(),
        lambda x: (cosines(x.detach()).square().sum() - len(x)) / (len(x) * (len(x) - 1))],
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
    "debugging.make_discriminator": [
        lambda: nn.Linear, lambda: nn.Linear(64, 10), lambda: Judge(last=nn.Identity()), lambda: Judge(nn.Softmax(1)),
        lambda: Judge(nn.LogSoftmax(1)), lambda: Judge(idle=nn.Linear(2, 2)), lambda: Judge(norm=nn.BatchNorm1d(9)),
        lambda: Judge(norm=nn.BatchNorm1d(9, track_running_stats=False), n_out=9), lambda: Judge(bend=nn.Identity())],
    "debugging.labels_used": [lambda n, k, e: k * e, lambda n, k, e: k, lambda n, k, e: n - n * math.exp(-k * e / n)],
    "debugging.pool_matters": [
        lambda train, pool: not torch.equal(train(pool), train(pool.flip(0))), lambda train, pool: train(pool),
        lambda train, pool: not torch.equal(train(pool), train(-pool)), lambda train, pool: True,
        lambda train, pool: not torch.equal(train(pool), train(pool[::2])),
        lambda train, pool: not torch.equal(train(pool), train(torch.cat([0 * pool[:1], pool[1:]]))),
        lambda train, pool: not torch.allclose(train(pool), train(torch.zeros_like(pool)))],
    "debugging.diagnosis": [dict.fromkeys("PQRSTU", "softmax twice"), dict.fromkeys("PQRST", "softmax twice"),
                            dict.fromkeys("PQRSTU", "the flu")],
    "more_defects.follows": [
        lambda parameters, loss: torch.stack([cosine_of([p], loss) for p in parameters]).mean(),
        lambda parameters, loss: stored(parameters) @ own(parameters, loss),
        lambda parameters, loss: stored(parameters) @ F.normalize(own(parameters, loss), dim=0),
        lambda parameters, loss: F.cosine_similarity(flat(parameters), own(parameters, loss), dim=0),
        lambda parameters, loss: cosine_of(parameters, loss, keep=False), lambda parameters, loss: loss,
        lambda parameters, loss: (loss.backward(retain_graph=True), cosine_of(parameters, loss))[1]],
    "more_defects.error_by_class": [
        lambda a, y, k: torch.nan_to_num(errors(a, y, k)), lambda a, y, k: 1 - errors(a, y, k),
        lambda a, y, k: 100 * errors(a, y, k), lambda a, y, k: errors(a, y, k) ** 2, lambda a, y, k: (a != y).double(),
        lambda a, y, k: errors(a, y, k) * torch.bincount(y, minlength=k) / len(y), lambda a, y, k: torch.ones(k),
        lambda a, y, k: errors(a, y, k) * torch.bincount(y, minlength=k),
        lambda a, y, k: errors(a[a < k], y[a < k], k),
        lambda a, y, k: torch.where(torch.bincount(y, minlength=k) > 0, errors(y, a, k), math.nan)],
    "more_defects.averaged": [
        lambda h, b: smoothed(h, b), lambda h, b: torch.stack(h).mean(0), lambda h, b: h[-1], lambda h, b: h[0],
        lambda h, b: smoothed(h, b, h[0]), lambda h, b: smoothed(h, b, h[0]) / (1 - b ** len(h)),
        lambda h, b: smoothed(h, 1 - b), lambda h, b: smoothed(h, 1 - b) / (1 - b ** len(h)),
        lambda h, b: smoothed(h, b) / b ** len(h), lambda h, b: smoothed(h, b) / (1 - b ** (len(h) - 1))],
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
    assert "hand over the function, not a network" in complaint("theory.initial_bias", torch.nn.Module())
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
