"""Background work that pauses between its steps: other threads run while it does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from rules.turns import politely, step

STEPS = 200_000


@pytest.fixture
def nobody_interrupts() -> Iterator[None]:
    """A thread keeps Python's lock until it gives it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60.0)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("nobody_interrupts")
@pytest.mark.parametrize(("how", "ran"), [(politely(), True), (nullcontext(), False)])
def test_others_run_between_the_steps_of_polite_work(how: AbstractContextManager[None], ran: bool) -> None:
    """Another thread that waits for Python's lock gets it before polite work ends, else only after it."""
    begin, answered = threading.Event(), threading.Event()

    def answer() -> None:
        begin.wait()
        answered.set()

    other = threading.Thread(target=answer)
    other.start()
    with how:
        begin.set()
        for _ in range(STEPS):
            step()
        assert answered.is_set() is ran
    other.join()


def test_politeness_is_a_threads_own_and_ends() -> None:
    """It ends with the block, and what another thread does is not slowed."""
    from rules import turns

    seen: list[float] = []
    with politely():
        outer = turns._due.at
        watcher = threading.Thread(target=lambda: seen.append(turns._due.at))
        watcher.start()
        watcher.join()
        with politely():
            step()
        assert turns._due.at == outer
    assert seen == [0.0]
    assert turns._due.at == 0.0
