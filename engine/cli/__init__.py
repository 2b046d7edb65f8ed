"""The command line: one thin file a command. `main` is what the `tandem` script runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `tandem` with these arguments (the process's own by default) and give its exit code.

    0: done. 1: what was given is wrong, and every problem was listed. 2: the command was misused.
    130: interrupted.
    """
    try:
        from engine.cli.app import run

        return run(arguments)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; nothing half-written was left behind\n")
        return 130
