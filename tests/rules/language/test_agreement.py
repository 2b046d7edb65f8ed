"""The three evaluators agree: on expressions drawn from the operator table, and on data made to trip them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules import reference
from rules.expression import BOOL, STRING, TIMESTAMP, TYPES
from rules.functions import ROWS
from tests.rules.language.agreement import (
    LIST_VALUES,
    NAMES,
    PART_TYPES,
    PARTS,
    PATTERNS,
    RECORDS,
    WHOLE_RECORDS,
    ZONES,
    agree,
    checked,
    conditions_agree,
    expressions,
    literal,
    quantified,
    written,
)

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", TYPES)
@given(data=st.data())
@SETTINGS
def test_evaluators_agree(kind: str, data: st.DataObject) -> None:
    """Any expression of the table gives one result: reference, generated Python and columns."""
    agree(data.draw(expressions(kind)), kind, data.draw(st.one_of(RECORDS, WHOLE_RECORDS)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.overload)
@given(data=st.data())
@settings(SETTINGS, max_examples=5)
def test_every_row_agrees(row: Any, data: st.DataObject) -> None:
    """Every row of the table is right on its own, on plain variables and literals."""
    if row.name == "matches":
        arguments = [data.draw(expressions(STRING, 0)), f"r'{data.draw(st.sampled_from(PATTERNS))}'"]
    elif row.zoned:
        arguments = [data.draw(expressions(TIMESTAMP, 0)), f"'{data.draw(st.sampled_from(ZONES))}'"]
    else:
        arguments = [data.draw(expressions(argument, 0)) for argument in row.arguments]
        if row.name == "replace":
            arguments[2] = data.draw(literal(STRING))
    agree(written(row.name, row.member, arguments), row.result, data.draw(st.one_of(RECORDS, WHOLE_RECORDS)))


@given(texts=st.lists(expressions(BOOL), min_size=2, max_size=8), records=st.one_of(RECORDS, WHOLE_RECORDS))
@settings(SETTINGS, max_examples=15)
def test_many_conditions_agree(texts: list[str], records: list[dict[str, Any]]) -> None:
    """Conditions compiled together, sharing sub-expressions, give what each gives alone."""
    conditions = [checked(text, BOOL) for text in texts * 2]
    expected = [[reference.evaluate(one, record, LIST_VALUES) for record in records] for one in conditions]
    conditions_agree(conditions, expected, records)


@given(data=st.data())
@settings(SETTINGS, max_examples=20)
def test_quantifiers_agree(data: st.DataObject) -> None:
    """all and exists, over declared lists and written ones, within one another too."""
    agree(data.draw(quantified(2)), BOOL, data.draw(RECORDS))


@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in PARTS.items() for part in parts])
@given(data=st.data())
@settings(SETTINGS, max_examples=4)
def test_what_the_runtime_evaluates_agrees(kind: str, part: str, data: st.DataObject) -> None:
    """A part that goes row by row gives, within an expression, what the whole gives in the runtime."""
    text = part.format(**{name: data.draw(st.sampled_from(NAMES[one])) for name, one in PART_TYPES.items()})
    assert checked(text, kind).row_by_row
    agree(text, kind, data.draw(RECORDS))
