"""The language against the CEL specification's own rows, as far as it goes, in all three evaluators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rules import columnar, reference, scalar
from rules.cel import Checker
from rules.checked import express
from rules.columns import ARROW_TYPES
from rules.errors import ExpressionProblems
from rules.expression import (
    NULL,
    TYPES,
    Call,
    CheckedExpression,
    ListLiteral,
    Literal,
    Name,
    Node,
    Variable,
    walk,
)
from rules.functions import TABLE
from rules.reference import UNKNOWN

ROWS = Path(__file__).parents[3].parent / "shared" / "conformance" / "cel.jsonl"
AT_LEAST = 270

pytestmark = pytest.mark.skipif(not ROWS.exists(), reason="the conformance rows are not here")


def plain(tagged: dict[str, Any]) -> Any:
    """Turn a tagged value into ours; KeyError for kinds that the language does not have yet."""
    read = {
        "null": lambda: None,
        "bool": lambda: tagged["v"],
        "string": lambda: tagged["v"],
        "int": lambda: int(tagged["v"]),
        "double": lambda: float(tagged["v"]),
        "timestamp": lambda: int(tagged["s"]) * 1_000_000 + int(tagged["n"]) // 1000,
        "duration": lambda: int(tagged["s"]) * 1_000_000 + int(int(tagged["n"]) / 1000),
    }
    return read[tagged["t"]]()


def supported() -> list[tuple[dict[str, Any], CheckedExpression, dict[str, Any], Any]]:
    """Give the rows that check, each with its expression, its variables' values and what is expected."""
    found = []
    for line in ROWS.read_text().splitlines():
        row = json.loads(line)
        types = {variable["name"]: variable["type"] or "" for variable in row["variables"]}
        types = {name: kind.removeprefix("wrapper(").removesuffix(")") for name, kind in types.items()}
        if any(row["flags"].values()) or not set(types.values()) <= set(TYPES):
            continue
        try:
            values = {one["name"]: plain(one["value"]) for one in row["variables"] if one["value"]}
            checker = Checker([Variable(name, kind) for name, kind in types.items()])
            expression = checker.check(row["expr"], TYPES)
            expected = plain(row["expected"]["value"]) if "value" in row["expected"] else None
        except (ExpressionProblems, KeyError):
            continue
        found.append((row, expression, values, expected))
    return found


def equal(left: Any, right: Any) -> bool:
    """Compare results; no value, an error and null are one here, and NaN equals NaN."""
    left, right = (None if value is UNKNOWN else value for value in (left, right))
    return type(left) is type(right) and (left == right or (left != left and right != right))


def everywhere(expression: CheckedExpression, values: dict[str, Any]) -> list[Any]:
    """Evaluate by record and by column, the column two rows long."""
    types = {node.name: node.type for node in walk(expression.node) if isinstance(node, Name)}
    names, arrays = ["row"], [pa.array([0, 1])]
    for name, kind in types.items():
        names.append(name)
        arrays.append(pa.array([values.get(name)] * 2, ARROW_TYPES[kind]))
    batch = pa.RecordBatch.from_arrays(arrays, names=names)
    column, valid = columnar.value(expression).evaluate(batch)
    listed = column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()
    both = [value if ok else None for value, ok in zip(listed, valid, strict=True)]
    return [scalar.compile_value(expression)(values), *both]


def test_supported_rows_pass() -> None:
    """Every row of the specification that checks gives what the specification says."""
    rows = supported()
    wrong = []
    for row, expression, values, expected in rows:
        results = everywhere(expression, values)
        if not all(equal(result, expected) for result in results):
            wrong.append((row["id"], row["expr"], expected, results))
    assert wrong == []
    assert len(rows) >= AT_LEAST


def test_rows_as_columns_agree_with_the_runtime() -> None:
    """With its literals made variables, each given or missing, a row gives what the runtime gives."""
    wrong = []
    lifted = 0
    for row, expression, values, _ in supported():
        constants: dict[str, Any] = {}
        general = express(row["expr"], _lift(expression.node, constants))
        lifted += len(constants) > 0
        for missing in (None, *constants):
            given = {**values, **constants, **({missing: None} if missing else {})}
            expected = reference.evaluate(general, given)
            if not all(equal(result, expected) for result in everywhere(general, given)):
                wrong.append((row["id"], row["expr"], given, expected, everywhere(general, given)))
    assert wrong == []
    assert lifted >= AT_LEAST / 2


def _lift(node: Node, constants: dict[str, Any]) -> Node:
    """Make variables of literals, except of patterns, which are literals by rule, and of null."""
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
