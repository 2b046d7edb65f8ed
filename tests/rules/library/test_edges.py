"""What a table of records once could not be asked: the ends of a type's range, and bounds that no row met."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import rules

TYPES = {"i": pa.int64(), "j": pa.int64(), "d": pa.float64(), "s": pa.string()}
ENDS = [
    {"i": 1, "j": 2, "d": 1.0},
    {"i": 2**63 - 1, "j": None, "d": math.inf},
    {"i": None, "j": -(2**63), "d": math.nan},
    {"i": 0, "j": 0, "d": None},
]
BOUNDS = """
tables:
  - id: limits
    hit_policy: collect
    on_unknown: review
    inputs: [s, i]
    rows:
      - {id: seen, i: "> 10", tag: seen}
      - {id: high, i: "> 900", floor: {f: 0.9}}
      - {id: low, i: "> 950", cap: {f: 0.2}}
"""


def load(folder: Path, text: str, **more: Any) -> Any:
    path = folder / "edges.yaml"
    path.write_text(text, encoding="utf-8")
    return rules.load(path, {"i": "int", "j": "int", "d": "double", "s": "string"}, **more)


def columns(rows: list[dict[str, Any]], *names: str) -> dict[str, pa.Array]:
    return {name: pa.array([row.get(name) for row in rows], TYPES[name], from_pandas=False) for name in names}


@pytest.mark.parametrize(
    "when",
    [
        "i <= 9223372036854775807",
        "i > 9223372036854775807",
        "!(9223372036854775807 >= j)",
        "d <= 1e999",
        "d <= double('nan')",
        "i <= 9223372036854775807 || d > 1.0",
    ],
)
def test_a_comparison_with_the_end_of_a_range_says_of_a_row_what_it_says_of_the_record(
    tmp_path: Path, when: str
) -> None:
    loaded = load(tmp_path, f'rules: [{{id: a, when: "{when}", tag: x}}]')
    table = pa.table(columns(ENDS, "i", "j", "d"))
    for row, record in zip(loaded.apply(table).to_pylist(), ENDS, strict=True):
        verdict = loaded.judge(record)
        assert (row["fired"], row["unknown"]) == (list(verdict.fired), list(verdict.unknown))


@pytest.mark.parametrize("amounts", [[None, 5, 901, None, 960, 2], [1], [None], []])
def test_bounds_in_a_table_hold_for_a_row_as_for_its_record(
    tmp_path: Path, amounts: list[int | None]
) -> None:
    loaded = load(tmp_path, BOUNDS, scores=["f"], outcomes=["ok", "review"])
    rows = [{"i": amount, "s": "x"} for amount in amounts]
    table = pa.table({**columns(rows, "i", "s"), "scores.f": pa.array([0.5] * len(rows), pa.float64())})
    judged = loaded.apply(table)
    assert judged.schema.field("adjusted.f").type == pa.float64()
    for row, record in zip(judged.to_pylist(), rows, strict=True):
        verdict = loaded.judge({**record, "scores": {"f": 0.5}})
        assert row["outcome"] == verdict.outcome
        assert (row["fired"], row["unknown"]) == (list(verdict.fired), list(verdict.unknown))
        assert row["adjusted.f"] == verdict.adjusted.get("f")
