"""What columns owe beyond agreement: exact thresholds, blocks that are skipped, threads, lists by row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import columnar, masked, scalar, threads
from rules.bits import pack, rows_of
from rules.cel import Checker
from rules.cuts import FEW, Cuts
from rules.expression import Variable
from rules.hits import Hits
from rules.listing import greatest, listed

LOW, HIGH = -(2**63), 2**63 - 1
DOUBLES = st.one_of(
    st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-300, math.inf, -math.inf, 1e308, -1e308]),
    st.integers(-50, 50).map(float),
    st.floats(allow_nan=False),
)
WHOLE = st.one_of(
    st.sampled_from([LOW, LOW + 1, HIGH, HIGH - 1, 2**53, 2**53 + 1]),
    st.integers(-200, 200),
    st.integers(LOW, HIGH),
)
# What a draw of a few values would miss: many thresholds, even, far apart, of both signs, crowded.
SPREADS = st.sampled_from(
    [
        np.arange(300.0),
        np.exp(np.linspace(-20, 20, 300)),
        np.exp(np.linspace(0, 0.001, 300)),
        np.linspace(-1e-3, 1e-3, 300),
        np.exp(np.linspace(-600, 600, 40)),
    ]
)
SETTINGS = settings(max_examples=60, deadline=None)


@given(
    rows=st.integers(1, 1000),
    shares=st.lists(st.sampled_from([0.0, 0.002, 0.02, 0.09, 0.11, 0.5, 1.0]), min_size=1, max_size=70),
    start=st.sampled_from([0, 65_536]),
    seed=st.integers(0, 2**32 - 1),
)
@SETTINGS
def test_bits_are_read_back_as_rows(rows: int, shares: list[float], start: int, seed: int) -> None:
    """Rows are those of the set bits, however dense; what stands past the rows is noise and not read."""
    rng = np.random.default_rng(seed)
    width = -(-rows // 8) * 8
    masks = [rng.random(width) < share for share in shares]
    found = rows_of([pack(mask) for mask in masks], start, rows)
    assert [some.dtype for some in found] == [np.int32] * len(shares)
    assert [some.tolist() for some in found] == [
        (np.flatnonzero(mask[:rows]) + start).tolist() for mask in masks
    ]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=30), st.integers(1, 200))
@SETTINGS
def test_the_greatest_weight_of_each_list_is_found(lists: list[list[int]], times: int) -> None:
    """An empty list has -1, as has one of codes that weigh nothing; lists go on over strips and threads."""
    lists = lists * times
    weights = np.array([3, -1, 8, 0, 5, -1, 9, 1, 2, 7], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, lists)], dtype=np.int32)
    codes = np.array([code for one in lists for code in one], dtype=np.int32)
    expected = [max((int(weights[code]) for code in one), default=-1) for one in lists]
    assert greatest(offsets, codes, weights).tolist() == expected


def masks_are_exact(edges: np.ndarray, values: np.ndarray) -> None:
    """Compare every mask with the plain comparison."""
    planes = np.empty((len(edges), (len(values) + 7) // 8), dtype=np.uint8)
    with np.errstate(all="ignore"):
        numbers = Cuts(edges).fill(values, planes)
    for edge, plane in zip(edges, planes, strict=True):
        held = np.unpackbits(plane, bitorder="little", count=len(values))
        assert (held == (values >= edge)).all(), (edge, values)
    if numbers is None:
        assert not np.isnan(values).any()
    else:
        held = np.unpackbits(numbers, bitorder="little", count=len(values))
        assert (held == ~np.isnan(values)).all()


@given(
    drawn=st.lists(DOUBLES, min_size=1, max_size=30),
    spread=SPREADS,
    count=st.integers(0, 300),
    nan=st.booleans(),
)
@SETTINGS
def test_doubles_are_cut_exactly(drawn: list[float], spread: np.ndarray, count: int, nan: bool) -> None:
    """At each threshold, just below and just above it, at infinity, at both zeros and beside NaN."""
    edges = np.unique(np.concatenate([drawn, spread[:count]]))
    beside = [[math.nextafter(edge, side) for edge in edges] for side in (math.inf, -math.inf)]
    values = np.concatenate([edges, -edges, *beside, [math.inf, -math.inf], [math.nan, -math.nan] * nan])
    masks_are_exact(edges, values)


@given(drawn=st.lists(WHOLE, min_size=1, max_size=60), count=st.integers(0, 300), step=st.integers(1, 10**9))
@SETTINGS
def test_whole_numbers_are_cut_exactly(drawn: list[int], count: int, step: int) -> None:
    """At each threshold, one below and one above it, up to both ends of 64 bits."""
    edges = np.unique(np.array(drawn + [number * step for number in range(count)], dtype=np.int64))
    values = np.concatenate([edges, edges[edges < HIGH] + 1, edges[edges > LOW] - 1])
    masks_are_exact(edges, values)


@pytest.mark.parametrize("inside", [0, 1, FEW + 1, 200])
def test_thresholds_outside_a_block_are_not_compared(inside: int) -> None:
    """At or below the minimum a mask is everywhere, above the maximum nowhere, past the rows too."""
    edges = np.arange(1000.0)
    values = np.linspace(500.0, 500.0 + inside, 100)
    planes = np.empty((1000, 13), dtype=np.uint8)
    Cuts(edges).fill(values, planes)
    assert (planes[:501] == 255).all()
    assert (planes[501 + inside :] == 0).all()
    masks_are_exact(edges, values)


CHECKER = Checker(
    [
        Variable("amount", "double"),
        Variable("age", "int"),
        Variable("country", "string"),
        Variable("flag", "bool"),
    ],
    {},
)
# Many thresholds for one column, questions that share parts, and parts of the general plan after cheap ones.
TEXTS = [
    *(f"amount > {number}.0 && (age <= {number} || country == 'c{number % 7}')" for number in range(60)),
    "amount >= 30.0 && amount < 31.0 && age % 7 == 3",
    "country in ['c1', 'c2'] && !(amount <= 10.0) || flag",
    "age == 12 || age in [3, 4, 900] || amount == 30.0",
    "age != 12 && amount != 30.0 && country != 'c3'",
    "amount == null || country == null || age != null && flag",
    "!(amount > 5.0 && country.startsWith('c1')) && age * 2 > 50",
    "amount > 1e300 && age / 0 > 1 || !flag",
]
CONDITIONS = [CHECKER.check(text) for text in TEXTS]


def data(rows: int, *, missing: bool, ordered: bool, seed: int = 3) -> pa.RecordBatch:
    """Draw rows; of each column a fifth is missing in the second half, in the first nothing."""
    random = np.random.default_rng(seed)
    amounts = random.random(rows) * 61
    amounts[random.random(rows) < 0.02] = np.nan
    mask = (random.random((4, rows)) < 0.2) & (np.arange(rows) >= rows // 2) & missing
    columns: dict[str, Any] = {
        "amount": (np.sort(amounts) if ordered else amounts, pa.float64()),
        "age": (random.integers(0, 61, rows), pa.int64()),
        "country": ([f"c{code}" for code in random.integers(0, 9, rows)], pa.string()),
        "flag": (random.random(rows) < 0.5, pa.bool_()),
    }
    return pa.RecordBatch.from_pydict(
        {
            name: pa.array(values, kind, mask=mask[place])
            for place, (name, (values, kind)) in enumerate(columns.items())
        }
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks small, so that a few thousand rows are several."""
    monkeypatch.setattr(columnar, "BLOCK", 512)


def equal(one: Hits, other: Hits) -> bool:
    """Compare hits row by row."""
    pairs = zip((*one.true, *one.unknown), (*other.true, *other.unknown), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("offset", [0, 3])
def test_blocks_skipped_or_not_give_what_a_record_gives(missing: bool, ordered: bool, offset: int) -> None:
    """Over blocks with and without nulls and NaN, in order or not, sliced or not, every row is what it is."""
    batch = data(2_300, missing=missing, ordered=ordered).slice(offset)
    hits = columnar.conditions(CONDITIONS).evaluate(batch)
    assert all(rows.dtype == np.int32 and (np.diff(rows) > 0).all() for rows in (*hits.true, *hits.unknown))
    function = scalar.compile_conditions(CONDITIONS)
    true: list[list[int]] = [[] for _ in CONDITIONS]
    unknown: list[list[int]] = [[] for _ in CONDITIONS]
    for row, record in enumerate(batch.to_pylist()):
        held, open_ = function(record)
        for number in held:
            true[number].append(row)
        for number in open_:
            unknown[number].append(row)
    assert [rows.tolist() for rows in hits.true] == true
    assert [rows.tolist() for rows in hits.unknown] == unknown


@pytest.mark.usefixtures("small_blocks")
def test_threads_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread or many, small blocks or one: the same hits."""
    batch = data(5_000, missing=True, ordered=False)
    hits = []
    for count in (1, 2, 7):
        monkeypatch.setattr(threads, "THREADS", count)
        hits.append(columnar.conditions(CONDITIONS).evaluate(batch))
    monkeypatch.setattr(columnar, "BLOCK", 65_536)
    hits.append(columnar.conditions(CONDITIONS).evaluate(batch))
    assert all(equal(hits[0], other) for other in hits[1:])


def test_what_no_row_reaches_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conjunction that is over before its dear parts does not ask the general plan."""
    asked: list[int] = []
    general = masked.MaskedBlock.general
    monkeypatch.setattr(
        masked.MaskedBlock, "general", lambda block, key: asked.append(key) or general(block, key)
    )
    batch = data(100, missing=False, ordered=True)
    condition = [CHECKER.check("age % 7 == 3 && amount > 100.0")]
    assert not len(columnar.conditions(condition).evaluate(batch).true[0])
    assert not asked


GROUPS = st.lists(
    st.tuples(st.integers(0, 100_000), st.frozensets(st.integers(0, 29)).map(sorted)), max_size=8
)


@given(groups=GROUPS, leading=st.frozensets(st.integers(0, 29)).map(sorted), rising=st.booleans())
@SETTINGS
def test_lists_have_the_codes_of_a_row_in_the_order_of_the_groups(
    groups: list[tuple[int, list[int]]], leading: list[int], rising: bool
) -> None:
    """Whatever the codes: a row's list is the codes of the groups that hold it."""
    if rising:
        groups = sorted(dict(groups).items())
    expected: list[list[int]] = [[row] if row in leading else [] for row in range(30)]
    for code, rows in groups:
        for row in rows:
            expected[row].append(code)
    first = np.array(leading, np.int32)
    given_groups = [(first, first), *((code, np.array(rows, np.int32)) for code, rows in groups)]
    offsets, codes = listed(given_groups, 30)
    assert [codes[offsets[row] : offsets[row + 1]].tolist() for row in range(30)] == expected
