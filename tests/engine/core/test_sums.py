"""Explanations by sums: the same as by the whole graph, and refused where a stated sum is none."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BundleError
from engine.references import References
from tests.engine.core.explained import beside, explainer, in_all_orders, tangled

NUMBERS = st.one_of(st.floats(-3, 3, width=32), st.just(math.nan))
ROWS = st.lists(st.tuples(*[NUMBERS] * 4), min_size=1, max_size=5)
GRAPHS = {"tangled": tangled(5), "beside": beside(5)}


def held(rows: list[tuple[float, ...]], seed: int = 0, walks: int = 1) -> References:
    draw = np.random.default_rng(seed)
    orders = np.stack([draw.permutation(4) for _ in range(walks * len(rows))])
    return References({"numeric": np.array(rows, np.float32)}, orders)


def of(record: tuple[float, ...]) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in zip("abcd", record, strict=True)}


@pytest.mark.parametrize("graph", GRAPHS)
@given(st.tuples(*[NUMBERS] * 4), ROWS, st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_by_sums_is_as_by_the_whole_graph(
    graph: str, record: tuple[float, ...], rows: list[tuple[float, ...]], seed: int
) -> None:
    """Added up from parts or run through all nodes: one explanation, also of inputs read past sums."""
    whole = explainer(GRAPHS[graph], held(rows, seed)).explain(of(record))["s"]
    added = explainer(GRAPHS[graph], held(rows, seed), sums=["hidden"]).explain(of(record))["s"]
    assert added.log_odds == pytest.approx(whole.log_odds, abs=1e-5)
    assert added.base == pytest.approx(whole.base, abs=1e-5)
    for name in "abcd":
        assert added.fields[name] == pytest.approx(whole.fields[name], abs=1e-5)
    assert added.base + sum(added.fields.values()) == pytest.approx(added.log_odds, abs=1e-9)


@given(st.tuples(*[NUMBERS] * 4), st.tuples(*[NUMBERS] * 4), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_a_field_that_equals_every_reference_adds_nothing_at_all(
    record: tuple[float, ...], row: tuple[float, ...], place: int
) -> None:
    """Not a rounding error: nought."""
    same = tuple(row[at] if at == place else value for at, value in enumerate(record))
    found = explainer(tangled(5), held([row]), sums=["hidden"]).explain(of(same))["s"]
    assert found.fields["abcd"[place]] == 0.0


def test_a_margin_that_is_a_sum_needs_no_walk_to_be_exact() -> None:
    """Of a model linear in its fields, with the margin itself for the sum: weight × (own − reference)."""
    rows = [(0.0, 1.0, 2.0, 3.0), (1.0, -1.0, 0.5, 0.0)]
    found = explainer(beside(5, linear=True), held(rows), sums=["margin"]).explain(of((1.0, 1.0, 1.0, 1.0)))
    mean = np.array(rows).mean(axis=0)
    assert [found["s"].fields[name] for name in "abcd"] == pytest.approx((1 - mean).tolist(), abs=1e-6)


def test_a_tensor_that_is_no_sum_is_refused() -> None:
    """What the fields add behind a ReLU depends on the others: saying otherwise is found out."""
    rows = [(3.0, -3.0, 2.0, -2.0), (-1.0, 1.0, 1.0, -1.0)]
    with pytest.raises(BundleError, match="'active' is no sum of its fields' parts"):
        explainer(tangled(5), held(rows), sums=["active"]).explain(of((-2.0, 2.0, -2.0, 2.0)))


def test_sums_that_the_graph_lacks_are_refused() -> None:
    """A tensor that is nowhere is never read, so that nothing rests on it; an input is no sum."""
    rows = held([(0.0, 0.0, 0.0, 0.0)])
    whole = explainer(tangled(5), rows).explain(of((1.0, 2.0, 3.0, 4.0)))
    assert explainer(tangled(5), rows, sums=["nowhere"]).explain(of((1.0, 2.0, 3.0, 4.0))) == whole
    with pytest.raises(BundleError, match="no node gives 'numeric'"):
        explainer(tangled(5), rows, sums=["numeric"])


def test_one_explanation_whatever_was_explained_before_and_beside_it() -> None:
    """In any order, on any number of threads, bit for bit."""
    draw = np.random.default_rng(4)
    records = [of(tuple(row)) for row in draw.normal(size=(40, 4)).tolist()]
    ours = explainer(tangled(6), in_all_orders([(0.0, 1.0, -1.0, 0.5)], 4), sums=["hidden"])
    alone = [ours.explain(record) for record in records]
    assert [ours.explain(record) for record in reversed(records)] == alone[::-1]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ours.explain, records)) == alone
