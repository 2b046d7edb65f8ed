"""A project's folder in, every test of it out with what became of it: inside rules, and in test files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.project import load_project
from engine.ruleparts import checked_folder
from engine.suites import suite_results
from rules.cases import run_cases
from rules.checked_rules import CheckedRule
from rules.checked_tables import CheckedTable
from rules.errors import Problem


@dataclass(frozen=True)
class Tested:
    """One test: its name (inside a rule or table the id of that and a number), place and problems."""

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
    checked = checked_folder(
        project.root, project.schema, project.scores, project.outcomes, project.event_time
    )
    suites = suite_results(project, checked)
    tests = []
    failed = {(one.file, one.line, one.column): one for one in run_cases(checked)}
    owners: list[CheckedRule | CheckedTable] = [*checked.rules, *checked.tables]
    for owner in owners:
        document = owner.document
        for number, one in enumerate(owner.cases, 1):
            expected = document.position((*one.path, "expect"))
            problem = failed.get((document.file, *expected))
            line = document.position(one.path)[0]
            problems = (problem,) if problem else ()
            tests.append(Tested(f"{owner.id} [{number}]", owner.id, document.file, line, problems))
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
