"""A rule edit: a bundle and a project's files as they are now → a new bundle that shares the model."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engine.bundle import Bundle
from engine.ruleparts import check_folder, rule_parts
from engine.schema import Schema
from rules import turns
from rules.checked_rules import CheckedRules


def checked_for(bundle: Bundle, root: Path) -> CheckedRules:
    """Check a project's rules and lists against the fields, scores and outcomes of a bundle.

    Raises CheckFailed with every problem of every file, failed inline tests among them.
    """
    described = bundle.json("schema.json")
    scores = bundle.json("model/scores.json")["scores"]
    schema, event_time = Schema.from_json(described["fields"]), described.get("event_time")
    return check_folder(root, schema, scores, described["outcomes"], event_time)


def edited(bundle: Bundle, checked: CheckedRules, *, now: datetime) -> Bundle:
    """Make the bundle that decides by `checked` and the model of `bundle`; itself, if those are its rules."""
    parts = rule_parts(checked)
    turns.step()
    if parts == {**bundle.folder("rules/"), **bundle.folder("lists/"), **_expressions(bundle)}:
        return bundle
    return bundle.with_rules(parts, created=now)


def _expressions(bundle: Bundle) -> dict[str, bytes]:
    return {"expressions.json": bundle.parts["expressions.json"]}
