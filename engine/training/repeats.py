"""Rows that are equal in every field to a row learned from: figures on them are of memory.

A row is known by 64 bits over its fields in normal form, the same in every process and on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from engine.spill import blocks_of

FEWEST, SHARE = 5, 0.01  # rows met before, and of all: a table of small numbers has a few that are no copies
LIKELY = 0.05  # rows to be met by chance
TWICE = 2  # equal rows learned from that may be copies; more of them are a common row
AGREED = 0.9  # labels that fields tell well agree less, those of copies all
RARER = 3  # rows of other labels than the commonest, for their agreement to say anything
_MISSING = np.uint64(0xD1B54A32D192ED03)
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ divided by the golden ratio: its multiples spread over all 64 bits


def row_hashes(table: pa.Table) -> np.ndarray:
    """64 bits a row, equal where the rows are: `(n,)` uint64. Missing equals missing."""
    return np.concatenate([np.empty(0, np.uint64), *(_of_block(block) for block in blocks_of(table))])


@dataclass(frozen=True, eq=False)
class Side:
    """Some of the rows of a table, by `numbers` in ascending order; `hashes` `(n,)`, and `codes` `(n,)` by
    label, are of all its rows.
    """

    table: pa.Table
    codes: Mapping[str, np.ndarray]
    hashes: np.ndarray
    numbers: np.ndarray

    def labelled(self, numbers: np.ndarray) -> np.ndarray:
        """Hashes of rows, their labels among what is hashed: `(n,)` uint64."""
        hashes: np.ndarray = self.hashes[numbers]
        for codes in self.codes.values():
            hashes = _mixed(hashes, codes[numbers].astype(np.int64).view(np.uint64))
        return hashes


def repeated(learned: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Which of the rows `judged` equal one of the rows `learned` in every field: `(n,)` bool; both are
    hashes.
    """
    return np.isin(judged, learned)


def many(met: int, judged: int) -> bool:
    """Whether so many rows met before are more than a table has of its own, and enough to change a figure."""
    return met >= max(FEWEST, SHARE * judged)


def note(learned: Side, judged: Side, name: str, hint: str) -> str:
    """One sentence on rows judged that were learned from; empty where there are few, where chance makes them,
    or where their labels do not go with them: then nobody gains by remembering.
    """
    met = judged.numbers[repeated(learned.hashes[learned.numbers], judged.hashes[judged.numbers])]
    if not many(len(met), len(judged.numbers)):
        return ""
    odd = met[~by_chance(judged, met, learned, len(learned.numbers))]
    if not many(len(odd), len(judged.numbers)) or _agreement(learned, judged, odd) < AGREED:
        return ""
    same = int(repeated(learned.labelled(learned.numbers), judged.labelled(met)).sum())
    labels = "the label" if len(judged.codes) == 1 else "all labels"
    return (
        f"{len(met):,} of {len(judged.numbers):,} {name} rows equal a training row in every field, {same:,} "
        f"of them in {labels} too; where equal rows are one thing seen twice, figures on them flatter: {hint}"
    )


def by_chance(judged: Side, met: np.ndarray, among: Side, rows: float) -> np.ndarray:
    """Which of the rows with the numbers `met` so many `rows` have by chance, their values being common:
    `(n,)` bool.

    A value is as common as it is among other rows; fields are taken as independent.
    """
    values = np.concatenate([_values(block) for block in _blocks(judged.table, met)])
    counts = np.zeros(values.shape, np.int64)
    for block in _blocks(among.table, among.numbers):
        for place, column in enumerate(block.columns):
            counts[:, place] += _counted(_of_values(column), values[:, place])
    own = np.minimum(_counted(among.hashes[among.numbers], judged.hashes[met]), TWICE)
    shares = (counts - own[:, None]) / max(1, len(among.numbers))
    return np.asarray(rows * shares.prod(axis=1) >= LIKELY)


def _agreement(learned: Side, judged: Side, rows: np.ndarray) -> float:
    """How far labels of equal rows agree beyond chance, 1 where all do (Cohen's kappa); 0 where the rows have
    one label only, which tells nothing.
    """
    own = judged.labelled(rows)
    with_label = _counted(learned.labelled(learned.numbers), own)
    agreed = with_label / np.maximum(1, _counted(learned.hashes[learned.numbers], judged.hashes[rows]))
    codes = np.stack([codes[rows] for codes in judged.codes.values()])
    _, counts = np.unique(codes, axis=1, return_counts=True)
    chance = float(((counts / max(1, len(rows))) ** 2).sum())
    if len(counts) < 2 or len(rows) - counts.max() < RARER:
        return 0.0
    return (float(agreed.mean()) - chance) / (1.0 - chance)


def _counted(among: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How often each of the values is among others: `(n,)` int64."""
    distinct, places = np.unique(values, return_inverse=True)
    at = np.minimum(np.searchsorted(distinct, among), max(0, len(distinct) - 1))
    found = at[distinct[at] == among] if len(distinct) else at[:0]
    return np.bincount(found, minlength=len(distinct))[places]


def _blocks(table: pa.Table, numbers: np.ndarray) -> Iterator[pa.RecordBatch]:
    """Some rows of a table, a block at a time."""
    start = 0
    for block in blocks_of(table):
        first, last = np.searchsorted(numbers, (start, start + block.num_rows))
        yield block.take(pa.array(numbers[first:last] - start, pa.int64()))
        start += block.num_rows


def _values(block: pa.RecordBatch) -> np.ndarray:
    """64 bits a value: `(n, fields)` uint64."""
    return np.stack([_of_values(column) for column in block.columns], axis=1)


def _of_block(block: pa.RecordBatch) -> np.ndarray:
    hashes = np.zeros(block.num_rows, np.uint64)
    for column in block.columns:
        hashes = _mixed(hashes, _of_values(column))
    return hashes


def _mixed(hashes: np.ndarray, values: np.ndarray) -> np.ndarray:
    mixed = (hashes ^ values) * _MIX
    return np.asarray(mixed ^ (mixed >> np.uint64(29)))


def _of_values(column: pa.Array) -> np.ndarray:
    """64 bits a value of a normal column."""
    if pa.types.is_string(column.type):
        distinct = column.dictionary_encode()
        digests = b"".join(
            blake2b(text.encode(), digest_size=8).digest() for text in distinct.dictionary.to_pylist()
        )
        known = np.frombuffer(digests + bytes(8), "<u8").astype(np.uint64)
        places = distinct.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
        values = known[places]
    elif pa.types.is_floating(column.type):
        values = (column.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)  # -0.0 is 0.0
    else:
        kind = pa.uint8() if pa.types.is_boolean(column.type) else pa.int64()
        values = (
            column.cast(kind).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64).view(np.uint64)
        )
    if column.null_count:
        values = np.where(column.is_null().to_numpy(zero_copy_only=False), _MISSING, values)
    return np.asarray(values)
