"""Rules: the filter language, from YAML and CEL to verdicts.

`check_rules` reads rule files and gives `CheckedRules`, or every problem at once; `RuleSet.compile` makes
them ready to judge records and batches. Nothing of CEL's compiler is imported until something is checked.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rules.analysis import analyse
    from rules.cases import run_cases
    from rules.check import check_rules
    from rules.checked_rules import CheckedCase, CheckedRule, CheckedRules
    from rules.errors import (
        CheckFailed,
        ExpressionProblem,
        ExpressionProblems,
        Problem,
        RulesError,
        UnreadableExpression,
        nearest,
    )
    from rules.expression import CheckedExpression, Variable
    from rules.files import Filters, Rule
    from rules.findings import Finding
    from rules.lists import ListValues
    from rules.loaded import LoadedRules, load
    from rules.policy import Policy
    from rules.reader import Document, read_yaml
    from rules.restore import restore_rules
    from rules.ruleset import RuleSet
    from rules.verdict import Verdict, Verdicts, join_lists

# Where each name lives. A name is imported when it is first used: serving takes less than checking.
_PLACES = {
    "CheckFailed": "errors",
    "CheckedCase": "checked_rules",
    "CheckedExpression": "expression",
    "CheckedRule": "checked_rules",
    "CheckedRules": "checked_rules",
    "Document": "reader",
    "ExpressionProblem": "errors",
    "ExpressionProblems": "errors",
    "Filters": "files",
    "Finding": "findings",
    "ListValues": "lists",
    "LoadedRules": "loaded",
    "Policy": "policy",
    "Problem": "errors",
    "Rule": "files",
    "RuleSet": "ruleset",
    "RulesError": "errors",
    "UnreadableExpression": "errors",
    "Variable": "expression",
    "Verdict": "verdict",
    "Verdicts": "verdict",
    "analyse": "analysis",
    "check_rules": "check",
    "join_lists": "verdict",
    "load": "loaded",
    "nearest": "errors",
    "read_yaml": "reader",
    "restore_rules": "restore",
    "run_cases": "cases",
}

__all__ = [
    "CheckFailed",
    "CheckedCase",
    "CheckedExpression",
    "CheckedRule",
    "CheckedRules",
    "Document",
    "ExpressionProblem",
    "ExpressionProblems",
    "Filters",
    "Finding",
    "ListValues",
    "LoadedRules",
    "Policy",
    "Problem",
    "Rule",
    "RuleSet",
    "RulesError",
    "UnreadableExpression",
    "Variable",
    "Verdict",
    "Verdicts",
    "analyse",
    "check_rules",
    "join_lists",
    "load",
    "nearest",
    "read_yaml",
    "restore_rules",
    "run_cases",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'rules' has no attribute {name!r}")
    found = getattr(import_module(f"rules.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
