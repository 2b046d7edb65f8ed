"""kill -9 at any moment of a promote or a rollback leaves the old state or the new one, never a mix."""

from __future__ import annotations

import random
import shutil
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
A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def act(action: str = "promoted") -> Act:
    return Act(action, "test", datetime(2026, 3, 1, tzinfo=UTC))


def run(registry: Path, kill_at: int, *actions: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, KILLED, registry, str(kill_at), *actions],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def agreed(registry: Path) -> tuple[str, tuple[str, ...]]:
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
    start = tmp_path / "start"
    names = Names(start)
    names.move("champion", A, act())
    names.move("champion", B, act())
    shutil.copytree(start, tmp_path / "counted")
    events = int(run(tmp_path / "counted", 0, action).stdout)
    assert agreed(tmp_path / "counted") == new
    assert events > 20
    seen = set()
    for kill_at in range(1, events + 1):
        registry = tmp_path / "killed"
        shutil.copytree(start, registry)
        assert run(registry, kill_at, action).returncode == -signal.SIGKILL
        found = agreed(registry)
        assert found in (old, new), kill_at
        seen.add(found)
        Names(registry).move("champion", "sha256:" + "d" * 64, act())
        assert Names(registry).back("champion", act("rolled-back")).digest == found[0]
        agreed(registry)
        assert read_journal(registry / "journal.jsonl") == Names(registry).log()
        assert sorted(path.name for path in (registry / "names").iterdir()) == ["champion"]
        shutil.rmtree(registry)
    assert seen == {old, new}


def test_killed_at_random_moments_while_moving_on_and_on(tmp_path: Path) -> None:
    """A process that promotes and rolls back without end is killed at 25 random moments."""
    moments = random.Random(7)
    Names(tmp_path).move("champion", A, act())
    actions = ["promote:b", "promote:c", "rollback", "rollback"] * 4000
    entries = 1
    for _ in range(25):
        process = subprocess.Popen(
            [sys.executable, str(KILLED), str(tmp_path), "0", *actions],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 30
        while len(Names(tmp_path).log()) == entries and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        digest, history = agreed(tmp_path)
        assert digest in (A, B, C)
        assert len(history) <= 100
        assert len(Names(tmp_path).log()) > entries
        Names(tmp_path).move("champion", A, act())
        entries = len(Names(tmp_path).log())
    assert agreed(tmp_path)[0] == A
