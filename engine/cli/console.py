"""What commands print: results to stdout, complaints and progress to stderr; no colour off a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

Progress = Callable[[str, float | None], None]
MOST_LINES = 60
SECONDS_A_LINE = 30.0
BESIDE = 42  # columns of a bar's line beside what runs: a short bar, the share, the times
_COLOURS = {"red": "31", "green": "32", "cyan": "36"}


def say(text: str = "") -> None:
    """Print a line of the result; a reader that has had enough, as in `tandem log | head`, is no error."""
    try:
        sys.stdout.write(text + "\n")
    except BrokenPipeError:
        hush()


def hush() -> None:
    """Send the rest of the output nowhere, and keep Python from complaining about it at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def complain(text: str) -> None:
    """Print what is wrong, or what to know, to stderr."""
    sys.stderr.write(text + "\n")


def say_json(value: Any) -> None:
    """Print one JSON object."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, indent: int = 0) -> None:
    """Print rows under their columns; numbers stand to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
    right = [bool(rows) and all(_is_number(row[at]) for row in rows) for at in range(len(columns))]

    def line(row: Sequence[str]) -> str:
        aligned = zip(row, widths, right, strict=True)
        text = "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in aligned
        )
        return " " * indent + text.rstrip()

    say(_styled(line(list(columns)), "2"))
    for row in cells:
        say(line(row))


def heading(text: str) -> None:
    """Print the heading of a part of the result."""
    say()
    say(_styled(text, "1"))


def coloured(text: str, colour: str) -> str:
    """Give a text in a colour (red, green, cyan) on a terminal, as it is elsewhere."""
    return _styled(text, _COLOURS[colour]) if colour else text


@contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Give a function that shows how far something is: `tell(message, share)`, share from 0 to 1 or unknown.

    It shows a bar on a terminal; elsewhere, as in a log, a line to stderr twice a minute.
    """
    if quiet:
        yield lambda message, share: None
        return
    if not sys.stderr.isatty():
        yield in_lines(title)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(*bar_columns(console := Console(stderr=True)), console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def tell(message: str, share: float | None) -> None:
            bar.update(
                task, description=message or title, completed=share, total=None if share is None else 1.0
            )

        yield tell


def bar_columns(console: Console) -> tuple[ProgressColumn, ...]:
    """What a bar shows in one line: what runs, how far, and the time; the bar itself yields first."""
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    from engine.cli.watching import shortened

    class What(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(shortened(task.description, max(1, console.width - BESIDE)))

    class Times(ProgressColumn):
        max_refresh = 0.5  # seconds; an estimate is not to flicker

        def render(self, task: Task) -> Text:
            return Text(times_told(task.elapsed, None if task.finished else task.time_remaining))

    whole = Column(no_wrap=True)
    share = TextColumn("{task.percentage:>3.0f} %", table_column=whole.copy())
    return What(whole.copy()), BarColumn(), share, Times(whole.copy())


def times_told(elapsed_seconds: float | None, left_seconds: float | None) -> str:
    """The time since the start, and what is left where that is known.

    >>> times_told(12.3, 30.0), times_told(3.0, None)
    ('0:00:12, left about 0:00:30', '0:00:03')
    """
    since = str(timedelta(seconds=int(elapsed_seconds or 0)))
    return since if left_seconds is None else f"{since}, left about {timedelta(seconds=int(left_seconds))}"


def in_lines(title: str, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Tell how far something is in lines, at most one every half minute: what ends before says nothing."""
    last = clock()

    def tell(message: str, share: float | None) -> None:
        nonlocal last
        if clock() - last >= SECONDS_A_LINE:
            last = clock()
            complain(f"{message or title}" + ("" if share is None else f" ({share:.0%})"))

    return tell


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _styled(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text
