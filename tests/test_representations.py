"""The trainers and measurements behind notebook 06's table, at the size of 8×8 digits."""

import importlib.util

import pytest
import torch
import torch.nn.functional as F
from sklearn.neighbors import KNeighborsClassifier

from sgan_lib import data, models


@pytest.fixture(scope="module")
def representations(root):
    """The module figures/representations.py, which is a script's and in no package."""
    spec = importlib.util.spec_from_file_location("representations", root / "figures" / "representations.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def digits(representations, monkeypatch):
    """The same on `digits`: its small networks, few labels, no figures folder."""
    asked = representations._run

    def on_digits(seed, preset):
        return asked(seed, preset) | {"dataset": "digits", "network": "bigan_digits", "precision": "float32"}

    monkeypatch.setattr(representations, "_run", on_digits)
    monkeypatch.setattr(representations, "DATASET", "digits")
    monkeypatch.setattr(representations, "N_LABELS", (20,))
    return data.load("digits", 100)


def make(representations):
    torch.manual_seed(0)
    networks = models.build("bigan_digits", (1, 8, 8), 1)
    judge = representations.ImagesOnly(networks.discriminator, 16)
    modules = torch.nn.ModuleDict({"discriminator": judge, "generator": networks.generator,
                                   "encoder": networks.encoder}).eval()  # fmt: skip
    images = torch.rand(10, 1, 8, 8) * 2 - 1
    return modules, data.Batch(images[:0], torch.zeros(0, dtype=torch.long), images)


def test_the_terms_are_those_of_the_definition(representations):
    modules, batch = make(representations)
    torch.manual_seed(5)
    z = modules["generator"].latent(10)
    fake, x = modules["generator"](z), batch.unlabelled
    zeros = torch.zeros(10, 16)
    judge = modules["discriminator"].judge
    p_real, p_fake = (judge(images=i, latent=zeros).class_logits[:, 0].sigmoid() for i in (x, fake))
    again = modules["generator"](modules["encoder"](x).latent)
    wanted = {
        ("latent_regressor", "discriminator"): {"adversarial": -p_real.log().mean() - (1 - p_fake).log().mean()},
        ("latent_regressor", "generator"): {
            "generator": -p_fake.log().mean(),
            "latent": ((modules["encoder"](fake).latent - z) ** 2).mean(),
        },
        ("autoencoder_l2", "generator"): {"reconstruction": ((x - again) ** 2).sum() / 10},
        ("autoencoder_l1", "generator"): {"reconstruction": (x - again).abs().sum() / 10},
    }
    for (name, player), terms in wanted.items():
        torch.manual_seed(5)
        torch.testing.assert_close(representations.OBJECTIVES[name][player](modules, batch), terms)
    assert {(name, player) for name, players in representations.OBJECTIVES.items() for player in players} == set(wanted)


def test_the_latent_regressor_leaves_the_generator_to_the_game(representations):
    modules, batch = make(representations)
    representations.regress_latent(modules, batch)["latent"].backward()
    assert all(p.grad is None for p in modules["generator"].parameters())
    assert all(p.grad is not None and p.grad.any() for p in modules["encoder"].parameters())


@pytest.mark.parametrize("name", ["latent_regressor", "autoencoder_l2", "autoencoder_l1"])
def test_training_lowers_what_an_encoder_is_trained_for(representations, digits, name):
    def loss(n_steps):
        torch.manual_seed(0)
        modules = representations.train_other(name, 0, "quick", digits, n_steps=n_steps).eval()
        assert set(modules) == {"generator", "encoder"} | ({"discriminator"} if name == "latent_regressor" else set())
        if name != "latent_regressor":
            again = modules["generator"](modules["encoder"](digits.test.images).latent)
            return F.l1_loss(again, digits.test.images).item()
        z = modules["generator"].latent(500)
        return F.mse_loss(modules["encoder"](modules["generator"](z)).latent, z).item()

    assert loss(200) < 0.8 * loss(1)


def test_a_measured_representation_has_a_row_a_layer_classifier_and_split(representations, digits):
    rows = representations.measure({"representation": "random", "seed": 0, "preset": "quick"})
    assert {row["layer"] for row in rows} == {"hidden", "before_tanh", "latent", "discriminator"}
    assert [row["classifier"] for row in rows] == ["nearest"] * 4 + ["linear"] * 12
    assert {row["n_labels"] for row in rows} == {1347, 20}
    assert {row["step"] for row in rows} == {0}
    by_layer = {row["layer"]: row["accuracy"] for row in rows if row["classifier"] == "nearest"}
    assert by_layer["hidden"] > 0.9
    assert 0.5 < by_layer["latent"] < by_layer["hidden"]
    [pixels] = [row for row in representations.measure({"representation": "pixels", "seed": 0, "preset": "quick"})
                if row["classifier"] == "nearest"]  # fmt: skip
    known = data.read("digits").train
    distances = torch.cdist(digits.test.images.flatten(1), known.images.flatten(1))
    right = known.labels[distances.argmin(dim=1)] == digits.test.labels
    assert pixels["accuracy"] == pytest.approx(right.double().mean().item(), abs=1e-3)


@pytest.mark.usefixtures("digits")
def test_held_out_images_are_asked_about_among_the_other_training_images(representations, monkeypatch):
    monkeypatch.setattr(representations, "HELD_OUT", 300)
    monkeypatch.setattr(representations, "UNTRAINED", {"random": "bigan_digits"})
    names = {row["representation"] for row in representations.bigan_held_out()}
    assert names == {"pixels", "random", "bigan"}
    [row] = representations.measure_held_out({"representation": "pixels", "seed": 1, "preset": "standard"})
    train = data.read("digits").train
    order = torch.randperm(len(train.labels), generator=torch.Generator().manual_seed(1)).numpy()
    pixels, labels = train.images.flatten(1).float().numpy()[order], train.labels.numpy()[order]
    neighbour = KNeighborsClassifier(1, algorithm="brute").fit(pixels[300:], labels[300:])
    assert row["accuracy"] == pytest.approx(neighbour.score(pixels[:300], labels[:300]), abs=1 / 300)  # a tie, perhaps
    asked = {"representation": "random", "seed": 1, "preset": "standard"}
    one, again = (representations.measure_held_out(asked)[0] for _ in range(2))
    assert one == again
    assert 0.8 < one["accuracy"] < 1
    assert (row["layer"], one["layer"]) == ("pixels", "hidden")


def test_the_table_has_every_representation_once_and_bigan_as_published(representations):
    rows = [(row["representation"], row["preset"]) for row in representations.bigan_features()]
    trained = ["bigan", "latent_regressor", "autoencoder_l2", "autoencoder_l1"]
    standard = [(name, "standard") for name in ["pixels", "random", "random_wide", *trained]]
    assert rows == [*standard, ("bigan", "paper")]
