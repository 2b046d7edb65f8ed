"""The schema: which fields a record has, and how a record as given is read into normal form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.errors import FieldProblem, InputError, RecordError, shown
from engine.values import (
    EPOCH,
    FLOAT_MAX,
    INT_MAX,
    INT_MIN,
    MICROSECOND,
    TIME_MAX,
    TIME_MIN,
    Refused,
    read_value,
    time_of_text,
)

if TYPE_CHECKING:
    from embeddings.spec import Slot
    from rules.expression import Variable
    from rules.reader import Document

TYPES = ("int", "float", "bool", "category", "text", "timestamp")
KEYS = ("type", "nullable", "min", "max", "values", "default")
RULE_TYPES = dict(zip(TYPES, ("int", "double", "bool", "string", "string", "timestamp"), strict=True))
SLOT_KINDS = dict(zip(TYPES, ("number", "number", "flag", "category", "text", "timestamp"), strict=True))
TEXT_TYPES = ("category", "text")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the rule language keeps for itself: its own words, and what it calls the things beside the record.
RESERVED = frozenset(
    {
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
    }
    | {"let", "loop", "package", "namespace", "return", "var", "void", "while"}
    | {"scores", "proposed", "outcome", "label"}
)
VALUES_SHOWN = 8

Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """One field: its type, whether it may be missing, the values it takes, its stand-in when missing."""

    name: str
    type: str
    nullable: bool = False
    min: int | float | None = None
    max: int | float | None = None
    values: tuple[Any, ...] | None = None
    default: Any = None

    def read(self, value: Any) -> Any:
        """Read one value into normal form; raises `values.Refused` with the reason."""
        normal = read_value(self.type, value)
        if normal is None:
            normal = self.default
        if normal is None:
            if self.nullable:
                return None
            raise Refused("missing, and the field is not nullable")
        if self.min is not None and normal < self.min:
            raise Refused(f"below the minimum {self.min}")
        if self.max is not None and normal > self.max:
            raise Refused(f"above the maximum {self.max}")
        if self.values is not None and normal not in self.values:
            known = ", ".join(map(str, self.values[:VALUES_SHOWN])) + (
                ", …" * (len(self.values) > VALUES_SHOWN)
            )
            raise Refused(f"not one of the allowed values ({known})")
        return normal

    def problem(self, value: Any, refused: Refused) -> FieldProblem:
        """Say what is wrong with `value` here."""
        return FieldProblem(self.name, str(refused), "" if value is None else shown(value))

    def to_json(self) -> dict[str, Any]:
        """Give the field as schema.json holds it: only what was set."""
        data: dict[str, Any] = {"name": self.name, "type": self.type, "nullable": self.nullable}
        data |= {
            key: getattr(self, key) for key in ("min", "max", "default") if getattr(self, key) is not None
        }
        return data | ({"values": list(self.values)} if self.values is not None else {})


class Schema:
    """The fields of a record, in order.

    >>> schema = Schema((Field("age", "int", max=120), Field("job", "category", nullable=True)))
    >>> schema.read({"age": "39"})
    {'age': 39, 'job': None}
    """

    __slots__ = ("_readers", "by_name", "fields")

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(fields)
        self.by_name: Mapping[str, Field] = {field.name: field for field in self.fields}
        if not self.fields or len(self.by_name) < len(self.fields):
            raise InputError("a schema needs fields, each with a name of its own")
        self._readers = tuple((field.name, quick_reader(field)) for field in self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        return f"Schema({self.fields!r})"

    @classmethod
    def from_mapping(
        cls,
        data: Mapping[str, Any],
        document: Document | None = None,
        at: tuple[str | int, ...] = ("fields",),
    ) -> Schema:
        """Read the `fields:` of a project file.

        Raises `rules.errors.CheckFailed` with every problem at its place in `document`.
        """
        from engine.fields import read_fields

        return cls(read_fields(data, document, at))

    @classmethod
    def from_json(cls, data: Any) -> Schema:
        """Read the fields of a schema.json, whoever wrote it. Raises InputError with every problem."""
        from engine.fields import restore_fields

        return cls(restore_fields(data))

    def to_json(self) -> list[dict[str, Any]]:
        """Give the fields as schema.json holds them."""
        return [field.to_json() for field in self.fields]

    def read(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Read a record: every field of the schema, in normal form; other keys are left out.

        Raises RecordError with every problem of every field.
        """
        try:
            get = record.get
            return {name: read(get(name)) for name, read in self._readers}
        except (ValueError, TypeError, AttributeError, ArithmeticError):
            pass  # the long way tells every problem
        return self._read_all(record)

    def _read_all(self, record: Mapping[str, Any]) -> dict[str, Any]:
        if not isinstance(record, Mapping):
            raise InputError(f"a record is a mapping of field names to values, not a {type(record).__name__}")
        normal: dict[str, Any] = {}
        problems: list[FieldProblem] = []
        for field in self.fields:
            value = record.get(field.name)
            try:
                normal[field.name] = field.read(value)
            except Refused as refused:
                problems.append(field.problem(value, refused))
        if problems:
            raise RecordError(problems)
        return normal

    def variables(self) -> list[Variable]:
        """Give the fields as the rule language sees them."""
        from rules.expression import Variable

        return [
            Variable(
                name=field.name,
                type=RULE_TYPES[field.type],
                nullable=field.nullable and field.default is None,
                minimum=field.min,
                maximum=field.max,
                values=field.values if field.type in TEXT_TYPES else None,
            )
            for field in self.fields
        ]

    def slots(self) -> list[Slot]:
        """Give the fields as the embedding sees them."""
        from embeddings.spec import Slot

        return [Slot(field.name, SLOT_KINDS[field.type]) for field in self.fields]


def quick_reader(field: Field) -> Reader:
    """Make the reader for decide(): a clean value costs one type test; others take the long way."""
    return _QUICK[field.type](field, field.read)


def _quick_int(field: Field, slow: Reader) -> Reader:
    low, high = _bounds(field, INT_MIN, INT_MAX)
    if field.values is not None:
        return slow
    return lambda value: value if type(value) is int and low <= value <= high else slow(value)


def _quick_float(field: Field, slow: Reader) -> Reader:
    low, high = _bounds(field, -FLOAT_MAX, FLOAT_MAX)
    # NaN and the infinities fail the comparison, and so go the long way.
    return lambda value: value if type(value) is float and low <= value <= high else slow(value)


def _quick_bool(field: Field, slow: Reader) -> Reader:
    return lambda value: value if value is True or value is False else slow(value)


def _quick_text(field: Field, slow: Reader) -> Reader:
    if field.values is not None:
        allowed = frozenset(field.values)
        return lambda value: value if type(value) is str and value in allowed else slow(value)
    return lambda value: value if type(value) is str and value.isascii() else slow(value)


def _quick_time(field: Field, slow: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is datetime and value.tzinfo is not None:
            moment = (value - EPOCH) // MICROSECOND
            return moment if TIME_MIN <= moment <= TIME_MAX else slow(value)
        if type(value) is str and value:
            found = time_of_text(value)
            return slow(value) if found is None else found
        return slow(value)

    return read


def _bounds(field: Field, low: Any, high: Any) -> tuple[Any, Any]:
    return (low if field.min is None else field.min, high if field.max is None else field.max)


_QUICK: dict[str, Callable[[Field, Reader], Reader]] = {
    "int": _quick_int,
    "float": _quick_float,
    "bool": _quick_bool,
    "category": _quick_text,
    "text": _quick_text,
    "timestamp": _quick_time,
}
