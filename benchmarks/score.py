"""File to file through the whole bundle, against reading, a bare forward pass and writing alone.

The floor reads the same columns, runs the same graph in blocks of the same size on as many threads, writes id
and scores. Its model inputs are one block's, encoded beforehand and used again for every block: schema,
encoding, policy, filters and the other columns of the result are what ours does on top. Each side runs in a
process of its own; the sides take turns; medians.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, against, figure
from benchmarks.setting import WORK, child, payments_file, payments_project

LIMIT_GB = 1.5


def run(*, quick: bool) -> list[Figure]:
    place = payments_project(quick=quick)
    rows, many, repeats = (100_000, 200_000, 1) if quick else (1_000_000, 4_000_000, 3)
    source, large = payments_file(rows), payments_file(many)
    ours: list[dict[str, float]] = []
    floor: list[dict[str, float]] = []
    for _ in range(repeats):
        ours.append(_measure("engine", place, source))
        floor.append(_measure("floor", place, source))
    larger = _measure("engine", place, large)
    rate = float(np.median([rows / taken["seconds"] for taken in ours]))
    bare = float(np.median([rows / taken["seconds"] for taken in floor]))
    peak = max(taken["peak"] for taken in ours) / 1e9
    return [
        against(
            f"rate, {rows:,} rows, 100 filters",
            rate,
            "rows/s",
            "read, bare forward, write",
            bare,
            target="ratio >= 0.4",
        ),
        figure(f"rate, {many:,} rows", many / larger["seconds"], "rows/s"),
        figure(f"peak memory, {rows:,} rows", peak, "GB", target=f"<= {LIMIT_GB}"),
        against(
            f"peak memory, {many:,} rows",
            larger["peak"] / 1e9,
            "GB",
            f"{rows:,} rows",
            peak,
            target="" if quick else "ratio <= 1.1",  # few rows do not fill the blocks in flight
        ),
        figure("peak memory of the floor", max(taken["peak"] for taken in floor) / 1e9, "GB"),
    ]


def _measure(side: str, place: Path, source: Path) -> dict[str, float]:
    target = WORK / f"scored-{side}.parquet"
    target.unlink(missing_ok=True)
    taken: dict[str, float] = child("benchmarks.whole_file", side, str(place), str(source), str(target))
    target.unlink()
    return taken
