"""A learner's own copies of the notebooks: answers stay when the course changes, and the originals stay clean."""

import hashlib
import json
import shutil
from pathlib import Path

from sgan_lib.course.runner import find_notebooks
from sgan_lib.runtime import write_whole

_RECORD = ".originals.json"  # name of a copy -> the digest of its original when it was made


def make_copies(originals: Path, folder: Path) -> list[str]:
    """Copy the lessons that `folder` lacks, and the pages that they link to; returns what the learner should know.

    A copy that differs from what was copied holds the learner's work, and is never written to. Any other follows its
    original. Links between notebooks and to `../figures` work if both folders have the same parent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / _RECORD
    try:
        copied = dict[str, str](json.loads(record.read_text("utf-8")) if record.exists() else {})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{record} must say which copies are unchanged, and is damaged: {error}") from error
    notes = []
    for original in [*find_notebooks([], originals), *sorted(originals.glob("*.md"))]:
        copy, now, then = folder / original.name, _digest(original), copied.get(original.name, "")
        mine = _digest(copy) if copy.exists() else then
        if mine in (then, now):
            shutil.copyfile(original, copy)
            copied[original.name] = now
        elif now != then:
            notes.append(f"{copy} keeps your work. The original has changed; rename yours to get the new one.")
    write_whole(record, json.dumps(copied, indent=1) + "\n")
    return notes


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
