"""Rules whose outcome never counts, because stronger rules decide wherever they would.

For each rule a record is looked for in which it decides and no stronger one does. Where a record found is
claimed by others, those are excluded too, and the search goes on: it ends with a record, or with the few
rules that leave none, which is proof.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """One rule under question: the rules that are excluded so far, stronger ones and such as stop it.

    `beyond` are stronger rules which others stop that do not stop this one: no proof goes by them.
    """

    subject: Subject
    decides: Want
    blockers: dict[int, Subject] = field(default_factory=dict)
    beyond: dict[int, Subject] = field(default_factory=dict)
    misses: int = 0

    def wants(self) -> list[Want]:
        return [self.decides, *(self.kept_by(one).opposite for one in self.blockers.values())]

    def kept_by(self, other: Subject) -> Want:
        """Give where another rule keeps this one from deciding."""
        return other.fires if other in self.subject.stoppers or not other.decides else other.decides

    def blocked_by(self, other: Subject) -> bool:
        """Whether this rule never decides where the other does, or stops it."""
        return other.certain and (other in self.subject.stoppers or self.subject.weaker(other))

    def note(self, other: Subject) -> None:
        """Exclude a rule, where a proof may go by it: it does act wherever this one is not stopped."""
        proves = other in self.subject.stoppers or set(other.stoppers) <= set(self.subject.stoppers)
        (self.blockers if proves else self.beyond)[other.number] = other


def report_shadowed(
    report: Report, questioner: Questioner, subjects: Sequence[Subject], known: set[int]
) -> None:
    """Report rules that never decide; `known` are reported already, as duplicates."""
    deciding = sorted((one for one in subjects if one.decides), key=lambda one: one.strength)
    stoppers = {stopper: None for one in subjects for stopper in one.stoppers}
    blocking = [*deciding, *(one for one in stoppers if not one.decides)]
    pursuits = [
        _Pursuit(one, one.decides)
        for one in _never_seen(questioner, deciding)
        if one.decides is not None and one.number not in known
    ]
    for _ in range(ROUNDS):
        if not pursuits:
            return
        pursuits = _round(report, questioner, pursuits, blocking)
    for pursuit in pursuits:
        _left_open(report, questioner, pursuit, blocking)


def _never_seen(questioner: Questioner, deciding: Sequence[Subject]) -> list[Subject]:
    """Give the rules that decide no record of the facts."""
    facts = questioner.facts
    claimed = np.zeros(len(facts.records), dtype=bool)
    found = []
    for subject in deciding:
        own = facts.met(subject.decides) if subject.decides else claimed
        stopped = [facts.met(one.fires) for one in subject.stoppers if one.certain]
        if not (own & ~claimed & ~np.logical_or.reduce([claimed, *stopped])).any():
            found.append(subject)
        claimed |= _claims(questioner, subject, slice(None))
    return found


def _claims(questioner: Questioner, subject: Subject, among: slice) -> np.ndarray:
    """Say on which of the facts a rule is certain to decide."""
    facts = questioner.facts
    claims = facts.met(subject.decides or subject.fires, among)
    if not subject.decides or not subject.certain:
        return np.zeros_like(claims)
    stopped = [facts.met(stop, among) for stop in subject.stops]
    return claims & ~np.logical_or.reduce(stopped) if stopped else claims


def _round(
    report: Report, questioner: Questioner, pursuits: Sequence[_Pursuit], blocking: Sequence[Subject]
) -> list[_Pursuit]:
    """Look for one more record for each; gives those still under question."""
    records, owners, left = [], [], []
    for pursuit in pursuits:
        boxes = questioner.boxes(pursuit.wants(), STEPS)
        if boxes == [] and pursuit.blockers:
            _say(report, questioner, pursuit)
        elif not boxes or pursuit.misses >= MOST_MISSES:
            _left_open(report, questioner, pursuit, blocking)
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
    claims = np.array([_claims(questioner, one, among) for one in blocking])
    weakness = np.array([one.weakness for one in blocking])
    at = {one: place for place, one in enumerate(blocking)}
    still = []
    for pursuit in left:
        by = claims & (weakness < pursuit.subject.strength)[:, None]
        for stopper in pursuit.subject.stoppers:
            if stopper.certain:
                by[at[stopper]] = questioner.facts.met(stopper.fires, among)
        if not _seen(pursuit, places[pursuit], questioner.facts.met(pursuit.decides, among), by, blocking):
            still.append(pursuit)
    return still


def _seen(
    pursuit: _Pursuit, places: Sequence[int], own: np.ndarray, by: np.ndarray, blocking: Sequence[Subject]
) -> bool:
    """Say whether the rule decides one of these records; if not, note who keeps it from that.

    `own` and `by` are `(records,)` and `(blocking rules, records)` bool.
    """
    missed = True
    for place in places:
        if not own[place]:
            continue
        keeping = [blocking[one] for one in by[:, place].nonzero()[0].tolist()]
        if not keeping:
            return True
        missed = missed and all(
            one.number in pursuit.blockers or one.number in pursuit.beyond for one in keeping
        )
        for one in keeping[:MOST_NEW]:
            pursuit.note(one)
    pursuit.misses += missed
    return False


def _left_open(
    report: Report, questioner: Questioner, pursuit: _Pursuit, blocking: Sequence[Subject]
) -> None:
    """Ask the solver, with every rule that may keep this one; say so where it does not know."""
    for one in blocking:
        if pursuit.blocked_by(one):
            pursuit.note(one)
    if not pursuit.blockers and not pursuit.beyond:
        return
    answer = questioner.ask(pursuit.wants(), shown=False)
    if answer.impossible and pursuit.blockers:
        _say(report, questioner, pursuit)
        return
    record = answer.record
    claimed = record is not None and any(
        questioner.confirmed(record, [one.decides]) for one in pursuit.beyond.values() if one.decides
    )
    if record is None or claimed:
        report.open(pursuit.subject, "shadowed", f"whether '{pursuit.subject.id}' ever decides")


def _say(report: Report, questioner: Questioner, pursuit: _Pursuit) -> None:
    subject = pursuit.subject
    by = _fewest(questioner, pursuit)
    # Who decides in the end may be yet another rule, stronger than these.
    names = listed(one.id for one in by)
    which = names if len(by) == 1 else f"one of {names}"
    stopping = [one in subject.stoppers for one in by]
    does = "would too, and is stronger"
    if any(stopping):
        does = "fires and stops it" if all(stopping) else "would too or stops it"
    message = f"'{subject.id}' never decides: wherever it would, {which} {does}"
    examples = (questioner.seen([pursuit.decides, pursuit.kept_by(one)]) for one in by)
    record = next((record for record in examples if record is not None), None)
    hint = "put it before, or delete it" if all(stopping) else _STRONGER[subject.filters.hit_policy]
    report.about(subject, "shadowed", WARNING, message, hint, record=record)


_STRONGER = {
    "first": "put it first, or delete it",
    "priority": "raise its priority, or delete it",
    "collect": "let it decide something more severe, or delete it",
    "unique": "let their conditions exclude each other, or delete it",
}


def _fewest(questioner: Questioner, pursuit: _Pursuit) -> list[Subject]:
    """Leave out the rules that the proof does not need."""
    kept = list(pursuit.blockers.values())
    for one in list(kept) if len(kept) <= 40 else ():
        rest = [other for other in kept if other is not one]
        wants = [pursuit.decides, *(pursuit.kept_by(other).opposite for other in rest)]
        if rest and questioner.proves_none(wants):
            kept = rest
    return kept
