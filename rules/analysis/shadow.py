"""Rules whose outcome never counts, because stronger rules decide wherever they would.

For each rule a record is looked for in which it decides and no stronger one does. Where a record found is
claimed by others, those are excluded too, and the search goes on: it ends with a record, or with the few
rules that leave none, which is proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from rules.analysis.questions import Questioner
from rules.analysis.report import Report, listed
from rules.analysis.wants import Subject, Want
from rules.findings import WARNING

ROUNDS = 24
STEPS = 8000
MOST_MISSES = 4
MOST_NEW = 3


@dataclass(eq=False)
class _Pursuit:
    """One rule under question: the stronger rules that are excluded so far."""

    subject: Subject
    decides: Want
    blockers: dict[int, Subject] = field(default_factory=dict)
    misses: int = 0

    def wants(self) -> list[Want]:
        return [self.decides, *_opposites(self.blockers.values())]


def report_shadowed(
    report: Report, questioner: Questioner, subjects: Sequence[Subject], known: set[int]
) -> None:
    """Report rules that never decide; `known` are reported already, as duplicates."""
    deciding = sorted((one for one in subjects if one.decides), key=lambda one: one.strength)
    pursuits = [
        _Pursuit(one, one.decides)
        for one in _never_seen(questioner, deciding)
        if one.decides is not None and one.number not in known
    ]
    for _ in range(ROUNDS):
        if not pursuits:
            return
        pursuits = _round(report, questioner, pursuits, deciding)
    for pursuit in pursuits:
        _left_open(report, questioner, pursuit, deciding)


def _never_seen(questioner: Questioner, deciding: Sequence[Subject]) -> list[Subject]:
    """Give the rules that decide no record of the facts."""
    facts = questioner.facts
    claimed = np.zeros(len(facts.records), dtype=bool)
    found = []
    for subject in deciding:
        own = facts.met(subject.decides) if subject.decides else claimed
        if not (own & ~claimed).any():
            found.append(subject)
        if subject.unhindered:
            claimed |= own
    return found


def _round(
    report: Report, questioner: Questioner, pursuits: Sequence[_Pursuit], deciding: Sequence[Subject]
) -> list[_Pursuit]:
    """Look for one more record for each; gives those still under question."""
    records, owners, left = [], [], []
    for pursuit in pursuits:
        boxes = questioner.boxes(pursuit.wants(), STEPS)
        if boxes == [] and pursuit.blockers:
            _say(report, questioner, pursuit)
        elif not boxes or pursuit.misses >= MOST_MISSES:
            _left_open(report, questioner, pursuit, deciding)
        else:
            drawn = [questioner.facts.draw(box, bare=bare) for box in boxes for bare in (True, False)]
            records += drawn
            owners += [pursuit] * len(drawn)
            left.append(pursuit)
    places: dict[_Pursuit, list[int]] = {pursuit: [] for pursuit in left}
    first = len(questioner.facts.records)
    for pursuit, place in zip(owners, questioner.facts.add(records), strict=True):
        if place is not None:
            places[pursuit].append(place - first)
    if not any(places.values()):
        for pursuit in left:
            pursuit.misses += 1
        return left
    among = slice(first, len(questioner.facts.records))
    claims = np.array([questioner.facts.met(one.decides, among) for one in deciding if one.decides])
    claims[[not one.unhindered for one in deciding]] = False
    weakness = np.array([one.weakness for one in deciding])
    return [
        pursuit
        for pursuit in left
        if not _seen(
            pursuit,
            places[pursuit],
            questioner.facts.met(pursuit.decides, among),
            claims,
            weakness < pursuit.subject.strength,
            deciding,
        )
    ]


def _seen(
    pursuit: _Pursuit,
    places: Sequence[int],
    own: np.ndarray,
    claims: np.ndarray,
    stronger: np.ndarray,
    deciding: Sequence[Subject],
) -> bool:
    """Say whether the rule decides one of these records; if not, note who does.

    `own`, `claims` and `stronger` are `(records,)`, `(deciding rules, records)` and `(deciding rules,)` bool.
    """
    missed = True
    for place in places:
        if not own[place]:
            continue
        by = (claims[:, place] & stronger).nonzero()[0].tolist()
        if not by:
            return True
        missed = missed and all(deciding[one].number in pursuit.blockers for one in by)
        pursuit.blockers |= {deciding[one].number: deciding[one] for one in by[:MOST_NEW]}
    pursuit.misses += missed
    return False


def _left_open(
    report: Report, questioner: Questioner, pursuit: _Pursuit, deciding: Sequence[Subject]
) -> None:
    """Ask the solver, with every stronger rule; say so where it does not know."""
    stronger = _stronger(pursuit, deciding)
    if not stronger:
        return
    wants = [pursuit.decides, *_opposites(stronger)]
    answer = questioner.ask(wants, shown=False)
    if answer.impossible:
        pursuit.blockers = {one.number: one for one in stronger}
        _say(report, questioner, pursuit)
    elif answer.record is None:
        report.open(pursuit.subject, "shadowed", f"whether '{pursuit.subject.id}' ever decides")


def _say(report: Report, questioner: Questioner, pursuit: _Pursuit) -> None:
    subject = pursuit.subject
    by = _fewest(questioner, pursuit)
    # Who decides in the end may be yet another rule, stronger than these.
    names = listed(one.id for one in by)
    which = names if len(by) == 1 else f"one of {names}"
    message = f"'{subject.id}' never decides: wherever it would, {which} would too, and is stronger"
    examples = (questioner.seen([pursuit.decides, one.decides]) for one in by if one.decides)
    record = next((record for record in examples if record is not None), None)
    first = subject.filters.hit_policy == "first"
    hint = "put it first, or delete it" if first else "raise its priority, or delete it"
    report.about(subject, "shadowed", WARNING, message, hint, record=record)


def _fewest(questioner: Questioner, pursuit: _Pursuit) -> list[Subject]:
    """Leave out the rules that the proof does not need."""
    kept = list(pursuit.blockers.values())
    for one in list(kept) if len(kept) <= 40 else ():
        rest = [other for other in kept if other is not one]
        if rest and questioner.proves_none([pursuit.decides, *_opposites(rest)]):
            kept = rest
    return kept


def _stronger(pursuit: _Pursuit, deciding: Sequence[Subject]) -> list[Subject]:
    return [one for one in deciding if one.unhindered and pursuit.subject.weaker(one)]


def _opposites(subjects: Iterable[Subject]) -> list[Want]:
    return [one.decides.opposite for one in subjects if one.decides]
