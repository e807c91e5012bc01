"""What the learner does is remembered: in a file of the learner's own, across kernels, and never lost in silence."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from sgan_lib import data
from sgan_lib.course import exercises, progress, quizzes, widgets
from sgan_lib.course.exercises import overview
from sgan_lib.runtime import write_whole


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "made" / "progress.json"
    monkeypatch.setenv("SGAN_PROGRESS", str(path))
    return path


@pytest.fixture
def small_course(file, monkeypatch):
    """Two notebooks: two exercises, a prediction and two questions in the first, an exercise in the second."""
    quiz = {"predictions": ["modes"], "questions": [{"id": "losses"}, {"id": "signs"}]}
    monkeypatch.setattr(overview, "quizzes", lambda: {"sgan": quiz})
    monkeypatch.setattr(overview, "NOTEBOOKS", {"sgan": "03_sgan", "bigan": "06_bigan"})
    monkeypatch.setattr(overview, "CHECKERS", dict.fromkeys(["sgan.a", "sgan.b", "bigan.a"], lambda answer: None))


def rows(table):
    return {title: list(row) for title, row in table.iterrows()}


def test_the_table_counts_what_is_there_and_reset_forgets_one_notebook_or_all(small_course, capsys):
    for kind, name in (
        ("solved", "sgan.a"),
        ("solved", "bigan.a"),
        ("solved", "sgan.of_old"),
        ("answered", "sgan.signs"),
    ):
        progress.record(kind, name)
    table = exercises.progress()
    assert list(table.columns) == ["solved", "predicted", "answered", "done"]
    assert rows(table) == {"03_sgan": ["1 of 2", "0 of 1", "1 of 2", "40 %"], "06_bigan": ["1 of 1", "–", "–", "100 %"],
                           "all": ["2 of 3", "0 of 1", "1 of 2", "50 %"]}  # fmt: skip
    exercises.reset("03_sgan")
    assert [row[-1] for row in rows(exercises.progress()).values()] == ["0 %", "100 %", "16 %"]
    exercises.reset()
    assert set(exercises.progress()["done"]) == {"0 %"}
    assert capsys.readouterr().out.count("is reset") == 2
    with pytest.raises(ValueError, match="notebook must be one of 03_sgan, 06_bigan; got 'sgan'"):
        exercises.reset("sgan")


def test_only_right_answers_are_recorded(file, monkeypatch, capsys):
    monkeypatch.setitem(exercises.CHECKERS, "sgan.seven", lambda answer: None if answer == 7 else "it is not seven")
    for answer in (6, None):
        exercises.check("sgan.seven", answer)
    assert not file.exists()
    exercises.check("sgan.seven", 7)
    assert json.loads(file.read_text())["solved"] == {"sgan.seven": {}}
    assert sorted(path.name for path in file.parent.iterdir()) in (
        ["progress.json"],
        ["progress.json", "progress.json.lock"],
    )


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"solved": 3}', b'{"solved": {"a": 3}}', b"\xff\xfe"])
def test_a_damaged_file_is_named_and_put_aside(file, content, capsys):
    file.parent.mkdir()
    for count in (1, 2):
        file.write_bytes(content)
        progress.record("solved", "sgan.a")
        aside = file.with_name(f"progress.damaged-{count}.json")
        assert f"It is kept as {aside}" in capsys.readouterr().out
        assert aside.read_bytes() == content
        assert progress.read()["solved"] == {"sgan.a": {}}


@pytest.mark.parametrize("place", ["file/progress.json", "p" * 300, "full/progress.json"])
def test_where_the_file_cannot_be_written_the_kernel_remembers_until_it_can(place, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(progress, "_unwritten", [])
    monkeypatch.setenv("SGAN_PROGRESS", str(tmp_path / place))
    if place.startswith("full"):
        progress.record("answered", "sgan.q")
        monkeypatch.setattr(progress, "write_whole", MagicMock(side_effect=OSError("No space left on device")))
    assert progress.read()["solved"] == {}
    asked = widgets.predict("sgan.p", "Which?", ["this", "that"])
    asked.answers = {"sgan.p": [1]}
    assert "Recorded: <b>that</b>" in asked.notes["sgan.p"]
    progress.record("solved", "sgan.a")
    assert progress.read()["solved"] == {"sgan.a": {}}
    assert capsys.readouterr().out.count("Your progress is not kept, since ") == 1
    if place.startswith("full"):
        assert progress.read()["answered"] == {"sgan.q": {}}
    monkeypatch.setattr(progress, "write_whole", write_whole)
    monkeypatch.setenv("SGAN_PROGRESS", str(tmp_path / "made" / "progress.json"))
    assert progress.read()["predicted"] == {"sgan.p": {"guess": "that"}}


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SGAN_PROGRESS", "~/elsewhere.json")
    assert progress.progress_file() == Path.home() / "elsewhere.json"
    monkeypatch.setattr(Path, "expanduser", MagicMock(side_effect=RuntimeError("Could not determine home directory.")))
    assert progress.progress_file() is None
    with pytest.raises(data.DataError, match="there is no folder for downloads: Could not determine home directory"):
        data.cache_folder()
    monkeypatch.delenv("SGAN_PROGRESS")
    monkeypatch.setattr(progress.platformdirs, "user_data_path", lambda name, appauthor: tmp_path / name)
    assert progress.progress_file() == tmp_path / "sgan_lib" / "progress.json"
    monkeypatch.setenv("SGAN_PROGRESS", "")
    assert progress.progress_file() is None


def test_kernels_side_by_side_lose_nothing(file):
    loop = "for i in range(20): p.record('solved', sys.argv[1] + str(i))"
    write = f"import sys; from sgan_lib.course import progress as p\n{loop}"
    kernels = [[sys.executable, "-c", write, f"sgan.{letter}"] for letter in "ab"]
    with ThreadPoolExecutor() as both:
        assert list(both.map(partial(subprocess.call, timeout=100), kernels)) == [0, 0]
    assert len(progress.read()["solved"]) == 40


def test_hints_come_one_after_the_other_and_then_the_solution_is_named(monkeypatch, capsys):
    monkeypatch.setitem(exercises.CHECKERS, "sgan.a", lambda answer: None)
    exercises.hint("sgan.a")
    monkeypatch.setitem(exercises.HINTS, "sgan.a", ("Look left.", "Look right."))
    for _ in range(3):
        exercises.hint("sgan.a")
    folded = "Its solution is folded below the exercise."
    assert capsys.readouterr().out.splitlines() == [
        f"sgan.a has no hints yet. {folded}", "Hint 1 of 2: Look left.", "Hint 2 of 2: Look right.",
        f"sgan.a has no more hints. {folded}"]  # fmt: skip
    with pytest.raises(ValueError, match=r"name must be one of bigan.*; got 'sgan.odd'"):
        exercises.hint("sgan.odd")


# --- the quiz files


@pytest.mark.parametrize("notebook", quizzes.quizzes())
def test_every_question_has_a_right_answer_and_every_choice_its_explanation(notebook):
    quiz = quizzes.quizzes()[notebook]
    assert notebook in exercises.NOTEBOOKS
    assert set(quiz) == {"predictions", "questions"}
    ids = [*quiz["predictions"], *(question["id"] for question in quiz["questions"])]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("_", "a").isalnum() and name.islower() for name in ids)
    for question in quiz["questions"]:
        assert (
            {"id", "question", "choices"}
            <= set(question)
            <= {"id", "question", "choices", "wrap_up", "code", "several"}
        )
        choices = question["choices"]
        assert 2 <= len(choices) <= 6, question["id"]
        assert all(set(choice) == {"text", "right", "why"} and type(choice["right"]) is bool for choice in choices)
        assert len({choice["text"] for choice in choices}) == len(choices), question["id"]
        assert all(len(choice["why"].split()) >= 3 for choice in choices), question["id"]
        n_right = sum(choice["right"] for choice in choices)
        assert 1 <= n_right < len(choices) if question.get("several") else n_right == 1, question["id"]
        texts = [question["question"], *(choice[key] for choice in choices for key in ("text", "why"))]
        assert not [text for text in texts if text.count("`") % 2 or "$" in text or "**" in text], question["id"]


def test_questions_are_found_by_id_or_as_the_wrap_up(monkeypatch):
    quiz = {"questions": [{"id": "losses"}, {"id": "signs", "wrap_up": True}]}
    monkeypatch.setattr(quizzes, "quizzes", lambda: {"sgan": quiz})
    assert quizzes.questions("sgan", "losses") == [{"id": "losses"}]
    assert [question["id"] for question in quizzes.questions("sgan")] == ["signs"]
    with pytest.raises(ValueError, match="name must be one of losses, signs; got 'loses'"):
        quizzes.questions("sgan", "loses")
    with pytest.raises(ValueError, match="notebook must be one of sgan; got 'bigan'"):
        quizzes.questions("bigan")
