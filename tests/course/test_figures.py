"""The stored tables and pictures are whole, and the scripts behind them measure what they say."""

import importlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from sgan_lib import data, experiments, quality, sweep

SCRIPTS = ("nb00", "nb02", "nb03", "nb04", "nb05", "nb06", "nb07", "nb10", "nbA1")


@pytest.fixture(scope="module")
def make(root):  # the scripts of figures/make by name; they are in no package
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "figures" / "make")
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in ("tables", *SCRIPTS)})


@pytest.fixture
def digits(make, monkeypatch):
    for name, value in {"DATASET": "digits", "N_LABELS": (20,), "HELD_OUT": 300}.items():
        monkeypatch.setattr(make.nb06, name, value)
    return data.load("digits", 100)


def test_each_stored_file_is_whole_sorted_and_of_a_script(make):
    expected = {"PROTOCOL.md", "published.csv", "benchmark.csv", "dcgan_filmstrip.png", "class_collapse.png"}
    for name, figure in [item for script in SCRIPTS for item in vars(make)[script].FIGURES.items()]:
        if isinstance(figure, make.tables.Once):
            assert figure.path.exists()
            expected |= {figure.path.name} if figure.path.parent == make.tables.FIGURES else set()
            continue
        expected |= {f"{name}.csv", f"{name}.png"} if figure.draw else {f"{name}.csv"}
        assert make.tables.missing_runs(name, figure) == []
        stored, order = make.tables.read(name), list(figure.key(next(iter(figure.runs()))))
        assert list(stored) == figure.columns.split()
        pd.testing.assert_frame_equal(stored, stored.sort_values(order, kind="stable"))
    assert {path.name for path in make.tables.FIGURES.iterdir() if path.is_file()} == expected


def test_the_sweep_and_the_tasks_measure_what_a_table_lacks_and_keep_the_rest(make, monkeypatch, tmp_path):
    client = MagicMock(get_executor=lambda pure: ThreadPoolExecutor(1))  # in place of a cluster
    client.__enter__.return_value = client
    monkeypatch.setattr(make.tables, "Client", lambda **_: client)
    monkeypatch.setattr(make.tables, "FIGURES", tmp_path)
    runs = sweep.grid(("supervised",), "digits", (20,), (0, 1), steps=2)
    swept = make.tables.Table(lambda: runs, "seed steps test_error cpu_seconds", decimals={"test_error": 4})
    found = experiments.run("supervised", "digits", 20, 1, steps=2)
    error, row = round(found.test_error, 4), {"seed": 1, "steps": 2, "test_error": found.test_error, "seconds": 3.0}
    results = {(runs[1],): pd.DataFrame([row])}  # of what is missing, and nothing else
    monkeypatch.setattr(make.tables.sweep, "run", lambda asked, folder, workers: results[tuple(asked)])
    for name, table, n_rows in (("swept", swept, 1), ("measured", replace(swept, measure=make.nb04.curve), 2)):
        (tmp_path / f"{name}.csv").write_text("seed,steps,test_error,cpu_seconds\n0,2,0.5,1.0\n")
        make.tables.update(name, table, 1)
        stored = make.tables.read(name)
        assert stored.iloc[[0, -1]]["test_error"].tolist() == [0.5, error]
        assert (len(stored), list(stored)) == (1 + n_rows, swept.columns.split())
    with pytest.raises(SystemExit, match="holds 1 other"):
        make.tables.missing_runs("swept", replace(swept, runs=lambda: runs[1:]))


def test_what_is_measured_of_a_run_is_the_runs(make, monkeypatch, tmp_path):
    monkeypatch.setattr(make.tables, "RUNS", tmp_path)
    monkeypatch.setattr(make.nbA1, "LOOKS", (8,))
    monkeypatch.setattr(make.nbA1, "N_SAMPLES", 300)
    arguments = {"method": "feature_matching", "dataset": "mnist", "network": "mlp_small", "steps": 8}
    settings, result = experiments.resolve(**arguments), experiments.run(**arguments, record_every=2)
    losses = [round(record.terms["adversarial"], 3) for record in result.history]
    assert [row["adversarial"] for row in make.nbA1.losses_at_the_start(settings)] == losses
    wrong, labels = pd.DataFrame(make.nbA1.mistakes(settings)), data.read("mnist").test.labels
    assert (wrong["label"] == labels[wrong["image"].tolist()].numpy()).all()
    matrix = pd.crosstab(wrong["label"], wrong["predicted"]).reindex(index=range(10), columns=range(10), fill_value=0)
    assert (matrix + np.diag(np.diag(result.confusion_matrix)) == np.array(result.confusion_matrix)).all(axis=None)
    assert make.nbA1.by_digit(settings)[-1] == {"step": 8} | {f"wrong_{k}": n for k, n in matrix.sum(axis=1).items()}
    assert not list(tmp_path.iterdir())  # no checkpoint
    assert make.nb04.curve(settings)[-1]["test_error"] == round(result.test_error, 4)
    distance, _, _ = quality.sample_quality(make.tables.sampled(result.modules["generator"], 300))
    assert [row["digit_frechet"] for row in make.nbA1.sample_quality(settings)] == [round(distance, 2)]


def test_an_exchange_changes_only_the_labels_it_names(make):
    images, labels = data.read("mnist").train
    for (name, split), swap in make.nbA1.EXCHANGES.items():
        drawn, parts = data.load("mnist", 100, split), make.nbA1.exchanged(name, split)
        assert {int(labels[row]) for pair in swap.items() for row in pair} == {7}
        assert torch.equal(parts.labelled.labels, drawn.labelled.labels)
        assert torch.equal(parts.pool, drawn.pool)
        assert torch.equal(data.as_images(parts.pool[parts.labelled_in_pool]), parts.labelled.images)
        changed = (parts.labelled.images != drawn.labelled.images).flatten(1).any(dim=1)
        for row, before, after in zip(
            swap, drawn.labelled.images[changed], parts.labelled.images[changed], strict=True
        ):
            assert torch.equal(data.as_images(images[row]), before)
            assert torch.equal(data.as_images(images[swap[row]]), after)
    [row] = make.nbA1.of_sevens(make.nbA1.Sevens("as drawn", 3), steps=2)
    result = experiments.run(n_labels=100, seed=3, preset="standard", network="mlp_cropped", steps=2)
    assert row["test_error"] == result.test_error
    wrong = [sum(counts) - counts[digit] for digit, counts in enumerate(result.confusion_matrix)]
    assert [row[f"wrong_{digit}"] for digit in range(10)] == wrong


def test_class_vectors_start_where_they_are_told_to(make):
    arguments = {"method": "conditional_sgan", "dataset": "digits", "network": "dcgan", "steps": 1}
    usual, other = (make.nb07.started_at(start, experiments.resolve(**arguments)) for start in (0.1, 1.0))
    for name, weights in experiments.run(**arguments).modules["generator"].state_dict().items():
        torch.testing.assert_close(usual.state_dict()[name], weights, rtol=0, atol=0)
    assert other.classes.weight.std() > 5 * usual.classes.weight.std()


def test_the_moves_of_bigans_rivals_are_those_of_the_definition(make, digits):
    nets = make.nb06.train_other("latent_regressor", experiments.resolve("bigan", "digits", steps=3), digits).eval()
    generator, encoder, batch = nets["generator"], nets["encoder"], data.Batches(digits, 10, 1, seed=0).at(0)
    x, again = batch.unlabelled, generator(encoder(batch.unlabelled).latent)
    for power in (1, 2):
        [terms] = make.nb06.OBJECTIVES[f"autoencoder_l{power}"](nets, batch)
        torch.testing.assert_close(terms["reconstruction"], (x - again).abs().pow(power).sum() / 10)
    torch.manual_seed(5)
    images = [x, *(generator(z := generator.latent(10)) for _ in range(2))]
    judge, zeros = nets["discriminator"].judge, torch.zeros(10, 16)
    real, first, second = (judge(images=each, latent=zeros).class_logits[:, 0].sigmoid() for each in images)
    torch.manual_seed(5)
    of_discriminator, of_generator = make.nb06.latent_regressor(nets, batch)
    torch.testing.assert_close(of_discriminator["adversarial"], -real.log().mean() - (1 - first).log().mean())
    torch.testing.assert_close(of_generator["generator"], -second.log().mean())
    torch.testing.assert_close(of_generator["latent"], (encoder(images[2]).latent - z).square().mean())
    of_generator["latent"].backward()
    assert all(p.grad is None for p in generator.parameters())
    assert all(p.grad.any() for p in encoder.parameters())


def test_training_lowers_what_an_autoencoder_is_trained_for(make, digits):
    x, losses = digits.test.images, []
    for settings in (experiments.resolve("bigan", "digits", steps=steps) for steps in (1, 200)):
        nets = make.nb06.train_other("autoencoder_l1", settings, digits)
        losses.append((nets["generator"](nets["encoder"](x).latent) - x).abs().mean())
    assert losses[1] < 0.8 * losses[0]


def test_features_are_judged_by_neighbours_and_by_linear_classifiers(make, digits):
    rows, layers = make.nb06.measure(make.nb06.Asked("random", 0, "quick")), "hidden before_tanh latent discriminator"
    expected = product(["nearest", "linear", "linear", "linear"], layers.split())
    assert [(row["classifier"], row["layer"]) for row in rows] == list(expected)
    train, test = ((part.images.flatten(1).numpy(), part.labels.numpy()) for part in data.read("digits")[:2])
    held_out = torch.randperm(1347, generator=torch.Generator().manual_seed(1)).numpy()[:300]
    others, left_out = [np.delete(part, held_out, axis=0) for part in train], [part[held_out] for part in train]
    for measure, known, asked in ((make.nb06.measure, train, test), (make.nb06.measure_held_out, others, left_out)):
        accuracy = measure(make.nb06.Asked("pixels", 1, "quick"))[0]["accuracy"]
        assert accuracy == pytest.approx(KNeighborsClassifier(1).fit(*known).score(*asked), abs=1 / 300)  # ties
