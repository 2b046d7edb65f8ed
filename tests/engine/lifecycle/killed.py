"""Processes that move names and are killed (SIGKILL) at every call into the system, one after the other.

    python killed.py every START PLACE ACTION       one copy of START a call: PLACE/1, PLACE/2, ...
    python killed.py on REGISTRY ACTION ACTION ...  moves names until somebody kills it

ACTION is promote:LETTER or rollback. Every built-in call (open, write, fsync, rename, flock, ...) gives two
events, before and after it. A process is forked for event 1, 2, ... and killed there, until one ends well.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from engine.lifecycle.names import Act, Names

SYSTEM = {"posix", "fcntl", "_io"}


def move(registry: Path, action: str) -> None:
    now = datetime.now(UTC)
    if action == "rollback":
        Names(registry).back("champion", Act("rolled-back", "test", now))
    else:
        letter = action.removeprefix("promote:")
        Names(registry).move("champion", "sha256:" + letter * 64, Act("promoted", "test", now))


def move_and_be_killed(registry: Path, action: str, kill_at: int) -> None:
    events = 0

    def count(frame: object, event: str, called: object) -> None:
        nonlocal events
        if event not in ("c_call", "c_return"):
            return
        owner = getattr(called, "__module__", None) or type(getattr(called, "__self__", None)).__module__
        if owner not in SYSTEM:
            return
        events += 1
        if events == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    move(registry, action)
    sys.setprofile(None)


def every(start: Path, place: Path, action: str) -> int:
    """Give the number of the process that was not killed."""
    kill_at = 0
    while True:
        kill_at += 1
        registry = place / str(kill_at)
        shutil.copytree(start, registry)
        child = os.fork()
        if not child:
            move_and_be_killed(registry, action, kill_at)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return kill_at if status == 0 else -1


def on(registry: Path, actions: list[str]) -> None:
    while True:
        for action in actions:
            move(registry, action)


if __name__ == "__main__":
    if sys.argv[1] == "every":
        print(every(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]))
    else:
        on(Path(sys.argv[2]), sys.argv[3:])
