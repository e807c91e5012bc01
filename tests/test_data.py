"""The data layer: what a split promises, what the files survive, and batches as a function of seed and step."""

import gzip
import hashlib
import pickle
import shutil
import socket
import subprocess
import sys
from importlib import resources
from itertools import combinations, pairwise
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType, SimpleNamespace

import filelock
import jaxtyping
import numpy as np
import pytest
import scipy.io
import torch

from sgan_lib import data, datasets
from sgan_lib.data import Batches, DataError, Labelled, SemiSupervisedData, load, split_indices

SHIPPED = resources.files("sgan_lib") / "assets" / "mnist"
FILES = [name for archive in datasets._ARCHIVE_MD5 for name in (archive, archive.removesuffix(".gz"))]


def refuse_network(*_arguments, **_keywords):
    raise socket.gaierror("no network in tests")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One cache folder for this module, away from the user's, and no network."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SGAN_DATA", str(folder))
        patch.setattr(socket, "getaddrinfo", refuse_network)
        patch.setattr(socket.socket, "connect", refuse_network)
        yield folder
    datasets._read.cache_clear()


@pytest.fixture(scope="module")
def mnist(cache):
    return load("mnist", n_labels=100, validation=50, split_seed=3)


@pytest.fixture(scope="module")
def mnist_labels(cache):
    return data.read("mnist").train.labels


def decoded(file_name, header):
    """The bytes of a shipped IDX file after its header, by no code of the library or of torchvision."""
    return np.frombuffer(gzip.decompress((SHIPPED / file_name).read_bytes()), np.uint8, offset=header)


def to_bytes(images):
    """Images in [-1, 1] back to pixels, one row of bytes an image."""
    return [row.tobytes() for row in np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)]


def fingerprint(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()[:16]


# --- splits


@pytest.mark.parametrize("n_labels", [10, 25, 100, 999, 30_000])
@pytest.mark.parametrize("split_seed", [0, 1])
def test_parts_are_balanced_disjoint_and_complete(mnist_labels, n_labels, split_seed):
    n_validation = min(n_labels, 333)
    labelled, validation, pool = split_indices(mnist_labels, n_labels, n_validation, split_seed)
    for part, size in ((labelled, n_labels), (validation, n_validation)):
        counts = [int((mnist_labels[part] == one).sum()) for one in range(10)]
        assert sum(counts) == len(set(part.tolist())) == size
        assert max(counts) - min(counts) <= 1
    assert not set(labelled.tolist()) & set(validation.tolist())
    assert sorted(pool.tolist() + validation.tolist()) == list(range(60_000))
    assert set(labelled.tolist()) <= set(pool.tolist())


def test_twenty_five_labels_are_two_or_three_a_class():
    chosen = {tuple(torch.bincount(load("digits", 25, split_seed=seed).labelled.labels).tolist()) for seed in range(4)}
    assert all(sorted(counts) == [2] * 5 + [3] * 5 for counts in chosen)
    assert len(chosen) > 1  # which classes get three is drawn, too


def test_labelled_parts_are_nested():
    parts = [load("digits", n_labels, split_seed=5).labelled for n_labels in (10, 25, 30, 50, 101, 700, 1200)]
    for smaller, larger in pairwise(parts):
        size = len(smaller.labels)
        assert torch.equal(smaller.labels, larger.labels[:size])
        assert torch.equal(smaller.images, larger.images[:size])


def test_labelled_parts_stay_nested_when_validation_has_to_shrink():
    labels, seen = data.read("digits").train.labels, set()
    for n_labels in (10, 134, 500, 1213, 1220, 1300, 1346, 1347):
        size = len(load("digits", n_labels).validation.labels)
        chosen = set(split_indices(labels, n_labels, size, 0).labelled.tolist())
        assert len(chosen) == n_labels
        assert seen < chosen
        seen = chosen


def test_nested_on_a_set_with_a_rare_class():
    labels = torch.cat([torch.zeros(100), torch.ones(7)]).long()
    split = split_indices(labels, 60, 4, 0)
    assert split_indices(labels, 30, 4, 0).labelled.tolist() == split.labelled[:30].tolist()
    assert int(labels[split.labelled].sum()) == 5  # the rare class is exhausted: 7 less 2 for validation
    assert len(split.labelled) == len(set(split.labelled.tolist())) == 60


def test_split_seed_decides_and_nothing_else(mnist_labels):
    before = torch.get_rng_state()
    first, again, other = (split_indices(mnist_labels, 100, 100, seed) for seed in (0, 0, 1))
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert not set(first.labelled.tolist()) & set(other.labelled.tolist())  # 100 of 60,000: chance would be small
    assert torch.equal(before, torch.get_rng_state())


def test_split_is_stable_over_versions(mnist_labels):
    split = split_indices(mnist_labels, 100, 100, 0)
    assert split.labelled[:10].tolist() == STABLE_LABELLED
    assert [fingerprint(part) for part in split] == STABLE_SPLIT


@pytest.mark.parametrize("name", data.OFFLINE)
def test_images_are_stable_over_versions(name):
    raw = data.read(name)
    assert (fingerprint(raw.train.images[:100]), fingerprint(raw.test.images[:100])) == STABLE_IMAGES[name]


@pytest.mark.parametrize(
    ("n_labels", "expected"), [(20, 20), (100, 100), (500, 134), (1300, 47), (1347, 0)], ids=lambda value: str(value)
)
def test_default_validation_is_never_larger_than_the_labelled_part(n_labels, expected):
    split = load("digits", n_labels)
    assert len(split.validation.labels) == len(split.validation.images) == expected
    assert len(split.unlabelled) == 1347 - expected


def test_validation_can_be_switched_off():
    assert load("digits", 50, validation=0).validation.images.shape == (0, 1, 8, 8)
    assert len(load("digits", 1347, validation=0).unlabelled) == 1347


# --- what is inside


def test_mnist_is_the_shipped_one(mnist):
    train = decoded("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    label_of = dict(zip(map(bytes, train), decoded("train-labels-idx1-ubyte.gz", 8).tolist(), strict=True))
    assert len(label_of) == 60_000  # no image occurs twice, so an image tells its label
    for part in (mnist.labelled, mnist.validation):
        assert [label_of[row] for row in to_bytes(part.images)] == part.labels.tolist()
    pool = to_bytes(mnist.unlabelled)
    assert set(pool) == set(label_of) - set(to_bytes(mnist.validation.images))
    assert len(pool) == 59_950
    in_order = np.array([label_of[row] for row in pool])
    assert np.mean(in_order[1:] == in_order[:-1]) == pytest.approx(0.1, abs=0.01)  # the order tells nothing
    test = decoded("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    assert to_bytes(mnist.test.images) == list(map(bytes, test))
    assert mnist.test.labels.tolist() == decoded("t10k-labels-idx1-ubyte.gz", 8).tolist()
    assert not set(pool) & set(map(bytes, test))


SHAPES = {
    "mnist": ((1, 28, 28), 60_000, 10_000, 10),
    "digits": ((1, 8, 8), 1_347, 450, 10),
    "moons": ((2,), 1_000, 1_000, 2),
    "rings": ((2,), 1_000, 1_000, 2),
    "mnist_rgb": ((3, 32, 32), 60_000, 10_000, 10),
}


@pytest.mark.parametrize("name", data.OFFLINE)
def test_raw_sets_have_their_sizes_and_ranges(name):
    shape, n_train, n_test, n_classes = SHAPES[name]
    raw = data.read(name)
    for part, size in ((raw.train, n_train), (raw.test, n_test)):
        assert part.images.shape == (size, *shape)
        assert part.labels.dtype == torch.int64
        assert part.labels.unique().tolist() == list(range(n_classes))
        low, high = part.images.aminmax()
        assert (low, high) == (0, 255) if part.images.dtype == torch.uint8 else (low >= -1 and high <= 1)
        assert (high - low) > 1.5
    assert len(raw.class_names) == len(set(raw.class_names)) == n_classes


@pytest.mark.parametrize("name", ["mnist", "digits", "moons", "rings"])
def test_loaded_images_are_floats_from_minus_one_to_one(name):
    split = load(name, n_labels=20)
    assert split.image_shape == SHAPES[name][0]
    assert split.n_classes == SHAPES[name][3]
    for images in (split.labelled.images, split.unlabelled, split.validation.images, split.test.images):
        assert images.dtype == torch.float32
        assert images.abs().max() <= 1
        if len(split.image_shape) == 3:
            assert (images.min(), images.max()) == (-1, 1)


def test_digits_are_scaled_and_stratified():
    raw = data.read("digits")
    assert set(raw.train.images.unique().tolist()) == {pixel / 8 - 1 for pixel in range(17)}
    assert torch.bincount(raw.test.labels).tolist() == pytest.approx([45] * 10, abs=2)


def test_points_follow_their_formulas():
    moons, rings = data.read("moons"), data.read("rings")
    for part in (moons.train, moons.test):
        points = part.images * torch.tensor([2, 1.25]) + torch.tensor([0.5, 0.25])
        centres = torch.tensor([[0, 0], [1, 0.5]])[part.labels]
        assert ((points - centres).norm(dim=1) - 1).std() == pytest.approx(0.1, abs=0.01)
    for part in (rings.train, rings.test):
        radii = (part.images * 1.5).norm(dim=1) - torch.tensor([1, 0.4])[part.labels]
        assert radii.std() == pytest.approx(0.1, abs=0.015)
    assert not torch.equal(moons.train.images, moons.test.images)


def test_mnist_rgb_shows_the_digit_over_a_photograph():
    plain, rgb = data.read("mnist").test, data.read("mnist_rgb").test
    digits = torch.nn.functional.pad(plain.images[:500], (2, 2, 2, 2)).expand(-1, 3, -1, -1)
    images = rgb.images[:500].float()
    assert torch.equal(plain.labels, rgb.labels)
    checked = 0
    for digit, image in zip(digits, images, strict=True):
        strokes, background = image[digit == 255].reshape(3, -1), image[digit == 0].mean()
        if strokes.numel() and not 100 < background < 156:
            assert torch.equal(strokes, strokes[:, :1].expand_as(strokes))  # one colour where the stroke is full
            assert strokes.min() > 175 if background < 128 else strokes.max() < 80
            checked += 1
    assert checked > 200


def test_mnist_rgb_sees_different_parts_of_the_photographs_in_train_and_test():
    black = torch.zeros(300, 1, 28, 28, dtype=torch.uint8)
    ramp = np.broadcast_to(np.arange(100, dtype=np.uint8), (2, 3, 60, 100))  # the pixel value is the column
    crops = datasets._over_photographs(black, ramp, np.random.RandomState(0))
    steps = crops[..., 1:].int() - crops[..., :-1].int()
    assert (steps == 1).all()
    assert (crops.min(), crops.max()) == (0, 99)  # crops reach both edges
    raw = data.read("mnist_rgb")
    corners = [{bytes(image[:, :2].numpy()) for image in part.images[:3000]} for part in (raw.train, raw.test)]
    assert not corners[0] & corners[1]


def test_image_size_pads_exactly_or_resizes():
    small, padded = load("mnist", 20), load("mnist", 20, image_size=32)
    assert torch.equal(padded.test.images[:, :, 2:-2, 2:-2], small.test.images)
    frame = torch.ones(32, 32, dtype=torch.bool)
    frame[2:-2, 2:-2] = False
    assert (padded.test.images[:, :, frame] == -1).all()
    resized = load("digits", 20, validation=0, image_size=16)
    assert resized.image_shape == (1, 16, 16)
    assert resized.validation.images.shape == (0, 1, 16, 16)
    assert resized.unlabelled.abs().max() <= 1
    by_block = torch.nn.functional.avg_pool2d(resized.test.images, 2)
    assert (by_block - load("digits", 20).test.images).abs().mean() < 0.2
    assert load("digits", 20, image_size=8).image_shape == (1, 8, 8)


# --- the labels of the pool


def reachable(start):
    """Every object that can be reached through attributes, items and closures; stops at modules and classes."""
    seen, queue = {}, [start]
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, (ModuleType, type, BuiltinFunctionType, str, int, float)):
            continue
        seen[id(thing)] = thing
        if isinstance(thing, dict):
            queue += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, set)):
            queue += list(thing)
        elif isinstance(thing, torch.Tensor):
            queue += [thing._base, thing.grad]
        elif isinstance(thing, FunctionType):
            queue += [cell.cell_contents for cell in thing.__closure__ or ()] + list(thing.__defaults__ or ())
        elif isinstance(thing, MethodType):
            queue += [thing.__func__, thing.__self__]
        queue.append(getattr(thing, "__dict__", None))
    return list(seen.values())


def test_labels_of_the_pool_cannot_be_reached(mnist, mnist_labels):
    batches = Batches(mnist, 64, 64, seed=0, shift=1)
    batches.at(0)
    found = [thing for thing in reachable(batches) if isinstance(thing, (torch.Tensor, np.ndarray))]
    assert any(thing is mnist.pool for thing in found)  # the walk gets that far
    assert len(found) == 8  # three pairs, the pool, and where in it the labelled images lie; nothing else
    raw = data.read("mnist")
    hidden = {part.untyped_storage().data_ptr() for part in (mnist_labels, raw.train.images, raw.test.labels)}
    for tensor in found:
        assert tensor.untyped_storage().data_ptr() not in hidden
        assert (
            tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        )  # no view of something larger
        if not tensor.is_floating_point() and tensor is not mnist.pool:
            assert len(tensor) in (100, 50, 10_000)


def test_the_walk_would_find_hidden_labels(mnist, mnist_labels):
    leaking = Batches(mnist, 64, 64, seed=0)
    leaking.peek = lambda: mnist_labels
    assert any(thing is mnist_labels for thing in reachable(leaking))


def test_writing_into_a_split_does_not_reach_the_next():
    first = load("digits", 20)
    for tensor in (*first.labelled, first.unlabelled, *first.validation, *first.test):
        tensor.zero_()
    assert load("digits", 20).test.labels.sum() > 0
    assert load("digits", 20).unlabelled.min() == -1


# --- description, devices


def test_describe_gives_sizes_and_the_histogram():
    split = load("digits", n_labels=25, split_seed=1, validation=20)
    text = split.describe()
    assert repr(split) == text
    for line in ("digits", "1×8×8", "[-1, 1]", "split seed 1"):
        assert line in text.splitlines()[0]
    sizes = {words[0]: words[1] for words in map(str.split, text.splitlines()[1:5])}
    assert sizes == {"labelled": "25", "unlabelled": "1,327", "validation": "20", "test": "450"}
    histogram = [line.split() for line in text.splitlines()[-10:]]
    assert [row[0] for row in histogram] == list("0123456789")
    assert [int(row[1]) for row in histogram] == torch.bincount(split.labelled.labels).tolist()
    assert {len(row[2]) for row in histogram} == {20, 13}


def test_to_moves_every_tensor_and_batches_follow():
    original = load("digits", n_labels=20)
    moved = original.to("meta")
    tensors = [*moved.labelled, moved.pool, moved.labelled_in_pool, *moved.validation, *moved.test]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert original.pool.device.type == "cpu"
    batch = Batches(moved, 64, 16, seed=0, shift=1).at(3)
    assert [(part.device.type, len(part)) for part in batch[:3]] == [("meta", 16), ("meta", 16), ("meta", 64)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_are_the_same_on_cuda():
    split = load("digits", n_labels=20)
    here, there = (Batches(place, 64, 16, seed=0, shift=1).at(5) for place in (split, split.to("cuda")))
    assert all(torch.equal(first, second.cpu()) for first, second in zip(here, there, strict=True))


# --- bad arguments

WHOLE = "n_labels must be a whole number of at least 10 and at most 1347; got "
BAD_ARGUMENTS = [
    ({"n_labels": 0}, ValueError, WHOLE + "0"),
    ({"n_labels": -5}, ValueError, WHOLE + "-5"),
    ({"n_labels": 9}, ValueError, WHOLE + "9"),
    ({"n_labels": 1348}, ValueError, WHOLE + "1348"),
    ({"n_labels": 2.5}, TypeError, WHOLE + r"2\.5"),
    ({"n_labels": 50.0}, TypeError, WHOLE + r"50\.0"),
    ({"n_labels": "50"}, TypeError, WHOLE + "'50'"),
    ({"n_labels": True}, TypeError, WHOLE + "True"),
    ({"n_labels": None}, TypeError, WHOLE + "None"),
    ({"n_labels": 1340, "validation": 8}, ValueError, "n_labels must be .* at most 1339; got 1340"),
    ({"validation": -1}, ValueError, "validation must be .* at least 0 and at most 100; got -1"),
    ({"validation": 101}, ValueError, "validation must be .* at most 100; got 101"),
    ({"validation": 0.1}, TypeError, "validation must be a whole number"),
    ({"split_seed": -1}, ValueError, "split_seed must be .* at least 0"),
    ({"split_seed": 2**32}, ValueError, "split_seed must be .* at most 4294967295"),
    ({"split_seed": "a"}, TypeError, "split_seed must be a whole number"),
    ({"name": "mnits"}, ValueError, "name must be one of mnist, digits, .*cifar10; got 'mnits'"),
    ({"image_size": 2}, ValueError, "image_size must be .* at least 4 and at most 64; got 2"),
    ({"image_size": 9.5}, TypeError, "image_size must be a whole number"),
    ({"name": "moons", "image_size": 32}, ValueError, "image_size must be None for a set of points; got 32"),
    ({"name": "moons", "n_labels": 1}, ValueError, "n_labels must be .* at least 2 and at most 1000; got 1"),
]


@pytest.fixture
def as_users_see_it():
    """Switch off the signature checks, which only tests have: a user meets the library's own messages."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize(("arguments", "error", "message"), BAD_ARGUMENTS, ids=lambda value: str(value)[:40])
def test_bad_arguments_are_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        load(**{"name": "digits", **arguments})


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize("argument", ["batch_size", "labelled_batch_size", "seed", "shift"])
@pytest.mark.parametrize("value", [-1, 1.5, "2"])
def test_bad_batch_arguments_are_refused_by_name(argument, value):
    with pytest.raises((TypeError, ValueError), match=f"^{argument} must be"):
        Batches(load("digits"), **{"batch_size": 4, "labelled_batch_size": 4, "seed": 0, argument: value})


def test_points_cannot_be_shifted():
    with pytest.raises(ValueError, match=r"shift must be .* at most 0; got 1"):
        Batches(load("moons", 10), 4, 4, seed=0, shift=1)


# --- files


@pytest.fixture
def fresh(cache, tmp_path, monkeypatch):
    """A cache folder of its own, filled, and a library that has not read it yet."""
    data.read("mnist")
    shutil.copytree(cache / "MNIST", tmp_path / "MNIST")
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    datasets._read.cache_clear()
    yield tmp_path / "MNIST" / "raw"
    datasets._read.cache_clear()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def alter(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


DAMAGES = [*((name, alter) for name in FILES), (FILES[0], truncate), (FILES[1], truncate), (FILES[1], empty)]


@pytest.mark.parametrize(("file_name", "damage"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_a_damaged_cached_file_is_named_and_restored(fresh, file_name, damage):
    whole = (fresh / file_name).read_bytes()
    damage(fresh / file_name)
    with pytest.warns(
        UserWarning, match=f"{file_name} is truncated or altered: restored from the shipped copy"
    ) as seen:
        data.read("mnist")
    assert len(seen) == 1
    assert (fresh / file_name).read_bytes() == whole
    assert sorted(path.name for path in fresh.iterdir()) == sorted(FILES)  # no temporary file stays


def test_an_absent_file_is_filled_in_without_a_word(fresh):
    for file_name in FILES[:3]:
        (fresh / file_name).unlink()
    assert len(data.read("mnist").train.labels) == 60_000
    assert {path.name for path in fresh.iterdir()} == set(FILES)


def test_what_read_returns_is_the_callers_to_change():
    data.read("digits").train.labels[:] = 0
    assert data.read("digits").train.labels.unique().tolist() == list(range(10))
    assert load("digits", n_labels=20).labelled.labels.unique().tolist() == list(range(10))


def test_a_damaged_shipped_file_is_named(fresh, tmp_path, monkeypatch):
    for archive in datasets._ARCHIVE_MD5:
        (tmp_path / archive).write_bytes((SHIPPED / archive).read_bytes())
    monkeypatch.setattr(datasets, "_shipped_folder", lambda: tmp_path)
    truncate(tmp_path / "t10k-images-idx3-ubyte.gz")
    assert len(data.read("mnist").test.labels) == 10_000  # an intact cache does not need it
    datasets._read.cache_clear()
    (fresh / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"shipped data file .*t10k-images-idx3-ubyte\.gz is missing or damaged"):
        data.read("mnist")


def test_the_shipped_files_are_the_originals():
    note = (SHIPPED / "LICENSE.md").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in note
    rows = [line.strip("| ").split(" | ") for line in note.splitlines() if ".gz" in line]
    assert len(rows) == 4
    for archive, size, md5 in rows:
        content = (SHIPPED / archive).read_bytes()
        assert f"{len(content):,}" == size
        assert hashlib.md5(content).hexdigest() == md5 == datasets._ARCHIVE_MD5[archive]


@pytest.mark.parametrize("name", ["mnist", "kmnist", "svhn"])
def test_a_cache_folder_that_cannot_be_used_is_named(tmp_path, monkeypatch, name):
    (tmp_path / "file").write_text("a folder cannot be made below a file, not even by root")
    monkeypatch.setenv("SGAN_DATA", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match=r"cache folder .*file/cache.*SGAN_DATA"):
        data.read(name)


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    def stop(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", stop)
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    with pytest.raises(DataError, match="No space left on device"):
        data.read("mnist")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", sorted(set(data.DATASETS) - set(data.OFFLINE)))
def test_without_a_network_the_error_lists_what_needs_none(tmp_path, monkeypatch, name):
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load(name)
    for part in (name, str(tmp_path), "network", ", ".join(data.OFFLINE)):
        assert part in str(caught.value)


def idx(array):
    """An array of bytes as an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes() + array.tobytes()


def write_fashion_mnist(raw):
    raw.mkdir(parents=True)
    random = np.random.RandomState(0)
    for part, count in (("train", 200), ("t10k", 50)):
        (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(random.randint(256, size=(count, 28, 28)).astype(np.uint8)))
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx((np.arange(count) % 10).astype(np.uint8)))


def test_a_downloaded_set_is_read_through_torchvision(tmp_path, monkeypatch):
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    write_fashion_mnist(tmp_path / "FashionMNIST" / "raw")
    split = load("fashion_mnist", n_labels=20)
    assert split.class_names[:2] == ("T-shirt/top", "Trouser")
    assert (split.image_shape, len(split.unlabelled), len(split.test.labels)) == ((1, 28, 28), 180, 50)
    assert split.test.labels.tolist() == [place % 10 for place in range(50)]


def test_two_processes_do_not_download_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    found, downloads = datasets._DOWNLOADED["fashion_mnist"], []

    def fetch(folder, download=False, **which):
        if not download:
            raise RuntimeError("Dataset not found")
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(folder / ".fashion_mnist.lock").acquire(timeout=0)
        if not downloads:
            write_fashion_mnist(tmp_path / "FashionMNIST" / "raw")
        downloads.append(which)
        return found(folder, **which)

    monkeypatch.setitem(datasets._DOWNLOADED, "fashion_mnist", fetch)
    assert len(load("fashion_mnist", n_labels=20).test.labels) == 50
    assert downloads == [{"train": True}, {"train": False}]


def test_a_damaged_download_is_a_data_error(tmp_path, monkeypatch):
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    raw = tmp_path / "FashionMNIST" / "raw"
    write_fashion_mnist(raw)
    truncate(raw / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=r"'fashion_mnist' .*has to be deleted by hand"):
        load("fashion_mnist", n_labels=20)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


SVHN_COUNTS = {"train": 60, "test": 25}


@pytest.fixture
def small_svhn(tmp_path, monkeypatch):
    """SVHN's two files with few images; their checksums stand where torchvision keeps those of the originals.

    As in the originals, pixels are [row, column, channel, image]; labels are a column of 1 to 10, where 10 means 0.
    """
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    random, content, sums = np.random.RandomState(0), {}, {}
    for part, count in SVHN_COUNTS.items():
        pixels = random.randint(256, size=(32, 32, 3, count)).astype(np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]
        path = tmp_path / f"{part}_32x32.mat"
        scipy.io.savemat(path, {"X": pixels, "y": labels})
        content[part] = pixels, labels
        sums[part] = ("http://nowhere.invalid", path.name, md5(path))
    monkeypatch.setattr(datasets.datasets.SVHN, "split_list", sums)
    return content


def test_svhn_is_read_from_its_matlab_files(small_svhn):
    raw = data.read("svhn")
    for part, (pixels, labels) in zip((raw.train, raw.test), small_svhn.values(), strict=True):
        assert (part.images.dtype, part.images.shape) == (torch.uint8, (len(labels), 3, 32, 32))
        assert part.images[7, 2, 30, 4] == pixels[30, 4, 2, 7]
        assert part.labels.tolist() == [label % 10 for label in labels[:, 0].tolist()]
        assert part.labels[9] == 0
    assert raw.class_names == tuple("0123456789")


def write_cifar10(folder):
    """CIFAR-10's batches with few images: a row is 1024 red values, then green, then blue, each 32 rows of 32.

    Pickled as Python 2 did, with the module names of that time.
    """
    folder.mkdir(parents=True)
    random, content = np.random.RandomState(0), {}
    for name, count in [*((f"data_batch_{i}", 12) for i in range(1, 6)), ("test_batch", 25)]:
        content[name] = (
            random.randint(256, size=(count, 3072)).astype(np.uint8),
            random.permutation(np.arange(count) % 10),
        )
        batch = {"data": content[name][0], "labels": content[name][1].tolist(), "batch_label": name}
        pickled = pickle.dumps(batch, protocol=2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (folder / name).write_bytes(pickled)
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": names, "num_vis": 3072}, protocol=2))
    return content


@pytest.fixture
def small_cifar10(tmp_path, monkeypatch):
    """The same, under the checksums that torchvision expects."""
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    folder, reader = tmp_path / "cifar-10-batches-py", datasets.datasets.CIFAR10
    content = write_cifar10(folder)
    for attribute in ("train_list", "test_list"):
        monkeypatch.setattr(reader, attribute, [(name, md5(folder / name)) for name, _ in getattr(reader, attribute)])
    monkeypatch.setattr(reader, "meta", reader.meta | {"md5": md5(folder / "batches.meta")})
    return content


def test_cifar10_is_read_from_its_batches(small_cifar10):
    raw = data.read("cifar10")
    rows, labels = (np.concatenate(part) for part in zip(*list(small_cifar10.values())[:5], strict=True))
    for part, (pixels, targets) in ((raw.train, (rows, labels)), (raw.test, small_cifar10["test_batch"])):
        assert (part.images.dtype, part.images.shape) == (torch.uint8, (len(targets), 3, 32, 32))
        assert part.images[13, 2, 30, 4] == pixels[13, 2 * 1024 + 30 * 32 + 4]
        assert part.labels.tolist() == targets.tolist()
    assert raw.class_names[:2] == ("airplane", "automobile")


@pytest.mark.parametrize("name", ["svhn", "cifar10"])
def test_colour_sets_load_from_end_to_end(name, request):
    request.getfixturevalue(f"small_{name}")
    split, raw = load(name, n_labels=20, split_seed=2, validation=10), data.read(name)
    assert (split.image_shape, split.n_classes) == ((3, 32, 32), 10)
    assert (len(split.unlabelled), len(split.test.labels)) == (50, 25)
    label_of = dict(zip((bytes(image.numpy()) for image in raw.train.images), raw.train.labels.tolist(), strict=True))
    for part in (split.labelled, split.validation):
        assert [label_of[row] for row in to_bytes(part.images)] == part.labels.tolist()
        assert part.labels.unique().tolist() == list(range(10))
    assert to_bytes(split.test.images) == [bytes(image.numpy()) for image in raw.test.images]
    assert (split.unlabelled.min(), split.unlabelled.max()) == (-1, 1)


@pytest.mark.parametrize(
    ("name", "file_name"), [("svhn", "test_32x32.mat"), ("cifar10", "cifar-10-batches-py/test_batch")]
)
def test_an_altered_file_of_a_colour_set_is_not_read(name, file_name, request, tmp_path):
    request.getfixturevalue(f"small_{name}")
    alter(tmp_path / file_name)
    with pytest.raises(DataError, match=rf"'{name}' into {tmp_path}.*has to be deleted by hand"):
        load(name, n_labels=20)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5, 16, 16), (1, 16, 16)), ((5, 32, 32, 3), (3, 32, 32)), ((5, 3, 32, 32), (3, 32, 32))],
)
def test_torchvision_layouts_become_channels_first(shape, expected):
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    part = SimpleNamespace(data=pixels, targets=[0] * 5)
    images = datasets._from_torchvision(part).images
    assert images.shape == (5, *expected)
    if shape[-1] == 3:
        assert images[1, 2, 3, 4] == pixels[1, 3, 4, 2]


@pytest.mark.integration
def test_two_processes_can_fill_the_cache_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    code = "from sgan_lib.datasets import read; print(int(read('mnist').train.labels.sum()))"
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=100)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert printed == [str(decoded("train-labels-idx1-ubyte.gz", 8).astype(int).sum())] * 2
    assert {path.name for path in (tmp_path / "MNIST" / "raw").iterdir()} == set(FILES)


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SGAN_DATA", "~/somewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.cache_folder() == tmp_path / "somewhere"
    monkeypatch.delenv("SGAN_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert data.cache_folder().name == "sgan_lib"
    assert not any(tmp_path.iterdir())  # asking creates nothing
    if sys.platform == "linux":
        assert data.cache_folder() == tmp_path / "xdg" / "sgan_lib"


def test_the_sets_that_need_no_network_come_first():
    assert data.DATASETS[: len(data.OFFLINE)] == data.OFFLINE


# --- batches


def numbered(n_labelled, n_pool):
    """Images that carry their own number in every pixel; labelled ones with the same number as label."""
    images = torch.arange(max(n_labelled, n_pool)).float().reshape(-1, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    labelled = Labelled(images[:n_labelled].clone(), torch.arange(n_labelled))
    pool, where = images[:n_pool].clone(), torch.arange(n_labelled)
    return SemiSupervisedData("numbered", 0, labelled, pool, where, labelled, labelled, ("a", "b"))


def numbers(images):
    return images[:, 0, 0, 0].int().tolist()


@pytest.mark.parametrize(("n_labelled", "n_pool"), [(7, 50), (20, 5000), (64, 10), (2, 4097)])
def test_each_pass_uses_every_image_once(n_labelled, n_pool):
    batches = Batches(numbered(n_labelled, n_pool), batch_size=64, labelled_batch_size=16, seed=0)
    drawn = [batches.at(step) for step in range(3 * 5000 // 64)]
    assert {(len(batch.images), len(batch.labels), len(batch.unlabelled)) for batch in drawn} == {(16, 16, 64)}
    assert all(numbers(batch.images) == batch.labels.tolist() for batch in drawn)
    for count, row in (
        (n_labelled, torch.cat([batch.labels for batch in drawn]).tolist()),
        (n_pool, numbers(torch.cat([batch.unlabelled for batch in drawn]))),
    ):
        passes = [row[start : start + count] for start in range(0, len(row) - count + 1, count)]
        assert len(passes) >= 2
        assert all(sorted(one) == list(range(count)) for one in passes)
        assert passes[0] != passes[1] or count == 2


def test_a_batch_depends_on_seed_and_step_alone():
    split = load("digits", n_labels=20)
    walked = Batches(split, 64, 16, seed=4, shift=1)
    steps = [walked.at(step) for step in range(100)]
    resumed = Batches(split, 64, 16, seed=4, shift=1)
    for cached in (data._passes, data._offsets):
        cached.cache_clear()
    torch.manual_seed(99)
    for step in (99, 70, 63, 64, 0):
        assert all(torch.equal(*pair) for pair in zip(steps[step][:3], resumed.at(step)[:3], strict=True))
    other = Batches(split, 64, 16, seed=5, shift=1).at(0)
    assert not any(torch.equal(*pair) for pair in zip(steps[0][:3], other[:3], strict=True))


def test_batches_are_stable_over_versions():
    batches = Batches(numbered(20, 6000), batch_size=8, labelled_batch_size=8, seed=1)
    assert (batches.at(2).labels.tolist(), numbers(batches.at(1000).unlabelled)) == STABLE_BATCH


def test_batches_do_not_touch_the_data(mnist):
    before = fingerprint(mnist.labelled.images)
    batch = Batches(mnist, 10, 10, seed=0, shift=2).at(0)
    batch.images.zero_()
    assert fingerprint(mnist.labelled.images) == before


def shifted_by_loop(image, down, right):
    """Shift one image pixel by pixel; a source outside the image is the nearest pixel of the edge."""
    _, height, width = image.shape
    result = torch.empty_like(image)
    for row in range(height):
        for column in range(width):
            source = min(max(row - down, 0), height - 1), min(max(column - right, 0), width - 1)
            result[:, row, column] = image[:, *source]
    return result


def test_shift_equals_a_plain_loop():
    images = torch.rand(25, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    offsets = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3))
    expected = [shifted_by_loop(image, *offset) for image, offset in zip(images, offsets.tolist(), strict=True)]
    assert torch.equal(data.shift_images(images, offsets, 2), torch.stack(expected))


def test_batches_shift_each_image_by_its_own_offset(mnist):
    plain = Batches(mnist, 200, 100, seed=0).at(7)
    moved = Batches(mnist, 200, 100, seed=0, shift=2).at(7)
    assert torch.equal(plain.labels, moved.labels)
    found = set()
    choices = torch.cartesian_prod(torch.arange(-2, 3), torch.arange(-2, 3))
    pairs = zip(torch.cat([plain.images, plain.unlabelled]), torch.cat([moved.images, moved.unlabelled]), strict=True)
    for before, after in pairs:
        candidates = data.shift_images(before.expand(25, 1, 28, 28), choices, 2)
        matching = (candidates == after).flatten(1).all(dim=1).nonzero().flatten().tolist()
        assert matching
        found.update(matching)
    assert len(found) == 25  # every shift occurs among 300 images


def test_every_step_draws_new_shifts():
    one = Labelled(torch.arange(64.0).reshape(1, 1, 8, 8), torch.zeros(1, dtype=torch.int64))
    alone = SemiSupervisedData("one image", 0, one, one.images, torch.tensor([0]), one, one, ("a", "b"))
    batches = Batches(alone, 50, 50, seed=0, shift=2)
    drawn = [batches.at(step) for step in (0, 1, 63, 64, 65, 128)]
    seen = [part for batch in drawn for part in (batch.images, batch.unlabelled)]
    assert not any(torch.equal(*pair) for pair in combinations(seen, 2))


# --- a second draw from the pool


@pytest.mark.parametrize("more", [{}, {"mixed": True}], ids=str)
def test_the_second_draw_goes_through_the_whole_pool_in_an_order_of_its_own(more):
    batches = Batches(numbered(7, 50), 10, 5, seed=0, again=True, **more)
    drawn = [batches.at(step) for step in range(10)]
    first, second = ([numbers(getattr(batch, name)) for batch in drawn] for name in ("unlabelled", "again"))
    for half in (second[:5], second[5:]):
        assert sorted(number for batch in half for number in batch) == list(range(50))
    assert not any(one == other for one, other in zip(first, second, strict=True))
    assert numbers(drawn[3].of_generator().unlabelled) == second[3]


def test_a_second_draw_changes_nothing_else_and_comes_only_when_asked_for():
    split = load("digits", n_labels=20)
    asked, plain = (Batches(split, 12, 8, seed=2, again=again).at(70) for again in (True, False))
    assert plain.again is None
    assert plain.of_generator() is plain
    assert all(torch.equal(*pair) for pair in zip(asked[:3], plain[:3], strict=True))


def test_the_second_draw_is_shifted_too():
    split = load("digits", n_labels=20)
    plain, moved = (Batches(split, 200, 8, seed=2, shift=shift, again=True).at(3) for shift in (0, 1))
    choices = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    for draw in ("unlabelled", "again"):
        found = set()
        for before, after in zip(getattr(plain, draw), getattr(moved, draw), strict=True):
            candidates = data.shift_images(before.expand(9, 1, 8, 8), choices, 1)
            matching = (candidates == after).flatten(1).all(dim=1).nonzero().flatten().tolist()
            assert matching
            found.update(matching)
        assert len(found) == 9


# --- strongly augmented views


@pytest.mark.parametrize("more", [{}, {"mixed": True}, {"shift": 1}], ids=str)
def test_the_strong_views_are_of_the_pool_images_of_the_step_in_their_order(monkeypatch, more):
    """With an augmentation that marks a corner and changes nothing else, over the ends of two blocks of steps."""
    monkeypatch.setattr(data, "strong_views", lambda images, seed: images.index_fill(-1, torch.tensor([0]), 9.0))
    split = load("digits", n_labels=20)
    batches, plain = Batches(split, 12, 8, seed=2, strong=True, **more), Batches(split, 12, 8, seed=2)
    for step in (0, 1, 63, 64, 65, 130, 5):
        strong = batches.at(step).strong
        assert (strong[..., 0] == 9).all()
        assert torch.equal(strong[..., 1:], plain.at(step).unlabelled[..., 1:])


def test_strong_views_change_nothing_else_and_come_only_when_asked_for():
    split = load("digits", n_labels=20)
    asked, plain = (Batches(split, 12, 8, seed=2, shift=1, strong=strong).at(70) for strong in (True, False))
    assert plain.strong is None
    assert asked.strong.shape == asked.unlabelled.shape
    assert all(torch.equal(*pair) for pair in zip(asked[:3], plain[:3], strict=True))


def test_strong_views_depend_on_seed_and_step_alone():
    split = load("digits", n_labels=20)
    walked = Batches(split, 12, 8, seed=4, strong=True)
    steps = [walked.at(step).strong for step in range(70)]
    resumed = Batches(split, 12, 8, seed=4, strong=True)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    for step in (69, 63, 64, 0):
        assert torch.equal(resumed.at(step).strong, steps[step])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(Batches(split, 12, 8, seed=5, strong=True).at(0).strong, steps[0])
    resumed.at(1).strong.zero_()
    assert torch.equal(resumed.at(1).strong, steps[1])  # a batch may be written into


def test_every_block_of_steps_is_augmented_afresh(monkeypatch):
    seeds = []
    monkeypatch.setattr(data, "strong_views", lambda images, seed: seeds.append(seed) or images)
    for training_seed in (0, 1):
        batches = Batches(load("digits", 20), 12, 8, seed=training_seed, strong=True)
        for step in range(0, 256):
            batches.at(step)
    assert len(seeds) == len(set(seeds)) == 8


@pytest.mark.usefixtures("as_users_see_it")
@pytest.mark.parametrize(
    ("name", "changes", "error", "message"),
    [
        ("moons", {}, ValueError, "strong must be False for points, which cannot be augmented; got True"),
        ("digits", {"strong": 1}, TypeError, "strong must be True or False; got 1 of type int"),
        ("digits", {"batch_size": 0}, ValueError, "batch_size must be a whole number of at least 1; got 0"),
    ],
)
def test_strong_views_that_cannot_be_are_refused_by_name(name, changes, error, message):
    arguments = {"batch_size": 4, "labelled_batch_size": 4, "seed": 0, "strong": True} | changes
    with pytest.raises(error, match=f"^{message}$"):
        Batches(load(name, 20), **arguments)


# --- mixed batches


@pytest.mark.parametrize("n_labels", [20, 500])
def test_a_mixed_batch_knows_the_labels_of_the_labelled_images_and_no_others(n_labels):
    split = load("digits", n_labels=n_labels)
    truth = {image.numpy().tobytes(): int(label) for image, label in zip(*data.read("digits").train, strict=True)}
    known, seen = {image.numpy().tobytes() for image in split.labelled.images}, 0
    for step in range(-(-len(split.unlabelled) // 64)):  # one pass
        batch = Batches(split, 64, 16, seed=0, mixed=True).at(step)
        assert batch.images is batch.unlabelled
        for image, label, is_known in zip(batch.images, batch.labels.tolist(), batch.mask.tolist(), strict=True):
            assert is_known == (image.numpy().tobytes() in known)
            assert label == (truth[image.numpy().tobytes()] if is_known else 0)
            seen += is_known
    assert seen >= n_labels


def test_a_mixed_batch_holds_what_the_plain_one_draws_from_the_pool():
    split = load("digits", n_labels=20)
    mixed, plain = Batches(split, 64, 16, seed=3, mixed=True), Batches(split, 64, 16, seed=3)
    assert torch.equal(mixed.at(7).unlabelled, plain.at(7).unlabelled)
    shifted = Batches(split, 64, 16, seed=3, shift=1, mixed=True).at(7)
    assert shifted.images is shifted.unlabelled
    assert not torch.equal(shifted.images, mixed.at(7).images)
    assert plain.at(7).mask is None


def test_without_pool_images_only_labelled_ones_are_drawn():
    split = load("digits", n_labels=20)
    batch, other = (Batches(split, size, 16, seed=0).at(2) for size in (0, 64))
    assert torch.equal(batch.images, other.images)
    assert batch.unlabelled.shape == (0, 1, 8, 8)
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1; got 0"):
        Batches(split, 0, 16, seed=0, mixed=True)


# --- numbers that must never change: a reader's figures depend on them

STABLE_LABELLED = [14065, 13561, 57508, 56758, 57521, 42867, 49028, 29070, 15661, 45142]
STABLE_SPLIT = ["c0cae8ed2bfa04c3", "62e8313545bf6fe4", "0d133b6992783c97"]
STABLE_IMAGES = {
    "mnist": ("c8d7b3ac57a59fa4", "8a004a2f81a80f48"),
    "digits": ("b7769b613e347f16", "41c0e025929e3b0a"),
    "moons": ("ced71d729bf74bb8", "81ae72eab3a7f6d1"),
    "rings": ("47b84e613110c8a2", "06f445773d3c2880"),
    "mnist_rgb": ("f116a1ee9d7479c0", "c6f2f255b9f633ce"),
}
STABLE_BATCH = ([7, 16, 14, 17, 13, 18, 2, 19], [1397, 5132, 1204, 5737, 5674, 5628, 4687, 5215])
