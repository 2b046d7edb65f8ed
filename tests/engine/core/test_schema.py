"""The schema: what is read and how, what is refused and why, and how a schema itself is refused."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError, RecordError
from engine.schema import Field, Schema
from rules.errors import CheckFailed
from rules.reader import read_yaml

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int", 39, 39),
        ("int", "39", 39),
        ("int", " 39 ", 39),
        ("int", 39.0, 39),
        ("int", "39.0", 39),
        ("int", "4e2", 400),
        ("int", Decimal("39.00"), 39),
        ("int", np.int8(39), 39),
        ("int", "", None),
        ("int", math.nan, None),
        ("float", 1, 1.0),
        ("float", "0.1", 0.1),
        ("float", np.float32(0.1), float(np.float32(0.1))),
        ("float", Decimal("0.1"), 0.1),
        ("float", 2**53, 2.0**53),
        ("float", "nan", None),
        ("float", Decimal("NaN"), None),
        ("bool", "true", True),
        ("bool", "FALSE", False),
        ("bool", 1, True),
        ("bool", 0.0, False),
        ("bool", np.True_, True),
        ("category", "DE", "DE"),
        ("category", "", ""),
        ("category", 5411, "5411"),
        ("category", 5411.0, "5411"),
        ("category", True, "true"),
        ("text", "Grüße", "Grüße"),
        ("timestamp", "2026-03-01T12:00:00Z", NOON),
        ("timestamp", "2026-03-01 12:00", NOON),
        ("timestamp", "2026-03-01T13:00:00+01:00", NOON),
        ("timestamp", "2026-03-01T13:00:00.000001+0100", NOON + 1),
        ("timestamp", datetime(2026, 3, 1, 12), NOON),  # noqa: DTZ001
        ("timestamp", date(2026, 3, 1), NOON - 12 * 3_600_000_000),
        ("timestamp", np.datetime64("2026-03-01T12:00:00", "ns"), NOON),
        ("timestamp", pd.Timestamp("2026-03-01T12:00:00", tz="Europe/Berlin"), NOON - 3_600_000_000),
        ("timestamp", pd.NaT, None),
        ("timestamp", " ", None),
    ],
)
def test_what_loses_nothing_is_read(kind: str, given: Any, expected: Any) -> None:
    """A value of another form is read where its meaning is plain; the result has the field's own type."""
    read = Schema((Field("x", kind, nullable=True),)).read({"x": given})["x"]
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        ("int", 39.5, "not a whole number"),
        ("int", "39.5", "not a whole number"),
        ("int", "0x1F", "not a whole number"),
        ("int", True, "true or false is no number"),
        ("int", 2**63, "beyond 64-bit"),
        ("int", "9" * 5_000, "beyond 64-bit"),
        ("int", Decimal("1e999999"), "beyond 64-bit"),
        ("int", Decimal("1e-999999"), "not a whole number"),
        ("int", math.inf, "not a finite number"),
        ("int", [1], "a list is no whole number"),
        ("float", 2**53 + 1, "cannot hold exactly"),
        ("float", 10**400, "cannot hold exactly"),
        ("float", "1e999", "not a finite number"),
        ("float", "inf", "not a number"),
        ("float", "1_000", "not a number"),
        ("float", "1,5", "not a number"),
        ("float", b"1.5", "a bytes is no number"),
        ("bool", "yes", "neither true nor false"),
        ("bool", 2, "neither true nor false"),
        ("category", 1.5, "not a whole number"),
        ("category", ["DE"], "a list is no text"),
        ("category", b"DE", "a bytes is no text"),
        ("text", "\ud800", "not valid Unicode"),
        ("timestamp", 1_772_366_400, "its unit is unknown"),
        ("timestamp", "2026-02-30", "day is out of range"),
        ("timestamp", "01/03/2026", "write it as 2026-03-01"),
        ("timestamp", "2026-03-01T12:00:00.0000001Z", "finer than a microsecond"),
        ("timestamp", pd.Timestamp(1, unit="ns"), "finer than a microsecond"),
        ("timestamp", "0001-01-01T00:00:00+05:00", "outside the years 1 to 9999"),
        ("timestamp", {}, "a dict is no timestamp"),
    ],
)
def test_what_would_lose_something_is_refused(kind: str, given: Any, why: str) -> None:
    """A value whose meaning would be changed, or guessed, is refused with the reason and as it was given."""
    with pytest.raises(RecordError, match=why) as caught:
        Schema((Field("x", kind, nullable=True),)).read({"x": given})
    (problem,) = caught.value.problems
    assert problem.field == "x"
    assert len(problem.got) <= 60


def test_every_problem_of_a_record_is_listed() -> None:
    """One reading lists all fields that are wrong, in the schema's order, and no other."""
    schema = Schema(
        (
            Field("a", "int", max=3),
            Field("b", "float"),
            Field("c", "category", values=("x", "y")),
            Field("d", "bool"),
        )
    )
    with pytest.raises(RecordError) as caught:
        schema.read({"a": 4, "c": "z", "d": True})
    assert str(caught.value) == (
        "a: above the maximum 3 (got 4)\n"
        "b: missing, and the field is not nullable\n"
        "c: not one of the allowed values (x, y) (got 'z')"
    )


def test_a_default_stands_in_for_what_is_missing() -> None:
    """Missing, blank and NaN all take the default; a value that is there does not."""
    schema = Schema((Field("x", "float", default=1.5),))
    assert [schema.read(record)["x"] for record in ({}, {"x": None}, {"x": " "}, {"x": math.nan})] == [
        1.5
    ] * 4
    assert schema.read({"x": 0.0}) == {"x": 0.0}


def test_other_keys_are_left_out() -> None:
    """A record may hold more than the schema asks for."""
    assert Schema((Field("x", "int"),)).read({"x": 1, "y": object()}) == {"x": 1}


@pytest.mark.parametrize("given", [None, [], "x", 7])
def test_a_record_is_a_mapping(given: Any) -> None:
    """Anything but a mapping is refused by its kind."""
    with pytest.raises(InputError, match="a record is a mapping"):
        Schema((Field("x", "int"),)).read(given)


def test_a_schema_comes_back_from_json() -> None:
    """schema.json holds all that a schema says."""
    schema = Schema(
        (
            Field("a", "int", nullable=True, min=-1, max=9),
            Field("b", "category", values=("x", "y"), default="x"),
            Field("c", "timestamp"),
        )
    )
    assert Schema.from_json(schema.to_json()) == schema


def test_fields_are_slots_and_variables() -> None:
    """One schema gives the rules their types and the embedding its slots; a default ends nullability."""
    schema = Schema((Field("a", "int", nullable=True, default=1), Field("b", "text", nullable=True)))
    assert [(v.name, v.type, v.nullable) for v in schema.variables()] == [
        ("a", "int", False),
        ("b", "string", True),
    ]
    assert [(slot.name, slot.kind) for slot in schema.slots()] == [("a", "number"), ("b", "text")]


NAMES = "a name is made of letters, digits and _, and does not start with a digit"
FIELDS = b"""\
fields:
  good: {type: int}
  9lives: {type: int}
  scores: {type: float}
  a: {type: integer}
  b: {nullable: true}
  c: {type: float, nulable: true}
  d: {type: int, min: 5, max: 3}
  e: {type: text, min: 1}
  f: {type: bool, values: [true]}
  g: {type: category, values: [x, y, x]}
  h: {type: int, max: 3, default: 4}
  i: int
  j: {type: timestamp, default: "2026-01-01"}
  k: {type: float, min: "1"}
  l: {type: category, nullable: maybe}
"""


def test_every_mistake_in_the_fields_has_its_place() -> None:
    """All problems of `fields:` come at once, each with line and column."""
    document = read_yaml(FIELDS, "project.yaml")
    with pytest.raises(CheckFailed) as caught:
        Schema.from_mapping(document.root["fields"], document)
    told = [
        f"{problem.line}:{problem.column} {problem.message}; {problem.hint}"
        for problem in caught.value.problems
    ]
    assert told == [
        f"3:3 '9lives' cannot be a field's name; {NAMES}",
        "4:3 'scores' cannot be a field's name: the rule language uses it; ",
        "5:13 unknown type 'integer'; did you mean 'int'?",
        "6:6 the type is missing; known: int, float, bool, category, text, timestamp",
        "7:20 unknown key 'nulable'; did you mean 'nullable'?",
        "8:23 the minimum 5 is above the maximum 3; ",
        "9:19 a text field has no 'min': only int and float fields do; ",
        "10:19 a bool field has no 'values': only int, category and text fields do; ",
        "11:38 'x' is listed twice; ",
        "12:35 the default 4 is above the maximum 3; ",
        "13:6 expected a description of the field, got 'int'; write {type: int}",
        "14:24 a timestamp field has no default: a moment made up would decide; ",
        "15:25 expected a number, got '1'; ",
        "16:33 expected true or false, got 'maybe'; ",
    ]


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        ["x"],
        [{"type": "int"}],
        [{"name": "x", "type": "int"}, {"name": "x", "type": "int"}],
        [{"name": "x", "type": "int", "min": "1"}],
        [{"name": "x", "type": "int", "min": 10**30}],
        [{"name": 7, "type": "int"}],
        [{"name": "x"}] * 6_000,
    ],
)
def test_a_hostile_schema_json_is_refused(data: Any) -> None:
    """Whatever stands in a schema.json, a schema or an InputError comes out."""
    with pytest.raises(InputError):
        Schema.from_json(data)
