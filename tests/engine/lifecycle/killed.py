"""A process that moves names and is killed (SIGKILL) at its N-th call into the operating system.

    python killed.py REGISTRY KILL_AT ACTION...

ACTION is promote:LETTER or rollback. Every built-in call (open, write, fsync, rename, flock, ...) gives two
events, before and after it; at event number KILL_AT the process is killed. With KILL_AT 0 it runs to its end
and prints how many events there were.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from engine.lifecycle.names import Act, Names

SYSTEM = {"posix", "fcntl", "_io"}


def main() -> None:
    registry, kill_at = Path(sys.argv[1]), int(sys.argv[2])
    names = Names(registry)
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
    for action in sys.argv[3:]:
        now = datetime.now(UTC)
        if action == "rollback":
            names.back("champion", Act("rolled-back", "test", now))
        else:
            letter = action.removeprefix("promote:")
            names.move("champion", "sha256:" + letter * 64, Act("promoted", "test", now))
    sys.setprofile(None)
    print(events)


if __name__ == "__main__":
    main()
