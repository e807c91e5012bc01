"""What a split promises, what the sets hold, and what happens where files or arguments are bad."""

import gzip
import hashlib
import importlib.resources
import socket
from types import SimpleNamespace
from unittest.mock import Mock

import filelock
import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from sgan_lib import data
from sgan_lib.data import sets

from torchvision import datasets  # isort: skip (after sgan_lib, which mends it where it does not fit torch)

SHIPPED = importlib.resources.files("sgan_lib") / "assets" / "mnist"
ARCHIVES = [f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


@pytest.fixture(scope="module", autouse=True)
def _no_network(tmp_path_factory):
    """A cache folder for this module, away from the user's, and no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SGAN_DATA", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror("no network in tests")))
        yield


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache folder, from which this process has read nothing yet."""
    monkeypatch.setenv("SGAN_DATA", str(tmp_path))
    sets._kept.cache_clear()
    yield tmp_path
    sets._kept.cache_clear()


def fingerprint(*tensors):
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()[:16]


def pixels(images):
    """Images in [-1, 1] back to bytes, one row an image."""
    return [row.tobytes() for row in np.rint((images.numpy() + 1) * 127.5).astype(np.uint8)]


@pytest.mark.parametrize("n_labels", [10, 25, 100, 999, 30_000])
@pytest.mark.parametrize("split_seed", [0, 1])
def test_parts_are_balanced_disjoint_and_complete(n_labels, split_seed):
    labels, n_validation = data.read("mnist").train.labels, min(n_labels, 333)
    labelled, validation, pool = data.split_indices(labels, n_labels, n_validation, split_seed)
    for part, size in ((labelled, n_labels), (validation, n_validation)):
        counts = [int((labels[part] == k).sum()) for k in range(10)]
        assert sum(counts) == len(set(part.tolist())) == size
        assert max(counts) - min(counts) <= 1
    assert not set(labelled.tolist()) & set(validation.tolist())
    assert sorted(pool.tolist() + validation.tolist()) == list(range(60_000))
    assert set(labelled.tolist()) <= set(pool.tolist())


def test_labelled_parts_are_nested_also_where_validation_has_to_shrink():
    labels, smaller = data.read("digits").train.labels, set()
    for n_labels in (10, 25, 134, 500, 1213, 1300, 1347):
        parts, n_validation = data.load("digits", n_labels, 5), min(n_labels, 134, 1347 - n_labels)  # at most a tenth
        assert [len(parts.labelled.labels), len(parts.validation.labels)] == [n_labels, n_validation]
        assert len(parts.unlabelled) == 1347 - n_validation
        assert torch.equal(parts.unlabelled[parts.labelled_in_pool], parts.labelled.images)
        larger = set(data.split_indices(labels, n_labels, n_validation, 5).labelled.tolist())
        assert smaller < larger
        smaller = larger


def test_a_class_that_runs_out_is_passed_over():
    labels = torch.cat([torch.zeros(100), torch.ones(7)]).long()
    chosen = data.split_indices(labels, 60, 4, 0).labelled
    assert data.split_indices(labels, 30, 4, 0).labelled.tolist() == chosen[:30].tolist()
    assert labels[chosen].bincount().tolist() == [55, 5]  # of 7, and 2 are for validation
    assert len(set(chosen.tolist())) == 60


def test_fewer_labels_than_classes_may_be_had_as_they_come():
    with pytest.warns(UserWarning, match="no labelled image"):
        assert len(data.load("digits", 3, draw="as_they_come").labelled.labels) == 3


def test_the_split_seed_decides_and_nothing_else():
    labels, before = data.read("mnist").train.labels, torch.get_rng_state()
    first, other = (data.split_indices(labels, 100, 100, seed) for seed in (0, 1))
    assert [fingerprint(part) for part in first] == ["c0cae8ed2bfa04c3", "62e8313545bf6fe4", "0d133b6992783c97"]
    assert not set(first.labelled.tolist()) & set(other.labelled.tolist())  # 100 of 60,000: chance would be small
    assert torch.equal(before, torch.get_rng_state())


def test_images_keep_their_labels_and_the_order_of_the_pool_tells_nothing():
    parts = data.load("mnist", n_labels=100, validation=50, split_seed=3)
    images, labels, test, test_labels = (gzip.decompress((SHIPPED / name).read_bytes()) for name in ARCHIVES)
    rows, test_rows = ([content[i : i + 784] for i in range(16, len(content), 784)] for content in (images, test))
    label_of = dict(zip(rows, labels[8:], strict=True))
    assert len(label_of) == 60_000  # no image occurs twice, so an image tells its label
    for part in (parts.labelled, parts.validation):
        assert [label_of[row] for row in pixels(part.images)] == part.labels.tolist()
    pool = pixels(parts.unlabelled)
    assert set(pool) == set(rows) - set(pixels(parts.validation.images))
    in_order = np.array([label_of[row] for row in pool])
    assert np.mean(in_order[1:] == in_order[:-1]) == pytest.approx(0.1, abs=0.01)
    assert (pixels(parts.test.images), bytes(parts.test.labels.tolist())) == (test_rows, test_labels[8:])


def test_what_is_returned_is_the_callers_to_change():
    for tensor in (*data.read("digits").train, *data.load("digits", 20).labelled, *data.load("digits", 20).test):
        tensor.zero_()
    assert data.read("digits").train.labels.unique().tolist() == list(range(10))
    assert data.load("digits", 20).test.labels.sum() > 0


def test_describe_gives_sizes_and_the_histogram():
    parts = data.load("digits", n_labels=25, split_seed=1, validation=20)
    head, *lines = repr(parts).splitlines()
    assert all(fact in head for fact in ("digits", "1x8x8", "[-1, 1]", "split seed 1"))
    assert repr(parts).isascii()  # no terminal refuses it
    sizes = {"labelled": "25", "unlabelled": "1,327", "validation": "20", "test": "450"}
    assert {words[0]: words[1] for words in map(str.split, lines[:4])} == sizes
    counts, bars = parts.labelled.labels.bincount().tolist(), {2: "#" * 13, 3: "#" * 20}
    assert [line.split() for line in lines[5:]] == [[str(k), str(n), bars[n]] for k, n in enumerate(counts)]


TEN, DIGITS = tuple("0123456789"), [133, 136, 133, 137, 136, 136, 136, 134, 131, 135]
MNIST = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MOONS, RINGS = ("upper moon", "lower moon"), ("outer ring", "inner ring")
FACTS = {  # shape, range, classes, training images of each class, test images, fingerprints of training and test part
    "mnist": ((1, 28, 28), (0, 255), TEN, MNIST, 10_000, "d18cfd466eb143ac", "a0863a96c44e5666"),
    "digits": ((1, 8, 8), (-1, 1), TEN, DIGITS, 450, "d97cc44973fee22e", "06521154fefcc010"),
    "moons": ((2,), (-0.84, 0.85), MOONS, [500, 500], 1000, "a5586b629d080bd8", "4b716c62baad09c5"),
    "rings": ((2,), (-0.82, 0.87), RINGS, [500, 500], 1000, "42250be21a95fec8", "729311bd38b5fe1c"),
    "mnist_rgb": ((3, 32, 32), (0, 255), TEN, MNIST, 10_000, "232e1e1ecac93650", "14b4240d8917d5d5"),
}


@pytest.mark.parametrize("name", data.OFFLINE)
def test_facts_of_the_offline_sets(name):
    train, test, class_names = data.read(name)
    limits = tuple(round(end.item(), 2) for end in train.images.aminmax())
    counts, prints = train.labels.bincount().tolist(), (fingerprint(*train), fingerprint(*test))
    assert (train.images.shape[1:], limits, class_names, counts, len(test.labels), *prints) == FACTS[name]
    assert data.SHAPES[name] == FACTS[name][0]


@pytest.mark.parametrize(("name", "size", "before", "after"), [("mnist", 32, 2, 2), ("digits", 9, 0, 1)])
def test_a_slightly_larger_size_pads_grey_images_with_black(name, size, before, after):
    small, large = data.load(name, 20), data.load(name, 20, image_size=size)
    assert large.pool.dtype == small.pool.dtype
    margin = ((0, 0), (0, 0), (before, after), (before, after))
    for images, padded in ((small.unlabelled, large.unlabelled), (small.test.images, large.test.images)):
        assert np.array_equal(padded, np.pad(images, margin, constant_values=-1))


@pytest.mark.parametrize(("name", "size"), [("mnist", 14), ("digits", 5), ("digits", 16), ("digits", 8)])
def test_another_size_is_what_pillow_makes_of_the_image(name, size):
    small, resized = data.load(name, 20), data.load(name, 20, validation=0, image_size=size)
    assert resized.validation.images.shape == (0, 1, size, size)
    for image, of_ours in zip(small.test.images[:20, 0], resized.test.images[:20, 0], strict=True):
        by_pillow = Image.fromarray(image.numpy()).resize((size, size), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(of_ours, by_pillow, atol=1e-5)


def load(**changes):
    return data.load(**({"dataset": "digits"} | changes))


def batches(name="digits", **changes):
    return data.Batches(data.load(name, 20), **({"batch_size": 4, "labelled_batch_size": 4, "seed": 0} | changes))


OUTSIDE = [  # whose argument, values out of range, and what is allowed
    (load, "n_labels", (0, 9, 1348), "at least 10 and at most 1347"),
    (load, "split_seed", (-1, 2**32), "at least 0 and at most 4294967295"),
    (load, "validation", (-1, 101), "at least 0 and at most 100"),
    (load, "image_size", (3, 129), "at least 4 and at most 128"),
    (batches, "batch_size", (-1,), "at least 0"),
    (batches, "labelled_batch_size", (0,), "at least 1"),
    (batches, "seed", (-1, 2**32), "at least 0 and at most 4294967295"),
    (batches, "shift", (-1, 9), "at least 0 and at most 8"),
]
BAD = [
    *((call, name, {name: value}, ValueError, allowed) for call, name, values, allowed in OUTSIDE for value in values),
    *((call, name, {name: value}, TypeError, "a whole") for call, name, *_ in OUTSIDE for value in (2.0, "5", True)),
    *((batches, flag, {flag: 1}, TypeError, "True or False") for flag in ("mixed", "strong", "again")),
    (load, "dataset", {"dataset": "mnits"}, ValueError, "one of mnist, digits, .*cifar10"),
    (load, "n_labels", {"dataset": "moons", "n_labels": 1}, ValueError, "at least 2 and at most 1000"),
    (load, "validation", {"n_labels": 1340, "validation": 8}, ValueError, "at most 7"),
    (load, "image_size", {"dataset": "moons", "image_size": 32}, ValueError, "None for a set of points"),
    (batches, "shift", {"name": "moons", "shift": 1}, ValueError, "at most 0"),
    (batches, "strong", {"name": "moons", "strong": True}, ValueError, "False for points"),
    *((batches, "batch_size", {view: True, "batch_size": 0}, ValueError, "at least 1") for view in ("strong", "mixed")),
]


@pytest.mark.parametrize(
    ("call", "name", "changes", "error", "allowed"), BAD, ids=lambda part: getattr(part, "__name__", str(part))
)
def test_bad_arguments_are_refused_by_name(call, name, changes, error, allowed, unchecked):
    with pytest.raises(error, match=f"^{name} must be .*{allowed}"):
        call(**changes)


@pytest.mark.parametrize("content", [gzip.compress(bytes(60_016)), None], ids=["another", "missing"])
@pytest.mark.parametrize("archive", ARCHIVES)
def test_a_damaged_or_missing_archive_of_mnist_is_named(archive, content, empty, monkeypatch):
    folder = empty / "assets" / "mnist"
    folder.mkdir(parents=True)
    for name in ARCHIVES:
        (folder / name).write_bytes((SHIPPED / name).read_bytes())
    (folder / archive).unlink() if content is None else (folder / archive).write_bytes(content)
    monkeypatch.setattr(importlib.resources, "files", lambda _: empty)
    with pytest.raises(data.DataError, match=f"data file .*{archive} is missing or damaged; it is shipped"):
        data.read("mnist")


def test_the_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SGAN_DATA", "~/somewhere")
    assert data.cache_folder() == tmp_path / "somewhere"
    monkeypatch.delenv("SGAN_DATA")
    assert data.cache_folder().name == "sgan_lib"
    assert not any(tmp_path.iterdir())  # asking creates nothing


@pytest.mark.parametrize("folder", [".", "file/cache"], ids=["no network", "no folder"])
@pytest.mark.parametrize("name", [name for name in data.DATASETS if name not in data.OFFLINE])
def test_where_nothing_can_be_downloaded_the_error_lists_what_needs_none(name, folder, empty, monkeypatch):
    for file_name in ("file", "train_32x32.mat"):  # a folder cannot be made below a file; a damaged file of SVHN
        (empty / file_name).write_text("neither a folder nor an image")
    monkeypatch.setenv("SGAN_DATA", str(empty / folder))
    with pytest.raises(data.DataError) as caught:
        data.load(name)
    offline, cause = ", ".join(data.OFFLINE), caught.value.__cause__
    for part in (repr(name), empty / folder, "network", "SGAN_DATA", "damaged file", offline, cause):
        assert str(part) in str(caught.value)


@pytest.fixture
def svhn(empty, monkeypatch):
    """SVHN's two files with 60 and 25 images of random bytes, under the checksums that torchvision expects.

    Pixels are [row, column, channel, image], labels a column of 1 to 10, where 10 means 0.
    """
    random, parts, checksums = np.random.RandomState(0), [], {}
    for part, n in (("train", 60), ("test", 25)):
        images, labels = random.randint(256, size=(n, 3, 32, 32)).astype(np.uint8), random.permutation(n) % 10
        path = empty / f"{part}_32x32.mat"
        scipy.io.savemat(path, {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        checksums[part] = ("http://nowhere.invalid", path.name, hashlib.md5(path.read_bytes()).hexdigest())
        parts.append((images, labels))
    monkeypatch.setattr(datasets.SVHN, "split_list", checksums)
    return parts


def test_a_downloaded_set_is_read_as_it_was_written(svhn):
    for part, (images, labels) in zip(data.read("svhn")[:2], svhn, strict=True):
        assert np.array_equal(part.images, images)
        assert np.array_equal(part.labels, labels)
    assert data.SHAPES["svhn"] == part.images.shape[1:]
    assert pixels(data.load("svhn", 20).test.images) == [image.tobytes() for image in svhn[1][0]]


def test_altered_copies_beside_checked_archives_are_not_read(empty, monkeypatch):
    """KMNIST's unpacked files, and those that an old torchvision has processed, are only zeros here."""
    raw, archives, random = empty / "KMNIST" / "raw", [], np.random.RandomState(0)
    parts = [random.randint(256, size=(n, 28, 28)).astype(np.uint8) for n in (30, 20)]
    labels = [random.randint(10, size=n).astype(np.uint8) for n in (30, 20)]
    raw.mkdir(parents=True)
    for name, content in zip(ARCHIVES, (parts[0], labels[0], parts[1], labels[1]), strict=True):
        header = bytes([0, 0, 8, content.ndim]) + b"".join(n.to_bytes(4, "big") for n in content.shape)
        (raw / name).write_bytes(gzip.compress(header + content.tobytes()))
        (raw / name.removesuffix(".gz")).write_bytes(header + bytes(content.size))
        archives.append((name, hashlib.md5((raw / name).read_bytes()).hexdigest()))
    (empty / "KMNIST" / "processed").mkdir()
    for name, n in (("training.pt", 30), ("test.pt", 20)):
        torch.save((torch.zeros(n, 28, 28, dtype=torch.uint8), torch.zeros(n)), empty / "KMNIST" / "processed" / name)
    monkeypatch.setattr(datasets.KMNIST, "resources", archives)
    read = data.read("kmnist")
    assert np.array_equal(read.test.images[:, 0], parts[1])
    assert np.array_equal(read.train.labels, labels[0])
    assert data.SHAPES["kmnist"] == read.train.images.shape[1:]
    sets._kept.cache_clear()
    (raw / ARCHIVES[2]).write_bytes(gzip.compress(bytes(100)))
    with pytest.raises(data.DataError, match=f"{ARCHIVES[2]} is missing or damaged"):
        data.read("kmnist")


def test_channels_come_first_whatever_torchvision_gives(empty, monkeypatch):
    """As of CIFAR-10: `train`, and not `split`, says which part; channels are last, labels and class names lists."""
    images = np.random.RandomState(0).randint(256, size=(2, 5, 32, 32, 3)).astype(np.uint8)
    parts = [SimpleNamespace(data=part, targets=[1, 0, 1, 0, 1], classes=["cat", "dog"]) for part in images]
    monkeypatch.setattr(datasets, "CIFAR10", lambda folder, train: parts[0] if train else parts[1])
    *read, class_names = data.read("cifar10")
    assert np.array_equal(np.stack([part.images for part in read]), np.moveaxis(images, -1, 2))
    assert ([part.labels.tolist() for part in read], class_names) == ([[1, 0, 1, 0, 1]] * 2, ("cat", "dog"))


def test_two_processes_do_not_download_at_once(svhn, monkeypatch):
    svhn_of_torchvision = datasets.SVHN

    def fetch(folder, download=False, **which):
        if not download:
            raise RuntimeError("Dataset not found")
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(folder / ".svhn.lock").acquire(timeout=0)
        return svhn_of_torchvision(folder, **which)

    monkeypatch.setattr(datasets, "SVHN", fetch)
    assert len(data.read("svhn").test.labels) == 25
