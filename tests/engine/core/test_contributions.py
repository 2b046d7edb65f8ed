"""What moved a score: sums, symmetry, fields that say nothing, exactness, missing and unseen values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.references import References
from engine.runtime import Runtime
from tests.engine.core.explained import (
    FOUR,
    exactly,
    explained_bundle,
    explained_runtime,
    explainer,
    in_all_orders,
    products,
    references,
    tangled,
)
from tests.engine.core.tiny import encoding, runtime, schema, table

NUMBERS = st.floats(-3, 3, width=32)
ROWS = st.lists(st.tuples(*[NUMBERS] * 4), min_size=1, max_size=3)
RECORDS = st.fixed_dictionaries(
    {
        "amount": st.floats(0, 1e9),
        "age_days": st.none() | st.integers(-(10**6), 10**5),
        "is_new": st.booleans(),
        "country": st.none() | st.sampled_from(["DE", "NG", "nowhere seen", ""]),
        "channel": st.sampled_from(["web", "shop"]),
        "memo": st.none() | st.text(max_size=60),
        "at_time": st.integers(0, 2 * 10**15),
    }
)


def of(record: tuple[float, ...]) -> dict[str, float]:
    return dict(zip("abcd", record, strict=True))


def moved(graph: bytes, record: tuple[float, ...], held: References) -> dict[str, float]:
    return dict(explainer(graph, held).explain(of(record))["s"].fields)


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_contributions_and_base_add_up_to_the_log_odds(record: dict[str, Any]) -> None:
    """For any record, with missing and unseen values, base + Σ added = log-odds, whose σ is the score."""
    model = explained_runtime().model
    explaining = model.explainer()
    assert explaining is not None
    for score, value in zip(model.scores, model.record(record), strict=True):
        found = explaining.explain(record)[score]
        assert set(found.fields) == set(schema().by_name)
        assert found.base + sum(found.fields.values()) == pytest.approx(found.log_odds, abs=1e-9)
        assert value is not None
        bounded = min(max(value, 1e-7), 1 - 1e-7)
        assert found.log_odds == pytest.approx(math.log(bounded / (1 - bounded)), abs=1e-6)
        sizes = [abs(added) for added in found.fields.values()]
        assert sizes == sorted(sizes, reverse=True)


@given(st.tuples(*[NUMBERS] * 4), ROWS, st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_in_all_orders_they_are_the_shapley_values(
    record: tuple[float, ...], rows: list[tuple[float, ...]], seed: int
) -> None:
    """Walked in every order, the contributions are Shapley's formula, however tangled the fields are."""
    found = moved(tangled(seed), record, in_all_orders(rows, 4))
    assert [found[name] for name in "abcd"] == pytest.approx(exactly(tangled(seed), record, rows), abs=1e-4)


@given(st.tuples(*[NUMBERS] * 4), ROWS, st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_fields_that_act_in_pairs_need_one_order_and_its_reverse(
    record: tuple[float, ...], rows: list[tuple[float, ...]], order: list[int]
) -> None:
    """There and back along any order is exact for a · b + c · d."""
    held = References({"numeric": np.array(rows, np.float32)}, np.array([order] * len(rows)))
    whole = moved(products(), record, in_all_orders(rows, 4))
    found = moved(products(), record, held)
    assert [found[name] for name in "abcd"] == pytest.approx([whole[name] for name in "abcd"], abs=1e-4)


def test_fields_that_stand_for_each_other_add_the_same() -> None:
    """In a · b + c · d with a = b and c = d everywhere, a adds what b adds, and c what d adds."""
    held = References({"numeric": np.array([[1, 1, -2, -2]], np.float32)}, np.array([[2, 0, 3, 1]]))
    found = moved(products(), (2.0, 2.0, 0.5, 0.5), held)
    assert found["a"] == pytest.approx(found["b"], abs=1e-6)
    assert found["c"] == pytest.approx(found["d"], abs=1e-6)


@given(st.tuples(*[NUMBERS] * 4), ROWS, st.integers(0, 3))
@settings(max_examples=20, deadline=None)
def test_a_field_that_is_not_read_adds_nothing(
    record: tuple[float, ...], rows: list[tuple[float, ...]], place: int
) -> None:
    """Whatever its value, a field without weight adds nothing at all."""
    found = moved(tangled(1, without=place), record, in_all_orders(rows[:1], 4))
    assert found["abcd"[place]] == pytest.approx(0.0, abs=1e-6)


def test_a_field_that_equals_every_reference_adds_nothing() -> None:
    """A value that all reference rows have moved nothing; nor does a missing one that they all miss."""
    rows = [(1.0, 2.0, math.nan, -1.0), (1.0, -2.0, math.nan, 3.0)]
    graph, held = tangled(2), in_all_orders(rows, 4)
    found = explainer(graph, held).explain({"a": 1.0, "b": 0.5, "c": None, "d": 1.0})["s"].fields
    assert found["a"] == found["c"] == 0.0
    assert found["b"] != 0.0


def test_a_record_that_is_a_reference_row_is_not_moved_by_it() -> None:
    """Held against itself alone, a record has nothing to explain."""
    row = (0.5, 1.5, -1.0, 2.0)
    assert set(moved(tangled(3), row, in_all_orders([row], 4)).values()) == {0.0}


def test_a_linear_part_is_exact() -> None:
    """The tiny graph sums its inputs under weights: a field adds its weights × (own − mean of references)."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_model_from_string(explained_bundle().parts["model/model.onnx"])
    held = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    explaining, rows = explained_runtime().model.explainer(), references().rows
    assert explaining is not None
    for record in table(30, 8).to_pylist():
        values = schema().read(record)
        found = explaining.explain(values)
        inputs = encoding().record(values)
        for column, score in enumerate(explained_runtime().model.scores):
            if not 1e-3 < abs(found[score].log_odds) < 5:
                continue  # read off a probability, a margin is only as exact as that
            expected = dict.fromkeys(encoding().names, 0.0)
            for place, (name, owners) in enumerate(encoding().owners.items()):
                known = [np.nan_to_num(array.astype(np.float64)) for array in (inputs[name], rows[name])]
                shares = (known[0] - known[1].mean(axis=0))[0] * held[f"w{place}"][:, column]
                for owner, share in zip(owners, shares, strict=True):
                    expected[encoding().names[owner]] += share
            for name, added in found[score].fields.items():
                assert added == pytest.approx(expected[name], abs=2e-3)


def test_the_same_record_is_explained_the_same() -> None:
    """Twice, and by a bundle opened again: the same numbers, bit for bit."""
    again = Runtime.open(explained_bundle()).model.explainer()
    explaining = explained_runtime().model.explainer()
    assert explaining is not None
    assert again is not None
    for record in table(20, 4).to_pylist():
        values = schema().read(record)
        assert explaining.explain(values) == explaining.explain(values) == again.explain(values)


def test_the_error_is_what_walks_are_off_by() -> None:
    """Over many records and orders, its mean square is that of the distance from exact values."""
    draw = np.random.default_rng(8)
    rows = draw.normal(size=(6, 4)) * 2
    stated, found = [], []
    for seed in range(60):
        record = tuple((draw.normal(size=4) * 2).tolist())
        orders = np.stack([draw.permutation(4) for _ in range(12)])
        held = References({"numeric": rows.astype(np.float32)}, orders)
        told = explainer(tangled(seed), held).explain(of(record))["s"]
        exact = exactly(tangled(seed), record, rows.tolist())
        assert told.error is not None
        stated.append(told.error**2)
        found.append(
            np.mean([(told.fields[name] - value) ** 2 for name, value in zip("abcd", exact, strict=True)])
        )
    assert 0.7 < np.mean(stated) / np.mean(found) < 1.4


def test_the_error_is_nought_for_pairs_and_unknown_for_one_order_a_row() -> None:
    """Fields that act in pairs are exact along any order; rows walked once say nothing of it."""
    rows = np.array([(1.0, 2.0, -1.0, 0.5), (0.0, 1.0, 2.0, 3.0)], np.float32)
    orders = np.array([[0, 1, 2, 3], [2, 0, 3, 1], [3, 1, 0, 2]])
    record = of((2.0, -1.0, 0.5, 1.0))
    twice = explainer(products(), References({"numeric": rows}, orders)).explain(record)["s"]
    once = explainer(products(), References({"numeric": rows}, orders[:2])).explain(record)["s"]
    assert twice.error == pytest.approx(0.0, abs=1e-6)
    assert once.error is None
    assert dict(twice.fields) == pytest.approx(dict(once.fields), abs=1e-6)


def test_a_score_that_is_no_number_is_left_out() -> None:
    """Where the graph gives NaN there is nothing to explain."""
    rows = in_all_orders([(0.0, 0.0, 0.0, 0.0)], 4)
    assert explainer(products(), rows).explain({"a": 1.0, "b": None, "c": 1.0, "d": 1.0}) == {}


def test_a_bundle_without_reference_rows_has_no_explainer() -> None:
    """Bundles made before there were reference rows decide as ever, and explain no score."""
    assert runtime().model.explainer() is None


def test_names_and_owners_tell_whose_a_column_is() -> None:
    """A timestamp has four columns, a text all of its tokens: each is one field."""
    owners = encoding().owners
    names = np.array(encoding().names)
    assert names[owners["numeric"]].tolist() == ["amount", "age_days", *["at_time"] * 4]
    assert set(names[owners["text.memo"]]) == {"memo"}
    assert FOUR.names == ("a", "b", "c", "d")
