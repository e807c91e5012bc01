"""Every network of the table, a network of one's own, and weights in files."""

import copy
from dataclasses import asdict

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from sgan_lib import checks, experiments, models, networks
from sgan_lib.data import DATASETS
from sgan_lib.methods import METHODS
from sgan_lib.networks import NETWORKS
from sgan_lib.results import RunResult
from sgan_lib.saved import write_file
from sgan_lib.settings import PRESETS, Settings

SHAPES = dict.fromkeys(NETWORKS, (1, 28, 28)) | {"mlp_2d": (2,), "svhn": (3, 16, 16)}
CONVOLUTIONAL = ["dcgan", "upsample", "svhn", "svhn_small", "cnn", "cnn_pair"]
PAPER_STEPS = {  # published epochs, times steps an epoch
    "mlp": 300 * 600, "mlp_published": 100_000, "mlp_small": 300 * 600, "mlp_cropped": 300 * 600, "dcgan": 100 * 1875,
    "upsample": 200 * 938, "svhn": 900 * 732, "svhn_small": 900 * 732, "cnn": 100 * 938, "cnn_pair": 100 * 938,
    "bigan_mlp": 400 * 469, "bigan_mlp_small": 400 * 469,
}  # fmt: skip
DEFAULTS = {  # without and with an encoder; all other data sets: mlp_small, bigan_mlp_small
    ("mnist", "paper"): ("mlp_published", "bigan_mlp"), "digits": ("mlp_digits", "bigan_digits"),
    "moons": ("mlp_2d", "bigan_digits"), "rings": ("mlp_2d", "bigan_digits"), "svhn": ("svhn", "bigan_mlp_small"),
    "cifar10": ("svhn", "bigan_mlp_small"), "mnist_rgb": ("svhn_small", "bigan_mlp_small"),
}  # fmt: skip
KINDS = {"table": ((32,), "mlp_table", "bigan_digits"), "grey": ((1, 32, 32), "mlp_small", "bigan_mlp_small"),
         "colour": ((3, 8, 8), "svhn_small", "bigan_mlp_small")}  # fmt: skip
PUBLISHED = {  # openai/improved-gan, train_mnist_feature_matching.py; jeffdonahue/bigan, train_mnist.sh, train_gan.py
    "feature_matching": {"network": "mlp_published", "steps": 100_000, "batch_size": 100, "labelled_batch_size": 100,
                         "learning_rate": 3e-3, "generator_rate": 1, "beta1": 0.5, "beta2": 0.999, "epsilon": 1e-4,
                         "average_decay": 0.9999, "hold": 0.75, "feature_norm": "l2", "adversarial_weight": 0.5},
    "bigan": {"network": "bigan_mlp", "steps": 187_600, "batch_size": 128, "learning_rate": 2e-4, "generator_rate": 1,
              "beta1": 0.5, "beta2": 0.999, "hold": 0.5, "last_rate": 0.01, "weight_decay": 2.5e-5},
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_affine_in_the_features_images_are_between_minus_one_and_one_and_every_weight_learns(name):
    row, (judge, generator, encoder) = NETWORKS[name], networks.build(name, SHAPES[name], 7)
    assert (generator is not None, encoder is not None) == (row.generator, row.encoder)
    pair = {"images": generator.sample(9) if row.generator else torch.rand(9, *SHAPES[name])}
    pair |= {"latent": encoder(pair["images"]).latent} if row.encoder else {}
    assert pair["images"].shape == (9, *SHAPES[name])
    loss = judge(**pair).class_logits.square().sum()
    assert all(checks.gradients_arrive(network, loss).passed for network in (judge, generator, encoder) if network)
    logits, features = judge.eval()(**pair)
    assert (logits.shape, len(features)) == ((9, 1 if row.encoder else 7), 9)
    assert_close(logits, features @ judge.classes.weight.T + judge.classes.bias)
    if row.generator and name != "mlp_table":  # whose columns are not in [-1, 1]
        for weight in generator.parameters():
            weight.data.mul_(50)
        models.squash_in_float32(generator)
        with torch.autocast("cpu", torch.bfloat16):
            images = generator.sample(9)
        assert images.dtype == torch.float32
        assert 0.99 < images.abs().max() <= 1


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 30, 30), (3, 64, 48), (4, 96, 96), (1, 128, 128), (2, 9, 13)])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutional_networks_take_images_of_many_sizes(name, shape):
    judge, generator, _ = networks.build(name, shape, 3)
    assert judge(torch.rand(2, *shape)).class_logits.shape == (2, 3)
    assert generator is None or generator.sample(2).shape == (2, *shape)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_other_sizes_are_refused_by_name(name):
    for shape in ((1, 7, 8), (1, 8, 129), (5, 8, 8), (0, 8, 8), (64,)):
        with pytest.raises(ValueError, match=f"'{name}' .* 1 to 4 channels with sides from 8 to 128; got image_shape"):
            networks.build(name, shape, 3)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_data_set_has_its_network_and_every_network_its_steps(preset):
    for dataset in DATASETS:
        names = DEFAULTS.get(dataset, ("mlp_small", "bigan_mlp_small"))
        for method, name in zip(("supervised", "bigan"), DEFAULTS.get((dataset, preset), names), strict=True):
            settings = experiments.resolve(method, dataset, preset)
            assert (settings.network, settings.steps) == (name, NETWORKS[name].settings(preset)["steps"])
    for name in (*KINDS, "anything"):  # of data of one's own, whose names choose nothing
        for kind, (shape, *wanted) in KINDS.items():
            found = [networks.default_network(name, preset, encoder, shape) for encoder in (False, True)]
            assert found == wanted, (name, kind)
    for row in NETWORKS.values():
        recipe = row.settings(preset)
        assert recipe.pop("steps") == row.steps[list(PRESETS).index(preset)]
        assert not [key for key, value in recipe.items() if Settings.__dataclass_fields__[key].default == value]


def test_steps_rise_with_the_preset_up_to_what_is_published():
    for name, row in NETWORKS.items():
        quick, standard, paper = row.steps
        assert 0 < quick < standard <= paper == PAPER_STEPS.get(name, paper)


@pytest.mark.parametrize("method", PUBLISHED)
def test_paper_is_the_published_setting_on_mnist(method):
    settings = asdict(experiments.resolve(method, "mnist", "paper"))
    assert {name: settings[name] for name in PUBLISHED[method]} == PUBLISHED[method]


class Own(nn.Module):
    """A discriminator of 8×8 images; `returned` says what it makes of its logits and features."""

    def __init__(self, n_classes=10, returned=lambda *both: both):
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU()), nn.Linear(12, n_classes)
        self.returned = returned

    def forward(self, images):
        features = self.body(images)
        return self.returned(self.head(features), features)


def play(method, discriminator, side=8, generator=None):
    layers = nn.Sequential(nn.Linear(3, side * 8), nn.BatchNorm1d(side * 8), nn.Tanh(), nn.Unflatten(1, (1, side, 8)))
    own = models.Networks(discriminator, generator or models.Generator(3, layers=layers))
    return experiments.run(method, "digits", n_labels=20, steps=2, device="cpu", network=own)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if not method.encoder])
def test_every_method_trains_copies_of_a_pair_of_ones_own(method):
    own = Own(10 if METHODS[method].classifies else 1)
    before = copy.deepcopy(own.state_dict())
    result = play(method, own)
    assert result.settings.network == "own"
    assert all(torch.equal(before[name], weight) for name, weight in own.state_dict().items())
    assert not torch.equal(result.modules["discriminator"].head.weight, own.head.weight)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ([Own(returned=lambda logits, features: logits)], ValueError, r"discriminator must .* returned \[\[2, 10\]\]"),
        ([Own(returned=lambda logits, features: (logits, None))], ValueError, "discriminator must .* 'NoneType'"),
        ([Own(returned=lambda *both: (both[0], both[1][None]))], ValueError, r"discriminator must .* \[1, 2, 12\]"),
        ([Own().requires_grad_(False)], ValueError, "network must have weights to train"),
        ([Own(returned=lambda logits, features: (logits * torch.nan, features))], ValueError, "finite numbers"),
        ([nn.Sequential(nn.Flatten(), nn.Linear(63, 10))], ValueError, r"discriminator of .* \[1, 8, 8\]: Runtime"),
        ([Own(returned=lambda: 0)], ValueError, r"discriminator of network cannot take .*\[1, 8, 8\]: TypeError: "),
        ([Own(), 8, models.Generator(3, layers=nn.Linear(4, 64))], ValueError, "generator of network .*: RuntimeError"),
        ([Own(11)], ValueError, r"discriminator must .* \[\[2, 11\], \[2, 12\]\]"),
        ([Own(), 9], ValueError, r"generator must .* \[1, 8, 8\]; .* \[1, 9, 8\]"),
        ([Own(), 8, nn.Linear(3, 64)], TypeError, "network must be .* models.Generator .*; got .*'Linear'"),
    ],
)
def test_a_pair_that_cannot_play_is_refused_before_training(arguments, error, message):
    with pytest.raises(error, match=message):
        play("sgan", *arguments)


@pytest.mark.parametrize("error", [AssertionError("even"), IndexError("range")])
def test_networks_of_pairs_that_do_not_fit_are_refused_before_training(error):
    pair = networks.build("bigan_digits", (1, 8, 8), 1)
    narrow = models.Networks(pair.discriminator, pair.generator, models.Encoder((1, 8, 8), 8, 5))
    with pytest.raises(ValueError, match=r"network cannot take pairs with images of shape \[1, 8, 8\]: RuntimeError"):
        experiments.run("bigan", "digits", n_labels=20, steps=1, network=narrow)
    pair.discriminator.register_forward_hook(lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(ValueError, match=f"network cannot take pairs .*: {type(error).__name__}: {error}"):
        experiments.run("bigan", "digits", n_labels=20, steps=1, network=pair)


def test_a_classifier_alone_stands_for_networks_and_is_resumed_and_read_back(tmp_path):
    own, given = Own(), {"n_labels": 20, "steps": 4, "seed": 1, "device": "cpu"}
    runs = [experiments.run("pseudo_label", "digits", network=each, checkpoint=tmp_path / "run", **given)
            for each in (own, own, models.Networks(own))]  # fmt: skip
    assert runs[0] == runs[1] == runs[2]
    runs[0].save(tmp_path / "model")
    back = RunResult.load(tmp_path / "model", Own()).modules.state_dict()
    assert_close(dict(back), dict(runs[0].modules.state_dict()), rtol=0, atol=0)
    with pytest.raises(ValueError, match="'sgan' needs a network with a generator; got network 'own'"):
        experiments.run("sgan", "digits", network=own, **given)


def test_stored_weights_are_read_in_full_precision_without_a_random_number(tmp_path):
    network, path = models.DCGANGenerator((1, 8, 8)).half(), tmp_path / "own.safetensors"
    write_file(path, "network", {}, network.state_dict())
    before = torch.get_rng_state()
    loaded = models.load_weights(lambda: models.DCGANGenerator((1, 8, 8)), path)
    assert torch.equal(before, torch.get_rng_state())
    assert not any([loaded.training, *(weight.requires_grad for weight in loaded.parameters())])
    assert_close(dict(loaded.state_dict()), dict(network.float().state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize("damage", ["missing", "cut short", "a weight altered", "no checksum", "another network"])
def test_damaged_weights_are_refused(tmp_path, damage):
    path = tmp_path / "own.safetensors"
    write_file(path, "network", {}, nn.Linear(3, 2).state_dict())
    content = path.read_bytes()
    spoilt = {"cut short": content[:-2], "a weight altered": content[:-1] + bytes([content[-1] ^ 1]),
              "no checksum": content.replace(b"sha256", b"sha257"), "another network": content}  # fmt: skip
    path.unlink()
    if damage in spoilt:
        path.write_bytes(spoilt[damage])
    with pytest.raises(ValueError, match=r"own\.safetensors is missing or damaged"):
        models.load_weights(lambda: nn.Linear(3, 3 if damage == "another network" else 2), path)
