"""A fresh process up to its first decision, against one with scikit-learn, torch and a pickled pipeline.

The peer alone uses pickle, for that is what it is measured for. Both processes run in turns; medians.
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure, against, figure
from benchmarks.peer import fit_peer
from benchmarks.setting import child, payments_project, payments_records

STAGES = ("import", "open", "decide")


def run(*, quick: bool) -> list[Figure]:
    place = payments_project(quick=quick)
    record, pipeline = _prepare(place)
    ours: list[dict[str, float]] = []
    peer: list[dict[str, float]] = []
    for turn in range(4 if quick else 10):
        taken = child("benchmarks.fresh", "engine", str(place), str(record))
        other = child("benchmarks.fresh", "peer", str(pipeline))
        if turn:  # the first of each fills the disk cache
            ours.append(taken)
            peer.append(other)
    middle = {stage: float(np.median([taken[stage] for taken in ours])) for stage in (*STAGES, "all")}
    behind = float(np.median([taken["all"] for taken in peer]))
    name = "import scikit-learn and torch, unpickle, predict once"
    return [
        *(figure(f"start: {stage}", middle[stage], "s") for stage in STAGES),
        figure("start: all", middle["all"], "s", target="<= 0.5"),
        against("start: all, against the peer", middle["all"], "s", name, behind, target="ratio <= 0.3333"),
    ]


def _prepare(place: Path) -> tuple[Path, Path]:
    record, pipeline = place / "record.json", place / "pipeline.pickle"
    record.write_text(json.dumps(payments_records(1)[0], default=str))
    fitted = fit_peer(place)
    with pipeline.open("wb") as file:
        pickle.dump((fitted.network, fitted.classifiers, fitted.example), file)
    return record, pipeline
