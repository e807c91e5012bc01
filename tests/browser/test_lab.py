"""The notebooks in a real JupyterLab, in a real browser: cells run, a slider moves, a question is answered by keyboard,
nothing leaves the machine.

Needs Debian's `chromium` package, or CHROMIUM naming another Chromium; without one these tests are skipped.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from playwright.sync_api import Page, expect, sync_playwright

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
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

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: install Debian's package chromium, or set CHROMIUM"),
]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a JupyterLab that serves a copy of the notebooks."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, folder / "notebooks", ignore=shutil.ignore_patterns("src", "__pycache__"))
    _shorten(folder / "notebooks" / "05_label_scarcity.ipynb")
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    asking = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(text) for text in ASKING])
    nbformat.write(asking, folder / "notebooks" / "asking.ipynb")
    port, token = _free_port(), secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        f"--IdentityProvider.token={token}", f"--notebook-dir={folder}", "--expose-app-in-browser",
        "--LabApp.extension_manager=readonly", "--LabApp.news_url=None",
    ]  # fmt: skip
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config"), "OMP_NUM_THREADS": "1"}
    environment["SGAN_PROGRESS"] = str(folder / "progress.json")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "log")
        yield f"http://127.0.0.1:{port}/lab?reset&token={token}"  # no notebook that was open before
    finally:
        server.terminate()
        server.wait(timeout=30)


def _shorten(path: Path) -> None:
    """Let the live runs of notebook 05 be short ones: here the page is tested, and not what they find."""
    notebook = nbformat.read(path, as_version=4)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source += "\ndigits_steps, n_seeds = 20, 2"
    nbformat.write(notebook, path)


def _wait_until_up(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, log.read_text()
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """A page of a fresh browser; the test fails on errors in its console, or if it asks for anything elsewhere."""
    outside: list[str] = []
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, headless=True, args=SWITCHES,
            viewport={"width": 1200, "height": 1600},
        )  # fmt: skip
        page = browser.new_page()
        page.on("request", lambda request: _note_outside(request.url, outside))
        page.on("websocket", lambda socket: _note_outside(socket.url, outside))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    assert not outside, f"the page asked for {outside}"
    assert not complaints, f"the browser's console has errors: {complaints}"


def _note_outside(address: str, outside: list[str]) -> None:
    if not address.startswith(("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:", "about:")):
        outside.append(address)


def _cells(notebook: str) -> list[NotebookNode]:
    return list(nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells)


def _open(page: Page, lab: str, notebook: str, n_cells: int) -> None:
    """Run the first cells of a notebook; none of them may write to stderr."""
    page.goto(lab)
    page.wait_for_function("window.jupyterapp !== undefined", timeout=90_000)
    page.evaluate(RUN_CELLS, [f"notebooks/{notebook}.ipynb", n_cells])
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0


def _screenshot(page: Page, name: str) -> None:
    screenshots = Path("runs/browser")
    screenshots.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=screenshots / name)


def test_theory_slider_redraws_at_once(page: Page, lab: str) -> None:
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
    _screenshot(page, "01_theory_slider.png")
    assert "2.25" in page.locator(".widget-interact .widget-readout").inner_text()


def test_the_label_explorer_redraws_trains_and_stops(page: Page, lab: str) -> None:
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
    explorer.locator("img.widget-image").last.scroll_into_view_if_needed()
    _screenshot(page, "05_label_explorer.png")
    explorer.get_by_role("button", name="Stop").click()
    page.wait_for_function("html => /stopped at step [0-9]+/.test(html.innerText)", arg=live.element_handle())
    expect(explorer.get_by_role("button", name="Train now")).to_be_enabled()  # its message comes after the text's


def test_questions_are_answered_by_keyboard_and_kept(page: Page, lab: str) -> None:
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

    page.evaluate(RUN_CELLS, ["notebooks/asking.ipynb", 6])
    expect(cells.nth(2).locator("td")).to_have_text(["4 to 7", "4 to 7"])
    expect(cells.nth(1).get_by_role("status")).to_contain_text("Recorded: 4 to 7.")
    expect(cells.nth(1).get_by_role("radio", name="4 to 7")).to_be_checked()
    expect(cells.nth(4).locator(".why")).to_have_count(6)
    expect(cells.nth(5).locator("tr", has_text="03_sgan")).to_contain_text("2 of 2")
    _screenshot(page, "asking.png")
