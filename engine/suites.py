"""A project's test files: each case decided as a record would be, with the scores that the case gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from engine.project.folder import TESTS
from engine.project.records import Project
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed, Problem
from rules.folder import TEST_SUFFIX, read_rule_files, rule_files
from rules.policy import Policy

if TYPE_CHECKING:
    from engine.runtime import Runtime
    from rules.ruleset import RuleSet
    from rules.suites import Decide, SuiteResult

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # the moment of deciding, which no case can see


def read_test_files(root: Path) -> dict[str, bytes]:
    """Read `root`/tests/*_test.yaml, named as problems name them. Raises CheckFailed."""
    named = rule_files(root / TESTS, TESTS).items()
    return read_rule_files({name: path for name, path in named if name.endswith(TEST_SUFFIX)}, root)


def suite_results(project: Project, checked: CheckedRules) -> tuple[SuiteResult, ...]:
    """Run every case of a project's test files. Raises CheckFailed where they cannot be read."""
    files = read_test_files(project.root)
    if not files:
        return ()
    # Imported where there is something to decide: most checks need no evaluator of whole records.
    from rules.ruleset import RuleSet
    from rules.suites import read_suites, run_suites

    rules = RuleSet.compile(checked)
    cases = read_suites(
        files,
        variables=checked.variables,
        outcomes=checked.outcomes,
        rules=rules.rules,
    )
    names = [variable.name for variable in checked.variables]
    return run_suites(cases, decider(project, rules), names)


def check_suites(project: Project, checked: CheckedRules) -> tuple[int, tuple[Problem, ...]]:
    """Give how many cases there are, and what is wrong with the test files, or else with the cases."""
    try:
        results = suite_results(project, checked)
    except CheckFailed as failed:
        return 0, failed.problems
    return len(results), tuple(problem for result in results for problem in result.problems)


def decider(project: Project, rules: RuleSet) -> Decide:
    """Decide as the serving path does, with the scores that are given in the place of a model's."""
    defaults = {field.name: field.default for field in project.schema.fields if field.default is not None}
    typed = {name: project.schema.by_name[name].read(value) for name, value in defaults.items()}
    from engine.decide import decide_values

    def decide(values: dict[str, Any]) -> Mapping[str, Any]:
        values |= {name: value for name, value in typed.items() if values.get(name) is None}
        runtime = SimpleNamespace(
            rules=rules,
            model=_GivenScores(project.scores),
            policy=_GivenProposal(project.policy, values.get("proposed")),
            score_variables=tuple(f"scores.{name}" for name in project.scores),
            no_scores=dict.fromkeys(project.scores),
            digest="",
        )
        decision = decide_values(cast("Runtime", runtime), values, None, NEVER)
        return decision.to_dict()

    return decide


class _GivenScores:
    """Stands where the model does: the scores are the record's own."""

    def __init__(self, scores: Sequence[str]) -> None:
        self.scores = scores

    def record(self, values: Mapping[str, Any]) -> list[float | None]:
        return [values[f"scores.{name}"] for name in self.scores]


class _GivenProposal:
    """The policy, whose first word a case may give; asked again about changed scores, it answers itself."""

    def __init__(self, policy: Policy, given: str | None) -> None:
        self._policy = policy
        self._given = given

    def propose(self, values: Mapping[str, Any]) -> str:
        given, self._given = self._given, None
        return given or self._policy.propose(values)
