"""Predictions and quizzes without a browser: what is recorded, and what stays in the stored notebook.

`make test` runs this file with ipywidgets 7.7.1 too, as test_widgets.py.
"""

import json

import pytest
from IPython.core.formatters import DisplayFormatter

from sgan_lib.course import progress, quizzes, widgets
from sgan_lib.course.widgets.choices import marked

QUESTIONS = [
    {"id": "losses", "question": "Which of `D` & `G`?", "code": "a < b", "wrap_up": True, "choices": [
        {"text": "`D` alone", "right": True, "why": "It does so."},
        {"text": "both", "right": False, "why": "G does not."}]},
    {"id": "signs", "question": "Which are even?", "several": True, "wrap_up": True, "choices": [
        {"text": str(n), "right": n % 2 == 0, "why": f"Halve {n}."} for n in (1, 2, 4)]},
]  # fmt: skip
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("SGAN_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.setattr(quizzes, "quizzes", lambda: {"sgan": {"predictions": ["modes"], "questions": QUESTIONS}})
    return tmp_path / "progress.json"


def ask(**changes):
    return widgets.predict(**{"name": "sgan.modes", "question": "How many?", "choices": ["few", "all"]} | changes)


def shown(thing):
    """What a notebook gets to show of a thing."""
    return DisplayFormatter().format(thing)[0]


def test_a_guess_is_recorded_may_be_changed_and_stands_beside_the_result(file):
    widget = ask()
    for picked, guess in (([1], "all"), ([0], "few")):
        widget.answers = {"sgan.modes": picked}
        assert json.loads(file.read_text())["predicted"] == {"sgan.modes": {"guess": guess}}
        assert widget.notes["sgan.modes"].startswith(f"Recorded: <b>{guess}</b>.")
    page = shown(widgets.reveal("sgan.modes", "all", "Since `G` can."))["text/html"]
    assert "<td>few</td><td>all</td>" in page
    assert "differs from your prediction. </b>Since <code>G</code> can." in page
    assert "was right. " in shown(widgets.reveal("sgan.modes", "few", ""))["text/html"]


def test_once_the_result_is_out_the_guess_stays(file):
    widget = ask()
    widget.answers = {"sgan.modes": [0]}
    widgets.reveal("sgan.modes", "all", "So it is.")
    widget.answers = {"sgan.modes": [1]}
    assert widget.answers == {"sgan.modes": [0]}
    assert json.loads(file.read_text())["predicted"] == {"sgan.modes": {"guess": "few", "result": "all"}}
    again = ask()  # the notebook is opened anew
    assert again.answers == {"sgan.modes": [0]}
    assert again.notes == {"sgan.modes": "You predicted <b>few</b>. The result is out: all."}


def test_a_number_has_bounds_and_a_unit():
    widget = ask(choices=(), number=(0, 100), unit="%")
    assert "A number from 0 to 100 %." in shown(widget)["text/html"]
    widget.answers = {"sgan.modes": 12.5}
    assert "<td>12.5 %</td><td>40 %</td>" in shown(widgets.reveal("sgan.modes", 40, "So it is."))["text/html"]
    assert ask(choices=(), number=(0, 100), unit="%").answers == {"sgan.modes": 12.5}
    assert ask().answers == {}  # the question has changed since
    for wrong in ({"choices": ()}, {"number": (0, 1)}):
        with pytest.raises(ValueError, match="give either choices or number"):
            ask(**wrong)


def test_without_a_prediction_the_result_is_shown_and_none_is_recorded(file):
    text = shown(widgets.reveal("sgan.modes", "all", "So it is."))["text/plain"]
    assert text.startswith("Result: all. So it is.\nYou have recorded no prediction here.")
    assert not file.exists()


def test_answers_of_a_quiz_are_graded_and_kept(file):
    widget = widgets.quiz("sgan")
    widget.answers = {"sgan.losses": [1]}
    widget.answers = widget.answers | {"sgan.signs": [2, 1]}
    kept = json.loads(file.read_text())["answered"]
    assert kept == {"sgan.losses": {"picked": [1], "right": False}, "sgan.signs": {"picked": [2, 1], "right": True}}
    assert set(widget.notes) == set(kept)
    assert widgets.quiz("sgan", "losses").answers == {"sgan.losses": [1]}
    assert progress.read()["answered"] == kept


def test_what_is_stored_says_the_same_without_a_kernel():
    first, again = (shown(widgets.quiz("sgan", "losses")) for _ in range(2))
    assert first[VIEW] != again[VIEW]
    page = first["text/html"]
    assert page == again["text/html"]
    question, folded = page.split("<details><summary>Answer</summary>")
    assert "Which of <code>D</code> &amp; <code>G</code>?</p><pre>a &lt; b</pre>" in question
    assert "<li>both</li>" in question
    assert "does" not in question
    assert "<li><b>Right.</b> It does so.</li><li><b>Not right.</b> G does not.</li>" in folded
    assert first["text/plain"].splitlines()[:2] == ["Question. Which of D & G?", "a < b"]


def test_a_question_is_text_and_never_markup():
    assert marked("`a<b>` <script>") == "<code>a&lt;b&gt;</code> &lt;script&gt;"
