"""Reference rows as written: read back as they were, and refused where anything does not fit the encoding."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.errors import BundleError
from engine.references import REFERENCES, References
from engine.runtime import Runtime
from tests.engine.core.explained import references
from tests.engine.core.tiny import bundle, encoding


def written() -> dict[str, Any]:
    return json.loads(json.dumps(references().to_json()))  # type: ignore[no-any-return]


def test_what_is_written_is_read_back_bit_for_bit() -> None:
    """Numbers, missing ones, levels, tokens and orders survive JSON."""
    read = References.from_json(written(), encoding())
    for name, array in references().rows.items():
        assert read.rows[name].dtype == array.dtype
        np.testing.assert_array_equal(read.rows[name], array)
    np.testing.assert_array_equal(read.orders, references().orders)
    assert np.isnan(read.rows["numeric"]).any()


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Put the last of `path` at the place that the rest names."""

    def change(data: Any) -> None:
        *steps, key, value = path
        for step in steps:
            data = data[step]
        data[key] = value

    return change


def repeat(data: dict[str, Any], times: int) -> None:
    data["orders"] *= times
    for rows in data["rows"].values():
        rows *= times


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("more", 1), "'rows' and 'orders'"),
        (put("rows", []), "'rows' and 'orders'"),
        (put("orders", []), "orders: expected a list of lists"),
        (put("orders", 0, [0, 1]), "different lengths"),
        (put("orders", 0, 0, 99), "whole numbers from 0 to 6"),
        (put("orders", 0, 0, True), "whole numbers from 0 to 6"),
        (put("orders", 0, [0, 0, 1, 2, 3, 4, 5]), "every field of the encoding once"),
        (put("orders", [[0, 1, 2, 3, 4, 5, 6]] * 13), "13 orders for 6 rows"),
        (put("orders", [[0, 1, 2, 3, 4, 5, 6]] * 5), "5 orders for 6 rows"),
        (lambda data: repeat(data, 200), "1200 rows; from 1 to 1024"),
        (put("rows", "other", []), "not the inputs of the encoding"),
        (put("rows", "numeric", 0, 0, 1e30), "numbers within"),
        (put("rows", "numeric", 0, 0, "1"), "numbers within"),
        (put("rows", "numeric", 0, 0, True), "numbers within"),
        (put("rows", "categories", 0, 0, -1), "whole numbers from 0"),
        (put("rows", "categories", 0, 0, 10**9), "whole numbers from 0"),
        (put("rows", "text.memo", 0, 0, 66), "whole numbers from 0 to 65"),
        (put("rows", "text.memo", 0, 0, 1.5), "whole numbers from 0 to 65"),
        (put("rows", "numeric", [[0.0]]), "do not fit"),
    ],
)
def test_what_does_not_fit_is_refused_when_the_bundle_is_opened(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    """A number out of bounds, a field twice, a row too few: the part is named."""
    data = written()
    change(data)
    with pytest.raises(BundleError, match=message) as refused:
        Runtime.open(bundle(**{REFERENCES: json.dumps(data).encode()}))
    assert refused.value.part == REFERENCES


@pytest.mark.parametrize(
    "margins",
    [
        {"tensor": "nowhere", "first": 0, "scale": "log-odds"},
        {"tensor": "sum", "first": 7, "scale": "log-odds"},
        {"tensor": "sum", "first": -1, "scale": "log-odds"},
        {"tensor": "sum", "first": 0, "scale": "volts"},
        {"tensor": 5, "first": 0, "scale": "log-odds"},
        {"first": 0},
        [],
    ],
)
def test_margins_that_the_model_does_not_have_are_refused(margins: Any) -> None:
    """A tensor, a column or a scale that is not there is named, and is no failure of the runtime's."""
    made = _with_margins(margins)
    with pytest.raises(BundleError):
        Runtime.open(made).model.explainer()


def test_margins_are_read_where_they_are_stated() -> None:
    """Log-odds read before the sigmoid are those of the scores."""
    made = _with_margins({"tensor": "sum", "first": 0, "scale": "log-odds"})
    explaining = Runtime.open(made).model.explainer()
    assert explaining is not None


def _with_margins(margins: Any) -> Bundle:
    scores = ["fraud", "grade.a", "grade.b", "grade.c"]
    described = {
        "scores": scores,
        "classifiers": [{"name": "all", "scores": scores, "margins": margins}],
        "pad_single_rows": False,
    }
    parts = {"model/scores.json": json.dumps(described).encode(), REFERENCES: json.dumps(written()).encode()}
    return bundle(**parts)
