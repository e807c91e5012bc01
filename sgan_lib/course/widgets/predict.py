"""Predictions: a guess that is recorded before the result is seen, and both side by side afterwards."""

from collections.abc import Sequence
from typing import Any

from sgan_lib.course import progress
from sgan_lib.course.widgets.choices import Card, Choices, Shown, marked
from sgan_lib.runtime import check_choice

_asked: dict[str, Card] = {}  # in this kernel


def predict(
    name: str, question: str, choices: Sequence[str] = (), number: tuple[float, float] | None = None, unit: str = ""
) -> Choices:
    """Ask for a prediction: one of `choices`, or a `number` between two bounds. `reveal` closes it.

    Args:
        name: `<notebook>.<id>`, the same that `reveal` gets.
        question: plain text; `code` between backticks.
        choices: what may happen.
        number: the lowest and the highest number that may be entered.
        unit: of the number.

    Raises:
        ValueError: unless there are either choices or a number.
    """
    if bool(choices) == (number is not None):
        raise ValueError(f"give either choices or number; got choices={choices!r} and number={number!r}")
    low, high = number or (0, 0)
    asked: Card = {"id": check_choice("name", name), "question": marked(question), "button": "Record my prediction"}
    asked |= {"choices": [{"text": marked(choice)} for choice in choices]} if choices else {}
    card = asked | {"low": low, "high": high, "unit": marked(unit)}
    _asked[name] = card | {"texts": list(choices)}
    widget = Choices([card], _earlier(name), _keep, _page(card))
    widget.observe(lambda change: setattr(widget, "answers", _earlier(name)), "answers")  # back, where it is refused
    if widget.answers:
        widget.notes = {name: _note(name)}
    return widget


def _earlier(name: str) -> dict[str, Any]:
    """The guess that is recorded already, as the widget's answer."""
    guess = progress.read()["predicted"].get(name, {}).get("guess")
    texts = _asked[name]["texts"]
    if isinstance(guess, str) and guess in texts:
        return {name: [texts.index(guess)]}
    return {name: guess} if isinstance(guess, (int, float)) and not texts else {}


def _keep(name: str, answer: Any) -> str:
    """Record a guess, unless the result is out already."""
    if "result" not in progress.read()["predicted"].get(name, {}):
        texts = _asked[name]["texts"]
        progress.record("predicted", name, guess=texts[answer[0]] if texts else answer)
    return _note(name)


def _note(name: str) -> str:
    known = progress.read()["predicted"].get(name, {})
    guess = f"<b>{_shown(name, known.get('guess', '–'))}</b>"
    if "result" in known:
        return f"You predicted {guess}. The result is out: {_shown(name, known['result'])}."
    return f"Recorded: {guess}. Now run the cell with the result."


def _shown(name: str, value: Any) -> str:
    """A guess or a result, a number with its unit."""
    if isinstance(value, str):
        return marked(value)
    return f"{value:.6g} {_asked.get(name, {}).get('unit', '')}".strip()


def _page(card: Card) -> str:
    options = "".join(f"<li>{choice['text']}</li>" for choice in card.get("choices", []))
    number = f"<p>A number from {card['low']:g} to {card['high']:g} {card['unit']}".rstrip() + ".</p>"
    asked = f'<ol type="A">{options}</ol>' if options else number
    return f"<p><b>Predict first.</b> {card['question']}</p>{asked}"


def reveal(name: str, result: str | float, why: str) -> Shown:
    """Show prediction and result side by side; where nothing was predicted, the result alone.

    Args:
        name: of the prediction.
        result: the choice that came true, in its words, or the number.
        why: a sentence; `code` between backticks.
    """
    result = result if isinstance(result, str) else float(result)
    known = progress.read()["predicted"].get(name)
    if known is None:
        invitation = (
            "You have recorded no prediction here. Next time, guess before you run the cell: it is how one learns."
        )
        return Shown(f"<p><b>Result: {_shown(name, result)}.</b> {marked(why)}</p><p><i>{invitation}</i></p>")
    if "result" not in known:
        progress.record("predicted", name, guess=known["guess"], result=result)
    cells = "".join(f"<td>{_shown(name, value)}</td>" for value in (known["guess"], result))
    verdict = ""
    if result in _asked.get(name, {}).get("texts", []):
        verdict = (
            "Your prediction was right. " if known["guess"] == result else "The result differs from your prediction. "
        )
    return Shown(
        f'<table><tr><th scope="col">Your prediction</th><th scope="col">Result</th></tr><tr>{cells}</tr></table>'
        f"<p><b>{verdict}</b>{marked(why)}</p>"
    )
