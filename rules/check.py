"""Rule files in, checked rules out, or every problem of every file at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rules.cases import run_cases
from rules.checked_rules import CheckedRule, CheckedRules
from rules.errors import ExpressionProblems, Problem
from rules.expression import CheckedExpression, Name, Variable, walk
from rules.files import Rule
from rules.gather import Gathered
from rules.reader import Document
from rules.restore import restore_rules
from rules.variables import file_names

__all__ = ["check_rules", "restore_rules", "run_cases"]


def check_rules(
    files: Mapping[str, bytes],
    *,
    variables: Sequence[Variable],
    scores: Sequence[str],
    outcomes: Sequence[str],
    read_list: Callable[[str], bytes],
) -> CheckedRules:
    """Check rule files together.

    `files` are bytes by path, combined in the order of their names; `variables` are the record's fields,
    to which `scores.NAME` and `proposed` are added; `read_list` gives the bytes of a list file by its path.

    Raises `CheckFailed` with every problem of every file, in file order.
    """
    gathered = Gathered(files, scores, outcomes, read_list)
    gathered.refuse_list_names({variable.name.split(".")[0] for variable in variables})
    known = (*variables, *_model_variables(scores, outcomes))
    lists = {name: values.type for name, values in gathered.lists.items()}
    names = {filters.document.file: file_names(filters, known, lists) for filters in gathered.filters}
    gathered.problems += [problem for one in names.values() for problem in one.problems]
    before = {variable.name: variable for variable in variables}
    after = {variable.name: variable for variable in known}
    rules = []
    for filters, rule, rank in gathered.ranked():
        condition = names[filters.document.file].check(rule.when) if rule.when.strip() else None
        if isinstance(condition, ExpressionProblems):
            gathered.problems += _placed(condition, filters.document, rule)
        cases = gathered.cases(rule, filters.document, before if rule.stage == "before" else after)
        if isinstance(condition, CheckedExpression):
            gathered.problems += _early_names(condition, filters.document, rule)
            if looped := gathered.too_many_rounds(condition):
                hint = "look values up by 'in', or shorten the list"
                at = (*rule.path, "when")
                gathered.problems.append(filters.document.problem(at, looped, hint))
            rules.append(CheckedRule(rule, filters.document, condition, cases, rank))
    return gathered.finish(rules, known)


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


def _early_names(condition: CheckedExpression, document: Document, rule: Rule) -> list[Problem]:
    """Say where a rule of stage `before` uses what only the model gives."""
    if rule.stage != "before":
        return []
    problems = []
    for node in walk(condition.node):
        if isinstance(node, Name) and (node.name == "proposed" or node.name.startswith("scores.")):
            until = condition.text[: max(node.offset, 0)]
            line, column = until.count("\n") + 1, len(until) - (until.rfind("\n") + 1) + 1
            message = f"a rule of stage 'before' cannot use '{node.name}': the model has not run yet"
            at = (*rule.path, "when")
            problems.append(document.problem_in_text(at, line, column, message, "use stage: after"))
    return problems
