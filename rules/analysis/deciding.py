"""Rules beside one another: which never decide, which do the same, which disagree on a record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from rules.analysis.pairs import apart
from rules.analysis.questions import Questioner
from rules.analysis.report import Report, listed
from rules.analysis.wants import Subject, Want
from rules.findings import ERROR, NOTE, WARNING


def report_duplicates(report: Report, questioner: Questioner, subjects: Sequence[Subject]) -> set[int]:
    """Report rules that do what an earlier one does, on the same records; gives their numbers."""
    facts = questioner.facts
    groups: dict[object, list[Subject]] = defaultdict(list)
    for subject in subjects:
        seen = facts.met(subject.fires)
        if seen.any():
            groups[subject.effect, np.packbits(seen).tobytes()].append(subject)
    found = set()
    for group in groups.values():
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
                report.about(later, "duplicate", WARNING, message, f"delete one of them: {at.file}:{line}", key="id",
                             record=_example(questioner, [later.fires, earlier.fires]))  # fmt: skip
                found.add(later.number)
                break
    return found


def report_shadowed(
    report: Report, questioner: Questioner, subjects: Sequence[Subject], known: set[int]
) -> None:
    """Report rules whose outcome never counts: wherever they have one, a stronger rule decides."""
    facts = questioner.facts
    claimed = np.zeros(len(facts.records), dtype=bool)
    stronger: list[Subject] = []
    for subject in sorted((one for one in subjects if one.decides), key=lambda one: one.strength):
        if subject.decides is None:
            continue
        own = facts.met(subject.decides)
        if subject.number not in known and stronger and not (own[: len(claimed)] & ~claimed).any():
            _ask_shadowed(report, questioner, subject, stronger)
        if subject.unhindered:
            stronger.append(subject)
            claimed |= own[: len(claimed)]


def report_conflicts(report: Report, questioner: Questioner, subjects: Sequence[Subject]) -> None:
    """Report rules of one file that fire on the same record: an error where only one may."""
    files: dict[str, list[Subject]] = defaultdict(list)
    for subject in subjects:
        if subject.enforced:
            files[f"{subject.filters.document.file} {subject.checked.rule.stage}"].append(subject)
    for group in files.values():
        if group[0].filters.hit_policy == "unique":
            _report_overlaps(report, questioner, group)
        else:
            _report_disagreements(report, questioner, [one for one in group if one.decides])


def _same(questioner: Questioner, earlier: Subject, later: Subject) -> bool | None:
    """Say whether two rules fire on the same records; False where that is open, None where they do not."""
    if earlier.checked.condition.checked == later.checked.condition.checked:
        return True
    for one, other in ((earlier, later), (later, earlier)):
        answer = questioner.ask([one.fires, other.fires.opposite], shown=False)
        if not answer.impossible:
            return None if answer.record is not None else False
    return True


def _ask_shadowed(
    report: Report, questioner: Questioner, subject: Subject, stronger: Sequence[Subject]
) -> None:
    if subject.decides is None:
        return None
    own = questioner.facts.met(subject.decides)
    met = [(other, questioner.facts.met(other.decides)) for other in stronger if other.decides]
    for other, where in met:
        if not (own & ~where).any() and _covers(questioner, subject, [other]):
            return _say_shadowed(report, questioner, subject, [other])
    meeting = [other for other, where in met if (own & where).any()]
    wants = [subject.decides, *(other.decides.opposite for other in stronger if other.decides)]
    answer = questioner.ask(wants, shown=False)
    if answer.impossible:
        few = (
            _fewest(questioner, subject, meeting) if _covers(questioner, subject, meeting) else list(stronger)
        )
        return _say_shadowed(report, questioner, subject, few)
    if answer.record is None:
        report.open(subject, "shadowed", f"whether '{subject.id}' ever decides")
    return None


def _say_shadowed(report: Report, questioner: Questioner, subject: Subject, by: Sequence[Subject]) -> None:
    if subject.decides is None:
        return
    verb = "decides" if len(by) == 1 else "decide"
    message = f"'{subject.id}' never decides: wherever it would, {listed(one.id for one in by)} {verb}"
    record = next(
        (record for other in by if other.decides
         and (record := _example(questioner, [subject.decides, other.decides])) is not None), None
    )  # fmt: skip
    hint = (
        "put it first, or delete it"
        if subject.filters.hit_policy == "first"
        else "raise its priority, or delete it"
    )
    report.about(subject, "shadowed", WARNING, message, hint, record=record)


def _covers(questioner: Questioner, subject: Subject, others: Sequence[Subject]) -> bool:
    """Say whether it is proven that some of the others decide wherever this one would."""
    if subject.decides is None:
        return False
    wants = [subject.decides, *(other.decides.opposite for other in others if other.decides)]
    return questioner.proves_none(wants)


def _fewest(questioner: Questioner, subject: Subject, others: Sequence[Subject]) -> list[Subject]:
    """Leave out what the proof does not need."""
    kept = list(others)
    for other in others:
        rest = [one for one in kept if one is not other]
        if rest and _covers(questioner, subject, rest):
            kept = rest
    return kept


def _report_overlaps(report: Report, questioner: Questioner, group: Sequence[Subject]) -> None:
    """Say which rules of a `unique` file fire together."""
    facts = questioner.facts
    fired = np.array([facts.met(subject.fires) for subject in group], dtype=np.float32)
    together = (fired @ fired.T) > 0
    separate = apart([questioner.formula(subject.fires) for subject in group], questioner.full)
    for place, later in enumerate(group):
        over: list[tuple[Subject, object]] = []
        for before in range(place):
            earlier = group[before]
            if separate[before, place]:
                continue
            wants = [later.fires, earlier.fires]
            if together[before, place]:
                record = _example(questioner, wants) if not over else None
                if record is not None or over:
                    over.append((earlier, record))
                    continue
            answer = questioner.ask(wants)
            if answer.record is not None:
                over.append((earlier, answer.record))
            elif not answer.impossible:
                report.open(later, "overlap", f"whether '{later.id}' and '{earlier.id}' fire on one record")
        if over:
            names = listed(subject.id for subject, _ in over)
            message = f"'{later.id}' fires together with {names}, and hit_policy is unique"
            record = over[0][1]
            report.about(later, "overlap", ERROR, message, "let their conditions exclude each other",
                         record=record if isinstance(record, dict) else None)  # fmt: skip


def _report_disagreements(report: Report, questioner: Questioner, group: Sequence[Subject]) -> None:
    """Note for each rule a stronger one of its file that decides something else on the same record."""
    facts = questioner.facts
    ordered = sorted(group, key=lambda subject: subject.strength)
    met = [facts.met(subject.decides) for subject in ordered if subject.decides]
    for place, weaker in enumerate(ordered):
        against = [
            (stronger, stronger.decides)
            for before, stronger in enumerate(ordered[:place])
            if stronger.checked.rule.decide != weaker.checked.rule.decide
            and stronger.checked.rule.decide and weaker.checked.rule.decide
            and (met[before] & met[place]).any()
        ]  # fmt: skip
        if against and weaker.decides and against[0][1]:
            stronger, decides = against[0]
            record = _example(questioner, [weaker.decides, decides])
            if record is not None:
                others = f" (and {len(against) - 1} more such)" if len(against) > 1 else ""
                message = (
                    f"'{weaker.id}' would decide {weaker.checked.rule.decide} where '{stronger.id}' "
                    f"decides {stronger.checked.rule.decide}{others}"
                )
                hint = f"hit_policy {weaker.filters.hit_policy} settles it"
                report.about(weaker, "conflict", NOTE, message, hint, key="decide", record=record)


def _example(questioner: Questioner, wants: Sequence[Want]) -> dict[str, object] | None:
    answer = questioner.seen(wants)
    return dict(answer) if answer is not None else None
