"""A network's training under way, kept in the cache from time to time and removed once it is through."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

import numpy as np

from engine.errors import OutputError
from engine.experiments.cache import Cache, key_of

Note = Callable[[str], None]

STAGES = ("tower", "ensemble", "distilled tower")
LEAST_S = 1.0
SHARE = 0.02
"""Keeping takes no more of the time than this: after one that took a second the next is due in fifty."""


class Courses:
    """The courses of one embedding, by stage. `embedding` is its key; `note` hears what is taken up."""

    def __init__(self, cache: Cache, embedding: str, note: Note, *, least_s: float = LEAST_S) -> None:
        self._cache, self._embedding, self._note = cache, embedding, note
        self._least_s = least_s
        self._due = time.monotonic() + least_s

    def due(self) -> bool:
        """Whether enough time has passed since the last was kept."""
        return time.monotonic() >= self._due

    def keep(self, stage: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep a course. Where there is no room for it the training goes on without."""
        began = time.monotonic()
        moment = np.array([time.time()])
        with suppress(OSError, OutputError):
            self._cache.put(self._key(stage), {**arrays, "moment": moment})
        ended = time.monotonic()
        self._due = ended + max(self._least_s, (ended - began) / SHARE)

    def kept(self, stage: str) -> dict[str, np.ndarray] | None:
        """What was kept last; None where nothing is, or nothing whole."""
        return self._cache.get(self._key(stage))

    def goes_on(self, stage: str, done: int, most: int, *, over: bool) -> None:
        """Say where the training goes on, and of when that is."""
        if over:
            return self._note(f"the {stage} is taken as it was trained before the interruption")
        found = self.kept(stage) or {}
        moment = datetime.fromtimestamp(float(found["moment"][0]), UTC) if "moment" in found else None
        when = f" (interrupted after {moment:%Y-%m-%d %H:%M:%S} UTC)" if moment else ""
        return self._note(f"training of the {stage} goes on from epoch {done + 1} of {most}{when}")

    def clear(self) -> None:
        """Remove them all."""
        for stage in STAGES:
            self._cache.remove(self._key(stage))

    def _key(self, stage: str) -> str:
        return key_of(step="course", embedding=self._embedding, stage=stage)
