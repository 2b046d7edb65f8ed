"""The fields of a record, given as a mapping, in; the variables of conditions, or all that is wrong, out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rules.errors import RulesError, nearest
from rules.expression import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP, Variable
from rules.form import shown
from rules.gather import RESERVED

FIELD_TYPES = (BOOL, INT, DOUBLE, STRING, TIMESTAMP)
KEYS = ("type", "nullable", "min", "max", "values")
# What other tools, and project.yaml, call the types of the rule language.
OTHER_NAMES = {
    **dict.fromkeys(("float", "float64", "number", "decimal"), "double"),
    **dict.fromkeys(("integer", "int64", "long"), "int"),
    **dict.fromkeys(("category", "text", "str", "enum"), "string"),
    **dict.fromkeys(("datetime", "date", "time"), "timestamp"),
    "boolean": "bool",
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_variables(fields: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Give the variables of `{"amount": "double", "country": {"type": "string", "values": ["FR"]}}`.

    Raises RulesError with every problem of every field.

    >>> read_variables({"amount": {"type": "double", "min": 0}})[0].minimum
    0
    """
    if not isinstance(fields, Mapping) or not fields:
        raise RulesError("fields: give the type of each field by its name, as {'amount': 'double'}")
    problems: list[str] = []
    variables = [_variable(name, written, problems) for name, written in fields.items()]
    if problems:
        raise RulesError("\n".join(problems))
    return tuple(variables)


def _variable(name: Any, written: Any, problems: list[str]) -> Variable:
    def note(message: str, hint: str = "") -> None:
        problems.append(f"fields.{name}: {message}" + (f"; {hint}" if hint else ""))

    if not isinstance(name, str) or not _NAME.fullmatch(name):
        note("not a name", "a name is made of letters, digits and _, and does not start with a digit")
    elif name in RESERVED:
        note("the rule language uses this name itself", "rename the field")
    body = {"type": written} if isinstance(written, str) else written
    if not isinstance(body, Mapping):
        note(f"expected a type, got {shown(written)}", "as 'double' or {'type': 'double', 'min': 0}")
        return Variable(str(name), STRING)
    for key in body:
        if key not in KEYS:
            note(f"unknown key {shown(key)}", nearest(str(key), KEYS))
    kind = body.get("type")
    if kind not in FIELD_TYPES:
        other = OTHER_NAMES.get(str(kind).lower())
        hint = f"did you mean '{other}'?" if other else nearest(str(kind), FIELD_TYPES)
        if kind == DURATION:
            hint = "a record holds no lengths of time: give two timestamps, or a number of seconds"
        note(f"unknown type {shown(kind)}", hint)
        return Variable(str(name), STRING)
    nullable = body.get("nullable", True)
    if not isinstance(nullable, bool):
        note(f"'nullable' must be true or false, got {shown(nullable)}")
    low, high = (_bound(body, key, kind, note) for key in ("min", "max"))
    if low is not None and high is not None and low > high:
        note(f"the minimum {low} is above the maximum {high}")
    return Variable(str(name), kind, bool(nullable), low, high, _values(body, kind, note))


def _bound(body: Mapping[str, Any], key: str, kind: str, note: Any) -> Any:
    bound = body.get(key)
    if bound is None:
        return None
    if kind not in (INT, DOUBLE):
        note(f"a {kind} has no '{key}': only int and double do")
    elif (
        isinstance(bound, bool)
        or not isinstance(bound, int if kind == INT else int | float)
        or bound != bound
    ):
        note(f"'{key}' must be {'a whole number' if kind == INT else 'a number'}, got {shown(bound)}")
    else:
        return bound
    return None


def _values(body: Mapping[str, Any], kind: str, note: Any) -> tuple[str, ...] | None:
    values = body.get("values")
    if values is None:
        return None
    if kind != STRING:
        note(f"a {kind} has no 'values': only string does")
    elif isinstance(values, str) or not all(isinstance(value, str) for value in values) or not list(values):
        note(f"'values' must be a list of texts, got {shown(values)}")
    else:
        return tuple(values)
    return None
