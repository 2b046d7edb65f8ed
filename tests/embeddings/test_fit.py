"""What an encoding is fixed to: scales, bins, levels, lengths; also on columns that say nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from embeddings import EncodingError, Slot, Spec, fit_encoding
from embeddings.encode import Encoding
from embeddings.fields import BOUND


def fitted(values: pa.Array, kind: str, **settings: object) -> Encoding:
    return fit_encoding(Spec.from_mapping(settings, [Slot("x", kind)]), pa.table({"x": values}))


def edges(values: list[float | None], **settings: object) -> list[float]:
    """Bin edges, in the field's own units."""
    (number,) = fitted(pa.array(values, pa.float64()), "number", **settings).numbers
    return [round(edge / number.inverse_scale + number.mean, 4) for edge in number.edges]


def test_few_values_are_all_edges() -> None:
    """A column with no more values than bins has an edge at each."""
    assert edges([1.0, 2.0, 5.0, 2.0, None]) == [1, 2, 5]


def test_many_values_give_quantiles() -> None:
    """Bins hold about equally many rows."""
    assert edges([float(i) for i in range(1001)], bins=4) == [0, 250, 500, 750, 1000]


def test_a_heavy_value_is_a_step() -> None:
    """A value that many rows have is an edge, and the values next to it are too."""
    values = [0.0] * 900 + [float(i) for i in range(100, 1100)]
    found = edges(values, bins=8)
    assert found[:2] == [0, 100]
    assert found[-1] == 1099


@pytest.mark.parametrize(
    "values", [[], [None, None], [3.5] * 9, [1e308] * 3, [float("inf"), float("-inf")], [1.0]]
)
def test_a_column_that_says_nothing_has_no_bins(values: list[float | None]) -> None:
    """All missing, constant, infinite or a single row: a sound scale, no bins, finite inputs."""
    column = pa.array([*values, None], pa.float64())
    (number,) = (encoding := fitted(column, "number")).numbers
    assert number.edges == ()
    assert np.isfinite([number.mean, number.inverse_scale]).all()
    (back,) = Encoding.from_json(encoding.to_json()).numbers
    assert back == number


def test_one_sentinel_does_not_set_the_scale() -> None:
    """One 1e18 among thousands of small values leaves these apart from each other."""
    values = pa.array([*np.linspace(0, 10, 5_000).tolist(), 1e18])
    encoding = fitted(values, "number")
    numeric = encoding.batch(pa.record_batch({"x": values}))["numeric"][:, 0]
    assert np.ptp(numeric[:-1]) > 3
    assert numeric[-1] == BOUND


def test_extreme_values_fit() -> None:
    """Values near the largest float have a finite scale, and bins."""
    (number,) = fitted(pa.array([-1e308, 1e308, 1.5e308, 0.0]), "number").numbers
    assert np.isfinite([number.mean, number.inverse_scale]).all()
    assert len(number.edges) == 4


def test_standardised_numbers_have_no_bins() -> None:
    """`numeric: standardised` keeps the value alone."""
    assert edges([1.0, 2.0, 3.0], numeric="standardised") == []


def test_many_columns_have_fewer_bins() -> None:
    """Above sixty numeric columns the bins are halved."""
    names = [f"x{i}" for i in range(61)]
    data = pa.table({name: np.linspace(0, 1, 500) for name in names})
    slots = tuple(Slot(name, "number") for name in names)
    encoding = fit_encoding(Spec(slots=slots, bins=32), data)
    assert {len(number.edges) for number in encoding.numbers} == {17}


def test_rare_levels_are_left_out() -> None:
    """A level seen fewer than `rare` times is not a level, and at most `levels` are, the most frequent."""
    values = pa.array(["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + [None])
    assert fitted(values, "category").categories[0].levels == ("a", "b", "c")
    assert fitted(values, "category", levels=2).categories[0].levels == ("a", "b")
    assert fitted(values, "category", rare=1).categories[0].levels == ("a", "b", "c", "d")
    assert fitted(pa.array([None, None], pa.string()), "category").categories[0].levels == ()


def test_the_order_of_rows_does_not_matter() -> None:
    """Levels are sorted, so that shuffled rows give the same encoding."""
    values = ["é", "b", "a", "b", "a", "é", "Z", "Z"]
    assert fitted(pa.array(values), "category", rare=2) == fitted(pa.array(values[::-1]), "category", rare=2)


def test_a_text_has_places_for_what_training_holds() -> None:
    """Places cover nearly every training text, up to `text_tokens`."""
    texts = pa.array(["one two three"] * 100 + [None])
    assert fitted(texts, "text").texts[0].tokens == 3 + 2 + 5
    assert fitted(texts, "text", text_tokens=4).texts[0].tokens == 4
    assert fitted(pa.array([None], pa.string()), "text").texts[0].tokens == 1


def test_chunked_columns_fit() -> None:
    """A table in several chunks gives the encoding of one chunk."""
    part = pa.table({"x": [1.0, 2.0, 4.0]})
    spec = Spec(slots=(Slot("x", "number"),))
    assert fit_encoding(spec, pa.concat_tables([part, part])) == fit_encoding(
        spec, pa.concat_tables([part, part]).combine_chunks()
    )


@pytest.mark.parametrize(
    ("spec", "data", "message"),
    [
        (Spec(), {"x": [1.0]}, "no fields"),
        (Spec(slots=(Slot("y", "number"),)), {"x": [1.0]}, "no column for y"),
        (Spec(slots=(Slot("x", "number"),)), {"x": pa.array([], pa.float64())}, "no training rows"),
    ],
)
def test_what_cannot_be_fitted_is_named(spec: Spec, data: dict, message: str) -> None:
    """No slots, a slot without a column, a table without rows."""
    with pytest.raises(EncodingError, match=message):
        fit_encoding(spec, pa.table(data))
