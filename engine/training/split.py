"""Which rows are for training, which for validation, which for the test: three disjoint sets of row
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.project import Split


@dataclass(frozen=True)
class Parts:
    """Row numbers in ascending order, int64; together every row once."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(
    split: Split,
    rows: int,
    *,
    strata: np.ndarray | None = None,
    times: np.ndarray | None = None,
    test: bool = True,
) -> Parts:
    """Split `rows` rows as the project says; without `test`, only into training and validation.

    `strata` `(rows,)` int64: a random draw takes the same share of each value. `times` `(rows,)` int64: the
    latest rows are the test, those before them validation; rows of equal time keep the file's order.
    """
    held_out = _count(split.test, rows) if test else 0
    validation = _count(split.validation, rows)
    if held_out + validation >= rows:
        raise InputError(
            f"split: {validation} validation and {held_out} test rows leave none of {rows} for training; "
            "lower 'validation' or 'test', or give more rows"
        )
    if split.by == "random":
        return _drawn(split.seed, rows, strata, validation / rows, held_out / rows)
    order = np.arange(rows) if split.by == "order" else np.argsort(_required(times), kind="stable")
    cut = rows - held_out
    return Parts(
        np.sort(order[: cut - validation]), np.sort(order[cut - validation : cut]), np.sort(order[cut:])
    )


def _drawn(seed: int, rows: int, strata: np.ndarray | None, validation: float, test: float) -> Parts:
    """Shuffle, then cut each stratum at the same shares."""
    order = np.random.default_rng(seed).permutation(rows)
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    values = np.zeros(rows, np.int64) if strata is None else strata
    for value in np.unique(values):
        mine = order[values[order] == value]
        first, second = round(len(mine) * test), round(len(mine) * (test + validation))
        for part, rows_of_part in zip(parts, (mine[second:], mine[first:second], mine[:first]), strict=True):
            part.append(rows_of_part)
    train, validated, tested = (np.sort(np.concatenate(part)) for part in parts)
    return Parts(train, validated, tested)


def _count(share: float, rows: int) -> int:
    """Below 1 a share of the rows, from 1 on a number of rows."""
    return round(share * rows) if share < 1 else round(share)


def _required(times: np.ndarray | None) -> np.ndarray:
    if times is None:
        raise InputError("split: by time needs the times of the rows; name a timestamp field as 'field'")
    return times
