"""What the analysis of checked rules says: findings with a place, a code, and a record that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.errors import excerpt
from rules.expression import TIMESTAMP

ERROR, WARNING, NOTE = "error", "warning", "note"
SEVERITIES = (ERROR, WARNING, NOTE)
CODES = {  # each with what it says of a rule, a list or a table
    "always-fires": "The rule fires on every record.",
    "conflict": "Another rule of the file decides something else on the same record.",
    "duplicate": "The rule does what another one does, on the same records.",
    "expired": "An exception of the rule has ended.",
    "list-comment": "An entry of a text list holds what looks like a comment.",
    "never-fires": "No record makes the rule fire.",
    "no-owner": "The rule or table is enforced and nobody is named as its owner.",
    "on-unknown": "The rule decides the most severe outcome and does not say what a missing value means.",
    "out-of-range": "A comparison, or a part of '||', comes out the same for every value that there may be.",
    "overlap": "Two rules decide the same record where only one may.",
    "row-by-row": "A part of the condition is evaluated record by record.",
    "shadowed": "Wherever the rule would decide, a stronger one does.",
    "table-gap": "A record without a missing value finds no row of the table.",
    "table-overlap": "Two rows of a table hold on the same record.",
    "untested": "The rule or table has no test in which it fires, or none in which it does not.",
    "unused-list": "Nothing uses the list.",
    "unused-variable": "Nothing uses the variable.",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that rules as they are would do, or lack.

    `line` and `column` count from 1 in characters; `source` is the line itself. `record` is a record that
    shows it, as the `given` of an inline test would hold it: it has been run through the reference evaluator.
    """

    file: str
    line: int
    column: int
    code: str
    severity: str = field(compare=False)
    message: str
    hint: str = ""
    source: str = field(default="", compare=False)
    record: Mapping[str, Any] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.severity}[{self.code}]: {self.message}"
        if self.hint:
            text += f"; {self.hint}"
        if self.source.strip():
            text += excerpt(self.source, self.column)
        return text if self.record is None else f"{text}\n    for example: {written(self.record)}"


def record_of(values: Mapping[str, Any], types: Mapping[str, str]) -> dict[str, Any]:
    """Give flat values as a test's `given` holds them: nested at the dots, timestamps as text.

    >>> record_of({"scores.fraud": 0.5, "at": 0}, {"scores.fraud": "double", "at": "timestamp"})
    {'scores': {'fraud': 0.5}, 'at': '1970-01-01T00:00:00Z'}
    """
    record: dict[str, Any] = {}
    for name, value in values.items():
        *outer, last = name.split(".")
        place = record
        for part in outer:
            place = place.setdefault(part, {})
        place[last] = _moment(value) if types.get(name) == TIMESTAMP and value is not None else value
    return record


def written(value: Any) -> str:
    """Write a value in YAML's flow style, to be pasted into a test.

    >>> written({"amount": 1200, "country": "FR", "is_new": None})
    "{amount: 1200, country: 'FR', is_new: null}"
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {written(part)}" for name, part in value.items()) + "}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        if value.isprintable():
            return "'" + value.replace("'", "''") + "'"
        return '"' + "".join(c if c.isprintable() and c not in '\\"' else _escaped(c) for c in value) + '"'
    return repr(value)


def _escaped(character: str) -> str:
    return f"\\U{ord(character):08x}" if character not in '\\"' else f"\\{character}"


def _moment(microseconds: int) -> str:
    moment = (_EPOCH + timedelta(microseconds=microseconds)).replace(tzinfo=None)
    return moment.isoformat() + "Z"
