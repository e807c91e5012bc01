"""The loop, the average of weights, the schedule, and checkpoints, on networks of a handful of weights."""

import re

import pytest
import torch
from torch import nn

from sgan_lib import training
from sgan_lib.runtime import DivergenceError
from sgan_lib.training import Player, TrainingState, average_of, hold_then_decay


def toy(learning_rate=0.1, seed=0, optimizer=torch.optim.Adam):
    """Two players, each with a weight matrix of its own; the first one's loss is noisy."""
    torch.manual_seed(seed)
    modules = nn.ModuleDict({"first": nn.Linear(3, 2), "second": nn.Linear(2, 2, bias=False)})

    def noisy(modules, batch):
        return {"noisy": (modules["first"](batch) + torch.randn(4, 2)).square().mean()}

    def product(modules, batch):
        return {"product": (modules["second"](modules["first"](batch)) - 1).square().mean()}

    players = {
        name: Player(objective, optimizer(modules[name].parameters(), lr=learning_rate), learning_rate)
        for name, objective in (("first", noisy), ("second", product))
    }
    return TrainingState(modules, players, average_of(modules, 0.9))


def batch_at(step):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(step))


def run(state, n_steps, **arguments):
    return list(training.train(state, batch_at, n_steps, **arguments))


def weights_of(state):
    return torch.cat([parameter.detach().flatten() for parameter in state.modules.parameters()])


@pytest.fixture(autouse=True)
def _global_numbers_restored():
    with torch.random.fork_rng():
        yield


# --- the average of weights


def test_the_average_is_the_explicit_sum():
    """Σ_i decay^(t−i) · θ_i / Σ_i decay^(t−i): the first average is the first weight, not a tenth of it."""
    decay, modules = 0.9, nn.ModuleDict({"net": nn.Linear(2, 3).double()})
    average, seen = average_of(modules, decay), []
    for t in range(1, 8):
        with torch.no_grad():
            for parameter in modules.parameters():
                parameter.normal_()
        seen.append(modules["net"].weight.detach().clone())
        average.update_parameters(modules)
        powers = [decay ** (t - i) for i in range(1, t + 1)]
        expected = sum(p * one for p, one in zip(powers, seen, strict=True)) / sum(powers)
        torch.testing.assert_close(average.module["net"].weight.detach(), expected)
    assert not torch.equal(modules["net"].weight, average.module["net"].weight)


def test_buffers_are_those_of_the_trained_network():
    modules = nn.ModuleDict({"net": nn.BatchNorm1d(3)})
    average = average_of(modules, 0.9)
    modules["net"](torch.randn(10, 3) + 5)
    average.update_parameters(modules)
    assert torch.equal(average.module["net"].running_mean, modules["net"].running_mean)


# --- the schedule


@pytest.mark.parametrize(
    ("step", "hold", "factor"),
    [(0, 0.5, 1), (4, 0.5, 1), (5, 0.5, 1), (6, 0.5, 0.8), (9, 0.5, 0.2), (10, 0.5, 0), (0, 0.0, 1), (5, 0.0, 0.5),
     (9, 1.0, 1), (0, 1.0, 1)],
)  # fmt: skip
def test_the_rate_is_held_then_falls_linearly_to_zero(step, hold, factor):
    assert hold_then_decay(step, 10, hold) == pytest.approx(factor)


@pytest.mark.parametrize(("step", "factor"), [(0, 1), (5, 1), (6, 0.01**0.2), (9, 0.01**0.8), (10, 0.01)])
def test_the_rate_can_fall_exponentially_to_a_share_of_it(step, factor):
    assert hold_then_decay(step, 10, 0.5, last=0.01) == pytest.approx(factor)


def test_a_rate_that_is_held_to_the_end_needs_no_division_by_zero():
    assert hold_then_decay(10, 10, 1.0) in (0.0, 1.0)


def test_the_schedule_reaches_every_players_optimiser():
    state = toy()
    state.players["second"] = Player(state.players["second"].objective, state.players["second"].optimizer, 0.3)
    records = run(state, 10, hold=0.5, record_every=1)
    assert [record.learning_rate for record in records] == pytest.approx([0.1] * 6 + [0.08, 0.06, 0.04, 0.02])
    assert [player.optimizer.param_groups[0]["lr"] for player in state.players.values()] == pytest.approx([0.02, 0.06])


# --- steps


def test_descend_takes_one_step_down_the_gradient_of_the_sum():
    weight = nn.Parameter(torch.tensor([2.0, -1.0]))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(2):  # twice: gradients must not add up
        before = weight.detach().clone()
        training.descend({"squares": weight.square().sum(), "sum": 3 * weight.sum()}, optimizer)
        torch.testing.assert_close(weight.detach(), before - 0.1 * (2 * before + 3))


def test_a_player_that_moves_leaves_no_gradient_in_the_others_weights():
    state, left = toy(), {}

    def spying(name, objective):
        def spy(modules, batch):
            left[name] = {n for n, p in modules.named_parameters() if p.grad is not None}
            return objective(modules, batch)

        return spy

    for name, player in state.players.items():
        state.players[name] = Player(spying(name, player.objective), player.optimizer, player.learning_rate)
    seen = training.training_step(state, batch_at(0))
    assert left == {"first": set(), "second": {"first.weight", "first.bias"}}
    gradient = state.modules["first"].weight.grad.clone()
    batch = batch_at(1)
    training.descend({"product": state.modules["second"](state.modules["first"](batch)).sum()},
                     state.players["second"].optimizer)  # fmt: skip
    assert torch.equal(state.modules["first"].weight.grad, gradient)
    assert list(seen) == ["noisy", "product"]
    assert not any(term.requires_grad for term in seen.values())


# --- the loop


def test_records_hold_means_since_the_last_one_and_come_at_the_end_too():
    every_step, every_third = (run(toy(), 7, record_every=every) for every in (1, 3))
    assert [record.step for record in every_step] == [1, 2, 3, 4, 5, 6, 7]
    assert [record.step for record in every_third] == [3, 6, 7]
    for record, steps in zip(every_third, ([0, 1, 2], [3, 4, 5], [6]), strict=True):
        for name in ("noisy", "product"):
            mean = sum(every_step[step].terms[name] for step in steps) / len(steps)
            assert record.terms[name] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(("name", "value"), [("record_every", 0), ("hold", 1.5), ("last_rate", -0.1)])
def test_a_bad_schedule_is_refused_before_the_first_step(name, value):
    state = toy()
    with pytest.raises(ValueError, match=f"{name} must be .*; got {value}"):
        next(training.train(state, lambda step: None, 10, **{name: value}))
    assert state.step == 0


def test_the_loop_asks_for_each_step_once_and_keeps_its_history_in_the_state():
    state, asked = toy(), []
    records = list(training.train(state, lambda step: asked.append(step) or batch_at(step), 5, record_every=2))
    assert asked == [0, 1, 2, 3, 4]
    assert state.history == records
    assert state.step == 5
    assert [r.seconds for r in records] == sorted(r.seconds for r in records)
    assert state.seconds == records[-1].seconds > 0
    assert run(state, 5) == []  # nothing is left to do


def test_evaluation_sees_the_averaged_weights():
    state, seen = toy(), []

    def evaluate(modules):
        seen.append(modules["first"].weight.detach().clone())
        return {"score": float(len(seen))}

    records = run(state, 4, record_every=2, evaluate=evaluate)
    assert [record.scores for record in records] == [{"score": 1.0}, {"score": 2.0}]
    assert torch.equal(seen[-1], state.averaged["first"].weight)
    assert not torch.equal(seen[-1], state.modules["first"].weight)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e5])
def test_a_loss_that_is_not_finite_or_explodes_stops_the_run_and_is_named(value):
    state = toy()
    broken = lambda modules, batch: {"broken": modules["first"](batch).sum() * 0 + value}  # noqa: E731
    player = state.players["first"]
    state.players["first"] = Player(broken, player.optimizer, player.learning_rate)
    with pytest.raises(DivergenceError, match=r"step 5: the term 'broken' .*a smaller learning_rate"):
        run(state, 10, record_every=5)
    assert state.history == []


def test_divergence_between_records_is_found_at_the_next_one():
    state = toy(learning_rate=100.0, optimizer=torch.optim.SGD)
    with pytest.raises(DivergenceError, match="'noisy'"):
        run(state, 40, record_every=40)


def test_a_spike_that_an_average_would_hide_is_found():
    state, calls = toy(), iter(range(1, 100))
    spike = lambda modules, batch: {"spike": modules["first"](batch).sum() * 0 + 2e3 * (next(calls) == 50)}  # noqa: E731
    player = state.players["first"]
    state.players["first"] = Player(spike, player.optimizer, player.learning_rate)
    with pytest.raises(DivergenceError, match="step 50: the term 'spike' is 2000"):
        run(state, 60, record_every=60)


# --- checkpoints


def interrupted(path, at, n_steps=9, **settings):
    """A run that stops after `at` steps and goes on from its checkpoint in fresh networks; and an unbroken one."""
    state = toy(seed=0)
    for record in training.train(state, batch_at, n_steps, hold=0.3, record_every=3):
        training.save_checkpoint(state, path, settings)
        if record.step == at:
            break
    resumed = toy(seed=1)
    torch.randn(17)  # the numbers drawn in between must not matter
    training.load_checkpoint(resumed, path, settings)
    run(resumed, n_steps, hold=0.3, record_every=3)
    unbroken = toy(seed=0)
    run(unbroken, n_steps, hold=0.3, record_every=3)
    return resumed, unbroken


def timeless(history):
    return [(record.step, record.terms, record.learning_rate, record.scores) for record in history]


@pytest.mark.parametrize("at", [3, 6, 9])
def test_a_resumed_run_equals_an_unbroken_one_to_the_last_bit(tmp_path, at):
    resumed, unbroken = interrupted(tmp_path / "run.safetensors", at)
    assert torch.equal(weights_of(resumed), weights_of(unbroken))
    for one, other in zip(resumed.average.parameters(), unbroken.average.parameters(), strict=True):
        assert torch.equal(one, other)
    for name in ("first", "second"):
        left, right = (one.players[name].optimizer.state_dict()["state"] for one in (resumed, unbroken))
        assert all(torch.equal(left[i][key], right[i][key]) for i in right for key in right[i])
    assert timeless(resumed.history) == timeless(unbroken.history)
    assert len(resumed.history) == 3


def test_a_checkpoint_of_other_settings_is_refused_by_the_names_that_differ(tmp_path):
    path, state = tmp_path / "run.safetensors", toy()
    run(state, 2)
    training.save_checkpoint(state, path, {"method": "sgan", "steps": 10, "seed": 0})
    fresh = toy(seed=1)
    before = weights_of(fresh)
    with pytest.raises(
        ValueError, match=r"other settings \(shift: None there, 2 now; steps: 10 there, 20 now\)"
    ) as caught:
        training.load_checkpoint(fresh, path, {"method": "sgan", "steps": 20, "seed": 0, "shift": 2})
    assert str(path) in str(caught.value)
    assert "sgan" not in str(caught.value).replace(str(path), "")
    assert torch.equal(weights_of(fresh), before)


@pytest.mark.parametrize("damage", ["cut", "empty", "header", "foreign", "json"])
def test_a_damaged_checkpoint_is_refused_with_its_name(tmp_path, damage):
    path, state = tmp_path / "run.safetensors", toy()
    run(state, 2)
    training.save_checkpoint(state, path, {})
    whole = path.read_bytes()
    if damage in ("foreign", "json"):
        training.save_file({"weight": torch.zeros(2)}, path, metadata={"training": "{"} if damage == "json" else None)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "header": b"\xff" * 8 + whole[8:]}[damage])
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))} does not hold a whole checkpoint .*; delete it"):
        training.load_checkpoint(toy(), path, {})


def test_an_interrupted_write_leaves_the_old_checkpoint_whole(tmp_path, monkeypatch):
    path, state = tmp_path / "run.safetensors", toy()
    run(state, 2)
    training.save_checkpoint(state, path, {})
    whole = path.read_bytes()

    def full_disk(tensors, file, metadata):
        file.write_bytes(b"half of a checkp")
        raise OSError("no space left on device")

    monkeypatch.setattr(training, "save_file", full_disk)
    with pytest.raises(OSError, match="no space left"):
        training.save_checkpoint(state, path, {})
    assert path.read_bytes() == whole


def test_a_checkpoint_makes_its_folder_and_leaves_nothing_else_there(tmp_path):
    path, state = tmp_path / "new" / "run.safetensors", toy()
    run(state, 1)
    training.save_checkpoint(state, path, {})
    assert [one.name for one in path.parent.iterdir()] == ["run.safetensors"]
