"""How often test rows were looked at: a figure on rows that many models were compared on flatters.

One line of JSON a look, in `registry/looks.jsonl`, only ever added to. The same bundle on the same rows shows
nothing new: it counts once.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.files import unwritable

if TYPE_CHECKING:
    from engine.bundle import Bundle

FILE = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """How many bundles these rows have judged: the rows' fingerprint, and this bundle's place among them."""

    rows: str
    bundles: int

    @property
    def told(self) -> str:
        """What to say of it; nothing of a first look."""
        if self.bundles < 2:
            return ""
        return f"{self.bundles} bundles were judged on these rows by now: the more, the more they flatter"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def record_look(registry: Path, *, rows: str, bundle: str, by: str, now: datetime) -> Look:
    """Note that a bundle was judged on test rows; gives how many bundles were, this one included.

    rows: the fingerprint of the rows. by: the command that looked.
    """
    seen = _bundles(registry / FILE, rows)
    if bundle not in seen:
        entry = {"rows": rows, "bundle": bundle, "by": by, "at": now.isoformat(timespec="seconds")}
        _append(registry / FILE, json.dumps(entry).encode() + b"\n")
    return Look(rows, len(seen | {bundle}))


def looked_at(bundle: Bundle, registry: Path, by: str, now: datetime) -> Look | None:
    """Note that a fitted bundle was judged on its test rows; None where its project holds none out."""
    rows = bundle.lineage.get("test_rows")
    if not isinstance(rows, str):
        return None
    return record_look(registry, rows=rows, bundle=bundle.digest, by=by, now=now)


def _bundles(path: Path, rows: str) -> set[str]:
    """The bundles that were judged on these rows; a line that a killed process left unfinished is no look."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return set()
    found = set()
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("rows") == rows and isinstance(entry.get("bundle"), str):
            found.add(entry["bundle"])
    return found


def _append(path: Path, line: bytes) -> None:
    """Add a line at once, on a line of its own."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(path, error) from error
