"""What `make bench` compares: the textbook's step does what ours does, and the list of matrix products is whole."""

import importlib
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from sgan_lib import data, experiments, training


@pytest.fixture(scope="module")
def scripts(root):
    """The benchmark's modules by name; they are scripts and in no package."""
    names = [path.stem for path in (root / "tests" / "benchmarks").glob("*.py")]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root / "tests" / "benchmarks")
        patch.setenv("OMP_NUM_THREADS", "1")  # the script sets it for itself
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in names})
    for name in names:
        del sys.modules[name]


def make_state(method, network, dataset="mnist"):
    torch.manual_seed(0)
    return experiments.prepare(experiments.resolve(method, dataset, "quick", network, beta2=0.999)).state


def make_batch(n_labelled, n_unlabelled, *shape):
    images = torch.rand(n_labelled + n_unlabelled, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return data.Batch(images[:n_labelled], torch.arange(n_labelled) % 10, images[n_labelled:])


def silence(*networks):
    """Set the strength of all noise and dropout to 0, and return what it was."""
    layers = [layer for network in networks for layer in network.modules()]
    strengths = {(getattr(layer, "sigma", 0), getattr(layer, "p", 0)) for layer in layers}
    for layer in layers:
        layer.sigma, layer.p = 0.0, 0.0
    return strengths


PAIRS = [("feature_matching", "mlp", 28, "FeatureMatching"), ("two_head", "upsample", 32, "TwoHead")]


@pytest.mark.parametrize(("method", "network", "side", "name"), PAIRS)
def test_the_textbooks_step_is_ours(scripts, method, network, side, name, monkeypatch):
    """From the same weights and latents. The discriminator is held: our target for feature matching is one move old."""
    state, theirs = make_state(method, network), getattr(scripts.textbook, name)()
    batch, latents = make_batch(7, 11, 1, side, side), torch.randn(11, 100, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(type(state.modules["generator"]), "latent", lambda *_: latents)
    monkeypatch.setattr(theirs, "latent", lambda _: latents)
    assert silence(*state.modules.values()) == silence(theirs.discriminator, theirs.generator) != {(0, 0)}
    if hasattr(state.modules["discriminator"], "centre"):  # the textbook's network does not centre its input
        state.modules["discriminator"].centre.zero_()
    ours = [state.modules[part] for part in ("discriminator", "real_head", "generator") if part in state.modules]
    sides = (ours, [theirs.discriminator, theirs.generator])
    for our_weight, weight in zip(*([p for net in nets for p in net.parameters()] for nets in sides), strict=True):
        assert our_weight.requires_grad == weight.requires_grad
        weight.data.copy_(our_weight.data)
    state.players["discriminator"].set_learning_rate(0)
    theirs.discriminator_adam.param_groups[0]["lr"] = 0
    terms = training.training_step(state, batch)
    expected = theirs.step(([batch.images, batch.labels], [batch.unlabelled, torch.zeros(11)]))
    assert {key: value.item() for key, value in terms.items()} == pytest.approx(expected, rel=1e-4)
    for player, adam in (("discriminator", theirs.discriminator_adam), ("generator", theirs.generator_adam)):
        (our_group,), (group,) = state.players[player].optimizer.param_groups, adam.param_groups
        assert all(our_group[option] == group[option] for option in ("betas", "eps", "weight_decay"))
        for our_weight, weight in zip(our_group["params"], group["params"], strict=True):
            seen = state.players[player].optimizer.state[our_weight], adam.state[weight]
            gradients = (each["exp_avg"] / (1 - group["betas"][0]) for each in seen)  # after one step
            torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("method", "network", "side", "_name"), PAIRS)
def test_the_textbooks_batches_are_mnist_with_its_labels(scripts, method, network, side, _name):
    raw = data.read("mnist").train
    settings = scripts.bench.settings_for(method, network, batch_size=30)
    (images, labels), (unlabelled, _) = scripts.bench.theirs(lambda batch: batch, settings).load()
    assert images.shape == unlabelled.shape == (30, 1, side, side)
    assert (unlabelled.min().item(), unlabelled.max().item()) == pytest.approx((-1, 1))
    as_bytes = ((images[:5] + 1) * 127.5).round().to(torch.uint8)
    for image, label in zip(as_bytes if side == 28 else (), labels[:5], strict=side == 28):
        assert label in raw.labels[(raw.images == image).flatten(1).all(dim=1)]


@pytest.mark.parametrize(("network", "dataset", "side"), [("mlp", "mnist", 28), ("mlp_digits", "digits", 8)])
def test_the_listed_products_are_what_a_step_and_the_multiplier_multiply(scripts, network, dataset, side):
    state, sizes = make_state("feature_matching", network, dataset), (20, 30)
    batch = make_batch(*sizes, 1, side, side)
    widths = [scripts.products.widths(state.modules[side]) for side in ("discriminator", "generator")]
    listed = scripts.products.products_of_a_step(*widths, *sizes)
    expected = sorted(((each.rows, each.inner), (each.inner, each.columns)) for each in listed)
    for multiply in (lambda: training.training_step(state, batch), scripts.products.multiplier(listed)):
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True, with_flops=True) as seen:
            multiply()
        events = [e for e in seen.events() if e.name in ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm")]
        shapes = [e.input_shapes[-4:-2] if e.name == "aten::addmm" else e.input_shapes[:2] for e in events]
        assert sorted(tuple(map(tuple, pair)) for pair in shapes) == expected
        assert sum(e.flops for e in events) == sum(each.flops for each in listed)


def test_contenders_take_turns_and_each_part_is_timed(scripts, monkeypatch):
    clock, now, calls = scripts.clock, [0.0], []
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now[0])

    def contender(name, loading, *computing):
        durations = iter(computing)
        compute = lambda _: calls.append(name) or now.append(now.pop() + next(durations, computing[-1]))  # noqa: E731
        return clock.Contender(lambda: now.append(now.pop() + loading), compute)

    contenders = {"ours": contender("ours", 0.25, 0.5), "textbook": contender("textbook", 1.0, 2.0)}
    seconds = clock.interleaved(contenders, clock.Effort(rounds=2, seconds=1.5, least_steps=1))
    expected = {"ours": 0.75, "ours: loading": 0.25, "ours: computing": 0.5,
                "textbook": 3.0, "textbook: loading": 1.0, "textbook: computing": 2.0}  # fmt: skip
    assert seconds.to_dict("list") == {part: [value] * 2 for part, value in expected.items()}
    assert calls[-6:] == ["ours", "ours", "textbook"] * 2
    assert clock.each_step(contender("", 0.0, 8.0, 1.0, 2.0, 4.0, 16.0), 6.5).tolist() == [1.0, 2.0, 4.0]


def test_ratios_are_taken_in_each_round_and_stand_first_in_the_table(scripts):
    ours, theirs = pd.Series([1.0, 2.0, 4.0]), pd.Series([3.0, 8.0, 8.0])
    rounds = {"ours": ours, "ours: loading": ours - 1, "ours: computing": ours, "textbook": theirs,
              "textbook: loading": theirs / 2, "textbook: computing": theirs / 2}  # fmt: skip
    rows = scripts.bench.compared(pd.DataFrame(rounds), "≥ 3")
    table = scripts.bench.table([dict.fromkeys(scripts.bench.SHOWN) | row for row in reversed(rows)])
    assert table["value"].tolist() == [1.5, 3.0, 4000.0, 8000.0, 1000.0, 2000.0]
