"""Names such as `champion`: each a small file that says which bundle it means, moved by one atomic rename.

INVARIANT: the name file is the only truth, and it carries the journal entry of its own last move. A move is
(1) rename the new name file into place, (2) append the entry to the journal. A crash between the two leaves
an entry that only the name file has: readers add it, and the next writer appends it before anything else. So
the name and the journal never disagree, wherever a process was killed. See docs/decisions/0005.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import InputError, OutputError, TandemError
from engine.files import unwritable, write_whole
from engine.lifecycle.journal import START, Entry, append_entries, last_id, make_entry, read_journal

HISTORY_KEPT = 100
Read = TypeVar("Read")
LOCK_SECONDS = 30.0
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DIGEST_LIKE = re.compile(r"[0-9a-f]{4,}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Name:
    """Where a name points: the digest, where it pointed before (latest last), and the entry of its last move.

    `files` is the state of the project's rule and list files at the move ("" where there were none): a live
    engine takes files in another state for edits made after the move. `basis` is, for the name `edited`, the
    id of the move whose bundle was edited.
    """

    name: str
    digest: str
    history: tuple[str, ...]
    entry: Entry
    files: str = ""
    basis: str = ""

    def to_json(self) -> dict[str, Any]:
        """The content of the name's file."""
        return {
            "name": self.name,
            "digest": self.digest,
            "history": list(self.history),
            "files": self.files,
            "basis": self.basis,
            "entry": self.entry.to_json(),
        }


@dataclass(frozen=True)
class Act:
    """Who moves a name, when, how (fitted, promoted, rolled-back, edited) and why; the rest as in `Name`."""

    action: str
    who: str
    now: datetime
    why: str = ""
    files: str = ""
    basis: str = ""


class Names:
    """The names of one registry, and the journal of their moves."""

    def __init__(self, root: Path) -> None:
        self.folder, self.journal, self._lock = root / "names", root / "journal.jsonl", root / "lock"

    def path(self, name: str) -> Path:
        """The file of a name.

        Raises InputError where the name is not one.
        """
        if not _NAME.fullmatch(name) or _DIGEST_LIKE.fullmatch(name):
            raise InputError(
                f"'{name}' cannot be a name: a small letter, then small letters, digits, - or _, "
                "and not something that reads like a digest"
            )
        return self.folder / name

    def get(self, name: str) -> Name | None:
        """Where a name points now, or None where there is no such name."""
        path = self.path(name)
        try:
            return _parse(path, path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise TandemError(f"{path} cannot be read: {error.strerror or error}") from error

    def all(self) -> dict[str, Name]:
        """Every name, in alphabetical order."""
        found = (self.get(name) for name in self._listed())
        return {name.name: name for name in found if name is not None}

    def move(self, name: str, digest: str, act: Act) -> Name:
        """Point a name at a bundle; one that points there already, in the same state of files, is left."""
        with self._writing():
            current = self.get(name)
            if current is None:
                return self._write(name, digest, (), act)
            if current.digest != digest:
                return self._write(name, digest, (*current.history, current.digest)[-HISTORY_KEPT:], act)
            if (current.files, current.basis) != (act.files, act.basis):
                return self._write(name, digest, current.history, act)
            return current

    def back(self, name: str, act: Act, *, check: Callable[[str], object] | None = None) -> Name:
        """Point a name at what it pointed at before its last promotion; again, and it goes further back.

        What `check` raises for the digest keeps the name where it is.
        """
        with self._writing():
            current = self.get(name)
            if current is None:
                raise InputError(
                    f"there is no '{name}' to roll back; names here: {', '.join(self._listed()) or 'none'}"
                )
            if not current.history:
                raise InputError(
                    f"'{name}' has pointed at nothing before {current.digest[:19]}: nothing to go back to"
                )
            *history, digest = current.history
            if check is not None:
                check(digest)
            return self._write(name, digest, tuple(history), act)

    def log(self) -> tuple[Entry, ...]:
        """Every move of every name, oldest first, with one whose journal line a crash prevented."""
        # The names first: an entry that is in neither could only be one made after this call began.
        moved = self.all().values()
        entries = _understood(lambda: read_journal(self.journal))
        return (*entries, *_unwritten(entries[-1].id if entries else START, moved))

    def _write(self, name: str, digest: str, history: tuple[str, ...], act: Act) -> Name:
        follows = self._complete_journal()
        current = self.get(name)
        entry = make_entry(
            follows,
            now=act.now,
            who=act.who,
            action=act.action,
            name=name,
            before=current.digest if current else None,
            after=digest,
            why=act.why,
        )
        moved = Name(name, digest, history, entry, act.files, act.basis)
        write_whole(self.path(name), json.dumps(moved.to_json(), indent=1, ensure_ascii=False).encode())
        # A journal that cannot be written now (a full disk) is completed by the next writer.
        with suppress(OSError):
            append_entries(self.journal, [entry])
        return moved

    def _complete_journal(self) -> str:
        """Append the entry that a crash kept out of the journal, if there is one; gives the last id."""
        last = _understood(lambda: last_id(self.journal))
        missing = _unwritten(last, self.all().values())
        if not missing:
            return last
        try:
            append_entries(self.journal, missing)
        except OSError as error:
            raise unwritable(self.journal, error) from error
        return missing[-1].id

    def _listed(self) -> list[str]:
        try:
            return sorted(path.name for path in self.folder.iterdir() if _NAME.fullmatch(path.name))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the registry's writer lock; the system drops it with the process, however that ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        try:
            _wait_for(descriptor, self._lock)
            for left in self.folder.glob(".*.tmp"):
                left.unlink(missing_ok=True)  # a killed writer's; nobody else writes while we hold the lock
            yield
        finally:
            # Unlocked, not just closed: a process forked meanwhile has the file open too, and would hold it.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def current_user() -> str:
    """The name of whoever runs this process, for the journal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def _wait_for(descriptor: int, path: Path) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OutputError(
                    f"{path} has been held by another process for {LOCK_SECONDS:.0f} s"
                ) from None
            time.sleep(0.005)
        else:
            return


def _understood(read: Callable[[], Read]) -> Read:
    try:
        return read()
    except ValueError as damaged:
        raise TandemError(str(damaged)) from damaged


def _unwritten(last: str, moved: Iterable[Name]) -> list[Entry]:
    """The entry that only a name file has: at most one, as every writer completes the journal first."""
    return [name.entry for name in moved if name.entry.follows == last]


def _parse(path: Path, data: bytes) -> Name:
    try:
        record = json.loads(data)
        history = tuple(record["history"])
        entry = Entry.from_json(record["entry"])
        name = Name(record["name"], record["digest"], history, entry, record["files"], record["basis"])
        digests = [name.digest, *history]
        if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests):
            raise ValueError("a digest is not one")
        if not all(isinstance(text, str) for text in (name.files, name.basis)):
            raise ValueError("a value is no text")
        if name.name != path.name:
            raise ValueError("it is another name's")
    except (ValueError, KeyError, TypeError) as wrong:
        hint = "remove it and promote again: the journal keeps what it pointed at"
        raise TandemError(f"{path} is not a name file ({type(wrong).__name__}: {wrong}); {hint}") from wrong
    return name
