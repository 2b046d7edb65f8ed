"""The command line: one thin file a command. `script` is what the `tandem` script runs."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main", "script"]

RARELY = 50_000
"""Objects made between two looks of the garbage collector: what is imported and read is no garbage."""


def script() -> int:
    """Run `tandem` as a process of its own; gives its exit code."""
    gc.set_threshold(RARELY, 10, 10)
    code = main()
    # The process ends: to look through all it has made for garbage would take longer than many a command.
    gc.freeze()
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `tandem` with these arguments (the process's own by default) and give its exit code.

    0: done. 1: what was given is wrong, and every problem was listed. 2: the command was misused.
    130: interrupted, 143: terminated, 129: the terminal went away.
    """
    _open_closed_streams()
    from engine.cli.stops import after_rerun, stopped_by, stops

    with stops():
        try:
            from engine.cli.app import run

            return run(arguments)
        except KeyboardInterrupt:
            code = 128 + (stopped_by() or 2)
            said = "terminated" if code == 143 else "interrupted"
            rerun = f"; {after_rerun()}" if after_rerun() else ""
            sys.stderr.write(f"{said}; nothing half-written was left behind{rerun}\n")
            return code


def _open_closed_streams() -> None:
    """Give a process that was started without stdout or stderr a place to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
