"""What 03, 04 and A1 take from the library: a method of the reader's own, enlarged scales, worked solutions."""

import copy

import pytest
import torch

from sgan_lib import evaluation, experiments, methods, models
from sgan_lib.course import exercises, own_method, progress, scales

SHORT = {"seed": 1, "steps": 30, "preset": "quick"}


@pytest.mark.parametrize(
    ("method", "dataset", "n_labels"), [("feature_matching", "moons", 10), ("two_head", "digits", 50)]
)
def test_the_librarys_own_moves_give_the_same_run(method, dataset, n_labels):
    theirs = experiments.run(method, dataset, n_labels, device="cpu", **SHORT)
    masks = []

    def moves(nets, batch):
        masks.append(batch.mask)
        return methods.METHODS[method].play(nets, batch._replace(mask=None), theirs.settings)

    ours = own_method.run(moves, dataset, n_labels, method=method, **SHORT)
    assert ours == theirs.__class__(**{**vars(theirs), "seconds": ours.seconds, "history": ours.history})
    assert [record.terms for record in ours.history] == [record.terms for record in theirs.history]
    assert all(mask.min() == 1 for mask in masks)


def test_the_librarys_bigan_gives_the_same_run():
    chosen = {"seed": 1, "steps": 5, "preset": "quick"}
    theirs = experiments.run("bigan", "digits", 50, device="cpu", **chosen)
    ours = own_method.run(exercises.WORKED["bigan.moves"], "digits", 50, method="bigan", **chosen)
    weights = [run.modules.state_dict() for run in (ours, theirs)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_a_generator_that_does_not_move_stays_as_it_is():
    settings = experiments.resolve("feature_matching", "moons", n_labels=10, split_seed=1, **SHORT)
    with experiments.reproducible(settings):
        first = experiments.prepare(settings).state.modules["generator"].state_dict()

    def moves(nets, batch):
        yield {"supervised": nets["discriminator"](batch.images).class_logits.square().mean()}

    last = own_method.run(moves, "moons", 10, generator_moves=False, **SHORT).modules["generator"].state_dict()
    assert all(torch.allclose(first[name], last[name], atol=1e-6) for name in first)


def test_enlarged_scales_leave_the_logits_alone():
    judge = models.MLPDiscriminator((1, 8, 8), 10, (16, 16), hidden_noise=1.0)
    images = 2 * torch.rand(9, 1, 8, 8) - 1
    larger = scales.enlarged(judge, 8.0)
    assert torch.allclose(evaluation.class_logits(larger, images), evaluation.class_logits(judge, images), atol=1e-4)
    assert torch.allclose(larger.eval()(images).features, 8 * judge.eval()(images).features, rtol=1e-3)
    assert abs(scales.first_scale(larger) / scales.first_scale(judge) - 8) < 1e-4


def test_the_worked_solution_is_used_until_the_answer_is_right(capsys):
    def wrong(class_logits):
        return class_logits

    before = copy.deepcopy(progress.read())
    for name, answer in exercises.WORKED.items():
        assert exercises.worked(name, wrong) is answer
        assert exercises.worked(name, answer) is answer
        used = capsys.readouterr().out.splitlines()
        assert used == [
            f"{name}: the cells below use the worked solution, until your answer is right.",
            f"{name}: the cells below use your own answer.",
        ]
    assert progress.read() == before  # nothing of this counts
