"""Quizzes: questions with choices, each choice with its explanation."""

from typing import Any

from sgan_lib.course import progress, quizzes
from sgan_lib.course.widgets.choices import Card, Choices, marked


def quiz(notebook: str, name: str | None = None) -> Choices:
    """One question of a notebook's quiz by its id or, without an id, the wrap-up with its score.

    Raises:
        ValueError: where there is no such notebook or question; it lists those that there are.
    """
    cards = [_card(notebook, question) for question in quizzes.questions(notebook, name)]
    answered = progress.read()["answered"]
    earlier = {card["id"]: answered[card["id"]]["picked"] for card in cards if card["id"] in answered}
    rights = {card["id"]: [i for i, choice in enumerate(card["choices"]) if choice["right"]] for card in cards}

    def keep(card_id: str, picked: Any) -> str:
        is_right = sorted(picked) == rights[card_id]
        progress.record("answered", card_id, picked=picked, right=is_right)
        return "Your answer is saved."

    return Choices(cards, earlier, keep, "".join(map(_page, cards)))


def _card(notebook: str, question: dict[str, Any]) -> Card:
    choices = [
        choice | {"text": marked(choice["text"]), "why": marked(choice["why"])} for choice in question["choices"]
    ]
    return {
        "id": f"{notebook}.{question['id']}",
        "question": marked(question["question"]),
        "code": marked(question.get("code", "")),
        "several": question.get("several", False),
        "choices": choices,
        "graded": True,
        "button": "Answer",
    }


def _page(card: Card) -> str:
    code = f"<pre>{card['code']}</pre>" if card["code"] else ""
    options = "".join(f"<li>{choice['text']}</li>" for choice in card["choices"])
    answers = "".join(
        f"<li><b>{'Right' if choice['right'] else 'Not right'}.</b> {choice['why']}</li>" for choice in card["choices"]
    )
    return (
        f'<p><b>Question.</b> {card["question"]}</p>{code}<ol type="A">{options}</ol>'
        f'<details><summary>Answer</summary><ol type="A">{answers}</ol></details>'
    )
