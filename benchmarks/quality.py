"""Test AUC of the classifier that a fit chooses, on eleven public tables, against four gradient boosters.

All learn from the same training rows and stop by the same validation rows; a second column gives the boosters
the embedding's own columns too. A booster is picked on validation (its AUC) or on test (the best there could
be). Where a class has under a tenth of the rows, average precision stands beside. What a table and seed came
to is kept in .bench/ until the sources change, so a run that was stopped goes on. TANDEM_TABLES and
TANDEM_SEEDS narrow a run.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from benchmarks.boosters import BOOSTERS, Result, judged, peer
from benchmarks.figures import Figure, figure
from benchmarks.kept import kept
from benchmarks.public import TABLES, Case, case
from engine.model import SCORES, Model
from engine.training.learn import Learned, learn

DRIFTING = "bank_marketing"
RARE = 0.1
_SHAPE_A_FIT = ("embeddings", "engine/training", "benchmarks/public.py", "benchmarks/quality.py")


@dataclass(frozen=True)
class Run:
    """One table under one seed: what was chosen, the share of the rarest class, and its peers by name.

    `engineered` are the boosters that were given the embedding's columns too.
    """

    ours: Result
    kind: str
    rarest: float
    peers: dict[str, Result]
    engineered: dict[str, Result]

    @property
    def validated(self) -> Result:
        """The booster that did best on validation rows."""
        return max((self.peers[name] for name in BOOSTERS), key=_on_validation)

    @property
    def luckiest(self) -> Result:
        """The booster that did best on test rows."""
        return max((self.peers[name] for name in BOOSTERS), key=lambda one: one.test_auc)

    @property
    def validated_engineered(self) -> Result:
        """Of those with the embedding's columns, the one that did best on validation rows."""
        return max((self.engineered[name] for name in BOOSTERS), key=_on_validation)


def run(*, quick: bool) -> list[Figure]:
    names = ["german_credit"] if quick else os.environ.get("TANDEM_TABLES", ",".join(TABLES)).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")]
    seeds = seeds[:1] if quick else seeds
    runs: dict[str, list[Run]] = {name: [] for name in names}
    for seed in seeds:
        for name in names:
            runs[name].append(_run(name, seed))
    figures = [one for name in names for one in _figures(name, runs[name])]
    steady = {name: of for name, of in runs.items() if name != DRIFTING}
    return figures + _means(steady) if steady and not quick else figures


def _figures(name: str, runs: list[Run]) -> list[Figure]:
    chosen = "/".join(sorted({one.kind for one in runs}))
    drifts = name == DRIFTING
    figures = [figure(f"{name}: test AUC ({chosen})", _mean(one.ours.test_auc for one in runs), "")]
    if drifts:
        behind = _behind(runs, lambda one: one.peers["logistic"])
        figures.append(figure(f"{name}: against the raw logistic", behind, "", target=">= -0.005"))
    figures += [
        figure(f"{name}: against the booster picked on validation", _behind(runs, _validated), ""),
        figure(
            f"{name}: against the booster picked on test",
            _behind(runs, _luckiest),
            "",
            target="" if drifts else ">= -0.006",
        ),
        figure(f"{name}: picked on validation, with our columns", _behind(runs, _engineered), ""),
    ]
    if min(one.rarest for one in runs) < RARE:
        gap = _mean(one.ours.test_precision - one.validated.test_precision for one in runs)
        figures += [
            figure(f"{name}: average precision", _mean(one.ours.test_precision for one in runs), ""),
            figure(f"{name}: its gap to the booster picked on validation", gap, ""),
        ]
    return [*figures, figure(f"{name}: fit, wall time", _mean(one.ours.seconds for one in runs), "s")]


def _means(runs: dict[str, list[Run]]) -> list[Figure]:
    def mean(peer: Callable[[Run], Result]) -> float:
        return _mean(_behind(of, peer) for of in runs.values())

    return [
        figure("mean against the booster picked on validation", mean(_validated), "", target=">= 0"),
        figure("mean against the booster picked on test", mean(_luckiest), "", target=">= -0.002"),
        figure("mean against the one picked on validation, with our columns", mean(_engineered), ""),
        figure("mean against the logistic on raw fields", mean(lambda one: one.peers["logistic"]), ""),
    ]


def _behind(runs: list[Run], peer: Callable[[Run], Result]) -> float:
    return _mean(one.ours.test_auc - peer(one).test_auc for one in runs)


def _validated(run: Run) -> Result:
    return run.validated


def _luckiest(run: Run) -> Result:
    return run.luckiest


def _engineered(run: Run) -> Result:
    return run.validated_engineered


def _on_validation(one: Result) -> float:
    return one.validation_auc


def _run(name: str, seed: int) -> Run:
    embedding = os.environ.get("TANDEM_EMBEDDING", "")
    given = case(name, seed, embedding)
    peers = {one: peer(one, given, seed) for one in (*BOOSTERS, "logistic")}
    engineered = {one: peer(one, given, seed, engineered=True) for one in BOOSTERS}
    ours, kind = _ours(given, seed, embedding)
    found = Run(ours, kind, float(np.bincount(given.codes).min() / len(given.codes)), peers, engineered)
    print(
        f"{name} seed {seed}: {ours.test_auc:.4f} ({kind}, {ours.seconds:.0f} s)",
        *(f"{one} {result.test_auc:.4f}" for one, result in peers.items()),
        file=sys.stderr,
        flush=True,
    )
    return found


def _ours(given: Case, seed: int, embedding: str) -> tuple[Result, str]:
    """Fit, or read what came of it before."""

    def make() -> dict[str, Any]:
        began = time.perf_counter()
        learned = learn(given.project, given.rows, given.parts, lambda _, __: None)
        result, kind = ours_on(given, learned, time.perf_counter() - began)
        return {"result": asdict(result), "kind": kind}

    found = kept("quality", f"{given.name}-{seed}", _SHAPE_A_FIT, make, embedding)
    return Result(**found["result"]), str(found["kind"])


def ours_on(given: Case, learned: Learned, seconds: float) -> tuple[Result, str]:
    """Score validation and test rows by the learned parts, as a bundle does."""
    model = Model.open(learned.parts, given.project.schema)
    kind = str(json.loads(learned.parts[SCORES])["classifiers"][0]["kind"])
    (area, loss, _), test = (_scored(model, given, at) for at in (given.parts.validation, given.parts.test))
    return Result(area, loss, *test, seconds), kind


def _scored(model: Model, given: Case, at: np.ndarray) -> tuple[float, float, float]:
    scores = model.batch(given.rows.take(at).fields)
    return judged(np.column_stack([1 - scores, scores]) if scores.shape[1] == 1 else scores, given.codes[at])


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
