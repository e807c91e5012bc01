"""Figures: each is returned closed, says its message, names its axes, and shows what it was given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import same_color, to_hex
from matplotlib.figure import Figure

from sgan_lib import plotting
from sgan_lib.methods import METHODS

MESSAGE = "What the figure says"
GREY = torch.linspace(-1, 1, 5).reshape(5, 1, 1, 1).expand(5, 1, 4, 4)
RGB = torch.zeros(3, 3, 4, 4)
TABLE = pd.DataFrame(
    {
        "method": ["supervised"] * 3 + ["sgan"] * 3,
        "seed": [0, 1, 2] * 2,
        "test_error": [0.2, 0.1, 0.3, 0.05, 0.07, 0.06],
    }
)
RUNS = pd.DataFrame(
    [
        {"method": method, "seed": seed, "step": step, "cpu_seconds": 60.0 * step, "test_error": error / step}
        for method, error in (("supervised", 0.4), ("sgan", 0.21), ("feature_matching", 0.2))
        for seed in range(2)
        for step in (1, 2, 4)
    ]
)
SCARCE = pd.DataFrame(
    [
        {"method": method, "n_labels": count, "test_error": error * (1 + seed) / count}
        for method, error in (("supervised", 2.0), ("sgan", 1.0))
        for count in (20, 25, 100)
        for seed in range(3)
    ]
)
PUBLISHED = pd.DataFrame([{"method": "sgan", "n_labels": 25, "test_error": 0.2, "source": "Odena 2016"}])
POINTS, FEW = torch.rand(20, 2) - 0.5, (torch.tensor([[0.5, 0.0], [-0.5, 0.0]]), torch.tensor([1, 0]))


def by_first_coordinate(points):
    return torch.sigmoid(20 * points[:, 0])


CONDITIONAL = pd.DataFrame([
    {"method": method, "n_labels": count, "seed": seed, "test_error": (2 + seed) / count,
     "sample_accuracy": 1 - (1 + seed) / count if method == "conditional_sgan" else None}
    for method in ("sgan", "conditional_sgan") for count in (20, 100, 1000) for seed in range(3)
])  # fmt: skip
BY_CLASS = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 1, 4, 5).unflatten(0, (2, 3))
MARKED = {"two": torch.tensor([[False, False, True], [False, False, False]])}
FIGURES = {
    "image_grid": lambda: plotting.image_grid(GREY, MESSAGE, per_row=3),
    "image_grid in colour": lambda: plotting.image_grid(
        RGB, MESSAGE, captions=["a", "b", "c"], marked=[True, False, True]
    ),
    "filmstrip": lambda: plotting.filmstrip({"step 1": GREY[:2], "step 2": GREY[2:4]}, MESSAGE),
    "samples_by_class": lambda: plotting.samples_by_class({"one": BY_CLASS, "two": -BY_CLASS}, MESSAGE, MARKED),
    "errors_by_method": lambda: plotting.errors_by_method(TABLE, MESSAGE),
    "curves": lambda: plotting.curves(
        {"sgan": ([1.0, 2.0], [3.0, 4.0]), "a": ([1.0, 2.0], [9.0, 5.0])}, MESSAGE, "step", "loss"
    ),
    "learning_curves": lambda: plotting.learning_curves(RUNS, MESSAGE, {"published": 3.0}),
    "errors_by_labels": lambda: plotting.errors_by_labels(SCARCE, MESSAGE, PUBLISHED),
    "conditional_samples": lambda: plotting.conditional_samples(CONDITIONAL, MESSAGE),
    "decision_regions": lambda: plotting.decision_regions(
        {"one": by_first_coordinate, "two": by_first_coordinate}, POINTS, FEW, MESSAGE, generated={"two": POINTS}
    ),
    "confusion": lambda: plotting.confusion([[5, 1], [2, 6]], ["cat", "dog"], MESSAGE),
}
AXES_NAMED = {
    "errors_by_method": ("", "test error, %"),
    "curves": ("step", "loss"),
    "learning_curves": ("steps", "test error, %"),
    "errors_by_labels": ("labelled images", "test error, %"),
    "conditional_samples": ("labelled images", "samples not of the class asked for, %"),
    "confusion": ("predicted class", "true class"),
}


@pytest.fixture(autouse=True)
def _nothing_is_shown_or_left_open(monkeypatch):
    def refuse(*_arguments, **_keywords):
        raise AssertionError("shown")

    monkeypatch.setattr(plt, "show", refuse)
    assert plt.get_fignums() == []
    with plt.rc_context():
        yield
    assert plt.get_fignums() == []


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_a_figure_is_returned_with_its_message_and_can_be_drawn(make):
    figure = make()
    assert isinstance(figure, Figure)
    assert MESSAGE in {figure.get_suptitle(), figure.axes[0].get_title(), figure.axes[0].get_title(loc="left")}
    figure.canvas.draw()  # a missing sign or a layout that fails is a warning, and so an error


@pytest.mark.parametrize(("name", "labels"), AXES_NAMED.items())
def test_axes_have_names(name, labels):
    panel = FIGURES[name]().axes[0]
    assert (panel.get_xlabel(), panel.get_ylabel()) == labels


def test_new_figure_gives_axes_by_row_and_column():
    figure, axes = plotting.new_figure(4.0, 2.0, rows=2, columns=3)
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [4.0, 2.0]


def pictures_of(figure):
    return [np.asarray(panel.images[0].get_array()) for panel in figure.axes if panel.images]


def test_images_are_mapped_from_minus_one_and_one_to_black_and_white():
    pictures = pictures_of(FIGURES["image_grid"]())
    assert [picture[0, 0] for picture in pictures] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    image = plotting.image_grid(GREY, MESSAGE).axes[0].images[0]
    assert image.get_clim() == (0, 1)  # not stretched to the range of each image
    coloured = plotting.image_grid(torch.stack([torch.tensor([-1.0, 0, 5])]).reshape(1, 3, 1, 1), MESSAGE)
    assert pictures_of(coloured)[0].tolist() == [[[0, 0.5, 1]]]


def test_captions_and_marks_belong_to_their_images():
    panels = FIGURES["image_grid in colour"]().axes[:3]
    assert [panel.get_xlabel() for panel in panels] == ["a", "b", "c"]
    red = [same_color(panel.spines["left"].get_edgecolor(), plotting.COLOURS["vermilion"]) for panel in panels]
    assert red == [True, False, True]


def test_a_filmstrip_has_a_named_row_for_each_frame():
    figure = FIGURES["filmstrip"]()
    assert [figure.axes[0].get_ylabel(), figure.axes[2].get_ylabel()] == ["step 1", "step 2"]
    assert [picture[0, 0] for picture in pictures_of(figure)] == pytest.approx([0, 0.25, 0.5, 0.75])


def test_errors_are_drawn_in_percent_with_their_means_and_joined_by_seed():
    panel = FIGURES["errors_by_method"]().axes[0]
    names = [label.get_text() for label in panel.get_xticklabels()]
    assert names == ["supervised\n20.0 %", "SGAN (N+1 classes)\n6.0 %"]
    joined = [line.get_ydata().tolist() for line in panel.lines[:3]]
    assert joined == [pytest.approx(pair) for pair in ([20, 5], [10, 7], [30, 6])]
    assert panel.get_ylim()[0] == 0


def test_curves_end_in_their_names_and_keep_a_methods_colour():
    panel = FIGURES["curves"]().axes[0]
    assert [(text.get_text(), text.xy) for text in panel.texts] == [("SGAN (N+1 classes)", (2, 4.0)), ("a", (2, 5.0))]
    assert panel.lines[0].get_color() == plotting.METHOD_STYLES["sgan"][1]
    assert panel.lines[0].get_color() != panel.lines[1].get_color()
    logarithmic = plotting.curves({"a": ([1.0], [1.0])}, MESSAGE, "x", "y", logarithmic=True)
    assert logarithmic.axes[0].get_yscale() == "log"


def test_learning_curves_show_means_against_steps_and_minutes_in_percent():
    steps, minutes = FIGURES["learning_curves"]().axes
    thick = {panel: [line for line in panel.lines if line.get_linewidth() == 2.2] for panel in (steps, minutes)}
    for panel in (steps, minutes):
        found = {line.get_color(): line.get_xydata().tolist() for line in thick[panel]}
        assert found[plotting.METHOD_STYLES["supervised"][1]] == [pytest.approx(p) for p in ([1, 40], [2, 20], [4, 10])]
        assert panel.get_yscale() == "log"
    assert [text.get_text() for text in steps.texts] == ["published"]
    names = [text.get_text() for text in minutes.texts]
    assert names == ["feature matching 5 %", "SGAN (N+1 classes) 5.2 %", "supervised 10 %", "published"]
    heights = sorted(text.xyann[1] for text in minutes.texts[:3])
    assert heights == pytest.approx([5, 6.25, 10])  # names of lines that end together stand apart


def test_a_boundary_is_drawn_where_the_probability_is_one_half():
    panel = FIGURES["decision_regions"]().axes[0]
    boundary = next(one for one in panel.collections if list(getattr(one, "levels", [])) == [0.5])
    line = boundary.get_paths()[0].vertices
    assert np.abs(line[:, 0]).max() < 0.01  # x = 0, and not y = 0
    assert np.ptp(line[:, 1]) == pytest.approx(2.2)
    assert [one.get_title() for one in FIGURES["decision_regions"]().axes] == ["one", "two"]


def test_a_confusion_matrix_shows_counts_and_colours_mistakes_only():
    panel = FIGURES["confusion"]().axes[0]
    assert [text.get_text() for text in panel.texts] == ["5", "1", "2", "6"]
    assert panel.collections[0].get_array().flatten().tolist() == [0, 1, 2, 0]
    assert [label.get_text() for label in panel.get_xticklabels()] == ["cat", "dog"]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["cat", "dog"]


def test_methods_differ_in_colour_and_in_marker():
    styles = plotting.METHOD_STYLES
    assert set(styles) >= set(METHODS)
    assert len({to_hex(styles[method][1]) for method in METHODS}) == len(METHODS)
    assert len({marker for _, _, marker in styles.values()}) == len(styles)


@pytest.mark.parametrize("place", ["figures", "sgan_lib/figures"])
def test_stored_tables_and_pictures_are_found_in_the_checkout_or_beside_the_library(monkeypatch, tmp_path, place):
    folder = tmp_path / place
    folder.mkdir(parents=True)
    TABLE.to_csv(folder / "errors.csv", index=False)
    plt.imsave(folder / "picture.png", np.linspace(0, 1, 3 * 8 * 4).reshape(3, 8, 4))
    monkeypatch.setattr(plotting, "__file__", str(tmp_path / "sgan_lib" / "plotting.py"))
    assert plotting.stored_table("errors.csv").equals(TABLE)
    figure = plotting.stored_figure("picture.png", width=4.0)
    assert figure.get_size_inches().tolist() == [4.0, 1.5]
    assert pictures_of(figure)[0].shape == (3, 8, 4)
    with pytest.raises(FileNotFoundError, match=r"no stored figure 'other\.csv' in .*figures; `make figures` draws"):
        plotting.stored_table("other.csv")


def test_the_course_style_is_set_when_asked_for():
    with plt.rc_context():
        plotting.use_course_style()
        assert plt.rcParams["axes.titlelocation"] == "left"
        assert not plt.rcParams["axes.spines.top"]


def test_errors_by_labels_shows_means_intervals_and_published_values():
    panel = plotting.errors_by_labels(SCARCE, MESSAGE, PUBLISHED).axes[0]
    (found,) = (line for line in panel.lines if line.get_marker() == "s" and len(line.get_xdata()) == 3)
    assert found.get_xdata().tolist() == [20, 25, 100]
    assert found.get_ydata() == pytest.approx([10.0, 8.0, 2.0])  # 100 · mean of 1, 2, 3 / count
    (mark,) = (line for line in panel.lines if line.get_markerfacecolor() == "none")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (25, pytest.approx(20))
    bars = panel.containers[-1].lines[2][0].get_segments()  # the last method's bars; three values: least to largest
    assert [segment[:, 1].tolist() for segment in bars] == [pytest.approx(ends) for ends in ([5, 15], [4, 12], [1, 3])]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["20", "", "100"]  # 25 would touch 20


def test_a_method_that_lacks_the_largest_count_is_named_where_its_line_ends():
    short = SCARCE[(SCARCE["method"] != "sgan") | (SCARCE["n_labels"] < 100)]
    panel = plotting.errors_by_labels(short, MESSAGE).axes[0]
    (name,) = (text for text in panel.texts if text.get_text() == plotting.METHOD_STYLES["sgan"][0])
    assert name.xy == (25, pytest.approx(8))


def test_conditional_samples_shows_the_share_of_wrong_ones_a_mark_a_run_and_a_line_through_the_means():
    figure = FIGURES["conditional_samples"]()
    marks, line = figure.axes[0].lines
    assert sorted(marks.get_ydata()) == pytest.approx(sorted(100 * n / c for c in (20, 100, 1000) for n in (1, 2, 3)))
    assert list(line.get_xdata()) == [20, 100, 1000]
    assert list(line.get_ydata()) == pytest.approx([10, 2, 0.2])
    assert [text.get_text() for text in figure.axes[0].texts] == ["10 %", "2 %", "0.2 %"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert figure.axes[1].get_ylabel() == "test error, %"


def test_each_data_set_has_a_panel_and_only_its_own_published_marks():
    both = pd.concat([SCARCE.assign(dataset="digits"), SCARCE.assign(dataset="mnist", test_error=0.1)])
    figure = plotting.errors_by_labels_of_sets(both, MESSAGE, {"mnist": PUBLISHED})
    digits, mnist = figure.axes
    assert [panel.get_title() for panel in figure.axes] == [
        "digits: 3 splits a point",
        "mnist: 3 splits a point; hollow marks: published",
    ]

    def hollow(panel):
        return [line.get_xydata().tolist() for line in panel.lines if line.get_markerfacecolor() == "none"]

    assert hollow(digits) == []
    assert hollow(mnist) == [[[25, 20.0]]]


def test_published_errors_are_fractions_under_our_names():
    """Odena's Table 1 gives accuracies, Salimans' Table 1 errors in percent."""
    mnist = plotting.published_errors("mnist").set_index(["method", "n_labels"])["test_error"]
    assert mnist["sgan", 100] == pytest.approx(0.072)
    assert mnist["supervised", 25] == pytest.approx(0.25)
    assert mnist["feature_matching", 100] == pytest.approx(0.0093)
    assert plotting.published_errors("digits").empty
    assert set(plotting.published_errors("svhn")["method"]) == {"feature_matching", "bad_gan"}


def test_samples_by_class_has_a_row_a_class_and_frames_what_is_marked():
    one, two = FIGURES["samples_by_class"]().axes
    sheet = one.images[0].get_array()
    assert sheet.shape == (2 * 5, 3 * 6)
    middles = [[sheet[5 * k + 2, 6 * i + 2] for i in range(3)] for k in range(2)]
    assert middles == [pytest.approx([0, 0.2, 0.4]), pytest.approx([0.6, 0.8, 1])]
    assert one.get_ylabel() == "class asked for"
    assert [tick.get_text() for tick in two.get_yticklabels()] == ["0", "1"]
    assert len(one.patches) == 0
    (frame,) = two.patches
    assert frame.get_bbox().bounds == pytest.approx((2 * 6 - 1, -1, 6, 5))
