"""A list of a million entries: reading its file, memory kept, membership of a record and of a million rows.

Against what a team would write: a Python set of the file's lines, and Polars' `is_in` with its list read
before. Half of the rows are members. Memory is what stays allocated after reading, in a process of its own,
by `tracemalloc`; ours has the file's own bytes in it, as a bundle has.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.figures import Figure, against, figure
from benchmarks.setting import WORK, child

ENTRIES, QUICK_ENTRIES = 1_000_000, 200_000
PATHS = {"texts": "string", "whole numbers": "int", "numbers far apart": "int", "networks": "cidr"}


def run(*, quick: bool) -> list[Figure]:
    import polars as pl

    from rules.listfiles import read_entries

    WORK.mkdir(exist_ok=True)
    count = QUICK_ENTRIES if quick else ENTRIES
    figures = []
    for name, kind in PATHS.items():
        path = WORK / f"list-{name.replace(' ', '-')}.txt"
        entries, rows = _made(kind, count, 10**15 if "apart" in name else 10**8)
        path.write_text("\n".join(entries) + "\n")
        data = path.read_bytes()
        read, held = _repeat(lambda data=data, kind=kind: read_entries(bytes(bytearray(data)), None, kind)[0])
        python, plain = _repeat(lambda path=path, kind=kind: _python_set(path, kind))
        figures.append(against(f"{name}: read", read * 1000, "ms", "Python set", python * 1000))
        kept, other = _memory(path, kind, "ours"), _memory(path, kind, "set")
        figures.append(against(f"{name}: memory ÷ file", kept, "", "Python set", other))
        figures.append(figure(f"{name}: memory ÷ file", kept, "", target="<= 3"))
        column = pa.array([int(row) for row in rows] if kind == "int" else rows)
        values: Any = column.to_numpy() if kind == "int" else column
        batch, mask = _repeat(lambda held=held, values=values: held.among(values))
        if kind != "cidr":
            series, members = pl.Series(column), pl.Series([*plain]).implode()
            peer, theirs = _repeat(lambda series=series, members=members: series.is_in(members))
            if not np.array_equal(mask, theirs.to_numpy()):
                raise RuntimeError("Polars finds other members")
            figures.append(
                against(
                    f"{name}: {count:,} rows",
                    batch * 1000,
                    "ms",
                    "Polars is_in",
                    peer * 1000,
                    target="ratio <= 1",
                )
            )
        else:
            figures.append(figure(f"{name}: {count:,} rows", batch * 1000, "ms"))
        some = column.to_pylist()[: 20_000 if quick else 200_000]
        one, _ = _repeat(lambda held=held, some=some: [value in held for value in some])
        each, _ = _repeat(lambda plain=plain, some=some: [value in plain for value in some])
        figures.append(
            against(f"{name}: one record", one / len(some) * 1e6, "us", "Python set", each / len(some) * 1e6)
        )
    return figures


def _made(kind: str, count: int, below: int) -> tuple[list[str], list[str]]:
    """Make the entries of a list, numbers `below` some, and as many rows of which half are members."""
    rng = np.random.default_rng(7)
    if kind == "int":
        drawn = rng.permutation(np.unique(rng.integers(0, below, 3 * count)))[: 2 * count]
        known, others = [str(number) for number in drawn[:count]], drawn[count:].astype(str).tolist()
    elif kind == "string":
        drawn = rng.integers(0, 2**48, 2 * count)
        known, others = ([f"{number:012x}" for number in half.tolist()] for half in np.split(drawn, 2))
    else:
        octets = rng.integers(1, 255, (2 * count, 3)).tolist()
        known = [f"{a}.{b}.{c}.0/24" for a, b, c in octets[:count]]
        others = [f"{a}.{b}.{c}.77" for a, b, c in octets[count:]]
    asked = [entry.replace(".0/24", ".9") for entry in known]
    chosen = rng.random(count) < 0.5
    places = rng.integers(0, count, count).tolist()
    rows = [asked[place] if yes else other for place, yes, other in zip(places, chosen, others, strict=True)]
    return known, rows


def _python_set(path: Path, kind: str) -> frozenset[Any]:
    lines = path.read_text().split()
    return frozenset(map(int, lines) if kind == "int" else lines)


def _repeat(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one run, the median of five, and its result."""
    taken = []
    for _ in range(5):
        result = None
        began = time.perf_counter()
        result = run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken), result


def _memory(path: Path, kind: str, way: str) -> float:
    """What a process holds more after reading a list, in sizes of the file."""
    return float(child("benchmarks.lists", str(path), kind, way)["ratio"])


def _measured(path: Path, kind: str, way: str) -> None:
    from rules.listfiles import read_entries

    tracemalloc.start()
    data = path.read_bytes() if way == "ours" else b""
    held = read_entries(data, None, kind)[0] if way == "ours" else _python_set(path, kind)
    gc.collect()
    kept, _ = tracemalloc.get_traced_memory()
    print(json.dumps({"ratio": kept / path.stat().st_size, "entries": len(held)}))


if __name__ == "__main__":
    _measured(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
