"""A label column becomes class codes, however the file stored it; one that nothing can be learned from is
refused.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from engine.errors import InputError
from engine.project import Label
from engine.training.targets import check_codes, label_codes


def codes(label: Label, values: list, kind: pa.DataType | None = None) -> list[int]:
    return label_codes(label, pa.table({label.column: pa.array(values, kind)}), "train.csv").tolist()


@pytest.mark.parametrize(
    ("expected", "positive", "values"),
    [
        ([1, 0, -1], True, [True, False, None]),
        ([1, 0, -1, 1], True, ["true", "0", "", "Yes"]),
        ([1, 0, 0], True, [1, 0, 0]),
        ([0, 1], False, [True, False]),
        ([1, 0, -1], ">50K", [">50K", "<=50K", None]),
        ([1, 0, 0, -1], 2, [2, 1, 3, None]),
        ([1, 0, -1], 1, [1.0, 0.0, float("nan")]),
        ([1, 0], "1", [1, 0]),
        ([1, 0], 1, ["1", "0"]),
    ],
)
def test_a_binary_label_is_read_from_any_column(expected: list[int], positive: object, values: list) -> None:
    """1 for the positive value, 0 for every other, −1 where it is missing."""
    assert codes(Label("y", "y", positive), values) == expected


def test_a_label_of_several_classes_is_read_in_their_order() -> None:
    """Codes are places in the list of classes; numbers match the text of a class."""
    assert codes(Label("y", "y", None, ("low", "mid", "high")), ["high", None, "low"]) == [2, -1, 0]
    assert codes(Label("y", "y", None, ("1", "2", "3")), [3, 1, None]) == [2, 0, -1]


def test_a_dictionary_column_and_many_chunks_read_the_same() -> None:
    """How Arrow holds the column does not matter."""
    chunks = pa.chunked_array(
        [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", None]).dictionary_encode()]
    )
    assert label_codes(Label("y", "y", "b"), pa.table({"y": chunks}), "x").tolist() == [0, 1, 1, -1]


def test_an_empty_table_has_no_codes() -> None:
    """No rows, no codes, no crash."""
    assert codes(Label("y", "y", "b"), [], pa.string()) == []


def test_a_missing_label_column_names_the_nearest() -> None:
    """The message names file, column and what was probably meant."""
    with pytest.raises(
        InputError, match=r"train\.csv: no column 'incme' for label 'income'; did you mean 'income'"
    ):
        label_codes(Label("income", "incme"), pa.table({"income": [1]}), "train.csv")


def test_values_that_are_neither_true_nor_false_ask_for_the_positive_one() -> None:
    """A label without 'positive' must hold truth values."""
    with pytest.raises(
        InputError, match=r"neither true nor false: '>50K', '<=50K'; say in project.yaml which value"
    ):
        codes(Label("y", "y"), [">50K", "<=50K"])


def test_a_value_outside_the_classes_is_refused_by_name() -> None:
    """With the classes and the nearest of them."""
    with pytest.raises(
        InputError, match=r"not among its classes \(low, mid, high\): 'hihg'; did you mean 'high'"
    ):
        codes(Label("y", "y", None, ("low", "mid", "high")), ["low", "hihg"])


@pytest.mark.parametrize(
    ("message", "given"),
    [
        ("every row's label is missing", [-1, -1]),
        ("constant, all 30 labelled rows are of one class .no: 30, yes: 0.. 'positive' is 'b'", [0] * 30),
        ("a class has fewer than 10 rows .no: 30, yes: 2.; give more rows", [0] * 30 + [1, 1]),
    ],
)
def test_a_label_that_nothing_can_be_learned_from_is_refused(message: str, given: list[int]) -> None:
    """Missing throughout, constant, or a class with two rows: the counts are in the message."""
    with pytest.raises(InputError, match=message):
        check_codes(Label("y", "y", "b"), np.array(given), "'a'", "train.csv")
