"""What the evaluators owe beyond agreement: blocks, codes, missing keys and columns, chunks, safe source."""

from __future__ import annotations

import math
from types import CodeType
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rules import columnar, reference, scalar
from rules.cel import Checker, decode
from rules.checked import express
from rules.columnar import BLOCK
from rules.columns import SAMPLE, Batch, Texts
from rules.errors import RulesError
from rules.expression import Call, Literal, Name, Node, Variable
from rules.hits import Hits
from rules.scalar import GROUP

CHECKER = Checker(
    [
        Variable("amount", "double"),
        Variable("age", "int"),
        Variable("country", "string"),
        Variable("flag", "bool"),
        Variable("at", "timestamp"),
    ],
    {"embargoed": "string", "rates": "double", "codes": "int"},
)
LISTS: dict[str, Any] = {
    "embargoed": frozenset(["KP", "IR"]),
    "rates": [0.5, math.nan],
    "codes": {1, 2**53 + 1},
}
CONDITIONS = [
    CHECKER.check(text)
    for text in (
        "amount > 0.5 && country == 'c3'",
        "country.startsWith('c1') || age > 50",
        "country in embargoed || country != 'c2' && flag",
        "size(country) + age > 52",
        "country == 'c3' ? flag : amount < 0.1",
        "lowerAscii(country + 'X') == 'c1x'".replace(
            "lowerAscii(country + 'X')", "(country + 'X').lowerAscii()"
        ),
    )
]


def batch(rows: int, distinct: int, missing: float, seed: int = 0) -> pa.RecordBatch:
    """Make rows of random fields, a share of each missing."""
    random = np.random.default_rng(seed)

    def column(values: Any, kind: pa.DataType) -> pa.Array:
        return pa.array(values, kind, mask=random.random(rows) < missing)

    return pa.RecordBatch.from_pydict(
        {
            "amount": column(random.random(rows), pa.float64()),
            "age": column(random.integers(0, 100, rows), pa.int64()),
            "country": column([f"c{code}" for code in random.integers(0, distinct, rows)], pa.string()),
            "flag": column(random.random(rows) < 0.5, pa.bool_()),
            "at": column(random.integers(0, 10**15, rows), pa.timestamp("us", "UTC")),
        }
    )


def at_row(hits: Hits, row: int) -> tuple[list[int], list[int]]:
    """Give the conditions that hold at one row, and those that are unknown."""
    true, unknown = (
        [number for number, at in enumerate(all_) if row in at] for all_ in (hits.true, hits.unknown)
    )
    return true, unknown


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize("distinct", [5, 10**9])
def test_blocks_and_codes_do_not_show(missing: float, distinct: int) -> None:
    """Over several blocks, with texts coded or not, every row is what it is alone."""
    data = batch(BLOCK * 2 + 7 if distinct == 5 else SAMPLE + 9, distinct, missing)
    texts = Batch(data, {"country": "string"})["country"]
    assert isinstance(texts, Texts)
    assert (texts.dictionary is None) == (distinct > 5)
    hits = columnar.conditions(CONDITIONS, LISTS).evaluate(data)
    function = scalar.compile_conditions(CONDITIONS, LISTS)
    for row in [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, data.num_rows - 1, *range(100, 400)]:
        (record,) = data.slice(row, 1).to_pylist()
        assert function(record) == at_row(hits, row)
    assert all(len(rows) for rows in hits.true[2:4])


def test_no_rows_and_no_conditions() -> None:
    """Nothing in, nothing out, in the right shape."""
    hits = columnar.conditions(CONDITIONS, LISTS).evaluate(batch(0, 5, 0.0))
    assert hits.rows == 0
    assert [len(rows) for rows in (*hits.true, *hits.unknown)] == [0] * (2 * len(CONDITIONS))
    none = columnar.conditions([]).evaluate(batch(3, 5, 0.0))
    assert (none.rows, none.true, none.unknown) == (3, (), ())
    assert scalar.compile_conditions([])({}) == ([], [])
    values, valid = columnar.value(CHECKER.check("country", "string")).evaluate(batch(0, 5, 0.0))
    assert len(values) == len(valid) == 0


def test_columns_of_other_widths_are_taken() -> None:
    """Float32, dictionary-coded text and nanoseconds become the types of the language, without loss."""
    data = pa.RecordBatch.from_pydict(
        {
            "amount": pa.array([0.75, None], pa.float32()),
            "country": pa.array(["c3", None]).dictionary_encode(),
            "at": pa.array([1_000_000_000, None], pa.timestamp("ns", "UTC")),
        }
    )
    condition = CHECKER.check("amount > 0.5 && country == 'c3' && at == timestamp('1970-01-01T00:00:01Z')")
    hits = columnar.conditions([condition]).evaluate(data)
    assert (at_row(hits, 0), at_row(hits, 1)) == (([0], []), ([], []))


def test_columns_that_do_not_fit_are_named() -> None:
    """A column that is not there, or holds something else, is named with what there is."""
    condition = columnar.conditions([CHECKER.check("amount > 0.5")])
    with pytest.raises(RulesError, match="no column 'amount'; it has other"):
        condition.evaluate(pa.RecordBatch.from_pydict({"other": [1]}))
    with pytest.raises(RulesError, match="the column 'amount' is string; double is needed"):
        condition.evaluate(pa.RecordBatch.from_pydict({"amount": ["x"]}))


def test_a_field_not_given_is_missing() -> None:
    """A record without a field is a record where it is None."""
    function = scalar.compile_conditions(
        [CHECKER.check("amount > 1"), CHECKER.check("age == null && amount != 3")]
    )
    assert function({}) == function({"amount": None, "age": None}) == ([1], [0])
    assert scalar.compile_value(CHECKER.check("amount * 2.0", "double"))({}) is None


def test_conditions_beyond_one_chunk_keep_their_numbers() -> None:
    """Thousands of conditions are split among functions and numbered through."""
    conditions = [CHECKER.check(f"age == {number} || age == null && flag") for number in range(GROUP * 2 + 3)]
    function = scalar.compile_conditions(conditions)
    assert function({"age": GROUP + 1, "flag": None}) == ([GROUP + 1], [])
    assert function({"age": None, "flag": None}) == ([], list(range(len(conditions))))


def test_edited_lists_are_seen() -> None:
    """Compiling again with another list gives a function of that list."""
    condition = CHECKER.check("country in embargoed")
    for members in (["KP"], ["IR"], ["KP", "IR"]):
        function = scalar.compile_conditions([condition], {"embargoed": frozenset(members)})
        assert [function({"country": one})[0] for one in ("KP", "IR")] == [
            [0] if one in members else [] for one in ("KP", "IR")
        ]


@pytest.mark.parametrize("text", ["amount in rates", "amount in codes", "age in codes", "age in rates"])
def test_lists_compare_numbers_as_the_runtime_does(text: str) -> None:
    """NaN is in no list; an int and a double are equal if they are as doubles."""
    condition = CHECKER.check(text)
    for value in (None, 1, 0, 2**53, 2**53 + 1):
        given = {"age": value, "amount": None if value is None else float(value)}
        expected = reference.evaluate(condition, given, LISTS)
        assert scalar.compile_value(condition, LISTS)(given) == expected
        column = pa.RecordBatch.from_pydict(
            {"age": pa.array([value], pa.int64()), "amount": pa.array([given["amount"]], pa.float64())}
        )
        assert columnar.value(condition, LISTS).evaluate(column)[0].tolist() == [expected]


def test_generated_source_holds_nothing_of_the_author() -> None:
    """Names, texts and patterns are handed to the generated code beside its source."""
    text = (
        r"country.matches(r'^evil$') || country in ['evil', country] || country == 'evil' && amount > 1e400"
    )
    value = scalar.compile_value(CHECKER.check(text), LISTS)
    pieces: list[Any] = []

    def gather(code: CodeType) -> None:
        pieces.extend((*code.co_names, *code.co_varnames))
        for constant in code.co_consts:
            gather(constant) if isinstance(constant, CodeType) else pieces.append(constant)

    gather(value.__code__)
    assert not [piece for piece in pieces if "evil" in str(piece) or "country" in str(piece)]
    assert value.__globals__["__builtins__"] == {}


def test_deeply_nested_conditions_compile() -> None:
    """Deeper than CEL itself reads, generated source stays within Python's limits, and small."""
    flag, age = Name("flag", "bool"), Name("age", "int")
    node: Node = flag
    for level in range(90):
        older = Call("greater_int64", (age, Literal("int", level)), "bool")
        node = (
            Call("equals", (node, older), "bool")
            if level % 2
            else Call("conditional", (node, flag, older), "bool")
        )
    deep = decode("", express("", node).checked)
    chain = CHECKER.check(" && ".join(f"age != {number}" for number in range(1_400)))
    rows = [{"flag": flag, "age": age} for flag in (True, False, None) for age in (7, -1, 2_000, None)]
    types = {"flag": pa.bool_(), "age": pa.int64()}
    data = pa.RecordBatch.from_pydict(
        {name: pa.array([row[name] for row in rows], types[name]) for name in types}
    )
    hits = columnar.conditions([deep, chain]).evaluate(data)
    function = scalar.compile_conditions([deep, chain])
    for number, row in enumerate(rows):
        assert function(row) == at_row(hits, number)


ENDS = (-(2**63), -1, 0, 1, 2, 3, 4, 5, 6, 2**63 - 1)


@pytest.mark.parametrize("text", ["true", "trué", ""])
def test_a_part_of_a_text_may_end_where_the_text_does(text: str) -> None:
    """substring(a, b) has a value up to b = size, in the CEL runtime too, whose library stops one short."""
    names = [Variable("text", "string"), Variable("a", "int"), Variable("b", "int")]
    part = Checker(names).check("text.substring(a, b)", "string")
    by_record = scalar.compile_value(part)
    for a in ENDS:
        for b in ENDS:
            values = {"text": text, "a": a, "b": b}
            expected = text[a:b] if 0 <= a <= b <= len(text) else None
            assert by_record(values) == expected
            got = reference.evaluate(part, values)
            assert (None if got is reference.UNKNOWN else got) == expected
