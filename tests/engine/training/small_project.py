"""A small project on disk and a seeded table to fit it on: two labels, every field type, rules of both
stages.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.bundle import Bundle
from engine.project import Project, load_project
from engine.training.build import fit

NOW = datetime(2026, 11, 23, tzinfo=UTC)
_FOLDER = tempfile.TemporaryDirectory()

PROJECT = """\
name: parcels
fields:
  weight: {type: float, nullable: true}
  stops: {type: int, min: 0}
  express: {type: bool}
  country: {type: category, nullable: true}
  memo: {type: text, nullable: true}
  sent: {type: timestamp}
outcomes: [ship, check, hold]
labels:
  lost: {column: was_lost, positive: "yes"}
  size: {column: size_class, classes: [small, middle, large]}
embedding: {width: 8, hidden: [16], bins: 4, epochs: 4, patience: 2, text_buckets: 64, seed: 3}
classifiers:
  lost: {label: lost, candidates: [logistic, naive-bayes]}
  size: {label: size, candidates: [tree, logistic]}
policy:
  - {when: scores.lost >= 0.6, decide: hold}
  - {when: scores.lost >= 0.4 || scores.size.large > 0.9, decide: check}
  - {when: "true", decide: ship}
split: {by: random, validation: 0.2, test: 0.25, seed: 5}
evaluation:
  label: lost
  acted: [check, hold]
  value: "outcome == 'hold' ? (label.lost ? 10.0 : -2.0) : 0.0"
"""

RULES = """\
filters: parcels
rules:
  - id: far-countries
    stage: before
    when: country == 'NZ'
    decide: check
    reason: FAR
  - id: heavy-and-likely-lost
    when: weight > 1.5 && scores.lost > 0.5
    decide: hold
  - id: express-is-safer
    when: express
    cap: {lost: 0.55}
  - id: many-stops-on-trial
    when: stops > 7
    decide: hold
    mode: shadow
"""


def small_table(rows: int = 700, seed: int = 1) -> pa.Table:
    """Parcels whose loss follows weight, stops and country, and whose size follows weight."""
    rng = np.random.default_rng(seed)
    weight, stops = rng.normal(size=rows), rng.integers(0, 10, rows)
    country = rng.choice(np.array(["FR", "NZ", "PE"], object), rows)
    risk = weight + 0.3 * stops - 1.5 + (country == "PE") + rng.normal(size=rows) * 0.5
    size = np.digitize(weight + rng.normal(size=rows) * 0.3, [-0.5, 0.7])
    return pa.table(
        {
            "weight": pa.array(weight, mask=rng.random(rows) < 0.05),
            "stops": stops,
            "express": rng.random(rows) < 0.5,
            "country": pa.array(country, pa.string(), mask=rng.random(rows) < 0.05),
            "memo": np.where(risk > 1, "glass, fragile", "books"),
            "sent": pa.array(np.sort(rng.integers(0, 10**15, rows)), pa.timestamp("us", "UTC")),
            "was_lost": np.where(risk > 0.8, "yes", "no"),
            "size_class": np.array(["small", "middle", "large"], object)[size],
        }
    )


def write_project(root: Path, *, text: str = PROJECT, rules: str = RULES) -> Project:
    """Write the project's files and read them back."""
    (root / "rules").mkdir(parents=True, exist_ok=True)
    (root / "project.yaml").write_text(text)
    (root / "rules" / "parcels.yaml").write_text(rules)
    return load_project(root)


@cache
def fitted() -> tuple[Project, Bundle]:
    """The small project and its bundle, fitted once for all tests that only look at it."""
    project = write_project(Path(_FOLDER.name))
    return project, fit(project, small_table(), now=NOW)
