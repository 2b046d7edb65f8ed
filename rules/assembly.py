"""From hits to verdicts: which condition held in which rows in, the columns of `Verdicts` out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from rules.acting import Acting, what_acted
from rules.hit_policy import REVIEW, VIOLATED
from rules.hits import NOWHERE, Hits
from rules.listing import greatest, listed
from rules.stage import Stage
from rules.table_acts import Pairs
from rules.verdict import Verdicts, list_array, text_array

Groups = list[tuple[Any, np.ndarray]]  # a code, or one for each row, and rows in rising order


class Assembly:
    """One stage's acts, laid out for hits; the dictionaries are those of the whole rule set.

    Work grows with the number of rules plus the number of hits; nothing loops over rows.
    """

    def __init__(
        self, stage: Stage, stages: Sequence[Stage], outcomes: Sequence[str], ids: Sequence[str]
    ) -> None:
        self.acts, self._tables = stage.acts, stage.tables
        every_act = [act for one in stages for act in one.every_act]
        self.outcomes = tuple(outcomes)
        self.ids = tuple(ids)
        self._codes = {outcome: code for code, outcome in enumerate(outcomes)}
        marks = [VIOLATED] if any(act.unique for act in every_act) else []
        self._reasons = _codes([*(act.reason for act in every_act), *marks])
        self._tags = _codes(tag for act in every_act for tag in act.tags)
        self._id_names = text_array(ids)
        self._reason_names = text_array(list(self._reasons))
        self._tag_names = text_array(list(self._tags))
        self._reason_of = np.full(len(ids) + 1, -1, dtype=np.int32)  # the last is for "no rule"
        for act in stage.acts:
            self._reason_of[act.index] = self._reasons.get(act.reason, -1)
        for member in stage.tables:
            first, kinds = member.acts.first, member.acts.kinds
            reasons = [self._reasons.get(act.reason, -1) for act in member.acts.examples]
            self._reason_of[first : first + len(kinds)] = np.array(reasons, dtype=np.int32)[kinds]

    def verdicts(self, hits: Hits, batch: pa.RecordBatch, tables: Sequence[Pairs] = ()) -> Verdicts:
        """Assemble the verdicts of a batch: hits of conditions and of tables, n rows → n verdicts."""
        n = hits.rows
        acting = what_acted(self.acts, hits, batch, list(zip(self._tables, tables, strict=True)))
        fired = self._ids([(one.index, one.fired) for one in acting], n)
        outcome, decided_by = self._decide(acting, fired)
        adjusted, changed, adjusted_by = _adjust(acting, batch)
        violated = _violated(acting, n)
        enforced = [one for one in acting if not one.act.shadow]
        leading = np.where(outcome >= 0, decided_by, adjusted_by)
        return Verdicts(
            outcomes=self.outcomes,
            rules=self.ids,
            outcome=outcome,
            decided_by=decided_by,
            adjusted=adjusted,
            changed=changed,
            adjusted_by=adjusted_by,
            fired=fired,
            shadow=self._ids([(one.index, one.shadow) for one in acting], n),
            suppressed=self._ids([(one.index, one.suppressed) for one in acting], n),
            unknown=self._ids([(one.index, one.unknown) for one in enforced], n),
            reasons=_lists(self._reason_groups(acting, leading, violated), n, self._reason_names),
            tags=_lists(self._tag_groups(acting, n), n, self._tag_names),
            fired_counts=self._counts([(one.index, one.fired) for one in acting]),
            shadow_counts=self._counts([(one.index, one.shadow) for one in acting]),
            suppressed_counts=self._counts([(one.index, one.suppressed) for one in acting]),
            unknown_counts=self._counts([(one.index, one.unknown) for one in acting]),
            violations=len(violated),
        )

    def _ids(self, groups: Groups, n: int) -> pa.ListArray:
        return _lists(groups, n, self._id_names)

    def _counts(self, groups: Groups) -> np.ndarray:
        """Give for each rule of the set in how many rows: `(rules,)` int64."""
        counts = np.zeros(len(self.ids), dtype=np.int64)
        for index, rows in groups:
            if isinstance(index, int):
                counts[index] = len(rows)
            elif len(rows):
                counts += np.bincount(index, minlength=len(counts))
        return counts

    def _decide(self, acting: Sequence[Acting], fired: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
        """Find for each row the strongest of the rules that fired, and of those that ask for review.

        What decides wherever it fires is found in the lists. The rest writes its rows, the strongest last.
        """
        order = _weakest_first(acting)
        strengths = np.full(len(self.ids), -1, dtype=np.int32)
        outcomes = np.full(len(order) + 1, -1, dtype=np.int16)  # the last is for "no rule"
        rules = np.full(len(order) + 1, -1, dtype=np.int32)
        rest = []
        for strength, (position, reviews) in enumerate(order):
            one = acting[position]
            outcomes[strength] = self._codes[REVIEW if reviews else str(one.act.decide)]
            if one.who is None and not one.act.reviews_on_unknown:
                strengths[one.act.index], rules[strength] = strength, one.act.index
            else:
                rest.append((strength, one.reviewed if reviews else one.bounding, one.index))
        strongest = np.full(len(fired), -1, dtype=np.int32)
        if len(rest) < len(order):
            strongest = greatest(fired.offsets.to_numpy(), fired.values.indices.to_numpy(), strengths)
        decided_by = rules[strongest]
        for strength, rows, index in rest:
            stronger = strongest[rows] < strength
            rows = rows[stronger]
            strongest[rows] = strength
            decided_by[rows] = index if isinstance(index, int) else index[stronger]
        return outcomes[strongest], decided_by

    def _reason_groups(self, acting: Sequence[Acting], first: np.ndarray, violated: np.ndarray) -> Groups:
        """Put the reason of each row's `first` rule first, then each other once, in file order."""
        leading = self._reason_of[first]
        led = np.flatnonzero(leading >= 0)
        groups: Groups = [(leading[led], led)]
        pairs = [(self._reasons[one.act.reason], one.fired) for one in acting if one.act.reason]
        if len(violated):
            pairs.append((self._reasons[VIOLATED], violated))
        others = [(code, rows[leading[rows] != code]) for code, rows in pairs]
        return groups + _once(others, len(first))

    def _tag_groups(self, acting: Sequence[Acting], n: int) -> Groups:
        return _once([(self._tags[tag], one.fired) for one in acting for tag in one.act.tags], n)


def _weakest_first(acting: Sequence[Acting]) -> list[tuple[int, bool]]:
    """Order what decides somewhere, by position and whether the rule asks for review.

    Groups of one table may have one rank: of these the earlier is the stronger.
    """
    ranked = [
        (one.act.rank, at, False)
        for at, one in enumerate(acting)
        if one.act.decide is not None and len(one.bounding)
    ]
    ranked += [(one.act.open_rank, at, True) for at, one in enumerate(acting) if len(one.reviewed)]
    return [(at, reviews) for _, at, reviews in sorted(ranked, reverse=True)]


def _violated(acting: Sequence[Acting], n: int) -> np.ndarray:
    """Give the rows in which several rules of a file decide where at most one may, rising."""
    by_file: dict[int, list[np.ndarray]] = {}
    for one in acting:
        if one.act.unique and len(one.deciding):
            by_file.setdefault(one.act.file, []).append(one.deciding)
    several = [
        np.bincount(np.concatenate(rows), minlength=n) > 1 for rows in by_file.values() if len(rows) > 1
    ]
    return np.flatnonzero(np.logical_or.reduce(several)) if several else NOWHERE


def _adjust(
    acting: Sequence[Acting], batch: pa.RecordBatch
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Apply the lowest cap, then the highest floor, of the fired rules to each score they bound."""
    adjusted, changed = {}, {}
    adjusted_by = np.full(batch.num_rows, -1, dtype=np.int32)
    enforced = [one for one in acting if not one.act.shadow]
    for score in dict.fromkeys(score for one in enforced for score in (*one.act.caps, *one.act.floors)):
        raw = batch.column(f"scores.{score}").to_numpy(zero_copy_only=False)
        caps = [(one, one.act.caps.get(score)) for one in enforced]
        floors = [(one, one.act.floors.get(score)) for one in enforced]
        cap, cap_by = _strongest(caps, len(raw), np.inf)
        floor, floor_by = _strongest(floors, len(raw), -np.inf)
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
    bounds: Sequence[tuple[Acting, float | None]], n: int, none: float
) -> tuple[np.ndarray, np.ndarray]:
    """Give for each row the strongest bound of its fired rules, or `none` (an infinity), and whose it is."""
    value = np.full(n, none)
    by = np.full(n, -1, dtype=np.int32)
    for one, bound in bounds:
        if bound is None:
            continue
        where = one.bounding
        if not len(where):
            # Rows of a table that only ask for review bound nothing, though `index` names each of them.
            continue
        stronger = bound < value[where] if none > 0 else bound > value[where]
        value[where[stronger]] = bound
        by[where[stronger]] = one.index if isinstance(one.index, int) else one.index[stronger]
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
