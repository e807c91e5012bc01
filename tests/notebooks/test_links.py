"""The glossary, the README's map, and what leads to them."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = ROOT / "notebooks" / "glossary.md"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(GLOSSARY.parent.glob("*.md"))]
LEADING = [*PAGES, *sorted(GLOSSARY.parent.glob("src/*.py")), *sorted((ROOT / "sgan_lib" / "course").rglob("*.json"))]
TERMS = re.findall(r"^### (.+)$", GLOSSARY.read_text("utf-8"), re.MULTILINE)
ANCHORS = [term.lower().replace(" ", "-") for term in TERMS]


def test_the_terms_are_sorted_and_plain() -> None:
    assert sorted(set(ANCHORS)) == ANCHORS
    assert [term for term in TERMS if re.search(r"[^A-Za-z0-9 -]", term)] == []  # else anchors differ between viewers


@pytest.mark.parametrize("path", LEADING, ids=lambda path: path.name)
def test_links_to_terms_arrive(path: Path) -> None:
    pattern = r"\(#([^)\s]+)\)" if path == GLOSSARY else r"glossary\.(?:md|html)#([\w-]+)"
    assert set(re.findall(pattern, path.read_text("utf-8"))) <= set(ANCHORS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_arrive(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_term_says_where_it_is_used() -> None:
    entries = re.split(r"^### ", GLOSSARY.read_text("utf-8"), flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if ".ipynb)" not in entry] == []


def test_the_map_has_every_notebook_with_its_own_minutes() -> None:
    rows = re.findall(r"\]\(notebooks/([0-9A].+)\.ipynb\) \|.+\| (\d+) \|", (ROOT / "README.md").read_text("utf-8"))
    assert {stem: int(minutes) for stem, minutes in rows} == {
        path.stem: minutes_claimed(path) for path in GLOSSARY.parent.glob("[0-9A]*.ipynb")
    }


def minutes_claimed(path: Path) -> int:
    """The longest time in minutes that stands in the notebook's first cell after the word "Time"."""
    first = nbformat.read(path, as_version=4).cells[0].source
    return max(map(int, re.findall(r"(\d+)\s+minutes", first.split("**Time")[1])))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1200
