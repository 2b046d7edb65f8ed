"""From hits to verdicts: which condition held in which rows in, the columns of `Verdicts` out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rules.hits import Hits
from rules.listing import listed
from rules.stage import Act
from rules.verdict import Verdicts, list_array, text_array

Groups = list[tuple[Any, np.ndarray]]  # a code, or one for each row, and rows in rising order


class Assembly:
    """One stage's acts, laid out for hits; the dictionaries are those of the whole rule set.

    Work grows with the number of rules plus the number of hits; nothing loops over rows.
    """

    def __init__(
        self, acts: Sequence[Act], every_act: Sequence[Act], outcomes: Sequence[str], ids: Sequence[str]
    ) -> None:
        self.acts = tuple(acts)
        self.outcomes = tuple(outcomes)
        self.ids = tuple(ids)
        self._deciding = sorted(acts, key=lambda act: -act.rank)
        self._codes = {outcome: code for code, outcome in enumerate(outcomes)}
        self._reasons = _codes(act.reason for act in every_act)
        self._tags = _codes(tag for act in every_act for tag in act.tags)
        self._id_names = text_array(ids)
        self._reason_names = text_array(list(self._reasons))
        self._tag_names = text_array(list(self._tags))
        self._reason_of = np.full(len(ids) + 1, -1, dtype=np.int32)  # the last is for "no rule"
        for act in acts:
            self._reason_of[act.index] = self._reasons.get(act.reason, -1)

    def verdicts(self, hits: Hits, batch: pa.RecordBatch) -> Verdicts:
        """Assemble the verdicts of a batch: hits of the acts' conditions and n rows → n verdicts."""
        n = hits.rows
        rows = {}  # by rule: where it is true; where it is unknown; where it fires
        for act, true, open_ in zip(self.acts, hits.true, hits.unknown, strict=True):
            rows[act.index] = true, open_, _united(true, open_) if act.fires_on_unknown else true
        enforced = [act for act in self.acts if not act.shadow]
        fired: Groups = [(act.index, rows[act.index][2]) for act in enforced]
        outcome, decided_by = self._decide(rows, n)
        adjusted, changed, adjusted_by = _adjust(enforced, rows, batch)
        every = len(self.ids)
        return Verdicts(
            outcomes=self.outcomes,
            rules=self.ids,
            outcome=outcome,
            decided_by=decided_by,
            adjusted=adjusted,
            changed=changed,
            adjusted_by=adjusted_by,
            fired=_lists(fired, n, self._id_names),
            shadow=_lists([(a.index, rows[a.index][2]) for a in self.acts if a.shadow], n, self._id_names),
            unknown=_lists([(act.index, rows[act.index][1]) for act in enforced], n, self._id_names),
            reasons=_lists(self._reason_groups(enforced, rows, decided_by), n, self._reason_names),
            tags=_lists(self._tag_groups(enforced, rows, n), n, self._tag_names),
            fired_counts=np.bincount(
                [code for code, _ in fired], weights=[len(hit) for _, hit in fired], minlength=every
            ).astype(np.int64),
        )

    def _decide(self, rows: Mapping[int, Any], n: int) -> tuple[np.ndarray, np.ndarray]:
        """Let every deciding rule write its rows, the strongest last."""
        outcome = np.full(n, -1, dtype=np.int16)
        decided_by = np.full(n, -1, dtype=np.int32)
        for act in self._deciding:
            if act.shadow:
                continue
            _, open_, fires = rows[act.index]
            if act.decide is not None:
                outcome[fires] = self._codes[act.decide]
                decided_by[fires] = act.index
            if act.reviews_on_unknown:
                outcome[open_] = self._codes["review"]
                decided_by[open_] = act.index
        return outcome, decided_by

    def _reason_groups(
        self, enforced: Sequence[Act], rows: Mapping[int, Any], decided_by: np.ndarray
    ) -> Groups:
        """Put the deciding rule's reason first, then each other reason once, in the order of the rules."""
        leading = self._reason_of[decided_by]
        led = np.flatnonzero(leading >= 0)
        groups: Groups = [(leading[led], led)]
        pairs = [(self._reasons[act.reason], rows[act.index][2]) for act in enforced if act.reason]
        others = [(code, hit[leading[hit] != code]) for code, hit in pairs]
        return groups + _once(others, len(decided_by))

    def _tag_groups(self, enforced: Sequence[Act], rows: Mapping[int, Any], n: int) -> Groups:
        return _once([(self._tags[tag], rows[act.index][2]) for act in enforced for tag in act.tags], n)


def _united(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Unite rising rows that have none in common."""
    if not len(other):
        return one
    return np.sort(np.concatenate([one, other])) if len(one) else other


def _adjust(
    enforced: Sequence[Act], rows: Mapping[int, Any], batch: pa.RecordBatch
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Apply the lowest cap, then the highest floor, of the fired rules to each score they bound."""
    adjusted, changed = {}, {}
    adjusted_by = np.full(batch.num_rows, -1, dtype=np.int32)
    for score in dict.fromkeys(score for act in enforced for score in (*act.caps, *act.floors)):
        raw = batch.column(f"scores.{score}").to_numpy(zero_copy_only=False)
        caps = [(act, act.caps.get(score)) for act in enforced]
        cap, cap_by = _strongest(caps, rows, len(raw), np.inf)
        floor, floor_by = _strongest(
            [(act, act.floors.get(score)) for act in enforced], rows, len(raw), -np.inf
        )
        # A missing score is NaN here, and no comparison with it holds.
        capped = cap < raw
        value = np.where(capped, cap, raw)
        floored = floor > value
        value = np.where(floored, floor, value)
        differs = (capped | floored) & (value != raw)
        by = np.where(floored, floor_by, cap_by)
        first = differs & ((adjusted_by < 0) | (by < adjusted_by))
        adjusted_by[first] = by[first]
        adjusted[score], changed[score] = value, differs
    return adjusted, changed, adjusted_by


def _strongest(
    bounds: Sequence[tuple[Act, float | None]], rows: Mapping[int, Any], n: int, none: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give for each row the strongest bound of its fired rules, or `none` (an infinity), and whose it is."""
    value = np.full(n, none)
    by = np.full(n, -1, dtype=np.int32)
    for act, bound in bounds:
        if bound is None:
            continue
        true, _, fires = rows[act.index]
        where = true if act.reviews_on_unknown else fires
        where = where[bound < value[where] if none > 0 else bound > value[where]]
        value[where], by[where] = bound, act.index
    return value, by


def _once(groups: Groups, n: int) -> Groups:
    """Leave each code its first group's rows, and later groups only the rows that it does not have yet."""
    seen: dict[int, np.ndarray] = {}
    shared = {code for code, count in Counter(code for code, _ in groups).items() if count > 1}
    once: Groups = []
    for code, rows in groups:
        if code in shared:
            mask = seen.setdefault(code, np.zeros(n, dtype=bool))
            rows = rows[~mask[rows]]
            mask[rows] = True
        once.append((code, rows))
    return once


def _lists(groups: Groups, n: int, names: pa.Array) -> pa.ListArray:
    """Give each row the codes of the groups that hold it, in the order of the groups."""
    offsets, codes = listed(groups, n)
    return list_array(offsets, codes, names)


def _codes(names: Iterable[str]) -> dict[str, int]:
    return {name: code for code, name in enumerate(dict.fromkeys(name for name in names if name))}
