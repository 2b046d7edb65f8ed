"""Small tables and trained networks that several tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from embeddings import Encoding, Slot, Spec, fit_encoding
from embeddings.train import Trained, train

SLOTS = (
    Slot("amount", "number"),
    Slot("age", "number"),
    Slot("country", "category"),
    Slot("known", "flag"),
    Slot("memo", "text"),
    Slot("moment", "timestamp"),
)
WORDS = [
    "rent",
    "Coffee",
    "invoice",
    "gift!",
    "München",
    "taxi",
    "refund",
    "12/08",
    "日本語",
    "supercalifragilistic",
]


def table(rows: int = 400, seed: int = 3) -> pa.Table:
    """A table with a column of every kind, each with some missing values."""
    random = np.random.default_rng(seed)

    def some(values: list) -> list:
        return [None if random.random() < 0.1 else value for value in values]

    start = datetime(2026, 3, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=int(minute)) for minute in random.integers(0, 90_000, rows)]
    memos = [" ".join(random.choice(WORDS, random.integers(0, 9))) for _ in range(rows)]
    return pa.table(
        {
            "amount": pa.array(some(np.round(random.lognormal(3, 2, rows), 2).tolist()), pa.float64()),
            "age": pa.array(some(random.integers(18, 90, rows).tolist()), pa.int64()),
            "country": pa.array(
                some(random.choice(["NO", "DE", "FR", "KP", "日本"], rows).tolist()), pa.string()
            ),
            "known": pa.array(some((random.random(rows) < 0.4).tolist()), pa.bool_()),
            "memo": pa.array(some(memos), pa.string()),
            "moment": pa.array(some(moments), pa.timestamp("us", "UTC")),
        }
    )


def batch(data: pa.Table) -> pa.RecordBatch:
    return data.combine_chunks().to_batches()[0]


def records(data: pa.Table) -> list[dict]:
    """Rows as `Schema.read` gives them: moments are microseconds."""
    moments = data.column("moment").cast(pa.int64()).to_pylist()
    return [row | {"moment": moment} for row, moment in zip(data.to_pylist(), moments, strict=True)]


def labels(data: pa.Table, seed: int = 4) -> np.ndarray:
    """Codes that depend on amount, country and memo, with some noise."""
    random = np.random.default_rng(seed)
    rows = data.to_pylist()
    score = [
        (row["amount"] or 0) / 40 + 2 * (row["country"] == "KP") + 2 * ("gift" in (row["memo"] or ""))
        for row in rows
    ]
    return (np.array(score) + random.normal(0, 0.5, len(rows)) > 2).astype(np.int64)


def spec(**settings: object) -> Spec:
    small = {"width": 8, "hidden": [16], "epochs": 3, "text_buckets": 64, "text_width": 4}
    return Spec.from_mapping(small | settings, SLOTS)


def parts(
    inputs: dict[str, np.ndarray], codes: dict[str, np.ndarray], cut: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Training rows before `cut`, validation rows from it on."""
    return (
        {name: value[:cut] for name, value in inputs.items()},
        {name: value[:cut] for name, value in codes.items()},
        {name: value[cut:] for name, value in inputs.items()},
        {name: value[cut:] for name, value in codes.items()},
    )


def trained(data: pa.Table, **settings: object) -> tuple[Trained, Encoding, dict[str, np.ndarray]]:
    """A network trained on the first four fifths of `data`, its encoding, and all rows encoded."""
    settled = spec(**settings)
    encoding = fit_encoding(settled, data)
    inputs = encoding.batch(batch(data))
    given = parts(inputs, {"bad": labels(data)}, len(data) * 4 // 5)
    return train(settled, encoding, *given, device="cpu"), encoding, inputs
