"""What a project's rule and list files look like: a cheap look at whether they changed, their exact state."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from engine.project.folder import RULES

LISTS = "lists"
LINK_TO_NOWHERE = (0, 0, 0, 0)
Look = tuple[tuple[str, int, int, int, int], ...]


def look(root: Path) -> Look:
    """See rules/*.yaml and lists/** without opening them: path, mtime, size, inode and ctime of each.

    Two looks are equal when nothing was saved, removed, added, renamed or made readable in between.
    """
    seen = {}
    for name, path in _files(root):
        seen[name] = (name, *(look_at(path) or LINK_TO_NOWHERE))
    return tuple(seen[name] for name in sorted(seen))


def look_at(path: str | Path) -> tuple[int, int, int, int] | None:
    """See one file: mtime, size, inode and ctime (a chmod moves that alone), or None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 — done many times a second, and a Path costs more than the call
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns)


def state(root: Path) -> str:
    """Give the exact state of rules/*.yaml and lists/**: a hash over names and contents, "" for no files."""
    lines = []
    for name, path in sorted(_files(root)):
        try:
            lines.append(f"{name} {_hash(path)}")
        except OSError:
            lines.append(f"{name} unreadable")
    return hashlib.sha256(os.fsencode("\n".join(lines))).hexdigest() if lines else ""


def _hash(path: str) -> str:
    """SHA-256 of a plain file; a pipe of that name is not waited for."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError("not a plain file")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Rule files and list files as (name from the project's folder, path)."""
    for entry in _entries(str(root / RULES)):
        if (
            entry.name.endswith((".yaml", ".yml"))
            and not entry.name.startswith(".")
            and not _is_folder(entry)
        ):
            yield f"{RULES}/{entry.name}", entry.path
    yield from _below(str(root / LISTS), LISTS)


def _below(folder: str, name: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Walk a folder, also through links to folders, but not round and round."""
    place = os.path.realpath(folder)
    if place in above:
        return
    for entry in _entries(folder):
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from _below(entry.path, f"{name}/{entry.name}", (*above, place))
        else:
            yield f"{name}/{entry.name}", entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
