"""One call from settings to a result: what it promises, what it refuses, what comes back after an interruption."""

import json
import re
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from sgan_lib import data, evaluation, experiments, losses, methods, networks, runtime, training
from sgan_lib.experiments import RunResult
from sgan_lib.models import Generator
from sgan_lib.saved import read_file, write_file

TINY = {"dataset": "digits", "n_labels": 20, "steps": 6, "batch_size": 8, "labelled_batch_size": 8, "record_every": 2}


def run(method="sgan", **changes):
    return experiments.run(method, **(TINY | changes))


def prepared(method="sgan", **changes):
    settings = {name: value for name, value in (TINY | changes).items() if name not in ("record_every", "dataset")}
    return experiments.prepare(experiments.resolve(method, TINY["dataset"], **settings))


def timeless(result):
    """All of a result but its clock, and its weights."""
    history = [replace(record, seconds=0.0) for record in result.history]
    weights = [tensor.tolist() for tensor in result.modules.state_dict().values()]
    return replace(result, history=history, seconds=0.0, modules=None), weights


@pytest.fixture(scope="module")
def result():
    return run()


# --- same numbers


def test_nothing_around_a_run_changes_it_and_it_changes_nothing_around_it(monkeypatch, result):
    """Not the global random numbers, nor an observer that draws some; threads and random numbers are given back."""
    torch.manual_seed(12345)
    before, threads, seen = torch.get_rng_state(), [5], []
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads[-1])
    monkeypatch.setattr(torch, "set_num_threads", threads.append)
    observed = run(observe=lambda record, modules: seen.append((record, modules, torch.rand(3))))
    assert timeless(observed) == timeless(result)
    assert [record for record, _, _ in seen] == observed.history
    assert all(modules is observed.modules for _, modules, _ in seen)
    assert torch.equal(torch.get_rng_state(), before)
    assert threads == [5, 1, 5]


def test_split_seed_and_training_seed_are_separate(result):
    runs = [prepared(), prepared(seed=5, split_seed=0), prepared(split_seed=5), prepared(seed=5)]
    splits, batches = [run.data.labelled.images for run in runs], [run.batches.at(0).images for run in runs]
    assert [torch.equal(split, splits[0]) for split in splits] == [True, True, False, False]
    assert [torch.equal(split, splits[3]) for split in splits] == [False, False, True, True]
    assert not any(torch.equal(*pair) for pair in combinations(batches, 2))
    assert timeless(run(seed=1, split_seed=0))[1] != timeless(result)[1]


def test_training_does_not_depend_on_the_test_set_which_is_read_once_and_last(monkeypatch, result):
    sizes, load, read = [], data.load, evaluation.class_logits
    other = data.Labelled(torch.zeros(3, 1, 8, 8), torch.tensor([0, 1, 2]))
    monkeypatch.setattr(experiments, "load", lambda *names, **more: replace(load(*names, **more), test=other))
    monkeypatch.setattr(evaluation, "class_logits", lambda net, images: sizes.append(len(images)) or read(net, images))
    found = run()
    assert timeless(found)[1] == timeless(result)[1]
    assert timeless(found)[0].history == timeless(result)[0].history
    assert sizes == [20, 20, 20, 3]  # validation at each record, then the test images
    assert sum(map(sum, found.confusion_matrix)) == 3


# --- the result


def test_a_result_says_what_was_found(result):
    test = data.load("digits", 20).test
    answers = evaluation.predict(result.modules["discriminator"], test.images)
    error = evaluation.error_rate(result.modules["discriminator"], *test)
    wrong = round(error * 450)
    assert result.test_error == pytest.approx(error)
    assert result.test_error_interval == evaluation.wilson_interval(wrong, 450)
    assert sum(row[i] for i, row in enumerate(result.confusion_matrix)) == 450 - wrong
    for k, row in enumerate(result.confusion_matrix):  # true class by row
        assert row == answers[test.labels == k].bincount(minlength=10).tolist()
    assert [record.step for record in run("supervised", steps=39, record_every=None).history] == [*range(2, 39, 2), 39]
    table = result.history_table()
    columns = ["step", "seconds", "learning_rate", "supervised", "adversarial", "generator", "validation_error"]
    assert list(table.columns) == columns
    assert list(table["step"]) == [2, 4, 6]
    assert table["generator"].iloc[1] == result.history[1].terms["generator"]
    assert result.seconds == result.history[-1].seconds > 0
    assert result.device == runtime.choose_device().type
    assert list(result.versions) == ["python", "sgan_lib", "cpu_threads", "torch", "torchvision"]


def test_the_batch_norm_of_a_bigan_is_settled_on_the_averaged_networks_and_there_is_no_error():
    """At the end the encoder's statistics are those of the pool, and the generator's those of latents."""
    found = run("bigan", steps=50)
    encoder, generator, pool = found.modules["encoder"], found.modules["generator"], data.load("digits", 20).pool
    before = encoder.hidden[0](encoder.body((data.as_images(pool) + 1) / 2)).detach()
    torch.testing.assert_close(encoder.hidden[1].running_mean, before.mean(dim=0), atol=0.02, rtol=0.02)
    torch.testing.assert_close(encoder.hidden[1].running_var, before.var(dim=0), atol=0.02, rtol=0.05)
    first = generator.layers[0](generator.latent(20_000, torch.Generator().manual_seed(0))).detach()
    torch.testing.assert_close(generator.layers[1].running_var, first.var(dim=0), atol=1e-3, rtol=0.1)
    assert (found.test_error, found.test_error_interval, found.confusion_matrix) == (None, None, None)


def test_a_classifier_learns_digits_from_five_images_a_class():
    found = experiments.run("supervised", "digits", n_labels=50, steps=100, average_decay=0.9)
    assert found.test_error < 0.35  # chance is 0.9
    assert found.history[-1].scores["validation_error"] < 0.5


def test_repeat_runs_consecutive_seeds_each_with_its_split():
    results = experiments.repeat(2, first_seed=4, method="supervised", **TINY)
    assert [(r.settings.seed, r.settings.split_seed, r.modules) for r in results] == [(4, 4, None), (5, 5, None)]
    assert results[1].history[-1].terms == run("supervised", seed=5).history[-1].terms
    for name, value in (("checkpoint", "file"), ("seed", 3)):
        with pytest.raises(ValueError, match=f"{name} must be left out, as it is of one run; got {value}"):
            experiments.repeat(1, **{name: value})


@pytest.mark.parametrize("method", ["sgan", "gan"])
def test_a_result_goes_through_json_unchanged(tmp_path, method):
    found, path = run(method), tmp_path / "new" / "result.json"
    found.to_json(path)
    back = RunResult.from_json(str(path))
    assert (back, back.modules) == (found, None)
    assert [file.name for file in path.parent.iterdir()] == ["result.json"]


CORRUPT = [
    {"settings": None}, {"history": None}, {"history": []}, {"history": [1]}, {"history": [{"step": 1}]}, {"mood": 1},
    {"modules": None}, {"test_error": "low"}, {"test_error": 1.5}, {"seconds": None}, {"seconds": -1.0},
    {"confusion_matrix": 5}, {"confusion_matrix": [[1], [2, 3]]}, {"test_error_interval": 3},
    {"confusion_matrix": [[1, "a"], [0, 2]]}, {"test_error_interval": ["low", "high"]},
    {"history": [{"step": 1, "seconds": 1.0, "terms": None, "learning_rate": 0.1}]},
    {"history": [{"step": 1, "seconds": 1.0, "terms": {"supervised": "low"}, "learning_rate": 0.1}]},
]  # fmt: skip


def test_json_that_holds_no_result_is_refused_with_its_name(tmp_path, result):
    path = tmp_path / "result.json"
    result.to_json(path)
    whole = json.loads(text := path.read_text())
    wrong = [whole | changes for changes in CORRUPT]
    wrong += [whole | {"settings": whole["settings"] | change} for change in ({"colour": "red"}, {"method": "magic"})]
    wrong += [{name: value for name, value in whole.items() if name != missing} for missing in whole]
    for content in [*map(json.dumps, wrong), "", "[]", "3", text[: len(text) // 2], "\xff"]:
        path.write_text(content, "latin-1")
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} does not hold a RunResult: ."):
            RunResult.from_json(path)


def test_a_folder_is_brought_to_the_size_that_its_network_has_through_either_door(tmp_path):
    for index in range(8):
        (place := tmp_path / str(index % 2)).mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 30 * index, dtype=np.uint8)).save(place / f"{index}.png")
    prepared = experiments.prepare(experiments.resolve("two_head", str(tmp_path), network="upsample"))
    found = experiments.run("two_head", str(tmp_path), network="upsample", steps=1)
    assert prepared.data.image_shape == found.preparation.shape == (1, 32, 32)
    baseline = experiments.resolve("linear", str(tmp_path))  # and no network has a say in a baseline's
    assert experiments.run(**asdict(baseline)).settings == baseline


# --- interruption and resume


class Stopped(Exception):
    pass


@pytest.mark.parametrize(
    ("method", "changes"),
    [("feature_matching", {"reuse": False}), ("bigan", {}), ("gan", {"network": "dcgan", "batch_size": 4}),
     ("consistency", {"network": "cnn", "shift": 1}), ("two_head", {"precision": "mixed", "label_mask": True})],
)  # fmt: skip
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_last_bit(tmp_path, method, changes):
    """Weights, moments, history, test error. The record that stopped its observer comes again, no other does."""
    paths, seen = [tmp_path / "broken.safetensors", tmp_path / "whole.safetensors"], []

    def observe(record, modules):
        seen.append(record.step)
        if seen == [2, 4]:
            raise Stopped(torch.rand(5))

    with pytest.raises(Stopped):
        run(method, checkpoint=paths[0], observe=observe, **changes)
    resumed, whole = (run(method, checkpoint=path, observe=observe, **changes) for path in paths)
    assert timeless(resumed) == timeless(whole)
    assert seen == [2, 4, 4, 6, 2, 4, 6]
    torch.testing.assert_close(*map(load_file, paths), rtol=0, atol=0)
    assert run(method, checkpoint=paths[1], observe=observe, **changes) == whole  # nothing is trained again
    assert len(seen) == 7


def test_a_checkpoint_of_other_settings_or_cut_off_is_refused_by_name_and_kept(tmp_path):
    path = tmp_path / "run.safetensors"
    run(checkpoint=path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match=r" now; learning_rate: 0\.002 there, 0\.001 now; seed: 0 there, 8 now; split"):
        run(checkpoint=path, seed=8, learning_rate=0.001)
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-5000])
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is a damaged checkpoint: "):
        run(checkpoint=path)
    assert path.stat().st_size == len(whole) - 5000


def test_a_checkpoint_of_other_data_of_the_same_size_is_refused(tmp_path):
    parts = data.load("digits", 20)
    other = replace(parts, labelled=parts.labelled._replace(labels=parts.labelled.labels.roll(1)))
    for changed in (other, replace(parts, pool=parts.pool.roll(1, dims=0))):
        path = tmp_path / changed.digest()
        given = {"method": "supervised", "steps": 2, "checkpoint": path}
        experiments.run(**given, data=parts)
        with pytest.raises(ValueError, match=rf"other settings \(data: '\w+' there, '{changed.digest()}' now\)"):
            experiments.run(**given, data=changed)
    start = experiments.run("supervised", data=parts, steps=2, seed=1).modules
    with pytest.raises(ValueError, match=r"other settings \(start: None there, '\w+' now\)"):
        experiments.run(**given, data=parts, start=start)
    with pytest.raises(ValueError, match="start must hold networks like those of this run; Error"):
        experiments.run("sgan", data=parts, steps=2, start=start)


def test_a_checkpoint_of_own_networks_is_resumed_with_the_same_layers_alone(tmp_path):
    mine, rebuilt, other = (networks.build("cnn", (1, 8, 8), 10) for _ in range(3))
    for each in (mine, rebuilt, other):
        each.discriminator.idle = nn.Linear(2, 2)  # no loss reaches it
    other.discriminator.convolutions[1] = nn.ReLU()
    found = run("supervised", checkpoint=tmp_path / "run", network=mine)
    assert run("supervised", checkpoint=tmp_path / "run", network=rebuilt) == found  # as a script's second start does
    with pytest.raises(ValueError, match=r"other settings \(networks: '\w+' there, '\w+' now\)"):
        run("supervised", checkpoint=tmp_path / "run", network=other)


def test_a_checkpoint_that_no_run_has_written_is_refused_though_its_checksum_is_right(tmp_path):
    path, first = tmp_path / "run.safetensors", "optimizer.discriminator.0.exp_avg"
    run(checkpoint=path)
    header, tensors = read_file(path, "checkpoint")
    weight = next(name for name in tensors if name.startswith("modules."))
    late = header | {"history": [header["history"][-1] | {"step": 10**6}]}
    for content, changes in [(late, {}), (header | {"history": []}, {}), ({}, {}),
                             *((header, {name: None}) for name in (first, weight, "random.cpu", "average.n_averaged")),
                             (header, {first: torch.zeros(())}), (header, {first: tensors[first][:1]})]:  # fmt: skip
        write_file(path, "checkpoint", content, {k: v for k, v in (tensors | changes).items() if v is not None})
        with pytest.raises(ValueError, match=f"^checkpoint {re.escape(str(path))} does not fit this run: ."):
            run(checkpoint=path)


# --- what is refused, what is shown


WITHOUT_WEIGHTS = (networks.build("cnn", (1, 8, 8), 10).discriminator, Generator(64, layers=nn.Unflatten(1, (1, 8, 8))))
IN_TWO_CHANNELS = data.from_arrays(torch.linspace(-1, 1, 40 * 128).view(40, 2, 8, 8), torch.arange(40) % 2, n_labels=8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"n_labels": 9}, "n_labels must be .* at least 10 .*; got 9"), ({"device": "tpu"}, "device must be .*'tpu'"),
     ({"n_labels": 1348}, "n_labels must be .* at most 1347; got 1348"), ({"record_every": 0}, "record_every must be"),
     ({"dataset": "moons", "shift": 1}, "shift must be .* at most 0; got 1"), ({"step": 1}, "no argument 'step'"),
     ({"dataset": "moons", "network": "dcgan"}, "'dcgan' takes images"), ({"observe": 5}, "observe must be .* got 5"),
     ({"method": "consistency", "data": IN_TWO_CHANNELS, "n_labels": None, "dataset": None},
      "of 1 or 3 channels; .* 'arrays' have shape .2, 8"),
     ({"data": IN_TWO_CHANNELS, "n_labels": None}, "dataset, .* must be None where data are .* got .'digits', None"),
     ({"network": WITHOUT_WEIGHTS}, "network must have weights to train")],
)  # fmt: skip
def test_bad_arguments_are_refused_before_anything_is_trained(unchecked, monkeypatch, changes, message):
    monkeypatch.setattr(training, "training_step", None)  # calling it fails
    with pytest.raises((TypeError, ValueError), match=message):
        run(**changes)


def test_a_progress_bar_shows_the_scores(capsys):
    run("supervised", progress=True)
    shown = capsys.readouterr().err
    assert all(part in shown for part in ("supervised, digits, 20 labels, seed 0", "6/6", "validation_error="))


# --- how a step is made


def test_from_a_run_to_a_loss_it_is_five_frames(monkeypatch):
    """run, train, training_step, the method, the loss."""
    modules, loss = [], losses.feature_matching

    def spy(*arguments):
        files = [Path(frame.filename) for frame in traceback.extract_stack()]
        modules.append([file.stem for file in files if file.parent.name == "sgan_lib"])
        return loss(*arguments)

    monkeypatch.setattr(losses, "feature_matching", spy)
    run("feature_matching", steps=1)
    assert modules == [["experiments", "training", "training", "methods"]]


def test_a_new_method_is_a_function_and_a_row(monkeypatch):
    def entropy_alone(nets, batch, settings):
        [judged] = methods.judge_together(nets, batch.unlabelled)
        yield {"entropy": losses.conditional_entropy(judged.class_logits)}

    monkeypatch.setitem(methods.METHODS, "entropy_alone", methods.Method(entropy_alone, generator=False))
    terms = [record.terms["entropy"] for record in run("entropy_alone", steps=20, learning_rate=0.01).history]
    assert terms[-1] < 0.5 * terms[0]


@pytest.mark.parametrize("method", ["supervised", "feature_matching"])
def test_a_step_is_adams_by_its_formula(method):
    """The fused optimiser against the definition (arXiv:1412.6980, Algorithm 1), with m̂ and v̂ after one step."""
    run = prepared(method, generator_rate=0.25, epsilon=1e-3, weight_decay=0.1)
    moves = run.state.play(run.state.modules, run.batches.at(0))
    for side, player in run.state.players.items():
        weights = [weight for weight in run.state.modules[side].parameters() if weight.requires_grad]
        before = [weight.detach().clone() for weight in weights]
        training.descend(next(moves), player.optimizer)
        rate = run.settings.learning_rate * (0.25 if side == "generator" else 1)
        for weight, old in zip(weights, before, strict=True):
            gradient = weight.grad + 0.1 * old
            m, v = (1 - 0.5) * gradient, (1 - 0.999) * gradient**2
            wanted = old - rate * (m / (1 - 0.5)) / ((v / (1 - 0.999)).sqrt() + 1e-3)
            torch.testing.assert_close(weight.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_bfloat16_gives_nearly_the_same_losses_and_keeps_weights_in_float32():
    single, half = (run("bad_gan", seed=2, precision=precision) for precision in ("float32", "bfloat16"))
    assert half.history[0].terms == pytest.approx(single.history[0].terms, rel=0.05)
    assert half.history[0].terms != single.history[0].terms
    assert {weight.dtype for weight in half.modules.parameters()} == {torch.float32}


# --- beside other work in the same process


def test_two_runs_in_two_threads_are_as_one_after_the_other():
    alone = [run(seed=seed, steps=60, threads=1) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda seed: run(seed=seed, steps=60, threads=1), (0, 1)))
    with ThreadPoolExecutor(2) as pool:  # beside views that are drawn at random
        beside = pool.submit(run, seed=0, steps=60, threads=1)
        draws = (data.Batches(data.load("digits", 20), 12, 8, s, strong=True).at(0) for s in range(10))
        assert len(pool.submit(list, draws).result()) == 10
    for one, other in zip([*alone, alone[0]], [*together, beside.result()], strict=True):
        assert one.test_error == other.test_error
        for name, weight in one.modules.state_dict().items():
            assert torch.equal(weight, other.modules.state_dict()[name])


def test_a_run_leaves_the_process_as_it_was_and_takes_nothing_over_from_it():
    wanted, before = run(steps=20), torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    try:
        made = run(steps=20)
        assert (torch.get_default_dtype(), torch.get_float32_matmul_precision()) == (torch.float64, "medium")
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.get_rng_state(), before)
    assert made.history[-1].terms == wanted.history[-1].terms
    for mode in (torch.autocast("cpu", torch.bfloat16), torch.no_grad(), torch.inference_mode(), torch.device("meta")):
        with mode, pytest.raises(RuntimeError, match=r"must not start inside torch\.autocast, no_grad, inference_mode"):
            run(steps=20)


def test_a_checkpoint_is_not_resumed_with_another_number_of_threads(tmp_path):
    with runtime.threads(1):
        assert run(threads=None, checkpoint=tmp_path / "run").versions["cpu_threads"] == "1"
    with runtime.threads(2), pytest.raises(ValueError, match=r"cpu_threads: 1 there, 2 now"):
        run(threads=None, checkpoint=tmp_path / "run")


def test_a_checkpoint_that_cannot_be_written_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(experiments, "prepare", None)
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "file" / "run"):
        with pytest.raises(OSError, match="checkpoint must be a file in a folder that can be written; got"):
            run(checkpoint=place)
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run(steps=20, checkpoint="~/runs/one")
    assert [path.name for path in (tmp_path / "home" / "runs").iterdir()] == ["one"]


ASKED = {
    "method": st.sampled_from([*experiments.METHODS, "linear", "no_method", None]),
    "dataset": st.sampled_from(["digits", "moons", "nowhere", 3]),
    "n_labels": st.sampled_from([0, 1, 10, 50, 10**6, 2.5]),
    "steps": st.sampled_from([-1, 1, 2, "three"]),
    "shift": st.sampled_from([0, 1, 9]),
    "batch_size": st.sampled_from([0, 1, 8, True]),
    "precision": st.sampled_from(["float32", "mixed", "float8"]),
    "label_mask": st.booleans(),
}


@settings(max_examples=50)
@given(st.fixed_dictionaries({"method": ASKED["method"]}, optional={name: ASKED[name] for name in [*ASKED][1:]}))
def test_whatever_is_asked_a_run_ends_in_a_result_or_names_the_argument(asked):
    state, refused = torch.get_rng_state(), ""
    try:
        result = experiments.run(**{"dataset": "digits", "n_labels": 20, "steps": 2, "device": "cpu"} | asked)
    except (TypeError, ValueError) as error:
        refused = str(error)
    else:
        assert (result.test_error is None) == (asked["method"] in ("gan", "bigan"))
        assert result.settings.method == asked["method"]
    assert not refused or any(name in refused for name in [*asked, "network"]), refused
    assert torch.equal(torch.get_rng_state(), state)
