"""Values as tests give them in, as the rule language holds them out, or why a record could not hold one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rules.errors import Problem, nearest
from rules.expression import Variable
from rules.files import Case
from rules.form import shown
from rules.reader import Document

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "double": "a number",
    "string": "text",
    "timestamp": "a time as '2026-11-01T12:00:00Z'",
}


def given_values(
    case: Case, stage: str, document: Document, variables: Mapping[str, Variable]
) -> tuple[dict[str, Any], list[Problem]]:
    """Type what a test gives to a rule, or a table, of this stage."""
    problems = []
    values = {}
    for name, (value, path) in case.given.items():
        variable = variables.get(name)
        if variable is None:
            problems.append(document.problem(path, *_unknown_field(name, stage, variables), key=True))
        elif message := refused(value, variable):
            problems.append(document.problem(path, message))
        else:
            values[name] = typed(value, variable.type)
    return values, problems


def check_value(value: Any, variable: Variable) -> tuple[Any, str]:
    """Give a value as the rule language holds it, or None and why a record could not hold it here."""
    message = refused(value, variable)
    return (None, message) if message else (typed(value, variable.type), "")


def refused(value: Any, variable: Variable) -> str:
    """Say why a record could not hold this value in this field, or nothing."""
    if value is None:
        return ""
    name = variable.name
    try:
        held = typed(value, variable.type)
    except (TypeError, ValueError, OverflowError):
        return f"'{name}' must be {_WANTED[variable.type]}, got {shown(value)}"
    if variable.values is not None and held not in variable.values:
        return f"'{name}' cannot be {shown(value)}: {nearest(str(value), variable.values)}"
    if variable.minimum is not None and held < variable.minimum:
        return f"'{name}' is at least {variable.minimum}, got {shown(value)}"
    if variable.maximum is not None and held > variable.maximum:
        return f"'{name}' is at most {variable.maximum}, got {shown(value)}"
    return ""


def typed(value: Any, kind: str) -> Any:
    """Give the value as the rule language holds it: a timestamp is int microseconds since the epoch."""
    if value is None:
        return None
    if kind == "timestamp":
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return (moment - _EPOCH) // _MICROSECOND
    if kind == "double" and type(value) in (int, float):
        return float(value)
    if type(value) is not {"bool": bool, "int": int, "string": str}.get(kind):
        raise TypeError(kind)
    return value


def _unknown_field(name: str, stage: str, variables: Mapping[str, Variable]) -> tuple[str, str]:
    if stage == "before" and name.split(".")[0] in ("scores", "proposed"):
        return (
            f"a rule of stage 'before' is not given '{name}': the model has not run yet",
            "use stage: after",
        )
    return f"unknown field '{name}'", nearest(name, variables)
