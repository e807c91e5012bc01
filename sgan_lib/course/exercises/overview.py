"""How far the learner is: a table over all notebooks, and starting again."""

import pandas as pd

from sgan_lib.course import progress as records
from sgan_lib.course.exercises.checking import CHECKERS
from sgan_lib.course.quizzes import quizzes
from sgan_lib.runtime import check_choice

NOTEBOOKS = {  # prefix of its ids -> notebook; the quiz of the whole course stands at the end of the last one
    "start": "00_start_here",
    "theory": "01_theory",
    "gan_baseline": "02_gan_baseline",
    "sgan": "03_sgan",
    "feature_matching": "04_feature_matching",
    "label_scarcity": "05_label_scarcity",
    "bigan": "06_bigan",
    "conditional_sgan": "07_conditional_sgan",
    "debugging": "08_debugging",
    "scaling": "09_scaling_up",
    "own_data": "10_your_data",
    "case_studies": "A1_case_studies",
    "more_defects": "A2_more_defects",
    "course": "the whole course",
}


def progress() -> pd.DataFrame:
    """One row per notebook: exercises solved, predictions made, quiz questions answered, each of how many there are."""
    done = records.read()
    there = {notebook: _to_do(notebook) for notebook in NOTEBOOKS}
    rows = {}
    for notebook, title in NOTEBOOKS.items():
        rows[title] = [(len(ids & done[kind].keys()), len(ids)) for kind, ids in there[notebook].items()]
    rows["all"] = [(sum(n for n, _ in pairs), sum(m for _, m in pairs)) for pairs in zip(*rows.values(), strict=True)]
    table = {title: [*map(_share, pairs), _percent(pairs)] for title, pairs in rows.items()}
    return pd.DataFrame.from_dict(table, orient="index", columns=[*records.KINDS, "done"])


def _to_do(notebook: str) -> dict[str, set[str]]:
    """Kind -> the ids of what a notebook has of it."""
    quiz = quizzes().get(notebook, {"predictions": [], "questions": []})
    questions = [question["id"] for question in quiz["questions"]]
    own = {name for name in CHECKERS if records.belongs_to(notebook, name)}
    ids = {"predicted": quiz["predictions"], "answered": questions}
    return {"solved": own} | {kind: {f"{notebook}.{name}" for name in names} for kind, names in ids.items()}


def _share(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}" if pair[1] else "–"


def _percent(pairs: list[tuple[int, int]]) -> str:
    done, there = (sum(column) for column in zip(*pairs, strict=True))
    return f"{100 * done // there} %" if there else "–"


def reset(notebook: str | None = None) -> None:
    """Forget what you have done in a notebook ("02_gan_baseline"), or everywhere; you begin again.

    Raises:
        ValueError: where there is no notebook of that name; it lists those that there are.
    """
    prefixes = {title: prefix for prefix, title in NOTEBOOKS.items()}
    records.forget(None if notebook is None else prefixes[check_choice("notebook", notebook, prefixes)])
    print(f"Your progress in {notebook or 'all notebooks'} is reset. Run a notebook's cells again to start afresh.")
