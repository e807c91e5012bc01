"""One call from settings to a result: what it promises, what it refuses, what comes back after an interruption."""

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch

from sgan_lib import data, evaluation, experiments, models, runtime, training
from sgan_lib.experiments import METHODS, PRESETS, RECIPES, RunResult, Settings

TINY = {"dataset": "digits", "n_labels": 20, "steps": 6, "batch_size": 8, "labelled_batch_size": 8, "record_every": 2}


def run(method="sgan", **changes):
    return experiments.run(method, **(TINY | changes))


def weights_of(result):
    return torch.cat([tensor.detach().flatten().double() for tensor in result.modules.state_dict().values()])


def timeless(result):
    """All of a result but its clock."""
    history = [replace(record, seconds=0.0) for record in result.history]
    return replace(result, history=history, seconds=0.0)


@pytest.fixture(scope="module")
def result():
    return run()


# --- same numbers


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_result_to_the_last_bit(method):
    one, other = run(method, seed=3), run(method, seed=3)
    assert torch.equal(weights_of(one), weights_of(other))
    assert timeless(one) == timeless(other)


def test_another_seed_gives_another_result(result):
    assert not torch.equal(weights_of(run(seed=1, split_seed=0)), weights_of(result))


def test_convolutional_networks_and_shifts_repeat_too():
    changes = {"network": "cnn", "shift": 1}
    one, other = run("supervised", **changes), run("supervised", **changes)
    assert timeless(one) == timeless(other)
    assert timeless(one).history != timeless(run("supervised", network="cnn")).history


def test_global_random_numbers_and_threads_are_left_as_they_were(monkeypatch):
    torch.manual_seed(11)
    before, threads = torch.get_rng_state(), []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    run()
    assert torch.equal(torch.get_rng_state(), before)
    assert threads == [RECIPES["mlp_digits"].threads, 5]


def test_global_random_numbers_do_not_change_the_result(result):
    torch.manual_seed(12345)
    assert timeless(run()) == timeless(result)


def test_an_observer_that_draws_random_numbers_does_not_change_the_result(result):
    seen = []
    observed = run(observe=lambda record, modules: seen.append((record, modules, torch.rand(3))))
    assert timeless(observed) == timeless(result)
    assert [record for record, _, _ in seen] == observed.history
    assert all(modules is observed.modules for _, modules, _ in seen)


def test_split_seed_and_training_seed_are_separate(monkeypatch):
    splits = []
    real_load = data.load

    def spy(name, n_labels, split_seed, **arguments):
        splits.append(split_seed)
        return real_load(name, n_labels, split_seed, **arguments)

    monkeypatch.setattr(data, "load", spy)
    results = [run(seed=1), run(seed=1, split_seed=5), run(seed=2, split_seed=5)]
    assert splits == [1, 5, 5]
    assert [r.settings.split_seed for r in results] == [1, 5, 5]
    assert len({r.history[0].terms["adversarial"] for r in results}) == 3


# --- the result


def test_a_result_says_what_was_found(result):
    settings = result.settings
    assert (settings.method, settings.dataset, settings.n_labels, settings.steps) == ("sgan", "digits", 20, 6)
    assert settings.learning_rate == RECIPES["mlp_digits"].learning_rate
    test = data.load("digits", 20).test
    error = evaluation.error_rate(result.modules["discriminator"], *test)
    assert result.test_error == pytest.approx(error)
    wrong = round(error * 450)
    assert result.test_error_interval == evaluation.wilson_interval(wrong, 450)
    assert sum(map(sum, result.confusion_matrix)) == 450
    assert sum(row[i] for i, row in enumerate(result.confusion_matrix)) == 450 - wrong
    assert [record.step for record in result.history] == [2, 4, 6]
    assert list(result.history[0].terms) == ["supervised", "adversarial", "generator"]
    assert 0 <= result.history[-1].scores["validation_error"] <= 1
    assert result.seconds == result.history[-1].seconds > 0
    assert result.device == runtime.choose_device().type
    assert set(result.versions) == {"python", "sgan_lib", "torch", "torchvision"}


@pytest.mark.parametrize("method", ["gan", "bigan"])
def test_a_method_that_classifies_nothing_has_no_error(method):
    found = run(method)
    assert (found.test_error, found.test_error_interval, found.confusion_matrix) == (None, None, None)
    assert found.history[-1].scores == {}
    assert found.modules["discriminator"].classes.out_features == 1


def test_the_batch_norm_of_a_bigan_is_settled_on_the_averaged_networks():
    """At the end the encoder's statistics are those of the pool, and the generator's those of latents."""
    encoder, generator = (run("bigan", steps=50).modules[name] for name in ("encoder", "generator"))
    pool = data.load("digits", 20).unlabelled
    found = encoder.hidden[1]
    before = encoder.hidden[0](encoder.body((pool + 1) / 2)).detach()
    torch.testing.assert_close(found.running_mean, before.mean(dim=0), atol=0.02, rtol=0.02)
    torch.testing.assert_close(found.running_var, before.var(dim=0), atol=0.02, rtol=0.05)
    first = generator.layers[0](generator.latent(20_000, torch.Generator().manual_seed(0))).detach()
    torch.testing.assert_close(generator.layers[1].running_var, first.var(dim=0), atol=1e-3, rtol=0.1)


def test_a_bigan_inverts_its_generator_better_than_it_did_before_training():
    images = data.load("digits", 20).test.images

    def distance_to(others, steps):
        modules = run("bigan", steps=steps, batch_size=64, average_decay=0.9).modules
        again = evaluation.generate(modules["generator"], evaluation.encode(modules["encoder"], images).latent)
        return (others - again).flatten(1).norm(dim=1).mean()

    for steps, least, most in ((1, 0.97, 1.03), (300, 0.0, 0.9)):  # 1 where the code says nothing of the image
        assert least < distance_to(images, steps) / distance_to(images.roll(1, 0), steps) < most


def test_the_history_as_a_table_has_a_column_a_number(result):
    table = result.history_table()
    assert list(table["step"]) == [2, 4, 6]
    columns = ["step", "seconds", "learning_rate", "supervised", "adversarial", "generator", "validation_error"]
    assert list(table.columns) == columns
    assert table["generator"].iloc[1] == result.history[1].terms["generator"]


@pytest.mark.parametrize("method", ["sgan", "gan"])
def test_a_result_goes_through_json_unchanged(tmp_path, method, result):
    found, path = result if method == "sgan" else run(method), tmp_path / "result.json"
    found.to_json(path)
    back = RunResult.from_json(str(path))
    assert back == found
    assert type(back.test_error_interval) is type(found.test_error_interval)
    assert back.modules is None
    assert [one.name for one in tmp_path.iterdir()] == ["result.json"]


def cut(text):
    return text[: len(text) // 2]


def without(name):
    def change(text):
        content = json.loads(text)
        del content[name]
        return json.dumps(content)

    return change


def with_setting(**changes):
    def change(text):
        content = json.loads(text)
        content["settings"] |= changes
        return json.dumps(content)

    return change


CORRUPTIONS = {
    "cut": cut,
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "a number": lambda text: "3",
    "unknown setting": with_setting(colour="red"),
    "bad setting": with_setting(method="magic"),
    "history": lambda text: re.sub(r'"history": \[.*?\],\n "', '"history": [1],\n "', text, flags=re.DOTALL),
    "extra": lambda text: text.replace('"device"', '"mood": 1, "device"'),
    "networks": lambda text: text.replace('"device"', '"modules": null, "device"'),
    "no history": lambda text: re.sub(r'"history": \[.*?\],\n "', '"history": [],\n "', text, flags=re.DOTALL),
    "a text for an error": lambda text: re.sub(r'"test_error": [0-9.e-]+', '"test_error": "low"', text),
    "an error above 1": lambda text: re.sub(r'"test_error": [0-9.e-]+', '"test_error": 1.5', text),
    "no seconds": lambda text: re.sub(r'"seconds": [0-9.e-]+,\n "device"', '"seconds": null,\n "device"', text),
    "a number for a matrix": lambda text: re.sub(
        r'"confusion_matrix": \[.*?\],\n "', '"confusion_matrix": 5,\n "', text, flags=re.DOTALL
    ),
    "a matrix with a hole": lambda text: text.replace('"confusion_matrix": [', '"confusion_matrix": [\n  [1],', 1),
} | {f"without {name}": without(name) for name in ("settings", "history", "test_error", "versions")}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_json_that_holds_no_result_is_refused_with_its_name(tmp_path, result, corrupt):
    path = tmp_path / "result.json"
    result.to_json(path)
    path.write_text(corrupt(path.read_text()))
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} does not hold a RunResult: ."):
        RunResult.from_json(path)


def test_bytes_that_are_no_text_are_refused_too(tmp_path):
    (tmp_path / "result.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"result\.json does not hold a RunResult"):
        RunResult.from_json(tmp_path / "result.json")


# --- the test set


def test_the_test_set_is_read_once_and_last(monkeypatch):
    sizes = []
    real = evaluation.class_logits

    def spy(discriminator, images, **arguments):
        sizes.append(len(images))
        return real(discriminator, images, **arguments)

    monkeypatch.setattr(evaluation, "class_logits", spy)
    run()
    assert sizes == [20, 20, 20, 450]  # validation at each record, then the test images


def test_training_does_not_depend_on_the_test_set(monkeypatch, result):
    real = data.load

    def other_test_set(*arguments, **keywords):
        parts = real(*arguments, **keywords)
        return replace(parts, test=data.Labelled(torch.zeros(3, 1, 8, 8), torch.tensor([0, 1, 2])))

    monkeypatch.setattr(data, "load", other_test_set)
    found = run()
    assert sum(map(sum, found.confusion_matrix)) == 3
    assert torch.equal(weights_of(found), weights_of(result))
    assert timeless(found).history == timeless(result).history


# --- learning


def test_a_classifier_learns_digits_from_five_images_a_class():
    found = experiments.run("supervised", "digits", n_labels=50, steps=100, average_decay=0.9)
    assert found.test_error < 0.35  # chance is 0.9
    assert found.history[-1].scores["validation_error"] < 0.5
    assert found.history[-1].terms["supervised"] < 0.1 * found.history[0].terms["supervised"]


def test_repeat_runs_consecutive_seeds_each_with_its_split():
    results = experiments.repeat(2, first_seed=4, method="supervised", **TINY)
    assert [(r.settings.seed, r.settings.split_seed) for r in results] == [(4, 4), (5, 5)]
    assert all(r.modules is None for r in results)
    assert timeless(results[1]) == timeless(run("supervised", seed=5))
    with pytest.raises(ValueError, match="n_seeds must be a whole number of at least 1; got 0"):
        experiments.repeat(0)


# --- interruption and resume


class Stopped(Exception):
    pass


def stop_at(step):
    def observe(record, modules):
        torch.rand(5)
        if record.step == step:
            raise Stopped

    return observe


def test_a_checkpoint_that_could_not_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def stop(*_arguments, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=tmp_path / "one.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_stopped_by_its_observer_shows_it_that_record_again(tmp_path):
    seen = []

    def observe(record, modules):
        seen.append(record.step)
        if seen == [2, 4]:
            raise Stopped

    given = {"checkpoint": tmp_path / "one.safetensors", "observe": observe, "steps": 6, "record_every": 2}
    with pytest.raises(Stopped):
        run(**given)
    run(**given)
    assert seen == [2, 4, 4, 6]


@pytest.mark.parametrize(
    ("method", "changes"),
    [(method, {}) for method in METHODS]
    + [("supervised", {"network": "cnn", "shift": 1}), ("consistency", {"network": "cnn", "shift": 1})]
    + [("gan", {"network": "dcgan", "batch_size": 4})],
)
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(tmp_path, method, changes):
    """Weights, optimisers' moments, history and test error; the last through the checkpoints of both runs' ends."""
    paths = [tmp_path / "broken.safetensors", tmp_path / "whole.safetensors"]
    changes = {"steps": 4, "record_every": 2, **changes}
    with pytest.raises(Stopped):
        run(method, checkpoint=paths[0], observe=stop_at(4), **changes)
    assert paths[0].exists()
    torch.rand(7)
    resumed, whole = (run(method, checkpoint=path, observe=stop_at(99), **changes) for path in paths)
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert timeless(resumed) == timeless(whole)
    left, right = (dict(_tensors(path)) for path in paths)
    assert left.keys() == right.keys()
    assert any(name.startswith("optimizer.discriminator.0.exp_avg") for name in left)
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


def _tensors(path):
    with training.safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            yield name, file.get_tensor(name)


def test_a_finished_checkpoint_is_not_trained_again(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    first = run(checkpoint=path)

    def refuse(*_arguments):
        raise AssertionError("trained")

    monkeypatch.setattr(training, "training_step", refuse)
    assert run(checkpoint=str(path)) == first


def test_a_checkpoint_of_other_settings_is_refused_by_name_and_kept(tmp_path):
    path = tmp_path / "run.safetensors"
    run(checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=r"other settings \(learning_rate: 0\.002 there, 0\.001 now; seed: 0 there, 8 now; split_"
    ):
        run(checkpoint=path, seed=8, learning_rate=0.001)
    assert path.read_bytes() == before


def test_a_truncated_checkpoint_is_refused_by_name_and_kept(tmp_path):
    path = tmp_path / "run.safetensors"
    run(checkpoint=path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} does not hold a whole checkpoint"):
        run(checkpoint=path)
    assert path.stat().st_size == 5000


def test_divergence_says_what_to_try():
    with pytest.raises(runtime.DivergenceError, match=r"diverged at step \d+: .*smaller learning_rate"):
        run("supervised", learning_rate=1e6, steps=20, record_every=5)


def test_a_last_step_that_throws_the_weights_away_is_found():
    with pytest.raises(runtime.DivergenceError, match="step 1: the term 'largest weight' is"):
        run("supervised", learning_rate=1e9, steps=1)


def test_a_result_is_written_into_a_folder_that_is_not_there_yet(tmp_path, result):
    result.to_json(tmp_path / "new" / "result.json")
    assert RunResult.from_json(tmp_path / "new" / "result.json") == result
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["result.json"]


# --- bad input


@pytest.fixture
def nothing_is_trained(monkeypatch):
    def refuse(*_arguments):
        raise AssertionError("trained before the arguments were checked")

    monkeypatch.setattr(training, "training_step", refuse)


BAD_VALUES = {
    "method": ({"method": "magic"}, "method must be one of supervised, gan, sgan, .*; got 'magic'"),
    "dataset": ({"dataset": "imagenet"}, "dataset must be one of mnist, digits, .*; got 'imagenet'"),
    "preset": ({"preset": "fast"}, "preset must be one of quick, standard, paper; got 'fast'"),
    "network": ({"network": "resnet"}, "network must be one of mlp, .*; got 'resnet'"),
    "device": ({"device": "tpu"}, "device must be one of auto, cpu, cuda, mps; got 'tpu'"),
    "setting": ({"step": 5}, "run has no argument 'step'; the settings it takes are .*steps"),
    "no labels": ({"n_labels": 0}, "n_labels must be a whole number of at least 1.*; got 0"),
    "negative": ({"n_labels": -5}, "n_labels must be .*; got -5"),
    "fewer labels than classes": ({"n_labels": 9}, "n_labels must be a whole number of at least 10 .*; got 9"),
    "more labels than images": ({"n_labels": 1348}, "n_labels must be .* at most 1347; got 1348"),
    "steps": ({"steps": 0}, "steps must be a whole number of at least 1; got 0"),
    "seed": ({"seed": -1}, "seed must be a whole number of at least 0 and at most 4294967295; got -1"),
    "split_seed": (
        {"split_seed": -1},
        "split_seed must be a whole number of at least 0 and at most 4294967295; got -1",
    ),
    "batch_size": ({"batch_size": 1}, "batch_size must be .* at least 2; got 1"),
    "threads": ({"threads": 0}, "threads must be .* at least 1; got 0"),
    "record_every": ({"record_every": 0}, "record_every must be .* at least 1; got 0"),
    "learning_rate": ({"learning_rate": 0.0}, "learning_rate must be a number above 0 .*; got 0"),
    "not a number": ({"learning_rate": float("nan")}, "learning_rate must be a number above 0 .*; got nan"),
    "hold": ({"hold": 1.5}, r"hold must be a number at least 0 and at most 1; got 1\.5"),
    "beta1": ({"beta1": 1.0}, r"beta1 must be .*; got 1\.0"),
    "epsilon": ({"epsilon": 0.0}, r"epsilon must be a number above 0 and at most 1; got 0\.0"),
    "average_decay": ({"average_decay": 1.0}, r"average_decay must be .*; got 1\.0"),
    "views of points": (
        {"method": "consistency", "dataset": "moons"},
        "method 'consistency' needs images that it can augment; 'moons' holds points",
    ),
    "weight": ({"adversarial_weight": -1.0}, r"adversarial_weight must be a number at least 0 .*; got -1\.0"),
    "shift of points": ({"dataset": "moons", "shift": 1}, "shift must be .* at most 0; got 1"),
    "an encoder": (
        {"network": "bigan_digits"},
        "'sgan' needs a network without an encoder; got network 'bigan_digits'",
    ),
    "no generator": ({"network": "cnn"}, "method 'sgan' needs a network with a generator; 'cnn' has none"),
    "network of images, set of points": ({"network": "dcgan", "dataset": "moons"}, "'dcgan' takes square images"),
    "resized points": ({"network": "upsample", "dataset": "moons"}, "'upsample' takes square images"),
}


@pytest.mark.usefixtures("nothing_is_trained")
@pytest.mark.parametrize(("changes", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_bad_values_are_refused_by_name_before_anything_is_trained(changes, message):
    with pytest.raises(ValueError, match=f"^.*{message}"):
        run(**changes)


@pytest.mark.usefixtures("nothing_is_trained")
def test_true_is_no_number():
    with pytest.raises(TypeError, match=r"n_labels must be a whole number of at least 1.*; got True of type bool"):
        run(n_labels=True)


# The import hook of the tests refuses wrong types before the library can. So these run in an interpreter of their own.
OUTSIDE = """
import json, sys
import numpy as np
from sgan_lib import experiments, training

step, training.training_step = training.training_step, None  # calling it fails
tiny, cases = json.loads(sys.argv[1])
for changes in cases:
    try:
        experiments.run(**tiny | changes)
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
training.training_step = step
numbers = {"n_labels": np.int64(20), "seed": np.int32(0), "threads": np.int64(1), "learning_rate": np.float32(0.001)}
found = experiments.run(**tiny | numbers, checkpoint=sys.argv[2])
found.to_json(sys.argv[3])
assert experiments.RunResult.from_json(sys.argv[3]) == found
"""
WRONG_TYPES = {
    "n_labels": [2.5, "50", None, [20]],
    "steps": [10.0, "10"],
    "seed": [1.5, None],
    "split_seed": ["0"],
    "record_every": ["2"],
    "threads": ["1"],
    "learning_rate": ["0.1", None],
    "method": [None, 3, ["sgan"]],
    "dataset": [7],
    "preset": [None],
    "device": [0],
    "network": [None],
}


@pytest.mark.timeout(300)  # on a busy machine; it takes seven seconds on another
def test_wrong_types_are_refused_by_name_and_numpys_whole_numbers_are_taken(tmp_path):
    cases = [{name: value} for name, values in WRONG_TYPES.items() for value in values]
    arguments = [
        json.dumps([TINY | {"method": "supervised"}, cases]),
        tmp_path / "checkpoint",
        tmp_path / "result.json",
    ]
    done = subprocess.run([sys.executable, "-c", OUTSIDE, *arguments], capture_output=True, text=True, timeout=280)
    assert done.stderr == ""
    errors = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(errors) == len(cases)
    for case, (kind, message) in zip(cases, errors, strict=True):
        [(name, value)] = case.items()
        assert kind in ("TypeError", "ValueError")
        assert message.startswith(f"{name} must be ")
        assert repr(value) in message


# --- presets


def test_every_preset_and_recipe_covers_every_network():
    assert list(PRESETS) == ["quick", "standard", "paper"]
    assert set(RECIPES) == set(models.NETWORKS)
    for preset in PRESETS.values():
        assert set(preset.steps) == set(models.NETWORKS)
        assert preset.purpose
    for name in models.NETWORKS:
        budgets = [preset.steps[name] for preset in PRESETS.values()]
        assert budgets == sorted(budgets)


@pytest.mark.parametrize("dataset", data.DATASETS)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_data_set_has_settings_under_every_preset(dataset, preset):
    settings = Settings.resolve("supervised", dataset, preset, n_labels=20, seed=0, split_seed=0)
    assert settings.steps == PRESETS[preset].steps[settings.network]
    recipe = asdict(RECIPES[settings.network]) | PRESETS[preset].changes.get(settings.network, {})
    assert {name: getattr(settings, name) for name in recipe} == recipe


def test_paper_is_the_published_setting_on_mnist():
    """openai/improved-gan, train_mnist_feature_matching.py; there the rate is held, for 300 epochs of 600 steps."""
    settings = Settings.resolve("feature_matching", "mnist", "paper", n_labels=100, seed=0, split_seed=0)
    names = ("network", "batch_size", "labelled_batch_size", "learning_rate", "generator_rate", "beta1", "hold")
    names += ("beta2", "epsilon", "average_decay", "steps", "feature_norm", "adversarial_weight", "shift")
    found = [getattr(settings, name) for name in names]
    assert found == ["mlp_published", 100, 100, 3e-3, 1.0, 0.5, 0.75, 0.999, 1e-4, 0.9999, 100_000, "l2", 0.5, 0]
    given = Settings.resolve("sgan", "mnist", "paper", n_labels=100, seed=0, split_seed=0, network="dcgan", hold=0.5)
    assert (given.network, given.hold) == ("dcgan", 0.5)


def test_paper_is_donahues_setting_for_bigan_on_mnist():
    """jeffdonahue/bigan, train_mnist.sh and the defaults of train_gan.py."""
    settings = Settings.resolve("bigan", "mnist", "paper", n_labels=100, seed=0, split_seed=0)
    names = ("network", "batch_size", "learning_rate", "generator_rate", "beta1", "hold", "last_rate", "weight_decay")
    assert [getattr(settings, name) for name in names] == ["bigan_mlp", 128, 2e-4, 1.0, 0.5, 0.5, 0.01, 2.5e-5]
    assert settings.steps == 400 * 469  # epochs of 60,000 / 128 steps
    small = Settings.resolve("bigan", "mnist", "standard", n_labels=100, seed=0, split_seed=0)
    assert (small.network, small.last_rate) == ("bigan_mlp_small", 0)


def test_weight_decay_and_the_exponential_fall_of_the_rate_reach_the_optimisers():
    found = run("gan", steps=10, record_every=1, hold=0.5, last_rate=0.01, weight_decay=0.25)
    rates = [record.learning_rate for record in found.history]
    assert rates == pytest.approx(
        [found.settings.learning_rate * f for f in [1.0] * 6 + [0.01**s for s in (0.2, 0.4, 0.6, 0.8)]]
    )
    settings = Settings.resolve("gan", "digits", "quick", n_labels=20, seed=0, split_seed=0, weight_decay=0.25)
    state = experiments.prepare(settings, data.load("digits", 20).unlabelled, 10)
    assert {p.optimizer.param_groups[0]["weight_decay"] for p in state.players.values()} == {0.25}


def test_a_setting_that_is_given_beats_preset_and_recipe():
    given = {"steps": 7, "batch_size": 9, "learning_rate": 0.5, "hold": 0.25, "threads": 2, "network": "cnn"}
    settings = Settings.resolve("supervised", "digits", "quick", n_labels=20, seed=0, split_seed=0, **given)
    assert {name: getattr(settings, name) for name in given} == given


def test_the_upsample_pair_sees_images_of_its_size():
    found = run("gan", network="upsample", batch_size=2, steps=1)
    assert found.modules["generator"].sample(2).shape == (2, 1, 32, 32)


def test_a_progress_bar_shows_the_terms_when_asked_for(capsys):
    run("supervised", progress=True)
    shown = capsys.readouterr().err
    for part in ("supervised, digits, 20 labels, seed 0", "6/6", "supervised=", "validation_error="):
        assert part in shown
    run("supervised")
    assert capsys.readouterr().err == ""


# --- how a step is computed


def test_bfloat16_gives_nearly_the_same_losses_and_keeps_weights_and_records_in_float32():
    one, other = (run("bad_gan", seed=2, steps=20, precision=p, record_every=20) for p in ("float32", "bfloat16"))
    assert {p.dtype for p in other.modules.parameters()} == {torch.float32}
    assert not torch.equal(weights_of(one), weights_of(other))
    for name, value in one.history[-1].terms.items():
        assert other.history[-1].terms[name] == pytest.approx(value, rel=0.05)
    assert other.settings.precision == "bfloat16"


@pytest.mark.parametrize("method", ["feature_matching", "bigan"])
def test_mixed_is_bfloat16_with_the_last_tanh_in_float32(method):
    halves, mixed = (run(method, precision=p, steps=1, n_labels=20).modules for p in ("bfloat16", "mixed"))
    with torch.autocast("cpu", torch.bfloat16):
        latent = mixed["generator"].latent(4)
        assert halves["generator"](latent).dtype == torch.bfloat16
        assert mixed["generator"](latent).dtype == torch.float32
        assert mixed["generator"].layers[0](latent).dtype == torch.bfloat16


def test_losses_are_taken_in_float32_where_networks_work_in_bfloat16():
    found = run("two_head", precision="bfloat16", steps=1).history[0].terms
    for name, value in found.items():
        assert torch.tensor(value).bfloat16().item() != value, name  # a loss in bfloat16 would have eight bits only


@pytest.mark.parametrize("method", ["supervised", "feature_matching"])
def test_one_step_is_adams_step_by_its_formula(method):
    """The fused optimiser against the definition (arXiv:1412.6980, Algorithm 1), with m̂ and v̂ after one step."""
    given = {"n_labels": 20, "seed": 0, "split_seed": 0, "generator_rate": 0.25, "epsilon": 1e-3}
    settings = Settings.resolve(method, "digits", "quick", **given)
    parts = data.load("digits", 20)
    with runtime.seeded(0):
        state = experiments.prepare(settings, parts.unlabelled, 10)
        before = {n: p.detach().clone() for n, p in state.modules.named_parameters() if p.requires_grad}
        batch = data.Batches(parts, 64, 64, seed=0).at(0)
        for name, player in state.players.items():
            rate = settings.learning_rate * (0.25 if name == "generator" else 1)
            training.descend(player.objective(state.modules, batch), player.optimizer)
            for parameter, old in ((p, before[n]) for n, p in state.modules.named_parameters() if n.startswith(name)
                                   and p.requires_grad):  # fmt: skip
                gradient = parameter.grad
                m, v = (1 - 0.5) * gradient, (1 - 0.999) * gradient**2
                wanted = old - rate * (m / (1 - 0.5)) / ((v / (1 - 0.999)).sqrt() + 1e-3)
                torch.testing.assert_close(parameter.detach(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("setting", "term", "player"),
    [("class_weight", "asked_class", "generator"), ("fake_class_weight", "fake_class", "adversarial")],
)
def test_the_weights_of_conditional_sgan_scale_what_each_player_pays_for_a_wrong_class(setting, term, player):
    one, other = (run("conditional_sgan", steps=1, **{setting: w}).history[0].terms for w in (0.25, 0.5))
    assert other[term] == pytest.approx(2 * one[term])
    assert one[term] > 0
    assert other[player] == pytest.approx(one[player])


def test_without_reuse_the_generator_gets_pool_images_of_its_own(monkeypatch):
    batches = []
    real = training.training_step
    monkeypatch.setattr(training, "training_step", lambda state, batch: batches.append(batch) or real(state, batch))
    apart = run("feature_matching", reuse=False)
    assert all(len(batch.again) == len(batch.unlabelled) == TINY["batch_size"] for batch in batches)
    batches.clear()
    together = run("feature_matching")
    run("supervised", reuse=False)
    assert all(batch.again is None for batch in batches)
    one, other = (result.history[0].terms["feature_matching"] for result in (apart, together))
    assert one != other


def test_a_label_mask_draws_from_the_pool_alone(monkeypatch):
    sizes = []
    real = training.training_step
    monkeypatch.setattr(training, "training_step", lambda state, batch: sizes.append(batch) or real(state, batch))
    run("feature_matching", label_mask=True)
    assert all(batch.images is batch.unlabelled and batch.mask is not None for batch in sizes)
    sizes.clear()
    run("supervised")
    assert all(len(batch.unlabelled) == 0 and batch.mask is None for batch in sizes)


@pytest.mark.parametrize(
    ("setting", "value", "kind", "message"),
    [
        ("precision", "float16", ValueError, "precision must be one of float32, bfloat16, mixed; got 'float16'"),
        ("feature_norm", "l3", ValueError, "feature_norm must be one of l1, l2; got 'l3'"),
        ("generator_rate", 0, ValueError, "generator_rate must be a number above 0"),
        ("entropy_weight", -1, ValueError, "entropy_weight must be a number at least 0"),
        ("last_rate", 2.0, ValueError, "last_rate must be a number at least 0 and at most 1; got 2.0"),
        ("weight_decay", -1.0, ValueError, "weight_decay must be a number at least 0 and at most 1; got -1.0"),
        ("pull_away_weight", float("nan"), ValueError, "pull_away_weight must be a number at least 0"),
        ("pseudo_label_weight", -1, ValueError, "pseudo_label_weight must be a number at least 0"),
        ("consistency_weight", -1, ValueError, "consistency_weight must be a number at least 0"),
        ("confidence", 1.5, ValueError, "confidence must be a number at least 0 and at most 1; got 1.5"),
        ("class_weight", -1, ValueError, "class_weight must be a number at least 0"),
        ("fake_class_weight", -1, ValueError, "fake_class_weight must be a number at least 0"),
    ],
)
def test_the_settings_of_a_step_are_checked(setting, value, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        run(**{setting: value})


@pytest.mark.parametrize("method", ["pseudo_label", "consistency"])
def test_the_settings_of_pseudo_labels_reach_the_loss(method):
    """In the first step the term is linear in its weight; a threshold of 1 leaves nothing of it."""

    def term(**changes):
        return run(method, network="cnn", steps=1, confidence=0.0, **changes).history[0].terms[method]

    one = term(**{f"{method}_weight": 1.0})
    assert term(**{f"{method}_weight": 0.25}) == pytest.approx(0.25 * one)
    assert run(method, network="cnn", steps=1, confidence=1.0).history[0].terms[method] == 0 < one


@pytest.mark.parametrize(
    ("dataset", "network"), [("mnist", "mlp_small"), ("mnist", "cnn"), ("mnist_rgb", "svhn_small")]
)
def test_consistency_runs_on_every_kind_of_image(dataset, network):
    found = run("consistency", dataset=dataset, network=network, steps=2, batch_size=4, confidence=0.0)
    assert found.history[-1].terms["consistency"] > 0


# --- the environment check


def test_the_environment_report_says_what_is_fine_and_what_to_do(monkeypatch):
    whole = SimpleNamespace(test=SimpleNamespace(images=range(10_000)))
    monkeypatch.setattr(data, "load", lambda *_, **__: whole)
    lines = experiments.environment_report()
    assert [line.split()[:2] for line in lines] == [["Python", "fine:"], ["torch", "fine:"], ["data", "fine:"]]

    def broken(*_arguments, **_keywords):
        raise data.DataError("set SGAN_DATA to another folder")

    monkeypatch.setattr(data, "load", broken)
    assert experiments.environment_report()[:2] == lines[:2]
    assert experiments.environment_report()[2].endswith("NOT fine: set SGAN_DATA to another folder")
