"""What each rule did on the evaluated rows: how often it fired, decided, and decided otherwise than the
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.evaluation.deciding import Deciding

if TYPE_CHECKING:
    from engine.decide import Runtime


def judge_rules(
    runtime: Runtime, together: Deciding, model: Deciding, positive: np.ndarray | None
) -> list[dict[str, Any]]:
    """One row a rule, in the rules' order.

    fired, shadow, unknown: rows in which the rule fired, would have fired (mode shadow), was left open.
    decided: rows whose outcome the rule set; overrode: of these, rows that the model alone decides
    otherwise. positive_share: share of positives among the labelled rows in which it fired (for mode
    shadow, would have).
    """
    table = together.decisions
    if table is None:
        raise ValueError("rules are judged by the engine's own decisions")
    ids = runtime.rules.rules
    decided_by = _codes(table.column("decided_by"), ids)
    other = together.outcome != model.outcome
    lists = {name: _rule_and_row(table.column(name), ids) for name in ("fired", "shadow", "unknown")}
    counts = {name: np.bincount(rules, minlength=len(ids)) for name, (rules, _) in lists.items()}
    decided = np.bincount(decided_by[decided_by >= 0], minlength=len(ids))
    overrode = np.bincount(decided_by[(decided_by >= 0) & other], minlength=len(ids))
    held = tuple(np.concatenate(pair) for pair in zip(lists["fired"], lists["shadow"], strict=True))
    shares = _positive_shares(held[0], held[1], positive, len(ids))
    return [
        {
            "id": rule,
            "mode": runtime.rules.rule(rule).rule.mode,
            "fired": int(counts["fired"][place]),
            "decided": int(decided[place]),
            "overrode": int(overrode[place]),
            "shadow": int(counts["shadow"][place]),
            "unknown": int(counts["unknown"][place]),
            "positive_share": shares[place],
        }
        for place, rule in enumerate(ids)
    ]


def _codes(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """Places of a column's texts among `names`, −1 for others: `(n,)` int64."""
    if isinstance(column.type, pa.DictionaryType):
        column = column.cast(column.type.value_type)
    places = pc.index_in(column, value_set=pa.array(names, pa.string())).fill_null(-1)
    codes: np.ndarray = places.to_numpy().astype(np.int64)
    return codes


def _rule_and_row(column: pa.ChunkedArray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A column of lists of rule ids as pairs: the rule's place, the row's number; both `(pairs,)` int64."""
    whole = pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)
    rows = pc.list_parent_indices(whole).to_numpy().astype(np.int64)
    return _codes(pa.chunked_array([pc.list_flatten(whole)]), names), rows


def _positive_shares(
    rules: np.ndarray, rows: np.ndarray, positive: np.ndarray | None, count: int
) -> list[float | None]:
    if positive is None:
        return [None] * count
    known = positive[rows] >= 0
    labelled = np.bincount(rules[known], minlength=count)
    positives = np.bincount(rules[known], weights=positive[rows][known], minlength=count)
    return [float(yes / rows) if rows else None for yes, rows in zip(positives, labelled, strict=True)]
