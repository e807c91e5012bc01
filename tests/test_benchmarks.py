"""What `make bench` compares: the textbook's step does what ours does, and the list of matrix products is whole."""

import importlib
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from sgan_lib import data, experiments, training
from sgan_lib.data import Batch

BENCHMARKS = Path(__file__).parent / "benchmarks"


@pytest.fixture(scope="module")
def scripts():
    """The benchmark's modules by name; they are scripts and in no package."""
    names = [path.stem for path in BENCHMARKS.glob("*.py")]
    sys.path.insert(0, str(BENCHMARKS))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMP_NUM_THREADS", "1")  # the script sets it for itself
            yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in names:
            del sys.modules[name]


@pytest.fixture(autouse=True)
def _same_numbers():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def our_state(method, network, images, n_classes=10):
    settings = experiments.Settings.resolve(
        method, "mnist", "quick", n_labels=100, seed=0, split_seed=0, network=network, beta2=0.999
    )
    return experiments.prepare(settings, images, n_classes)


def batch_of(n_labelled, n_unlabelled, *shape, n_classes=10):
    images = torch.rand(n_labelled + n_unlabelled, *shape) * 2 - 1
    return Batch(images[:n_labelled], torch.randint(0, n_classes, (n_labelled,)), images[n_labelled:])


# --- the textbook's step


PAIRS = pytest.mark.parametrize(
    ("method", "network", "side", "name"),
    [("feature_matching", "mlp", 28, "FeatureMatching"), ("two_head", "upsample", 32, "TwoHead")],
)


def without_noise(network):
    for module in network.modules():
        if hasattr(module, "sigma"):
            module.sigma = 0.0
        elif isinstance(module, nn.Dropout2d):
            module.p = 0.0


def both(scripts, method, network, side, name, monkeypatch):
    """Our state and the textbook's with the same weights, the same latents, no noise; and a batch for both."""
    batch = batch_of(7, 11, 1, side, side)
    state, theirs = our_state(method, network, batch.unlabelled), getattr(scripts["textbook"], name)()
    latents = torch.randn(11, 100)
    monkeypatch.setattr(type(state.modules["generator"]), "latent", lambda *_: latents)
    monkeypatch.setattr(theirs, "latent", lambda _: latents)
    our_discriminator = [state.modules[part] for part in ("discriminator", "real_head") if part in state.modules]
    for our_side, their_side in (
        (our_discriminator, theirs.discriminator),
        ([state.modules["generator"]], theirs.generator),
    ):
        ours = [p for module in our_side for p in module.parameters()]
        for one, other in zip(ours, their_side.parameters(), strict=True):
            assert one.requires_grad == other.requires_grad
            other.data.copy_(one.data)
        without_noise(their_side)
    without_noise(state.modules)
    if hasattr(state.modules["discriminator"], "centre"):  # the textbook's network does not centre its input
        state.modules["discriminator"].centre.zero_()
    return state, theirs, batch


def their_batch(batch):
    return [batch.images, batch.labels], [batch.unlabelled, torch.zeros(len(batch.unlabelled))]


def gradients(optimizer):
    """What Adam has seen: after one step its first moment is the gradient, times 1 − β1."""
    parameters = optimizer.param_groups[0]["params"]
    return [optimizer.state[p]["exp_avg"] / (1 - optimizer.param_groups[0]["betas"][0]) for p in parameters]


@PAIRS
def test_the_textbooks_step_finds_our_losses_and_gradients(scripts, method, network, side, name, monkeypatch):
    """With the discriminator held: our target for feature matching is one update old, the textbook's is not."""
    state, theirs, batch = both(scripts, method, network, side, name, monkeypatch)
    state.players["discriminator"].set_learning_rate(0)
    theirs.discriminator_adam.param_groups[0]["lr"] = 0
    found, expected = training.training_step(state, batch), theirs.step(their_batch(batch))
    assert {key: value.item() for key, value in found.items()} == pytest.approx(expected, rel=1e-4)
    for player in ("discriminator", "generator"):
        pairs = zip(
            gradients(state.players[player].optimizer), gradients(getattr(theirs, f"{player}_adam")), strict=True
        )
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


@PAIRS
def test_both_have_the_same_adam(scripts, method, network, side, name, monkeypatch):
    state, theirs, _ = both(scripts, method, network, side, name, monkeypatch)
    for player in ("discriminator", "generator"):
        ours, textbooks = state.players[player].optimizer, getattr(theirs, f"{player}_adam")
        for option in ("betas", "eps", "weight_decay"):
            assert ours.param_groups[0][option] == textbooks.param_groups[0][option]


@PAIRS
def test_both_have_the_same_noise(scripts, method, network, side, name):
    def strengths(*sides):
        modules = [module for one in sides for module in one.modules()]
        return sorted({(getattr(m, "sigma", 0), getattr(m, "p", 0)) for m in modules})

    modules = our_state(method, network, torch.rand(20, 1, side, side)).modules
    theirs = getattr(scripts["textbook"], name)()
    assert strengths(*modules.values()) == strengths(theirs.discriminator, theirs.generator) != [(0, 0)]


@pytest.mark.parametrize("side", [None, 32])
def test_the_textbooks_batches_are_mnist_with_its_labels(scripts, side):
    raw = data.read("mnist")
    batches = scripts["textbook"].batches(data.cache_folder(), 20, 30, side)
    for _, ((images, labels), (unlabelled, _)) in zip(range(2), batches, strict=False):
        assert images.shape == unlabelled.shape == (30, 1, side or 28, side or 28)
        assert (unlabelled.min().item(), unlabelled.max().item()) == pytest.approx((-1, 1))
        assert len({image.numpy().tobytes() for image in images}) <= 20
        if side is None:
            as_bytes = ((images + 1) * 127.5).round().to(torch.uint8)
            for image, label in zip(as_bytes, labels, strict=True):
                assert label in raw.train.labels[(raw.train.images == image).flatten(1).all(dim=1)]


# --- the matrix products


@pytest.mark.parametrize(
    ("network", "shape", "sizes"), [("mlp", (1, 28, 28), (20, 30)), ("mlp_digits", (1, 8, 8), (16, 8))]
)
def test_the_list_of_products_is_what_torch_multiplies_in_a_step(scripts, network, shape, sizes):
    batch = batch_of(*sizes, *shape)
    state = our_state("feature_matching", network, batch.unlabelled)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, with_flops=True) as seen:
        training.training_step(state, batch)
        state.average.update_parameters(state.modules)
    events = [e for e in seen.events() if e.name in ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")]
    widths = scripts["products"].widths
    listed = scripts["products"].products_of_a_step(
        widths(state.modules["discriminator"]), widths(state.modules["generator"]), *sizes
    )
    assert sum(one.flops for one in listed) == sum(e.flops for e in events)
    shapes = [tuple(map(tuple, e.input_shapes[-4:-2] if e.name == "aten::addmm" else e.input_shapes)) for e in events]
    assert sorted(shapes) == sorted(((one.rows, one.inner), (one.inner, one.columns)) for one in listed)


def test_the_multiplier_does_the_products_that_it_is_given(scripts):
    products = scripts["products"]
    listed = [products.Product(kind, 2, 3, 4) for kind in ("forward", "weights", "input")]
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True, with_flops=True) as seen:
        multiply = products.multiplier(listed)
        multiply()
    events = [e for e in seen.events() if e.name == "aten::mm"]
    assert [e.input_shapes[:2] for e in events] == [[[2, 3], [3, 4]]] * 3
    assert sum(e.flops for e in events) == sum(one.flops for one in listed) == 3 * 2 * 2 * 3 * 4


# --- the clock and the table


def test_contenders_take_turns_and_each_part_is_timed(scripts, monkeypatch):
    clock, now, calls = scripts["clock"], [0.0], []
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def contender(name, loading, computing):
        def spend(what, seconds):
            calls.append((name, what))
            now[0] += seconds

        return clock.Contender(lambda: spend("load", loading), lambda _: spend("compute", computing))

    contenders = {"ours": contender("ours", 0.25, 0.5), "textbook": contender("textbook", 1.0, 2.0)}
    seconds = clock.interleaved(contenders, clock.Effort(rounds=2, seconds=1.5, least_steps=1))
    assert seconds.to_dict("list") == {
        "ours": [0.75] * 2, "ours: loading": [0.25] * 2, "ours: computing": [0.5] * 2,
        "textbook": [3.0] * 2, "textbook: loading": [1.0] * 2, "textbook: computing": [2.0] * 2,
    }  # fmt: skip
    steps = [name for name, what in calls if what == "compute"]
    assert steps[-6:] == ["ours", "ours", "textbook", "ours", "ours", "textbook"]


def test_each_step_is_timed_until_the_time_is_up_and_the_first_does_not_count(scripts, monkeypatch):
    clock, now = scripts["clock"], [0.0]
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])
    durations = iter([8.0, 1.0, 2.0, 4.0, 16.0])

    def compute(_):
        now[0] += next(durations)

    contender = clock.Contender(lambda: None, compute)
    assert clock.each_step(contender, 6.5).tolist() == [1.0, 2.0, 4.0]
    assert clock.each_step(clock.Contender(lambda: None, lambda _: None), 0.0).tolist() == [0.0]


def test_the_peak_of_memory_is_in_units_of_a_million_bytes(scripts):
    block = torch.ones(25_000_000)  # 100 MB
    assert block.nbytes / 1e6 < scripts["memory"].peak_megabytes() < 100 * block.nbytes / 1e6


def test_ratios_are_taken_in_each_round_and_stand_first_in_the_table(scripts):
    bench = scripts["bench"]
    rounds = pd.DataFrame({
        "ours": [1.0, 2.0, 4.0], "ours: loading": [0.0, 1.0, 2.0], "ours: computing": [1.0, 1.0, 2.0],
        "textbook": [3.0, 8.0, 8.0], "textbook: loading": [1.0, 4.0, 4.0], "textbook: computing": [2.0, 4.0, 4.0],
    })  # fmt: skip
    rows = bench.compared(rounds, "≥ 3")
    assert [(one["what"], one["value"], one["unit"]) for one in rows] == [
        ("textbook step / our step", 3.0, "times"),
        ("the same, without loading images", 2.0, "times"),
        ("ours", 2000.0, "ms"),
        ("ours: loading", 1000.0, "ms"),
        ("textbook", 8000.0, "ms"),
        ("textbook: loading", 4000.0, "ms"),
    ]
    where = {"network": "mlp", "method": "sgan", "dataset": "mnist", "threads": 1}
    found = bench.table([one | where for one in reversed(rows)])
    assert found["unit"].tolist() == ["times", "times", "ms", "ms", "ms", "ms"]
    assert set(found["torch"]) == {torch.__version__}
    assert found["cpu"].str.len().min() > 0


def test_a_sweep_is_timed_with_one_worker_and_with_two(scripts, monkeypatch):
    bench, now = scripts["bench"], [0.0]

    def run(command, env, **_):
        assert env["OMP_NUM_THREADS"] == "1"
        assert command[-2:] == ["--n-labels", "20"]
        now[0] += {"1": 90.0, "2": 50.0}[command[command.index("--workers") + 1]]

    monkeypatch.setattr(bench.subprocess, "run", run)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    factor, seconds = bench.small_sweep(bench.QUICK._replace(sweep=("--n-labels", "20")))
    assert (factor["value"], factor["unit"]) == (1.8, "times")
    assert (seconds["value"], seconds["unit"]) == (50.0, "s")


def test_pytest_collects_no_benchmark():
    assert [path.name for path in BENCHMARKS.glob("*.py") if path.name.startswith("test_")] == []
