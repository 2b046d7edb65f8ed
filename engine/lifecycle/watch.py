"""What a project's rule and list files look like: a cheap look at whether they changed, their exact state."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from engine.project.folder import RULES

LISTS = "lists"
Look = tuple[tuple[str, int, int, int], ...]


def look(root: Path) -> Look:
    """See rules/*.yaml, lists/** and `extra` without opening them: path, mtime, size and inode of each file.

    Two looks are equal when nothing was saved, removed, added or renamed in between.
    """
    seen = {}
    for name, path in _files(root):
        found = look_at(path)
        if found is not None:
            seen[name] = (name, *found)
    return tuple(seen[name] for name in sorted(seen))


def look_at(path: str | Path) -> tuple[int, int, int] | None:
    """See one file: mtime, size and inode, or None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 — done many times a second, and a Path costs more than the call
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def state(root: Path) -> str:
    """Give the exact state of rules/*.yaml and lists/**: a hash over names and contents, "" for no files."""
    lines = []
    for name, path in sorted(_files(root)):
        try:
            with Path(path).open("rb") as file:
                lines.append(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}")
        except OSError:
            lines.append(f"{name} unreadable")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Rule files and list files as (name from the project's folder, path)."""
    for entry in _entries(str(root / RULES)):
        if entry.name.endswith((".yaml", ".yml")) and not entry.name.startswith(".") and not entry.is_dir():
            yield f"{RULES}/{entry.name}", entry.path
    yield from _below(str(root / LISTS), LISTS)


def _below(folder: str, name: str) -> Iterator[tuple[str, str]]:
    for entry in _entries(folder):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, f"{name}/{entry.name}")
        elif not entry.is_dir():
            yield f"{name}/{entry.name}", entry.path


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
