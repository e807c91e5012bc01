"""A learner's copies are made where they are missing, follow their originals until work is in them, and then stay."""

from pathlib import Path

import pytest

from sgan_lib.course.__main__ import main


def test_copies_hold_the_learners_work_whatever_happens_to_the_originals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    originals, mine = tmp_path / "notebooks", tmp_path / "my"
    originals.mkdir()

    def publish(version: str) -> None:
        for name in ("00_start.ipynb", "01_more.ipynb", "run_experiment.ipynb", "glossary.md"):
            (originals / name).write_text(version)

    def copies() -> tuple[dict[str, str], str]:
        assert main(["copy", "my"]) == 0
        texts = {path.name: path.read_text() for path in mine.iterdir() if not path.name.startswith(".")}
        return texts, capsys.readouterr().out

    publish("first")
    assert copies() == (dict.fromkeys(["00_start.ipynb", "01_more.ipynb", "glossary.md"], "first"), "")
    (mine / "00_start.ipynb").write_text("work")
    assert copies()[1] == ""
    publish("second")
    for _ in range(2):
        texts, said = copies()
        assert texts == {"00_start.ipynb": "work", "01_more.ipynb": "second", "glossary.md": "second"}
        assert said == "my/00_start.ipynb keeps your work. The original has changed; rename yours to get the new one.\n"
    (mine / "glossary.md").write_text("my notes")
    assert copies()[0]["glossary.md"] == "my notes"
    (mine / "glossary.md").write_text("second")
    (mine / "00_start.ipynb").rename(mine / "00_mine.ipynb")
    texts, said = copies()
    assert (texts["00_start.ipynb"], texts["00_mine.ipynb"], said) == ("second", "work", "")
    (mine / ".originals.json").write_text("[1]")
    assert main(["copy", "my"]) == 2
    assert capsys.readouterr().err.startswith("error: my/.originals.json must say which copies are unchanged, and is")
