"""The explorers without a browser: what their controls show, and what their buttons do.

`make test` runs this file twice: with the installed ipywidgets, and with version 7.7.1, which Colab has.
"""

import io
import json
import math
import os
import re
import threading
import time
from types import SimpleNamespace

import ipywidgets
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sgan_lib import data, experiments, models, widgets


def test_the_version_of_ipywidgets_is_the_one_meant():
    assert ipywidgets.__version__.startswith(os.environ.get("WIDGETS", "8."))


COUNTS = (20, 50, 100)


def stored_runs() -> pd.DataFrame:
    """Two data sets, two methods, three counts, three seeds; the error tells all four."""
    rows = []
    for d, dataset in enumerate(("digits", "mnist")):
        for m, method in enumerate(("supervised", "sgan")):
            for count in COUNTS if dataset == "digits" else COUNTS[1:]:
                for seed in range(3):
                    wrong = 100 * (3 - m) - count // 2 + 10 * d + seed
                    matrix = np.diag(np.full(10, 100))
                    matrix[3, 3], matrix[3, 8] = 100 - seed - 1, seed + 1
                    run = {"dataset": dataset, "method": method, "n_labels": count, "seed": seed}
                    found = {"test_error": wrong / 1000, "confusion_matrix": json.dumps(matrix.tolist())}
                    rows.append(run | found)
    return pd.DataFrame(rows)


@pytest.fixture
def explorer():
    return widgets.label_explorer(stored_runs())


def parts(explorer):
    """The controls by name, the sentence, the picture."""
    dataset, method, labels = explorer.children[0].children
    return {"dataset": dataset, "method": method, "labels": labels}, explorer.children[1], explorer.children[2]


def pixels(picture):
    return matplotlib.image.imread(io.BytesIO(picture.value), format="png")


def test_every_choice_of_the_table_is_offered_and_no_other(explorer):
    controls, _, _ = parts(explorer)
    assert controls["dataset"].options == ("digits", "mnist")
    assert controls["method"].options == ("supervised", "sgan")
    assert controls["labels"].options == COUNTS
    controls["dataset"].value = "mnist"
    assert controls["labels"].options == COUNTS[1:]


def test_the_sentence_gives_the_mean_the_interval_and_the_number_of_splits(explorer):
    controls, said, _ = parts(explorer)
    controls["method"].value, controls["labels"].value = "sgan", 50
    # errors 17.5, 17.6, 17.7 %; three values: the percentile interval of the mean is from the least to the largest
    assert "SGAN" in said.value
    assert "50 labels" in said.value
    assert "17.60 %, 95 % interval 17.50 to 17.70 % (3 splits)" in said.value


def test_a_single_run_has_no_interval():
    one = widgets.label_explorer(stored_runs().query("seed == 0"))
    assert "1 run, so no interval" in parts(one)[1].value


def test_a_point_without_a_run_says_so_and_keeps_the_curves():
    table = stored_runs().query("not (method == 'sgan' and n_labels == 20)")
    explorer = widgets.label_explorer(table)
    controls, said, picture = parts(explorer)
    controls["labels"].value = 100
    full = pixels(picture)
    controls["method"].value, controls["labels"].value = "sgan", 20
    assert said.value == "No stored run of SGAN (N+1 classes) with 20 labels."
    assert pixels(picture).shape == full.shape


def test_every_choice_changes_the_picture_and_coming_back_restores_it(explorer):
    controls, _, picture = parts(explorer)
    first = pixels(picture)
    for name, value in (("labels", 100), ("method", "sgan"), ("dataset", "mnist")):
        before = pixels(picture)
        controls[name].value = value
        assert not np.array_equal(pixels(picture), before)
    for name, value in (("dataset", "digits"), ("method", "supervised"), ("labels", 20)):
        controls[name].value = value
    assert np.array_equal(pixels(picture), first)


def test_the_choice_is_kept_where_the_other_data_set_has_it(explorer):
    controls, _, _ = parts(explorer)
    controls["method"].value, controls["labels"].value = "sgan", 100
    controls["dataset"].value = "mnist"
    assert (controls["method"].value, controls["labels"].value) == ("sgan", 100)


def test_a_table_that_lacks_columns_is_refused_by_name():
    with pytest.raises(ValueError, match="it lacks test_error, confusion_matrix"):
        widgets.label_explorer(stored_runs().drop(columns=["test_error", "confusion_matrix"]))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda runs: runs[:0], "table must hold a run at least"),
        (lambda runs: runs.assign(dataset="moons"), "the dataset of table must be one of .*; got moons"),
        (lambda runs: runs.assign(method="magic"), "the method of table must be one of .*; got magic"),
    ],
)
def test_a_table_that_cannot_be_shown_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        widgets.label_explorer(change(stored_runs()))


def test_runs_of_a_sweep_that_failed_are_left_out():
    runs = stored_runs()
    failed = runs[:1].assign(seed=999, test_error=math.nan, confusion_matrix=math.nan)
    damaged = failed.assign(dataset=math.nan, method=math.nan)
    controls, said, _ = parts(widgets.label_explorer(pd.concat([runs, failed, damaged])))
    whole, same, _ = parts(widgets.label_explorer(runs))
    for chosen in controls["method"].options:
        controls["method"].value = whole["method"].value = chosen
        assert said.value == same.value


# --- "Train now"


def live(explorer):
    train, stop, bar, said = explorer.children[3].children[0].children
    return train, stop, bar, said, explorer.children[3].children[1]


def wait_until(holds, seconds=60):
    for _ in range(seconds * 20):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.fixture
def short(monkeypatch):
    """Runs of 20 steps."""
    run = experiments.run
    monkeypatch.setattr(experiments, "run", lambda *args, **given: run(*args, steps=20, **given))


def test_train_now_ends_with_the_test_error_of_that_run(explorer, short):
    train, stop, bar, said, picture = live(explorer)
    train.click()
    wait_until(lambda: not train.disabled)
    expected = experiments.run("supervised", "digits", 20, seed=0, preset="quick").test_error
    assert f"test error {100 * expected:.1f} %" in said.value
    assert bar.value == bar.max
    assert stop.disabled
    assert pixels(picture).std() > 0


def test_stop_ends_the_run_and_another_can_start(explorer):
    train, stop, _, said, _ = live(explorer)
    train.click()
    assert train.disabled
    assert not stop.disabled
    stop.click()
    wait_until(lambda: not train.disabled)
    assert "stopped at step" in said.value


def test_a_second_click_starts_no_second_run(explorer, monkeypatch):
    calls, going = [], threading.Event()

    def wait(*args, **given):
        calls.append(args)
        going.wait(60)
        return SimpleNamespace(test_error=None, seconds=1.0)

    monkeypatch.setattr(experiments, "run", wait)
    train, _, _, said, _ = live(explorer)
    train.click()
    train.click()
    going.set()
    wait_until(lambda: not train.disabled)
    assert len(calls) == 1
    assert "no test error after 1 s" in said.value  # and not 0.0 %


def test_what_goes_wrong_is_said(explorer, monkeypatch):
    def fail(*args, **given):
        raise RuntimeError("no room")

    monkeypatch.setattr(experiments, "run", fail)
    train, stop, _, said, _ = live(explorer)
    train.click()
    wait_until(lambda: not train.disabled)
    assert "RuntimeError: no room" in said.value
    assert stop.disabled


# --- the class explorer


class Digits(models.Generator):
    """A generator that is right by design: z holds a shade, the class's vector holds a digit of the training set."""

    def __init__(self):
        super().__init__(28 * 28, uniform=False)
        self.layers = nn.Sequential(nn.Unflatten(1, (1, 28, 28)), nn.Hardtanh())
        self.take_classes(10)
        images, labels = data.read("mnist").train
        first = [int((labels == digit).nonzero()[0]) for digit in range(10)]
        self.classes.weight.data.copy_(data.as_images(images[first]).flatten(1))

    def latent(self, n, generator=None):
        return 0.05 * super().latent(n, generator)


@pytest.fixture
def classes():
    explorer = widgets.class_explorer(Digits())
    (first, second, new), (mixture, style) = (row.children for row in explorer.children[:2])
    said, picture = explorer.children[2:]
    return SimpleNamespace(first=first, second=second, new=new, mixture=mixture, style=style, said=said,
                           picture=picture)  # fmt: skip


def seen_by_the_judge(classes):
    return re.search("<b>(.*)</b>", classes.said.value)[1]


def test_the_picture_shows_the_class_and_the_sentence_what_the_classifier_sees(classes):
    for digit in (3, 0, 7):
        classes.first.value = digit
        assert seen_by_the_judge(classes) == f"20 × {digit}"
    assert pixels(classes.picture).shape[:2] == (2 * 29 + 1, 10 * 29 + 1)


def test_the_mixture_leads_from_the_first_class_to_the_second(classes):
    classes.first.value, classes.second.value = 1, 0
    pictures = []
    for share in (0.0, 0.5, 1.0):
        classes.mixture.value = share
        pictures.append(pixels(classes.picture)[..., :3])
    assert seen_by_the_judge(classes) == "20 × 0"
    assert np.abs((pictures[0] + pictures[2]) / 2 - pictures[1]).mean() < 0.02
    assert np.abs(pictures[0] - pictures[2]).mean() > 0.1


def test_style_and_new_change_the_latents_and_leave_the_class(classes):
    classes.first.value = 7
    shown = [classes.picture.value]
    for share in (0.5, 1.0):
        classes.style.value = share
        shown.append(classes.picture.value)
    classes.new.click()
    shown.append(classes.picture.value)
    assert len(set(shown)) == 4
    assert seen_by_the_judge(classes) == "20 × 7"


def test_a_generator_that_takes_no_classes_has_nothing_to_explore():
    with pytest.raises(ValueError, match="generator must take classes, as that of method conditional_sgan does"):
        widgets.class_explorer(models.build("dcgan", (1, 28, 28), 10).generator)


def test_the_explorer_opens_with_the_shipped_generator():
    said = widgets.class_explorer().children[2].value
    assert int(re.search(r"(\d+) × 3\b", said)[1]) >= 17


# --- the latent explorer


class SameEncoder(models.Encoder):
    """The code of an image is the image."""

    def __init__(self):
        nn.Module.__init__(self)

    def forward(self, images):
        return models.EncoderOutput(images.flatten(1), images.flatten(1))


class Cubed(models.Generator):
    """Draws the cube of each number of its code, so that what lies between two codes is no mixture of pixels."""

    def __init__(self):
        super().__init__(28 * 28, uniform=True, low=-1.0)
        self.weight = nn.Parameter(torch.zeros(1))  # says on which device it is

    def forward(self, latent, classes=None):
        return (latent**3).unflatten(1, (1, 28, 28))


@pytest.fixture
def latents():
    explorer = widgets.latent_explorer(models.EncoderGenerator(SameEncoder(), Cubed()))
    choices, way, said, picture = explorer.children
    first, second, new = choices.children
    return SimpleNamespace(first=first, second=second, new=new, way=way, said=said, picture=picture)


def tiles(latents):
    """The six pictures, [2, 3, 28, 28], in [0, 1]."""
    sheet = torch.from_numpy(pixels(latents.picture)[..., 0])
    assert sheet.shape == (2 * 29 + 1, 3 * 29 + 1)
    return sheet[1:, 1:].unfold(0, 28, 29).unfold(1, 28, 29)


def digit_image(digit, place):
    images, labels = data.read("mnist").test
    return images[labels == digit][place, 0] / 255


def close(shown, wanted):
    return (shown - wanted).abs().max() < 0.01  # a PNG has 256 shades


@pytest.mark.parametrize("way", [0.0, 0.25, 1.0])
def test_above_is_the_way_between_the_codes_and_below_that_between_the_pixels(latents, way):
    latents.first.value, latents.second.value, latents.way.value = 4, 9, way
    ends = digit_image(4, 0), digit_image(9, 0)
    between = (1 - way) * ends[0] + way * ends[1]
    for shown, wanted in zip(tiles(latents)[1], (ends[0], between, ends[1]), strict=True):
        assert close(shown, wanted)
    for shown, wanted in zip(tiles(latents)[0], (ends[0], between, ends[1]), strict=True):
        assert close(shown, ((2 * wanted - 1) ** 3 + 1) / 2)


def test_the_sentence_names_what_the_classifier_sees_on_the_way(latents):
    latents.first.value, latents.second.value = 1, 0
    for way, digit in ((0.0, "1"), (1.0, "0")):
        latents.way.value = way
        seen = re.findall(r"<b>(\d)</b> \((\d+) %\)", latents.said.value)
        assert [answer for answer, _ in seen] == [digit, digit]
        assert all(int(share) > 90 for _, share in seen)


def test_new_takes_the_next_image_of_each_class_and_one_class_has_two(latents):
    latents.first.value, latents.second.value = 7, 7
    assert close(tiles(latents)[1, 0], digit_image(7, 0))
    assert close(tiles(latents)[1, 2], digit_image(7, 1))
    latents.second.value = 2
    latents.new.click()
    assert close(tiles(latents)[1, 0], digit_image(7, 1))
    assert close(tiles(latents)[1, 2], digit_image(2, 1))


def test_by_default_the_latent_explorer_has_the_pair_that_came_with_the_library():
    explorer = widgets.latent_explorer()
    encoder, generator = models.bigan_pair()
    image = 2 * digit_image(0, 0)[None, None] - 1  # the choice at the start
    again = generator(encoder(image).latent)[0, 0]
    assert close(tiles(SimpleNamespace(picture=explorer.children[-1]))[0, 0], (again + 1) / 2)
