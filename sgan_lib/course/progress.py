"""What the learner has solved, predicted and answered: one small JSON file of the learner's own, never sent anywhere.

`SGAN_PROGRESS` names another file. Where it is set and empty, nothing is written and a kernel remembers for itself:
so do tests, builds and `make course`.
"""

import json
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from sgan_lib.runtime import write_whole

KINDS = ("solved", "predicted", "answered")
Records = dict[str, dict[str, dict[str, Any]]]  # kind -> `<notebook>.<id>` -> what is known of it
_SECONDS = 5  # that one kernel waits for another
_memory: Records = {kind: {} for kind in KINDS}
_unwritten: list[Callable[[Records], None]] = []
_say_once = lru_cache(print)


def progress_file() -> Path | None:
    """The file, which need not be there yet, or None where nothing is to be written."""
    named = os.environ.get("SGAN_PROGRESS")
    if named == "":
        return None
    try:
        own = platformdirs.user_data_path("sgan_lib", appauthor=False) / "progress.json"
        return Path(named).expanduser() if named else own
    except RuntimeError:  # the user has no home, as in some containers
        return None


def read() -> Records:
    """All records; where the file cannot be used, which is said in a line, those of this kernel."""
    return _changed()


def record(kind: str, name: str, **known: Any) -> None:
    """Remember that something is done, and what is known of it; for this kernel alone where the file cannot be used."""
    _changed(lambda records: records[kind].update({name: known}))


def forget(notebook: str | None = None) -> None:
    """Forget what belongs to a notebook, by the prefix of its ids, or everything."""

    def drop(records: Records) -> None:
        for kind, known in records.items():
            records[kind] = {name: row for name, row in known.items() if notebook and not belongs_to(notebook, name)}

    _changed(drop)


def belongs_to(notebook: str, name: str) -> bool:
    """Whether an id is one of this notebook's, by its prefix."""
    return name.partition(".")[0] == notebook


def _changed(*changes: Callable[[Records], None]) -> Records:
    """The records after these changes, which wait in this kernel while the file cannot be written."""
    path = progress_file()
    records: Records = _memory if path is None else {kind: {} for kind in KINDS}
    _unwritten.extend(changes)
    try:
        _replay(_memory) if path is None else _in_turn(path, records)
        _unwritten.clear()
    except OSError as error:
        _say_once(f"Your progress is not kept, since {path} cannot be used ({error}). The exercises work all the same.")
        _replay(records)
    return records


def _replay(records: Records) -> Records:
    for change in _unwritten:
        change(records)
    return records


def _in_turn(path: Path, records: Records) -> None:
    """Bring the file's records and what waits together, here and there, while no other kernel disturbs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock"), timeout=_SECONDS):
        records |= _load(path)
        before = json.dumps(records)
        if json.dumps(_replay(records)) != before:
            write_whole(path, json.dumps(records, indent=1, sort_keys=True) + "\n")


def _load(path: Path) -> Records:
    """The records in the file; a damaged file is put aside under another name, which is said."""
    try:
        content = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if not _is_well_formed(content):
            raise ValueError("its content is no table of records")
    except (RecursionError, ValueError) as error:  # JSON's and Unicode's errors are ValueErrors
        aside = _free_name(path)
        path.rename(aside)
        print(f"The file of your progress is damaged ({error}). It is kept as {aside}, and a new one begins.")
        content = {}
    return {kind: content.get(kind, {}) for kind in KINDS}


def _is_well_formed(content: Any) -> bool:
    tables = [content.get(kind, {}) for kind in KINDS] if isinstance(content, dict) else [None]
    return all(isinstance(table, dict) and all(isinstance(row, dict) for row in table.values()) for table in tables)


def _free_name(path: Path) -> Path:
    count = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{count}{path.suffix}")).exists():
        count += 1
    return aside
