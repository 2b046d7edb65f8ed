"""What each rule did on the evaluated rows: how often it fired, decided, and decided otherwise than the
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from engine.decided import Decided
    from rules.ruleset import RuleSet


def judge_rules(
    rules: RuleSet, decided: Decided, alone: np.ndarray, positive: np.ndarray | None
) -> list[dict[str, Any]]:
    """One row a rule, in the rules' order.

    fired, shadow, suppressed, unknown: rows in which the rule fired, would have fired (on trial, or out of
    its rollout), was kept from it by an exception, was left open (also on trial).
    decided: rows whose outcome the rule set; overrode: of these, rows that the model alone decides
    otherwise. positive_share: share of positives among the labelled rows in which it fired or
    would have.

    `alone` `(n,)` are the outcomes of the model alone; `positive` `(n,)` is 1, 0, or −1 for a missing label.
    """
    ids = rules.rules
    by_rule = decided.decided_by >= 0
    other = by_rule & (decided.outcome != alone)
    lists = {name: _rule_and_row(decided.lists[name], ids) for name in ("fired", "shadow")}
    counts = dict(decided.counts)
    counts["decided"] = np.bincount(decided.decided_by[by_rule], minlength=len(ids))
    counts["overrode"] = np.bincount(decided.decided_by[other], minlength=len(ids))
    places, rows = (np.concatenate(pair) for pair in zip(lists["fired"], lists["shadow"], strict=True))
    shares = _positive_shares(places, rows, positive, len(ids))
    return [
        {
            "id": rule,
            "stage": rules.rule(rule).rule.stage,
            "mode": rules.rule(rule).rule.mode,
            **{name: int(of[place]) for name, of in counts.items()},
            "positive_share": shares[place],
        }
        for place, rule in enumerate(ids)
    ]


def _rule_and_row(lists: pa.ListArray, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Lists of rule ids as pairs: the rule's place among `ids`, the row's number; both `(pairs,)` int64."""
    offsets = lists.offsets.to_numpy()
    values = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    names = values.dictionary.to_pylist()
    place = np.array([ids.index(name) if name in ids else -1 for name in names], np.int64)
    rows = np.repeat(np.arange(len(lists)), np.diff(offsets))
    return place[values.indices.to_numpy(zero_copy_only=False)], rows


def _positive_shares(
    places: np.ndarray, rows: np.ndarray, positive: np.ndarray | None, count: int
) -> list[float | None]:
    if positive is None:
        return [None] * count
    known = positive[rows] >= 0
    labelled = np.bincount(places[known], minlength=count)
    positives = np.bincount(places[known], weights=positive[rows][known], minlength=count)
    return [float(yes / of) if of else None for yes, of in zip(positives, labelled, strict=True)]
