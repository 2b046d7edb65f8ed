"""Problems and findings of a check as SARIF 2.1.0, the form that code review tools show beside the lines.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.project.uncoded import SAYS
from rules.errors import Problem
from rules.findings import CODES, ERROR, Finding, written

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PROBLEM = "problem"
_PAGE = "docs/rule-language.md"


def sarif(problems: Iterable[Problem], findings: Iterable[Finding], *, version: str) -> dict[str, Any]:
    """Give one SARIF log; regions count lines and columns from 1, in characters."""
    rules = [_rule(PROBLEM, "Something in a file that cannot be used.", ERROR)]
    rules += [_rule(code, text, "warning") for code, text in {**CODES, **SAYS}.items()]
    places = {rule["id"]: number for number, rule in enumerate(rules)}
    results = [_result(problem, PROBLEM, ERROR, problem.hint, places) for problem in problems]
    results += [
        _result(finding, finding.code, finding.severity, _advice(finding), places) for finding in findings
    ]
    driver = {"name": "tandem check", "version": version, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(code: str, text: str, level: str) -> dict[str, Any]:
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in code.split("-")),
        "shortDescription": {"text": text},
        "defaultConfiguration": {"level": level},
        "help": {"text": f"{text} See {_PAGE}."},
    }


def _result(
    found: Problem | Finding, code: str, level: str, advice: str, places: dict[str, int]
) -> dict[str, Any]:
    text = f"{found.message}; {advice}" if advice else found.message
    region = {"startLine": found.line, "startColumn": found.column}
    location = {"artifactLocation": {"uri": found.file}, "region": region}
    return {
        "ruleId": code,
        "ruleIndex": places[code],
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }


def _advice(finding: Finding) -> str:
    shown = "" if finding.record is None else f"for example: {written(finding.record)}"
    return "; ".join(part for part in (finding.hint, shown) if part)
