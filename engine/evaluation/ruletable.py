"""What each rule did on the evaluated rows: how often it fired, decided, and decided otherwise than the
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rules.checked_tables import CheckedTable

if TYPE_CHECKING:
    from engine.decided import Decided
    from rules.ruleset import RuleSet


class RuleTable:
    """What each rule did on the rows seen so far.

    fired, shadow, suppressed, unknown: rows in which the rule fired, would have fired (on trial, or out of
    its rollout), was kept from it by an exception, was left open (also on trial).
    decided: rows whose outcome the rule set; overrode: of these, rows that the model alone decides
    otherwise. positive_share: share of positives among the labelled rows in which it fired or
    would have.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._counts: dict[str, np.ndarray] = {}
        self._labelled: np.ndarray | None = None
        self._positive = np.zeros(len(rules.rules))

    def add(self, decided: Decided, alone: np.ndarray, positive: np.ndarray | None) -> None:
        """See n rows: `alone` `(n,)` are the outcomes of the model alone; `positive` `(n,)` is 1, 0, or −1
        for a missing label.
        """
        ids = self._rules.rules
        by_rule = decided.decided_by >= 0
        other = by_rule & (decided.outcome != alone)
        counts = {
            **decided.counts,
            "decided": np.bincount(decided.decided_by[by_rule], minlength=len(ids)),
            "overrode": np.bincount(decided.decided_by[other], minlength=len(ids)),
        }
        for name, count in counts.items():
            self._counts[name] = count + self._counts[name] if name in self._counts else count
        if positive is None:
            return
        lists = [_rule_and_row(decided.lists[name], ids) for name in ("fired", "shadow")]
        places, rows = (np.concatenate(pair) for pair in zip(*lists, strict=True))
        known = positive[rows] >= 0
        labelled = np.bincount(places[known], minlength=len(ids))
        self._labelled = labelled if self._labelled is None else self._labelled + labelled
        self._positive += np.bincount(places[known], positive[rows][known], len(ids))

    def judged(self) -> list[dict[str, Any]]:
        """One row a rule, in order; of a decision table one in all, and one for each of its rows that
        acted.
        """
        counts = self._counts
        judged: list[dict[str, Any]] = []

        def judge(name: str, place: int, stage: str, mode: str, **more: Any) -> None:
            done = {word: int(of[place]) for word, of in counts.items()}
            share = self._share(slice(place, place + 1))
            judged.append({"id": name, "stage": stage, "mode": mode, **done, "positive_share": share, **more})

        place = 0
        for member in self._rules.checked.members():
            if isinstance(member, CheckedTable):
                table, size = member.table, len(member.ids)
                among = slice(place, place + size)
                acted = np.flatnonzero(sum(of[among] for of in counts.values())).tolist()
                total = {word: int(of[among].sum()) for word, of in counts.items()}
                judged.append(
                    {"id": table.id, "stage": table.stage, "mode": table.mode, **total,
                     "positive_share": self._share(among), "rows": size, "silent": size - len(acted)}
                )  # fmt: skip
                for row in acted:
                    judge(member.ids[row], place + row, table.stage, table.mode, table=table.id)
                place += size
            else:
                judge(member.id, place, member.rule.stage, member.rule.mode)
                place += 1
        return judged

    def _share(self, among: slice) -> float | None:
        """The share of positives where rules fired; None where no label is known."""
        if self._labelled is None:
            return None
        labelled = self._labelled[among].sum()
        return float(self._positive[among].sum() / labelled) if labelled else None


def _rule_and_row(lists: pa.ListArray, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Lists of rule ids as pairs: the rule's place among `ids`, the row's number; both `(pairs,)` int64."""
    offsets = lists.offsets.to_numpy()
    values = lists.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    names = values.dictionary.to_pylist()
    known = {name: place for place, name in enumerate(ids)}
    place = np.array([known.get(name, -1) for name in names], np.int64)
    rows = np.repeat(np.arange(len(lists)), np.diff(offsets))
    return place[values.indices.to_numpy(zero_copy_only=False)], rows
