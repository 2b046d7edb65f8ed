"""Fields as written in project.yaml or schema.json, checked into `Field`s with every problem at its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import InputError, shown
from engine.schema import KEYS, NAME, RESERVED, TEXT_TYPES, TYPES, Field
from engine.values import Refused, read_value
from rules.errors import CheckFailed, Problem, nearest

if TYPE_CHECKING:
    from rules.reader import Document

MOST_FIELDS = 5_000
OTHER_NAMES = {
    "integer": "int",
    "long": "int",
    "double": "float",
    "number": "float",
    "boolean": "bool",
    "string": "category",
    "str": "category",
    "enum": "category",
    "datetime": "timestamp",
    "date": "timestamp",
    "time": "timestamp",
}
Report = Callable[..., None]  # (path, message, hint="", key=False)


def read_fields(data: Any, document: Document | None, at: tuple[str | int, ...]) -> tuple[Field, ...]:
    """Read field names with their descriptions. Raises CheckFailed with every problem, in file order."""
    problems: list[Problem] = []

    def report(path: tuple[str | int, ...], message: str, hint: str = "", *, key: bool = False) -> None:
        if document is not None:
            problems.append(document.problem((*at, *path), message, hint, key=key))
        else:
            problems.append(Problem(".".join(map(str, (*at, *path))), 1, 1, message, hint))

    fields = _read_fields(data, report)
    if problems:
        raise CheckFailed(problems)
    return fields


def restore_fields(data: Any) -> tuple[Field, ...]:
    """Read the list of fields in a schema.json. Raises InputError with every problem."""
    named_items = isinstance(data, list) and all(
        isinstance(item, Mapping) and isinstance(item.get("name"), str) for item in data
    )
    if not named_items:
        raise InputError("fields: expected a list of fields, each with its name")
    problems: list[str] = []

    def report(path: tuple[str | int, ...], message: str, hint: str = "", *, key: bool = False) -> None:
        problems.append(": ".join(filter(None, (".".join(map(str, ("fields", *path))), message, hint))))

    named = {item.get("name"): {key: value for key, value in item.items() if key != "name"} for item in data}
    if len(named) < len(data):
        raise InputError("fields: two fields of one name")
    fields = _read_fields(named, report)
    if problems:
        raise InputError("\n".join(problems))
    return fields


def _read_fields(data: Any, report: Report) -> tuple[Field, ...]:
    if not isinstance(data, Mapping) or not data:
        report((), "expected fields: a name and {type: …} for each")
        return ()
    if len(data) > MOST_FIELDS:
        report((), f"{len(data)} fields are more than {MOST_FIELDS}")
        return ()
    fields = []
    for name, body in data.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            hint = "a name is made of letters, digits and _, and does not start with a digit"
            report((name,), f"{shown(name)} cannot be a field's name", hint, key=True)
        elif name in RESERVED:
            report((name,), f"'{name}' cannot be a field's name: the rule language uses it", key=True)
        elif not isinstance(body, Mapping):
            report((name,), f"expected a description of the field, got {shown(body)}", "write {type: int}")
        else:
            fields.append(_read_field(name, body, report))
    return tuple(field for field in fields if field is not None)


def _read_field(name: str, body: Mapping[str, Any], report: Report) -> Field | None:
    for key in body:
        if key not in KEYS:
            report((name, key), f"unknown key {shown(key)}", nearest(str(key), KEYS), key=True)
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        place: tuple[str | int, ...] = (name, "type") if "type" in body else (name,)
        message = f"unknown type {shown(kind)}" if "type" in body else "the type is missing"
        report(place, message, _type_hint(kind))
        return None
    nullable = body.get("nullable", False)
    if not isinstance(nullable, bool):
        report((name, "nullable"), f"expected true or false, got {shown(nullable)}")
        nullable = False
    low, high = (_read_bound(name, kind, key, body, report) for key in ("min", "max"))
    if low is not None and high is not None and low > high:
        report((name, "min"), f"the minimum {low} is above the maximum {high}")
    field = Field(name, kind, nullable, low, high, _read_values(name, kind, body, report))
    return _with_default(field, body, report)


def _type_hint(kind: Any) -> str:
    """Give the type that was probably meant, by the names that other tools have for it."""
    if isinstance(kind, str) and kind.lower() in OTHER_NAMES:
        return f"did you mean '{OTHER_NAMES[kind.lower()]}'?"
    return nearest(kind, TYPES) if isinstance(kind, str) else f"known: {', '.join(TYPES)}"


def _read_bound(name: str, kind: str, key: str, body: Mapping[str, Any], report: Report) -> Any:
    bound = body.get(key)
    if bound is None:
        return None
    if kind not in ("int", "float"):
        report((name, key), f"a {kind} field has no '{key}': only int and float fields do", key=True)
        return None
    if isinstance(bound, str):
        report((name, key), f"expected a number, got {shown(bound)}")
        return None
    return _read_constant((name, key), kind, bound, report)


def _read_values(name: str, kind: str, body: Mapping[str, Any], report: Report) -> tuple[Any, ...] | None:
    values = body.get("values")
    if values is None:
        return None
    if kind not in ("int", *TEXT_TYPES):
        report(
            (name, "values"),
            f"a {kind} field has no 'values': only int, category and text fields do",
            key=True,
        )
        return None
    if not isinstance(values, list) or not values:
        report((name, "values"), f"expected a list of allowed values, got {shown(values)}")
        return None
    read = [
        _read_constant((name, "values", index), kind, value, report) for index, value in enumerate(values)
    ]
    for index, value in enumerate(read):
        if value is not None and value in read[:index]:
            report((name, "values", index), f"{shown(value)} is listed twice")
    return tuple(read)


def _with_default(field: Field, body: Mapping[str, Any], report: Report) -> Field:
    given = body.get("default")
    if given is None:
        return field
    if field.type == "timestamp":
        report(
            (field.name, "default"),
            "a timestamp field has no default: a moment made up would decide",
            key=True,
        )
        return field
    try:
        return replace(field, default=field.read(given))
    except Refused as refused:
        report((field.name, "default"), f"the default {shown(given)} is {refused}")
        return field


def _read_constant(path: tuple[str | int, ...], kind: str, value: Any, report: Report) -> Any:
    try:
        read = read_value(kind, value)
        if read is None:
            raise Refused("missing")
    except Refused as refused:
        report(path, f"{shown(value)} is no value of type {kind}: {refused}")
        return None
    return read
