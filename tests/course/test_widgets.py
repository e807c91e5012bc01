"""The explorers without a browser: what their controls show, and what their buttons do.

`make test` runs this file twice: with the installed ipywidgets, and with version 7.7.1, which Colab has.
"""

import io
import math
import os
import re
import threading
import time
from dataclasses import replace

import ipywidgets
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch

from sgan_lib import data, experiments, networks, quality
from sgan_lib.course import stored, widgets
from sgan_lib.course.widgets import shared

COUNTS = (20, 50, 100)
OTHERS = {"data_set": "data set", "start": "from", "first": "class"}  # descriptions that are no names in Python


def test_a_sample_grid_is_one_picture_between_0_and_1():
    images = torch.stack([torch.full((1, 2, 3), value) for value in (-1.0, 0.0, 1.0, 7.0, -7.0)])
    grid = shared.sample_grid(images, per_row=3)
    assert grid.shape == (2 * 3 + 1, 3 * 4 + 1, 3)  # two rows of three, a pixel of frame around each
    assert [set(grid[1 + 3 * (i // 3), 1 + 4 * (i % 3)]) for i in range(5)] == [{0}, {0.5}, {1}, {1}, {0}]


def test_the_version_of_ipywidgets_is_the_one_meant():
    assert ipywidgets.__version__.startswith(os.environ.get("WIDGETS", "8."))


def stored_runs(**changes):
    """Two data sets, two methods, three counts, three seeds; the error tells all four."""
    rows = [(d, m, count, seed, (100 * (3 - i) - count // 2 + 10 * (d == "mnist") + seed) / 1000, "[[9, 0], [0, 9]]")
            for d in ("digits", "mnist") for i, m in enumerate(("supervised", "sgan"))
            for count in COUNTS[d == "mnist" :] for seed in range(3)]  # fmt: skip
    columns = ["dataset", "method", "n_labels", "seed", "test_error", "confusion_matrix"]
    return pd.DataFrame(rows, columns=columns).assign(**changes)


class Opened:
    """An explorer: its controls by description, its texts and pictures in their order."""

    def __init__(self, box):
        parts = [box]
        for part in parts:
            parts += getattr(part, "children", ())
        self.controls = {part.description: part for part in parts if getattr(part, "description", "")}
        self.texts, self.pictures, self.bars = ([part for part in parts if isinstance(part, kind)] for kind in (
            ipywidgets.HTML, ipywidgets.Image, ipywidgets.IntProgress))  # fmt: skip

    def choose(self, **values):
        for name, value in values.items():
            self.controls[OTHERS.get(name, name)].value = value
        return self

    def pixels(self, index=0):
        return matplotlib.image.imread(io.BytesIO(self.pictures[index].value), format="png")[..., :3]

    def train(self, then=lambda: None):
        """Press "Train now", do something, and wait for the end."""
        self.controls["Train now"].click()
        then()
        self.wait()
        assert self.controls["Stop"].disabled
        return self.texts[1].value

    def wait(self):
        while self.controls["Train now"].disabled:
            time.sleep(0.05)


@pytest.fixture
def explorer():
    opened = Opened(widgets.label_explorer(stored_runs()))
    yield opened
    opened.controls["Stop"].click()  # no run outlives a test that fails
    opened.wait()


def test_every_choice_of_the_table_is_offered_and_kept_where_the_other_data_set_has_it(explorer):
    controls = explorer.controls
    assert controls["data set"].options == ("digits", "mnist")
    assert controls["method"].options == ("supervised", "sgan")
    assert controls["labels"].options == COUNTS
    explorer.choose(method="sgan", labels=100, data_set="mnist")
    assert controls["labels"].options == COUNTS[1:]
    assert (controls["method"].value, controls["labels"].value) == ("sgan", 100)
    explorer.choose(data_set="digits", labels=20).choose(data_set="mnist")
    assert controls["labels"].value == 50


def test_the_text_gives_the_mean_the_interval_and_the_number_of_splits(explorer):
    # errors 17.5, 17.6, 17.7 %: their standard error is 0.1 / √3, and Student's t with 2 degrees of freedom 4.303
    text = explorer.choose(method="sgan", labels=50).texts[0].value
    assert not [fact for fact in ("SGAN", "50 labels", "17.60 %", "17.35 to 17.85 %", "3 splits") if fact not in text]
    assert "1 run, so no interval" in Opened(widgets.label_explorer(stored_runs()[::3])).texts[0].value
    gap = Opened(widgets.label_explorer(stored_runs().query("method != 'sgan' or n_labels > 20")))
    assert gap.choose(method="sgan").texts[0].value == "No stored run of SGAN (N+1 classes) with 20 labels."


def test_every_choice_changes_the_picture_and_coming_back_restores_it(explorer):
    shown = [explorer.pixels()]
    for choice in ({"labels": 100}, {"method": "sgan"}, {"data_set": "mnist"}):
        shown.append(explorer.choose(**choice).pixels())
        assert not np.array_equal(shown[-1], shown[-2])
    assert np.array_equal(explorer.choose(data_set="digits", method="supervised", labels=20).pixels(), shown[0])


def test_the_picture_has_the_mistakes_of_the_runs_and_the_labelled_images_of_a_run(explorer, monkeypatch):
    erring = Opened(widgets.label_explorer(stored_runs(confusion_matrix="[[6, 3], [0, 9]]")))
    columns = (erring.pixels() != explorer.pixels()).any(axis=(0, 2)).nonzero()[0] / explorer.pixels().shape[1]
    assert 0.58 < columns.min() < columns.max() < 0.77  # the panel of the confusion matrix, and nothing else
    sheets = []
    monkeypatch.setattr(shared, "sample_grid", lambda cells, _: sheets.append(cells) or np.ones((9, 9, 3)))
    explorer.choose(labels=50)
    images, labels = data.load("digits", 50, split_seed=0).labelled
    sevens = sheets[0].unflatten(0, (10, 10))[7]
    assert torch.equal(sevens, torch.cat([images[labels == 7], torch.ones(5, 1, 8, 8)]))


@pytest.mark.parametrize(("table", "complaint"), [
    (stored_runs().drop(columns=["test_error", "seed"]), "it lacks seed, test_error"),
    (stored_runs()[:0], "a run at least"), (stored_runs(dataset="moons"), "dataset of table must be one of .*moons"),
])  # fmt: skip
def test_a_table_that_cannot_be_shown_is_refused(table, complaint):
    with pytest.raises(ValueError, match=complaint):
        widgets.label_explorer(table)


def test_failed_runs_are_left_out_and_a_new_method_is_shown(explorer):
    failed = stored_runs(test_error=math.nan, confusion_matrix=math.nan)[:1]
    tables = [stored_runs(), failed, failed.assign(dataset=math.nan, method=math.nan),
              stored_runs(method="new_method", test_error=0.5)]  # fmt: skip
    both = Opened(widgets.label_explorer(pd.concat(tables)))
    assert both.texts[0].value == explorer.texts[0].value
    assert both.controls["method"].options == ("supervised", "sgan", "new_method")
    assert "new method, 20 labels</b>: test error 50.00 %" in both.choose(method="new_method").texts[0].value


@pytest.mark.parametrize(("method", "told"), [
    ("supervised", "test error {:.1f} %"), ("gan", "no test error"), ("linear", "test error {:.1f} %"),
])  # fmt: skip
def test_train_now_ends_with_the_test_error_of_that_run(monkeypatch, method, told):
    monkeypatch.setitem(networks.NETWORKS, "mlp_digits", replace(networks.NETWORKS["mlp_digits"], steps=(20, 20, 20)))
    explorer = Opened(widgets.label_explorer(stored_runs(method=method)))
    last = explorer.train()
    assert told.format(100 * (experiments.run(method, "digits", 20, seed=0).test_error or 0)) in last
    assert explorer.bars[0].value == explorer.bars[0].max == 20
    assert method == "linear" or explorer.pixels(1).std() > 0


def test_stop_ends_the_run_at_its_next_record(explorer):
    assert "stopped at step 75" in explorer.train(then=explorer.controls["Stop"].click)  # a twentieth of 1,500


def test_a_second_click_starts_no_second_run_and_what_goes_wrong_is_reported(explorer, monkeypatch):
    calls, going = [], threading.Event()

    def fail(*arguments, **keywords):
        calls.append(arguments)
        going.wait(60)
        raise RuntimeError("no room")

    monkeypatch.setattr(experiments, "prepare", fail)
    assert "RuntimeError: no room" in explorer.train(then=lambda: (explorer.controls["Train now"].click(), going.set()))
    assert len(calls) == 1


def test_the_mixture_leads_from_the_first_class_to_the_second():
    explorer = Opened(widgets.class_explorer()).choose(first=1, second=0)
    pictures = [explorer.choose(mixture=share).pixels() for share in (0.0, 0.5, 1.0)]
    assert pictures[0].shape == (2 * 29 + 1, 10 * 29 + 1, 3)
    assert count_of(0, explorer) >= 17  # by default, the generator that came with the library
    assert np.array_equal(explorer.choose(first=0, mixture=0.0).pixels(), pictures[2])
    assert np.array_equal(explorer.choose(first=1, second=8).pixels(), pictures[0])
    assert count_of(1, explorer) >= 17
    assert min(np.abs(pictures[1] - pictures[end]).mean() for end in (0, 2)) > 0.02


def count_of(digit, explorer):
    return int(re.search(rf"(\d+) × {digit}\b", explorer.texts[0].value)[1])


def test_style_and_new_change_the_latents_and_leave_the_class():
    generator = stored.conditional_generator()
    generator.classes.weight.data = generator.classes.weight.flip(0)  # class 7 is to draw a 2
    explorer = Opened(widgets.class_explorer(generator)).choose(first=7)
    pictures = [explorer.choose(style=share).pictures[0].value for share in (0.0, 0.5, 1.0)]
    explorer.controls["new"].click()
    assert len({*pictures, explorer.pictures[0].value}) == 4
    assert count_of(2, explorer) >= 15
    with pytest.raises(ValueError, match="generator must take classes"):
        widgets.class_explorer(networks.build("dcgan", (1, 28, 28), 10).generator)


@pytest.mark.parametrize(("start", "end", "n_new", "way"), [(4, 9, 0, 0.0), (1, 0, 2, 0.25), (7, 7, 1, 1.0)])
def test_above_is_the_way_between_the_codes_and_below_that_between_the_pixels(start, end, n_new, way):
    explorer = Opened(widgets.latent_explorer()).choose(start=start, to=end, way=way)
    for _ in range(n_new):
        explorer.controls["new"].click()
    images, labels = data.read("mnist").test
    pair = torch.stack([images[labels == start][n_new], images[labels == end][n_new + (start == end)]]) / 127.5 - 1
    encoder, generator = stored.bigan_pair()  # by default, those that came with the library
    weights = torch.tensor([[1, 0], [1 - way, way], [0, 1]])  # of the two ends in the three pictures of a row
    rows = torch.stack([generator(weights @ encoder(pair).latent), (weights @ pair.flatten(1)).reshape(3, 1, 28, 28)])
    sheet = torch.from_numpy(explorer.pixels()[..., 0])
    assert sheet.shape == (2 * 29 + 1, 3 * 29 + 1)
    shown = sheet[1:, 1:].unfold(0, 28, 29).unfold(1, 28, 29)
    assert (shown - (rows[:, :, 0] + 1) / 2).abs().max() < 0.01  # a PNG has 256 shades
    shares, digits = quality.digit_classifier()(rows[:, 1]).class_logits.softmax(dim=1).max(dim=1)
    seen = re.findall(r"<b>(\d)</b> \((\d+) %\)", explorer.texts[0].value)
    assert seen == [(str(int(digit)), f"{100 * share:.0f}") for digit, share in zip(digits, shares, strict=True)]
