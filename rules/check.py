"""Rule files in, checked rules out, or every problem of every file at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rules import turns
from rules.cases import run_cases
from rules.checked_rules import CheckedRule, CheckedRules, CheckedSuppression
from rules.checked_tables import INPUT_TYPES, CheckedTable, read_cells, timed
from rules.errors import ExpressionProblems, Problem
from rules.expression import CheckedExpression, Keys, Name, Variable, walk
from rules.files import Rule
from rules.gather import Gathered
from rules.reach import Reach, event_time_of
from rules.reader import Document
from rules.restore import restore_rules
from rules.table_cases import check_table_cases
from rules.tables import Table
from rules.variables import FileNames, file_names

__all__ = ["check_rules", "restore_rules", "run_cases"]

_LIMITS = frozenset(("stage", "mode", "on_unknown", "effective", "rollout", "except", "id"))


def check_rules(
    files: Mapping[str, bytes],
    *,
    variables: Sequence[Variable],
    scores: Sequence[str],
    outcomes: Sequence[str],
    read_list: Callable[[str], bytes],
    event_time: str | None = None,
) -> CheckedRules:
    """Check rule files together.

    `files` are bytes by path, combined in the order they state, else of their names; `variables` are the
    record's fields, to which `scores.NAME` and `proposed` are added; `outcomes` go from the mildest to the
    most severe; `read_list` gives the bytes of a list file by its path; `event_time` names the field that
    holds an event's time, by default a timestamp called `event_time`.

    Raises `CheckFailed` with every problem of every file, in file order.
    """
    known = (*variables, *_model_variables(scores, outcomes))
    fields = (variable.name for variable in known)
    gathered = Gathered(files, scores, outcomes, read_list, fields, bounded=True)
    gathered.refuse_list_names({variable.name.split(".")[0] for variable in variables})
    lists = {name: values.type for name, values in gathered.lists.items()}
    names = {filters.document.file: file_names(filters, known, lists) for filters in gathered.filters}
    gathered.problems += [problem for one in names.values() for problem in one.problems]
    before = {variable.name: variable for variable in variables}
    after = {variable.name: variable for variable in known}
    reach = Reach(names, event_time_of(event_time, before))
    rules: list[CheckedRule] = []
    for filters, rule, rank in gathered.ranked():
        turns.step()
        if gathered.enough:
            break
        condition = names[filters.document.file].check(rule.when) if rule.when.strip() else None
        if isinstance(condition, ExpressionProblems):
            gathered.problems += _placed(condition, filters.document, rule)
        seen = before if rule.stage == "before" else after
        cases = gathered.cases(rule, filters.document, seen)
        suppressions = reach.suppressions(rule, filters.document, seen)
        key = reach.key(rule, filters.document, before)
        gathered.problems += _long_loops(gathered, rule, filters.document, condition, suppressions)
        if isinstance(condition, CheckedExpression):
            at = (*rule.path, "when")
            gathered.problems += _early_names(condition, filters.document, rule.stage, at)
            whole = reach.condition(rule, filters.document, condition)
            rules.append(
                CheckedRule(rule, filters.document, whole, cases, rank, filters.hit_policy, suppressions, key)
            )
    tables = list(_tables(gathered, names, before, after, reach))
    gathered.problems += reach.problems
    gathered.problems += _duplicates(rules)
    return gathered.finish(rules, tables, known)


def _tables(
    gathered: Gathered,
    names: Mapping[str, FileNames],
    before: Mapping[str, Variable],
    after: Mapping[str, Variable],
    reach: Reach,
) -> Iterator[CheckedTable]:
    """Check the inputs, the cells, the reach and the tests of every table."""
    lists = {name: values.type for name, values in gathered.lists.items()}
    for filters, table, file, ranks in gathered.ranked_tables():
        document, seen = filters.document, before if table.stage == "before" else after
        inputs: list[CheckedExpression | None] = []
        for one in table.inputs:
            checked = names[document.file].check(one.value, INPUT_TYPES) if one.value.strip() else None
            if isinstance(checked, ExpressionProblems):
                gathered.problems += [
                    document.problem_in_text(one.path, p.line, p.column, p.message, p.hint)
                    for p in checked.problems
                ]
            elif checked is not None:
                gathered.problems += _early_names(checked, document, table.stage, one.path)
                if looped := gathered.too_many_rounds(checked):
                    gathered.problems.append(document.problem(one.path, looped, "shorten the list"))
            inputs.append(checked if isinstance(checked, CheckedExpression) else None)
        cells, problems = read_cells(table, document, inputs, lists, after)
        cases, failed = check_table_cases(table, document, seen, gathered.outcomes)
        gathered.problems += [*problems, *failed]
        suppressions = reach.suppressions(table, document, seen)
        gathered.problems += _long_loops(gathered, table, document, None, suppressions)
        key, moment = reach.key(table, document, before), reach.event_time(table, document)
        known = tuple(one for one in inputs if one is not None)
        if len(known) == len(inputs):
            if moment is not None:
                known, cells = timed(table, known, cells, moment)
            yield CheckedTable(table, document, known, cells, lists, file, ranks, cases, suppressions, key)


def _long_loops(
    gathered: Gathered,
    rule: Rule | Table,
    document: Document,
    condition: CheckedExpression | ExpressionProblems | None,
    suppressions: Sequence[CheckedSuppression],
) -> Iterator[Problem]:
    """Refuse what would loop over lists for too long."""
    parts = [((*one.suppression.path, "when"), one.condition) for one in suppressions]
    if isinstance(condition, CheckedExpression):
        parts.insert(0, ((*rule.path, "when"), condition))
    for at, expression in parts:
        if looped := gathered.too_many_rounds(expression):
            yield document.problem(at, looped, "look values up by 'in', or shorten the list")


def _duplicates(rules: Sequence[CheckedRule]) -> Iterator[Problem]:
    """Refuse a deciding rule that holds where an earlier one of its file and stage does, and only there."""
    alike: dict[tuple[Any, ...], list[CheckedRule]] = {}
    for checked in rules:
        rule = checked.rule
        if rule.decide is None or rule.mode != "enforce" or rule.rollout or rule.suppressions:
            continue
        timed = rule.effective is None or rule.effective.opens(checked.condition.node)
        if rule.unread & _LIMITS or not rule.id or not timed:
            continue  # what is wrong with it may be what tells it from others
        names = checked.condition.variables, checked.condition.lists
        alike.setdefault((checked.rank.file, rule.stage, rule.on_unknown, *names), []).append(checked)
    keys = Keys()
    first: dict[tuple[Any, ...], CheckedRule] = {}
    # Only conditions over the same names can be one.
    for group, checked in ((group, one) for group, ones in alike.items() if len(ones) > 1 for one in ones):
        rule = checked.rule
        key = (*group, keys[checked.condition.node])
        other = first.setdefault(key, checked)
        if other is not checked and rule.id != other.id:
            message = f"'{rule.id}' has the condition of '{other.id}', and both decide"
            hint = "make one rule of them, or put one on trial with mode: shadow"
            yield checked.document.problem((*rule.path, "when"), message, hint)


def _model_variables(scores: Sequence[str], outcomes: Sequence[str]) -> tuple[Variable, ...]:
    """Give what stage `after` sees besides the record."""
    return (
        *(
            Variable(f"scores.{score}", "double", nullable=False, minimum=0.0, maximum=1.0)
            for score in scores
        ),
        Variable("proposed", "string", nullable=False, values=tuple(outcomes)),
    )


def _placed(problems: ExpressionProblems, document: Document, rule: Rule) -> list[Problem]:
    at = (*rule.path, "when")
    return [document.problem_in_text(at, p.line, p.column, p.message, p.hint) for p in problems.problems]


def _early_names(
    condition: CheckedExpression, document: Document, stage: str, at: tuple[str | int, ...]
) -> list[Problem]:
    """Say where a rule of stage `before` uses what only the model gives; `at` is the place of its text."""
    if stage != "before":
        return []
    problems = []
    for node in walk(condition.node):
        if isinstance(node, Name) and (node.name == "proposed" or node.name.startswith("scores.")):
            until = condition.text[: max(node.offset, 0)]
            line, column = until.count("\n") + 1, len(until) - (until.rfind("\n") + 1) + 1
            message = f"a rule of stage 'before' cannot use '{node.name}': the model has not run yet"
            problems.append(document.problem_in_text(at, line, column, message, "use stage: after"))
    return problems
