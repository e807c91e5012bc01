"""scikit-learn's interface, files that hold a classifier, the comparison of methods, and the command line."""

import pickle
import shutil
import subprocess
import sys
from dataclasses import asdict, fields
from functools import partial
from io import BytesIO, StringIO

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sgan_lib import baselines, data, experiments, models, saved
from sgan_lib.__main__ import main
from sgan_lib.comparison import METHODS, compare, macro_f1, summarise, without
from sgan_lib.estimator import SemiSupervisedClassifier
from sgan_lib.features import with_features
from sgan_lib.results import RunResult
from sgan_lib.settings import Settings

RAW, DIGITS = load_digits(return_X_y=True)
IMAGES = np.round(RAW * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
FEW = np.where(np.arange(len(DIGITS)) < 100, DIGITS, -1)  # the first hundred have labels
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"], dtype=object)
quick = partial(SemiSupervisedClassifier, "sgan", "mlp_digits", "quick", device="cpu")


@pytest.fixture(scope="module")
def fitted():
    return quick(settings={"steps": 300}).fit(IMAGES[:1300], FEW[:1300])


# --- scikit-learn

EXPECTED_FAILURES = {
    "check_classifiers_classes": "labels -1 and 1: here, as in sklearn.semi_supervised, -1 stands for no label",
    "check_class_weight_classifiers": "weights by class: only 'balanced' is offered, which repeats labels",
}


@parametrize_with_checks(
    [SemiSupervisedClassifier(preset="quick", settings={"steps": 60}, device="cpu")],
    expected_failed_checks=lambda _: EXPECTED_FAILURES,
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_own_checks(estimator, check, unchecked):
    check(estimator)


def test_it_learns_and_more_from_a_pool(fitted):
    alone = quick(settings={"steps": 300}).set_params(method="supervised").fit(IMAGES[:1300], FEW[:1300])
    assert fitted.score(IMAGES[1300:], DIGITS[1300:]) > 0.85
    assert fitted.score(IMAGES[1300:], DIGITS[1300:]) > alone.score(IMAGES[1300:], DIGITS[1300:])
    shares = fitted.predict_proba(IMAGES[:5])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert fitted.classes_[shares.argmax(axis=1)].tolist() == fitted.predict(IMAGES[:5]).tolist()


def test_labels_may_be_texts_and_a_seed_brings_the_same_network_again(fitted):
    labels = np.array([NAMES[k] if k >= 0 else None for k in FEW[:1300]], dtype=object)
    named = quick(settings={"steps": 300}).fit(IMAGES[:1300], labels)
    assert list(named.classes_) == sorted(NAMES)
    assert (named.predict(IMAGES[1300:]) == NAMES[DIGITS[1300:]]).mean() > 0.85
    again = quick(settings={"steps": 300}).fit(IMAGES[:1300], FEW[:1300])
    assert np.array_equal(again.predict_proba(IMAGES), fitted.predict_proba(IMAGES))


def test_rows_without_a_label_do_not_count_as_mistakes(fitted):
    right = fitted.predict(IMAGES[:200]) == DIGITS[:200]
    assert fitted.score(IMAGES[:200], FEW[:200]) == right[:100].mean()
    weights = np.arange(200)
    weighted = np.average(right[:100], weights=weights[:100])
    assert fitted.score(IMAGES[:200], FEW[:200], weights) == pytest.approx(weighted)
    for y, shorter in ((FEW[:199], None), (FEW[:200], weights[:199]), (FEW[:199], weights[:199])):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[200, "):
            fitted.score(IMAGES[:200], y, shorter)


def test_columns_keep_their_names_in_a_file(tmp_path):
    table = pd.DataFrame(RAW[:60, 18:22], columns=list("abcd"))
    classifier = SemiSupervisedClassifier(preset="quick", settings={"steps": 2}).fit(table, DIGITS[:60])
    classifier.save(tmp_path / "model")
    loaded = SemiSupervisedClassifier.load(tmp_path / "model")
    assert (loaded.predict(table) == classifier.predict(table)).all()
    with pytest.raises(ValueError, match="preset must be"):  # and what was fitted stays
        loaded.set_params(preset="slow").fit(table[list("dcba")], DIGITS[:60])
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(table[list("dcba")])
    parts = data.from_arrays(RAW[:60, 18:22], DIGITS[:60], test=0)
    for name in ("image_size", "value_range"):
        with pytest.raises(ValueError, match=f"{name} must be None where X is SemiSupervisedData; got 9"):
            SemiSupervisedClassifier(**{name: 9}).fit(parts)
    loaded.set_params(preset="quick").fit(parts)
    assert not hasattr(loaded, "feature_names_in_")


def test_a_grid_search_finds_the_longer_training_of_two():
    search = GridSearchCV(quick(), {"settings": [{"steps": 1}, {"steps": 50}]}, cv=2)
    assert search.fit(IMAGES[:100], DIGITS[:100]).best_params_ == {"settings": {"steps": 50}}


def test_no_parameter_hides_a_setting_of_the_same_name():
    names = {each.name for each in fields(Settings)}
    assert {*SemiSupervisedClassifier().get_params()} & names == {"method", "network", "preset"}


def test_balanced_shows_every_class_equally_often(monkeypatch):
    rare = np.r_[np.flatnonzero(DIGITS == 0)[:40], np.flatnonzero(DIGITS == 1)[:3], np.flatnonzero(DIGITS > 1)[:40]]
    seen, at = [], data.Batches.at

    def spy(batches, step):
        labels.append(at(batches, step).labels)
        return at(batches, step)

    monkeypatch.setattr(data.Batches, "at", spy)
    few = np.where(DIGITS[rare] <= 1, DIGITS[rare], -1)
    for class_weight in (None, "balanced"):
        labels: list[torch.Tensor] = []
        result = quick(settings={"steps": 20}, class_weight=class_weight).fit(IMAGES[rare], few).result_
        assert result.settings.n_labels == 43
        seen.append(torch.cat(labels).double().mean().item())
    assert seen == pytest.approx([3 / 43, 0.5], abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "gan"}, "method must be one of supervised, sgan"),
        ({"class_weight": "balanced", "settings": {"label_mask": True}}, "class_weight must be None where label_mask"),
        ({"class_weight": "even"}, "class_weight must be one of balanced, or None"),
        ({"warm_start": 1}, "warm_start must be True or False"), ({"network": "resnet"}, "network must be one of"),
        ({"settings": {"step": 5}}, "no argument 'step'"), ({"settings": {"seed": 3}}, "settings must be a dictionary"),
        ({"settings": "steps=5"}, "settings must be a dictionary"), ({"preset": "slow"}, "preset must be one of"),
        ({"random_state": -1}, "random_state must be .*; got -1"), ({"device": "tpu"}, "device must be one of"),
        ({"random_state": np.random.RandomState(0)}, "random_state must be .* of type RandomState"),
        ({"random_state": None, "checkpoint": "x"}, "random_state must be a number where"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_by_name(changes, message, unchecked):
    with pytest.raises((TypeError, ValueError), match=message):
        quick(settings={"steps": 5}).set_params(**changes).fit(IMAGES[:100], FEW[:100])


# --- files


def test_a_saved_classifier_predicts_the_same_in_a_fresh_process(fitted, tmp_path):
    path, wanted = tmp_path / "digits.safetensors", fitted.predict_proba(IMAGES[1300:1400])
    fitted.save(path)
    np.save(tmp_path / "images.npy", IMAGES[1300:1400])
    code = f"""
import numpy as np
from sgan_lib.estimator import SemiSupervisedClassifier
loaded = SemiSupervisedClassifier.load({str(path)!r})
np.save({str(tmp_path / "shares.npy")!r}, loaded.predict_proba(np.load({str(tmp_path / "images.npy")!r})))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
    np.testing.assert_allclose(np.load(tmp_path / "shares.npy"), wanted, atol=1e-5)
    loaded = SemiSupervisedClassifier.load(path)
    assert loaded.get_params() == fitted.get_params()
    assert (loaded.classes_.tolist(), loaded.result_.settings) == (list(range(10)), fitted.result_.settings)
    assert loaded.result_ == fitted.result_


def test_training_goes_on_from_a_saved_classifier(fitted, tmp_path):
    fitted.save(tmp_path / "digits")
    loaded = SemiSupervisedClassifier.load(tmp_path / "digits").set_params(warm_start=True, settings={"steps": 1})
    before = loaded.predict_proba(IMAGES[:50])
    after = loaded.fit(IMAGES[:1300], FEW[:1300]).predict_proba(IMAGES[:50])
    assert 0 < np.abs(after - before).max() < 0.2  # one step further, not a new start
    for other in (FEW[:100] % 2, np.where(FEW[:1300] >= 0, FEW[:1300] + 1, -1)):  # fewer classes, and as many others
        with pytest.raises(ValueError, match="y must have the classes of the last fit where warm_start is True; got"):
            loaded.fit(IMAGES[: len(other)], other)


@pytest.mark.parametrize("method", ["two_head", "conditional_sgan", "bigan", "gan", "supervised"])
def test_every_kind_of_result_is_saved_and_loaded(method, tmp_path):
    result = experiments.run(method, "digits", 20, steps=2)
    result.save(tmp_path / "result")
    loaded = RunResult.load(tmp_path / "result")
    assert loaded == result
    if method == "gan":
        with pytest.raises(ValueError, match=r"path must be of a method that classifies; .*result is of 'gan'"):
            SemiSupervisedClassifier.load(tmp_path / "result")
    assert loaded.modules.state_dict().keys() == result.modules.state_dict().keys()
    for name, weight in result.modules.state_dict().items():
        assert torch.equal(loaded.modules.state_dict()[name], weight)
    with pytest.raises(ValueError, match="modules must hold the networks"):
        experiments.repeat(1, method=method, dataset="digits", n_labels=20, steps=2)[0].save(tmp_path / "no")


def test_own_networks_are_loaded_into_networks_of_their_kind(tmp_path):
    class Own(torch.nn.Module):
        def __init__(self, width=12):
            super().__init__()
            self.body, self.head = torch.nn.Linear(64, width), torch.nn.Linear(width, 10)

        def forward(self, images):
            features = torch.relu(self.body(images.flatten(1)))
            return self.head(features), features

    trained = quick(settings={"steps": 5}).set_params(method="supervised", network=models.Networks(Own()))
    trained.fit(IMAGES[:100], FEW[:100]).save(tmp_path / "own")
    loaded = SemiSupervisedClassifier.load(tmp_path / "own", models.Networks(Own()))
    assert np.array_equal(loaded.predict_proba(IMAGES), trained.predict_proba(IMAGES))
    for other in (None, models.Networks(Own(13))):
        with pytest.raises(ValueError, match="network must be"):
            SemiSupervisedClassifier.load(tmp_path / "own", other)


def test_damaged_and_foreign_files_are_refused_by_name_and_left_alone(fitted, tmp_path):
    path = tmp_path / "digits.safetensors"
    fitted.save(path)
    whole = path.read_bytes()
    for variant in [b"", b"text", whole[:-1], whole[: len(whole) // 2], b"\x89PNG" + whole]:
        path.write_bytes(variant)
        with pytest.raises(ValueError, match=r"^/.*/digits\.safetensors is "):
            SemiSupervisedClassifier.load(path)
        assert path.read_bytes() == variant
    path.write_bytes(whole)
    content, weights = saved.read_file(path, "model")
    for spoilt in ({}, content | {"preparation": None}, content | {"class_names": ["a", "b"]}):  # of another version
        saved.write_file(path, "model", spoilt, weights)
        with pytest.raises(ValueError, match=r"network must be as the one in .*digits\.safetensors, a model of this"):
            SemiSupervisedClassifier.load(path)
    saved.write_file(path, "checkpoint", {}, {})
    with pytest.raises(ValueError, match="is no model of this library but a checkpoint"):
        SemiSupervisedClassifier.load(path)
    for absent in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="cannot be read"):
            SemiSupervisedClassifier.load(absent)


def test_networks_survive_pickle_and_torch_save(fitted):
    copied, buffer = pickle.loads(pickle.dumps(fitted)), BytesIO()
    assert np.array_equal(copied.predict_proba(IMAGES), fitted.predict_proba(IMAGES))
    torch.save(fitted.result_.modules, buffer)
    buffer.seek(0)
    again, before = torch.load(buffer, weights_only=False), fitted.result_.modules.state_dict()
    assert again.state_dict().keys() == before.keys()
    assert all(torch.equal(weight, before[name]) for name, weight in again.state_dict().items())
    frozen = [name for name, weight in fitted.result_.modules.named_parameters() if not weight.requires_grad]
    assert frozen == [name for name, weight in again.named_parameters() if not weight.requires_grad]


def test_images_come_as_arrays_files_or_a_folder(fitted, tmp_path, monkeypatch, capsys):
    for index in range(3):
        Image.fromarray(IMAGES[index]).save(tmp_path / f"{index}.png")
    Image.fromarray(IMAGES[0]).convert("RGB").resize((80, 80)).save(tmp_path / "large.png")
    files = sorted(tmp_path.glob("*.png"))
    wanted = fitted.predict_proba(IMAGES[:3])
    as_arrays = [IMAGES[:3] / 255, IMAGES[:3, :, :, None], IMAGES[:3].astype(np.uint16) * 257]
    for given in (files[:3], [str(file) for file in files[:3]], *as_arrays):
        np.testing.assert_allclose(fitted.predict_proba(given), wanted, atol=1e-4)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (files[1], str(files[1]), "~/1.png", ["~/1.png"], IMAGES[1]):
        np.testing.assert_allclose(fitted.predict_proba(given), wanted[1:2], atol=1e-4)
    assert fitted.predict(tmp_path).shape == fitted.predict("~").shape == (4,)
    fitted.save("~/model")
    assert main(["predict", "~/model", "~"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 4
    with pytest.raises(data.DataError, match=r"absent\.png cannot be read"):
        fitted.predict(tmp_path / "absent.png")


# --- baselines and the comparison


MOST = {"linear": 0.16, "rbf_svm": 0.17, "self_training": 0.16, "label_spreading": 0.1}


@pytest.mark.parametrize(("name", "most"), MOST.items())
def test_baselines_run_like_methods(name, most, tmp_path):
    result = experiments.run(name, "digits", 50)
    assert (result.settings.method, result.settings.network, result.modules) == (name, "none", None)
    assert 0.02 < result.test_error < most
    result.to_json(tmp_path / "result.json")
    assert RunResult.from_json(tmp_path / "result.json") == result
    assert experiments.run(**asdict(result.settings)).test_error == result.test_error


@pytest.mark.parametrize(
    "given", [{"steps": 500}, {"network": "mlp"}, {"learning_rate": 0.1}, {"checkpoint": "x"}, {"observe": print}]
)
def test_a_baseline_is_given_nothing_that_only_networks_use(given):
    with pytest.raises(ValueError, match=f"{next(iter(given))}.* must be left out for 'linear'"):
        experiments.run("linear", "digits", 50, **given)


def test_label_spreading_and_self_training_use_the_pool_and_the_others_do_not():
    parts = data.load("digits", 50)
    for name in baselines.BASELINES:
        n_seen = getattr(baselines.fit_baseline(name, parts), "transduction_", parts.labelled.labels)
        assert len(n_seen) == (1297 if name in ("label_spreading", "self_training") else 50)


def test_a_fold_takes_its_images_out_of_labels_and_pool():
    parts = data.from_arrays(IMAGES[:200], FEW[:200], test=0)
    rows = torch.tensor([3, 50, 99])
    rest = without(parts, rows)
    assert (len(rest.labelled.labels), len(rest.pool)) == (97, 197)
    assert torch.equal(rest.test.images, parts.labelled.images[rows])
    taken = {image.numpy().tobytes() for image in rest.test.images}
    assert not taken & {image.numpy().tobytes() for image in rest.unlabelled}
    assert torch.equal(rest.unlabelled[rest.labelled_in_pool], rest.labelled.images)


def test_the_comparison_measures_all_methods_on_the_same_folds():
    parts = data.from_arrays(IMAGES[:300], FEW[:300], test=0)
    table = pd.DataFrame(compare(parts, ["linear", "label_spreading", "supervised"], folds=4, steps=30))
    assert table.groupby("method")["fold"].apply(list).tolist() == [[0, 1, 2, 3]] * 3
    summary = summarise(table)
    assert list(summary.index) == ["linear", "label_spreading", "supervised"]
    errors = 100 * table.pivot(index="fold", columns="method", values="error")
    best = errors[["linear", "label_spreading"]].mean().idxmin()
    gains = errors[best] - errors["supervised"]
    # t with 3 degrees of freedom: 3.1824; four folds of a quarter each: 1/4 + 1/3
    half = 3.1824 * gains.std() * (1 / 4 + 1 / 3) ** 0.5
    row = summary.loc["supervised"]
    np.testing.assert_allclose([row["gain"], row["gain_low"], row["gain_high"]],
                               [gains.mean(), gains.mean() - half, gains.mean() + half], rtol=1e-4)  # fmt: skip
    assert summary.loc[best, "gain"] == 0
    two = pd.DataFrame({"method": "sgan", "fold": [0, 1], "error": [0.5, 0.51], "macro_f1": 0.5, "seconds": 1})
    # t with 1 degree of freedom: 12.7062; two folds were done of four of a quarter each: 1/2 + 1/3
    half = 12.7062 * 0.5**0.5 * (1 / 2 + 1 / 3) ** 0.5
    assert summarise(two, folds=4)["error_high"].item() == pytest.approx(50.5 + half, rel=1e-4)
    errors = {"linear": 0.5, "linear on squeezenet1_1": 0.2, "sgan": 0.3}
    summary = summarise(pd.concat([two.assign(method=name, error=error) for name, error in errors.items()]))
    assert summary["gain"].tolist() == pytest.approx([-30, 0, -10])  # over the best baseline, on features or not
    wide = summarise(two.assign(error=[0, 1], macro_f1=[0, 1]))
    assert wide[["error_low", "error_high", "macro_f1_low", "macro_f1_high"]].to_numpy().tolist() == [[0, 100, 0, 100]]


@pytest.mark.filterwarnings("ignore:all labels are", "ignore:no labelled image")
def test_what_a_comparison_cannot_do_is_refused_before_anything_is_trained(monkeypatch):
    table = data.from_arrays(RAW[:40, 18:30], np.r_[DIGITS[:20] % 2, -np.ones(20)], test=0)
    rows = list(compare(table, folds=2, steps=2, preset="quick"))
    assert [row["method"] for row in rows if row["fold"] == 1] == [name for name in METHODS if name != "consistency"]
    assert [row["method"] for row in compare(table, ["linear", "linear"], folds=2)] == ["linear", "linear"]
    four = data.from_arrays(np.repeat(IMAGES[:9, None], 4, axis=1), [0, 1] * 4 + [-1], test=0)  # channels; few images
    assert [row["method"] for row in compare(four, folds=2, steps=1)] == [row["method"] for row in rows]
    monkeypatch.setattr(experiments, "run", None)
    odd, features = {"network": models.Networks(torch.nn.Identity())}, {"methods": ["sgan"], "features": "resnet18.pth"}
    for given, message in (({"stepz": 3}, "no argument 'stepz'"), ({"n_labels": 3}, "n_labels cannot be set"),
                           ({"record_every": 0}, "record_every cannot be set"), (features, "methods must include one "),
                           ({"methods": []}, "methods must hold at least one; got none"),
                           ({"methods": ["linear"], "seed": 1, "stepz": 5}, "^stepz must be left out for .'linear'."),
                           (odd | {"methods": ["linear", "supervised"]}, "the discriminator must return"),
                           ({"methods": ["linear", "consistency"]}, "needs images")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            next(compare(table, **given))
    for labels in ([0] * 300, [0, 1] + [-1] * 298, [0] * 9 + [1] + [-1] * 290):
        with pytest.raises(ValueError, match="data must hold two labels of each of two classes, and 5 of one; got"):
            next(compare(data.from_arrays(IMAGES[:300], labels, test=0)))


def test_macro_f1_is_scikit_learns():
    truth, said = np.random.RandomState(0).randint(4, size=(2, 60))
    counts = pd.crosstab(truth, said).to_numpy()
    assert macro_f1(counts.tolist()) == pytest.approx(f1_score(truth, said, average="macro"))


@pytest.mark.parametrize(("name", "width"), [("squeezenet1_1", 512), ("mobilenet_v3_small", 1024)])
def test_features_of_a_pretrained_network_make_a_table(name, width, tmp_path, monkeypatch):
    import torchvision

    torch.manual_seed(0)
    network = torchvision.models.get_model(name)
    torch.save(network.state_dict(), tmp_path / f"{name}-abc.pth")
    parts = data.from_arrays(IMAGES[:12], [0, 1] * 4 + [-1] * 4, test=0.25)
    monkeypatch.setenv("HOME", str(tmp_path))
    table = with_features(parts, f"~/{name}-abc.pth")
    assert (table.pool.shape, len(table.test.images)) == ((10, width), 2)
    np.testing.assert_allclose(table.pool.mean(dim=0), 0, atol=1e-3)
    torch.testing.assert_close(table.pool[table.labelled_in_pool], table.labelled.images, atol=1e-3, rtol=1e-3)
    if name == "squeezenet1_1":
        rows = compare(parts, ["linear", "supervised"], 2, tmp_path / f"{name}-abc.pth", steps=2)
        assert [row["method"] for row in rows] == 2 * ["linear", "supervised", f"linear on {name}-abc"]
    for name in ("resnet18.pth", "absent.pth"):
        with pytest.raises(ValueError, match="weights must be a file"):
            with_features(parts, tmp_path / name)
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    with pytest.raises(ValueError, match="weights must be a file with the weights of resnet18"):
        with_features(parts, tmp_path / "resnet18.pth")


# --- the command line


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for index in range(120):
        place = folder / (NAMES[DIGITS[index]] if index < 60 else "unlabelled")
        place.mkdir(exist_ok=True)
        Image.fromarray(IMAGES[index]).save(place / f"{index}.png")
    return folder


def test_fit_and_predict_by_command(photos, tmp_path, capsys):
    file = str(tmp_path / "digits.safetensors")
    command = ["fit", str(photos), "--out", file, "--set", "steps=200", "--network", "mlp_digits", "--device", "cpu"]
    assert main(command) == 0
    assert "unlabelled    120" in capsys.readouterr().out
    assert main(["predict", file, str(photos / "one"), str(photos / "two" / "2.png")]) == 0
    table = pd.read_csv(StringIO(capsys.readouterr().out))
    assert list(table.columns) == ["file", "label", *sorted(NAMES)]
    assert (table["label"] == ["one"] * (len(table) - 1) + ["two"]).mean() > 0.8
    np.testing.assert_allclose(table[sorted(NAMES)].sum(axis=1), 1, atol=1e-3)
    shutil.copytree(photos, tmp_path / "photos")
    shutil.copytree(photos / "one", tmp_path / "photos" / "test" / "one")
    right = len(table) - 1  # that the same network, trained on the same images, finds again
    assert main(["fit", str(tmp_path / "photos"), "--out", f"{file}2", *command[4:]]) == 0
    error = 1 - (table["label"][:right] == "one").mean()
    assert f"error on the {right} images of the folder's test: {error:.1%}" in capsys.readouterr().out


def test_what_fit_is_told_is_in_its_file(photos, tmp_path):
    (tmp_path / "labels.csv").write_text("file,label\none/1.png,x\ntwo/2.png,y\n")
    options = ["--labels", str(tmp_path / "labels.csv"), "--image-size", "10", "--seed", "3", "--balanced"]
    assert main(["fit", str(photos), "--out", str(tmp_path / "model"), "--set", "steps=2", *options]) == 0
    loaded = SemiSupervisedClassifier.load(tmp_path / "model")
    assert (loaded.class_weight, loaded.random_state, list(loaded.classes_)) == ("balanced", 3, ["x", "y"])
    assert loaded.result_.preparation.shape == (1, 10, 10)


def test_compare_by_command(photos, tmp_path, capsys):
    table = tmp_path / "table.csv"
    command = ["compare", str(photos), "--methods", "linear", "supervised", "--folds", "2", "--set", "steps=5"]
    assert main([*command, "--out", str(table), "--device", "cpu"]) == 0
    assert "gain_low" in capsys.readouterr().out
    assert list(pd.read_csv(table).columns) == ["method", "fold", "error", "macro_f1", "seconds"]
    assert main([*command, "--out", str(table)]) == 2
    assert f"--out must be a new file, so that nothing is overwritten; {table} is there" in capsys.readouterr().err
    assert main([*command[:-1], "steps=60", "--set", "learning_rate=1e6", "--device", "cpu"]) == 2
    shown = capsys.readouterr()
    assert "error: training diverged at step" in shown.err
    assert "gain_low" in shown.out  # what had been measured by then


def test_a_class_may_be_called_like_a_column(tmp_path, capsys):
    for index in range(8):
        place = tmp_path / "photos" / ("file" if index % 2 else "label")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(IMAGES[index]).save(place / f"{index}.png")
    model, checkpoint = str(tmp_path / "model"), tmp_path / "checkpoint"
    fit = ["fit", str(tmp_path / "photos"), "--out", model, "--set", "steps=2", "--checkpoint", str(checkpoint)]
    assert main(fit) == 0
    assert checkpoint.exists()
    capsys.readouterr()
    assert main(["predict", model, str(tmp_path / "photos" / "file")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "file,label,file,label"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["fit", "/absent", "--out", "x"], "folder must be a folder of images"),
        (["predict", "/absent", "x.png"], "/absent cannot be read"),
        (["fit", "PHOTOS", "--out", "x", "--set", "steps=no"], "steps must be"),
        (["compare", "PHOTOS", "--folds", "2", "--methods", "magic"], "methods must be"),
        (["compare", "PHOTOS", "--features", "x.pth"], "weights must be a file"),
        (["fit", "PHOTOS", "--out", "x", "--method", "gan"], "method must be"),
        (["fit", "PHOTOS", "--out", "PHOTOS"], "--out must be a file in a folder that can be written"),
        (["compare", "PHOTOS", "--methods", "gan"], "methods must be one of"),
        (["compare", "PHOTOS", "--set", "seed=1"], "none that has an option of its own; got seed=1"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(photos, command, message, capsys, monkeypatch, tmp_path, unchecked):
    monkeypatch.chdir(tmp_path)
    assert main([str(photos) if part == "PHOTOS" else part for part in command]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
