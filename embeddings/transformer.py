"""The embedding alone, as a scikit-learn transformer: a table in, a vector for each row out.

With labels it is the tower that the engine trains. Without, it is the few directions in which the encoded
fields vary most (a truncated singular value decomposition, as in latent semantic analysis).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa
from scipy import sparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from embeddings.body import train_body
from embeddings.classes import MISSING, class_codes, row_weights, validation_rows
from embeddings.columns import arrow_table, normal_columns, slots_for, typed_rows
from embeddings.derived import INPUT, fit_derived, with_derived
from embeddings.design import design, token_rarity
from embeddings.encode import Encoding
from embeddings.errors import EncodingError, SpecError, SpecProblem
from embeddings.export import check_parity, export_onnx
from embeddings.fit import fit_encoding
from embeddings.spec import Slot, Spec
from embeddings.train import embed

_ROWS_A_CALL = 4_096


class Encoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A table of n rows → vectors `(n, width)` float32.

    `X` is a pandas or polars frame, an Arrow table, or a two-dimensional array; `y` holds classes, `(n,)` for
    one label or `(n, k)` for several that are learned together, None or NaN where a label is missing. Without
    `y` nothing is trained, and there may be fewer than `width` dimensions.

    `fit_transform` is not `fit` followed by `transform` where categories of many levels or texts are told
    what they say about the labels: there a row's vector comes from what other rows say, as in scikit-learn's
    `TargetEncoder`. Fit a classifier on that, as a `Pipeline` does.

    Parameters
    ----------
    kinds: kinds of columns by name (`number`, `flag`, `category`, `text`, `timestamp`). Others go by their
        type; strings are texts if they hardly recur and have 20 characters in the mean, else categories.
    validation: the share of the rows that says when to stop training.
    device: `auto` takes a GPU where there is one.
    The others are those of `embeddings.Spec`.

    Attributes
    ----------
    encoding_: what turns columns into the network's inputs, an `embeddings.Encoding`.
    onnx_: the trained tower as the bytes of an ONNX graph over those inputs; None without labels.
    classes_by_label_: the classes of each label; empty without labels.
    epochs_: the passes over the rows; 0 without labels.

    Raises `embeddings.EmbeddingError`, a ValueError, for settings or columns that cannot be used.

    Example
    -------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"amount": range(40), "country": ["NO", "DE"] * 20})
    >>> Encoder(width=4, epochs=2).fit_transform(frame, frame.amount > 20).shape
    (40, 4)
    """

    def __init__(
        self,
        *,
        kinds: Any = None,
        width: int = Spec.width,
        hidden: tuple[int, ...] | None = Spec.hidden,
        body: str = Spec.body,
        members: int = Spec.members,
        distil_steps: int = Spec.distil_steps,
        numeric: str = Spec.numeric,
        bins: int | None = Spec.bins,
        rare: int = Spec.rare,
        levels: int = Spec.levels,
        statistics_above: int = Spec.statistics_above,
        pairs: str | tuple[tuple[str, str], ...] = Spec.pairs,
        text_scores: bool = Spec.text_scores,
        text_tokens: int = Spec.text_tokens,
        text_buckets: int = Spec.text_buckets,
        text_width: int = Spec.text_width,
        epochs: int = Spec.epochs,
        patience: int = Spec.patience,
        batch_size: int | None = Spec.batch_size,
        learning_rate: float = Spec.learning_rate,
        weight_decay: float = Spec.weight_decay,
        dropout: float | None = Spec.dropout,
        average: float = Spec.average,
        max_rows: int = Spec.max_rows,
        seed: int = Spec.seed,
        validation: float = 0.15,
        device: str = "auto",
    ) -> None:
        self.kinds = kinds
        self.width = width
        self.hidden = hidden
        self.body = body
        self.members = members
        self.distil_steps = distil_steps
        self.numeric = numeric
        self.bins = bins
        self.rare = rare
        self.levels = levels
        self.statistics_above = statistics_above
        self.pairs = pairs
        self.text_scores = text_scores
        self.text_tokens = text_tokens
        self.text_buckets = text_buckets
        self.text_width = text_width
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.average = average
        self.max_rows = max_rows
        self.seed = seed
        self.validation = validation
        self.device = device

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Encoder:
        """Learn from n rows, and from their labels where `y` is given.

        `sample_weight` `(n,)` says how much a row counts, in the mean of all labels' losses; not at all at 0.
        """
        self._learn(X, y, sample_weight)
        return self

    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Learn from n rows and give their vectors `(n, width)`, none told its own label."""
        return self._learn(X, y, sample_weight)

    def transform(self, X: Any) -> np.ndarray:
        """Give the vectors of rows that nothing was learned from: `(n, width)` float32."""
        check_is_fitted(self)
        batch = normal_columns(self._table(X, reset=False), self._slots)
        return self._vectors(self.encoding_.batch(batch))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.target_tags.two_d_labels = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_session", None)
        if "encoding_" in state:  # what it has worked out for itself cannot be pickled
            state["encoding_"] = Encoding.from_json(self.encoding_.to_json())
        return state

    @property
    def _n_features_out(self) -> int:
        return self._dimensions

    def _learn(self, X: Any, y: Any, sample_weight: Any) -> np.ndarray:
        table = self._table(X, reset=True)
        weights = row_weights(sample_weight, table.num_rows)
        self._slots: tuple[Slot, ...] = slots_for(table, {} if self.kinds is None else self.kinds)
        spec = self._spec(self._slots)
        self.__dict__.pop("_session", None)
        batch = normal_columns(table, self._slots)
        self.encoding_ = fit_encoding(spec, pa.Table.from_batches([batch]))
        inputs = self.encoding_.batch(batch)
        if y is None:
            return self._learn_directions(spec, inputs, weights)
        return self._learn_labels(spec, inputs, y, weights)

    def _learn_directions(
        self, spec: Spec, inputs: dict[str, np.ndarray], weights: np.ndarray | None
    ) -> np.ndarray:
        self.onnx_: bytes | None = None
        self.classes_by_label_: dict[str, np.ndarray] = {}
        self.epochs_ = 0
        self._rarity = tuple(
            token_rarity(inputs[f"text.{text.name}"], text.rows) for text in self.encoding_.texts
        )
        matrix = design(self.encoding_, inputs, self._rarity)
        # Squares of a row's error count by its weight where the row is stretched by the root of that.
        seen = matrix if weights is None else sparse.diags(np.sqrt(weights)).tocsr() @ matrix
        found = TruncatedSVD(min(spec.width, *matrix.shape), random_state=spec.seed % 2**32).fit(seen)
        self._directions = np.ascontiguousarray(found.components_.T)
        self._dimensions: int = self._directions.shape[1]
        return self._vectors(inputs)

    def _learn_labels(
        self, spec: Spec, inputs: dict[str, np.ndarray], y: Any, weights: np.ndarray | None
    ) -> np.ndarray:
        count = len(next(iter(inputs.values())))
        codes, self.classes_by_label_ = class_codes(y, count)
        if weights is not None:  # what does not count is as good as unlabelled
            codes = {label: np.where(weights > 0, array, MISSING) for label, array in codes.items()}
        counted = {} if weights is None else dict.fromkeys(codes, weights)
        judged = validation_rows(codes, self.validation, spec.seed)
        learned = np.setdiff1d(np.arange(count), judged)
        judged = judged if len(judged) else learned

        def rows(arrays: dict[str, np.ndarray], at: np.ndarray) -> dict[str, np.ndarray]:
            return {name: array[at] for name, array in arrays.items()}

        training = rows(inputs, learned)
        derived, own = fit_derived(spec, self.encoding_, training, rows(codes, learned)) or (None, None)
        seen = training if own is None else {**training, INPUT: own}
        body = train_body(
            spec,
            self.encoding_,
            seen,
            rows(codes, learned),
            with_derived(rows(inputs, judged), derived),
            rows(codes, judged),
            derived=derived,
            weights=rows(counted, learned),
            validation_weights=rows(counted, judged),
            device=self.device,
        )
        self.onnx_ = model = export_onnx(body.trained, self.encoding_)
        check_parity(model, body.trained, rows(inputs, judged))
        self.epochs_ = len(body.trained.history)
        self._dimensions = spec.width
        vectors = self._vectors(inputs)
        if own is not None:
            vectors[learned] = embed(body.trained.network, seen)
        return vectors

    def _vectors(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if self.onnx_ is None:
            matrix: sparse.csr_matrix = design(self.encoding_, inputs, self._rarity)
            return np.asarray(matrix @ self._directions, np.float32)
        session = self.__dict__.get("_session")
        if session is None:
            session = self._session = _open(self.onnx_)
        count = len(next(iter(inputs.values())))
        blocks = [
            session.run(None, {name: array[at : at + _ROWS_A_CALL] for name, array in inputs.items()})[0]
            for at in range(0, count, _ROWS_A_CALL)
        ]
        return np.concatenate(blocks)

    def _table(self, X: Any, *, reset: bool) -> Any:
        if not (hasattr(X, "__arrow_c_stream__") or hasattr(X, "iloc")):
            X = check_array(typed_rows(X), dtype=None, ensure_all_finite=False, estimator=self)
            if X.dtype.kind == "O":
                _check_cells(X)
        elif isinstance(X, pa.RecordBatch):
            X = pa.Table.from_batches([X])
        validate_data(self, X, skip_check_array=True, reset=reset)
        names: list[str] | None = None if reset else self._names
        table = arrow_table(X, names)
        if table.num_columns == 0:
            raise EncodingError("Found 0 column(s) in X; a minimum of 1 is required")
        least = 2 if reset else 1
        if table.num_rows < least:
            raise EncodingError(f"Found {table.num_rows} sample(s) in X; a minimum of {least} is required")
        if reset:
            self._names: list[str] = list(table.column_names)
        return table

    def _spec(self, slots: tuple[Slot, ...]) -> Spec:
        settings = {name: _plain(value) for name, value in self.get_params(deep=False).items()}
        share = settings.pop("validation")
        for name in ("kinds", "device"):
            settings.pop(name)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise SpecError([SpecProblem("validation", f"got {share!r}", "give a share above 0 and below 1")])
        return Spec.from_mapping(settings, slots)


def _plain(value: Any) -> Any:
    """A search hands over NumPy's numbers, which no setting is declared to be."""
    return value.item() if isinstance(value, np.generic) else value


def _check_cells(array: np.ndarray) -> None:
    for value in array.ravel().tolist():
        if isinstance(value, dict | list | tuple | set):
            raise TypeError(f"argument must be a string or a number; X holds a {type(value).__name__}")


def _open(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
