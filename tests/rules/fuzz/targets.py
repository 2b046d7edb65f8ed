"""What reads hostile input, each with inputs drawn for it; none may raise anything but its own refusal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from engine.errors import TandemError
from engine.project import parse_project
from engine.project.forms import PROJECT_FILE
from rules.analysis import analyse
from rules.cases import run_cases
from rules.cel import Checker
from rules.check import check_rules
from rules.checked import decode
from rules.columns import ARROW_TYPES
from rules.errors import CheckFailed, ExpressionProblems, RulesError
from rules.expression import CIDR, Variable
from rules.format import format_document
from rules.forms import RULE_FILE
from rules.judged import LISTS
from rules.listfiles import read_entries
from rules.membership import membership
from rules.policy import Policy
from rules.reader import read_yaml
from rules.restore import restore_rules
from rules.ruleset import RuleSet
from rules.scalar import compile_value
from rules.suites import SUITE_FILE, read_suites
from tests.rules.format.written_files import written_files
from tests.rules.fuzz.drawn import drawn
from tests.rules.fuzz.sheets import sheets

VARIABLES = (
    Variable("amount", "double", minimum=0.0),
    Variable("count", "int"),
    Variable("country", "string", values=("GB", "FR")),
    Variable("memo", "string"),
    Variable("is_new", "bool"),
    Variable("event_time", "timestamp"),
)
SCORES, OUTCOMES = ("fraud",), ("approve", "review", "block")
KNOWN = (*VARIABLES, Variable("scores.fraud", "double"), Variable("proposed", "string", values=OUTCOMES))
RECORDS: tuple[dict[str, Any], ...] = (
    {},
    {"amount": 2.5, "count": 3, "country": "GB", "memo": "a|b", "is_new": True, "event_time": 10**15},
    {"amount": float("nan"), "count": -(2**63), "memo": "\U0001f600" * 9, "event_time": -(10**15)},
)
LIST_FILES = {"lists/a": b"x\ny\n", "lists/a.csv": b"x,y\n1,2\n"}


@dataclass(frozen=True)
class Target:
    """One reader: inputs for it, and what it does with one."""

    inputs: Callable[[], st.SearchStrategy[Any]]
    run: Callable[[Any], None]


# CEL, from its own pieces: most are no expressions, many nearly.
_PIECES = st.sampled_from(
    [
        *("amount", "count", "country", "memo", "is_new", "event_time", "scores.fraud", "scores", "proposed"),
        *("x", "variables.x", "1", "-1", "0", "9223372036854775807", "1u", "0x1f", "1.5", "1e308", ".5"),
        *(
            "true",
            "null",
            "'a'",
            '"b"',
            "r'\\d'",
            "b'\\x00'",
            "[1, 2]",
            "{'a': 1}",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
        ),
        *(" + ", " - ", " * ", " / ", " % ", " == ", " != ", " < ", " >= ", " in ", " && ", " || ", "!"),
        *(" ? ", " : ", ".", ",", "\n", "//", "\\", "'", "`", "@", "§", "\u0430mount", "\0"),
        *(".size()", ".matches('(a+)+$')", ".matches('(?=a)')", ".contains('a')", ".startsWith(memo)"),
        *("int(", "string(", "double(", "type(", "dyn(", "has(", "size(", "math.greatest(", ".lowerAscii()"),
        *("timestamp('2026-01-01T00:00:00Z')", "duration('1h')", ".getHours()", ".getHours('Europe/Paris')"),
        *(".all(x, ", ".exists(y, ", ".map(x, ", ".filter(x, "),
    ]
)
CEL = st.lists(_PIECES, max_size=14).map("".join) | st.text(max_size=40)
GOOD = (
    "amount > 1.0 && country == 'GB'",
    "count in [1, 2, 3] || memo.contains('a')",
    "is_new ? amount * 2.0 > 3.0 : count % 2 == 0",
    "event_time.getHours() < 6 && memo.matches('^[a-z]+$')",
    "[1, 2].exists(x, x == count)",
)
_WORDS = st.one_of(
    CEL,
    st.sampled_from(GOOD),
    st.sampled_from(["x", "y", "approve", "review", "lists/a", "../x", "fraud", "GB", "2026-11-01", "none"]),
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 1),
    st.sampled_from([[], {}, ["x"], {"fraud": 0.5}, {"amount": 3}, {"file": "lists/a"}, ["GB"]]),
    st.just({"scores": {"fraud": 0.2}}),
)


def _bytes_like_yaml() -> st.SearchStrategy[bytes]:
    return st.one_of(
        st.binary(max_size=120), written_files().map(str.encode), _mutated(written_files().map(str.encode))
    )


@st.composite
def _mutated(draw: st.DrawFn, source: st.SearchStrategy[bytes]) -> bytes:
    """Cut, repeat and change bytes of what is well-formed."""
    data = bytearray(draw(source))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if kind == "set" and at < len(data):
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 8))]
        elif kind == "insert":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        else:
            data[at:at] = data[at : at + draw(st.integers(1, 16))] * draw(st.integers(1, 40))
    return bytes(data)


def _yaml(data: bytes) -> None:
    with suppress(CheckFailed):
        format_document(read_yaml(data, "f.yaml"), RULE_FILE)


def _rules(value: Any) -> None:
    _judge(value, LIST_FILES)


def _sheet(given: tuple[bytes, dict[str, Any]]) -> None:
    data, table = given
    _judge({"lists": {"listed": ["GB", "a"]}, "tables": [table]}, {"lists/t.csv": data})


def _judge(value: Any, beside: Mapping[str, bytes]) -> None:
    """Check, test, analyse, compile, keep, restore and judge; a record and its row must be judged alike."""
    try:
        checked = check_rules(
            {"rules/a.yaml": json.dumps(value).encode()},
            variables=VARIABLES,
            scores=SCORES,
            outcomes=OUTCOMES,
            read_list=beside.__getitem__,
        )
    except CheckFailed as failed:
        str(failed)
        return
    run_cases(checked)
    analyse(checked, solve=False)
    rules = RuleSet.compile(checked)
    restore_rules(checked.files, checked.list_files, checked.expressions(), scores=SCORES, outcomes=OUTCOMES)
    rows = [{variable.name: record.get(variable.name) for variable in KNOWN} for record in RECORDS]
    columns = {
        variable.name: pa.array([row[variable.name] for row in rows], ARROW_TYPES[variable.type])
        for variable in KNOWN
    }
    batch = pa.RecordBatch.from_pydict(columns)
    for judge, judge_batch in ((rules.before, rules.before_batch), (rules.after, rules.after_batch)):
        verdicts = judge_batch(batch)
        for index, row in enumerate(rows):
            alone = judge(row)
            beside = verdicts.row(index)
            assert (alone.outcome, alone.decided_by) == (beside.outcome, beside.decided_by)
            assert all(getattr(alone, name) == getattr(beside, name) for name in LISTS)


@cache
def _checker() -> Checker:
    return Checker(KNOWN, {"listed": "string"})


def _cel(text: str) -> None:
    try:
        expression = _checker().check(text, ("bool", "int", "double", "string", "timestamp"))
    except ExpressionProblems as refused:
        placed = all(problem.line >= 1 and problem.column >= 1 for problem in refused.problems)
        if not placed:
            raise
        return
    assert decode(text, expression.checked).node == expression.node
    value = compile_value(expression, {"listed": frozenset(["a"])})
    for record in RECORDS:
        value({variable.name: record.get(variable.name) for variable in KNOWN})


@cache
def _checked() -> tuple[bytes, ...]:
    return tuple(_checker().check(text).checked for text in GOOD)


def _wire(data: bytes) -> None:
    with suppress(RulesError):
        decode("x", data)


def _kept_policy(data: bytes) -> None:
    rows = [{"when": "true", "decide": "a", "checked": base64.b64encode(data).decode()}]
    with suppress(RulesError):
        Policy.restore({"rows": rows, "outcomes": ["a"]})


def _suite(value: Any) -> None:
    with suppress(CheckFailed):
        read_suites({"t": json.dumps(value).encode()}, variables=KNOWN, outcomes=OUTCOMES, rules=["x"])


def _project(value: Any) -> None:
    with suppress(CheckFailed, TandemError):
        parse_project(json.dumps(value).encode(), root=Path("p"))


def _list_file(given: tuple[bytes, str | None, str]) -> None:
    """Read a list file; what is told has a place, and every entry of what is read is found again."""
    entries, problems = read_entries(*given)
    assert all(line >= 1 and column >= 1 for line, column, *_ in problems)
    sought = membership(given[2], entries)
    assert all((one.split("/")[0] if given[2] == CIDR else one) in sought for one in entries)


def _list_files() -> st.SearchStrategy[tuple[bytes, str | None, str]]:
    pieces = [
        "a",
        "1",
        ",",
        "\n",
        '"',
        "\r\n",
        "#",
        "10.0.0.0/8",
        "::1/64",
        "1e5",
        " ",
        "\ufeff",
        "x,y\n",
        "é",
        "\0",
        "-",
    ]
    data = st.lists(st.sampled_from(pieces), max_size=20).map(lambda some: "".join(some).encode())
    kinds = st.sampled_from(["string", "int", "double", "cidr"])
    return st.tuples(data | st.binary(max_size=40), st.sampled_from([None, "x", ""]), kinds)


TARGETS = {
    "yaml": Target(_bytes_like_yaml, _yaml),
    "rules": Target(lambda: drawn(RULE_FILE, _WORDS), _rules),
    "cel": Target(lambda: CEL, _cel),
    "wire": Target(lambda: st.binary(max_size=60) | _mutated(st.sampled_from(_checked())), _wire),
    "policy": Target(lambda: _mutated(st.sampled_from(_checked())), _kept_policy),
    "lists": Target(_list_files, _list_file),
    "sheets": Target(sheets, _sheet),
    "suites": Target(lambda: drawn(SUITE_FILE, _WORDS), _suite),
    "project": Target(lambda: drawn(PROJECT_FILE, _WORDS), _project),
}
