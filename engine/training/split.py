"""Which rows are for training, which for validation, which for the test: three disjoint sets of row
numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.project import Split


MOST_TRAIN, MOST_VALIDATION = 1_000_000, 250_000
"""Rows that a fit learns from and chooses by at most: a larger table is sampled down to them."""
MOST_TEXT = 1_500_000_000  # bytes of one column of the rows learned from
LEAST_OF_CLASS = 10


@dataclass(frozen=True)
class Parts:
    """Row numbers in ascending order, int64: no row twice."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_rows(
    split: Split,
    rows: int,
    *,
    strata: np.ndarray | None = None,
    times: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    test: bool = True,
) -> Parts:
    """Split `rows` rows as the project says; without `test`, only into training and validation.

    `strata` `(rows,)` int64: a random draw takes the same share of each value. `times` `(rows,)` int64: the
    latest rows are the test, those before them validation; rows of equal time keep the file's order. `groups`
    `(rows,)` int64: rows of equal number stay together, so the parts are only about as large as asked.
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
    if split.by == "group":
        return _grouped(split.seed, _required_groups(groups), validation, held_out)
    order = np.arange(rows) if split.by == "order" else np.argsort(_required(times), kind="stable")
    cut = rows - held_out
    return Parts(
        np.sort(order[: cut - validation]), np.sort(order[cut - validation : cut]), np.sort(order[cut:])
    )


def thinned(parts: Parts, share: float, strata: np.ndarray, seed: int) -> Parts:
    """The same parts with a share of the training rows, of each stratum; a larger share holds a smaller one.

    `strata` `(rows,)` int64 are of all rows.
    """
    drawn = np.random.default_rng(seed).permutation(parts.train)
    kept = [mine[: round(share * len(mine))] for mine in _by_value(drawn, strata)]
    return Parts(np.sort(np.concatenate(kept)), parts.validation, parts.test)


def bounded(parts: Parts, counted: Mapping[str, np.ndarray], seed: int, text: float = 0.0) -> Parts:
    """The same parts where they are within bounds; else a seeded sample of training and validation rows.

    `counted` `(rows,)` int64 by label: the class of each row, below 0 where it does not count. A few rows
    more than the bound are kept where a class would otherwise have fewer than ten. `text` are the mean bytes
    a row of the longest column: where they are many, fewer rows are taken.
    """
    readable = int(MOST_TEXT / max(text, 1.0))
    train = _sampled(parts.train, counted, min(MOST_TRAIN, readable), seed)
    validation = _sampled(parts.validation, counted, min(MOST_VALIDATION, readable), seed)
    return Parts(train, validation, parts.test)


def _sampled(numbers: np.ndarray, counted: Mapping[str, np.ndarray], most: int, seed: int) -> np.ndarray:
    if len(numbers) <= most:
        return numbers
    drawn = np.random.default_rng(seed).permutation(numbers)
    kept = [drawn[:most]]
    for classes in counted.values():
        of_class = classes[drawn]
        kept += [
            drawn[np.flatnonzero(of_class == code)[:LEAST_OF_CLASS]]
            for code in np.unique(of_class[of_class >= 0])
        ]
    return np.unique(np.concatenate(kept))


def _by_value(numbers: np.ndarray, strata: np.ndarray) -> list[np.ndarray]:
    """Row numbers by the value of their rows, in the order given."""
    own = strata[numbers]
    return [numbers[own == value] for value in np.unique(own)]


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


def _grouped(seed: int, groups: np.ndarray, validation: int, held_out: int) -> Parts:
    """Draw whole groups: for the test until it is full, then for validation, the rest for training.

    A group that would overfill a part by more than it fills goes to training.
    """
    _, numbers, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    part = np.zeros(len(sizes), np.int64)
    left = {2: held_out, 1: validation}
    for group in np.random.default_rng(seed).permutation(len(sizes)).tolist():
        for which, wanted in left.items():
            if wanted > 0 and sizes[group] < 2 * wanted:
                part[group] = which
                left[which] -= int(sizes[group])
                break
    of_row = part[numbers]
    train, validated, tested = (np.flatnonzero(of_row == which) for which in (0, 1, 2))
    if min(len(train), len(validated)) == 0 or (held_out and len(tested) == 0):
        raise InputError(
            f"split: {len(sizes)} groups cannot be shared out: the largest has {sizes.max()} "
            f"of {len(groups)} rows; split by another column, or give rows of more groups"
        )
    return Parts(train, validated, tested)


def _required_groups(groups: np.ndarray | None) -> np.ndarray:
    if groups is None:
        raise InputError("split: by group needs a column of the training table; name it as 'field'")
    return groups


def _count(share: float, rows: int) -> int:
    """Below 1 a share of the rows, from 1 on a number of rows."""
    return round(share * rows) if share < 1 else round(share)


def _required(times: np.ndarray | None) -> np.ndarray:
    if times is None:
        raise InputError("split: by time needs the times of the rows; name a timestamp field as 'field'")
    return times
