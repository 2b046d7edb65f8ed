"""How an experiment stands while it runs: a live table on a terminal, elsewhere a line a run that ended."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.experiments.running import Watch
    from engine.experiments.standing import Standing

MOST_ROWS = 30
BESIDE_ROWS = 5  # lines that are no variant's: what runs, how many, the columns, the rest, the cursor's
REFRESHES = 4  # a second
FATE_FROM = 60  # columns of a terminal that has room for a variant's fate
ELLIPSIS = "…"


@contextmanager
def watching(measure: str, *, quiet: bool) -> Iterator[Watch]:
    """Give what is called with how an experiment stands; `quiet` says nothing."""
    if quiet:
        yield lambda _, __, ___: None
    elif sys.stderr.isatty():
        with _live(measure) as watch:
            yield watch
    else:
        yield _lines(measure)


def shortened(name: str, width: int) -> str:
    """A text of at most so many columns: what it leaves out is from behind its middle.

    >>> shortened("width 16, when scores.risk >= 0.55", 20)
    'width 16, when… 0.55'
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(name) <= width:
        return name
    tail = max(0, (width - 1) // 4)
    end = name[len(name) - tail :]
    while cell_len(end) > tail:
        end = end[1:]
    return set_cell_size(name, max(0, width - 1 - cell_len(end))) + ELLIPSIS + end


def live_lines(
    what: str, share: float, standings: Sequence[Standing], measure: str, columns: int, lines: int
) -> list[str]:
    """What a terminal of this size shows: what runs, the best so far, and how many more there are."""
    from rich.cells import cell_len, set_cell_size

    from engine.experiments.board import standing_rows

    dropped = sum("dropped" in one.fate for one in standings)
    shown = _best_first(standings, measure)[: max(1, min(MOST_ROWS, lines - BESIDE_ROWS))]
    rows = [("variant", "rung", measure, ""), *standing_rows(shown, measure)]
    rows = [row if columns >= FATE_FROM else (*row[:3], "") for row in rows]
    widths = [max(cell_len(row[at]) for row in rows) for at in range(4)]
    widths[0] = max(1, min(widths[0], columns - 1 - sum(widths[1:]) - 6))
    said = [
        f"{what} ({share:.0%})",
        f"{len(standings):,} variants: {len(standings) - dropped:,} in the race, {dropped:,} dropped",
    ]
    for name, *others in rows:
        cells = [shortened(name, widths[0]), *others]
        said.append("  ".join(set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)))
    if len(shown) < len(standings):
        said.append(f"and {len(standings) - len(shown):,} more")
    return [shortened(line.rstrip(), columns - 1) for line in said]


def _best_first(standings: Sequence[Standing], measure: str) -> list[Standing]:
    """Those that came furthest, among them the ones still in the race, among them the best."""
    from engine.experiments.judge import LOWER_IS_BETTER

    sign = 1 if measure in LOWER_IS_BETTER else -1

    def rank(one: Standing) -> tuple[int, bool, float, int]:
        quality = sign * one.quality(measure) if one.trials else 0.0
        return -one.rung, "dropped" in one.fate, quality, one.variant.number

    return sorted(standings, key=rank)


@contextmanager
def _live(measure: str) -> Iterator[Watch]:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    latest: tuple[str, float, Sequence[Standing]] = ("reading rows", 0.0, ())

    def drawn() -> Group:
        lines = live_lines(*latest, measure, console.width, console.height)
        styles = ["bold", "", "dim", *[""] * len(lines)]
        return Group(*(Text(line, style) for line, style in zip(lines, styles, strict=False)))

    def show(what: str, share: float, standings: Sequence[Standing]) -> None:
        nonlocal latest
        latest = what, share, standings

    with Live(console=console, transient=True, get_renderable=drawn, refresh_per_second=REFRESHES):
        yield show


def _lines(measure: str) -> Watch:
    from engine.cli.console import complain
    from engine.experiments.board import standing_rows

    said: dict[int, int] = {}

    def tell(what: str, _: float, standings: Sequence[Standing]) -> None:
        for one in standings:
            if one.rung > said.get(one.variant.number, 0):
                said[one.variant.number] = one.rung
                (row,) = standing_rows([one], measure)
                complain(f"{what}: {row[0]}: {measure} {row[2]}")

    return tell
