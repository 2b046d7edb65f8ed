"""Fuzz every reader for a time: `python -m tests.rules.fuzz --minutes 10 --seed 1 [TARGET …]`.

Each target runs in a process of its own, so that a crash or a hang is found as well; the input at fault is
shown. Ends with 1 where one was found.
"""

from __future__ import annotations

import argparse
import faulthandler
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from tests.rules.fuzz.targets import TARGETS

HANGS_AFTER = 30.0
ROUND = 2_000


def main() -> int:
    """Run the targets one after the other, each for its share of the time."""
    parser = argparse.ArgumentParser(prog="python -m tests.rules.fuzz", description=__doc__)
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}; all by default"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
    chosen = options.targets or list(TARGETS)
    if options.inside:
        return fuzz(chosen[0], options.minutes * 60, options.seed, Path(options.inside))
    found = 0
    for target in chosen:
        found += _in_a_process(target, options.minutes / len(chosen), options.seed)
    return 1 if found else 0


def fuzz(target: str, seconds: float, first_seed: int, kept: Path) -> int:
    """Draw inputs until the time is up; the one at work lies in `kept`."""
    inputs, run = TARGETS[target].inputs(), TARGETS[target].run
    until = time.monotonic() + seconds
    count = 0
    number = first_seed

    def one(value: Any) -> None:
        nonlocal count
        count += 1
        kept.write_text(repr(value), encoding="utf-8", errors="backslashreplace")
        faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
        try:
            run(value)
        finally:
            faulthandler.cancel_dump_traceback_later()

    while time.monotonic() < until:
        checks = settings(
            max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        try:
            seed(number)(checks(given(inputs)(one)))()
        except Exception:
            print(f"{target}: seed {number}, input {kept.read_text('utf-8')}")
            raise
        number += 1
    print(f"{target}: {count:,} inputs, seeds {first_seed} to {number - 1}")
    return 0


def _in_a_process(target: str, minutes: float, first_seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "input"
        command = [sys.executable, "-m", "tests.rules.fuzz", target, "--minutes", str(minutes)]
        command += ["--seed", str(first_seed), "--inside", str(kept)]
        code = subprocess.run(command, check=False).returncode
        if code:
            print(
                f"{target}: ended with {code} on {kept.read_text('utf-8') if kept.exists() else 'no input'}"
            )
    return int(code != 0)


if __name__ == "__main__":
    sys.exit(main())
