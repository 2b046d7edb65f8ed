"""One record the whole way, against torch + scikit-learn + zen-engine and against the bare onnxruntime call.

Ours: schema, encoding, embedding and three classifiers in one graph, policy, 100 filters, a decision with its
reasons. The records rotate through a thousand different payments; the sides take turns, a hundred calls each.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import Any

import engine
from benchmarks.bare import BareModel
from benchmarks.figures import Figure, against, figure
from benchmarks.peer import Peer, fit_peer
from benchmarks.setting import payments_project, payments_records, percentile

TURN = 100


def run(*, quick: bool) -> list[Figure]:
    place = payments_project(quick=quick)
    rounds = 20 if quick else 100
    records = payments_records(1000)
    bare = BareModel(place)
    values = [bare.schema.read(record) for record in records]
    inputs = [bare.encoding.record(value) for value in values]
    peer = Peer(fit_peer(place))
    with engine.open(place) as ours:
        sides: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
            "ours": (ours.decide, records),
            "floor": (bare.scores, inputs),
            "peer": (peer.decide, values),
            "peer, one expression": (peer.decide_with_one_expression, values),
        }
        taken = _turns(sides, rounds)
    p50 = {side: percentile(times, 50) for side, times in taken.items()}
    p99 = {side: percentile(times, 99) for side, times in taken.items()}
    stack = "torch + scikit-learn x3 + 100 zen expressions"
    gathered = "the same, its 100 expressions in one array expression"
    floor = "bare onnxruntime call"
    return [
        against("decide p50", p50["ours"], "us", floor, p50["floor"], target="ratio <= 3"),
        against(
            "decide p50, times faster",
            p50["ours"],
            "us",
            stack,
            p50["peer"],
            target="ratio >= 8",
            faster=True,
        ),
        against("decide p99", p99["ours"], "us", floor, p99["floor"]),
        against("decide p99, times faster", p99["ours"], "us", stack, p99["peer"], faster=True),
        against(
            "decide p50, times faster", p50["ours"], "us", gathered, p50["peer, one expression"], faster=True
        ),
        figure("filters fired a record", _fired(ours, records), ""),
    ]


def _turns(
    sides: dict[str, tuple[Callable[[Any], object], Sequence[Any]]], rounds: int
) -> dict[str, list[float]]:
    """Microseconds a call of every side; the first turn of each warms it up and is not counted."""
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(rounds + 1):
        for side, (call, given) in sides.items():
            start = turn * TURN % len(given)
            times = []
            gc.collect()
            for item in given[start : start + TURN]:
                began = time.perf_counter_ns()
                call(item)
                times.append((time.perf_counter_ns() - began) / 1000)
            if turn:
                taken[side] += times
    return taken


def _fired(ours: engine.Engine, records: Sequence[dict[str, Any]]) -> float:
    return sum(len(ours.decide(record).fired) for record in records) / len(records)
