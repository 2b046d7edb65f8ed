"""The columns of a table's CSV file that are no inputs: the text of one cell in, what it says of its row out.

A reader puts what it read among the row's changes; what it cannot read is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rules.form import read_moment
from rules.tables import ID_WORDS, PERIOD_COLUMNS, ROW_ID

Read = Callable[[dict[str, Any], str, str], None]
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_BOUND = re.compile(r"0(?:\.[0-9]+)?|1(?:\.0+)?")


def is_bound(name: str) -> bool:
    """Say whether a column bounds a score, as `cap.fraud` does."""
    return name.startswith(("cap.", "floor."))


def reader_of(name: str) -> Read | None:
    """Give what reads the cells of a column that is no input."""
    return _bound if is_bound(name) else _READERS.get(name)


def _row_id(changes: dict[str, Any], _: str, text: str) -> None:
    changes["id"] = text
    if not ROW_ID.fullmatch(text):
        raise ValueError(f"'id' may hold {ID_WORDS} only, got '{text[:60]}'")


def _decide(changes: dict[str, Any], _: str, text: str) -> None:
    changes["decide"] = text


def _tags(changes: dict[str, Any], _: str, text: str) -> None:
    """Read tags, parted by `|`."""
    tags = tuple(dict.fromkeys(tag.strip() for tag in text.split("|")))
    if not all(tags) or any(len(tag) > 200 for tag in tags):
        raise ValueError("tags are words, parted by '|'")
    changes["tags"] = tags


def _reason(changes: dict[str, Any], _: str, text: str) -> None:
    if "|" in text or "\n" in text or "\t" in text or len(text) > 200:
        raise ValueError("'reason' may hold one line of up to 200 characters without '|' only")
    changes["reason"] = text


def _priority(changes: dict[str, Any], _: str, text: str) -> None:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"'priority' must be a whole number, got '{text[:60]}'")
    changes["priority"] = int(text)


def _bound(changes: dict[str, Any], name: str, text: str) -> None:
    effect, _, score = name.partition(".")
    if not score:
        raise ValueError(f"name the score: {effect}.fraud as the column's name")
    if not _BOUND.fullmatch(text):
        raise ValueError(f"'{name}' must be a number from 0 to 1, got '{text[:60]}'")
    changes.setdefault(effect, {})[score] = float(text)


def _moment(changes: dict[str, Any], name: str, text: str) -> None:
    if name not in PERIOD_COLUMNS:
        raise ValueError("name the end: effective.from or effective.until as the column's name")
    moment = read_moment(text)
    if moment is None:
        wanted = "a day as 2026-11-01 or a time as 2026-11-01T12:00:00Z"
        raise ValueError(f"'{name}' must be {wanted}, got '{text[:60]}'")
    changes[name] = moment


_READERS: dict[str, Read] = {
    "id": _row_id, "decide": _decide, "tag": _tags, "reason": _reason, "priority": _priority,
    "cap": _bound, "floor": _bound, **dict.fromkeys(("effective", *PERIOD_COLUMNS), _moment),
}  # fmt: skip
