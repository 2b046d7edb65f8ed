"""Test AUC of the classifier that a fit chooses, on ten public tables, against four gradient boosters.

All learn from the same training rows and stop by the same validation rows. A booster is picked on validation
(its AUC) or on test (the best there could be). TANDEM_TABLES and TANDEM_SEEDS narrow a run.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from benchmarks.boosters import BOOSTERS, Result, judged, peer
from benchmarks.figures import Figure, figure
from benchmarks.public import TABLES, Case, case
from engine.model import SCORES, Model
from engine.training.learn import Learned, learn

SEEDS = (1, 2, 3)
DRIFTING = "bank_marketing"


@dataclass(frozen=True)
class Run:
    """One table under one seed: what was chosen, and its peers by name."""

    ours: Result
    kind: str
    peers: dict[str, Result]

    @property
    def validated(self) -> Result:
        """The booster that did best on validation rows."""
        return max((self.peers[name] for name in BOOSTERS), key=lambda one: one.validation_auc)

    @property
    def luckiest(self) -> Result:
        """The booster that did best on test rows."""
        return max((self.peers[name] for name in BOOSTERS), key=lambda one: one.test_auc)


def run(*, quick: bool) -> list[Figure]:
    names = ["german_credit"] if quick else os.environ.get("TANDEM_TABLES", ",".join(TABLES)).split(",")
    seeds = [int(seed) for seed in os.environ.get("TANDEM_SEEDS", "1,2,3").split(",")]
    seeds = seeds[:1] if quick else seeds
    runs = {name: [_run(name, seed) for seed in seeds] for name in names}
    figures = [one for name in names for one in _figures(name, runs[name])]
    steady = [name for name in names if name != DRIFTING]
    if steady and not quick:
        figures += _means({name: runs[name] for name in steady})
    return figures


def _figures(name: str, runs: list[Run]) -> list[Figure]:
    ours = _mean(one.ours.test_auc for one in runs)
    behind = [
        (what, ours - _mean(getattr(one, key).test_auc for one in runs))
        for what, key in (("validation", "validated"), ("test", "luckiest"))
    ]
    logistic = ours - _mean(one.peers["logistic"].test_auc for one in runs)
    chosen = "/".join(sorted({one.kind for one in runs}))
    figures = [figure(f"{name}: test AUC ({chosen})", ours, "")]
    if name == DRIFTING:
        figures.append(figure(f"{name}: against the raw logistic", logistic, "", target=">= -0.005"))
    figures += [
        figure(
            f"{name}: against the booster picked on {what}",
            gap,
            "",
            target=">= -0.006" if what == "test" and name != DRIFTING else "",
        )
        for what, gap in behind
    ]
    return [*figures, figure(f"{name}: fit, wall time", _mean(one.ours.seconds for one in runs), "s")]


def _means(runs: dict[str, list[Run]]) -> list[Figure]:
    validated = [_mean(one.ours.test_auc - one.validated.test_auc for one in of) for of in runs.values()]
    luckiest = [_mean(one.ours.test_auc - one.luckiest.test_auc for one in of) for of in runs.values()]
    raw = [_mean(one.ours.test_auc - one.peers["logistic"].test_auc for one in of) for of in runs.values()]
    return [
        figure("mean against the booster picked on validation", _mean(validated), "", target=">= 0"),
        figure("mean against the booster picked on test", _mean(luckiest), "", target=">= -0.002"),
        figure("mean against the logistic on raw fields", _mean(raw), ""),
    ]


def _run(name: str, seed: int) -> Run:
    given = case(name, seed, os.environ.get("TANDEM_EMBEDDING", ""))
    peers = {one: peer(one, given, seed) for one in (*BOOSTERS, "logistic")}
    began = time.perf_counter()
    learned = learn(given.project, given.rows, given.parts, lambda _, __: None)
    seconds = time.perf_counter() - began
    ours, kind = ours_on(given, learned, seconds)
    found = Run(ours, kind, peers)
    print(
        f"{name} seed {seed}: {ours.test_auc:.4f} ({kind}, {seconds:.0f} s)",
        *(f"{one} {result.test_auc:.4f}" for one, result in peers.items()),
        file=sys.stderr,
        flush=True,
    )
    return found


def ours_on(given: Case, learned: Learned, seconds: float) -> tuple[Result, str]:
    """Score validation and test rows by the learned parts, as a bundle does."""
    import json

    model = Model.open(learned.parts, given.project.schema)
    kind = str(json.loads(learned.parts[SCORES])["classifiers"][0]["kind"])
    found = []
    for at in (given.parts.validation, given.parts.test):
        scores = model.batch(given.rows.take(at).fields)
        probabilities = np.column_stack([1 - scores, scores]) if scores.shape[1] == 1 else scores
        found += judged(probabilities, given.codes[at])
    return Result(*found, seconds), kind


def _mean(values: object) -> float:
    return float(np.mean(list(values)))  # type: ignore[call-overload]
