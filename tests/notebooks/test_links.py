"""The glossary, and what leads to it."""

import re
from pathlib import Path

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


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= 1200
