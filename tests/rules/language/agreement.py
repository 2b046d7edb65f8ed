"""Expressions drawn from the operator table, and data made to trip them, through all three evaluators.

A night's worth: `python -m tests.rules.language.agreement --expressions 100000 --seed 1`.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from typing import Any

import hypothesis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from rules import clauses, columnar, reference, scalar
from rules.cel import Checker, decode
from rules.columns import ARROW_TYPES
from rules.errors import ExpressionProblems
from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    DURATION,
    INT,
    STRING,
    TIMESTAMP,
    TYPES,
    Call,
    CheckedExpression,
    Variable,
    walk,
)
from rules.functions import FORMS, ROWS, TABLE
from rules.functions.clock import format_timestamp
from rules.functions.span import LONGEST, SHORTEST, format_duration
from rules.hits import Hits
from rules.reference import UNKNOWN

NAMES = {
    BOOL: ("flag", "other.flag"),
    INT: ("count", "age"),
    DOUBLE: ("amount", "scores.fraud"),
    STRING: ("country", "memo"),
    TIMESTAMP: ("at", "before"),
    DURATION: ("lasting", "within"),
}
TYPE_OF = {name: kind for kind, names in NAMES.items() for name in names}
LISTS = {"words": STRING, "numbers": INT, "rates": DOUBLE, "networks": CIDR}
LIST_VALUES: dict[str, frozenset[Any]] = {
    "words": frozenset(["", "a", "KP", "é", "a\0b"]),
    "numbers": frozenset([0, 1, -1, 2**63 - 1, 2**53 + 1]),
    "rates": frozenset([0.0, 1.0, 0.5, 2.0**53, math.inf]),
    "networks": frozenset(["10.0.0.0/8", "11.0.0.0/9", "192.0.2.7", "2001:db8::/33", "::1"]),
}
LOW, HIGH = -(2**63), 2**63 - 1

TEXTS = st.one_of(
    st.sampled_from(
        ["", "a", "A", "KP", "é", "É", " a ", "a\0b", "\0", "12", "-7", "1e3", "0x1F", "nan", "true", "𝄞z"]
    ),
    st.sampled_from(["10.1.2.3", "11.127.255.255", "11.128.0.0", "192.0.2.7", "010.1.2.3", "10.1.2.3 "]),
    st.sampled_from(["::1", "2001:DB8::ff", "2001:db8:8000::", "::ffff:10.0.0.1", "::1%lo", "10.1.2"]),
    st.text(st.characters(codec="utf-8"), max_size=5),
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    BOOL: st.booleans(),
    INT: st.one_of(
        st.sampled_from([0, 1, -1, 2, 7, LOW, HIGH, LOW + 1, HIGH - 1, 2**53 + 1, 3037000500, 2**32]),
        st.integers(LOW, HIGH),
    ),
    DOUBLE: st.one_of(
        st.sampled_from(
            [0.0, -0.0, 1.0, 0.5, -2.0, 1e308, math.inf, -math.inf, 2.0**53, 2.0**63, -(2.0**63), 5e-324]
        ),
        st.floats(allow_nan=False),
    ),
    STRING: TEXTS,
    TIMESTAMP: st.one_of(
        st.sampled_from([0, -1, 951_782_400_000_000, 1_709_164_800_000_000, 4_102_444_799_999_999]),
        st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
    ),
    DURATION: st.one_of(
        st.sampled_from([0, 1, -1, 999_999, 3_600_000_000, -5_400_000_000, SHORTEST, LONGEST]),
        st.integers(SHORTEST, LONGEST),
    ),
}
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "+05:30", "-8:00", "UTC", "")
PATTERNS = ("^a", "[0-9]+", "é", "^$", r"\d", "(?i)kp", "a.b", r"^\s*$")

CHECKER = Checker([Variable(name, kind) for name, kind in TYPE_OF.items()], LISTS)


def literal(kind: str) -> st.SearchStrategy[str]:
    """Write a value as CEL."""
    if kind == BOOL:
        return st.booleans().map(lambda value: str(value).lower())
    if kind == INT:
        return VALUES[INT].map(str)
    if kind == DOUBLE:
        finite = VALUES[DOUBLE].filter(math.isfinite)
        return finite.map(
            lambda value: repr(value) if "." in repr(value) else repr(value).replace("e", ".0e")
        )
    if kind == DURATION:
        return VALUES[DURATION].map(lambda value: f"duration('{format_duration(value)}')")
    if kind == TIMESTAMP:
        return VALUES[TIMESTAMP].map(lambda value: f"timestamp('{format_timestamp(value)}')")
    return TEXTS.map(lambda text: "'" + "".join(f"\\U{ord(c):08x}" for c in text) + "'")


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int = 3) -> str:
    """Draw an expression of one type, its operators out of the table."""
    if kind == BOOL and depth and draw(st.integers(0, 9)) == 0:
        return draw(quantified(depth - 1))
    if kind in PARTS and depth and draw(st.integers(0, 14)) == 0:
        return draw(st.sampled_from(PARTS[kind])).format(
            **{name: draw(st.sampled_from(NAMES[part])) for name, part in PART_TYPES.items()}
        )
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        leaf = st.one_of(st.sampled_from(NAMES[kind]), st.sampled_from(NAMES[kind]), literal(kind))
        return draw(leaf)
    rows = [row for row in ROWS if row.result == kind]
    forms = FORMS if kind == BOOL else [form for form in FORMS if form.overload == "conditional"]
    # A form as often as a function: there are few of them and they carry the logic.
    chosen = (
        draw(st.one_of(st.sampled_from(rows), st.sampled_from(forms)))
        if rows
        else draw(st.sampled_from(forms))
    )
    below = depth - 1
    if chosen in forms:
        return draw(form_expressions(chosen.overload, kind, below))
    if chosen.name == "matches":
        pattern = draw(st.sampled_from(PATTERNS))
        text = draw(expressions(STRING, below))
        return f"({text}).matches(r'{pattern}')" if chosen.member else f"matches({text}, r'{pattern}')"
    if chosen.zoned:
        return f"({draw(expressions(TIMESTAMP, below))}).{chosen.name}('{draw(st.sampled_from(ZONES))}')"
    # NaN as text depends on the platform; a variable is never NaN.
    below = 0 if chosen.overload == "double_to_string" else below
    arguments = [draw(expressions(argument, below)) for argument in chosen.arguments]
    if chosen.name == "replace":
        # One text for each character of another is more than a rule may make.
        arguments[2] = draw(literal(STRING))
    return written(chosen.name, chosen.member, arguments)


@st.composite
def quantified(draw: st.DrawFn, depth: int) -> str:
    """Draw a loop over a declared list, or over values written out."""
    name, kind = draw(st.sampled_from(sorted((name, kind) for name, kind in LISTS.items() if kind != CIDR)))
    if draw(st.booleans()):
        entries = st.one_of(literal(kind), st.sampled_from(NAMES[kind]))
        name = f"[{', '.join(draw(st.lists(entries, max_size=3)))}]"
    x = draw(st.sampled_from(("x", "y")))
    test = draw(expressions(BOOL, depth))
    entry = {STRING: f"{x} < country", INT: f"{x} > age", DOUBLE: f"{x} > amount"}[kind]
    joined = draw(st.sampled_from((f"{entry} && {test}", f"{test} || {entry}", f"({test}) == ({entry})")))
    return f"{name}.{draw(st.sampled_from(('all', 'exists')))}({x}, {joined})"


# What only the CEL runtime evaluates, by the type that it gives.
PART_TYPES = {"s": STRING, "i": INT, "d": DOUBLE, "b": BOOL, "t": TIMESTAMP}
PARTS = {
    BOOL: (
        "(bytes({s}) == b'a')",
        "({s} in {{'a': 1, '': 2}})",
        "({s}).split('a').exists(p, p == {s})",
        "[{i}, {i}].exists_one(x, x == {i})",
        "(timestamp({s}) < {t})",
        "({s}).matches({s})",
        "(dyn({i}) == {d})",
        "words.exists_one(w, w == {s})",
    ),
    INT: ("size(bytes({s}))", "[{i}, 1].map(x, x + {i})[0]", "size(words)", "int(uint({i}))"),
    DOUBLE: ("[{d}][0]", "(type({i}) == int ? {d} : 1.0)", "({{'a': {d}}}).a"),
    STRING: (
        "'%s'.format([{s}])",
        "[{s}, 'x'].join('-')",
        "words.filter(w, w < {s}).join(',')",
        "strings.quote({s})",
    ),
}


@st.composite
def form_expressions(draw: st.DrawFn, overload: str, kind: str, depth: int) -> str:
    """Draw logic, equality, membership or a ternary."""
    if overload in ("logical_and", "logical_or"):
        left, right = draw(expressions(BOOL, depth)), draw(expressions(BOOL, depth))
        return f"({left} {'&&' if overload == 'logical_and' else '||'} {right})"
    if overload == "logical_not":
        return f"!({draw(expressions(BOOL, depth))})"
    if overload == "conditional":
        test, first = draw(expressions(BOOL, depth)), draw(expressions(kind, depth))
        # Beside a name, which may be null itself, CEL lets null stand.
        null = st.just("null") if first in TYPE_OF else st.nothing()
        return f"({test} ? {first} : {draw(st.one_of(expressions(kind, depth), null))})"
    if overload == "in_ranges":
        return f"(({draw(expressions(STRING, depth))}) in networks)"
    compared = draw(st.sampled_from(TYPES))
    left = draw(expressions(compared, depth))
    alike = st.sampled_from((INT, DOUBLE)) if compared in (INT, DOUBLE) else st.just(compared)
    if overload in ("equals", "not_equals"):
        null = st.just("null") if left in TYPE_OF else st.nothing()
        right = draw(st.one_of(null, alike.flatmap(lambda other: expressions(other, depth))))
        return f"(({left}) {'==' if overload == 'equals' else '!='} ({right}))"
    named = [
        name for name, element in LISTS.items() if element == compared or {element, compared} == {INT, DOUBLE}
    ]
    if named and draw(st.booleans()):
        return f"(({left}) in {draw(st.sampled_from(named))})"
    element = st.one_of(literal(compared), alike.flatmap(literal), expressions(compared, min(depth, 1)))
    return f"(({left}) in [{', '.join(draw(st.lists(element, max_size=12)))}])"


def written(name: str, member: bool, arguments: list[str]) -> str:
    """Write an operator or a call."""
    if member:
        return f"({arguments[0]}).{name}({', '.join(arguments[1:])})"
    if name.startswith("math.@"):
        return f"math.{'greatest' if name.endswith('max') else 'least'}({', '.join(arguments)})"
    if name == "-_":
        return f"(-({arguments[0]}))"
    if name.startswith("_"):
        return f"(({arguments[0]}) {name.strip('_')} ({arguments[1]}))"
    return f"{name}({', '.join(arguments)})"


RECORDS = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), VALUES[kind]) for name, kind in TYPE_OF.items()}),
    min_size=1,
    max_size=6,
)
WHOLE_RECORDS = st.lists(
    st.fixed_dictionaries({name: VALUES[kind] for name, kind in TYPE_OF.items()}), min_size=1, max_size=6
)


def batch_of(records: list[dict[str, Any]]) -> pa.RecordBatch:
    """Put records into columns."""
    return pa.RecordBatch.from_arrays(
        [pa.array([record[name] for record in records], ARROW_TYPES[kind]) for name, kind in TYPE_OF.items()],
        names=list(TYPE_OF),
    )


def checked(text: str, kind: str) -> CheckedExpression:
    """Check one; it must check, unless it would make too much of its texts or nests too deeply."""
    try:
        return CHECKER.check(text, kind)
    except ExpressionProblems as problems:
        assume(not any(word in str(problems) for word in ("grow too large", "nested too deeply")))
        raise


def same(left: Any, right: Any) -> bool:
    """Compare results: a missing value, an unknown one and None are one; NaN equals NaN, -0.0 is not 0.0."""
    left, right = (None if value is UNKNOWN else value for value in (left, right))
    if isinstance(left, float) and isinstance(right, float):
        return (left != left and right != right) or (
            left == right and math.copysign(1, left) == math.copysign(1, right)
        )
    return type(left) is type(right) and left == right


def agree(text: str, kind: str, records: list[dict[str, Any]]) -> None:
    """Compare the three evaluators on every record."""
    expression = checked(text, kind)
    assert decode(text, expression.checked) == expression
    expected = [reference.evaluate(expression, record, LIST_VALUES) for record in records]
    one = scalar.compile_value(expression, LIST_VALUES)
    got = [one(record) for record in records]
    assert all(map(same, expected, got)), (text, records, expected, got)
    values, valid = columnar.value(expression, LIST_VALUES).evaluate(batch_of(records))
    columns = [
        value if ok else None
        for value, ok in zip(
            values.tolist() if isinstance(values, np.ndarray) else values.to_pylist(), valid, strict=True
        )
    ]
    assert all(map(same, expected, columns)), (text, records, expected, columns)
    if kind == BOOL:
        conditions_agree([expression], [expected], records)


def at_row(hits: Hits, row: int) -> tuple[list[int], list[int]]:
    """Give the conditions that hold at one row, and those that are unknown."""
    true, unknown = (
        [number for number, at in enumerate(all_) if row in at] for all_ in (hits.true, hits.unknown)
    )
    return true, unknown


def conditions_agree(
    expressions: list[CheckedExpression], expected: list[list[Any]], records: list[dict[str, Any]]
) -> None:
    """Compare what conditions give, true and unknown, with the reference."""
    function = scalar.compile_conditions(expressions, LIST_VALUES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scalar, "FEW", 0)
        patch.setattr(clauses, "ENOUGH", 1)
        indexed = scalar.compile_conditions(expressions, LIST_VALUES)
    hits = columnar.conditions(expressions, LIST_VALUES).evaluate(batch_of(records))
    for row, record in enumerate(records):
        results = [column[row] for column in expected]
        held = [number for number, result in enumerate(results) if result is True]
        open_ = [number for number, result in enumerate(results) if result not in (True, False)]
        assert function(record) == (held, open_), (expressions, record)
        assert indexed(record) == (held, open_), (expressions, record)
        present = {name: value for name, value in record.items() if value is not None}
        assert indexed(present) == (held, open_), (expressions, record)
        assert at_row(hits, row) == (held, open_), (expressions, record)


def night(expressions_wanted: int, seed: int) -> frozenset[str]:
    """Try so many expressions; raises AssertionError, the example made small, where evaluators differ.

    Gives the overloads of the table that no expression used.
    """
    drawn: Counter[str] = Counter()
    each = -(-expressions_wanted // len(TYPES))
    for number, kind in enumerate(TYPES):
        _try(kind, each, seed + number, drawn)
        print(f"\r{kind}: {each:,} expressions agree   ", file=sys.stderr)
    return frozenset(TABLE) - frozenset(drawn)


def _try(kind: str, wanted: int, seed: int, drawn: Counter[str]) -> None:
    done = 0

    @hypothesis.seed(seed)
    @settings(max_examples=wanted, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def run(data: st.DataObject) -> None:
        nonlocal done
        text = data.draw(expressions(kind), "expression")
        drawn.update(node.overload for node in walk(checked(text, kind).node) if isinstance(node, Call))
        agree(text, kind, data.draw(st.one_of(RECORDS, WHOLE_RECORDS), "records"))
        done += 1
        if done % 500 == 0:
            print(f"\r{kind}: {done:,} of {wanted:,}   ", end="", file=sys.stderr, flush=True)

    run()


def main() -> int:
    """Run from the command line: 1 where evaluators differ, or an overload was never drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--expressions", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    try:
        left = night(given.expressions, given.seed)
    except AssertionError as error:
        print(error, *getattr(error, "__notes__", ()), sep="\n")
        return 1
    print(f"reference, scalar and columns agree; overloads never drawn: {', '.join(sorted(left)) or 'none'}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
