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
from rules.analysis.wants import Subject
from rules.findings import ERROR, NOTE, WARNING

MANY = 16
"""Pairs from which on neighbours are told apart together."""
ROUNDS = 8
STEPS = 2_000


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
        if subject.decides and (subject.unhindered or subject.filters.hit_policy == "unique"):
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
    met = np.array([questioner.facts.met(one.decides) for one in ordered if one.decides], dtype=np.float32)
    outcomes = np.array([one.checked.rule.decide for one in ordered])
    against = np.tril(met @ met.T > 0) & (outcomes[:, None] != outcomes[None, :])
    for weaker, row in zip(ordered, against, strict=True):
        if not row.any() or weaker.decides is None:
            continue
        stronger = ordered[int(row.argmax())]
        record = questioner.seen([weaker.decides, stronger.decides]) if stronger.decides else None
        if record is not None:
            others = f" (and {int(row.sum()) - 1} more such)" if row.sum() > 1 else ""
            message = (
                f"'{weaker.id}' would decide {weaker.checked.rule.decide} where '{stronger.id}' "
                f"decides {stronger.checked.rule.decide}{others}"
            )
            hint = f"hit_policy {weaker.filters.hit_policy} settles it"
            report.about(weaker, "conflict", NOTE, message, hint, key="decide", record=record)
