"""The CEL specification's own rows through all three evaluators, and the page that says which do not pass.

`python -m tests.rules.language.conformance` writes docs/conformance.md anew. The rows stand beside the
repository, in ../shared/conformance.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from rules import columnar, reference, scalar
from rules.cel import Checker
from rules.columns import ARROW_TYPES
from rules.errors import ExpressionProblems
from rules.expression import BOOL, DURATION, TIMESTAMP, TYPES, CheckedExpression, Name, Variable, walk
from rules.reference import UNKNOWN

ROOT = Path(__file__).parents[3]
ROWS = ROOT.parent / "shared" / "conformance" / "cel.jsonl"
PAGE = ROOT / "docs" / "conformance.md"

NATIVE, MIXED, REFUSED = "generated code and columns", "with a part in the CEL runtime", "refused at check"


@dataclass(frozen=True)
class Outcome:
    """What became of one row: how it passed, or why it does not."""

    row: dict[str, Any]
    how: str = ""
    gap: str = ""
    expression: CheckedExpression | None = None


def rows() -> Iterator[dict[str, Any]]:
    """Give the rows."""
    for line in ROWS.read_text("utf-8").splitlines():
        yield json.loads(line)


def outcome(row: dict[str, Any]) -> Outcome:
    """Check and evaluate one row."""
    text, variables, values = _inlined(row)
    checker = Checker(variables)
    expected = row["expected"]
    try:
        expression = checker.check(text, TYPES)
    except ExpressionProblems as problems:
        if "error" in expected:
            return Outcome(row, REFUSED)
        return _compared(row, text, checker, values, str(problems.problems[0].message))
    if "error" in expected:
        passed = all(result is None for result in everywhere(expression, values))
        return _settled(row, expression, passed)
    if "value" not in expected:
        return Outcome(row, gap=_reason(row, "nothing is evaluated"))
    wanted = expected["value"]
    exact = wanted["t"] not in (TIMESTAMP, DURATION) or wanted["n"] % 1000 == 0
    if wanted["t"] == expression.type and exact:
        want = plain(wanted)
        return _settled(row, expression, all(equal(want, got) for got in everywhere(expression, values)))
    return _compared(row, text, checker, values, f"gives a {expression.type}")


def _compared(row: dict[str, Any], text: str, checker: Checker, values: dict[str, Any], why: str) -> Outcome:
    """Compare a row whose result no condition can give with what is expected of it, written out."""
    wanted = row["expected"].get("value")
    if wanted is None:
        return Outcome(row, gap=_reason(row, why))
    written = f"({text}) == {literal(wanted)}"
    if wanted["t"] == "double" and wanted["v"] == "NaN":
        written = f"math.isNaN(double({text}))"
    try:
        expression = checker.check(written, BOOL)
    except ExpressionProblems as problems:
        return Outcome(row, gap=_reason(row, str(problems.problems[0].message)))
    return _settled(row, expression, all(got is True for got in everywhere(expression, values)))


def _settled(row: dict[str, Any], expression: CheckedExpression, passed: bool) -> Outcome:
    if not passed:
        return Outcome(row, gap=_reason(row, "gives something else"))
    return Outcome(row, MIXED if expression.row_by_row else NATIVE, expression=expression)


def everywhere(expression: CheckedExpression, values: dict[str, Any]) -> list[Any]:
    """Evaluate by the reference, by record, and by a column of two rows; None where there is no value."""
    types = {node.name: node.type for node in walk(expression.node) if isinstance(node, Name)}
    names, arrays = ["row"], [pa.array([0, 1])]
    for name, kind in types.items():
        names.append(name)
        arrays.append(pa.array([values.get(name)] * 2, ARROW_TYPES[kind]))
    column, valid = columnar.value(expression).evaluate(pa.RecordBatch.from_arrays(arrays, names=names))
    listed = column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()
    both = [value if ok else None for value, ok in zip(listed, valid, strict=True)]
    judged = reference.evaluate(expression, values)
    return [None if judged is UNKNOWN else judged, scalar.compile_value(expression)(values), *both]


def equal(left: Any, right: Any) -> bool:
    """Compare results: NaN equals NaN."""
    return type(left) is type(right) and (left == right or (left != left and right != right))


def plain(tagged: dict[str, Any]) -> Any:
    """Turn a tagged value of a type of ours into a value."""
    kind, value = tagged["t"], tagged.get("v")
    if kind in (TIMESTAMP, DURATION):
        return int(tagged["s"]) * 1_000_000 + int(int(tagged["n"]) / 1000)
    return {"int": int, "double": float}.get(kind, lambda one: one)(value)


def literal(tagged: dict[str, Any]) -> str:
    """Write a tagged value as CEL."""
    kind, value = tagged["t"], tagged.get("v")
    match kind:
        case "null":
            return "null"
        case "bool" | "int":
            return str(value).lower()
        case "uint":
            return f"{value}u"
        case "double":
            special = {"NaN": "(0.0 / 0.0)", "Infinity": "(1.0 / 0.0)", "-Infinity": "(-1.0 / 0.0)"}
            written = value if re.search(r"[.]", value) else value.replace("e", ".0e")
            return special.get(value, written)
        case "string":
            return "'" + "".join(f"\\U{ord(character):08x}" for character in value) + "'"
        case "bytes":
            return "b'" + "".join(f"\\x{byte:02x}" for byte in base64.b64decode(value)) + "'"
        case "timestamp" | "duration":
            return f"{kind}('{value}')"
        case "list":
            return f"[{', '.join(map(literal, value))}]"
        case "map":
            return "{" + ", ".join(f"{literal(key)}: {literal(one)}" for key, one in value) + "}"
    return str(value)


def _inlined(row: dict[str, Any]) -> tuple[str, list[Variable], dict[str, Any]]:
    """Declare variables of our types; put others in written out: a flat record has no such field."""
    text, variables, values = row["expr"], [], {}
    for one in row["variables"]:
        kind = (one["type"] or "").removeprefix("wrapper(").removesuffix(")")
        kind = {"google.protobuf.Timestamp": TIMESTAMP, "google.protobuf.Duration": DURATION}.get(kind, kind)
        tagged = one["value"]
        if kind in TYPES and (tagged is None or tagged["t"] in (kind, "null")):
            variables.append(Variable(one["name"], kind, nullable="wrapper" in (one["type"] or "")))
            if tagged:
                values[one["name"]] = plain(tagged)
        elif tagged:
            written = f"dyn({literal(tagged)})" if kind in ("dyn", "") else f"({literal(tagged)})"
            text = re.sub(rf"(?<![\w.'\"]){re.escape(one['name'])}\b", lambda _, w=written: w, text)
    return text, variables, values


_BY_MESSAGE = (
    (
        "a character that no text may hold",
        "a NUL in the expression's own text: the CEL library stops reading there",
    ),
    ("is no type of the rule language", "protobuf messages as values"),
    ("never equal to", "refused as a slip: a value is looked for among others that it can never equal"),
    ("not a timestamp to the microsecond", "moments written in a way that rules refuse as a slip"),
)


def _reason(row: dict[str, Any], why: str) -> str:
    flags = row["flags"]
    if flags.get("check_only"):
        return "type deduction alone: nothing is evaluated"
    if flags.get("container"):
        return "names resolved in a container: rules have none"
    for said, reason in _BY_MESSAGE:
        if said in why:
            return reason
    if flags.get("disable_check"):
        return "evaluated without a type check, which rules always have"
    return _generic(why)


def _generic(why: str) -> str:
    return re.sub(r"'[^']*'", "…", why)


def page(outcomes: list[Outcome]) -> str:
    """Write docs/conformance.md."""
    how = Counter(one.how for one in outcomes if one.how)
    gaps: dict[str, list[str]] = {}
    for one in outcomes:
        if one.gap:
            gaps.setdefault(one.gap, []).append(one.row["id"])
    lines = [
        "# Conformance with the CEL specification",
        "",
        "Written by `python -m tests.rules.language.conformance`, and held true by a test. Rows are those of",
        "google/cel-spec without protobuf messages, enums and the few that cel-expr-python itself fails.",
        "Each goes through the CEL runtime, through generated Python and through columns of two rows. A row",
        "whose result no condition can give (a list, a map, bytes) is compared, within the expression, with",
        "what is expected of it.",
        "",
        "| rows | |",
        "|---|---:|",
        f"| all | {len(outcomes)} |",
        f"| pass in {NATIVE} alone | {how[NATIVE]} |",
        f"| pass {MIXED}, row by row | {how[MIXED]} |",
        f"| expected to be an error, and {REFUSED} | {how[REFUSED]} |",
        f"| do not pass | {sum(map(len, gaps.values()))} |",
        "",
        "## Rows that do not pass",
        "",
        "| why | rows | which |",
        "|---|---:|---|",
    ]
    for reason, ids in sorted(gaps.items(), key=lambda item: (-len(item[1]), item[0])):
        lines.append(f"| {reason} | {len(ids)} | {', '.join(f'`{one}`' for one in ids)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page([outcome(row) for row in rows()]), "utf-8")
