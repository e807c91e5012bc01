"""Batches as a function of seed and step: passes, masks, shifts and strong views; and labels that stay hidden."""

import gc
import hashlib
from itertools import combinations, product
from types import FunctionType, ModuleType

import numpy as np
import pytest
import torch

from sgan_lib import data
from sgan_lib.data import Batches, Labelled, SemiSupervisedData, batches, sets


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", n_labels=20)


def made_of(pool, n_labelled=1):
    """Data with those images as pool, the first of them labelled with their own number."""
    labelled = Labelled(pool[:n_labelled].clone(), torch.arange(n_labelled))
    return SemiSupervisedData(
        "made", 0, labelled, pool, torch.arange(n_labelled), labelled, labelled, ("",) * n_labelled
    )


def numbers(images):
    """What each image carries in all of its pixels, in parts of -8192."""
    return (images[:, 0, 0, 0] * -8192).int().tolist()


def equal(batch, other):
    return [a is b is None or torch.equal(a, b) for a, b in zip(batch, other, strict=True)]


@pytest.mark.parametrize(("n_labelled", "n_pool"), [(7, 50), (20, 5000), (10, 64), (2, 4097)])
def test_each_pass_uses_every_image_once_in_an_order_of_its_own(n_labelled, n_pool):
    pool = (torch.arange(n_pool) / -8192).reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    made = Batches(made_of(pool, n_labelled), 64, 16, seed=0, again=True)
    drawn = [made.at(step) for step in range(160)]
    assert all(numbers(batch.images) == batch.labels.tolist() for batch in drawn)
    assert all(batch.of_generator().unlabelled is batch.again for batch in drawn)
    rows = [numbers(torch.cat([batch[field] for batch in drawn])) for field in (0, 2, 5)]  # labelled, pool, pool again
    for count, size, row in zip((n_labelled, n_pool, n_pool), (16, 64, 64), rows, strict=True):
        assert len(row) == 160 * size
        passes = [row[start : start + count] for start in range(0, len(row) - count + 1, count)]
        assert all(sorted(each) == list(range(count)) for each in passes)
        assert passes[0] != passes[1] or count == 2
    assert rows[1] != rows[2]


@pytest.mark.parametrize("options", [{"shift": 1, "strong": True}, {"again": True}, {"mixed": True}], ids=str)
def test_a_batch_depends_on_seed_and_step_alone_and_options_change_nothing_else(digits, options):
    walked, resumed, other = (Batches(digits, 12, 8, seed=seed, **options) for seed in (4, 4, 5))
    plain = Batches(digits, 12, 8, seed=4, shift=options.get("shift", 0))
    shared = slice(2 if "mixed" in options else 0, 3)  # with the plain batch: images, labels, unlabelled
    steps = [walked.at(step) for step in range(100)]
    batches._passes.cache_clear()
    torch.manual_seed(99)
    before = torch.get_rng_state()
    for step in (99, 70, 63, 64, 0):
        assert all(equal(resumed.at(step), steps[step]))
        assert plain.at(step)[3:] == (None, None, None)
        assert all(equal(plain.at(step)[shared], steps[step][shared]))
    assert not torch.equal(other.at(0).unlabelled, steps[0].unlabelled)
    assert torch.equal(torch.get_rng_state(), before)
    for tensor in filter(torch.is_tensor, resumed.at(1)):
        tensor.zero_()
    assert all(equal(resumed.at(1), steps[1]))  # a batch may be written into


def test_batches_are_stable_over_versions(digits):
    batch = Batches(digits, 8, 8, seed=1, shift=2, again=True).at(1000)
    content = b"".join(tensor.numpy().tobytes() for tensor in filter(torch.is_tensor, batch))
    assert batch.labels.tolist() == [4, 7, 2, 1, 8, 2, 5, 5]  # a reader's figures depend on these numbers
    assert hashlib.sha256(content).hexdigest()[:16] == "e7422b5c77715662"


@pytest.mark.parametrize("n_labels", [20, 500])
def test_a_mixed_batch_knows_the_labels_of_the_labelled_images_and_no_others(n_labels):
    parts = data.load("digits", n_labels)
    label_of = {image.numpy().tobytes(): int(label) for image, label in zip(*parts.labelled, strict=True)}
    mixed = Batches(parts, 64, 16, seed=0, mixed=True)
    for step in range(-(-len(parts.pool) // 64)):  # one pass
        batch = mixed.at(step)
        assert batch.images is batch.unlabelled
        known = [label_of.get(image.numpy().tobytes()) for image in batch.images]
        assert batch.mask.tolist() == [label is not None for label in known]
        assert batch.labels.tolist() == [label or 0 for label in known]


def reachable(start):
    """Every tensor and array that can be reached from an object, but not through modules, classes and global names."""
    seen, queue = {}, [start]
    while queue:
        thing = queue.pop()
        if id(thing) not in seen and not isinstance(thing, (ModuleType, type)):
            seen[id(thing)] = thing
            queue += (thing.__closure__ or ()) if isinstance(thing, FunctionType) else gc.get_referents(thing)
    return [thing for thing in seen.values() if isinstance(thing, (torch.Tensor, np.ndarray))]


def test_labels_of_the_pool_cannot_be_reached(digits):
    made, raw = Batches(digits, 64, 64, seed=0, shift=1, mixed=True), sets.shared("digits")
    made.at(0)
    tensors, hidden = reachable(made), {tensor.data_ptr() for part in raw[:2] for tensor in part}
    assert any(tensor is digits.pool for tensor in tensors)  # the walk gets that far
    for tensor in tensors:
        assert tensor.data_ptr() not in hidden
        assert tensor.untyped_storage().nbytes() == tensor.nbytes  # no view of something larger
    as_long_as_the_pool = [tensor for tensor in tensors if tensor.shape == digits.pool.shape[:1]]
    assert [int((known >= 0).sum()) for known in as_long_as_the_pool] == [20]
    made.peek = lambda: raw.train.labels
    assert any(tensor is raw.train.labels for tensor in reachable(made))  # the walk would see a leak


def test_everything_is_on_the_device_of_the_data(digits):
    made = Batches(digits.to("meta"), 64, 16, seed=0, shift=1, mixed=True, again=True)
    tensors = [*filter(torch.is_tensor, made.at(3)), *reachable(made)]
    assert len(tensors) > 10
    assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_shift_equals_a_plain_loop():
    images = torch.rand(25, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    offsets = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3))
    shifted = data.shift_images(images, offsets, 2)
    for image, moved, (down, right) in zip(images, shifted, offsets.tolist(), strict=True):
        for row, column in product(range(6), range(4)):
            source = min(max(row - down, 0), 5), min(max(column - right, 0), 3)  # the nearest pixel of the edge
            assert torch.equal(moved[:, row, column], image[:, *source])


@pytest.mark.parametrize("mixed", [False, True])
def test_every_image_of_a_batch_is_moved_by_an_offset_of_its_own(digits, mixed):
    plain, moved = (Batches(digits, 200, 100, seed=2, shift=shift, mixed=mixed, again=True).at(3) for shift in (0, 1))
    choices = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    assert torch.equal(plain.labels, moved.labels)
    for before, after in ((plain[field], moved[field]) for field in (0, 2, 5)):  # labelled, from the pool, again
        candidates = torch.stack([data.shift_images(before, choice.expand(len(before), 2), 1) for choice in choices])
        fits = (candidates == after).flatten(2).all(dim=2)  # [offset, image]
        assert fits.any(dim=0).all()
        assert fits.any(dim=1).all()  # every offset occurs


def test_every_step_draws_new_shifts():
    made = Batches(made_of(torch.arange(64.0).reshape(1, 1, 8, 8) / -64), 50, 50, seed=0, shift=2, again=True)
    drawn = [made.at(step) for step in (0, 1, 63, 64, 65, 128)]
    parts = [part for batch in drawn for part in (batch.images, batch.unlabelled, batch.again)]
    assert not any(torch.equal(*pair) for pair in combinations(parts, 2))


every_shape = pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32)], ids=str)


def strong_views(image, n):
    """Views of the same image everywhere, at steps 0 and 1."""
    made = Batches(made_of(image.expand(n, *image.shape).contiguous()), n, 1, seed=0, strong=True)
    return made.at(0).strong, made.at(1).strong


@pytest.mark.parametrize("options", [{}, {"mixed": True}, {"shift": 1}], ids=str)
def test_the_strong_views_are_of_the_pool_images_of_the_step_in_their_order(digits, monkeypatch, options):
    """With an augmentation that marks a corner and changes nothing else, over the ends of blocks of steps."""
    seeds = []

    def mark(images):
        seeds.append(torch.initial_seed())
        return images.index_fill(-1, torch.tensor([0]), 0.0)

    monkeypatch.setattr(batches, "_distortion", lambda: mark)
    made, plain = Batches(digits, 12, 8, seed=2, strong=True, **options), Batches(digits, 12, 8, seed=2)
    for step in (0, 1, 63, 64, 65, 130):
        strong = made.at(step).strong
        assert (strong[..., 0] == -1).all()
        assert torch.equal(strong[..., 1:], plain.at(step).unlabelled[..., 1:])
    assert len(seeds) == 3 * 12
    assert len(set(seeds)) == 3  # every block of steps is augmented afresh


@every_shape
def test_views_stay_in_range_and_share_a_draw_with_their_index_alone(shape):
    coarse = torch.rand(1, shape[0], 3, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    image = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear").mul(1.5).clamp(-1, 1)[0]
    views, at_next_step = strong_views(image, 16)
    assert views.abs().max() <= 1
    assert (views - image).abs().flatten(1).mean(dim=1).min() > 0.01
    assert not any(torch.equal(*pair) for pair in combinations(views, 2))
    assert torch.equal(views, at_next_step)


@every_shape
def test_a_black_image_stays_black_but_for_a_grey_square(shape):
    """So what a rotation or a shift moves in is black, as MNIST's background is; and -1 is where black lies."""
    views, _ = strong_views(torch.full(shape, -1.0), 64)
    assert set(views.unique().tolist()) == {-1.0, 0.0}
    for view in views:
        rows, columns = ((view[0] == 0).any(dim=axis).nonzero().flatten() for axis in (1, 0))
        height, width = (int(where.max() - where.min()) + 1 for where in (rows, columns))
        assert (view == 0).sum() == shape[0] * height * width
        assert 1 <= height == width <= shape[1] // 2
