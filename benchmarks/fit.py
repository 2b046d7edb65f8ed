"""Wall time from a table to a finished bundle, on two public tables, against CatBoost alone; and the memory
of a fit of millions of rows.

`tandem fit` in a process of its own: rows read and split, embedding and all candidates fitted, exported,
checked, evaluated, bundle written. CatBoost gets the training and the validation rows in memory and both
cores, and does nothing but fit. They take turns; the best of three counts.

Millions of payments are fitted in a process of their own (see `large_fit`), whose peak is that of its
resident memory, pages of mapped files and libraries included.
"""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.boosters import fitted_in
from benchmarks.figures import Figure, against, figure
from benchmarks.large_fit import decoded_bytes, large_project
from benchmarks.public import write_folder
from benchmarks.setting import WORK, child, tandem

TABLES = ("adult", "credit_default")
TURNS = 3
LARGE = (2_000_000, 4_000_000)
LIMIT_GB = 2.5


def run(*, quick: bool) -> list[Figure]:
    figures: list[Figure] = []
    for name in ("german_credit",) if quick else TABLES:
        place = WORK / f"fit-{name}"
        given = write_folder(name, place)
        ours, theirs = [], []
        for _ in range(1 if quick else TURNS):
            # A second fit of the same rows would find its own model in the registry.
            write_folder(name, place)
            began = time.perf_counter()
            tandem("fit", cwd=place)
            ours.append(time.perf_counter() - began)
            theirs.append(fitted_in("catboost", given, seed=1, threads=os.cpu_count() or 1))
        best, peer = float(np.min(ours)), float(np.min(theirs))
        figures += [
            figure(f"{name}: fit, wall time", best, "s", target="<= 60"),
            against(f"{name}: against CatBoost", best, "s", "CatBoost alone", peer, target="ratio <= 6"),
        ]
    return figures + _memory(quick=quick)


def _memory(*, quick: bool) -> list[Figure]:
    """Both tables are larger than what a fit learns from: the second may take little more than the first."""
    few, many = (50_000, 100_000) if quick else LARGE
    taken = {rows: child("benchmarks.large_fit", str(large_project(rows))) for rows in (few, many)}
    fewer, more = (taken[rows]["peak"] / 1e9 for rows in (few, many))
    return [
        figure(f"{many:,} payments: fit, wall time", taken[many]["seconds"], "s"),
        figure(f"{many:,} payments: decoded", decoded_bytes(many) / 1e9, "GB"),
        figure(f"{many:,} payments: peak memory", more, "GB", target=f"<= {LIMIT_GB}"),
        against(
            f"{many:,} payments: peak memory against fewer",
            more,
            "GB",
            f"{few:,} payments",
            fewer,
            target="" if quick else "ratio <= 1.15",
        ),
    ]
