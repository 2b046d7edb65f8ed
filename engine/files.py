"""Files that appear whole or not at all: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import InputError, OutputError


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path`, in place of what was there: readers see the old file or the new one.

    Raises OutputError when it cannot be written; what was at `path` is then still there.
    """
    with whole(path) as beside:
        beside.write_bytes(data)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write; it becomes `path` when the block ends well, else it is removed.

    >>> with whole(Path("out.txt")) as beside:          # doctest: +SKIP
    ...     beside.write_text("all of it")
    """
    beside = beside_of(path)
    try:
        yield beside
        sync_file(beside)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a fresh folder beside `path`; it becomes `path` (absent or empty so far) when all went well."""
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise OutputError(f"{path} exists already; give another place, or remove it first")
    beside = beside_of(path)
    try:
        beside.mkdir(parents=False)
        yield beside
        for file in sorted(beside.rglob("*")):
            if file.is_file():
                sync_file(file)
            else:
                sync_folder(file)
        sync_folder(beside)
        beside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def check_vacant(path: Path) -> None:
    """Raise InputError unless a project can be put there: nothing, or an empty folder."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"{path} exists already; name a folder that is empty or does not exist yet")


def write_folder(path: Path, contents: Mapping[str, bytes]) -> None:
    """Write every file, by its place within `path`, or none.

    A folder that is there and empty is filled in place, for it may be the current one: where that fails, what
    was written is removed, and nothing that somebody else put there meanwhile. Raises InputError where it is
    not empty.
    """
    check_vacant(path)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_folder(path) as beside:
            _fill(beside, contents)
        return
    try:
        _fill(path, contents)
    except BaseException as error:
        for name in contents:
            with suppress(OSError):  # it is not there, or not empty
                (path / name).unlink()
            for folder in (path / name).relative_to(path).parents[:-1]:
                with suppress(OSError):
                    (path / folder).rmdir()
        if isinstance(error, OSError):
            raise unwritable(path, error) from error
        raise


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, data)


def beside_of(path: Path) -> Path:
    """Name a place in the same folder, hence on the same disk, so that the rename is atomic."""
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def sync_file(path: Path) -> None:
    """Wait until a file's bytes are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Wait until a folder's entries are on the disk; a system that cannot do that is left alone."""
    with suppress(OSError):
        sync_file(path)


def unwritable(path: Path, error: OSError) -> OutputError:
    """Say that `path` could not be written, and why, in the system's words."""
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, FileNotFoundError) and not path.parent.exists():
        reason = f"there is no folder {path.parent}"
    return OutputError(f"{path} cannot be written: {reason}; nothing was changed there")
