"""What is wrong with a whole decision table: rows that overlap, and gaps; each with a record that shows it.

Both are found on the pieces of the inputs, so that no value is left out, and every record is run through the
rows' conditions before it is given. Where inputs depend on each other (an expression, a list, a field used
twice) a record may not be found: such a case is counted as undecided, and so is what the bounds cut off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from rules.table_domain import MOST_STEPS, Domain
from rules.table_index import Cuts, positions

MOST_TRIED = 20_000


@dataclass(frozen=True)
class Overlap:
    """Two rows, by their places, that both hold on a record."""

    first: int
    second: int
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Gap:
    """A record without a missing value on which no row holds."""

    record: Mapping[str, Any]


@dataclass(frozen=True)
class Overlaps:
    """The first overlaps in file order, how many pairs of rows overlap at most, and what stayed undecided."""

    found: tuple[Overlap, ...]
    pairs: int
    undecided: int = 0
    cut_off: bool = False


@dataclass(frozen=True)
class Gaps:
    """Some gaps, each in another part of the table; without any, and none undecided, there is none."""

    found: tuple[Gap, ...]
    undecided: int = 0
    cut_off: bool = False


def overlaps(domain: Domain, *, most: int = 20) -> Overlaps:
    """Find rows that hold on one record; `most` of them are given with such a record."""
    domain.tried = 0
    beside = domain.beside
    if beside is None:
        return Overlaps((), 0, cut_off=True)
    found: list[Overlap] = []
    pairs = undecided = 0
    for row in range(domain.rows):
        later = beside.of(row) >> (row + 1)
        if not later:
            continue
        pairs += later.bit_count()
        if domain.tried > MOST_TRIED:
            continue
        for place in islice(_bits(later), most):
            if len(found) >= most or domain.tried > MOST_TRIED:
                break
            other = row + 1 + place
            record = domain.witness(
                [column.common(column.cells[row], column.cells[other]) for column in domain.columns],
                (row, other),
            )
            if record is None:
                undecided += 1
            else:
                found.append(Overlap(row, other, record))
    return Overlaps(tuple(found), pairs, undecided, cut_off=pairs > len(found) + undecided)


def gaps(domain: Domain, *, most: int = 10) -> Gaps:
    """Find records without missing values on which no row holds, at a time at which the table does."""
    if domain.table.timed and len(set(domain.table.cells[-1])) == 1:
        domain = domain.untimed()
    domain.tried = 0
    columns = sorted(domain.columns, key=lambda column: column.pieces.share)
    cuts = [Cuts(column.pieces) for column in columns]
    seen: list[set[tuple[int, int]]] = [set() for _ in columns]
    found: list[Gap] = []
    steps = undecided = 0
    # Depth first: what is left after some inputs, and the code chosen for each of them.
    pending: list[tuple[int, tuple[int, ...]]] = [((1 << domain.rows) - 1, ())]
    while pending and len(found) < most:
        left, chosen = pending.pop()
        level = len(chosen)
        if not left or level == len(columns):
            if not left:
                record = domain.gap(columns, chosen)
                if record is None:
                    undecided += 1
                else:
                    found.append(Gap(record))
            continue
        if (left.bit_length(), left) in seen[level]:
            continue
        seen[level].add((left.bit_length(), left))
        column = columns[level]
        places = cuts[level].of(left, domain.rows)
        places = places[places < column.pieces.missing].tolist()
        steps += len(places) + left.bit_count() // 4  # what the rows that are left cost to look through
        if steps > MOST_STEPS or domain.tried > MOST_TRIED:
            return Gaps(tuple(found), undecided, cut_off=True)
        for place, end in zip(reversed(places), reversed([*places[1:], column.pieces.missing]), strict=True):
            code = column.first_possible(place, end)
            if code is not None:
                pending.append((left & column.pieces.true(code), (*chosen, code)))
    return Gaps(tuple(found), undecided, cut_off=bool(pending))


def _bits(bits: int) -> Iterator[int]:
    return iter(positions(bits, bits.bit_length()).tolist())
