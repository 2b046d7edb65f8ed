"""Rules beside one another: which never decide, which do the same, which disagree on a record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rules.analysis.pairs import apart
from rules.analysis.questions import Questioner
from rules.analysis.report import Report, listed
from rules.analysis.wants import Subject, Want
from rules.findings import ERROR, NOTE, WARNING

MANY = 16
"""Pairs from which on neighbours are told apart together."""
ROUNDS = 8
STEPS = 2_000
MOST_PAIRS = 1_000
"""Pairs that records are drawn for together, and how often."""
DRAWS = 2
ASKED = 8
"""Pairs of one rule that are asked about one by one, where none of its pairs is met yet."""
TOLD = 4
"""Pairs of one rule that are met of which a record is looked for that can be shown."""


def report_duplicates(report: Report, questioner: Questioner, subjects: Sequence[Subject]) -> set[int]:
    """Report rules that do what an earlier one does, on the same records; gives their numbers."""
    found = set()
    for group in _told_apart(questioner, subjects):
        for place, later in enumerate(group[1:], 1):
            for earlier in group[:place]:
                if earlier.number in found:
                    continue
                same = _same(questioner, earlier, later)
                if same is None:
                    continue
                if not same:
                    report.open(later, "duplicate", f"whether '{later.id}' does the same as '{earlier.id}'")
                    break
                at = earlier.checked.document
                line = at.position((*earlier.checked.rule.path, "id"))[0]
                message = f"'{later.id}' does what '{earlier.id}' does, on the same records"
                hint = f"delete one of them: {at.file}:{line}"
                record = questioner.seen([later.fires, earlier.fires])
                report.about(later, "duplicate", WARNING, message, hint, key="id", record=record)
                found.add(later.number)
                break
    return found


def _told_apart(questioner: Questioner, subjects: Sequence[Subject]) -> list[list[Subject]]:
    """Group rules of one effect that fire on the same records of the facts.

    Neighbours of a group are told apart by records for all groups together: one by one each would be tried
    on every rule.
    """
    groups = _alike(questioner, subjects)
    for _ in range(ROUNDS):
        pairs = [pair for group in groups for pair in pairwise(group)]
        if len(pairs) < MANY:
            break
        records = []
        for earlier, later in pairs:
            for one, other in ((earlier, later), (later, earlier)):
                boxes = questioner.boxes([one.fires, other.fires.opposite], STEPS) or []
                records += [questioner.facts.draw(box) for box in boxes[:1]]
        questioner.facts.add(records)
        before, groups = len(groups), _alike(questioner, subjects)
        if len(groups) == before:
            break
    return groups


def _alike(questioner: Questioner, subjects: Sequence[Subject]) -> list[list[Subject]]:
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in subjects:
        seen = questioner.facts.met(subject.fires)
        if seen.any():
            groups[subject.effect, np.packbits(seen).tobytes()].append(subject)
    return list(groups.values())


def report_conflicts(
    report: Report, questioner: Questioner, subjects: Sequence[Subject], *, notes: bool
) -> None:
    """Report rules of one file that fire on the same record: an error where only one may."""
    files: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        if subject.decides:
            files[f"{subject.filters.document.file} {subject.checked.rule.stage}"].append(subject)
    for group in files.values():
        group = [one for one in group if one.enforced]
        if not group:
            continue
        if group[0].filters.hit_policy == "unique":
            _report_overlaps(report, questioner, group)
        elif notes:
            _report_disagreements(report, questioner, group)


def _same(questioner: Questioner, earlier: Subject, later: Subject) -> bool | None:
    """Say whether two rules fire on the same records; False where that is open, None where they do not."""
    if earlier.checked.condition.checked == later.checked.condition.checked:
        return True
    for one, other in ((earlier, later), (later, earlier)):
        answer = questioner.ask([one.fires, other.fires.opposite], shown=False)
        if not answer.impossible:
            return None if answer.record is not None else False
    return True


def _report_overlaps(report: Report, questioner: Questioner, group: Sequence[Subject]) -> None:
    """Say which rules of a `unique` file decide together."""
    wants = [subject.decides for subject in group if subject.decides]
    separate = apart([questioner.formula(want) for want in wants], questioner.full)
    for place, later in enumerate(group):
        over: list[tuple[Subject, Mapping[str, Any]]] = []
        stops = [stop.opposite for stop in later.stops]
        for before, earlier in enumerate(group[:place]):
            if separate[before, place] or earlier.fires in later.stops:
                continue
            # The first record is shown; the others only have to be there.
            answer = questioner.ask([wants[place], wants[before], *stops], shown=not over)
            if answer.record is not None and earlier.reaches_all and later.reaches_all:
                over.append((earlier, answer.record))
            elif not answer.impossible:
                report.open(later, "overlap", f"whether '{later.id}' and '{earlier.id}' decide one record")
        if over:
            names = listed(subject.id for subject, _ in over)
            message = f"'{later.id}' decides together with {names}, and hit_policy is unique"
            hint = "let their conditions exclude each other"
            report.about(later, "overlap", ERROR, message, hint, record=over[0][1])


def _report_disagreements(report: Report, questioner: Questioner, group: Sequence[Subject]) -> None:
    """Note for each rule the strongest of its file that decides something else on the same record."""
    ordered = sorted((one for one in group if one.checked.rule.decide), key=lambda subject: subject.strength)
    if len(ordered) < 2:
        return
    pairs = _Pairs(questioner, ordered)
    pairs.try_together()
    for place, weaker in enumerate(ordered):
        shown = pairs.shown(place)
        if shown is None:
            continue
        stronger, record = shown
        others = int(pairs.met[place].sum()) - 1
        message = (
            f"'{weaker.id}' would decide {weaker.checked.rule.decide} where '{stronger.id}' "
            f"decides {stronger.checked.rule.decide}{f' (and {others} more such)' if others > 0 else ''}"
        )
        hint = f"hit_policy {weaker.filters.hit_policy} settles it"
        report.about(weaker, "conflict", NOTE, message, hint, key="decide", record=record)
    for place in np.flatnonzero(pairs.open.any(axis=1) & ~pairs.met.any(axis=1)).tolist():
        weaker, named = ordered[place], [ordered[one].id for one in pairs.open[place].nonzero()[0].tolist()]
        message = f"whether '{weaker.id}' would decide a record that {listed(named)} decide"
        report.open(weaker, "conflict", f"{message}s" if len(named) == 1 else message)
    if more := int(pairs.open[pairs.met.any(axis=1)].sum()):
        plural = f"{more:,} more pairs of rules decide" if more > 1 else "one more pair of rules decides"
        message = f"whether {plural} differently on one record"
        report.open_at(ordered[0].filters.document, ("rules",), "conflict", message)


class _Pairs:
    """Pairs of rules that decide differently: each met on a record, proven apart, or open.

    `met` and `open` are `(rules, rules)` bool: the row is the weaker rule, the column the stronger one.
    """

    def __init__(self, questioner: Questioner, ordered: Sequence[Subject]) -> None:
        self._questioner, self._ordered = questioner, ordered
        self._wants = [one.decides for one in ordered if one.decides]
        self._certain = np.array([one.certain for one in ordered])
        outcomes = np.array([one.checked.rule.decide for one in ordered])
        self._differ: np.ndarray = np.tril(outcomes[:, None] != outcomes[None, :])
        self.met = self._seen(0)
        formulas = [questioner.formula(want) for want in self._wants]
        self.open: np.ndarray = self._differ & ~self.met & ~apart(formulas, questioner.full)

    def try_together(self) -> None:
        """Draw records for open pairs, those of rules of which none is met yet before others."""
        for _ in range(DRAWS):
            tried = self._first(MOST_PAIRS)
            if not tried:
                return
            records = []
            for pair in tried:
                boxes = self._questioner.boxes(self._asked(*pair), STEPS)
                if boxes == []:
                    self.open[pair] = False
                records += [self._questioner.facts.draw(box) for box in (boxes or ())[:2]]
            first = len(self._questioner.facts.records)
            self._questioner.facts.add(records)
            self.met |= self._seen(first)
            self.open &= ~self.met

    def shown(self, place: int) -> tuple[Subject, Mapping[str, Any]] | None:
        """Give the strongest rule that a rule meets and a record; asks for one where none is met yet."""
        for other in self.met[place].nonzero()[0][:TOLD].tolist():
            record = self._questioner.seen(self._asked(place, other))
            if record is not None:
                return self._ordered[other], record
        for other in self.open[place].nonzero()[0][:ASKED].tolist():
            answer = self._questioner.ask(self._asked(place, other))
            certain = bool(self._certain[place] and self._certain[other])
            self.open[place, other] = not answer.impossible and not (answer.record is not None and certain)
            if answer.record is not None and certain:
                self.met[place, other] = True
                return self._ordered[other], answer.record
        return None

    def _seen(self, first: int) -> np.ndarray:
        """Say which pairs the facts from `first` on show."""
        among = slice(first, len(self._questioner.facts.records))
        met = np.array([self._acts(one, among) for one in self._ordered], dtype=np.float32)
        seen: np.ndarray = (met @ met.T > 0) & self._differ
        return seen

    def _acts(self, subject: Subject, among: slice) -> np.ndarray:
        """Say on which facts a rule is certain to decide something."""
        acts = self._questioner.facts.met(subject.decides or subject.fires, among) & subject.certain
        for stop in subject.stops:
            acts = acts & ~self._questioner.facts.met(stop, among)
        return acts

    def _asked(self, place: int, other: int) -> list[Want]:
        """Give what a record is to meet: both decide, and no rule stops either."""
        stops = {stop: None for one in (place, other) for stop in self._ordered[one].stops}
        return [self._wants[place], self._wants[other], *(stop.opposite for stop in stops)]

    def _first(self, most: int) -> list[tuple[int, int]]:
        told: np.ndarray = np.asarray(self.met.any(axis=1))
        weaker, stronger = self.open.nonzero()
        order = np.argsort(told[weaker], kind="stable")[:most]
        return list(zip(weaker[order].tolist(), stronger[order].tolist(), strict=True))
