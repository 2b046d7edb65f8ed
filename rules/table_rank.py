"""Where the rows of a table stand among the rules of their file, in deciding.

A file's rules come first, then its tables as written. The file's hit policy orders a row beside the rules and
rows of other tables, as it orders rules; within a table the table's own hit policy does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.files import Filters
from rules.hit_policy import FIRST, PRIORITY, REVIEW, UNIQUE, Rank, file_ranks, strength
from rules.tables import Table, TableRow

Key = tuple[int | None, str | None]  # what ranks a row beside its place: its priority, and what it decides


@dataclass(frozen=True)
class TableRank:
    """Where rows stand: the ranks of rows of one priority and outcome follow each other from `bases` on.

    `group` numbers the rules of which, where `unique`, at most one may decide: the table's rows, or all of
    its file.
    """

    group: int
    unique: bool
    bases: Mapping[Key, float]
    width: float
    rows: int

    def base(self, row: TableRow, *, reviews: bool = False) -> float:
        """Give where rows of this kind begin."""
        return self.bases[row.priority, REVIEW if reviews else row.decide]

    def rank(self, row: TableRow, place: int) -> Rank:
        """Give the rank of a row by its place in the table."""
        within = self.width * (place + 1) / (self.rows + 2)
        return Rank(self.group, self.base(row) + within, self.base(row, reviews=True) + within)


def table_ranks(
    filters: Sequence[Filters], tables: Iterable[tuple[Filters, Table]], outcomes: Sequence[str]
) -> Iterator[tuple[Filters, Table, int, TableRank]]:
    """Rank every table of these files, which are in order; gives the number of each one's file, too."""
    by_file: dict[int, list[Table]] = {}
    numbers = {id(one): number for number, one in enumerate(filters)}
    for one, table in tables:
        by_file.setdefault(numbers[id(one)], []).append(table)
    group = len(numbers)
    for number, start, keys in file_ranks(filters, outcomes):
        one = filters[number]
        written = by_file.get(number, [])
        kinds = {
            (at, kind): _key(one, table, kind, len(one.rules) + at, outcomes)
            for at, table in enumerate(written)
            for kind in _kinds(table)
        }
        order = sorted(kinds, key=lambda kind: (kinds[kind], kind[0], str(kind[1])))
        width = 1.0 / (len(order) + 1)
        rank = {
            kind: start + bisect_left(keys, kinds[kind][:3]) - 1 + (place + 1) * width
            for place, kind in enumerate(order)
        }
        for at, table in enumerate(written):
            bases = {kind: rank[at, kind] for where, kind in order if where == at}
            whole = one.hit_policy == UNIQUE
            unique = whole or table.hit_policy == UNIQUE
            yield (
                one,
                table,
                number,
                TableRank(number if whole else group, unique, bases, width, len(table.rows)),
            )
            group += 1


def row_ranks(table: Table, outcomes: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
    """Give where each row stands within its table, 0 the strongest: as it holds, and as it is left open.

    A row left open that asks for review stands as one that decides it: of rows by priority that is
    another place, between those of rows that hold.
    """
    rows, policy = table.rows, table.hit_policy
    kinds = [
        (*strength(policy, row.priority, row.decide, place, outcomes), place, 0)
        for place, row in enumerate(rows)
    ]
    if moves_open(table):
        kinds += [
            (*strength(policy, row.priority, REVIEW, place, outcomes), place, 1)
            for place, row in enumerate(rows)
        ]
    ranks = [0] * len(kinds)
    for rank, at in enumerate(sorted(range(len(kinds)), key=kinds.__getitem__)):
        ranks[at] = rank
    return ranks[: len(rows)], ranks[-len(rows) :]


def moves_open(table: Table) -> bool:
    """Say whether a row left open stands elsewhere in its table than where it holds."""
    return table.hit_policy == PRIORITY and table.on_unknown == REVIEW


def _kinds(table: Table) -> Iterator[Key]:
    found = dict.fromkeys((row.priority, row.decide) for row in table.rows)
    found |= dict.fromkeys((row.priority, REVIEW) for row in table.rows)
    yield from found


def _key(file: Filters, table: Table, kind: Key, place: int, outcomes: Sequence[str]) -> tuple[Any, ...]:
    priority, outcome = kind
    among = strength(file.hit_policy, priority, outcome, place, outcomes)
    within = (
        (0, 0) if table.hit_policy == FIRST else strength(table.hit_policy, priority, outcome, 0, outcomes)
    )
    return (*among, place, *within)
