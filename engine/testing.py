"""A project's folder in, every test of it out with what became of it: inside rules, and in test files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.project import load_project
from engine.ruleparts import checked_folder
from engine.suites import suite_results
from rules.cases import case_results, failures
from rules.errors import Problem


@dataclass(frozen=True)
class Tested:
    """One test: its name (of a test inside a rule the rule's id and its number), place and problems."""

    name: str
    rule: str | None
    file: str
    line: int
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the test as JSON-able data."""
        told = [asdict(problem) for problem in self.problems]
        return {
            "name": self.name,
            "rule": self.rule,
            "file": self.file,
            "line": self.line,
            "passed": not told,
            "problems": told,
        }


def run_tests(root: Path) -> list[Tested]:
    """Run every test of a project, in file order. Raises CheckFailed where its files are wrong."""
    project = load_project(root)
    checked = checked_folder(project.root, project.schema, project.scores, project.outcomes)
    suites = suite_results(project, checked)
    tests = []
    rules = {rule.id: rule for rule in checked.rules}
    for rule_id, results in case_results(checked).items():
        document = rules[rule_id].document
        for number, result in enumerate(results, 1):
            problems = failures(checked, {rule_id: [result]})
            line = document.position(result.case.path)[0]
            tests.append(Tested(f"{rule_id} [{number}]", rule_id, document.file, line, problems))
    for suite in suites:
        case = suite.case
        line = case.document.position(case.path)[0]
        tests.append(Tested(case.name, None, case.document.file, line, suite.problems))
    return tests


def chosen(tests: Sequence[Tested], root: Path, paths: Sequence[Path], name: str) -> list[Tested]:
    """Leave the tests of these files (all for none) whose name holds `name`."""
    files = {path.resolve() for path in paths}
    return [
        test
        for test in tests
        if (not files or (root / test.file).resolve() in files) and name.lower() in test.name.lower()
    ]
