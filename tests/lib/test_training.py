"""The loop, the average of weights, the schedule, and checkpoints, on networks of a handful of weights."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn
from torch.testing import assert_close

from sgan_lib import checkpoints, training
from sgan_lib.runtime import DivergenceError
from sgan_lib.training import Player, TrainingState, average_of, hold_then_decay

pytestmark = pytest.mark.usefixtures("same_numbers")


def toy(learning_rate=0.1, seed=0, optimizer=torch.optim.Adam, extra=lambda step: 0.0):
    """Two players, each with weights of its own; the first one's loss is noisy, and `extra` is added to it."""
    torch.manual_seed(seed)
    modules = nn.ModuleDict({"first": nn.Linear(3, 2), "second": nn.Linear(2, 2, bias=False)})

    def play(modules, batch):
        noise = torch.randn(4, 2)
        yield {"noisy": (modules["first"](batch) + noise).square().mean() + extra(state.step)}
        yield {"product": (modules["second"](modules["first"](batch)) - 1).square().mean()}

    players = {name: Player(optimizer(net.parameters()), learning_rate) for name, net in modules.items()}
    state = TrainingState(modules, players, average_of(modules, 0.9), play)
    return state


def batch_at(step):
    return torch.randn(4, 3, generator=torch.Generator().manual_seed(step))


def run(state, n_steps, **arguments):
    return list(training.train(state, batch_at, n_steps, **arguments))


# --- the average of weights, the schedule


def test_the_average_is_the_explicit_sum_and_buffers_are_the_last_ones():
    """Σ_i decay^(t−i) · θ_i / Σ_i decay^(t−i): the first average is the first weight, not a tenth of it."""
    decay, modules = 0.9, nn.ModuleDict({"net": nn.BatchNorm1d(3).double()})
    average, seen = average_of(modules, decay), []
    for t in range(1, 8):
        modules["net"].weight.data.normal_()
        modules["net"](torch.randn(10, 3).double() + t)
        seen.append(modules["net"].weight.detach().clone())
        average.update_parameters(modules)
        powers = [decay ** (t - i) for i in range(1, t + 1)]
        expected = sum(power * weight for power, weight in zip(powers, seen, strict=True)) / sum(powers)
        torch.testing.assert_close(average.module["net"].weight.detach(), expected)
        assert torch.equal(average.module["net"].running_mean, modules["net"].running_mean)


@pytest.mark.parametrize(
    ("step", "hold", "last", "factor"),
    [(0, 0.5, 0, 1), (5, 0.5, 0, 1), (6, 0.5, 0, 0.8), (9, 0.5, 0, 0.2), (10, 0.5, 0, 0), (0, 0, 0, 1), (5, 0, 0, 0.5),
     (9, 1, 0, 1), (0, 1, 0, 1), (5, 0.5, 0.01, 1), (6, 0.5, 0.01, 0.01**0.2), (9, 0.5, 0.01, 0.01**0.8),
     (10, 0.5, 0.01, 0.01)],
)  # fmt: skip
def test_the_rate_is_held_then_falls_linearly_to_zero_or_exponentially_to_a_share(step, hold, last, factor):
    assert hold_then_decay(step, 10, hold, last) == pytest.approx(factor)


def test_the_schedule_reaches_every_players_optimiser():
    state = toy()
    state.players["second"] = Player(state.players["second"].optimizer, 0.3)
    records = run(state, 10, hold=0.5, record_every=1)
    assert [record.learning_rate for record in records] == pytest.approx([0.1] * 6 + [0.08, 0.06, 0.04, 0.02])
    assert [player.optimizer.param_groups[0]["lr"] for player in state.players.values()] == pytest.approx([0.02, 0.06])


# --- steps


def test_the_second_player_answers_the_first_ones_move():
    """Two gradient steps by hand: the second player's gradient is taken where the first has gone."""
    state, x = toy(optimizer=partial(torch.optim.SGD, lr=0.1)), batch_at(0)
    w, b, v = (weight.detach().clone() for weight in state.modules.parameters())
    torch.manual_seed(3)
    terms = training.training_step(state, x)
    torch.manual_seed(3)
    error = x @ w.T + b + torch.randn(4, 2)  # the first loss is the mean of its squares: d/dy = 2 · error / 8
    w, b = w - 0.1 * error.T @ x / 4, b - 0.1 * error.sum(dim=0) / 4
    hidden = x @ w.T + b
    v_moved = v - 0.1 * (hidden @ v.T - 1).T @ hidden / 4
    torch.testing.assert_close([weight.detach() for weight in state.modules.parameters()], [w, b, v_moved])
    wanted = {"noisy": error.square().mean(), "product": (hidden @ v.T - 1).square().mean()}
    torch.testing.assert_close(terms, wanted)
    assert not any(term.requires_grad for term in terms.values())


# --- the loop


def test_records_hold_means_since_the_last_one_and_scores_of_the_averaged_weights():
    every_step, state, asked, seen = run(toy(), 7, record_every=1), toy(), [], []

    def evaluate(modules):
        seen.append(modules["first"].weight.detach().clone())
        return {"score": float(len(seen))}

    batches = lambda step: asked.append(step) or batch_at(step)  # noqa: E731
    records = list(training.train(state, batches, 7, record_every=3, evaluate=evaluate))
    assert asked == [0, 1, 2, 3, 4, 5, 6]
    assert [(record.step, record.scores["score"]) for record in records] == [(3, 1), (6, 2), (7, 3)]
    for record, steps in zip(records, ([0, 1, 2], [3, 4, 5], [6]), strict=True):
        for name in ("noisy", "product"):
            mean = sum(every_step[step].terms[name] for step in steps) / len(steps)
            assert record.terms[name] == pytest.approx(mean, rel=1e-5)
    assert torch.equal(seen[-1], state.averaged["first"].weight)
    assert not torch.equal(seen[-1], state.modules["first"].weight)
    assert [record.seconds for record in records] == sorted(record.seconds for record in records)
    assert (state.history, state.seconds) == (records, records[-1].seconds)
    assert run(state, 7) == []  # nothing is left to do


@pytest.mark.parametrize(
    ("change", "message"),
    [({"extra": lambda step: float("nan")}, "step 20: the term 'noisy' is nan"),
     ({"extra": lambda step: float("inf")}, "step 20: the term 'noisy' is inf"),
     ({"extra": lambda step: -1e5}, "step 20: the term 'noisy' is -1e"),
     ({"extra": lambda step: 2e3 * (step == 49)}, "step 50: the term 'noisy' is 20"),  # a mean would hide it
     ({"learning_rate": 100.0, "optimizer": torch.optim.SGD}, "step 20: the term 'noisy' is")],
)  # fmt: skip
def test_a_loss_that_is_not_finite_or_explodes_stops_the_run_and_is_named(change, message):
    state = toy(**change)
    with pytest.raises(DivergenceError, match=f"{message}.* a smaller learning_rate"):
        run(state, 60, record_every=60 if "50" in message else 20)
    assert state.history == []


def test_records_of_no_step_are_refused_before_the_first_step():
    state = toy()
    with pytest.raises(ValueError, match=r"record_every must be .* at least 1"):
        run(state, 5, record_every=0)
    assert state.step == 0


def test_a_last_step_that_throws_the_weights_away_is_found():
    state = toy()
    state.players["second"] = Player(state.players["second"].optimizer, 1e9)
    with pytest.raises(DivergenceError, match="step 1: the term 'largest weight' is"):
        run(state, 1)


# --- checkpoints


def test_a_damaged_or_foreign_checkpoint_is_refused_with_its_name_and_left_alone(tmp_path):
    path, random = tmp_path / "run.safetensors", np.random.RandomState(0)
    checkpoints.save_checkpoint(toy(), path, {})
    whole = path.read_bytes()
    variants = [whole[: len(whole) // 2], b"", b"\xff" * 8 + whole[8:], save({"weight": torch.zeros(2)}), whole + b"0"]
    for place in random.randint(len(whole), size=300):  # one flipped bit each
        flipped = bytes([whole[place] ^ 1 << random.randint(8)])
        variants.append(whole[:place] + flipped + whole[place + 1 :])
    for variant in variants:
        path.write_bytes(variant)
        state = toy(seed=1)
        before = {name: weight.clone() for name, weight in state.modules.state_dict().items()}
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} is "):
            checkpoints.load_checkpoint(state, path, {})
        assert path.read_bytes() == variant
        assert_close(dict(state.modules.state_dict()), before)


def test_an_interrupted_write_leaves_the_old_checkpoint_whole_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    checkpoints.save_checkpoint(toy(), path, {})
    whole = path.read_bytes()

    def full_disk(path, content):
        path.write_text("half of a checkp")
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space left"):
        checkpoints.save_checkpoint(toy(seed=1), path, {})
    assert path.read_bytes() == whole
    assert list(tmp_path.iterdir()) == [path]
