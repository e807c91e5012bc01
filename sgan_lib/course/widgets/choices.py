"""Questions in a notebook: a widget while a kernel runs, and HTML that says the same wherever none does."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

Card = dict[str, Any]  # one question, as choices.js takes it
Answer = list[int] | float  # indices of choices, or a number


def marked(text: str) -> str:
    """Plain text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


class Shown:
    """What is shown in HTML and, where only text can be, as text."""

    def __init__(self, page: str) -> None:
        self.page = page

    def _repr_html_(self) -> str:
        return self.page

    def __repr__(self) -> str:
        return as_text(self.page)


def as_text(page: str) -> str:
    """HTML without its tags, one line per block."""
    apart = re.sub(r"</t[hd]>(?=<t)", " | ", re.sub(r"<(p|pre|li|tr|summary)\b", r"\n<\1", page))
    lines = html.unescape(re.sub(r"<[^>]+>", "", apart)).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


class Choices(anywidget.AnyWidget):
    """Questions to answer by keyboard, mouse or screen reader; every answer is handed to `keep`.

    Args:
        cards: the questions.
        answers: id -> what was answered before.
        keep: takes an id and its answer, and returns a note for the reader.
        page: the HTML that stays in the stored notebook.
    """

    _esm = Path(__file__).with_name("choices.js")
    _ipython_display_ = None  # that of ipywidgets 7 would leave out the HTML
    cards: Any = traitlets.List().tag(sync=True)
    answers = traitlets.Dict().tag(sync=True)
    notes = traitlets.Dict().tag(sync=True)

    def __init__(
        self, cards: Sequence[Card], answers: Mapping[str, Answer], keep: Callable[[str, Any], str], page: str
    ) -> None:
        super().__init__(cards=list(cards), answers=dict(answers))
        self.page, self._keep = page, keep
        self.observe(self._answered, "answers")

    def _answered(self, change: Any) -> None:
        new = {name: answer for name, answer in change.new.items() if (change.old or {}).get(name) != answer}
        self.notes = self.notes | {name: self._keep(name, answer) for name, answer in new.items()}

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return data | {"text/html": self.page, "text/plain": as_text(self.page)}, metadata
