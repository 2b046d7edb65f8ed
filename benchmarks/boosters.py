"""The peers of `quality`: four gradient boosters with early stopping, and a logistic model on raw fields.

Each reads the raw fields, or beside them what the embedding is told of levels and texts, out of fold. Their
results are kept in .bench/ by the content of the fields, the split, the settings and the versions.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.public import Case
from benchmarks.setting import WORK
from embeddings.derived import fit_derived
from embeddings.fit import fit_encoding
from engine.evaluation.metrics import auc, average_precision, log_loss
from engine.training.embed import slots_of
from engine.training.reuse import fingerprint

ROUNDS, PATIENCE, RATE, THREADS = 3_000, 50, 0.05, 1
TEXT_DIRECTIONS = 100
_SETTINGS = f"5 {ROUNDS} {PATIENCE} {RATE} {TEXT_DIRECTIONS}"


@dataclass(frozen=True)
class Result:
    """What one model came to; areas and precisions over several classes are means of one against the rest."""

    validation_auc: float
    validation_loss: float
    test_auc: float
    test_loss: float
    test_precision: float
    seconds: float


def peer(name: str, given: Case, seed: int, *, engineered: bool = False) -> Result:
    """Fit one peer, or read what it came to before; `engineered` gives it the embedding's columns too."""
    derived = _derived(given) if engineered else np.zeros((given.rows.rows, 0), np.float32)
    key = hashlib.sha256(f"{name} {_SETTINGS} {seed} {version(_PACKAGES[name])}".encode())
    key.update(fingerprint(pa.Table.from_batches([given.rows.fields])).encode())
    for array in (derived, given.codes, given.parts.train, given.parts.validation, given.parts.test):
        key.update(array.tobytes())
    path = WORK / "boosters" / f"{given.name}-{name}-{key.hexdigest()[:16]}.json"
    if path.exists():
        return Result(**json.loads(path.read_text()))
    found = _fitted(name, given, derived, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(asdict(found)))
    beside.rename(path)
    return found


def judged(probabilities: np.ndarray, codes: np.ndarray) -> tuple[float, float, float]:
    """Area under the ROC curve, log-loss, average precision; `(n, classes)`, `(n,)`.

    Over several classes the first and the last are means of one class against the rest.
    """
    places = range(1, 2) if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [auc(probabilities[:, place], codes == place) for place in places]
    precisions = [average_precision(probabilities[:, place], codes == place) for place in places]
    loss = float(log_loss(probabilities, codes) or 0)
    return _mean(areas), loss, _mean(precisions)


def _mean(found: list[float | None]) -> float:
    return float(np.mean([one for one in found if one is not None]))


def _fitted(name: str, given: Case, derived: np.ndarray, seed: int) -> Result:
    frame = _frame(given).assign(**{f"derived.{place}": values for place, values in enumerate(derived.T)})
    parts = [(frame.iloc[at], given.codes[at]) for at in (given.parts.train, given.parts.validation)]
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predict = PEERS[name](*parts[0], *parts[1], seed)
        seconds = time.perf_counter() - began
        validation = judged(predict(parts[1][0]), parts[1][1])
        test = judged(predict(frame.iloc[given.parts.test]), given.codes[given.parts.test])
    return Result(*validation[:2], *test, seconds)


def _frame(given: Case) -> pd.DataFrame:
    """Raw fields: numbers as they are, categories as such, texts as TF-IDF in 100 directions."""
    columns: dict[str, Any] = {}
    for field in given.project.schema.fields:
        column = given.rows.fields.column(field.name)
        if field.type == "text":
            for place, values in enumerate(_directions(column.to_pylist(), given.parts.train).T):
                columns[f"{field.name}.{place}"] = values
        elif field.type == "category":
            seen = sorted(column.take(given.parts.train).drop_null().unique().to_pylist())
            columns[field.name] = pd.Categorical(column.to_pylist(), categories=seen)
        else:
            columns[field.name] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return pd.DataFrame(columns)


def _derived(given: Case) -> np.ndarray:
    """What the embedding is told of levels and texts, of training rows out of fold: `(n, columns)`."""
    training = given.rows.take(given.parts.train)
    spec = replace(given.project.embedding, slots=slots_of(given.project))
    encoding = fit_encoding(spec, pa.Table.from_batches([training.fields]))
    fitted = fit_derived(spec, encoding, encoding.batch(training.fields), training.codes)
    if fitted is None:
        return np.zeros((given.rows.rows, 0), np.float32)
    derived, own = fitted
    columns = derived.of(encoding.batch(given.rows.fields))
    columns[given.parts.train] = own
    return columns


def _directions(texts: list[str | None], train: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union

    filled = [text or "" for text in texts]
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True)
    svd = TruncatedSVD(TEXT_DIRECTIONS, random_state=0)
    pipeline = make_pipeline(make_union(words, pieces), svd).fit([filled[row] for row in train])
    return np.asarray(pipeline.transform(filled))


def fitted_in(name: str, given: Case, *, seed: int, threads: int) -> float:
    """Seconds that a peer takes to fit alone, its frame being there."""
    frame = _frame(given)
    parts = [(frame.iloc[at], given.codes[at]) for at in (given.parts.train, given.parts.validation)]
    began = time.perf_counter()
    PEERS[name](*parts[0], *parts[1], seed, threads)
    return time.perf_counter() - began


Predict = Callable[[pd.DataFrame], np.ndarray]


def _lightgbm(
    X: pd.DataFrame, y: np.ndarray, Xv: pd.DataFrame, yv: np.ndarray, seed: int, threads: int = THREADS
) -> Predict:
    import lightgbm

    model = lightgbm.LGBMClassifier(
        n_estimators=ROUNDS, learning_rate=RATE, random_state=seed, n_jobs=threads, verbose=-1
    )
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    return model.fit(X, y, eval_set=[(Xv, yv)], callbacks=[stop]).predict_proba


def _xgboost(
    X: pd.DataFrame, y: np.ndarray, Xv: pd.DataFrame, yv: np.ndarray, seed: int, threads: int = THREADS
) -> Predict:
    import xgboost

    model = xgboost.XGBClassifier(
        n_estimators=ROUNDS,
        learning_rate=RATE,
        early_stopping_rounds=PATIENCE,
        enable_categorical=True,
        random_state=seed,
        n_jobs=threads,
    )
    return model.fit(X, y, eval_set=[(Xv, yv)], verbose=False).predict_proba


def _histgb(
    X: pd.DataFrame, y: np.ndarray, Xv: pd.DataFrame, yv: np.ndarray, seed: int, threads: int = THREADS
) -> Predict:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=ROUNDS,
        learning_rate=RATE,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        categorical_features="from_dtype",
        random_state=seed,
    )
    return model.fit(X, y, X_val=Xv, y_val=yv).predict_proba


def _catboost(
    X: pd.DataFrame, y: np.ndarray, Xv: pd.DataFrame, yv: np.ndarray, seed: int, threads: int = THREADS
) -> Predict:
    import catboost

    named = [name for name in X.columns if isinstance(X[name].dtype, pd.CategoricalDtype)]

    def plain(frame: pd.DataFrame) -> pd.DataFrame:
        texts = {name: frame[name].astype(object).where(frame[name].notna(), "missing") for name in named}
        return frame.assign(**texts)

    model = catboost.CatBoostClassifier(
        iterations=ROUNDS,
        learning_rate=RATE,
        random_seed=seed,
        thread_count=threads,
        verbose=False,
        allow_writing_files=False,
        cat_features=named,
        early_stopping_rounds=PATIENCE,
    )
    model.fit(plain(X), y, eval_set=(plain(Xv), yv))
    return lambda frame: model.predict_proba(plain(frame))


def _logistic(
    X: pd.DataFrame, y: np.ndarray, _: pd.DataFrame, __: np.ndarray, seed: int, ___: int = THREADS
) -> Predict:
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    raw = make_column_transformer(
        (
            make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (
            OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3),
            make_column_selector(dtype_include="category"),
        ),
    )
    flags = {name: float for name in X.columns if X[name].dtype == bool}
    model = make_pipeline(raw, LogisticRegression(max_iter=2_000, random_state=seed))
    model.fit(X.astype(flags), y)
    return lambda frame: model.predict_proba(frame.astype(flags))


PEERS = {
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
    "histgb": _histgb,
    "catboost": _catboost,
    "logistic": _logistic,
}
BOOSTERS = ("lightgbm", "xgboost", "histgb", "catboost")
_PACKAGES = {
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "histgb": "scikit-learn",
    "catboost": "catboost",
    "logistic": "scikit-learn",
}
