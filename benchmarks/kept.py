"""Results of long runs, kept in .bench/ as JSON until a source that shapes them changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.setting import ROOT, WORK


def kept(benchmark: str, run: str, sources: Sequence[str], make: Callable[[], Any], further: str = "") -> Any:
    """What a run came to, JSON-able: read where it was made from the same sources, else made and kept."""
    path = WORK / benchmark / f"{run}-{_digest(sources, further)}.json"
    if path.exists():
        return json.loads(path.read_text())
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(made))
    beside.rename(path)
    return made


def _digest(sources: Sequence[str], further: str) -> str:
    """A short digest of files and of the Python files of folders, and of further settings."""
    digest = hashlib.sha256(further.encode())
    for place in (ROOT / name for name in sources):
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
