"""How far a command is, where nobody watches a terminal."""

from __future__ import annotations

import pytest

from engine.cli.console import in_lines


def test_in_a_log_a_line_comes_every_half_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """What ends before says nothing at all."""
    times = iter([0.0, 10.0, 31.0, 31.0, 60.0, 62.0, 62.0])
    tell = in_lines("fitting", lambda: next(times))
    tell("reading rows", 0.01)
    tell("fitting classifier y: logistic (2 of 4, setting 3 of 9)", 0.824)
    tell("fitting classifier y: tree (4 of 4, setting 1 of 6)", 0.9)
    tell("", None)
    assert capsys.readouterr().err.splitlines() == [
        "fitting classifier y: logistic (2 of 4, setting 3 of 9) (82%)",
        "fitting",
    ]
