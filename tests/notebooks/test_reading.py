"""Minutes are honest, the reader does something every 400 words, and what is asked is what the course counts."""

import re
from pathlib import Path

import jupytext
import pytest

from sgan_lib.course import exercises, quizzes

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "notebooks" / "src").glob("[0-9A]*_*.py"))
DONE = re.compile(r"exercises\.check\(|widgets\.(predict|quiz|\w+_explorer)\(|ipywidgets\.interact")
SET_UP = {"colab", "imports"}
each_notebook = pytest.mark.parametrize("path", SOURCES, ids=[path.stem for path in SOURCES])


def words(text: str) -> int:
    """The words of a text that is read: without folded solutions, comments, tags and the addresses of links."""
    for skipped in (r"<details>.*?</details>", r"<!--.*?-->", r"<[^>\n]+>", r"\]\([^)\n]*\)"):
        text = re.sub(skipped, " ", text, flags=re.DOTALL)
    return sum(any(map(str.isalnum, word)) for word in text.split())


def prefix_of(path: Path) -> str:
    return {title: prefix for prefix, title in exercises.NOTEBOOKS.items()}[path.stem]


def words_of_quizzes(path: Path) -> int:
    asked = set(re.findall(r'\bquiz\(\s*"(\w+)"', code_of(path)))
    questions = [question for name in asked for question in quizzes.quizzes()[name]["questions"]]
    texts = [choice[key] for question in questions for choice in question["choices"] for key in ("text", "why")]
    return sum(map(words, [*texts, *(question["question"] for question in questions)]))


def code_of(path: Path) -> str:
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    return "\n".join(cell.source for cell in cells if not SET_UP & set(cell.metadata.get("tags", [])))


def claimed(path: Path) -> tuple[float, float]:
    """Minutes of computing, and of reading and exercises, that the notebook's first cell names."""
    text = " ".join(jupytext.read(path).cells[0].source.split())
    found = re.search(r"\*\*Time:?\*\*:? about (\d*)(½?) minutes? of computing .*?(\d+) minutes of reading", text)
    assert found is not None, "**Time**: about 1½ minutes of computing on two CPU cores, 50 minutes of reading ..."
    return int(found[1] or 0) + len(found[2]) / 2, int(found[3])


def test_the_readmes_map_has_every_notebook_with_its_longest_time() -> None:
    rows = re.findall(r"\]\(notebooks/([0-9A].+)\.ipynb\) \|.+\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"))
    assert {stem: int(minutes) for stem, minutes in rows} == {path.stem: max(claimed(path)) for path in SOURCES}


@each_notebook
def test_the_claimed_minutes_are_within_a_fifth_and_at_most_sixty(path: Path) -> None:
    computing, reading = claimed(path)
    code = code_of(path)
    prose = "\n\n".join(cell.source for cell in jupytext.read(path).cells if cell.cell_type == "markdown")
    n_words, n_lines = words(prose) + words_of_quizzes(path), len([line for line in code.splitlines() if line.strip()])
    n_exercises = len(set(re.findall(r'exercises\.check\("([\w.]+)"', code)))
    needed = n_words / 180 + n_lines / 12 + 6 * n_exercises
    parts = f"{n_words} words, {n_lines} lines and {n_exercises} exercises need {needed:.0f} minutes"
    assert abs(reading - needed) <= 0.2 * needed, f"{parts}; claimed are {reading}"
    assert computing + max(reading, needed) <= 60, f"{parts}, and computing {computing}"


@each_notebook
def test_at_most_400_words_stand_between_two_things_to_do(path: Path) -> None:
    gaps, last = [0], "the start"
    for cell in jupytext.read(path).cells:
        if cell.cell_type == "markdown":
            gaps[-1] += words(cell.source)
        elif done := DONE.search(cell.source):
            assert gaps[-1] <= 400, f"{gaps[-1]} words between {last} and {cell.source[done.start() :][:60]!r}"
            gaps, last = [0], cell.source[done.start() :][:60]


@each_notebook
def test_what_is_asked_is_what_the_progress_counts(path: Path) -> None:
    """Checked exercises, predictions, each with its result, and questions, all under the notebook's own prefix."""
    code, prefix = code_of(path), prefix_of(path)
    quiz = quizzes.quizzes().get(prefix, {"predictions": [], "questions": []})
    names = {call: re.findall(rf'\b{call}\(\s*"([\w.]+)"', code) for call in ("check", "predict", "reveal")}
    assert set(names["check"]) == {name for name in exercises.CHECKERS if name.startswith(f"{prefix}.")}
    assert names["predict"] == names["reveal"] == [f"{prefix}.{name}" for name in quiz["predictions"]]
    assert len(names["predict"]) <= 5
    asked = set(re.findall(rf'\bquiz\(\s*"{prefix}",\s*"(\w+)"', code))
    wrap_up = {question["id"] for question in quiz["questions"] if question.get("wrap_up")}
    assert asked | wrap_up == {question["id"] for question in quiz["questions"]}
    assert bool(wrap_up) == bool(re.search(rf'\bquiz\(\s*"{prefix}"\s*\)', code))
