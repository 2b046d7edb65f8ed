"""Benchmarks: what they print is a table for people, one object for machines, and honest about targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.__main__ import NAMES

ROOT = Path(__file__).resolve().parents[2]


def benchmarks(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_without_a_name_they_are_listed() -> None:
    """`python -m benchmarks` lists every benchmark with its first sentence, and runs none."""
    done = benchmarks()
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(NAMES)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A mistyped name ends with the names there are."""
    done = benchmarks("decied")
    assert done.returncode == 2
    assert "decide" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_that_is_not_there_is_said_plainly() -> None:
    """Without the Adult table the benchmark says where it looked and how to get it, and is no failure."""
    done = benchmarks("adult", "--json", TANDEM_ADULT="/nowhere/adult.parquet")
    assert (done.returncode, done.stdout) == (0, "")
    assert "/nowhere/adult.parquet is not there; examples/adult/README.md says how to get it" in done.stderr


def test_a_missed_target_is_printed_as_missed() -> None:
    """The verdict is computed from the figure or its ratio, whichever the target speaks of."""
    printed = python(
        "from benchmarks.figures import *\n"
        "figures = (figure('auc', 0.91, '', target='>= 0.92'),\n"
        "           against('p50', 10.0, 'us', 'floor', 5.0, target='ratio <= 3'),\n"
        "           against('speed', 10.0, 'us', 'peer', 90.0, target='ratio >= 8', faster=True),\n"
        "           figure('seconds', 3, 's'))\n"
        "report = Report('example', machine(), figures, quick=True)\n"
        "print(as_json(report)); print(as_table(report))"
    )
    first, *table = printed.splitlines()
    whole = json.loads(first)
    assert [item["met"] for item in whole["figures"]] == [False, True, True, None]
    assert [item["ratio"] for item in whole["figures"]] == [None, 2.0, 9.0, None]
    for item in whole["figures"]:
        keys = ["name", "value", "unit", "peer", "peer_value", "ratio", "target", "met", "ratio_is"]
        assert list(item) == keys
    assert [item["ratio_is"] for item in whole["figures"]] == [None, "value/peer", "peer/value", None]
    assert whole["quick"] is True
    assert table[0].startswith("example --quick  (")
    assert "2 value/peer" in table[4]
    assert table[3].endswith(">= 0.92     NO")
