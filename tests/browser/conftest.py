"""A JupyterLab of its own for each file of tests, and pages of a fresh browser that nothing may leave.

Needs Debian's `chromium` package, or CHROMIUM naming another Chromium; without one the tests are skipped.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, sync_playwright

from sgan_lib.course.copies import make_copies

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Lab(NamedTuple):
    """A JupyterLab: its address with room for a path, and the folder of the copies that it serves."""

    address: str
    folder: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Lab]:
    """What `make lab` starts, in a folder of its own. Kernels there find the course's tests, which know mistakes."""
    if not CHROMIUM:
        pytest.skip("no Chromium here: install Debian's package chromium, or set CHROMIUM")
    folder = tmp_path_factory.mktemp("lab")
    make_copies(root / "notebooks", folder / "my")
    port, token = _free_port(), secrets.token_hex(16)
    made = re.search(r"/jupyter lab (.+)", (root / "Makefile").read_text("utf-8"))
    assert made is not None
    command = [
        sys.executable, "-m", "jupyterlab", *made[1].split(), "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", "--allow-root", f"--IdentityProvider.token={token}", "--expose-app-in-browser",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(root / "tests" / "course"), os.environ.get("PYTHONPATH", "")])
    environment["SGAN_PROGRESS"] = str(folder / "progress.json")
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_up(f"http://127.0.0.1:{port}/api?token={token}", server, folder / "log")
        yield Lab(f"http://127.0.0.1:{port}{{}}?reset&token={token}", folder / "my")  # nothing that was open before
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


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
