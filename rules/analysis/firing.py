"""Rules that can never fire, rules that always do, and comparisons that a field's range settles."""

from __future__ import annotations

from itertools import combinations

from rules.analysis.axes import Atom
from rules.analysis.questions import Questioner
from rules.analysis.report import Report
from rules.analysis.space import Space
from rules.analysis.wants import TRUE, Subject
from rules.checked_rules import CheckedRule
from rules.expression import BOOL, Call, Literal, Name, Node, Variable, walk
from rules.findings import NOTE, WARNING
from rules.spelling import spell
from rules.terms import RANGES

MOST_PARTS = 24
PART_STEPS = 500


def report_firing(
    report: Report, questioner: Questioner, subjects: tuple[Subject, ...], space: Space
) -> set[int]:
    """Report rules that never fire or always do; gives the numbers of those that never fire."""
    never = set()
    facts = questioner.facts
    for subject in subjects:
        if not facts.met(subject.fires).any():
            answer = questioner.ask([subject.fires])
            if answer.impossible:
                never.add(subject.number)
                message = f"'{subject.id}' can never fire: {_why(subject, space)}"
                report.about(
                    subject, "never-fires", WARNING, message, "change the condition, or delete the rule"
                )
            elif answer.record is None:
                report.open(subject, "never-fires", f"whether '{subject.id}' can fire")
        elif subject.reaches_all and not _stated(subject.checked):
            if facts.met(subject.fires.opposite).any():
                continue
            answer = questioner.ask([subject.fires.opposite])
            if answer.impossible:
                otherwise = "false or unknown" if subject.fires.result == TRUE else "false"
                message = f"'{subject.id}' fires on every record: its condition is never {otherwise}"
                report.about(subject, "always-fires", WARNING, message, "if that is meant, write 'true'")
            elif answer.record is None:
                report.open(subject, "always-fires", f"whether '{subject.id}' fires on every record")
    return never


def report_ranges(report: Report, rules: tuple[CheckedRule, ...], space: Space) -> None:
    """Report comparisons that come out the same for every value that the field may hold, or the term give."""
    variables = {variable.name: variable for variable in report.checked.variables}
    settled = {number: verdict for number, atom in space.atoms.items() if (verdict := _settled(atom, space))}
    for rule in rules if settled else ():
        for node in _tests(rule.condition.node):
            verdict = settled.get(space.number(node), "")
            if verdict:
                asked = space.nodes[space.atoms[space.number(node)].axis]
                why = _range(variables[asked.name]) if isinstance(asked, Name) else _term_range(asked)
                message = f"{spell(node)} is {verdict}: {why}"
                report.in_condition(rule, node, "out-of-range", WARNING, message)


def report_dead_parts(report: Report, rules: tuple[CheckedRule, ...], space: Space, never: set[int]) -> None:
    """Report alternatives of `||` that are never true, in rules that can fire."""
    from rules.analysis.formula import GaveUp, Search

    for number, rule in enumerate(rules):
        if number in never:
            continue
        for part in _alternatives(rule.condition.node):
            try:
                dead = next(Search([space.true(part)], space.full, PART_STEPS).boxes(), None) is None
            except GaveUp:
                continue
            if dead:
                message = f"{spell(part)} is never true"
                report.in_condition(rule, part, "out-of-range", WARNING, message, "change it, or delete it")


def _alternatives(node: Node) -> list[Node]:
    """Give the parts of every `||` that are `&&`s themselves."""
    found: list[Node] = []
    for one in walk(node):
        if isinstance(one, Call) and one.overload == "logical_or":
            sides = (part for part in one.arguments if isinstance(part, Call))
            found += [part for part in sides if part.overload == "logical_and"]
    return found


def report_row_by_row(report: Report, rules: tuple[CheckedRule, ...]) -> None:
    """Report the parts of conditions that only the CEL runtime evaluates."""
    for rule in rules:
        for offset, why in getattr(rule.condition, "row_by_row", ()):
            message = f"'{rule.id}' is evaluated record by record: {why}"
            part = Literal(BOOL, True, offset)
            report.in_condition(rule, part, "row-by-row", NOTE, message, "right, and slower on batches")


def _stated(rule: CheckedRule) -> bool:
    return rule.condition.node == Literal(BOOL, True)


def _why(subject: Subject, space: Space) -> str:
    """Say which parts of a condition exclude each other."""
    from rules.analysis.formula import GaveUp, Search

    node = subject.checked.condition.node
    if isinstance(node, Literal):
        return f"its condition is {spell(node)}"
    if subject.fires.result != TRUE:
        return "its condition is false on every record"
    parts = _conjuncts(node)[:MOST_PARTS]
    for size in (1, 2, 3):
        for some in combinations(parts, size):
            try:
                if next(Search([space.true(part) for part in some], space.full).boxes(), None) is None:
                    texts = [spell(part) for part in some]
                    joined = ", ".join(texts[:-1]) + f" and {texts[-1]}" if size > 1 else texts[0]
                    return f"{joined} {'are never true together' if size > 1 else 'is never true'}"
            except GaveUp:
                continue
    return "its condition is never true"


def _conjuncts(node: Node) -> list[Node]:
    if isinstance(node, Call) and node.overload == "logical_and":
        return [part for side in node.arguments for part in _conjuncts(side)]
    return [node]


def _tests(node: Node) -> list[Node]:
    return [part for part in walk(node) if part.type == BOOL and isinstance(part, Call)]


def _settled(atom: Atom, space: Space) -> str:
    """Say that a test of a field is never or always true of a value that is there, or nothing."""
    field = space.nodes[atom.axis]
    if atom.word in ("missing", "outcome") or field.type == BOOL:
        return ""
    if not isinstance(field, Name) and not (isinstance(field, Call) and field.overload in RANGES):
        return ""
    cells = space.cells[atom.axis]
    true = space.part(atom)[0]
    if atom.word == "among" and not atom.value:
        return ""
    if not true & cells.full:
        return "never true"
    return "always true" if cells.present and not cells.present & ~true else ""


def _range(variable: Variable) -> str:
    name = variable.name
    if variable.values is not None:
        return (
            f"'{name}' is one of {', '.join(variable.values[:6])}{', …' if len(variable.values) > 6 else ''}"
        )
    low, high = variable.minimum, variable.maximum
    if low is not None and high is not None:
        return f"'{name}' is from {_bound(low)} to {_bound(high)}"
    if low is not None:
        return f"'{name}' is at least {_bound(low)}"
    return (
        f"'{name}' is at most {_bound(high)}"
        if high is not None
        else f"'{name}' is {_article(variable.type)}"
    )


def _bound(bound: float) -> str:
    """Write a bound as an author would: 1000000 and 0.5, not 1e+06 and 1000000.0."""
    return str(int(bound)) if abs(bound) < 2**63 and bound == int(bound) else repr(bound)


def _term_range(node: Node) -> str:
    low, high = RANGES[node.overload] if isinstance(node, Call) else (None, None)
    return f"{spell(node)} is {f'at least {low}' if high is None else f'from {low} to {high}'}"


def _article(kind: str) -> str:
    return {"int": "a whole number of 64 bits", "double": "a number"}.get(kind, f"a {kind}")
