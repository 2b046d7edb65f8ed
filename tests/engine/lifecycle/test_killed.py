"""kill -9 at any moment of a promote or a rollback leaves the old state or the new one, never a mix."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.lifecycle.journal import read_journal
from engine.lifecycle.names import Act, Names

KILLED = Path(__file__).with_name("killed.py")
State = tuple[str, tuple[str, ...]]
A, B, C, D = (f"sha256:{letter * 64}" for letter in "abcd")


def act(action: str = "promoted") -> Act:
    return Act(action, "test", datetime(2026, 3, 1, tzinfo=UTC))


def agreed(registry: Path) -> State:
    """Where champion points and its history, after making sure that the journal says the same."""
    names = Names(registry)
    champion = names.get("champion")
    assert champion is not None
    log = names.log()
    assert log[-1] == champion.entry
    assert log[-1].after == champion.digest
    assert [entry.before for entry in log[1:]] == [entry.after for entry in log[:-1]]
    return champion.digest, champion.history


@pytest.mark.parametrize(
    ("action", "old", "new"),
    [("promote:c", (B, (A,)), (C, (A, B))), ("rollback", (B, (A,)), (A, ()))],
)
def test_killed_at_every_system_call(tmp_path: Path, action: str, old: State, new: State) -> None:
    """Before and after each call: the old state or the new one; the journal agrees; the next act works."""
    start, place = tmp_path / "start", tmp_path / "killed"
    Names(start).move("champion", A, act())
    Names(start).move("champion", B, act())
    command = [sys.executable, KILLED, "every", start, place, action]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ended = int(done.stdout)
    assert ended > 40
    found = []
    for kill_at in range(1, ended + 1):
        registry = place / str(kill_at)
        found.append(agreed(registry))
        Names(registry).move("champion", D, act())
        assert Names(registry).back("champion", act("rolled-back")).digest == found[-1][0]
        agreed(registry)
        assert read_journal(registry / "journal.jsonl") == Names(registry).log()
        assert [path.name for path in (registry / "names").iterdir()] == ["champion"]
    # Old up to one call, new from it on: the move happens at one moment.
    moved = found.index(new)
    assert found == [old] * moved + [new] * (ended - moved)
    assert 0 < moved < ended - 1


def test_killed_at_random_moments_while_moving_on_and_on(tmp_path: Path) -> None:
    """A process that promotes and rolls back without end is killed again and again."""
    moments = random.Random(7)
    Names(tmp_path).move("champion", A, act())
    command = [sys.executable, KILLED, "on", tmp_path, "promote:b", "promote:c", "rollback", "rollback"]
    for _ in range(8):
        entries = len(Names(tmp_path).log())
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while len(Names(tmp_path).log()) == entries and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert agreed(tmp_path)[0] in (A, B, C)
        assert len(Names(tmp_path).log()) > entries
        Names(tmp_path).move("champion", D, act())
        Names(tmp_path).move("champion", A, act())
    assert agreed(tmp_path)[0] == A
