"""What the tests of decision tables share: a small project, its records, and tables drawn at random."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from rules.check import check_rules
from rules.checked_rules import CheckedRules
from rules.columns import ARROW_TYPES
from rules.expression import Variable
from rules.ruleset import RuleSet

VARIABLES = (
    Variable("amount", "double"),
    Variable("count", "int"),
    Variable("tier", "string"),
    Variable("is_new", "bool"),
    Variable("at", "timestamp"),
)
TYPES = {variable.name: variable.type for variable in VARIABLES}
OUTCOMES = ("approve", "review", "block")
LISTS = "lists:\n  known: [a, b]\n  odd: [1, 3, 5]\n  nets: {file: lists/nets.txt, type: cidr}\n"
FILES = {"lists/nets.txt": b"10.0.0.0/8\n2001:db8::/32\n"}
DAY = 86_400_000_000
START = 1_767_225_600_000_000  # 2026-01-01

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "amount": st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.5, 2.7, 3.0, 4.5, 9.0]),
    "count": st.integers(-1, 8),
    "tier": st.sampled_from(["a", "b", "c", "d", "e", "", "ab", "10.1.2.3", "2001:db8::7", "11.0.0.1"]),
    "is_new": st.booleans(),
    "at": st.integers(0, 12).map(lambda half: START + half * DAY // 2),
}
RECORDS = st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()})

_LITERALS = {
    "double": ("0", "1", "2.5", "3", "4.5"),
    "int": ("0", "1", "2", "3", "5", "6"),
    "string": ("a", "'b'", '"c"', "d"),
    "bool": ("true", "false", "TRUE"),
    "timestamp": ("2026-01-01", "2026-01-03", "timestamp('2026-01-02T12:00:00Z')"),
    "duration": ("0", "12h", "1h30m", "duration('24h')", "36h"),
}
_LISTS = {"string": ("known", "nets"), "int": ("odd",)}
INPUTS = {
    "amount": "double",
    "count": "int",
    "tier": "string",
    "is_new": "bool",
    "at": "timestamp",
    "amount / 2": "double",
    "count / (count - 2)": "int",
    "tier + 'x'": "string",
    "amount > 1.0": "bool",
    "at - timestamp('2026-01-01T00:00:00Z')": "duration",
}


def cells(name: str) -> st.SearchStrategy[str]:
    """Draw the cells that an input of this name may have."""
    kind = INPUTS[name]
    literal = st.sampled_from(_LITERALS[kind])
    drawn = [st.just("-"), literal, literal.map("not({})".format)]
    drawn += [st.tuples(literal, literal).map(form.format_map_pair) for form in _PAIRS]
    if name in TYPES:
        drawn.append(st.sampled_from(["null", "not(null)", "!= null"]))
    if kind in _LISTS:
        drawn.append(st.sampled_from([f"{word} {one}" for one in _LISTS[kind] for word in ("in", "not in")]))
    if kind != "bool":
        low, high = ("'a'", "'c'") if kind == "string" else _LITERALS[kind][:: len(_LITERALS[kind]) - 1]
        if kind == "timestamp":
            low, high = _LITERALS[kind][:2]
        bound = st.sampled_from([low, high])
        drawn.append(st.tuples(st.sampled_from(["<", "<=", ">", ">="]), bound).map(" ".join))
        drawn.append(
            st.tuples(st.sampled_from("[("), st.sampled_from("])")).map(
                lambda ends: f"{ends[0]}{low}..{high}{ends[1]}"
            )
        )
        drawn.append(bound.map("not(> {})".format))
    return st.one_of(drawn)


class _Pair(str):
    """A form of two literals."""

    def format_map_pair(self, pair: tuple[str, str]) -> str:
        return self.format(*pair)


_PAIRS = (_Pair("{}, {}"), _Pair("not({},{})"), _Pair("in [{}, {}]"), _Pair("!= {}, {}"))


PERIODS = st.sampled_from([
    "{from: 2026-01-02}", "{until: 2026-01-04}", "{from: 2026-01-02, until: 2026-01-04}",
    "{from: 2026-01-01, until: 2026-01-02}",
])  # fmt: skip
EXCEPT = (
    "[{tier: a, owner: o, reason: r, expires: 2026-01-04},"
    " {when: amount > 4, owner: o, reason: r, expires: 2026-01-06}]"
)


@st.composite
def reaches(draw: st.DrawFn) -> dict[str, str]:
    """Draw how far a table reaches: when, for which share of keys, with which exceptions."""
    found = {}
    if draw(st.booleans()):
        found["effective"] = draw(PERIODS)
    if draw(st.booleans()):
        key = draw(st.sampled_from(["tier", "count"]))
        found["rollout"] = f"{{percent: {draw(st.sampled_from([0, 40, 100]))}, key: {key}}}"
    if draw(st.booleans()):
        found["except"] = EXCEPT
    return found


@st.composite
def tables(draw: st.DrawFn, *, timed: bool = False, **fixed: str) -> str:
    """Draw a rule file of one table; `timed` rows may have periods."""
    names = draw(st.lists(st.sampled_from(sorted(INPUTS)), min_size=1, max_size=4, unique=True))
    rows = draw(st.lists(st.tuples(*map(cells, names)), min_size=1, max_size=12))
    effects = [draw(st.sampled_from(["approve", "review", "block"])) for _ in rows]
    keys = {"hit_policy": "collect", **fixed}
    lines = [LISTS + "tables:", "  - id: t", *(f"    {key}: {value}" for key, value in keys.items())]
    lines += ["    inputs: [" + ", ".join(quoted(name) for name in names) + "]", "    rows:"]
    for place, (row, effect) in enumerate(zip(rows, effects, strict=True)):
        written = ", ".join(f"{quoted(name)}: {quoted(cell)}" for name, cell in zip(names, row, strict=True))
        period = draw(st.none() | PERIODS) if timed else None
        own = f", effective: {period}" if period else ""
        lines.append(f"      - {{id: r{place}, {written}, decide: {effect}{own}}}")
    return "\n".join(lines)


def quoted(text: str) -> str:
    """Write a text for YAML."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check(text: str, files: Mapping[str, bytes] | None = None, **others: Any) -> CheckedRules:
    """Check one rule file against the small project."""
    names = {"variables": VARIABLES, "scores": ("fraud",), "outcomes": OUTCOMES, **others}
    lists = {**FILES, **(files or {})}
    return check_rules({"rules/t.yaml": text.encode()}, read_list=lists.__getitem__, **names)


def batch(records: list[dict[str, Any]]) -> pa.RecordBatch:
    """Give records as columns."""
    types = {**TYPES, "scores.fraud": "double", "proposed": "string"}
    arrays = []
    for name, kind in types.items():
        held = pa.array([record.get(name) for record in records], pa.int64() if kind == "timestamp" else None)
        arrays.append(held.cast(ARROW_TYPES[kind]))
    return pa.RecordBatch.from_arrays(arrays, names=list(types))


def whole(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give every field, missing where the record has none."""
    return {**dict.fromkeys(TYPES), "scores.fraud": 0.5, "proposed": "approve", **record}


def fired(text: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the rules that fire on one record."""
    return RuleSet.compile(check(text)).after(whole(record)).fired
