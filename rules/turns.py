"""Long work beside threads that must answer soon: between its steps it lets them go first.

A thread keeps Python's lock for up to five milliseconds unless it gives it away; a decision in another thread
waits that long. Work that marks its steps by `step()` gives it away sooner, in threads that said so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLICE = 0.000_3
"""Seconds of work at a time."""

PAUSE = 0.000_5
"""Seconds to sleep after them; without a pause the thread would have the lock again before another woke."""


class _Due(threading.local):
    at = 0.0  # when to pause next; 0: never


_due = _Due()


@contextmanager
def politely() -> Iterator[None]:
    """Have this thread pause at steps of its work until the end of the block."""
    before = _due.at
    _due.at = time.perf_counter() + SLICE
    try:
        yield
    finally:
        _due.at = before


def step() -> None:
    """Mark the end of a step: a polite thread that has worked for its slice pauses here."""
    if _due.at and time.perf_counter() >= _due.at:
        time.sleep(PAUSE)
        _due.at = time.perf_counter() + SLICE
