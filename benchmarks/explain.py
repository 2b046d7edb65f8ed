"""One decision explained: time against SHAP on the same pipeline, and how far each is from the exact values.

Ours explains all scores and the rules; SHAP one score alone, `fraud`. Both ask the same graph about the same
reference rows, SHAP through a function that mixes encoded rows as quickly as ours does. `default` is what
shap does unasked, `equal` gives it at least as many rows of the model as ours takes. Times are of the
processor, for the machine may be shared. Exact values come from all 2¹² sets of fields; errors are root mean
squares over records and fields, as shares of that of the exact values.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import engine
from benchmarks.figures import Figure, against, figure
from benchmarks.setting import SEED, payments_project, payments_records, percentile
from engine.contributions import Explainer
from engine.references import References
from engine.tabular import normalise

SCORE = "fraud"
TURN = 20
POPULATION = 4_000

Values = Mapping[str, Any]
Say = Callable[[Values], np.ndarray]  # a record → what each field added, in the order of `Encoding.names`


def run(*, quick: bool) -> list[Figure]:
    place = payments_project(quick=quick)
    records = payments_records(1000)
    with engine.open(place) as ours:
        model = ours.runtime.model
        explainer = model.explainer()
        if explainer is None or model.references is None:
            raise RuntimeError("the benchmark's project keeps no reference rows")
        values = [ours.runtime.schema.read(record) for record in records]
        game = Game(explainer, model.references)
        rows = float(np.mean([_rows(explainer, one) for one in values[:200]]))
        peers = shap_explainers(game, rows)
        figures = _times(ours, explainer, records, values, peers, turns=2 if quick else 10)
        judged = _judged(ours, records, 8 if quick else 40)
        figures += _errors(partial(_own, explainer), game.exact, peers, judged[::2])
        figures += _against_all(place, ours, explainer, judged)
    return [*figures, figure("rows of the model an explanation", rows, "")]


class Game:
    """A score as a function of which row each field's value is taken from: what SHAP is given.

    A cell says which of the rows its value comes from; equal values have equal cells, so that shap, too, may
    pass over fields that do not change.
    """

    def __init__(self, explainer: Explainer, references: References) -> None:
        self._explainer, self._references = explainer, references
        self._column = explainer._scores.index(SCORE)
        self._stacked: Mapping[str, np.ndarray] = references.rows
        self.background = self._cells(references.rows)
        self.names = explainer._encoding.names

    def of(self, values: Values) -> np.ndarray:
        """Put a record beside the reference rows: its cells, `(1, fields)`."""
        own = self._explainer._encoding.record(values)
        self._stacked = {
            name: np.concatenate([rows, own[name]]) for name, rows in self._references.rows.items()
        }
        return self._cells(self._stacked)[-1:]

    def log_odds(self, cells: np.ndarray) -> np.ndarray:
        """Cells `(n, fields)` → log-odds of the score, `(n,)`."""
        picked = cells.astype(np.int64)
        found = []
        for at in range(0, len(picked), 2_048):
            part = picked[at : at + 2_048]
            mixed = {
                name: self._stacked[name][part[:, owners], np.arange(len(owners))]
                for name, owners in self._explainer._encoding.owners.items()
            }
            found.append(self._explainer._log_odds(mixed)[:, self._column])
        return np.concatenate(found)

    def exact(self, values: Values) -> np.ndarray:
        """Σ over sets S without a field of |S|! (n − |S| − 1)! / n! · gain, over all reference rows."""
        record, fields = self.of(values), len(self.names)
        sets = np.arange(2**fields)
        taken = (sets[:, None] >> np.arange(fields) & 1).astype(bool)
        worth = np.mean([self.log_odds(np.where(taken, record, row)) for row in self.background], axis=0)
        sizes = taken.sum(axis=1)
        added = []
        for field in range(fields):
            without = sets[~taken[:, field]]
            shares = np.array([1 / (fields * comb(fields - 1, size)) for size in range(fields)])[
                sizes[without]
            ]
            added.append(shares @ (worth[without | 1 << field] - worth[without]))
        return np.array(added)

    def _cells(self, rows: Mapping[str, np.ndarray]) -> np.ndarray:
        columns: dict[int, np.ndarray] = {}
        for name, owners in self._explainer._encoding.owners.items():
            for field in np.unique(owners):
                held = np.nan_to_num(rows[name][:, owners == field].astype(np.float64), nan=np.inf)
                _, first, group = np.unique(held, axis=0, return_index=True, return_inverse=True)
                columns[int(field)] = first[group.reshape(-1)]
        return np.column_stack([columns[field] for field in sorted(columns)]).astype(np.float64)


def shap_explainers(game: Game, rows: float) -> dict[str, Say]:
    """SHAP's explainers for any model, at their defaults and at our number of rows, by name."""
    import shap

    fields, background = len(game.names), game.background
    kernel = shap.KernelExplainer(game.log_odds, background)
    permutation = shap.PermutationExplainer(
        game.log_odds, shap.maskers.Independent(background, len(background))
    )
    # A walk there and back asks for 2 · fields + 1 sets, each against every reference row.
    once = 2 * fields + 1
    equal = max(once, int(np.ceil(rows / len(background))))

    def by_kernel(samples: int | str, values: Values) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = kernel.shap_values(game.of(values)[0], nsamples=samples, silent=True)
        return np.asarray(given).reshape(-1)

    def by_permutation(evaluations: int, values: Values) -> np.ndarray:
        given = permutation(game.of(values), max_evals=evaluations, silent=True)
        return np.asarray(given.values).reshape(-1)

    return {
        "shap.KernelExplainer, default": partial(by_kernel, "auto"),
        "shap.KernelExplainer, equal": partial(by_kernel, equal),
        "shap.PermutationExplainer, default": partial(by_permutation, 500),
        "shap.PermutationExplainer, equal": partial(by_permutation, once),
    }


def _rows(explainer: Explainer, values: Values) -> int:
    """How many rows of the model one explanation takes."""
    changed = explainer._differs(explainer._encoding.record(values))[explainer._from[:, 0]].sum(axis=1)
    return int(1 + np.maximum(changed - 1, 0).sum())


def _own(explainer: Explainer, values: Values) -> np.ndarray:
    fields = explainer.explain(values)[SCORE].fields
    return np.array([fields[name] for name in explainer._encoding.names])


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
            count = max(2, TURN // 10) if "default" in side else TURN
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
        target = "ratio >= 50" if "default" in name else ""
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


def _errors(own: Say, exact: Say, peers: Mapping[str, Say], judged: Sequence[Values]) -> list[Figure]:
    """How far from the exact values, of the same reference rows, each side is."""
    truth = np.array([exact(values) for values in judged])

    def error(say: Say) -> float:
        found = np.array([say(values) for values in judged])
        return float(np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2)))

    off = error(own)
    return [against("error against exact values", off, "", name, error(say)) for name, say in peers.items()]


def _against_all(place: Path, ours: engine.Engine, own: Explainer, judged: Sequence[Values]) -> list[Figure]:
    """Error against 4,000 payments as reference rows: of the bundle's own rows, and of as many drawn ones."""
    draw = np.random.default_rng(SEED)
    table = pq.read_table(place / "data" / "payments.parquet")
    payments = table.take(np.sort(draw.choice(table.num_rows, POPULATION, replace=False))).combine_chunks()
    rows = own._encoding.batch(normalise(ours.runtime.schema, payments.to_batches()[0]).batch)

    def against_rows(at: np.ndarray) -> np.ndarray:
        orders = np.stack([draw.permutation(len(own._encoding.names)) for _ in at])
        held = References({name: array[at] for name, array in rows.items()}, orders)
        other = Explainer(own._encoding, own._session, own._scores, own._margins, held)
        return np.array([_own(other, values) for values in judged])

    truth = against_rows(np.arange(POPULATION))

    def error(found: np.ndarray) -> float:
        return float(np.sqrt(np.mean((found - truth) ** 2) / np.mean(truth**2)))

    count = len(own._bases)
    drawn = [error(against_rows(draw.choice(POPULATION, count, replace=False))) for _ in range(8)]
    name = f"{count} rows drawn at random"
    kept = error(np.array([_own(own, values) for values in judged]))
    return [
        against(
            f"error against {POPULATION:,} rows", kept, "", name, float(np.sqrt(np.mean(np.square(drawn))))
        )
    ]
