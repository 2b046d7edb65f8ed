"""A row must score the same alone and in any batch, bit for bit: tried on real rows when a graph is built."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.model import open_session

SIZES = (2, 3, 7, 8, 33, 1_000)
SINGLE_ROWS = 64
REPEATS = 5


def unsteady_columns(
    model: bytes, inputs: Mapping[str, np.ndarray], output: str = "scores"
) -> tuple[set[int], bool]:
    """Run rows in batches of many sizes and compare with one large batch.

    Gives the output's columns that differ between batches of two rows and more, and whether single rows
    differ in any other column: those can be mended by running a single row twice.
    """
    session = open_session(model)
    rows = len(next(iter(inputs.values())))

    def run(start: int, stop: int) -> np.ndarray:
        part = {name: array[start:stop] for name, array in inputs.items()}
        return np.asarray(session.run([output], part)[0])

    whole = run(0, rows)
    columns: set[int] = set()
    for size in SIZES:
        for start in range(0, max(1, min(rows - size, size * REPEATS)), size):
            got = run(start, start + size)
            columns |= _differing(got, whole[start : start + size])
    single: set[int] = set()
    for row in range(min(rows, SINGLE_ROWS)):
        single |= _differing(run(row, row + 1), whole[row : row + 1])
    return columns, bool(single - columns)


def _differing(got: np.ndarray, expected: np.ndarray) -> set[int]:
    """Columns with a bit that differs; NaN equals NaN."""
    unlike = (got != expected) & ~(np.isnan(got) & np.isnan(expected))
    return set(np.flatnonzero(unlike.any(axis=0)).tolist())
