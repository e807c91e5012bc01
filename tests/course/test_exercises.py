"""Exercises: folded solutions are right; stubs and mistakes are not, and get complaints that do not tell the answer."""

import ast
import functools
import math
import re
import signal
import sys
import time
from contextlib import suppress
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
from sgan_lib.course.exercises import checking, debugging, theory
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


def planned(change=lambda plan: plan, **changes):
    """An answer that plans for the labels and splits it is given, with changes."""
    return lambda n_labels, splits: change(help_plan(splits, **{"n_labels": n_labels} | changes))


def with_defaults(plan):
    return plan[:3] + [run | {"split_seed": run["seed"], "preset": "quick"} for run in plan[3:]]


def test_plans_that_differ_from_those_below_in_their_mistake_alone_are_right(capsys):
    for name, right in (("sgan.fair_comparison", planned(steps=9)), ("label_scarcity.plan", pair_plan(shift=2))):
        exercises.check(name, right)
    exercises.check("sgan.fair_comparison", planned(with_defaults))
    assert capsys.readouterr().out == 3 * "Right.\n"


def sgan_loss(weight=lambda w: w, outer=lambda w: 1, class_term=F.cross_entropy, log_z=None, swapped=False, sign=1,
              bracket_of=lambda real, fake: F.softplus(-real).mean() + F.softplus(fake).mean()):  # fmt: skip
    """A right answer, or one with these mistakes."""
    log_z = log_z or (lambda logits: logits.logsumexp(1))

    def loss(labelled, labels, unlabelled, generated, w=0.5):
        real, fake = (generated, unlabelled) if swapped else (unlabelled, generated)
        bracket = bracket_of(log_z(real), log_z(fake))
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


def form(two_heads=False, weight=0.5, outer=1, swap=False, sign=1, detach=True, all_classes=False, head="always",
         logit=lambda logits: logits.logsumexp(1), second=lambda t: F.softplus(-t).mean(), old=False):  # fmt: skip
    """Both moves of either form of notebook 03, right but for what the arguments say."""

    def moves(nets, batch):
        judge, fake = nets["discriminator"], nets["generator"].sample(len(batch.unlabelled))

        def real(images, move):
            output = judge(images)
            by_head = two_heads and (head == "always" or head == move)
            return nets["real_head"](output.features) if by_head else logit(output.class_logits)

        pair = real(batch.unlabelled, "first"), real(fake.detach() if detach else fake, "first")
        before, logits = real(fake, "second"), judge(batch.images).class_logits
        classes = F.cross_entropy(F.pad(logits, (0, 1)) if all_classes else logits, batch.labels)
        yield {"D": sign * (outer * classes + weight * told_apart(*(pair[::-1] if swap else pair)))}
        if second:
            yield {"G": second(before if old else real(fake, "second"))}

    return moves


def ordering(
    of_d=0.3, of_g=0.1, all_classes="never", labelled=1, weight=0.5, real=1, detach=True, twice=True, asks=True
):
    """Both moves of the conditional SGAN, likewise."""

    def moves(nets, batch):
        judge, asked = nets["discriminator"], nets["generator"].draw_classes(len(batch.unlabelled))
        fake = nets["generator"].sample(len(asked), **({"classes": asked} if asks else {}))

        def named(images, move):
            logits = judge(images).class_logits
            return F.cross_entropy(F.pad(logits, (0, 1)) if all_classes == move else logits, asked)

        seen = fake.detach() if detach else fake
        apart = told_apart(*(judge(x).class_logits.logsumexp(1) for x in (batch.unlabelled, seen)))
        classes = labelled * F.cross_entropy(judge(batch.images).class_logits, batch.labels)
        yield {"D": classes + weight * apart + of_d * named(seen, "first")}
        if twice:
            called_real = F.softplus(-judge(fake).class_logits.logsumexp(1)).mean()
            yield {"G": real * called_real + of_g * named(fake, "second")}

    return moves


def shares(images, classes):
    """What the classes decide of the variance, and what mistakes make of it."""
    pixels = images.flatten(1)
    of_class = {k: pixels[classes == k].mean(0) for k in classes.unique().tolist()}
    each, middle = torch.stack([of_class[k] for k in classes.tolist()]), pixels.mean(0)
    away, every = (each - middle).square(), (pixels - middle).square()
    once = sum((mean - middle).square().sum() for mean in of_class.values())
    per_pixel = (away.sum(0) / every.sum(0)).mean()
    by_size = each.square().sum() / pixels.square().sum()
    values = away.sum() / every.sum(), once / every.sum(), per_pixel, by_size, away.sum() / len(images)
    return [value.item() for value in values]


def right_push(logits):
    return (-logits.logsumexp(1, keepdim=True)).sigmoid() * logits.softmax(1)


def told_apart(a, b):
    return F.softplus(-a).mean() + F.softplus(b).mean()


def paired(second="right", first=told_apart, detach=True, n=6):
    """Both moves of a BiGAN, with a mistake."""

    def moves(nets, batch):
        E, G, D = nets["encoder"], nets["generator"], nets["discriminator"]
        x, z, other = batch.unlabelled, G.latent(n), G.latent(n)
        code, fake = E(x).latent, G(z)

        def ask(code, fake, z, together=True):
            parts = [(torch.cat([x, fake]), torch.cat([code, z]))] if together else [(x, code), (fake, z)]
            D.sizes.clear()
            return torch.cat([D(images=a, latent=b).class_logits[:, 0] for a, b in parts]).split(len(x))

        old = ask(code, fake, z)[::-1]
        yield {"D": first(*(ask(code.detach(), fake.detach(), z) if detach else ask(code, fake, z)))}
        a, b = ask(code, fake, z, together=second != "apart")
        changed = {"no encoder": (code.detach(), fake, z), "crossed": (z, fake, code), "other z": (code, fake, other)}
        if second in changed:
            a, b = ask(*changed[second])
        values = {"own": told_apart(a, b), "minus": -told_apart(a, b), "half": told_apart(b, a) / 2,
                  "alone": F.softplus(-b).mean(), "old": told_apart(*old)}  # fmt: skip
        if second:
            yield {"E and G": values.get(second, told_apart(b, a))}

    return moves


def small_world(encoder, generator, kl=1, log=math.log, tables=slice(2), crossed=False):
    """The divergence of a small world with the named mistakes."""
    p = {(x, z): 1 / len(encoder) for x, z in enumerate(encoder)}
    q = {(z, x) if crossed else (x, z): 1 / len(generator) for z, x in enumerate(generator)}
    mean = {pair: (p.get(pair, 0) + q.get(pair, 0)) / 2 for pair in {**p, **q}}
    return kl * sum(table[pair] * log(table[pair] / mean[pair]) for table in (p, q)[tables] for pair in table) / 2


def on_both(encoder, generator):
    return sum((generator[z], z) == (x, encoder[x]) for x in range(len(encoder)) for z in range(len(generator)))


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


def grouped(key):
    """An answer that takes pictures with the same key for the same."""

    def answer(pictures):
        keys = [key(picture) for _, picture in pictures]
        names = {k: [name for (name, _), other in zip(pictures, keys, strict=True) if other == k] for k in keys}
        return [group for group in names.values() if len(group) > 1]

    return answer


def of_means(precision, recall):
    """F1 of the means over the classes, instead of the mean of F1."""
    return 2 * precision.mean() * recall.mean() / (precision.mean() + recall.mean())


# exercise -> wrong answers, each of which is to get another complaint
MISTAKES = {
    "start.validation_errors": [[0.5, 0.1], [90.0] * 20, [i / 20 for i in range(20)], [object()] * 20],
    "start.mean_gain": [lambda a, b: 100 * (sum(b) - sum(a)) / 3, lambda a, b: (sum(a) - sum(b)) / 3,
                        lambda a, b: 100 * (sum(a) - sum(b)), lambda a, b: str(9), lambda a, b: 100 * (a[0] - b[0]),
                        lambda a, b: 100 * sum(1 - y / x for x, y in zip(a, b, strict=True)) / len(a)],
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
        sgan_loss(log_z=lambda logits: logits.sum(1)), lambda *given: given[0],
        sgan_loss(class_term=lambda logits, labels: F.cross_entropy(logits.softmax(1), labels)),
        sgan_loss(bracket_of=lambda real, fake: F.softplus(torch.cat([-real, fake])).mean()),
        sgan_loss(bracket_of=lambda real, fake: F.softplus(-real).mean()),
        sgan_loss(bracket_of=lambda real, fake: F.softplus(fake).mean())],
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
    "sgan.n_plus_one": [
        form(**{name: value}) for name, value in (
            ("weight", 1), ("weight", 0.25), ("outer", 0.5), ("outer", 0), ("swap", True), ("sign", -1), ("weight", 0),
            ("detach", False), ("all_classes", True), ("logit", lambda logits: logits.amax(1)),
            ("logit", lambda logits: logits.sum(1)), ("second", lambda t: F.softplus(-t).mean() / 2),
            ("second", lambda t: -F.softplus(-t).mean()), ("second", lambda t: -F.softplus(t).mean()),
            ("second", lambda t: F.softplus(t).mean()), ("second", lambda t: F.softplus(-t.detach()).mean()),
            ("old", True), ("second", None), ("logit", lambda logits: logits.logsumexp(0).sum()))],
    "sgan.two_heads": [
        form(True, **{name: value}) for name, value in (
            ("weight", 1), ("weight", 0.25), ("outer", 0.5), ("outer", 0), ("swap", True), ("sign", -1), ("weight", 0),
            ("detach", False), ("all_classes", True), ("head", "never"), ("head", "first"),
            ("second", lambda t: -F.softplus(-t).mean()), ("old", True), ("second", None))],
    "sgan.push": [
        lambda x: -right_push(x), lambda x: x.softmax(1), lambda x: right_push(-x), lambda x: right_push(x) / len(x),
        lambda x: x.logsumexp(1, keepdim=True).sigmoid() * x.softmax(1), lambda x: x,
        lambda x: -x.logsumexp(1, keepdim=True).sigmoid() * x.softmax(1),
        lambda x: (-x.logsumexp(1, keepdim=True)).sigmoid().expand_as(x)],
    "sgan.fair_comparison": [
        planned(lambda runs: runs[len(runs) // 2 :]), planned(split_seed=0), planned(lambda runs: runs[:-1]),
        planned(n_labels=50), lambda n_labels, splits: [{"seed": 0}],
        planned(lambda runs: runs[:3] + [run | {"steps": 9} for run in runs[3:]]),
        planned(lambda runs: runs[:3] + [run | {"network": "cnn", "preset": "paper"} for run in runs[3:]]),
        lambda n_labels, splits: help_plan(range(9, 9 + len(splits)), n_labels=n_labels)],
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
    "label_scarcity.labels_worth": [
        lambda n, errors, error: np.interp(error, errors[::-1], n[::-1]), lambda n, errors, error: n[0],
        lambda n, errors, error: np.interp(error, errors, n), lambda n, errors, error: n,
        lambda n, errors, error: np.interp(np.log(error), np.log(errors[::-1]), n[::-1]),
        lambda n, errors, error: np.interp(np.log(error), np.log(errors[::-1]), np.log(n[::-1])),
        lambda n, errors, error: np.exp(np.interp(error, errors[::-1], np.log(n[::-1])))],
    "label_scarcity.standard_errors": [  # of differences 3, 2, 4: divided by n; exchanged; one alone; both unpaired
        lambda a, b: ((14 / 9) ** 0.5, (2 / 9) ** 0.5), lambda a, b: ((1 / 3) ** 0.5, (7 / 3) ** 0.5),
        lambda a, b: ((7 / 3) ** 0.5,), lambda a, b: ((7 / 3) ** 0.5,) * 2,
        lambda a, b: (7**0.5, 1.0), lambda a, b: (3.0, 1.0), lambda a, b: ((7 / 3) ** 0.5, 1 / 3)],
    "label_scarcity.plan": [pair_plan(range(4)), pair_plan(network="cnn"), pair_plan()[:5],
                            pair_plan(n_labels=50), pair_plan()[1:], pair_plan()[:5] + pair_plan(network="mlp")[5:]],
    "bigan.joint_loss": [
        lambda a, b: told_apart(a, b), lambda a, b: -told_apart(a, b), lambda a, b: F.softplus(-b).mean(),
        lambda a, b: F.softplus(a).mean(), lambda a, b: told_apart(b, a) / 2, lambda a, b: told_apart(-a, b),
        lambda a, b: told_apart(a, -b), lambda a, b: told_apart(b.sigmoid(), a.sigmoid()), lambda a, b: a,
        lambda a, b: told_apart(b, a.detach()), lambda a, b: told_apart(b, a).item(), lambda a, b: told_apart(b, 2 * a),
        lambda a, b: (1 + a.exp()).log().mean() + (1 + (-b).exp()).log().mean()],
    "bigan.moves": [
        *map(paired, ("own", "minus", "half", "alone", "old", "no encoder", "apart", "crossed", "other z", None)),
        paired(detach=False), paired(first=lambda a, b: told_apart(b, a)), paired(first=lambda a, b: told_apart(a, a)),
        paired(first=lambda a, b: told_apart(a, b).detach()), paired(n=3), lambda nets, batch: (1, 2)],
    "bigan.divergence": [
        lambda e, g: small_world(e, g, kl=2), lambda e, g: small_world(e, g, log=math.log2),
        lambda e, g: small_world(e, g, tables=slice(1)), lambda e, g: small_world(e, g, tables=slice(1), kl=2),
        lambda e, g: small_world(e, g, crossed=True), lambda e, g: e,
        lambda e, g: (1 - on_both(e, g) / len(e)) * math.log(2), lambda e, g: math.nan, lambda e, g: 7.0],
    "bigan.gains": [
        lambda a, b, c: a.mean(1) - torch.minimum(b.mean(1), c.mean()), lambda a, b, c: c.mean() - a.mean(1),
        lambda a, b, c: b.mean(1) - a.mean(1), lambda a, b, c: torch.maximum(b.mean(1), c.mean()) - a.mean(1),
        lambda a, b, c: torch.minimum(b, c).mean(1) - a.mean(1), lambda a, b, c: torch.minimum(b, c) - a,
        lambda a, b, c: torch.minimum(b.mean(), c.mean()) - a.mean(), lambda a, b, c: c.min() - a.mean(1),
        lambda a, b, c: torch.minimum(b.mean(1).min(), c.mean()) - a.mean(1)],
    "conditional_sgan.draw": [
        lambda layers, vectors, z, y: layers(z), lambda layers, vectors, z, y: layers(z + vectors.sum(0)),
        lambda layers, vectors, z, y: layers(z + vectors.mean(0)), lambda layers, vectors, z, y: layers(vectors[y]),
        lambda layers, vectors, z, y: layers(z * vectors[y]), lambda layers, vectors, z, y: layers(z + vectors[y[0]]),
        lambda layers, vectors, z, y: layers(z) + 1, lambda layers, vectors, z, y: z,
        lambda layers, vectors, z, y: layers(z + vectors[y].detach())],
    "conditional_sgan.moves": [
        ordering(**{name: value}) for name, value in (
            ("of_d", 0), ("of_d", 1), ("of_d", 0.1), ("of_g", 0), ("of_g", 1), ("of_g", 0.3), ("all_classes", "first"),
            ("all_classes", "second"), ("labelled", 0), ("weight", 1), ("real", 0), ("detach", False), ("twice", False),
            ("asks", False))],
    "conditional_sgan.class_share": [
        lambda x, y: 1 - shares(x, y)[0], lambda x, y: shares(x, y)[1], lambda x, y: shares(x, y)[2],
        lambda x, y: shares(x, y)[0] ** 0.5, lambda x, y: shares(x - 9, y)[0] + 0.01,
        lambda x, y: shares(x, y)[3], lambda x, y: shares(x, y)[4]],
    "debugging.make_discriminator": [
        lambda: nn.Linear, lambda: nn.Linear(64, 10), lambda: Judge(last=nn.Identity()), lambda: Judge(nn.Softmax(1)),
        lambda: Judge(nn.LogSoftmax(1)), lambda: Judge(idle=nn.Linear(2, 2)), lambda: Judge(norm=nn.BatchNorm1d(9)),
        lambda: Judge(norm=nn.BatchNorm1d(9, track_running_stats=False), n_out=9), lambda: Judge(bend=nn.Identity())],
    "debugging.labels_used": [lambda n, k, e: k * e, lambda n, k, e: k, lambda n, k, e: n - n * math.exp(-k * e / n),
                              lambda n, k, e: n * (1 - k / n) ** e],
    "debugging.pool_matters": [
        lambda train, pool: not torch.equal(train(pool), train(pool.flip(0))), lambda train, pool: train(pool),
        lambda train, pool: not torch.equal(train(pool), train(-pool)), lambda train, pool: True,
        lambda train, pool: not torch.equal(train(pool), train(pool[::2])),
        lambda train, pool: not torch.equal(train(pool), train(torch.cat([0 * pool[:1], pool[1:]]))),
        lambda train, pool: not torch.allclose(train(pool), train(torch.zeros_like(pool)))],
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
    "scaling.makespan": [
        lambda seconds, workers: sum(seconds), lambda seconds, workers: max(seconds),
        lambda seconds, workers: max(sum(seconds[k::workers]) for k in range(workers)),
        lambda seconds, workers: sum(seconds) / workers, lambda seconds, workers: len(seconds),
        lambda seconds, workers: makespan(sorted(seconds), workers),
        lambda seconds, workers: makespan(sorted(seconds)[::-1], workers)],
    "scaling.splits_needed": [
        lambda sd, gap: max(1, int((1.96 * sd / gap) ** 2)), lambda sd, gap: 10_000, lambda sd, gap: 7,
        lambda sd, gap: (1.96 * sd / gap) ** 2, lambda sd, gap: math.ceil((sd / gap) ** 2),
        lambda sd, gap: math.ceil(1.96 * sd / gap)],
    "own_data.same_pictures": [
        lambda pictures: [], lambda pictures: [[name] for name, _ in pictures], lambda pictures: 3,
        grouped(lambda picture: picture.tobytes()), grouped(lambda picture: picture.shape),
        grouped(lambda picture: int(picture.mean()))],
    "own_data.macro_f1": [
        lambda c: c.trace() / c.sum(), lambda c: (c.diagonal() / c.sum(1).clip(1)).mean(),
        lambda c: (c.diagonal() / c.sum(0).clip(1)).mean(), lambda c: 2 * c.trace(), lambda c: math.nan,
        lambda c: of_means(c.diagonal() / c.sum(0).clip(1), c.diagonal() / c.sum(1).clip(1)),
        lambda c: (2 * c.diagonal() / (c.sum(0) + c.sum(1)) * c.sum(1)).sum() / c.sum(),
        lambda c: (2 * c.diagonal() / (c.sum(0) + c.sum(1)).clip(1)).mean()],
    "own_data.decide": [
        lambda low, high: "GAN" if low >= 0 else "baseline" if high <= 0 else "undecided",
        lambda low, high: "GAN" if low + high > 0 else "baseline", lambda low, high: "GAN" if low > 0 else "baseline",
        lambda low, high: "undecided", lambda low, high: low > 0],
}  # fmt: skip


SHORT = [name for name, (_, _, solution) in EXERCISES.items() if re.search(r"^\w+ = \{\n", solution, re.MULTILINE)]


def right_answer(name):
    """The folded solution of an exercise with short answers."""
    return eval(EXERCISES[name][2].partition("\nexercises.check")[0].partition(" = ")[2])


@functools.cache
def complaints_about(name):
    """What the checker says of each mistake; of short answers: one for all, a word of one's own, and one left out."""
    mistakes = MISTAKES.get(name)
    if mistakes is None:
        keys, value = list(right_answer(name)), next(iter(right_answer(name).values()))
        mistakes = [dict.fromkeys(keys, value), dict.fromkeys(keys, "the flu"), dict.fromkeys(keys[1:], value)]
    return [checking.complaint_about(name, answer) for answer in mistakes]


@pytest.mark.parametrize("name", exercises.CHECKERS)
def test_typical_mistakes_are_told_apart(name):
    complaints = complaints_about(name)
    assert None not in complaints
    assert len(set(complaints)) == len(complaints)
    told = ["your answer raised", *re.findall(r"(?:return|=) (.{6,})", EXERCISES[name][2])]  # the solution's terms
    assert not [each for each in complaints if any(words in each for words in told)]


@pytest.mark.parametrize("prefix", exercises.NOTEBOOKS)
def test_three_mistakes_at_least_are_told_apart_by_words_and_not_by_numbers_alone(prefix):
    names = [name for name in exercises.CHECKERS if name.startswith(f"{prefix}.")]
    words = {name: {re.sub(r"[-−]?\d[\d.,]*", "", each) for each in complaints_about(name)} for name in names}
    assert [name for name in names if len(words[name]) < 3] == []


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


@pytest.mark.parametrize("name", SHORT)
def test_a_wrong_short_answer_is_not_pointed_at(name, complaint):
    right = right_answer(name)
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


def spoiling_loss(labelled, labels, unlabelled, generated, w):
    loss = theory.sgan_loss(labelled, labels, unlabelled, generated, w)
    for logits in (labelled, unlabelled, generated):
        logits.data.zero_()
    return loss


def endless(nets, batch):
    while True:
        with suppress(Exception):
            time.sleep(60)
    yield


def long_message(seconds, workers):
    raise ValueError("x" * 10**6)


ODD = [
    ("scaling.makespan", lambda seconds, workers: sys.exit("bye"), "your answer raised SystemExit: bye."),
    ("scaling.makespan", makespan, "Right."),
    ("scaling.makespan", lambda seconds, workers: seconds.clear() or 0, "with [5, 5, 5] and workers=1"),
    ("scaling.makespan", lambda seconds, workers: np.float32(makespan(seconds, workers)), "Right."),
    ("scaling.makespan", lambda seconds, workers: np.array(makespan(seconds, workers)), "Right."),
    ("scaling.makespan", lambda seconds, workers: 1 / 0, "your answer raised ZeroDivisionError: division by zero."),
    ("scaling.makespan", lambda seconds, workers: time.sleep(60), "your answer raised TimeoutError: it takes more"),
    ("scaling.makespan", long_message, "your answer raised ValueError: xxx"),
    ("sgan.two_heads", lambda nets, batch: (sys.exit("bye") for _ in "a"), "your answer raised SystemExit: bye"),
    ("sgan.two_heads", endless, "your answer raised TimeoutError: it takes more than"),
    ("debugging.pool_matters", lambda train, pool: np.bool_(debugging.pool_matters(train, pool)), "Right."),
    ("theory.sgan_loss", spoiling_loss, "Right."),
    ("label_scarcity.plan", [{"method": "s" * 10**6, "dataset": "digits"}], "a run of the plan cannot be made: "),
    ("label_scarcity.plan", [{"method": "sgan", "dataset": "moons", "device": "cpu"}], "the question is about"),
    ("label_scarcity.plan", [{"method": "sgan", "dataset": "digits", "n_labels": 50, "preset": "slow"}],
     "a run of the plan cannot be made: preset must be one of quick"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "told"), ODD)
def test_a_checker_goes_on_whatever_an_answer_does(name, answer, told, capsys, monkeypatch):
    if "TimeoutError" in told:
        monkeypatch.setattr(checking, "_SECONDS", 0.5)
    earlier = signal.setitimer(signal.ITIMER_REAL, 500)  # as pytest-timeout sets one, and this test gives that back
    exercises.check(name, answer)
    left, _ = signal.setitimer(signal.ITIMER_REAL, *earlier)
    assert left > 300  # more than the limit of a check, so not its own
    printed = capsys.readouterr().out
    assert printed.removeprefix("Not yet: ").startswith(told)
    assert printed.startswith("Not yet: ") == (told != "Right.")
    assert len(printed) < (400 if "raised" in told else 1000)
