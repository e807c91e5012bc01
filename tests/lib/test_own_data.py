"""Arrays, torch Datasets and folders of the reader's own: what is taken, as what, and what is refused by name."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sgan_lib import data, experiments
from sgan_lib.data import Labelled, Preparation, from_arrays, from_dataset, from_folder, split_indices

RANDOM = np.random.RandomState(0)
GREY = RANDOM.randint(256, size=(40, 9, 12)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 3] * 5 + [-1] * 20)
DIGITS = data.load("digits", 20)
PARTS = {name: getattr(DIGITS, name) for name in ("labelled", "validation", "test")}


def save(folder, name, pixels, **options):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def photos(tmp_path):
    """Twelve labelled images of two classes, six without a label, two hidden, one text."""
    for index, pixels in enumerate(GREY[:12]):
        save(tmp_path, f"{'cat' if index % 3 else 'dog'}/{index}.png", pixels)
    for index, pixels in enumerate(GREY[12:18]):
        save(tmp_path, f"unlabelled/{index}.png", pixels)
    save(tmp_path, ".trash/old.png", GREY[0])
    save(tmp_path, "cat/.thumb.png", GREY[0])
    (tmp_path / "cat" / "notes.txt").write_text("three cats")
    return tmp_path


# --- arrays: the same images in whatever form they come


@pytest.mark.parametrize(
    ("form", "options"),
    [
        (GREY, {}), (GREY[:, None], {}), (GREY[..., None], {}), (torch.from_numpy(GREY), {}), (GREY.tolist(), {}),
        (GREY / 255, {}), ((GREY / 127.5 - 1).astype(np.float32), {}), (GREY.astype(np.uint16) * 257, {}),
        (GREY.astype(float), {"value_range": (0, 255)}), (GREY.astype(int), {"value_range": (0, 255)}),
        (GREY / 255 * 16 - 3, {"value_range": (-3, 13)}),
    ],
)  # fmt: skip
def test_images_are_the_same_in_whatever_form_they_come(form, options):
    if isinstance(form, list):
        form = np.asarray(form, dtype=np.uint8)
    made = from_arrays(form, LABELS, test=0, **options)
    wanted = torch.from_numpy(GREY / 127.5 - 1).float()[:, None]
    order = made.unlabelled.flatten(1).sum(dim=1).argsort()
    torch.testing.assert_close(
        made.unlabelled[order], wanted[wanted.flatten(1).sum(dim=1).argsort()], atol=1e-5, rtol=0
    )
    assert made.image_shape == (1, 9, 12)
    torch.testing.assert_close(data.as_images(made.preparation(form[:3])), wanted[:3], atol=1e-5, rtol=0)
    if made.preparation.value_range != (-3, 13):
        torch.testing.assert_close(data.as_images(made.preparation(GREY[0])), wanted[:1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, bool, float])
def test_masks_of_0_and_1_are_black_and_white_in_any_type(kind):
    masks = (GREY > 127).astype(kind)
    made = from_arrays(masks, LABELS, test=0, value_range=(0, 1))
    assert sorted(set(made.unlabelled.flatten().tolist())) == [-1, 1]
    assert torch.equal(data.as_images(made.preparation(masks[3]))[0, 0], torch.from_numpy(masks[3] * 2.0 - 1).float())
    if kind is np.uint8:
        with pytest.raises(ValueError, match="the range of the training images must hold the values of X"):
            made.preparation(masks[3] * 255)
        of_floats = from_arrays(GREY / 255, LABELS, test=0).preparation
        assert data.as_images(of_floats(masks[3])).max() == pytest.approx(1 / 127.5 - 1)  # almost black, as bytes are


def test_bright_images_without_a_dark_pixel_are_trained_on_and_judged():
    bright = (200 + GREY // 5).astype(np.uint8)
    made = from_arrays(bright, LABELS, test=0.4)
    assert made.unlabelled.min() > 0  # refused where nobody has said how it was brought there
    result = experiments.run("sgan", data=made, steps=2, device="cpu")
    assert sum(map(sum, result.confusion_matrix)) == len(made.test.labels)


def test_columns_get_mean_0_and_deviation_1_over_the_training_part_alone():
    table = RANDOM.normal(7, 3, size=(40, 5))
    table[:, 4] = 0.1  # a constant column, whose deviation is rounding
    made = from_arrays(pd.DataFrame(table), LABELS, test=0.25)
    pool = made.pool.double().numpy()
    np.testing.assert_allclose(pool.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(pool.std(axis=0), [1, 1, 1, 1, 0], atol=1e-6)
    assert (len(made.test.labels), len(pool)) == (4, 36)
    again = made.preparation(table).double().numpy()  # the test rows by the training rows' mean and deviation
    restored = again[:, :4] * np.asarray(made.preparation.deviation[:4]) + np.asarray(made.preparation.mean[:4])
    np.testing.assert_allclose(restored, table[:, :4], rtol=1e-5)
    assert made.preparation(np.full((2, 5), 0.2))[0, 4] == pytest.approx(0.1)  # and stays of its size
    settled = experiments.run("sgan", data=made, steps=3)
    assert settled.settings.network == "mlp_table"


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", None, "b"], ("a", "b")), (np.array(["b", "a", "-1", "b"]), ("a", "b")),
        ([2.0, 1.0, float("nan"), 2.0], ("1.0", "2.0")), ([7, 3, -1, 7], ("3", "7")),
        (pd.Series(["b", "a", pd.NA, "b"]), ("a", "b")), (torch.tensor([7, 3, -1, 7]), ("3", "7")),
        ([True, False, None, True], ("False", "True")),
    ],
)  # fmt: skip
def test_labels_may_be_numbers_or_texts_and_missing_ones_are_never_a_class(labels, names):
    made = from_arrays(GREY[:4], labels, test=0)
    assert made.class_names == names
    drawn = dict(zip(made.labelled_in_pool.tolist(), made.labelled.labels.tolist(), strict=True))
    assert sorted(drawn.values()) == [0, 1, 1]
    assert len(made.pool) == 4
    row_without = next(i for i in range(4) if i not in drawn)
    assert np.array_equal(made.pool[row_without, 0].numpy(), GREY[2])


def test_the_test_part_is_the_given_one_or_a_share_of_each_class_that_training_never_sees():
    made = from_arrays(GREY, LABELS, test=0.4)
    assert made.test.labels.bincount().tolist() == [2, 2, 2, 2]
    seen = {image.numpy().tobytes() for image in made.pool}
    assert not seen & {(((image + 1) * 127.5).round().byte()).numpy().tobytes() for image in made.test.images}
    other = from_arrays(GREY[:20], LABELS[:20], test=(GREY[20:22], [3, 0]))
    assert (other.test.labels.tolist(), len(other.pool)) == ([3, 0], 20)
    rare = from_arrays(GREY[:21], [0] * 20 + [1], test=0.5)  # no class loses its only image to the test
    assert (rare.labelled.labels.bincount().tolist(), rare.test.labels.tolist()) == ([10, 1], [0] * 10)


@pytest.mark.filterwarnings("ignore:all labels are")
@pytest.mark.parametrize("n_classes", [1, 2, 37])
def test_any_number_of_classes_and_one_label_in_a_class(n_classes):
    images, labels = np.repeat(GREY, 2, axis=0), np.r_[np.arange(n_classes), [-1] * (80 - n_classes)]
    result = experiments.run(
        "feature_matching", data=from_arrays(images, labels, test=(images[:n_classes], labels[:n_classes])), steps=2
    )
    assert np.sum(result.confusion_matrix) == n_classes
    assert np.shape(result.confusion_matrix) == (n_classes, n_classes)


@pytest.mark.parametrize("shape", [(30, 30), (64, 48, 3), (96, 96)])
def test_sizes_that_are_no_power_of_two_train(shape):
    images = RANDOM.randint(256, size=(12, *shape)).astype(np.uint8)
    result = experiments.run(
        "sgan", data=from_arrays(images, [0, 1] * 4 + [-1] * 4), steps=1, batch_size=2, labelled_batch_size=2
    )
    assert result.preparation.shape == (1 if len(shape) == 2 else 3, *shape[:2])


def test_a_class_without_a_label_is_warned_of_and_a_rare_class_keeps_one_in_training():
    with pytest.warns(UserWarning, match="no labelled image is of class '4'"):
        made = from_arrays(GREY, LABELS, classes=[0, 1, 2, 3, 4], test=0)
    assert made.n_classes == 5
    labels = torch.tensor([0] * 100 + [1] * 3 + [2])
    split = split_indices(labels, 12, 12, split_seed=0)
    assert labels[split.labelled].bincount(minlength=3).min() == 1
    drawn = split_indices(torch.tensor([0] * 90 + [1] * 10 + [-1] * 50), 20, 0, 0, draw="as_they_come").labelled
    assert (drawn < 100).all()
    assert 0 < (drawn >= 90).sum() < 8  # balanced, it would be 10
    nested = split_indices(torch.tensor([0] * 90 + [1] * 10 + [-1] * 50), 50, 0, 0, draw="as_they_come").labelled
    assert nested[:20].tolist() == drawn.tolist()


BAD = [
    ({"X": GREY / 16}, r"X must hold bytes in .*float64 from 0 to 15\.9.*value_range=\(0, 15\.9"),
    ({"X": GREY // 32}, r"X must use the range of its bytes, \[0, 255\]; got bytes in \[0, 7\]"),
    ({"X": np.where(GREY > 250, np.nan, GREY / 255)}, "X must hold finite numbers"),
    ({"X": GREY.astype(str)}, "X must hold numbers"),
    ({"X": GREY[:, :, 0, None, None, None]}, "X must hold images"),
    ({"X": GREY.astype(complex)}, "X must hold numbers; got complex128"),
    ({"X": GREY[:, 0, 0]}, "X must hold images"),
    ({"X": np.zeros((40, 6, 5, 7))}, "1 to 4 channels first or last"),
    ({"X": GREY[:, :0]}, "X must hold images"),
    ({"X": [GREY[0], GREY[1, :5]], "y": [0, 1]}, "X must hold images of one size"),
    ({"X": GREY[:7]}, "y must hold a label for each of the 7 rows of X; got 40"),
    ({"X": GREY[:1], "y": [0]}, "at least 2 rows"),
    ({"y": LABELS[:, None].repeat(2, axis=1)}, r"y must hold one label a row; got shape \[40, 2\]"),
    ({"y": [-1] * 40}, "y must hold at least one label; all 40 are -1"),
    ({"y": LABELS + 0.5}, "Unknown label type: continuous"),
    ({"y": 3}, "y must hold one label a row"),
    ({"y": LABELS, "classes": [0, 1, 2]}, "y must hold labels among 0, 1, 2; got '3'"),
    ({"test": 1.5}, "test must be a number at least 0 and at most 0.9"),
    ({"test": "some"}, "test must be a number"),
    ({"test": (GREY[:2], [0, 9])}, "test must hold labels among 0, 1, 2, 3; got '9'"),
    ({"test": (GREY[:2], [0, -1])}, "test must hold a label for each"),
    ({"test": (GREY[:2], [0])}, "test must hold a label for each"),
    ({"test": (3, [0])}, r"test must hold images .*; got shape \[\]"),
    ({"test": (GREY[:2] / 9, [0, 1])}, "range of the training images must hold the values of test"),
    ({"test": (GREY[:2] * np.nan, [0, 1])}, "test must hold finite numbers"),
    ({"test": (GREY[:2, 0], [0, 1])}, r"test must hold images as in training; got shape \[2, 12\]"),
    ({"X": np.stack([GREY] * 3, axis=3), "test": (GREY[:4], [0, 1, 2, 3])}, "test must have 3 channels .*; got 1"),
    ({"image_size": 3}, "image_size must be .* at least 4"),
    ({"image_size": (9, 9, 3)}, "image_size must be a side"),
    ({"image_size": 2.5}, "image_size must be"),
    ({"X": GREY[:, 0], "image_size": 8}, "image_size must be None for a table"),
    ({"value_range": (0, 100)}, "value_range must hold all values of X"),
    *(
        ({"value_range": bad}, "value_range must be two finite numbers, low < high; got ")
        for bad in [(5, 5), (255, 0), 255, "all", (0, np.inf), (0, np.nan), (0, 1, 2)]
    ),
    ({"value_range": (-1, 255)}, "value_range must begin at 0 or above for uint8; got "),
    ({"X": GREY[:, 0], "value_range": (0, 255)}, "value_range must be None for a table"),
    ({"X": np.ma.masked_less(GREY, 9)}, "X must hold numbers; got uint8 and masked ones"),
    ({"X": np.full((40, 3), 0.1)}, "X must have a column that varies; all 36 training rows are equal"),
    ({"X": GREY[:, 0] * 1e160}, "X must hold finite numbers below 1e150"),
    ({"y": [0, "a"] * 20}, r"y must hold numbers or texts, not both; got \[0, 'a'\]"),
    ({"test": (GREY[:2], [0, 1], 2)}, r"test must be a pair \(X, y\), or a share; got 3"),
    *(
        ({"classes": bad}, "classes must hold ")
        for bad in [[*range(4), None], [0, 0, 1, 2, 3], [-1, *range(4)], [], "0123"]
    ),
    ({"n_labels": 99}, "n_labels must be .* at most 16"),
    ({"n_labels": 3}, "n_labels must be .* at least 4"),
    ({"validation": 20}, "validation must be"),
    ({"draw": "random"}, "draw must be one of balanced, as_they_come"),
    ({"split_seed": -1}, "split_seed must be"),
    ({"name": "digits"}, "name must be none of mnist, digits, .*; got 'digits'"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[row[1][:30] for row in BAD])
def test_bad_arrays_are_refused_by_name(changes, message, unchecked):
    with pytest.raises((TypeError, ValueError), match=message):
        from_arrays(**{"X": GREY, "y": LABELS} | changes)


NEW = [
    (GREY[:, :, :, None].repeat(3, axis=3), "X must have 1 channels as in training; got 3"),
    (GREY[0, :, :, None].repeat(3, axis=2), "X must have 1 channels as in training; got 3"),
    (GREY.reshape(40, -1), r"X must hold images as in training, .*; got columns, \[40, 108\]"),
    (GREY / 40, "range of the training images must hold the values of X"),
    (np.full((2, 9, 12), np.inf), "X must hold finite numbers"),
]


@pytest.mark.parametrize(("new", "message"), NEW, ids=["channels", "one of them", "columns", "range", "infinite"])
def test_new_images_unlike_the_training_images_are_refused(new, message):
    prepared = Preparation.of(GREY / 255)
    with pytest.raises(ValueError, match=message):
        prepared(new)


def test_new_images_of_another_size_are_brought_to_that_of_training():
    prepared = Preparation.of(GREY, image_size=(16, 20))
    assert prepared(GREY[:2]).shape == (2, 1, 16, 20)
    assert prepared(RANDOM.randint(256, size=(33, 70)).astype(np.uint8)).shape == (1, 1, 16, 20)


def test_floats_are_read_alike_whatever_else_their_batch_holds():
    grey, dark = np.full((1, 9, 12), 0.2), -np.ones((1, 9, 12))
    of_bytes, by_hand = Preparation.of(GREY), Preparation((1, 9, 12))
    assert of_bytes(grey).unique().item() == pytest.approx(-0.6)
    with pytest.raises(ValueError, match=r"saw whole numbers: give such, or \(X \+ 1\) / 2 of floats in \[-1, 1\]"):
        of_bytes(np.r_[grey, dark])
    assert by_hand(np.r_[grey, dark])[0].unique().item() == pytest.approx(0.2)
    with pytest.warns(UserWarning, match=r"X has no number below 0, but is taken as in \[-1, 1\]"):
        assert by_hand(grey).unique().item() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("size", "cut"), [((36, 48), (0, 0, 48, 36)), ((36, 60), (6, 0, 54, 36)), ((40, 48), (0, 2, 48, 38)),
                      ((8, 8), (0, 1, 8, 7)), ((9, 12), (0, 0, 12, 9))]
)  # fmt: skip
def test_a_new_image_goes_the_same_way_whether_a_file_or_an_array(size, cut, tmp_path):
    pixels = RANDOM.randint(256, size=size).astype(np.uint8)
    file, wanted = save(tmp_path, "new.png", pixels), Image.fromarray(pixels).crop(cut).resize((12, 9), Image.BILINEAR)
    for of in (Preparation.of(GREY), Preparation.of(GREY / 255), Preparation.of(GREY * 1.0, value_range=(0, 255))):
        for new in (pixels, data.read_new(file, of)):
            np.testing.assert_allclose(data.as_images(of(new))[0, 0], np.asarray(wanted) / 127.5 - 1, atol=2 / 127.5)
    by_load = data.load("digits", 20, image_size=10).preparation
    if size == (8, 8):
        framed = np.pad(pixels, 1)  # as those that `load` itself has brought there
        assert all(np.array_equal(by_load(new)[0, 0], framed) for new in (pixels, data.read_new(file, by_load)))
    with pytest.raises(ValueError, match=r"range \(0\.0, 4095\.0\), as in training, which files cannot"):
        data.read_new(file, Preparation.of(GREY * 16.0, value_range=(0, 4095)))


numbers = arrays.arrays(
    st.sampled_from([np.float64, np.float32, np.uint8, np.int16, np.bool_]),
    arrays.array_shapes(min_dims=1, max_dims=4, max_side=6),
)


@pytest.mark.filterwarnings("ignore:all labels are")
@settings(max_examples=150)
@given(numbers, st.lists(st.sampled_from([-1, 0, 1, None]), max_size=6))
def test_whatever_the_arrays_they_are_refused_by_name_or_lie_in_range(X, y):
    refused = ""
    try:
        made = from_arrays(X, y, test=0)
    except (TypeError, ValueError) as error:
        refused = str(error)
    if refused:
        assert refused.startswith(("X must", "y must"))
        return
    assert torch.isfinite(made.unlabelled).all()
    assert made.unlabelled.ndim == 2 or made.unlabelled.abs().max() <= 1
    assert len(made.labelled.labels) == sum(label in (0, 1) for label in y)


def test_a_torch_dataset_is_read_with_its_class_names():
    class Pictures(torch.utils.data.Dataset):
        classes = ("ape", "bee", "cow", "doe")

        def __len__(self):
            return 40

        def __getitem__(self, index):
            return Image.fromarray(GREY[index]), int(LABELS[index])

    made = from_dataset(Pictures(), test=0)
    assert (made.name, made.class_names, len(made.pool)) == ("Pictures", Pictures.classes, 40)
    assert made.labelled.labels.bincount().tolist() == [5, 5, 5, 5]
    with pytest.raises(ValueError, match="dataset must hold pairs of image and label; got 5"):
        from_dataset([5])
    with pytest.raises(ValueError, match="X must hold images of one size"):
        from_dataset([(GREY[0], 0), (GREY[1, :5], 1)])
    assert from_dataset([(image, "ab"[label % 2]) for image, label in zip(GREY, LABELS, strict=True)]).n_classes == 2
    for odd in (4, -2, 1.5, "ape"):
        Pictures.__getitem__ = lambda self, index, odd=odd: (GREY[index], odd)
        with pytest.raises(ValueError, match=f"dataset must have labels from 0 to 3, -1 or None; got {odd!r}"):
            from_dataset(Pictures())
    with pytest.raises(ValueError, match="dataset must hold pairs of image and label; got 'nothing'"):
        from_dataset(iter([(GREY[0], 0)]))


IMAGES, MARKS = DIGITS.labelled
SPOILT = [
    ({"pool": DIGITS.pool.double()}, r"pool must have shape .* and torch.float32 in \[-1, 1\]; got .*float64"),
    ({"pool": (DIGITS.pool + 1) * 127.5}, r"pool must .* in \[-1, 1\]; got .* in \[0, 255\]"),
    ({"pool": DIGITS.pool * torch.nan}, r"pool must .*; got .* in \[nan, nan\]"),
    ({"pool": DIGITS.pool[0]}, r"pool must have shape \[n, columns\].*; got \[1, 8, 8\]"),
    ({"pool": DIGITS.pool[:0]}, r"pool must have shape \[n, channels, height, width\].*; got \[0, 1, 8, 8\]"),
    ({"pool": DIGITS.pool.numpy()}, "pool must .*; got ndarray$"),
    ({"pool": DIGITS.pool.movedim(1, 3)}, r"labelled.images must have shape \[20, 8, 8, 1\]"),
    ({"labelled": Labelled(IMAGES, MARKS + 1)}, r"labelled.labels must .* in \[0, 9\]; got"),
    ({"labelled": Labelled(IMAGES, MARKS.numpy())}, "labelled.labels must .*; got ndarray"),
    ({"labelled": Labelled(IMAGES, MARKS.float())}, "labelled.labels must .*torch.int64"),
    ({"test": Labelled(DIGITS.test.images, DIGITS.test.labels[1:])}, r"test.images must have shape \[449, 1, 8, 8\]"),
    ({"validation": Labelled(DIGITS.test.images * 2, DIGITS.test.labels)}, r"validation.images must .* in \[-1, 1\]"),
    ({"class_names": ("a", "b")}, r"labelled.labels must .* in \[0, 1\]; got .* in \[0, 9\]"),
    ({"pool": (DIGITS.pool + 1) / 2, "preparation": None}, "pool must hold images in .* none has a number below 0"),
    (
        {"pool": DIGITS.pool.movedim(1, 3)}
        | {name: Labelled(part.images.movedim(1, 3), part.labels) for name, part in PARTS.items()},
        r"pool must have 1 to 4 channels, which come first; got shape \[1327, 8, 8, 1\]",
    ),
    ({"labelled_in_pool": DIGITS.labelled_in_pool[:0]}, r"labelled_in_pool must have shape \[20\]"),
    ({"labelled_in_pool": DIGITS.labelled_in_pool + 1327}, r"labelled_in_pool must .* in \[0, 1326\]"),
]


@pytest.mark.parametrize(("changes", "message"), SPOILT, ids=[row[1][:24] for row in SPOILT])
def test_parts_put_together_by_hand_that_do_not_fit_are_refused_by_name(changes, message, unchecked):
    with pytest.raises(ValueError, match=message):
        replace(DIGITS, **changes)


@pytest.mark.parametrize("factor", [1000, 0.001])
def test_a_table_that_nobody_has_scaled_is_refused(factor):
    table = from_arrays(RANDOM.rand(40, 3), LABELS)
    with pytest.raises(ValueError, match="pool must have columns of mean 0 and deviation 1; the numbers"):
        replace(table, pool=table.pool * factor, preparation=None)


def test_columns_that_are_zero_but_for_one_row_in_many_are_as_good_as_others():
    made = from_arrays(np.eye(50_000, 1), [0, 1] + [-1] * 49_998, test=0)
    assert made.pool.max().item() == pytest.approx(50_000**0.5, rel=1e-3)


def test_data_without_labels_are_described_and_their_digest_knows_the_validation_part():
    bare = replace(DIGITS, labelled=Labelled(IMAGES[:0], MARKS[:0]), labelled_in_pool=DIGITS.labelled_in_pool[:0])
    assert "labelled        0" in str(bare)
    assert replace(DIGITS, validation=DIGITS.test).digest() != DIGITS.digest()


# --- folders


def test_a_folder_has_its_classes_in_subfolders_and_other_files_are_counted(photos):
    made = from_folder(photos, test=0)
    assert (made.class_names, made.labelled.labels.bincount().tolist()) == (("cat", "dog"), [8, 4])
    assert (len(made.pool), made.image_shape, made.preparation.shape) == (18, (1, 9, 12), (1, 9, 12))
    assert {image.numpy().tobytes() for image in made.pool} == {pixels.tobytes() for pixels in GREY[:18]}
    for line in ("3 hidden and other files passed over", "unlabelled     18", "cat      8", "dog      4"):
        assert line in made.describe()


def test_a_folder_goes_wherever_the_name_of_a_data_set_goes(photos, monkeypatch):
    result = experiments.run("sgan", str(photos), n_labels=6, steps=2)
    assert (result.settings.n_labels, result.class_names) == (6, ("cat", "dog"))
    assert data.load(photos, 6, split_seed=1).labelled.labels.bincount().tolist() == [3, 3]
    monkeypatch.setenv("HOME", str(photos.parent))
    assert data.load(f"~/{photos.name}", None).digest() == data.load(photos, None).digest()
    assert experiments.run("linear", str(photos)).settings.n_labels == 9  # 3 of 12 are for testing
    with pytest.raises(ValueError, match=r"dataset, n_labels and .* must be None where data are given; got \(None, 5"):
        experiments.run("sgan", data=from_folder(photos), n_labels=5)
    with pytest.raises(ValueError, match=r"dataset must be one of mnist, .*, or a folder of images; got '/no/such'"):
        experiments.run("sgan", "/no/such")


def test_images_without_a_label_may_be_spelt_as_in_america(photos):
    (photos / "unlabelled").rename(photos / "unlabeled")
    made = from_folder(photos, test=0)
    assert (made.class_names, len(made.pool), len(made.labelled.labels)) == (("cat", "dog"), 18, 12)


def test_labels_from_a_csv_file(photos, tmp_path_factory):
    table = tmp_path_factory.mktemp("labels") / "labels.csv"
    pd.DataFrame({"file": ["cat/1.png", "unlabelled/0.png", "dog/0.png"], "label": ["x ", "y", "-1"]}).to_csv(
        table, index=False
    )
    made = from_folder(photos, labels=table, test=0)
    assert (made.class_names, len(made.pool), len(made.labelled.labels)) == (("x", "y"), 18, 2)
    for content, message in [("a,b\n", "with the columns file, label"), ("file,label\nno.png,x\n", "names 'no.png'"),
                             ("file,label\ncat/1.png,x\ncat/1.png,y\n", "names 'cat/1.png' again"), ("", "labels.csv"),
                             ("file,label\ncat/1.png,x\n./cat/1.png,y\n", "names './cat/1.png' again"),
                             ("file,label\n/etc/hosts,x\n", "names '/etc/hosts'")]:  # fmt: skip
        table.write_text(content)
        with pytest.raises(ValueError, match=f"labels must .*{message}"):
            from_folder(photos, labels=table)
    with pytest.raises(ValueError, match="folder must be a path; got '~no_such_user/photos'"):
        from_folder("~no_such_user/photos")


def test_a_subfolder_test_is_for_testing_however_labels_come(photos, tmp_path_factory):
    save(photos, "test/dog/9.png", GREY[30])
    made = from_folder(photos)
    assert (made.test.labels.tolist(), made.class_names, len(made.pool)) == ([1], ("cat", "dog"), 18)
    for test in ((GREY[:1], ["cat"]), 0.2, "nonsense"):
        with pytest.raises(ValueError, match="test must be None or 0 where the folder has a subfolder test; got "):
            from_folder(photos, test=test)
    table = tmp_path_factory.mktemp("labels") / "labels.csv"
    table.write_text("file,label\ncat/1.png,x,\ndog/0.png,y\ntest/dog/9.png,y\n")  # a comma too many does no harm
    made = from_folder(photos, labels=table)
    assert torch.equal(made.test.images, data.as_images(torch.from_numpy(GREY[30:31, None])))
    assert len(made.pool) == 18
    table.write_text("file,label\ncat/1.png,x\ndog/0.png,y\n")  # nobody knows what the test image is
    made = from_folder(photos, labels=table, test=0)
    assert (len(made.pool), len(made.test.labels)) == (18, 0)
    assert "1 images in test without a label passed over" in made.describe()


def test_links_to_folders_are_entered_but_not_in_circles(photos, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "pictures"
    (photos / "unlabelled").rename(elsewhere)
    (photos / "unlabelled").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(photos)
    made = from_folder(photos, test=0)
    assert (len(made.pool), len(made.labelled.labels), made.class_names) == (18, 12, ("cat", "dog"))


def test_small_images_keep_their_axes_and_palettes_their_colours(tmp_path):
    colour = np.zeros((4, 16, 3), dtype=np.uint8)
    colour[..., 0] = 200
    for index in range(4):
        save(tmp_path, f"{'ab'[index % 2]}/{index}.png", colour)
    made = from_folder(tmp_path, test=0)
    assert made.image_shape == (3, 4, 16)
    assert torch.equal(made.pool[0], torch.from_numpy(np.moveaxis(colour, 2, 0)))
    pictures = (Image.fromarray(colour), Image.fromarray(colour).quantize(4))
    pairs = [(picture, label) for picture in pictures for label in (0, 1)]
    assert torch.equal(from_dataset(pairs, test=0).pool, made.pool)


def test_photos_are_turned_as_their_cameras_say(tmp_path):
    lying = Image.Exif()
    lying[0x0112] = 6  # to be turned right by 90 degrees
    for index, pixels in enumerate(GREY[:4]):
        save(tmp_path, f"{'ab'[index % 2]}/{index}.png", pixels, exif=lying)
    made = from_folder(tmp_path, test=0)
    assert made.image_shape == (1, 12, 9)
    assert {image.numpy().tobytes() for image in made.pool} == {np.rot90(grey, -1).tobytes() for grey in GREY[:4]}


@pytest.mark.parametrize(
    ("shape", "network"),
    [((30, 30), "mlp_small"), ((32, 33), "svhn_small"), ((64, 48, 3), "svhn_small"), ((96, 96), "svhn_small")],
)
def test_images_of_ones_own_get_a_network_of_their_size(shape, network):
    images = np.resize(np.arange(256, dtype=np.uint8), (8, *shape))
    assert experiments.resolve("sgan", "arrays", data=from_arrays(images, [0, 1, -1, -1] * 2)).network == network


def test_any_size_colour_and_depth(tmp_path):
    colour = RANDOM.randint(256, size=(50, 40, 3)).astype(np.uint8)
    colour[:, :, 1:] = 0  # red alone
    save(tmp_path, "a/rgb.jpg", colour)
    save(tmp_path, "a/grey.png", GREY[0])
    save(tmp_path, "a/deep.png", np.full((32, 32), 128 * 257, dtype=np.uint16))
    save(tmp_path, "b/clear.png", np.zeros((32, 32, 4), dtype=np.uint8))  # transparent black shows the white below
    Image.fromarray(np.zeros((32, 32), np.uint8)).convert("P").save(tmp_path / "b" / "palette.gif")
    made = from_folder(tmp_path, test=0)
    assert (made.image_shape, len(made.pool)) == ((3, 32, 32), 5)
    levels = sorted({int(image.float().mean().round()) for image in made.pool if image.float().std() == 0})
    assert levels == [0, 128, 255]
    assert "images of 3 sizes brought to 32x32" in made.describe()
    assert from_folder(tmp_path, image_size=(8, 16), test=0).image_shape == (3, 8, 16)


def test_dark_images_of_16_bits_are_warned_of(tmp_path):
    for index in range(8):
        save(tmp_path, f"{'ab'[index % 2]}/{index}.png", GREY[index].astype(np.uint16) * 16)  # 12 bits, as of a camera
    dark = pytest.warns(UserWarning, match="16-bit images reach only 40[0-9]{2} of 65535 and are read as dark")
    with dark, pytest.raises(ValueError, match="X must use the range of its bytes"):
        from_folder(tmp_path, test=0)


def test_a_file_that_is_no_image_is_named_and_passed_over_or_refused(photos):
    (photos / "cat" / "broken.jpg").write_bytes(b"no image")
    colour = save(photos, "cat/cut.jpg", np.resize(GREY, (18, 18, 3)))
    colour.write_bytes(colour.read_bytes()[:-200])  # its head says 18x18 in colour, which no other image may become
    with pytest.warns(UserWarning, match=r"2 files that cannot be read passed over, such as .*broken\.jpg"):
        made = from_folder(photos)
    assert made.pool.shape == (18 - 3, 1, 9, 12)
    assert "brought to" not in str(made)
    with pytest.raises(data.DataError, match=r"broken\.jpg cannot be read"):
        from_folder(photos, on_error="raise")


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ([], {}, "folder must have a subfolder for each class"),
        (["a.png"], {}, "folder must have a subfolder for each class"),
        (["cat"], {}, "no file has the suffix of an image"),
        (["test/a.png"], {}, r"subfolder for each class in its subfolder test; a\.png is in none"),
        (["cat/a.png"], {"on_error": "no"}, "on_error must be one of skip, raise"),
        (["unlabelled/a.png"], {}, "folder must have a subfolder for each class"),
        (["Unlabelled/a.png"], {}, "'Unlabelled' written 'unlabelled'"),
        (["cat/a.png"], {"unlabelled": "pool"}, "unlabelled must be a subfolder, one"),
        (["train/cat/a.png", "test/cat/a.png"], {}, "'cat' has none"),
    ],
)
def test_folders_without_what_it_takes_are_refused(tmp_path, files, arguments, message):
    for name in files:
        save(tmp_path, name, GREY[0]) if name.endswith(".png") else (tmp_path / name).mkdir()
    with pytest.raises((ValueError, data.DataError), match=message):
        from_folder(tmp_path, **arguments)
    with pytest.raises(ValueError, match="folder must be a folder of images; there is none at"):
        from_folder(tmp_path / "absent")
