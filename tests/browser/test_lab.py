"""The notebooks in a real JupyterLab, in a real browser: cells run, a slider moves, a question is answered by keyboard,
nothing leaves the machine.
"""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page, expect

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
RUN_CELLS = """async ([path, count]) => {
  const app = window.jupyterapp;
  await app.restored;
  const panel = await app.commands.execute("docmanager:open", {path, factory: "Notebook"});
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  for (let cell = 0; cell < count; cell++) {
    panel.content.deselectAll();
    panel.content.activeCellIndex = cell;
    await app.commands.execute("notebook:run-cell");
  }
}"""

# A notebook that asks: its quiz, a prediction, the result, a number, a question, how far the reader is.
ASKING = [
    """from sgan_lib.course import exercises, quizzes, widgets
whys = [("real", False, "It calls both real."), ("neither", True, "It has lost `D`."), ("both", False, "It is blind.")]
choices = [dict(zip(("text", "right", "why"), row)) for row in whys]
questions = [dict(id=name, question=f"What has `D` learnt {name}?", choices=choices, wrap_up=True) for name in "ab"]
quiz = {"predictions": ["modes", "share"], "questions": questions}
quizzes.quizzes = exercises.overview.quizzes = lambda: {"sgan": quiz}""",
    """widgets.predict("sgan.modes", "How many of the eight modes will `G` find?",
                choices=["1 to 3", "4 to 7", "all 8"])""",
    """widgets.reveal("sgan.modes", "4 to 7", "The generator finds the near ones first.")""",
    """widgets.predict("sgan.share", "Which share does D call real?", number=(0, 100), unit="%")""",
    """widgets.quiz("sgan")""",
    """exercises.progress()""",
]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", autouse=True)
def _two_notebooks(lab: Any) -> None:
    """A notebook that asks, and 05 with short live runs: here the page is tested, and not what they find."""
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    asking = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(text) for text in ASKING])
    nbformat.write(asking, lab.folder / "asking.ipynb")
    path = lab.folder / "05_label_scarcity.ipynb"
    notebook = nbformat.read(path, as_version=4)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += "\ndigits_steps, n_seeds = 20, 2"
    nbformat.write(notebook, path)


def _cells(notebook: str) -> list[NotebookNode]:
    return list(nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells)


def _open(page: Page, lab: Any, notebook: str, n_cells: int) -> None:
    """Run the first cells of a notebook; none of them may write to stderr."""
    page.goto(lab.address.format("/lab"))
    page.wait_for_function("window.jupyterapp !== undefined", timeout=90_000)
    page.evaluate(RUN_CELLS, [f"my/{notebook}.ipynb", n_cells])
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0


def test_make_lab_opens_a_copy_whose_links_arrive_and_no_pop_up(page: Page, lab: Any) -> None:
    page.goto(lab.address.format("/"))
    tabs = page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab")
    for link in ("generator", "01"):
        tabs.filter(has_text="00_start_here.ipynb").click(timeout=90_000)
        page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-MarkdownOutput a", has_text=link).first.click()
        expect(tabs.filter(has_text={"generator": "glossary.md", "01": "01_theory.ipynb"}[link])).to_be_visible()
    expect(page.get_by_text("official Jupyter news")).to_have_count(0)


def test_theory_slider_redraws_at_once(page: Page, lab: Any) -> None:
    """Run 01_theory up to its slider; the arrow key moves the slider, and the picture below it changes."""
    cells = _cells("01_theory")
    last = next(i for i, cell in enumerate(cells) if "ipywidgets.interact(" in cell.source)
    _open(page, lab, "01_theory", last + 1)

    picture = page.locator(".widget-interact .jp-OutputArea-output img")
    picture.wait_for(timeout=60_000)
    before = picture.get_attribute("src")
    page.locator(".widget-interact .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "old => document.querySelector('.widget-interact .jp-OutputArea-output img')?.src != old", arg=before
    )
    assert "2.25" in page.locator(".widget-interact .widget-readout").inner_text()


def test_the_label_explorer_redraws_trains_and_stops(page: Page, lab: Any) -> None:
    """All of 05_label_scarcity runs; the slider moves by keyboard; a run starts, draws a curve, and stops on demand."""
    _open(page, lab, "05_label_scarcity", len(_cells("05_label_scarcity")))
    explorer = page.locator(".jp-Cell", has_text="explorer = widgets.label_explorer(").locator(".jp-OutputArea")
    picture = explorer.locator("img.widget-image").first
    picture.wait_for(timeout=60_000)
    said = explorer.locator(".widget-html").first
    assert "20 labels" in said.inner_text()
    before = picture.get_attribute("src")
    explorer.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("([image, old]) => image.src != old", arg=[picture.element_handle(), before])
    assert "50 labels" in said.inner_text()
    assert "95 % interval" in said.inner_text()

    explorer.get_by_role("button", name="Train now").click()
    live = explorer.locator(".widget-html").last
    page.wait_for_function("html => /step [0-9]+, validation/.test(html.innerText)", arg=live.element_handle())
    explorer.get_by_role("button", name="Stop").click()
    page.wait_for_function("html => /stopped at step [0-9]+/.test(html.innerText)", arg=live.element_handle())
    expect(explorer.get_by_role("button", name="Train now")).to_be_enabled()  # its message comes after the text's


def test_questions_are_answered_by_keyboard_and_kept(page: Page, lab: Any) -> None:
    """A guess is recorded and stands beside the result; a wrong answer is explained; both are there on opening anew."""
    _open(page, lab, "asking", 5)
    cells = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell")
    guess = cells.nth(1).locator(".sgan-choices")
    guess.get_by_role("group", name="How many of the eight modes will G find?").wait_for(timeout=60_000)
    guess.get_by_role("radio", name="1 to 3").focus()
    for key in ("Space", "ArrowDown", "Enter"):  # the arrow moves the choice, and Enter sends the form
        page.keyboard.press(key)
    expect(guess.get_by_role("status")).to_contain_text("Recorded: 4 to 7.")

    share = cells.nth(3).locator(".sgan-choices")
    share.get_by_role("spinbutton").focus()
    for typed, said in (("101", "Enter a number from 0 to 100."), ("12.5", "Recorded: 12.5 %.")):
        share.get_by_role("spinbutton").fill("")
        page.keyboard.type(typed)
        page.keyboard.press("Enter")
        expect(share.get_by_role("status")).to_contain_text(said)

    quiz = cells.nth(4).locator(".sgan-choices")
    first, second = (quiz.get_by_role("group", name=f"What has D learnt {name}?") for name in "ab")
    for question, downs in ((first, 0), (second, 1)):
        question.get_by_role("radio").first.focus()
        for key in ("Space", *["ArrowDown"] * downs, "Tab", "Space"):  # Tab goes to the button
            page.keyboard.press(key)
    expect(first.get_by_role("status")).to_have_text("Not right. Your answer is saved.")
    whys = ["✗ Not right, your answer. It calls both real.", "✓ Right. It has lost D.", "✗ Not right. It is blind."]
    expect(first.locator(".why")).to_have_text(whys)
    expect(second.get_by_role("status")).to_be_focused()
    expect(quiz.get_by_role("status").last).to_have_text("1 of 2 right.")

    page.evaluate(RUN_CELLS, ["my/asking.ipynb", 6])
    expect(cells.nth(2).locator("td")).to_have_text(["4 to 7", "4 to 7"])
    expect(cells.nth(1).get_by_role("status")).to_contain_text("Recorded: 4 to 7.")
    expect(cells.nth(1).get_by_role("radio", name="4 to 7")).to_be_checked()
    expect(cells.nth(4).locator(".why")).to_have_count(6)
    expect(cells.nth(5).locator("tr", has_text="03_sgan")).to_contain_text("2 of 2")
