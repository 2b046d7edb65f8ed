"""The journal: one line for every time a name was moved: who, when, what, why, from where, to where.

Each entry carries the id of the one before it, and its own id is a hash over both: a line that was changed or
taken out later shows. The name files are the truth (see `registry`); the journal is their history.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

START = "0" * 16


@dataclass(frozen=True)
class Entry:
    """One move of one name; `before` and `after` are digests, `follows` is the id of the entry before."""

    id: str
    follows: str
    at: str
    who: str
    action: str  # fitted | promoted | rolled-back | edited
    name: str
    before: str | None
    after: str
    why: str

    @property
    def time(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromisoformat(self.at)

    def to_json(self) -> dict[str, Any]:
        """The entry as it stands in the journal: `from` and `to` are its words for the two digests."""
        record = asdict(self)
        record["from"], record["to"] = record.pop("before"), record.pop("after")
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Entry:
        """Read an entry back.

        Raises ValueError where it is none.
        """
        try:
            given = dict(record)
            given["before"], given["after"] = given.pop("from"), given.pop("to")
            entry = cls(**given)
        except (TypeError, KeyError) as wrong:
            raise ValueError(f"no journal entry: {wrong}") from None
        values = asdict(entry)
        values["before"] = values["before"] or ""
        if not all(isinstance(text, str) for text in values.values()):
            raise ValueError("no journal entry: a value is no text")
        return entry


def make_entry(
    follows: str, *, now: datetime, who: str, action: str, name: str, before: str | None, after: str, why: str
) -> Entry:
    """Make the entry that comes after `follows`; its id is a hash over all of it."""
    at = now.astimezone(UTC).isoformat(timespec="milliseconds")
    entry = Entry("", follows, at, who, action, name, before, after, why)
    return Entry(_identity(entry), follows, at, who, action, name, before, after, why)


def read_journal(path: Path) -> tuple[Entry, ...]:
    """Read every whole entry, oldest first; a torn last line (a crash while it was written) is left out.

    Raises ValueError, with the line's number, where an earlier line is no entry or does not follow the last.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    entries: list[Entry] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            entry = Entry.from_json(json.loads(line))
        except ValueError as wrong:
            raise ValueError(f"{path}:{number}: not a journal entry ({wrong})") from None
        if entry.follows != (entries[-1].id if entries else START) or entry.id != _identity(entry):
            raise ValueError(
                f"{path}:{number}: the journal was changed here: not what follows the last entry"
            )
        entries.append(entry)
    return tuple(entries)


def last_id(path: Path) -> str:
    """Give the id of the last whole entry, reading no more of the journal than its end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return START
    try:
        end = _whole_length(descriptor)
        start = _whole_length(descriptor, end - 1)
        line = os.pread(descriptor, end - start, start)
    finally:
        os.close(descriptor)
    try:
        return Entry.from_json(json.loads(line)).id if line else START
    except ValueError as wrong:
        raise ValueError(
            f"{path}: its last line is not a journal entry ({wrong}); take out what is not Tandem's"
        ) from None


def append_entries(path: Path, entries: Iterable[Entry]) -> None:
    """Append entries as lines, on the disk before this returns; a torn last line is cut off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        whole = _whole_length(descriptor)
        if whole < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, whole)
        text = "".join(json.dumps(entry.to_json(), ensure_ascii=False) + "\n" for entry in entries)
        data = text.encode()
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole_length(descriptor: int, end: int | None = None) -> int:
    """The length of the file, or of its first `end` bytes, up to the last newline."""
    end = os.fstat(descriptor).st_size if end is None else end
    while end > 0:
        start = max(0, end - 4096)
        block = os.pread(descriptor, end - start, start)
        if (at := block.rfind(b"\n")) >= 0:
            return start + at + 1
        end = start
    return 0


def _identity(entry: Entry) -> str:
    record = entry.to_json()
    del record["id"]
    return hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]
