"""The embedding as a scikit-learn transformer: any table in, vectors out, by scikit-learn's own rules."""

from __future__ import annotations

import inspect
import pickle
import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import onnxruntime
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from embeddings import Encoder, Spec
from embeddings.errors import EmbeddingError
from tests.embeddings.tables import labels, table

QUICK = {"width": 6, "hidden": (12,), "bins": 4, "epochs": 3, "text_buckets": 64}
EXCEPTIONS: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": "a weight is no repeated row to bins and batches"
}
SKIPPED = {"check_array_api_input": "runs only where the variable SCIPY_ARRAY_API is set"}


def numbers(rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(rows, 4))
    return values, (values[:, 0] + values[:, 1] > 0).astype(int)


def test_scikit_learn_s_own_checks_pass() -> None:
    """Every check of check_estimator passes, but those listed with a reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(Encoder(**QUICK), on_fail=None)
    failed = {one["check_name"] for one in results if one["status"] == "failed"}
    assert failed == set(EXCEPTIONS)
    assert {one["check_name"] for one in results if one["status"] == "skipped"} == set(SKIPPED)
    assert sum(one["status"] == "passed" for one in results) > 35


def test_its_settings_are_those_of_the_spec() -> None:
    """The same names and defaults, and of its own `kinds`, `validation` and `device`."""
    signature = inspect.signature(Encoder).parameters
    own = {
        name: one.default for name, one in signature.items() if name not in ("kinds", "validation", "device")
    }
    spec = {name: getattr(Spec, name) for name in Spec().to_mapping()}
    assert own == spec


@pytest.mark.parametrize(
    "make", [pa.Table.to_pandas, pl.from_arrow, lambda one: one], ids=["pandas", "polars", "arrow"]
)
def test_a_row_has_one_vector_whatever_table_it_comes_in(make) -> None:
    """pandas, polars and Arrow give equal vectors, for rows alone and together, bit for bit."""
    data = table(200)
    encoder = Encoder(**QUICK, kinds={"memo": "text"}).fit(data, labels(data))
    expected = encoder.transform(data)
    assert (expected.shape, expected.dtype) == ((200, 6), np.float32)
    assert np.array_equal(encoder.transform(make(data)), expected)
    for row in (0, 7):
        assert np.array_equal(encoder.transform(make(data.slice(row, 1))), expected[row : row + 1])


def test_columns_go_by_their_type_and_strings_by_their_values() -> None:
    """Numbers, flags, moments; strings that recur are categories, long ones that do not are texts."""
    rows = 60
    frame = pd.DataFrame(
        {
            "amount": np.arange(rows) / 7,
            "known": np.arange(rows) % 2 == 0,
            "country": ["NO", "DE", None] * 20,
            "memo": [f"invoice number {number} of the year" for number in range(rows)],
            "level": pd.Categorical([1, 2, 3] * 20),
            "moment": [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(rows)],
        }
    )
    encoding = Encoder(**QUICK).fit(frame, frame.known).encoding_
    assert [one.name for one in encoding.numbers] == ["amount"]
    assert [one.name for one in encoding.clocks] == ["moment"]
    assert [one.name for one in encoding.texts] == ["memo"]
    assert [one.name for one in encoding.categories] == ["known", "country", "level"]


def test_it_learns_what_the_labels_say() -> None:
    """A logistic model on its vectors tells held-out rows apart."""
    data = table(900)
    codes = labels(data)
    model = make_pipeline(Encoder(**QUICK | {"epochs": 20}, kinds={"memo": "text"}), LogisticRegression())
    scores = model.fit(data.slice(0, 600).to_pandas(), codes[:600]).predict_proba(data.slice(600).to_pandas())
    assert roc_auc_score(codes[600:], scores[:, 1]) > 0.85


def test_no_training_row_is_told_its_own_label() -> None:
    """Labels by chance, levels seen twice: `transform` of the training rows knows their labels, what
    `fit_transform` gave for them does not.
    """
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"key": [f"k{number % 400}" for number in range(800)]})
    codes = rng.integers(0, 2, 800)
    encoder = Encoder(**QUICK | {"epochs": 1, "rare": 1})
    own = encoder.fit_transform(frame, codes)
    again = encoder.transform(frame)

    def told(vectors: np.ndarray) -> float:
        half = np.arange(len(codes)) < 400
        model = LogisticRegression().fit(vectors[half], codes[half])
        return float(roc_auc_score(codes[~half], model.predict_proba(vectors[~half])[:, 1]))

    assert told(own) < 0.58
    assert told(again) > 0.6


def test_numbers_alone_are_the_same_from_fit_transform_and_transform() -> None:
    """Nothing is told out of fold there, so that both are one function."""
    values, codes = numbers()
    encoder = Encoder(**QUICK)
    assert np.array_equal(encoder.fit_transform(values, codes), encoder.transform(values))


def test_without_labels_it_gives_directions_of_the_fields() -> None:
    """Near rows are near: of all other rows the vector nearest is the row changed least."""
    values, _ = numbers()
    encoder = Encoder(width=4).fit(values)
    vectors = encoder.transform(values)
    nudged = encoder.transform(values + 1e-3)
    nearest = ((nudged[:, None] - vectors[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert encoder.onnx_ is None
    assert np.array_equal(nearest, np.arange(len(values)))


def test_several_labels_are_learned_together_and_may_be_missing() -> None:
    """A frame with a column for each label, None where it is not known."""
    values, codes = numbers()
    frame = pd.DataFrame({"fraud": codes.astype(object), "grade": np.array(list("abc"))[np.arange(120) % 3]})
    frame.loc[:20, "fraud"] = None
    encoder = Encoder(**QUICK).fit(values, frame)
    assert {name: list(found) for name, found in encoder.classes_by_label_.items()} == {
        "fraud": [0, 1],
        "grade": ["a", "b", "c"],
    }


def test_its_graph_gives_its_vectors() -> None:
    """`onnx_` over the inputs of `encoding_` is `transform`."""
    values, codes = numbers()
    encoder = Encoder(**QUICK).fit(values, codes)
    batch = pa.record_batch([pa.array(column) for column in values.T], names=["x0", "x1", "x2", "x3"])
    session = onnxruntime.InferenceSession(encoder.onnx_, providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, encoder.encoding_.batch(batch))[0], encoder.transform(values))


def test_one_seed_gives_one_encoder_also_when_pickled_or_cloned() -> None:
    """A copy by pickle and a clone fitted again give the same bits; another seed gives others."""
    values, codes = numbers()
    encoder = Encoder(**QUICK).fit(values, codes)
    expected = encoder.transform(values)
    assert np.array_equal(pickle.loads(pickle.dumps(encoder)).transform(values), expected)
    assert np.array_equal(clone(encoder).fit(values, codes).transform(values), expected)
    assert not np.array_equal(
        clone(encoder).set_params(seed=8).fit(values, codes).transform(values), expected
    )


def test_a_search_may_vary_its_settings() -> None:
    """NumPy's own numbers are taken as settings, and a pandas frame comes out where one is asked for."""
    values, codes = numbers()
    model = make_pipeline(Encoder(**QUICK).set_output(transform="pandas"), LogisticRegression())
    search = GridSearchCV(model, {"encoder__width": np.array([2, 4])}, cv=2).fit(values, codes)
    vectors = search.best_estimator_[:-1].transform(values)
    assert list(vectors.columns) == [f"encoder{place}" for place in range(vectors.shape[1])]


def test_a_list_of_rows_has_a_type_for_each_column() -> None:
    """A text among the cells makes no text of the others; a row's vector is that of the frame."""
    rows = [[number / 7, "NO" if number % 3 else "DE", number % 2 == 0] for number in range(120)]
    codes = [int(row[0] > 8) for row in rows]
    frame = pd.DataFrame(rows)
    encoder = Encoder(**QUICK).fit(rows, codes)
    assert [one.name for one in encoder.encoding_.numbers] == ["x0"]
    assert [one.name for one in encoder.encoding_.categories] == ["x1", "x2"]
    vectors = Encoder(**QUICK).fit(frame, codes).transform(frame)
    assert np.array_equal(encoder.transform(rows), vectors)
    assert np.array_equal(encoder.transform([rows[7]]), vectors[7:8])
    with pytest.raises(EmbeddingError, match="column 'x0': text, where a number is expected"):
        encoder.transform([["much", "NO", True]])


def test_rows_count_by_their_weight() -> None:
    """Of two rows that contradict each other the heavier is believed; weights that are equal are none."""
    values, codes = numbers(400)
    both, labels_ = np.vstack([values, values]), np.concatenate([codes, 1 - codes])
    settings = QUICK | {"epochs": 25}
    for weights in (np.repeat([1.0, 0.1], 400), np.repeat([3, 0], 400)):
        encoder = Encoder(**settings).fit(both, labels_, sample_weight=weights)
        model = LogisticRegression().fit(encoder.transform(values)[:200], codes[:200])
        assert model.score(encoder.transform(values)[200:], codes[200:]) > 0.85
    alike = Encoder(**QUICK).fit(values, codes, sample_weight=np.full(400, 5.0)).transform(values)
    assert np.array_equal(alike, Encoder(**QUICK).fit(values, codes).transform(values))


def test_without_labels_weights_turn_the_directions() -> None:
    """The direction kept is that in which the rows that count vary."""
    rng = np.random.default_rng(1)
    values = np.zeros((200, 2))
    values[:100, 0], values[100:, 1] = rng.normal(size=100), rng.normal(size=100)
    for column, weights in enumerate(([1.0] * 100 + [0.01] * 100, [0.01] * 100 + [1.0] * 100)):
        encoder = Encoder(width=2).fit(values, sample_weight=weights)
        assert np.abs(encoder._directions[:2, 0]).argmax() == column


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), "finite numbers from 0 on"),
        (np.full(120, np.nan), "finite numbers from 0 on"),
        (np.zeros(120), "at least one non-zero number"),
        (np.ones(5), r"the shape \(5,\), and X has 120 rows"),
        (["heavy"] * 120, "holds what is no number"),
    ],
)
def test_weights_that_are_none_are_refused(weights, message: str) -> None:
    """With what they must be."""
    with pytest.raises(EmbeddingError, match=message):
        Encoder(**QUICK).fit(*numbers(), sample_weight=weights)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"b": [1, 2] * 3, "a": [1, "x", None] * 2}, "column 'a' cannot be read: Could not convert 'x'"),
        ({"a": [10**30, 5] * 3}, "column 'a' cannot be read: it holds a whole number of more than 64 bits"),
        ({"a": ["\ud800", "b"] * 3}, "column 'a' cannot be read: it holds a text that is no Unicode"),
    ],
)
def test_a_column_that_cannot_be_read_is_named(frame: dict[str, list], message: str) -> None:
    """Whatever Arrow raises for it."""
    columns = {name: pd.Series(values, dtype=object) for name, values in frame.items()}
    with pytest.raises(EmbeddingError, match=message):
        Encoder(**QUICK).fit(pd.DataFrame(columns), [0, 1] * 3)


def test_kinds_and_columns_that_are_none_are_told() -> None:
    """A text where a mapping belongs, and a frame with rows and no columns."""
    with pytest.raises(EmbeddingError, match="kinds: got 'text'; give a kind for each column"):
        Encoder(kinds="text").fit(pd.DataFrame({"a": ["x", "y"]}), [0, 1])
    with pytest.raises(EmbeddingError, match=r"Found 0 column\(s\) in X"):
        Encoder().fit(pd.DataFrame(index=range(9)), [0, 1, 0] * 3)


BROKEN = {
    "column 'a': Input X contains infinity, 1 times": ({"a": [1.0, np.inf] * 1 + [2.0] * 4}, {}, [0, 1] * 3),
    "column 'a': text, where a number is expected": (
        {"a": ["x"] * 6},
        {"kinds": {"a": "number"}},
        [0, 1] * 3,
    ),
    "kinds: no column 'b'; there are a": ({"a": range(6)}, {"kinds": {"b": "text"}}, [0, 1] * 3),
    "kinds: unknown kind 'txt' of 'a'; known: number": ({"a": range(6)}, {"kinds": {"a": "txt"}}, [0, 1] * 3),
    "label 'y' has 1 class": ({"a": range(6)}, {}, [1] * 6),
    "Unknown label type: continuous": ({"a": range(6)}, {}, [0.5, 1, 2, 3, 4, 5]),
    "Input y contains infinity": ({"a": range(6)}, {}, [0, 1, 1, 1, 1, np.inf]),
    "width: 1 is out of range; give a whole number from 2": ({"a": range(6)}, {"width": 1}, [0, 1] * 3),
    "validation: got 2; give a share": ({"a": range(6)}, {"validation": 2}, [0, 1] * 3),
    "column 'a': a struct": ({"a": [{"b": 1}] * 6}, {}, [0, 1] * 3),
    "label 'y' 5: inconsistent lengths": ({"a": range(6)}, {}, [0, 1, 0, 1, 0]),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_cannot_be_used_is_refused_by_name(message: str) -> None:
    """Settings, columns and labels: a ValueError that says what is wrong and where."""
    columns, settings, codes = BROKEN[message]
    with pytest.raises(EmbeddingError, match=message):
        Encoder(**QUICK | settings).fit(pa.table({name: list(one) for name, one in columns.items()}), codes)
