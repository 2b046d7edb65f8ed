"""Cells: what each form asks, as CEL; and what is refused, with its place and what to write instead."""

from __future__ import annotations

import pytest

from rules.cell_conditions import cell_text
from rules.cell_reader import read_cell
from rules.cells import CellError

ASKS = [
    ("-", "string", ""),
    ("", "double", ""),
    ("'gold'", "string", "x == 'gold'"),
    ("gold", "string", "x == 'gold'"),
    ("New York", "string", "x == 'New York'"),
    ("5411", "string", "x == '5411'"),
    ("true", "string", "x == 'true'"),
    ("'-'", "string", "x == '-'"),
    ("'null'", "string", "x == 'null'"),
    (r"'O\'Brien'", "string", r"x == 'O\'Brien'"),
    ('"O\'Brien"', "string", r"x == 'O\'Brien'"),
    ("null", "string", "x == null"),
    ("gold, 'silver'", "string", "x in ['gold', 'silver']"),
    ("gold, gold", "string", "x == 'gold'"),
    ("not(gold)", "string", "x != 'gold'"),
    ("not ( gold, silver )", "string", "!(x in ['gold', 'silver'])"),
    ("!= 'gold'", "string", "x != 'gold'"),
    ("in ['a', b]", "string", "x in ['a', 'b']"),
    ("in known", "string", "x in known"),
    ("not in known", "string", "!(x in known)"),
    ("> 5000", "double", "x > 5000"),
    (">=0.5", "double", "x >= 0.5"),
    ("-5", "double", "x == -5"),
    ("= 5", "int", "x == 5"),
    ("= a", "string", "x == 'a'"),
    ("'any', 'not a', 'a*'", "string", "x in ['any', 'not a', 'a*']"),
    ("nothing", "string", "x == 'nothing'"),
    ("1, 500", "int", "x in [1, 500]"),
    ("1,50", "int", "x in [1, 50]"),
    ("100,2000", "int", "x in [100, 2000]"),
    ("in [100,200]", "int", "x in [100, 200]"),
    ("[1..5]", "double", "x >= 1 && x <= 5"),
    ("(1..5)", "double", "x > 1 && x < 5"),
    ("(1..5)", "int", "x >= 2 && x <= 4"),
    ("[-1.5..2)", "int", "x >= -1 && x <= 1"),
    ("> 2.5", "int", "x > 2"),
    ("<= 2.5", "int", "x <= 2"),
    ("5.0", "int", "x == 5"),
    ("< 5, > 10, 7", "int", "(x == 7 || x < 5 || x > 10)"),
    ("not([1..5))", "double", "!(x >= 1 && x < 5)"),
    ("TRUE", "bool", "x == true"),
    (">= 2026-11-01", "timestamp", "x >= timestamp('2026-11-01T00:00:00.000000Z')"),
    ("timestamp('2026-11-01T12:00:00+01:00')", "timestamp", "x == timestamp('2026-11-01T11:00:00.000000Z')"),
]
REFUSED = [
    ("'gold", "string", 0, "the text in quotes does not end"),
    ("O'Brien", "string", 0, "text is needed"),
    ("a, ", "string", 2, "text is missing"),
    ("known", "string", 0, "'known' is the name of a list"),
    ("in nowhere", "string", 3, "unknown list 'nowhere'"),
    ("in", "string", 1, "'in' needs a list"),
    ("in odd", "string", 3, "a string is never in a list of int values"),
    ("> gold", "string", 2, "text is needed, got 'gold'"),
    ("not(gold", "string", 7, "')' is missing"),
    ("gold", "double", 0, "a number is needed, got 'gold'"),
    ("'5'", "double", 0, "a number is needed"),
    ("5%", "double", 0, "a number is needed, got '5%'"),
    ("1'000", "double", 0, "a number is needed"),
    ("007", "int", 0, "a whole number is needed"),
    ("2.5", "int", 0, "a whole number is never 2.5"),
    ("99999999999999999999", "int", 0, "beyond 64 bits"),
    ("1e999", "double", 0, "beyond a double"),
    ("[5..1]", "double", 0, "no value is in this interval"),
    ("(1..2)", "int", 0, "no whole number is in this interval"),
    ("[1..5", "double", 4, "the interval does not end"),
    ("[1, 5]", "double", 2, "'..' is missing"),
    ("> true", "bool", 0, "says nothing"),
    ("1", "bool", 0, "true or false is needed"),
    ("! 5", "double", 0, "'!' alone is no test"),
    ("5 6", "double", 0, "a number is needed"),
    ("2026-13-01", "timestamp", 0, "not a timestamp"),
    ("<= 1,000", "double", 3, "'1,000' would be several values"),
    ("2, 1,500", "int", 3, "'1,500' would be several values"),
    ("-1,500", "int", 0, "'-1,500' would be several values"),
    ("[1,000..5,000]", "double", 1, "'1,000' would be several values"),
    ("not a", "string", 0, "'not a' would be one text"),
    ("a*", "string", 0, "'a*' would be one text"),
    ("b, Any", "string", 3, "'Any' would be one text"),
    ("otherwise", "string", 0, "'otherwise' would be one text"),
    ("'\\q'", "string", 0, "unknown escape"),
    ("x" * 20_000, "string", 0, "at most 10,000 are read"),
]
LISTS = {"known": "string", "odd": "int"}


@pytest.mark.parametrize(("text", "kind", "asks"), ASKS)
def test_a_cell_asks(text: str, kind: str, asks: str) -> None:
    """Each form is this CEL."""
    assert cell_text(read_cell(text, kind, LISTS), "x", kind) == asks


@pytest.mark.parametrize(("text", "kind", "offset", "message"), REFUSED)
def test_a_cell_is_refused(text: str, kind: str, offset: int, message: str) -> None:
    """What cannot be meant is said, and where it stands."""
    with pytest.raises(CellError, match=r".") as caught:
        read_cell(text, kind, LISTS)
    assert message in caught.value.message
    assert caught.value.offset == offset


def test_a_value_that_the_input_never_has_is_refused() -> None:
    """With the nearest one that it has."""
    with pytest.raises(CellError) as caught:
        read_cell("glod", "string", {}, ("gold", "silver"))
    assert (caught.value.message, caught.value.hint) == (
        "the input is never 'glod'",
        "did you mean 'gold'?",
    )


def test_a_value_that_the_field_has_needs_no_quotes() -> None:
    """Whatever it looks like; one that it has not, and that other tables write for any value, is told so."""
    for text in ("any", "not yet known", "a*"):
        assert read_cell(text, "string", {}, (text, "b")).tests[0].low == text
    with pytest.raises(CellError) as caught:
        read_cell("other", "string", {}, ("gold", "silver"))
    assert caught.value.hint == "write - for any value"


@pytest.mark.parametrize(("text", "kind"), [("1,500", "int"), ("any", "string"), ("not a", "string")])
def test_a_bundle_keeps_the_cells_that_an_edit_is_refused(text: str, kind: str) -> None:
    """What was read once is read again as it was."""
    assert read_cell(text, kind, wary=False).tests
