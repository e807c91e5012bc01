"""The quizzes: one JSON file per notebook, named like the module of its exercises, with the ids of its predictions.

`course.json` asks about the whole course.

`{"predictions": ["modes"], "questions": [{"id", "question", "choices": [{"text", "right", "why"}, ...], ...}]}`; a
question may have `code`, `several` (more than one choice is right), and `wrap_up` (it belongs to the closing quiz).
Texts are plain, with `code` between backticks.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from sgan_lib.runtime import check_choice

Quiz = dict[str, Any]


@cache
def quizzes() -> dict[str, Quiz]:
    """The prefix of a notebook's ids -> the content of its file."""
    files = sorted(resources.files(__name__).iterdir(), key=lambda file: file.name)
    texts = {file.name.removesuffix(".json"): file for file in files if file.name.endswith(".json")}
    return {name: json.loads(file.read_text("utf-8")) for name, file in texts.items()}


def questions(notebook: str, name: str | None = None) -> list[Quiz]:
    """The question of this id or, without one, those of the wrap-up.

    Raises:
        ValueError: where there is no such notebook or question; it lists those that there are.
    """
    every = quizzes()[check_choice("notebook", notebook, quizzes() or ("(there is no quiz yet)",))]["questions"]
    if name is None:
        return [question for question in every if question.get("wrap_up")]
    check_choice("name", name, [question["id"] for question in every])
    return [question for question in every if question["id"] == name]
