"""From a project's rules/ and lists/ to the parts of a bundle: checked, tested by their cases, as bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.project.folder import read_lists, read_rules
from engine.schema import Schema
from rules.check import check_rules, run_cases
from rules.checked_rules import CheckedRules
from rules.errors import CheckFailed

EXPRESSIONS = "expressions.json"


def check_folder(
    root: Path,
    schema: Schema,
    scores: Sequence[str],
    outcomes: Sequence[str],
    event_time: str | None = None,
) -> CheckedRules:
    """Check every rule file of a project and run the tests inside them.

    `event_time` is the field that holds an event's time, as `check_rules` takes it.

    Raises CheckFailed with every problem of every file; failed tests count where all else is right.
    """
    return check_files(read_rules(root), root, schema, scores, outcomes, event_time)


def checked_folder(
    root: Path,
    schema: Schema,
    scores: Sequence[str],
    outcomes: Sequence[str],
    event_time: str | None = None,
) -> CheckedRules:
    """Check every rule file of a project, without running the tests inside them. Raises CheckFailed."""
    return _checked(read_rules(root), root, schema, scores, outcomes, event_time)


def check_files(
    files: Mapping[str, bytes],
    root: Path,
    schema: Schema,
    scores: Sequence[str],
    outcomes: Sequence[str],
    event_time: str | None = None,
) -> CheckedRules:
    """Check rule files that are given, with the lists of a project's folder, and run the tests inside them.

    Raises CheckFailed as `check_folder` does.
    """
    checked = _checked(files, root, schema, scores, outcomes, event_time)
    if failed := run_cases(checked):
        raise CheckFailed(failed)
    return checked


def _checked(
    files: Mapping[str, bytes],
    root: Path,
    schema: Schema,
    scores: Sequence[str],
    outcomes: Sequence[str],
    event_time: str | None,
) -> CheckedRules:
    return check_rules(
        files,
        variables=schema.variables(),
        scores=tuple(scores),
        outcomes=tuple(outcomes),
        read_list=read_lists(root),
        event_time=event_time,
    )


def rule_parts(checked: CheckedRules) -> dict[str, bytes]:
    """Give the parts of a bundle that rules are: files and lists as written, and the checked expressions.

    The same rules give the same bytes.
    """
    expressions = json.dumps(checked.expressions(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {**checked.files, **checked.list_files, EXPRESSIONS: expressions.encode()}
