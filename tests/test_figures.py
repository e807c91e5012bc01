"""The script behind the stored tables: what it runs, what it leaves, what it refuses."""

import importlib
import re
import sys

import pandas as pd
import pytest


@pytest.fixture
def make_figures(root, monkeypatch):
    """The script figures/make_figures.py, which lies in no package; its workers find it by the path too."""
    monkeypatch.syspath_prepend(root / "figures")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as the script does, for longer than a test
    yield importlib.import_module("make_figures")
    del sys.modules["make_figures"]


@pytest.fixture
def one_table(make_figures, monkeypatch, tmp_path):
    """Two supervised runs of two steps, stored elsewhere."""
    run = {"method": "supervised", "dataset": "digits", "n_labels": 20, "preset": "quick", "steps": 2}
    monkeypatch.setattr(make_figures, "HERE", tmp_path)
    monkeypatch.setattr(make_figures, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setitem(make_figures.TABLES, "tiny", lambda: iter([run | {"seed": 0}, run | {"seed": 1}]))
    return make_figures, tmp_path / "tiny.csv"


def test_every_stored_table_holds_the_runs_that_are_asked_for(make_figures):
    missing = {name: len(make_figures.what_is_missing(name)[1]) for name in make_figures.TABLES}
    assert missing == dict.fromkeys(make_figures.TABLES, 0)


@pytest.mark.integration
def test_a_table_gets_the_runs_that_it_lacks_and_keeps_the_others(one_table):
    make_figures, path = one_table
    make_figures.measure_table("tiny", 1)
    both = pd.read_csv(path)
    assert both["seed"].tolist() == [0, 1]
    assert both["test_error"].between(0, 1).all()
    assert (both["cpu_seconds"] >= 0).all()
    both.assign(test_error=[0.25, 0.5]).query("seed == 1").to_csv(path, index=False)
    make_figures.measure_table("tiny", 1)
    again = pd.read_csv(path)
    assert again["test_error"].tolist() == [both["test_error"][0], 0.5]
    assert not list((path.parent / "checkpoints").iterdir())


def test_a_table_with_other_runs_than_are_asked_for_is_refused_and_kept(one_table):
    make_figures, path = one_table
    table, (first, _) = make_figures.what_is_missing("tiny")
    assert table.empty
    pd.DataFrame([first | {"steps": 3, "test_error": 0.25}]).to_csv(path, index=False)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match=f"^{re.escape(str(path))} holds 1 other runs than are asked for now"):
        make_figures.measure_table("tiny", 1)
    assert path.read_bytes() == before
