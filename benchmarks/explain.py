"""One decision explained: time against SHAP on the same pipeline, and how far each is from the exact values.

Ours explains all scores and the rules; SHAP one score alone, `fraud`. Both are given the same graph and the
same reference rows, SHAP as a function that mixes encoded rows and runs the graph; ours takes the graph apart
at its sums. `default` is what shap does unasked, `equal` gives it at least as many rows of the model as ours
takes, `as exact` the fewest orders with which its mean absolute error is no larger than ours. Times are of
the processor, for the machine may be shared. Exact values come from all 2¹² sets of fields; errors are of
records and fields together, as shares of the exact values' own root mean square or mean size.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import engine
from benchmarks.figures import Figure, against, figure
from benchmarks.game import SCORE, Errors, Game, Say, Values, permutation_explainer, shap_explainers
from benchmarks.setting import SEED, payments_project, payments_records, percentile
from engine.contributions import Explainer
from engine.margins import Margins
from engine.model import Model
from engine.project import load_project
from engine.references import References
from engine.runtime import Runtime
from engine.tabular import normalise
from engine.training.build import fit

TURN = 20
SHAP_ROWS = 100  # what shap's maskers keep of a table unasked
WIDE = 90
WIDE_PROJECT = """\
name: wide
fields:
FIELDS
outcomes: [pass, hold]
labels:
  late: {column: late, positive: "yes"}
embedding: {epochs: 20, seed: 7}
classifiers:
  late: {label: late, candidates: [logistic]}
policy:
  - {when: scores.late >= 0.5, decide: hold}
  - {when: "true", decide: pass}
"""
POPULATION = 4_000


def run(*, quick: bool) -> list[Figure]:
    place = payments_project(quick=quick)
    records = payments_records(1000)
    with engine.open(place) as ours:
        model = ours.runtime.model
        explainer = model.explainer()
        if explainer is None or model.references is None:
            raise RuntimeError("the benchmark's project keeps no reference rows")
        values = [ours.runtime.schema.read(record) for record in records]
        game = Game(model, model.references)
        rows = float(np.mean([_rows(explainer, model, one) for one in values[:200]]))
        judged = _judged(ours, records, 8 if quick else 40)
        truth = np.array([game.exact(one) for one in judged[::2]])
        off = Errors(judged[::2], truth)
        peers = shap_explainers(game, rows, off.mean(partial(_own, explainer)), off)
        figures = _times(ours, explainer, records, values, peers, turns=2 if quick else 10)
        figures += _errors(explainer, off, peers)
        figures += _against_all(place, ours, model, judged, figures[0].value)
        figures += _told(explainer, off)
    figures += _wide(quick=quick)
    return [
        *figures,
        figure("rows of the model an explanation", rows, ""),
        figure("reference rows", len(model.references), ""),
    ]


def _rows(explainer: Explainer, model: Model, values: Values) -> int:
    """How many rows of the model one explanation takes."""
    walks = explainer._walks
    changed = walks._differs(model._encoding.record(values))[walks._starts].sum(axis=1)
    return int(1 + np.maximum(changed - 1, 0).sum())


def _own(explainer: Explainer, values: Values) -> np.ndarray:
    fields = explainer.explain(values)[SCORE].fields
    return np.array([fields[name] for name in explainer._names])


def _times(
    ours: engine.Engine,
    explainer: Explainer,
    records: Sequence[dict[str, Any]],
    values: Sequence[Values],
    peers: Mapping[str, Say],
    turns: int,
) -> list[Figure]:
    """Milliseconds of the processor a record of every side; they take turns, and the first turn warms up."""
    sides: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "explain": (ours.explain, records),
        "contributions": (explainer.explain, values),
        **{name: (say, values) for name, say in peers.items()},
    }
    taken: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(turns + 1):
        for side, (call, given) in sides.items():
            count = TURN if side in ("explain", "contributions") else max(2, TURN // 10)
            times = []
            gc.collect()
            for item in given[turn * TURN : turn * TURN + count]:
                began = time.process_time_ns()
                call(item)
                times.append((time.process_time_ns() - began) / 1e6)
            if turn:
                taken[side] += times
    p50 = {side: percentile(times, 50) for side, times in taken.items()}
    figures = [
        figure("explain p50, rules and all scores", p50["explain"], "ms", target="<= 2"),
        figure("its contributions alone p50", p50["contributions"], "ms"),
    ]
    for name in peers:
        target = "" if "equal" in name else "ratio >= 50"
        figures.append(
            against(
                "explain p50, times faster", p50["explain"], "ms", name, p50[name], target=target, faster=True
            )
        )
    return figures


def _judged(ours: engine.Engine, records: Sequence[dict[str, Any]], count: int) -> list[Values]:
    """The records that errors are taken over: half of them those of the highest score."""
    ranked = sorted(records, key=lambda record: -(ours.decide(record).scores[SCORE] or 0.0))
    chosen = [*ranked[: count // 2], *records[: count - count // 2]]
    return [ours.runtime.schema.read(record) for record in chosen]


def _errors(explainer: Explainer, off: Errors, peers: Mapping[str, Say]) -> list[Figure]:
    """How far from the exact values, of the same reference rows, each side is."""
    own = partial(_own, explainer)
    square, mean = off.square(own), off.mean(own)
    figures = []
    for name, say in peers.items():
        figures.append(against("error against exact values", square, "", name, off.square(say)))
        figures.append(against("mean absolute error against exact", mean, "", name, off.mean(say)))
    return figures


def _told(explainer: Explainer, off: Errors) -> list[Figure]:
    """The error that explanations tell of themselves, against what they are off by."""
    told = [explainer.explain(values)[SCORE].error or 0.0 for values in off.judged]
    found = np.sqrt(np.mean(off.differences(partial(_own, explainer)) ** 2))
    own = float(np.sqrt(np.mean(np.square(told))))
    return [against("error told, log-odds", own, "", "error found", float(found))]


def _against_all(
    place: Path, ours: engine.Engine, model: Model, judged: Sequence[Values], own_ms: float
) -> list[Figure]:
    """Against 4,000 payments as reference rows, which every choice of rows stands for: the error of the
    bundle's own rows, of as many drawn ones, and of SHAP unasked, which draws 100; and the time with those.
    """
    draw = np.random.default_rng(SEED)
    table = pq.read_table(place / "data" / "payments.parquet")
    payments = table.take(np.sort(draw.choice(table.num_rows, POPULATION, replace=False))).combine_chunks()
    rows = model._encoding.batch(normalise(ours.runtime.schema, payments.to_batches()[0]).batch)
    margins = Margins.of(model.classifiers, model.scores)

    def held(at: np.ndarray) -> References:
        orders = np.stack([draw.permutation(len(model._encoding.names)) for _ in at])
        return References({name: array[at] for name, array in rows.items()}, orders)

    def against_rows(at: np.ndarray) -> np.ndarray:
        args = (model._encoding, model._graph, model.scores, margins, held(at), model.sums)
        other = Explainer(*args)
        return np.array([_own(other, values) for values in judged])

    off = Errors(judged, against_rows(np.arange(POPULATION)))
    explainer = model.explainer()
    if explainer is None or model.references is None:
        raise RuntimeError("the benchmark's project keeps no reference rows")
    count, all_rows = len(model.references), f"{POPULATION:,} rows"
    own = partial(_own, explainer)
    drawn = [off.of_square(against_rows(draw.choice(POPULATION, count, replace=False))) for _ in range(8)]
    games = [Game(model, held(draw.choice(POPULATION, SHAP_ROWS, replace=False))) for _ in range(4)]
    name = f"shap.PermutationExplainer, unasked: {SHAP_ROWS} rows drawn"
    times, said = [], []
    for turn, values in enumerate(judged):
        say = permutation_explainer(games[turn % len(games)])
        began = time.process_time_ns()
        said.append(say(500, values))
        times.append((time.process_time_ns() - began) / 1e6)
    shap_ms = percentile(times[2:], 50)
    rooted = float(np.sqrt(np.mean(np.square(drawn))))
    return [
        against(f"error against {all_rows}", off.square(own), "", f"{count} rows drawn at random", rooted),
        against(f"error against {all_rows}", off.square(own), "", name, off.of_square(np.array(said))),
        against("explain p50, times faster", own_ms, "ms", name, shap_ms, target="ratio >= 50", faster=True),
    ]


def _wide(*, quick: bool) -> list[Figure]:
    """Milliseconds for a record of ninety numbers, a third of which are nearly always 0."""
    draw = np.random.default_rng(SEED)
    rows = 2_000 if quick else 6_000
    numbers = draw.normal(size=(rows, WIDE))
    numbers[:, ::3] = np.where(draw.random((rows, len(range(0, WIDE, 3)))) < 0.9, 0, numbers[:, ::3])
    # What lies far out is late: no weighted sum of the numbers says it, so a tower is fitted.
    late = np.abs(numbers[:, 1]) + np.abs(numbers[:, 2]) * np.abs(numbers[:, 4]) > 1.5
    names = [f"n{place}" for place in range(WIDE)]
    table = pa.table({**dict(zip(names, numbers.T, strict=True)), "late": np.where(late, "yes", "no")})
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project.yaml"
        fields = "".join(f"  {name}: {{type: float}}\n" for name in names)
        project.write_text(WIDE_PROJECT.replace("FIELDS\n", fields))
        bundle = fit(load_project(Path(folder)), table, now=datetime(2026, 11, 1, tzinfo=UTC))
    runtime = Runtime.open(bundle)
    explainer = runtime.model.explainer()
    if explainer is None:
        raise RuntimeError("the wide project keeps no reference rows")
    times, told = [], []
    for record in table.select(names).slice(0, 60).to_pylist():
        values = runtime.schema.read(record)
        began = time.process_time_ns()
        found = explainer.explain(values)["late"]
        times.append((time.process_time_ns() - began) / 1e6)
        told.append((found.error or 0.0) / np.sqrt(np.mean(np.square(list(found.fields.values())))))
    return [
        figure(f"contributions of {WIDE} fields p50", percentile(times[10:], 50), "ms", target="<= 4"),
        figure(f"error told of {WIDE} fields", percentile(told, 50), ""),
    ]
