"""Strong augmentation: what a view keeps, what it depends on, and who shares a draw."""

from itertools import combinations

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from sgan_lib import data
from sgan_lib.augmentation import strong_views

SHAPES = [(1, 8, 8), (1, 28, 28), (3, 32, 32)]
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def smooth(n, shape):
    """Random images in [-1, 1] that reach both ends, without detail that a rotation could lose."""
    coarse = torch.rand(n, shape[0], 3, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear").mul(1.5).clamp(-1, 1)


@every_shape
def test_views_stay_in_range_and_differ_from_their_images(shape):
    images = smooth(60, shape).unflatten(0, (3, 20))
    views = strong_views(images, seed=1)
    assert views.shape == images.shape
    assert views.dtype == torch.float32
    assert views.abs().max() <= 1
    assert (views - images).abs().flatten(2).mean(dim=2).min() > 0.01


@every_shape
def test_views_depend_on_the_seed_alone(shape):
    images = smooth(8, shape).unflatten(0, (2, 4))
    torch.manual_seed(3)
    before, kept = torch.get_rng_state(), images.clone()
    one = strong_views(images, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(4)
    assert torch.equal(strong_views(images, seed=1), one)
    assert not torch.equal(strong_views(images, seed=2), one)
    assert torch.equal(images, kept)


@every_shape
def test_within_a_batch_every_image_has_a_draw_of_its_own(shape):
    """One image everywhere: views differ over the batch, and are the same at one place over the steps of a block."""
    views = strong_views(smooth(1, shape).expand(3, 16, *shape), seed=0)
    assert not any(torch.equal(*pair) for pair in combinations(views[0], 2))
    assert torch.equal(views, views[:1].expand_as(views))


@every_shape
def test_a_black_image_stays_black_but_for_one_grey_square(shape):
    """So what a rotation or a shift moves in is black, as MNIST's background is; and -1 is where black lies."""
    side, views = shape[1], strong_views(torch.full((1, 64, *shape), -1.0), seed=0)[0]
    assert set(views.unique().tolist()) == {-1.0, 0.0}
    for view in views:
        rows, columns = ((view[0] == 0).any(dim=axis).nonzero().flatten() for axis in (1, 0))
        height, width = (int(where.max() - where.min()) + 1 for where in (rows, columns))
        assert (view == 0).sum() == shape[0] * height * width
        assert height == width
        assert 1 <= height <= side // 2


def test_a_view_keeps_its_class():
    """Nearest neighbours, which know nothing of distortions, still read most strong views of digits; chance is 10 %."""
    images, labels = data.read("digits").train
    views = strong_views(images[:1280].unflatten(0, (10, 128)), seed=0).flatten(0, 1)
    neighbours = KNeighborsClassifier(1).fit(images[:1280].flatten(1), labels[:1280])
    assert neighbours.score(images[1280:].flatten(1), labels[1280:]) > 0.9
    assert neighbours.score(views.flatten(1), labels[:1280]) > 0.6
