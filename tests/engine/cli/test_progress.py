"""How far a command is, on a terminal and where nobody watches one."""

from __future__ import annotations

import pytest
from rich.console import Console
from rich.progress import Progress

from engine.cli.console import bar_columns, in_lines


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


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_one_line_says_what_runs_and_what_is_left(width: int) -> None:
    """Nothing is said to be left where that is not known, and the times are never cut."""
    seconds = 0.0
    console = Console(width=width, color_system=None, force_terminal=True)
    bar = Progress(*bar_columns(console), console=console, get_time=lambda: seconds, auto_refresh=False)
    task = bar.add_task("fitting", total=None)
    said = []
    for share in (None, 0.0, 0.25, 0.5, 1.0):
        seconds += 10
        what = "fitting classifier disputed: logistic (2 of 3, setting 2 of 9)"
        bar.update(task, description=what, completed=share, total=None if share is None else 1.0)
        with console.capture() as captured:
            console.print(bar.get_renderable())
        (line,) = captured.get().splitlines()
        assert len(line) <= width
        said.append(line.split(" % ")[-1].rstrip())
    assert said[:2] == ["0:00:10", "0:00:20"]
    assert said[3] == "0:00:40, left about 0:00:20"
    assert said[4] == "0:00:50"
