"""The language against the CEL specification's own rows: all pass but those that the docs list."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from rules import reference
from rules.checked import express
from rules.expression import NULL, Call, ListLiteral, Literal, Name, Node
from rules.functions import TABLE
from rules.reference import UNKNOWN
from tests.rules.language.conformance import PAGE, ROWS, Outcome, equal, everywhere, outcome, page, rows

pytestmark = pytest.mark.skipif(not ROWS.exists(), reason="the conformance rows are not here")


@cache
def outcomes() -> list[Outcome]:
    """Try every row once."""
    return [outcome(row) for row in rows()]


def test_the_page_lists_what_does_not_pass() -> None:
    """A listed row that passes, or another that does not, makes the page untrue: write it anew and look."""
    assert PAGE.read_text("utf-8") == page(outcomes())


def test_rows_as_columns_agree_with_the_runtime() -> None:
    """With its literals made variables, each given or missing, a row gives what the runtime gives."""
    wrong = []
    for one in outcomes():
        if one.expression is None:
            continue
        constants: dict[str, Any] = {}
        general = express(one.row["expr"], _lift(one.expression.node, constants))
        for missing in (None, *constants):
            given = {**constants, **({missing: None} if missing else {})}
            expected = reference.evaluate(general, given)
            results = everywhere(general, given)
            if not all(equal(result, None if expected is UNKNOWN else expected) for result in results):
                wrong.append((one.row["id"], one.row["expr"], given, expected, results))
    assert wrong == []


def _lift(node: Node, constants: dict[str, Any]) -> Node:
    """Make variables of literals, except of what the table wants written out, and of null."""
    if isinstance(node, Literal) and node.type != NULL:
        name = f"c{len(constants)}"
        constants[name] = node.value
        return Name(name, node.type)
    if isinstance(node, Call):
        row = TABLE[node.overload]
        fixed = row.name == "matches" or getattr(row, "zoned", False)
        kept = 1 if fixed else len(node.arguments)
        lifted = tuple(_lift(child, constants) for child in node.arguments[:kept])
        return Call(node.overload, lifted + node.arguments[kept:], node.type)
    if isinstance(node, ListLiteral):
        return ListLiteral(tuple(_lift(child, constants) for child in node.elements))
    return node
