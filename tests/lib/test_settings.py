"""Settings: what beats what, what is refused by name, and their way through JSON."""

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from sgan_lib import data, models
from sgan_lib.experiments import Settings, resolve


def test_a_setting_that_is_given_beats_preset_recipe_and_default():
    given = {"steps": 7, "batch_size": 9, "learning_rate": 0.5, "hold": 0.25, "threads": 2, "network": "cnn", "seed": 3}
    settings = resolve("supervised", "digits", "paper", **given)
    assert {name: getattr(settings, name) for name in given} == given
    assert settings.split_seed == 3
    assert resolve("supervised", "digits", seed=3, split_seed=0).split_seed == 0


BAD = {
    "one of supervised, gan, sgan, ": [("method", "magic"), ("method", None)],
    "one of mnist, digits, ": [("dataset", "imagenet"), ("dataset", 7)],
    "one of quick, standard, paper": [("preset", "fast")],
    "one of mlp, ": [("network", "resnet"), ("network", "own")],
    "a whole number of at least 1": [
        ("n_labels", 0), ("n_labels", 2.5), ("n_labels", "50"), ("n_labels", True), ("steps", 0),
        ("labelled_batch_size", 0), ("threads", 0)],
    "a whole number of at least 2": [("batch_size", 1)],
    "a whole number of at least 0": [("shift", -1), ("seed", None)],
    "a whole number of at least 0 and at most 4294967295": [("seed", -1), ("split_seed", 2**32)],
    "a number above 0": [
        ("learning_rate", 0.0), ("learning_rate", float("nan")), ("learning_rate", "0.1"), ("generator_rate", 0)],
    "a number above 0 and at most 1": [("epsilon", 0.0)],
    "a number at least 0": [
        ("entropy_weight", -1), ("pull_away_weight", float("nan")), ("asked_class_weight", -1),
        ("fake_class_weight", -1), ("adversarial_weight", -1.0), ("pseudo_label_weight", -1),
        ("consistency_weight", -1)],
    "a number at least 0 and at most 1": [("hold", 1.5), ("last_rate", 2.0), ("weight_decay", -1.0), ("confidence", 2)],
    "a number at least 0 and at most 0.999999": [("beta1", 1.0), ("beta2", 1.0), ("average_decay", 1.0)],
    "one of l1, l2": [("feature_norm", "l3")],
    "one of float32, bfloat16, mixed": [("precision", "float16")],
    "True or False": [("label_mask", 1), ("reuse", None)],
}  # fmt: skip

# The import hook of the tests refuses wrong types before the library can, so this runs in an interpreter of its own.
OUTSIDE = """
import json, sys
from dataclasses import asdict
import numpy as np
from sgan_lib.experiments import Settings, resolve

for name, value in json.loads(sys.argv[1]):
    try:
        print(resolve(**{"method": "sgan", "dataset": "digits", name: value}))
    except (TypeError, ValueError) as error:
        print(error)
settings = resolve("sgan", "digits", n_labels=np.int64(20), learning_rate=np.float32(0.5), network=np.str_("dcgan"))
assert Settings(**json.loads(json.dumps(asdict(settings)))) == settings
"""


def test_bad_settings_are_refused_by_name_and_numpys_numbers_are_taken():
    rows = [(name, value, allowed) for allowed, pairs in BAD.items() for name, value in pairs]
    arguments = json.dumps([row[:2] for row in rows])
    done = subprocess.run([sys.executable, "-c", OUTSIDE, arguments], capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    for (name, value, allowed), message in zip(rows, done.stdout.splitlines(), strict=True):
        assert message.startswith(f"{name} must be {allowed}")
        assert repr(value) in message
    assert {name for name, _, _ in rows} == set(asdict(resolve("sgan", "digits")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 5}, "no argument 'step'; the settings it takes are .*steps"),
        ({"method": "bigan", "network": "mlp_digits"}, "'bigan' needs a network with an encoder"),
        ({"dataset": "svhn", "data": data.load("digits", 20)}, "dataset must be 'digits', .*; got 'svhn'"),
        ({"network": "bigan_digits"}, "'sgan' needs a network without an encoder"),
        ({"network": "cnn"}, "'sgan' needs a network with a generator"),
        ({"method": "consistency", "dataset": "moons"}, "'consistency' needs images of .* 'moons' have shape"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        resolve(**{"method": "sgan", "dataset": "digits"} | changes)


def test_settings_of_own_networks_survive_json():
    own = models.Networks(models.RealHead(3), models.MLPGenerator((1, 8, 8)))
    settings = resolve("sgan", "digits", network=own)
    assert settings.network == "own"
    assert Settings(**json.loads(json.dumps(asdict(settings)))) == settings
