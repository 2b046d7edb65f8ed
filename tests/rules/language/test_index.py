"""The index over conditions says what evaluating each of them says, and settles what it can."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import clauses, scalar
from rules.cel import Checker
from rules.expression import Variable
from rules.index import Index

CHECKER = Checker(
    [
        Variable("amount", "double"),
        Variable("count", "int"),
        Variable("country", "string"),
        Variable("flag", "bool"),
        Variable("at", "timestamp"),
    ]
)
COMPARISONS = st.one_of(
    st.tuples(
        st.sampled_from(["amount", "count"]),
        st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
        st.sampled_from(["0", "1", "2", "1.5", "-0.0", "1e308"]),
    ).map(" ".join),
    st.tuples(st.sampled_from(["==", "!="]), st.sampled_from(["'a'", "'b'", "null"])).map(
        lambda pair: f"country {pair[0]} {pair[1]}"
    ),
    st.sampled_from(
        [
            "flag",
            "flag == true",
            "flag != null",
            "amount == null",
            "count != null",
            "1 < count",
            "2.0 >= amount",
        ]
    ),
    st.sampled_from(
        ["country in ['a', 'c']", "country in ['b', null]", "count in [1, 2]", "amount in [1, 2.5]"]
    ),
    st.sampled_from(["at < timestamp('2026-01-01T00:00:00Z')", "size(country) > 1", "count + 1 > 2"]),
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda one: f"!({one})"),
    ),
    max_leaves=6,
)
NUMBERS = [None, 0.0, -0.0, 1.0, 1.5, 2.0, math.nextafter(2.0, 3.0), 3.0, math.inf, -math.inf, math.nan]
RECORDS = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(NUMBERS),
        "count": st.sampled_from([None, 0, 1, 2, 3, 2**63 - 1, -(2**63)]),
        "country": st.sampled_from([None, "a", "b", "c", "", "aa"]),
        "flag": st.sampled_from([None, True, False]),
        "at": st.sampled_from([None, 0, 2 * 10**15]),
    }
)


@given(texts=st.lists(CONDITIONS, min_size=1, max_size=12), records=st.lists(RECORDS, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_an_index_changes_nothing(texts: list[str], records: list[Any]) -> None:
    """Comparisons and more, in groups; NaN and infinity, values at and beside every bound."""
    expressions = [CHECKER.check(text) for text in texts]
    plain = [scalar.compile_value(one) for one in expressions]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scalar, "FEW", 0)
        patch.setattr(scalar, "GROUP", 5)
        patch.setattr(clauses, "ENOUGH", 1)
        indexed = scalar.compile_conditions(expressions)
    for record in records:
        results = [function(record) for function in plain]
        true = [number for number, result in enumerate(results) if result is True]
        unknown = [number for number, result in enumerate(results) if result is None]
        assert indexed(record) == (true, unknown), record


def test_comparisons_are_settled_without_evaluating(monkeypatch: pytest.MonkeyPatch) -> None:
    """And, or, not over comparisons with constants are pure; anything else is only ruled out."""
    monkeypatch.setattr(clauses, "ENOUGH", 1)
    texts = [
        "amount > 1 && (country == 'a' || !(flag && count in [1, 2])) && at != null",
        "amount > 1 && size(country) > 1",
        "size(country) > 1 || amount > 1",
        "amount > 1 || count * 2 > 3",
    ]
    made = Index([CHECKER.check(text).node for text in texts])
    assert made.pure == 0b0001
    whole = {"amount": 2.0, "country": "b", "flag": False, "count": 1, "at": 0}
    assert made.evaluate(whole) == (0b1111, 0)
    assert made.evaluate(whole | {"amount": 1.0}) == (0b1100, 0)
    assert made.evaluate(whole | {"flag": None})[1] == 0b0001


def test_many_clauses_are_not_settled() -> None:
    """A condition of many clauses is ruled out by some of them, and evaluated for the rest."""
    texts = [" && ".join(f"count != {number}" for number in range(size)) for size in range(1, 41)]
    expressions = [CHECKER.check(text) for text in texts]
    assert Index([one.node for one in expressions]).pure == 2**clauses.MOST_CLAUSES - 1
    function = scalar.compile_conditions(expressions)
    for count in range(42):
        assert function({"count": count}) == (list(range(min(count, 40))), [])
