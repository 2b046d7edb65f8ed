"""`tandem check` on 1,000 rules of five comparisons, in a fresh process, and where its time goes.

Each rule has an owner, says what a missing value means, and has a test in which it fires and one in which it
does not: what a project in order has. The rules are those of `many.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, figure
from benchmarks.many import TYPES, ManyRule, many_rules
from benchmarks.setting import ROOT, WORK, installed

RULES = 1_000
TARGET = "<= 2"
_TYPES = {"double": "float", "int": "int", "string": "category"}


def run(*, quick: bool) -> list[Figure]:
    place = project(RULES)
    repeats = 2 if quick else 7
    cold, without = _cold(place, repeats), _cold(_empty(), repeats)
    return [
        figure(f"tandem check, {RULES:,} rules, cold process", cold, "s", target=TARGET),
        figure("tandem check, one rule, cold process", without, "s"),
        *(figure(f"of it: {name}", seconds, "s") for name, seconds in _stages(place, repeats).items()),
    ]


def project(count: int) -> Path:
    """A project with as many rules, in .bench/."""
    return _written(WORK / f"check-{count}", many_rules(count))


def _empty() -> Path:
    return _written(WORK / "check-1", many_rules(1))


def _written(place: Path, rules: tuple[ManyRule, ...]) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    (place / "rules").mkdir(parents=True)
    fields = [f"  {name}: {{type: {_TYPES[kind]}, nullable: true}}" for name, kind in TYPES.items()]
    lines = ["name: many", "fields:", *fields, "outcomes: [approve, review, decline]"]
    lines += ["classifiers: {fraud: {label: fraud, candidates: [logistic]}}"]
    lines += ["policy:", '  - {when: "true", decide: approve}', ""]
    (place / "project.yaml").write_text("\n".join(lines))
    (place / "rules" / "many.yaml").write_text(_rule_file(rules))
    return place


def _rule_file(rules: tuple[ManyRule, ...]) -> str:
    lines = ["filters: many", "hit_policy: first", "rules:"]
    for rule in rules:
        given = ", ".join(
            f"{one.field}: {_meeting(one.operator, one.value)}"
            for one in (*rule.comparisons[:3], rule.comparisons[4])
        )
        lines += [f"  - id: {rule.id}", f'    when: "{rule.cel}"', f"    decide: {rule.decide}"]
        lines += ["    owner: risk", "    on_unknown: skip", "    tests:"]
        lines += [f"      - {{given: {{{given}}}, expect: {rule.decide}}}"]
        lines += [f"      - {{given: {{{_against(rule)}}}, expect: none}}"]
    return "\n".join([*lines, ""])


def _against(rule: ManyRule) -> str:
    """A value that the rule's first comparison does not hold for, and null where it needs one."""
    first = rule.comparisons[0]
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "==", "in": "not in"}
    return f"{first.field}: {_meeting(opposite[first.operator], first.value)}"


def _meeting(operator: str, value: Any) -> Any:
    """Write a value that is `operator` than `value`."""
    if isinstance(value, tuple):
        return f"'{value[0]}'" if operator == "in" else "other"
    if value is None:
        return "null" if operator == "==" else "other"
    if isinstance(value, str):
        return f"'{value}'" if operator == "==" else "other"
    step = {"<": -1, ">": 1}.get(operator, 0)
    return value + step


def _cold(place: Path, repeats: int) -> float:
    """Seconds of a whole process, the median; the first one fills the disk cache and writes byte code."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        command = [sys.executable, "-m", "engine", "check", str(place)]
        done = subprocess.run(command, cwd=ROOT, env=installed(), capture_output=True, text=True, check=False)
        taken.append(time.perf_counter() - start)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
    return float(np.median(taken[1:]))


def _stages(place: Path, repeats: int) -> dict[str, float]:
    """Seconds of each stage within one process; each time with nothing kept from the time before."""
    from engine.project import load_project
    from engine.ruleparts import checked_folder
    from rules import checking
    from rules.analysis import analyse
    from rules.cases import case_results
    from rules.columnar import conditions

    taken: dict[str, list[float]] = {"read and check": [], "inline tests": [], "analysis": []}
    loaded = load_project(place)
    for _ in range(repeats):
        checking._environment.cache_clear()
        start = time.perf_counter()
        checked = checked_folder(loaded.root, loaded.schema, loaded.scores, loaded.outcomes)
        read = time.perf_counter()
        evaluator = conditions([rule.condition for rule in checked.rules], checked.list_entries)
        results = case_results(checked, evaluator)
        tested = time.perf_counter()
        analyse(checked, results=results, evaluator=evaluator, notes=False)
        done = time.perf_counter()
        for name, seconds in zip(taken, (read - start, tested - read, done - tested), strict=True):
            taken[name].append(seconds)
    return {name: float(np.median(seconds)) for name, seconds in taken.items()}
