"""Ctrl-C, SIGTERM and SIGHUP: each ends a command the same way, cleaned up, by KeyboardInterrupt."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
USUAL = (signal.SIG_DFL, signal.default_int_handler)
_came: list[int] = []
_rerun: list[str] = []


def stopped_by() -> int | None:
    """Give the signal that came while `stops` was open, if one did.

    An interrupt inside a library's own code may come out as any error of it: whoever sees an error asks here.
    """
    return _came[-1] if _came else None


def after_rerun() -> str:
    """Give what was said with `goes_on` to come of a rerun, if the stop came there."""
    return _rerun[-1] if _rerun else ""


@contextmanager
def goes_on(rerun: str = "run again, it goes on where it was") -> Iterator[None]:
    """Whoever is stopped in here is told what comes of a rerun. Where it was left by an error, that stays."""
    _rerun.append(rerun)
    yield
    _rerun.pop()


@contextmanager
def stops() -> Iterator[None]:
    """Turn these signals into KeyboardInterrupt; left alone where they are ignored (`nohup`) or not ours."""
    _came.clear()
    _rerun.clear()
    before = []
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) not in USUAL:
            continue
        try:
            before.append((number, signal.signal(number, _stop)))
        except ValueError:  # only the main thread may
            break
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    raise KeyboardInterrupt
