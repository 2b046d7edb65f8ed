"""On a real table, Adult census income, the embedding carries what a simple classifier needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from embeddings import Slot, Spec, fit_encoding
from embeddings.export import ALLOWED, check_parity, export_onnx
from embeddings.train import train
from tests.embeddings.tables import batch

ADULT = Path(__file__).parents[2] / "../shared/data/adult.parquet"
TRAIN_ROWS = 32_561
"""The official split: the first rows train, the rest tests."""


@pytest.mark.skipif(not ADULT.exists(), reason="the Adult table is not here")
def test_a_logistic_regression_on_the_embedding_ranks_well() -> None:
    """Test AUC of a strongly regularised logistic regression on the embedding is at least 0.9205."""
    data = pq.read_table(ADULT)
    positive = np.array(data["income"].to_pylist()) == ">50K"
    data = data.drop_columns("income")
    numbers = {field.name for field in data.schema if pa.types.is_integer(field.type)}
    slots = [Slot(name, "number" if name in numbers else "category") for name in data.column_names]
    columns = {
        name: data[name] if name in numbers else data[name].cast(pa.string()) for name in data.column_names
    }
    data = pa.table(columns)

    spec = Spec.from_mapping({}, slots)
    order = np.random.default_rng(7).permutation(TRAIN_ROWS)
    training, validation = np.sort(order[5_000:]), np.sort(order[:5_000])
    encoding = fit_encoding(spec, data.take(training))
    inputs = encoding.batch(batch(data))
    codes = positive.astype(np.int64)

    def rows(at: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        return {name: value[at] for name, value in inputs.items()}, {"income": codes[at]}

    result = train(spec, encoding, *rows(training), *rows(validation), device="cpu")
    assert check_parity(export_onnx(result, encoding), result, inputs) <= ALLOWED
    with torch.no_grad():
        vectors = result.network.embed({name: torch.tensor(value) for name, value in inputs.items()}).numpy()
    vectors = (vectors - vectors[training].mean(axis=0)) / vectors[training].std(axis=0)
    model = LogisticRegression(C=0.001, max_iter=500).fit(vectors[training], codes[training])
    scores = model.predict_proba(vectors[TRAIN_ROWS:])[:, 1]
    assert roc_auc_score(codes[TRAIN_ROWS:], scores) >= 0.9205
