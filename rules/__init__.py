"""Rules: the filter language, from YAML and CEL to verdicts.

`check_rules` reads rule files and gives `CheckedRules`, or every problem at once; `RuleSet.compile` makes
them ready to judge records and batches. Nothing of CEL's compiler is imported until something is checked.
"""

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
from rules.lists import ListValues
from rules.policy import Policy
from rules.reader import Document, read_yaml
from rules.restore import restore_rules
from rules.ruleset import RuleSet
from rules.verdict import Verdict, Verdicts, join_lists

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
    "ListValues",
    "Policy",
    "Problem",
    "Rule",
    "RuleSet",
    "RulesError",
    "UnreadableExpression",
    "Variable",
    "Verdict",
    "Verdicts",
    "check_rules",
    "join_lists",
    "nearest",
    "read_yaml",
    "restore_rules",
    "run_cases",
]
