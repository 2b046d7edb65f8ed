"""A folder in, the bytes of its rule files out, and a reader of list files that never leaves the folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from rules.errors import CheckFailed, Problem
from rules.reader import MAX_BYTES

SUFFIXES = (".yaml", ".yml")
TEST_SUFFIX = "_test.yaml"
LARGEST_LIST = 256 * 1024 * 1024


def rule_files(folder: Path, name: str = "") -> Mapping[str, Path]:
    """Give what is named like a rule file, in name order, by the name that problems use: `name`/loan.yaml.

    Hidden files are left out: editors keep their half-written copies there. A link to nowhere is a file that
    cannot be read. Raises CheckFailed where the folder cannot be looked into.
    """
    try:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise CheckFailed([Problem(name or str(folder), 1, 1, message)]) from error
    prefix = f"{name}/" if name else ""
    return {
        prefix + path.name: path
        for path in found
        if path.suffix in SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    }


def read_rule_files(found: Mapping[str, Path], home: Path | None = None) -> dict[str, bytes]:
    """Read files by name, inside `home` if it is given. Raises CheckFailed with each that is not read."""
    files: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, path in found.items():
        try:
            files[name] = read_rule_file(path, name, home)
        except CheckFailed as failed:
            problems += failed.problems
    if problems:
        raise CheckFailed(problems)
    return files


def read_rule_file(path: Path, name: str, home: Path | None = None) -> bytes:
    """Read one file of rules.

    Raises CheckFailed where it cannot be read, is larger than any is, or is a link that leads out of `home`.
    """
    try:
        # INVARIANT: what is found in a folder is inside it: an error would show lines of any file linked to.
        if home is not None and path.exists() and not path.resolve().is_relative_to(home.resolve()):
            hint = "put the file itself there, not a link to it"
            raise CheckFailed([Problem(printable(name), 1, 1, "a link that leads outside the project", hint)])
        data = read_plain(path, MAX_BYTES)
    except _TooLargeError as error:
        message = f"{error.size:,} bytes, and a file holds at most {MAX_BYTES:,}"
        raise CheckFailed([Problem(name, 1, 1, message, "split the file")]) from None
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise CheckFailed([Problem(printable(name), 1, 1, message)]) from None
    return data


def read_lists(root: Path) -> Callable[[str], bytes]:
    """Give the reader of list files for `root`: it reads inside that folder and nowhere else.

    The reader raises FileNotFoundError, or PermissionError where a path leads outside.
    """
    home = Path(root).resolve()

    def read(name: str) -> bytes:
        try:
            path = (home / name).resolve()
        except RuntimeError:  # Python 3.11 has no OSError for links in a circle
            raise OSError(f"{name}: links that lead back to themselves") from None
        # INVARIANT: nothing outside the folder is read, also not through a symbolic link.
        if not path.is_relative_to(home):
            raise PermissionError(f"{name}: leads outside the project")
        try:
            return read_plain(path, LARGEST_LIST)
        except _TooLargeError:
            raise OSError(f"{name}: larger than {LARGEST_LIST // 2**20} MB") from None

    return read


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file of at most `most` bytes; a pipe or a device is not waited for."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("not a plain file")
    if found.st_size > most:
        raise _TooLargeError(found.st_size)
    return path.read_bytes()


def printable(name: str) -> str:
    """Give a file's name as it can be shown, whatever bytes it is made of."""
    return os.fsencode(name).decode(errors="replace").replace("\n", "\\n")


class _TooLargeError(OSError):
    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"{size:,} bytes")
