"""When a rule holds at all: `effective: {from, until}`, half-open, in UTC, against the event's own time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.expression import BOOL, TIMESTAMP, Call, Literal, Name, Node, walk
from rules.form import Form, Path

PERIOD_KEYS = ("from", "until")
_HINT = "as effective: {from: 2026-11-01, until: 2027-01-01}"


@dataclass(frozen=True)
class Period:
    """From `start` on and before `end`, in microseconds since the epoch, UTC; None is an open end."""

    start: int | None = None
    end: int | None = None

    def node(self, field: str) -> Node:
        """Say it of the field that holds the event's time; unknown where that is missing."""
        parts: list[Node] = []
        if self.start is not None:
            parts.append(_compared("greater_equals_timestamp", field, self.start))
        if self.end is not None:
            parts.append(_compared("less_timestamp", field, self.end))
        return both(*parts)

    def opens(self, node: Node) -> bool:
        """Say whether a condition starts with this period, of whatever field."""
        if not isinstance(node, Call) or node.overload != "logical_and":
            return False
        names = [one.name for one in walk(node.arguments[0]) if isinstance(one, Name)]
        return bool(names) and node.arguments[0] == self.node(names[0])


def both(first: Node, *others: Node) -> Node:
    """Join conditions by `&&`."""
    joined = first
    for other in others:
        joined = Call("logical_and", (joined, other), BOOL)
    return joined


def read_period(form: Form, path: Path, value: Any) -> Period | None:
    """Read `effective:`; None where it says nothing that can be used."""
    row = form.mapping(path, value, PERIOD_KEYS)
    if not row:
        if isinstance(value, dict):
            form.note(path, "'effective' is empty", _HINT)
        return None
    start, end = (form.moment((*path, key), row[key]) if key in row else None for key in PERIOD_KEYS)
    if start is not None and end is not None and start >= end:
        message = "'from' is not before 'until': the rule could never fire"
        form.note((*path, "until"), message, "'until' is the first moment that is out again")
        return None
    return Period(start, end) if start is not None or end is not None else None


def _compared(overload: str, field: str, moment: int) -> Node:
    return Call(overload, (Name(field, TIMESTAMP), Literal(TIMESTAMP, moment)), BOOL)
