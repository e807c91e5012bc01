"""The course as a learner plays it: every exercise wrong first and then right, every question answered, until 100 %.

Cells that only show something do not run, so nothing that is asked may need one.
"""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import test_exercises
from nbformat import NotebookNode
from playwright.sync_api import Locator, Page, expect

from sgan_lib.course import quizzes

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9A]*_*.ipynb"))
ASKED = re.compile(r'^(?:exercises|widgets)\.(check|predict|quiz)\(\s*"([\w.]+)"(?:, "(\w+)")?', re.MULTILINE)
OPEN = """async (path) => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  panel.content.widgets.forEach((cell, index) => cell.node.id = `cell-${index}`);
}"""
ACTIVATE = """async (index) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index);
}"""
RUN = "window.jupyterapp.commands.execute('notebook:run-cell')"
SHUT_DOWN = "window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
MISTAKE = """from test_exercises import MISTAKES
exercises.check("{0}", MISTAKES.get("{0}", [{{"the moon is full": True}}])[0])"""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
expect.set_options(timeout=120_000)  # milliseconds, for a machine that is busy


def cells_of(path: Path) -> list[NotebookNode]:
    return list(nbformat.read(path, as_version=4).cells)


def asked(cell: NotebookNode) -> list[tuple[str, str, str]]:
    """What a cell asks: check, predict or quiz; the name; and a quiz's question, or nothing for the wrap-up."""
    return ASKED.findall(cell.source) if cell.cell_type == "code" else []


def cost(path: Path) -> tuple[bool, int]:
    """Whether a solution trains, and how much is asked."""
    every = [each for cell in cells_of(path) for each in asked(cell)]
    solutions = [test_exercises.EXERCISES[name][2] for kind, name, _ in every if kind == "check"]
    return any("experiments." in solution for solution in solutions), len(every)


def lessons() -> list[Any]:
    """All notebooks; those but the two cheapest are too slow for `make test`."""
    slow = sorted(NOTEBOOKS, key=cost)[2:]
    return [pytest.param(path, id=path.stem, marks=[pytest.mark.play] if path in slow else []) for path in NOTEBOOKS]


class Player:
    """A learner with a notebook."""

    def __init__(self, page: Page, address: str, path: str) -> None:
        self.page, self.has_erred = page, False
        page.set_default_timeout(120_000)
        page.goto(address)
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate(OPEN, path)

    def run(self, index: int, source: str = "") -> Locator:
        """Run a cell, after another source is typed into it where one is given, and return its output."""
        self.page.evaluate(ACTIVATE, index)
        cell = self.page.locator(f"#cell-{index}")
        if source:
            cell.locator(".cm-content").click()
            self.page.keyboard.press("Control+A")
            self.page.keyboard.insert_text(source)
        self.page.evaluate(RUN)
        expect(cell.locator("[data-mime-type$='stderr'], [data-mime-type$='error']")).to_have_count(0)
        return cell.locator(".jp-OutputArea-output")

    def check(self, index: int, name: str, _: str) -> None:
        """The stub, a mistake, and the folded solution."""
        expect(self.run(index)).to_have_text(re.compile(r"^Not yet: .*(empty answer|returns None)"))
        expect(self.run(index, MISTAKE.format(name))).to_have_text(re.compile(r"^Not yet: (?!.*empty answer)"))
        expect(self.run(index, test_exercises.EXERCISES[name][2])).to_have_text(re.compile(r"^Right\.\s*$"))

    def predict(self, index: int, name: str, _: str) -> None:
        """By keyboard; a number that cannot be is refused first."""
        card = self.run(index).locator(".sgan-choices form")
        number = card.get_by_role("spinbutton")
        if number.count():
            number.fill("1e9")
            self.page.keyboard.press("Enter")
            expect(card.get_by_role("status")).to_contain_text("Enter a number from")
            number.fill(number.get_attribute("max") or "")
        else:
            card.get_by_role("radio").first.focus()
            self.page.keyboard.press("Space")
        self.page.keyboard.press("Enter")
        expect(card.get_by_role("status")).to_contain_text("Recorded:")

    def quiz(self, index: int, notebook: str, name: str) -> None:
        """By mouse; the first answer in a notebook is wrong."""
        forms = self.run(index).locator(".sgan-choices form")
        questions = quizzes.questions(notebook, name or None)
        expect(forms).to_have_count(len(questions))
        for form, question in zip(forms.all(), questions, strict=True):
            right = [choice["right"] for choice in question["choices"]]
            picked = right if self.has_erred else [place == right.index(False) for place in range(len(right))]
            for label, is_picked in zip(form.locator("label").all(), picked, strict=True):
                if is_picked:
                    label.click()
            form.get_by_role("button", name="Answer").click()
            expect(form.get_by_role("status")).to_contain_text("Right." if self.has_erred else "Not right.")
            expect(form.locator(".why")).to_have_count(len(right))
            self.has_erred = True


@pytest.mark.parametrize("path", lessons())
def test_a_learner_gets_through(path: Path, page: Page, lab: Any) -> None:
    cells, player = cells_of(path), Player(page, lab.address.format("/lab"), f"my/{path.name}")
    for index, cell in enumerate(cells):
        if {"imports", "parameters"} & set(cell.metadata.get("tags", [])):
            player.run(index)
        for kind, name, question in asked(cell):
            getattr(player, kind)(index, name, question)
    last = max(index for index, cell in enumerate(cells) if cell.cell_type == "code")
    expect(player.run(last, "exercises.progress()").locator("tr", has_text=path.stem)).to_contain_text("100 %")
    page.evaluate(SHUT_DOWN)
