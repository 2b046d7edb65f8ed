"""Reference rows: what explanations hold a record against, encoded, with the orders in which fields change.

Training rows as the graph reads them, few and chosen to stand for all. Each has an order of the fields: an
explanation walks from the reference row to the record, and back, changing one field at a time in that order.
Some have a second order: how far two walks from one row differ tells what walks are off by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embeddings.encode import Encoding
from embeddings.fields import BOUND
from engine.errors import BundleError

REFERENCES = "model/references.json"
MOST_ROWS = 1_024


@dataclass(frozen=True, eq=False)
class References:
    """`rows`: inputs of R reference rows by name, `(R, columns)`; `orders` `(P, fields)` int64, R ≤ P ≤ 2 R:
    order k is of row k mod R, and has the places of all fields in `Encoding.names`, each once.
    """

    rows: Mapping[str, np.ndarray]
    orders: np.ndarray

    def __len__(self) -> int:
        return len(next(iter(self.rows.values())))

    def to_json(self) -> dict[str, Any]:
        """Give the written form: JSON types only, null for NaN."""
        rows = {name: array.tolist() for name, array in self.rows.items()}
        if "numeric" in rows:
            rows["numeric"] = [
                [None if value != value else value for value in row] for row in rows["numeric"]
            ]
        return {"rows": rows, "orders": self.orders.tolist()}

    @classmethod
    def from_json(cls, data: Any, encoding: Encoding) -> References:
        """Read a written form, whoever wrote it. Raises BundleError."""
        if (
            not isinstance(data, dict)
            or set(data) != {"rows", "orders"}
            or not isinstance(data["rows"], dict)
        ):
            raise BundleError("expected the keys 'rows' and 'orders'", part=REFERENCES)
        orders = _whole(data["orders"], "orders", (0, len(encoding.names)))
        if orders.shape[1] != len(encoding.names) or (np.sort(orders) != np.arange(orders.shape[1])).any():
            raise BundleError("orders: each has every field of the encoding once", part=REFERENCES)
        owners, rows = encoding.owners, data["rows"]
        if set(rows) != set(owners):
            raise BundleError("rows: not the inputs of the encoding", part=REFERENCES)
        read = {name: _input(name, rows[name], encoding) for name in owners}
        count = min(len(array) for array in read.values())
        if count > MOST_ROWS:
            raise BundleError(f"{count} rows; from 1 to {MOST_ROWS} are allowed", part=REFERENCES)
        for name, array in read.items():
            if array.shape != (count, len(owners[name])):
                raise BundleError(f"rows.{name}: {array.shape} values do not fit", part=REFERENCES)
        if not count <= len(orders) <= 2 * count:
            message = f"{len(orders)} orders for {count} rows; each row has one or two"
            raise BundleError(message, part=REFERENCES)
        return cls(read, orders)


def _input(name: str, values: Any, encoding: Encoding) -> np.ndarray:
    place = f"rows.{name}"
    if name == "numeric":
        return _numbers(values, place)
    if name == "categories":
        return _whole(values, place, (0, encoding.table_rows))
    (text,) = (text for text in encoding.texts if name == f"text.{text.name}")
    return _whole(values, place, (0, text.rows))


def _numbers(values: Any, place: str) -> np.ndarray:
    rows = _rows(values, place)
    for row in rows:
        if not all(one is None or (type(one) in (int, float) and -BOUND <= one <= BOUND) for one in row):
            raise BundleError(f"{place}: expected numbers within ±{BOUND:g}, or null", part=REFERENCES)
    return np.array([[np.nan if one is None else one for one in row] for row in rows], np.float32)


def _whole(values: Any, place: str, between: tuple[int, int]) -> np.ndarray:
    low, high = between
    rows = _rows(values, place)
    for row in rows:
        if not all(type(one) is int and low <= one < high for one in row):
            raise BundleError(f"{place}: expected whole numbers from {low} to {high - 1}", part=REFERENCES)
    return np.array(rows, np.int64)


def _rows(values: Any, place: str) -> list[list[Any]]:
    """Lists of one length within a list; at least one."""
    if not isinstance(values, list) or not values or not all(isinstance(row, list) for row in values):
        raise BundleError(f"{place}: expected a list of lists", part=REFERENCES)
    if len({len(row) for row in values}) > 1:
        raise BundleError(f"{place}: rows of different lengths", part=REFERENCES)
    return values
