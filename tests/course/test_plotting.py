"""Figures: each is returned closed, says its message, names its axes, and shows what it was given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex

from sgan_lib.course import plotting, stored

GREY = torch.linspace(-1, 1, 5).reshape(5, 1, 1, 1).expand(5, 1, 4, 4)
RGB = torch.tensor([[-1.0, 0, 5], [0, 0, 0], [1, 1, 1]])[:, :, None, None].expand(3, 3, 4, 4)
BY_CLASS = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 1, 4, 5).unflatten(0, (2, 3))
# errors with 100 labels: 2, 4, 6 %; 1, 2, 3 %; 1.05, 2.1, 3.15 %
RUNS = pd.DataFrame([
    {"method": method, "seed": seed, "n_labels": n, "step": n, "cpu_seconds": 60.0 * n, "dataset": "digits",
     "test_error": error * (1 + seed) / n, "sample_accuracy": 1 - (1 + seed) / n if error == 1 else None}
    for method, error in (("conditional_sgan", 1.0), ("supervised", 2.0), ("new_method", 1.05))
    for n in (20, 25, 100) for seed in range(3)
])  # fmt: skip
LAST = RUNS[RUNS["n_labels"] == 100]
FIVE = pd.DataFrame({"method": "supervised", "seed": range(5), "n_labels": 20,
                     "test_error": [0.05, 0.01, 0.08, 0.02, 0.04]})  # fmt: skip
BOUNDS = [4 - 2.776 * 1.5**0.5, 4 + 2.776 * 1.5**0.5]  # their t-interval by hand: 4 degrees of freedom, variance 7.5
PUBLISHED = pd.DataFrame({"method": ["sgan", "unheard_of"], "n_labels": [25, 100], "test_error": [0.2, 0.1]})
POINTS, FEW = torch.zeros(20, 2), (torch.tensor([[0.5, 0.0], [-0.5, 0.0]]), torch.tensor([1, 0]))
PANELS = dict.fromkeys(["one", "two"], lambda points: torch.sigmoid(20 * points[:, 0]))
LINES = {"sgan": ([1.0, 2.0], [3.0, 4.0]), "new_method": ([1.0, 2.0], [9.0, 5.0])}
BY_LABELS, BY_COUNT = ("labelled images", "test error, %"), [[20, 20], [25, 16], [100, 4]]  # supervised, in percent

# function -> its arguments but for the title, the names of its first axes, its other arguments
FIGURES = {
    "game_losses": ([[(1.0, 2.0), (3.0, 4.0), (5.0, 9.0)]], ("round", "loss, means of 1 rounds"), {}),
    "gan_scheme": ([], ("", ""), {}),
    "sgan_scheme": ([], ("", ""), {}),
    "snapshots": ([{"slow": {"early": POINTS, "late": POINTS}}, POINTS[:8]], ("", "slow"), {}),
    "image_grid": ([RGB], ("a", ""), {"captions": ["a", "b", "c"]}),
    "filmstrip": ([{"1": GREY[:2], "2": GREY[2:4]}], ("", "1"), {}),
    "latent_pairs": ([{"one": (GREY, torch.linspace(-1, 1, 50).view(5, 10))}], ("", "one"), {}),
    "samples_by_class": ([{"one": BY_CLASS, "two": -BY_CLASS}], ("", "class asked for"), {}),
    "errors_by_method": ([LAST], ("", "test error, %"), {}),
    "paired_differences": ([{"five": [1.0, 2, 3, 4, 5], "none": [-1.0, 1, -2, 2, 0], "two": [3.0, 4]}],
                           ("before − after", ""), {"x": "before − after"}),
    "curves": ([LINES], ("step", "loss"), {"x": "step", "y": "loss"}),
    "errors_by_labels": ([RUNS], BY_LABELS, {"published": PUBLISHED}),
    "errors_in_rows": ([{"SGAN": [2.0, 4.0], "pixels": [20.0]}], ("test error, %", ""), {"strong": ["SGAN"]}),
    "errors_in_panels": (
        [pd.concat([RUNS, RUNS.assign(dataset="mnist", test_error=0.1)])], ("", "digits\ntest error, %"),
        {"simple": "new_method", "published": PUBLISHED.assign(dataset="mnist", method="supervised"),
         "longer": LAST.query("method == 'supervised'")}),
    "decision_regions": ([PANELS, POINTS, FEW], ("", ""), {"generated": {"two": POINTS}, "real": ["two"]}),
    "confusion": ([[[5, 1], [2, 6]], ["cat", "dog"]], ("predicted class", "true class"), {}),
}  # fmt: skip


def drawn(name):
    arguments, _, others = FIGURES[name]
    return getattr(plotting, name)(*arguments, title="A message", **others)


def texts(labels):
    return [label.get_text() for label in labels]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_returned_closed_with_its_message_and_the_names_of_its_axes(name):
    with plt.rc_context():
        plotting.use_course_style()
        figure = drawn(name)
        figure.canvas.draw()  # a missing sign or a layout that fails is a warning, and so an error
    assert plt.get_fignums() == []
    panel = figure.axes[0]
    assert "A message" in {figure.get_suptitle(), panel.get_title(loc="left")}
    assert (panel.get_xlabel(), panel.get_ylabel()) == FIGURES[name][1]


def test_images_are_mapped_from_minus_one_and_one_to_black_and_white():
    grey, strip = plotting.image_grid(GREY, "A message", per_row=3).axes, drawn("filmstrip").axes
    shades = [[panel.images[0].get_array()[0, 0] for panel in panels if panel.images] for panels in (grey, strip)]
    assert shades == [pytest.approx([0, 0.25, 0.5, 0.75, 1]), pytest.approx([0, 0.25, 0.5, 0.75])]
    assert grey[0].images[0].get_clim() == (0, 1)  # not stretched to the range of each image
    assert [panel.get_ylabel() for panel in strip] == ["1", "", "2", ""]
    panels = drawn("image_grid").axes[:3]
    assert panels[0].images[0].get_array()[0, 0].tolist() == [0, 0.5, 1]
    assert [panel.get_xlabel() for panel in panels] == ["a", "b", "c"]


def test_samples_by_class_has_a_row_a_class():
    one, two = drawn("samples_by_class").axes
    sheet = one.images[0].get_array()
    assert sheet.shape == (2 * 5, 3 * 6)
    assert sheet[2::5, 2::6].tolist() == [pytest.approx([0, 0.2, 0.4]), pytest.approx([0.6, 0.8, 1])]
    assert (two.get_title(), texts(two.get_yticklabels())) == ("two", ["0", "1"])


def test_errors_are_drawn_in_percent_with_their_means_and_joined_by_seed():
    panel = drawn("errors_by_method").axes[0]
    assert texts(panel.get_xticklabels()) == ["supervised\n4.0 %", "conditional SGAN\n2.00 %", "new method\n2.1 %"]
    assert np.allclose([line.get_ydata() for line in panel.lines[:3]], [[2 * k, k, 1.05 * k] for k in (1, 2, 3)])
    assert np.allclose(panel.collections[0].get_offsets(), [[0, 2], [0, 4], [0, 6]])  # supervised, a mark a run
    assert panel.get_ylim()[0] == 0
    drawn_heights = [y for line in panel.lines[3:] for y in line.get_ydata()]
    assert [y for y in drawn_heights if y == y] == pytest.approx([4, 2, 2.1])  # the means; of three runs no interval
    panel = plotting.errors_by_method(FIVE, "A message").axes[0]
    drawn_heights = [y for line in panel.lines[5:] for y in line.get_ydata()]
    assert [min(drawn_heights), max(drawn_heights)] == pytest.approx(BOUNDS, abs=1e-3)


def test_paired_differences_have_an_interval_from_five_pairs_on_hollow_where_it_covers_zero():
    panel = drawn("paired_differences").axes[0]
    assert texts(panel.get_yticklabels()) == ["five", "none", "two"]
    half = 2.776 * 0.5**0.5  # of five pairs with variance 2.5
    told = [
        f"5 pairs: 3.0 ({3 - half:.1f} to {3 + half:.1f})",
        f"5 pairs: 0.00 (−{half:.2f} to {half:.2f})",
        "2 pairs: 3.5",
    ]
    assert texts(panel.texts) == told
    means = [bar.lines[0] for bar in panel.containers]
    assert [(line.get_xdata()[0], line.get_markerfacecolor()) for line in means] == [(3, "black"), (0, "white")]


def test_a_scheme_of_two_heads_has_a_logit_more():
    one, two = (texts(plotting.sgan_scheme("A message", two_heads=both).axes[0].texts) for both in (False, True))
    assert "K logits" in set(one) & set(two)
    assert "1 logit" in set(two) - set(one)


def test_curves_end_in_their_names_and_keep_a_methods_colour():
    panel = drawn("curves").axes[0]
    assert {text.get_text(): text.xy for text in panel.texts} == {"SGAN (N+1 classes)": (2, 4), "new_method": (2, 5)}
    assert panel.lines[0].get_color() == plotting.METHOD_STYLES["sgan"][1] != panel.lines[1].get_color()


def test_the_losses_of_a_game_are_means_of_rounds_and_the_undecided_values_dotted():
    history = [(1.0, 2.0), (3.0, 4.0), (5.0, 8.0), (7.0, 8.0), (2.0, 9.0)]
    panel = plotting.game_losses(history, "A message", points=2).axes[0]
    lines = [line.get_xydata().tolist() for line in panel.lines if line.get_linestyle() == "-"]
    assert lines == [[[2, 2], [4, 6], [5, 2]], [[2, 3], [4, 8], [5, 9]]]
    dotted = [line.get_ydata()[0] for line in panel.lines if line.get_linestyle() == ":"]
    assert dotted == pytest.approx([1.3863, 0.6931], abs=1e-4)


def test_errors_by_labels_shows_means_published_values_and_names_where_lines_end():
    panel = drawn("errors_by_labels").axes[0]
    curve = next(line for line in panel.lines if line.get_marker() == "o" and len(line.get_xdata()) == 3)
    assert np.allclose(curve.get_xydata(), BY_COUNT)
    assert texts(panel.get_xticklabels()) == ["20", "", "100"]  # 25 would touch 20
    assert texts(panel.get_yticklabels()) == ["1", "2", "5", "10", "20"]
    assert len(panel.yaxis.get_minorticklocs()) == 0
    assert texts(panel.texts) == ["supervised", "conditional SGAN", "new method"]
    short = RUNS[(RUNS["method"] != "new_method") | (RUNS["n_labels"] < 100)]
    ends = {text.get_text(): text.xy for text in plotting.errors_by_labels(short, "A message").axes[0].texts}
    assert np.allclose([ends["supervised"], ends["new method"]], [(100, 4), (25, 8.4)])


def test_each_method_has_a_panel_with_the_simple_baseline_published_and_longer_runs():
    digits, _, mnist, _ = drawn("errors_in_panels").axes  # supervised and conditional SGAN on each
    own = [line for line in digits.lines if line.get_marker() == "o"]
    assert np.allclose(own[0].get_xydata(), BY_COUNT)
    dashed = next(line for line in digits.lines if line.get_linestyle() == "--")
    assert np.allclose(dashed.get_xydata(), [[20, 10.5], [25, 8.4], [100, 2.1]])
    [star] = [line for line in digits.lines if line.get_marker() == "*"]
    assert np.allclose(star.get_xydata(), [[100, 4]])
    [hollow] = [line for line in mnist.lines if line.get_fillstyle() == "none" and len(line.get_xdata())]
    assert np.allclose(hollow.get_xydata(), [[25, 20], [100, 10]])
    assert not any(len(line.get_xdata()) for line in mnist.lines if line.get_marker() == "*")


def test_errors_by_labels_shows_the_runs_where_they_are_few_and_else_an_interval():
    few, enough = (plotting.errors_by_labels(table, "A message").axes[0] for table in (RUNS, FIVE))
    marks = few.collections[1].get_offsets()  # supervised; the bars that are not drawn come before
    assert np.allclose(sorted(map(tuple, marks)), [(20, 10), (20, 20), (20, 30), (25, 8), (25, 16), (25, 24),
                                                   (100, 2), (100, 4), (100, 6)])  # fmt: skip
    [bar] = enough.containers[0].lines[2][0].get_segments()
    assert bar[:, 1].tolist() == pytest.approx(BOUNDS, abs=1e-3)
    assert len(enough.collections[1].get_offsets()) == 0


def test_a_boundary_is_drawn_where_the_probability_is_one_half():
    one, two = drawn("decision_regions").axes
    boundary = next(part for part in one.collections if list(getattr(part, "levels", [])) == [0.5])
    across, up = boundary.get_paths()[0].vertices.T
    assert np.abs(across).max() < 0.01 < np.ptp(up)  # x = 0, and not y = 0
    marks = [part for part in two.collections if type(part).__name__ == "PathCollection"]
    assert (two.get_title(), [len(part.get_offsets()) for part in marks]) == ("two", [20, 20, 1, 1])


def test_a_confusion_matrix_shows_counts_and_colours_mistakes_only():
    panel = drawn("confusion").axes[0]
    assert texts(panel.texts) == ["5", "1", "2", "6"]
    assert panel.collections[0].get_array().flatten().tolist() == [0, 1, 2, 0]
    assert texts(panel.get_xticklabels()) == texts(panel.get_yticklabels()) == ["cat", "dog"]


def test_methods_differ_in_colour_and_in_marker_and_so_does_one_without_a_style():
    styles = [plotting.METHOD_STYLES[method] for method in [*plotting.METHOD_STYLES, "new_method"]]
    assert len({to_hex(colour) for _, colour, _ in styles}) == len({marker for *_, marker in styles}) == len(styles)
    assert plotting.methods_in(["z", "sgan", "b", "supervised", "z"]) == ["supervised", "sgan", "b", "z"]


@pytest.mark.parametrize("folder", ["figures", "sgan_lib/figures"])
def test_stored_tables_and_pictures_are_found_in_the_checkout_or_in_the_package(monkeypatch, tmp_path, folder):
    (tmp_path / folder).mkdir(parents=True)
    LAST.to_csv(tmp_path / folder / "errors.csv", index=False)
    plt.imsave(tmp_path / folder / "picture.png", np.linspace(0, 1, 3 * 8 * 4).reshape(3, 8, 4))
    monkeypatch.setattr(stored, "__file__", str(tmp_path / "sgan_lib" / "course" / "stored.py"))
    assert stored.stored_table("errors.csv")["test_error"].tolist() == LAST["test_error"].tolist()
    figure = plotting.stored_figure("picture.png", width=4.0)
    assert (*figure.get_size_inches(), *figure.axes[0].images[0].get_array().shape) == (4.0, 1.5, 3, 8, 4)
    with pytest.raises(FileNotFoundError, match=r"'other\.csv' of figures"):
        stored.stored_table("other.csv")


def test_published_errors_are_fractions_under_our_names():
    mnist = stored.published_errors("mnist").set_index(["method", "n_labels"])["test_error"]
    assert mnist["sgan", 100] == pytest.approx(0.072)  # Odena's Table 1 gives accuracies
    assert mnist["feature_matching", 100] == pytest.approx(0.0093)  # Salimans' Table 1 gives errors in percent
    assert set(stored.published_errors("svhn")["method"]) == {"feature_matching", "bad_gan"}


def test_bytes_are_drawn_as_the_images_that_they_are():
    bytes_ = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    figures = [plotting.image_grid(images, "one", per_row=1) for images in (bytes_, bytes_ / 127.5 - 1)]
    drawn = [figure.axes[0].images[0].get_array() for figure in figures]
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-6)
    assert (drawn[0].min(), drawn[0].max()) == (0, 1)
    for other in (bytes_.float(), bytes_[0]):
        with pytest.raises(ValueError, match="images must "):
            plotting.image_grid(other, "none", per_row=1)


def test_a_confusion_matrix_takes_any_names_and_many_classes():
    names = ["cost $5 and $6", "a name of very many letters indeed", *map(str, range(35))]
    figure = plotting.confusion(np.eye(37, dtype=int).tolist(), names, "mistakes")
    figure.canvas.draw()
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == [r"cost \$5 and \$6", "a name of very …"]
    assert figure.get_size_inches()[0] > 10
    strip = plotting.filmstrip({"$5 or $6": GREY, "a" * 40: GREY}, "rows")
    strip.canvas.draw()
    assert [panel.get_ylabel() for panel in strip.axes if panel.get_ylabel()] == [r"\$5 or \$6", "a" * 23 + "…"]
