"""What commands print: results to stdout, complaints and progress to stderr; no colour off a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Progress = Callable[[str, float | None], None]
MOST_LINES = 60
SECONDS_A_LINE = 30.0
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
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    times = (TimeElapsedColumn(), TextColumn("left, about"), TimeRemainingColumn())
    with Bar(*columns, *times, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def tell(message: str, share: float | None) -> None:
            bar.update(
                task, description=message or title, completed=share, total=None if share is None else 1.0
            )

        yield tell


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
