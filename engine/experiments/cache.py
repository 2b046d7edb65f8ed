"""What was computed once, by a hash of everything that shaped it: arrays in files, whole or not at all.

A file that is damaged, or that an older version wrote, is as good as none: what it held is made again.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

import numpy as np

import embeddings
import engine.training
from engine.files import whole
from engine.training.reuse import canonical_json

CACHE = Path(".tandem") / "cache"
"""Where a project keeps it."""
FORMAT = 2
MOST_BYTES = 4 * 2**30
ABANDONED_S = 3_600
SUFFIX = ".npz"

Arrays = Mapping[str, np.ndarray]


def key_of(**shaped: Any) -> str:
    """SHA-256 in hexadecimal over JSON-able values, the version of what the files hold, and the code."""
    return hashlib.sha256(canonical_json({"format": FORMAT, "code": _code(), **shaped})).hexdigest()


@cache
def _code() -> str:
    """SHA-256 over the sources that fit models: another version of them makes other models."""
    digest = hashlib.sha256()
    for package in (embeddings, engine.training):
        for path in sorted(Path(str(package.__file__)).parent.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def arrays_to_bytes(arrays: Arrays) -> bytes:
    """Give arrays as an uncompressed .npz; none of them holds Python objects."""
    held = io.BytesIO()
    write_arrays(held, arrays)
    return held.getvalue()


def write_arrays(file: IO[bytes], arrays: Arrays) -> None:
    """Write arrays as an uncompressed .npz."""
    whole: dict[str, Any] = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    np.savez(file, allow_pickle=False, **whole)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Read such a file; None where it is not there, or not whole."""
    try:
        with path.open("rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as held:
            return {name: held[name] for name in held.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, NotImplementedError):
        return None


class Cache:
    """A folder of such files, the longest unused removed where they are more than `most` bytes in all."""

    def __init__(self, root: Path, *, most: int = MOST_BYTES) -> None:
        self.root, self.most = Path(root), most

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """What is kept under a key; it counts as used now."""
        path = self._path(key)
        found = read_arrays(path)
        if found is not None:
            with suppress(OSError):
                os.utime(path)
        return found

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as beside, beside.open("wb") as file:
            write_arrays(file, arrays)

    def remove(self, key: str) -> None:
        """Keep nothing under a key."""
        self._path(key).unlink(missing_ok=True)

    def trim(self) -> int:
        """Remove what was unused longest until the rest is within bounds; gives the bytes removed."""
        files = sorted(self._files(), key=lambda file: file[1].st_mtime_ns, reverse=True)
        held = removed = 0
        for path, seen in files:
            held += seen.st_size
            if held > self.most:
                path.unlink(missing_ok=True)
                removed += seen.st_size
        return removed

    def size(self) -> int:
        """Bytes of all files."""
        return sum(seen.st_size for _, seen in self._files())

    def clean(self) -> tuple[int, int]:
        """Remove everything; gives how many files and bytes."""
        files = list(self._files())
        for path, _ in files:
            path.unlink(missing_ok=True)
        return len(files), sum(seen.st_size for _, seen in files)

    def _path(self, key: str) -> Path:
        return self.root / key[:2] / f"{key}{SUFFIX}"

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        """Every file, and what a run that was killed while writing has left for an hour."""
        found = []
        for path in self.root.glob("??/*"):
            with suppress(OSError):
                seen = path.stat()
                if path.suffix == SUFFIX or time.time() - seen.st_mtime > ABANDONED_S:
                    found.append((path, seen))
        return found
