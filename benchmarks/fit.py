"""Wall time from a table to a finished bundle, on two public tables, against CatBoost alone.

`tandem fit` in a process of its own: rows read and split, embedding and all candidates fitted, exported,
checked, evaluated, bundle written. CatBoost gets the training and the validation rows in memory and both
cores, and does nothing but fit. They take turns; the best of three counts.
"""

from __future__ import annotations

import os
import time

import numpy as np

from benchmarks.boosters import fitted_in
from benchmarks.figures import Figure, against, figure
from benchmarks.public import write_folder
from benchmarks.setting import WORK, tandem

TABLES = ("adult", "credit_default")
TURNS = 3


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
    return figures
