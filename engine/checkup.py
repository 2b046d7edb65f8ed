"""A project's folder in, everything that `tandem check` says of it out: problems, findings, coverage."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rules.errors import CheckFailed, Problem
from rules.findings import ERROR, WARNING, Finding

if TYPE_CHECKING:
    from rules.analysis import Undecided
    from rules.analysis.coverage import RuleCoverage


@dataclass(frozen=True)
class Checkup:
    """What was found. `problems` are plainly wrong; with any but failed tests and files of encoders, nothing
    else is known.

    `coverage` is None unless it was asked for.
    """

    name: str
    files: int = 0
    rules: int = 0
    tables: int = 0
    rows: int = 0  # of all tables
    tests: int = 0
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    coverage: tuple[RuleCoverage, ...] | None = field(default=None)

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def fails(self, *, strict: bool) -> bool:
        """Whether the check fails: by a problem, by an error, and if strict by a warning too."""
        return bool(self.problems or self.count(ERROR) or (strict and self.count(WARNING)))

    def to_json(self, *, strict: bool) -> dict[str, Any]:
        """Give all of it as JSON-able data."""
        data: dict[str, Any] = {
            "ok": not self.fails(strict=strict),
            "files": self.files,
            "rules": self.rules,
            "tables": self.tables,
            "rows": self.rows,
            "tests": self.tests,
            "problems": [asdict(problem) for problem in self.problems],
            "findings": [asdict(finding) for finding in self.findings],
            "undecided": [asdict(one) for one in self.undecided],
        }
        if self.coverage is not None:
            data["coverage"] = [_covered(one) for one in self.coverage]
        return data


def check_up(project: Path, *, now: datetime, notes: bool, coverage: bool) -> Checkup:
    """Check project.yaml and the rule files, run their tests, try its encoders, and analyse the rules.

    Raises nothing for what is wrong in the files: that is what it tells.
    """
    from engine.project import load_project
    from engine.project.encoders import encoder_problems
    from engine.project.uncoded import uncoded
    from engine.ruleparts import checked_folder
    from engine.suites import check_suites
    from rules.analysis import analyse, measure
    from rules.cases import case_results, failures
    from rules.columnar import conditions

    name = project.resolve().name
    unfit: tuple[Problem, ...] = ()
    try:
        loaded = load_project(project)
        name = loaded.name
        unfit = encoder_problems(loaded)
        checked = checked_folder(
            loaded.root, loaded.schema, loaded.scores, loaded.outcomes, loaded.event_time
        )
    except CheckFailed as failed:
        return Checkup(name, problems=tuple(sorted((*failed.problems, *unfit))))
    evaluator = conditions([rule.condition for rule in checked.rules], checked.list_entries)
    results = case_results(checked, evaluator)
    cases, wrong = check_suites(loaded, checked)
    analysis = analyse(checked, now=now, results=results, evaluator=evaluator, notes=notes)
    return Checkup(
        name,
        files=len(checked.files),
        rules=len(checked.rules),
        tables=len(checked.tables),
        rows=sum(len(table.ids) for table in checked.tables),
        tests=sum(len(one.cases) for one in checked.members()) + cases,
        problems=tuple(sorted((*failures(checked, results), *wrong, *unfit))),
        findings=(*uncoded(loaded), *analysis.findings),
        undecided=analysis.undecided,
        coverage=measure(checked, results) if coverage else None,
    )


def _covered(one: RuleCoverage) -> dict[str, Any]:
    branches = [
        {
            "text": branch.text,
            "line": branch.line,
            "column": branch.column,
            "true": True in branch.seen,
            "false": False in branch.seen,
            "unknown": None in branch.seen,
            "missed": ["true" if missed else "false" for missed in branch.missed],
        }
        | ({"file": branch.file} if branch.file else {})
        for branch in one.branches
    ]
    return {
        "rule": one.rule,
        "file": one.file,
        "line": one.line,
        "tests": one.tests,
        "fires": one.fires,
        "does_not_fire": one.rests,
        "covered": one.covered,
        "coverable": one.coverable,
        "branches": branches,
    }
