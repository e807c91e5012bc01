"""The parts have the labels and the pool that are asked for, and a run on them has an error."""

import torch

from sgan_lib.course import assumptions


def test_labels_and_pool_are_as_asked() -> None:
    right, wrong = (assumptions.digits_with(0, [3] * 6, pool_classes=6, wrong=n) for n in (0, 4))
    assert right.labelled.labels.bincount().tolist() == [3] * 6
    assert (right.labelled.labels != wrong.labelled.labels).sum() == 4
    assert torch.equal(right.labelled.images, wrong.labelled.images)
    assert int(right.test.labels.max()) == 5
    assert len(right.pool) < len(assumptions.digits_with(0, [3] * 6).pool) == 1347


def test_a_run_on_them_is_repeatable() -> None:
    parts = assumptions.digits_with(1, [5] * 6)
    first, second = (assumptions.error_on(parts, "supervised", 1, preset="quick", steps=20) for _ in range(2))
    assert 0 < first == second < 90
