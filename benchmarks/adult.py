"""Adult census income, official split: fit by the command line, test AUC, every row decided in three ways.

The table is not shipped: it is read from ../shared/data/adult.parquet, or from the path in TANDEM_ADULT.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import engine
from benchmarks.bare import BareModel
from benchmarks.figures import Figure, against, figure
from benchmarks.setting import ROOT, WORK, Unavailable, tandem
from engine.tabular import normalise

TRAIN_ROWS = 32_561
EXAMPLE = ROOT / "examples" / "adult"
_DECISIVE = ("outcome", "proposed", "decided_by", "reasons", "fired", "shadow", "unknown", "tags", "bundle")


def run(*, quick: bool) -> list[Figure]:
    table = adult_table()
    place = WORK / "adult"
    prepare(place, table, train_rows=6_000 if quick else TRAIN_ROWS)
    filters = sum(file.read_text().count("- id:") for file in (place / "rules").iterdir())
    began = time.perf_counter()
    tandem("fit", cwd=place)
    fit_seconds = time.perf_counter() - began
    tandem("promote", "--why", "benchmark", cwd=place)
    began = time.perf_counter()
    tandem("score", "data/all.parquet", "-o", "decided.parquet", cwd=place)
    score_seconds = time.perf_counter() - began
    decided = pq.read_table(place / "decided.parquet")
    auc = _auc(place, table)
    return [
        figure("test AUC of the chosen classifier", auc, "", target=">= 0.92"),
        against(
            "test AUC, against boosting", auc, "", "scikit-learn HistGradientBoosting", _boosted_auc(table)
        ),
        figure("fit, wall time", fit_seconds, "s", target="<= 120"),
        figure("filters", filters, "", target=">= 12"),
        figure("rows scored", decided.num_rows, "", target=f"== {table.num_rows}"),
        figure("score, wall time with start", score_seconds, "s"),
        figure(
            "rows decided otherwise alone or as a table", _differing(place, table, decided), "", target="== 0"
        ),
    ]


def adult_table() -> pa.Table:
    """The published rows in their order."""
    path = Path(os.environ.get("TANDEM_ADULT", ROOT.parent / "shared" / "data" / "adult.parquet"))
    if not path.exists():
        raise Unavailable(f"{path} is not there; examples/adult/README.md says how to get it")
    return pq.read_table(path)


def prepare(place: Path, table: pa.Table, *, train_rows: int = TRAIN_ROWS) -> None:
    """A fresh copy of the example with its data: training rows, test rows, and all rows without the label."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(EXAMPLE, place)
    (place / "data").mkdir()
    pq.write_table(table.slice(0, train_rows), place / "data" / "train.parquet")
    pq.write_table(table.slice(TRAIN_ROWS), place / "data" / "test.parquet")
    pq.write_table(table.drop_columns(["income"]), place / "data" / "all.parquet")


def _auc(place: Path, table: pa.Table) -> float:
    """The classifier's own, on every test row: no filter decides any of them beforehand."""
    bare = BareModel(place)
    batch = normalise(bare.schema, table.slice(TRAIN_ROWS).combine_chunks().to_batches()[0]).batch
    return _area(_truth(table)[TRAIN_ROWS:], bare.scores(bare.encoding.batch(batch))[:, 0])


def _boosted_auc(table: pa.Table) -> float:
    """The peer: gradient boosting on the raw columns, categories and missing values handled by itself."""
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = table.drop_columns(["income", "race"]).to_pandas()
    for name in frame.columns:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].astype("category")
    model = HistGradientBoostingClassifier(early_stopping=True, random_state=7)
    model.fit(frame[:TRAIN_ROWS], _truth(table)[:TRAIN_ROWS])
    return _area(_truth(table)[TRAIN_ROWS:], model.predict_proba(frame[TRAIN_ROWS:])[:, 1])


def _area(truth: np.ndarray, scores: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, scores))


def _truth(table: pa.Table) -> np.ndarray:
    return np.array(table["income"].to_pylist()) == ">50K"


def _differing(place: Path, table: pa.Table, decided: pa.Table) -> int:
    """Rows that `decide` or `decide_batch` decides otherwise than the scored file says, in any bit."""
    names = [
        *_DECISIVE,
        *(name for name in decided.column_names if name.startswith(("scores.", "adjusted."))),
    ]
    in_file = _rows(decided, names)
    with engine.open(place) as ours:
        as_table = _rows(ours.decide_batch(table), names)
        alone = [_flat(ours.decide(record), names) for record in table.to_pylist()]
    return sum(not (a == b == c) for a, b, c in zip(in_file, as_table, alone, strict=True))


def _rows(table: pa.Table, names: Sequence[str]) -> list[tuple[Any, ...]]:
    columns = (table[name].to_pylist() for name in names)
    return [tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in zip(*columns, strict=True)]


def _flat(decision: engine.Decision, names: Sequence[str]) -> tuple[Any, ...]:
    whole = decision.to_dict()
    found: list[Any] = []
    for name in names:
        head, _, rest = name.partition(".")
        value = whole[head].get(rest) if rest else whole[head]
        found.append(tuple(value) if isinstance(value, list) else value)
    return tuple(found)
