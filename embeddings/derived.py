"""What a level or a text says about the labels, as numbers beside the fields: fitted out of fold.

A category of many levels gives, for each class, how much likelier the class is at the level than anywhere
(Micci-Barreca 2001, "A preprocessing scheme for high-cardinality categorical attributes", equation 3), and
how common the level is. Two categories give what their levels say together, where that pays. A text gives the
margin of a logistic model on its tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from embeddings.design import TEXT_SCALE, design, token_matrix, token_rarity
from embeddings.encode import Encoding
from embeddings.errors import EncodingError
from embeddings.pairs import PRIOR_ROWS, Pair, Truth, fit_pair, log_odds
from embeddings.paying import paying_pairs
from embeddings.spec import Spec

INPUT = "derived"
"""The name of these columns among a network's inputs. A graph works them out and takes no such input."""
FOLDS = 5
LEAST_SQUARE = 1e-24
_MOST_CLASSES = 12
_MOST_ROWS = 50_000
_BLOCK_ROWS = 65_536
_TEXT_BINS = 8
_LEAST_GAP = 0.02

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TextScore:
    """Text `place` of the encoding: `weights` `(tokens, scores + 1)`, the square of a token's rarity last."""

    place: int
    name: str
    weights: np.ndarray
    intercepts: np.ndarray

    def of(self, tokens: np.ndarray) -> np.ndarray:
        """Standardised margins: `(n, places)` int64 → `(n, scores)` float32."""
        margins = np.empty((len(tokens), len(self.intercepts)), np.float32)
        for at in range(0, len(tokens), _BLOCK_ROWS):
            summed = self.weights[tokens[at : at + _BLOCK_ROWS]].sum(axis=1, dtype=np.float64)
            norm = np.sqrt(np.maximum(summed[:, -1:], LEAST_SQUARE))
            margins[at : at + _BLOCK_ROWS] = summed[:, :-1] / norm + self.intercepts
        return margins


@dataclass(frozen=True, eq=False)
class Derived:
    """`fields` are places of categories, `table` `(table rows, statistics)` float32 what each level gives.

    Columns: the statistics of each of `fields`, what each of `pairs` says, then the scores of each text; all
    standardised. `edges` are those of each column's bins.
    """

    fields: tuple[int, ...]
    table: np.ndarray
    texts: tuple[TextScore, ...]
    edges: tuple[tuple[float, ...], ...]
    pairs: tuple[Pair, ...] = ()

    @property
    def sources(self) -> tuple[tuple[str, int], ...]:
        """Where each column comes from: the input, and its column there (a pair's first; a text is one)."""
        categories = [("categories", field) for field in self.fields for _ in range(self.table.shape[1])]
        texts = [(f"text.{text.name}", 0) for text in self.texts for _ in text.intercepts]
        pairs = [("categories", pair.first) for pair in self.pairs for _ in range(pair.values.shape[1])]
        return (*categories, *pairs, *texts)

    def bound(self, fields: int) -> list[int]:
        """For each place of a category, the first that pairs bind it to: those move together."""
        first = list(range(fields))
        for pair in self.pairs:
            one, other = sorted((first[pair.first], first[pair.second]))
            first = [one if place == other else place for place in first]
        return first

    def of(self, inputs: Inputs) -> np.ndarray:
        """The columns of rows that nothing was fitted on: `(n, columns)` float32."""
        parts = []
        if self.fields:
            rows = inputs["categories"][:, self.fields]
            parts.append(self.table[rows].reshape(len(rows), -1))
        parts += [pair.of(inputs["categories"], len(self.table)) for pair in self.pairs]
        parts += [text.of(inputs[f"text.{text.name}"]) for text in self.texts]
        return np.concatenate(parts, axis=1)


def fit_derived(
    spec: Spec, encoding: Encoding, inputs: Inputs, targets: Mapping[str, np.ndarray]
) -> tuple[Derived, np.ndarray] | None:
    """Fit on training rows; give also their own columns `(n, columns)` float32, each row's fitted without it.

    INVARIANT: no row's own label, nor any row that is not in `inputs`, enters its columns. The two kinds of
    columns are standardised alike. None where no field asks for any.
    """
    codes = {label: array for label, array in targets.items() if 2 <= array.max() + 1 <= _MOST_CLASSES}
    fields = tuple(
        place
        for place, category in enumerate(encoding.categories)
        if not category.flag and len(category.levels) > spec.statistics_above
    )
    texts = tuple(range(len(encoding.texts))) if spec.text_scores else ()
    wanted = _wanted(spec, encoding)
    if not codes or not (fields or texts or wanted):
        return None
    count = len(next(iter(codes.values())))
    fold = np.random.default_rng(spec.seed).permutation(count) % FOLDS
    table, own = _statistics(encoding, inputs, codes, fields, fold)
    together = _pairs(spec, encoding, inputs, codes, fields, fold, wanted)
    # On few cores the libraries' threads wait for each other longer than they work.
    with threadpool_limits(1):
        scores = [_text_score(place, encoding, inputs, codes, fold, spec.seed) for place in texts]
    unbinned = [own, *(columns for _, columns in together)]
    parts = [*unbinned, *(margins for _, margins in scores)]
    edges: list[tuple[float, ...]] = [()] * sum(part.shape[1] for part in unbinned)
    edges += [_edges(column) for _, margins in scores for column in margins.T]
    pairs = tuple(pair for pair, _ in together)
    derived = Derived(fields, table, tuple(text for text, _ in scores), tuple(edges), pairs)
    return derived, np.concatenate(parts, axis=1)


def with_derived(inputs: Inputs, derived: Derived | None) -> dict[str, np.ndarray]:
    """Inputs of rows that nothing was fitted on, with their derived columns where there are any."""
    return dict(inputs) if derived is None else {**inputs, INPUT: derived.of(inputs)}


def _wanted(spec: Spec, encoding: Encoding) -> tuple[tuple[int, int], ...]:
    """The places of the pairs that the settings name."""
    if isinstance(spec.pairs, str):
        return ()
    place = {category.name: at for at, category in enumerate(encoding.categories) if not category.flag}
    for name in (name for names in spec.pairs for name in names):
        if name not in place:
            known = ", ".join(place) or "none"
            raise EncodingError(f"pairs: '{name}' is no category that the embedding reads; those are {known}")
    return tuple((min(places), max(places)) for a, b in spec.pairs for places in [(place[a], place[b])])


def _pairs(
    spec: Spec,
    encoding: Encoding,
    inputs: Inputs,
    codes: Mapping[str, np.ndarray],
    fields: Sequence[int],
    fold: np.ndarray,
    wanted: Sequence[tuple[int, int]],
) -> list[tuple[Pair, np.ndarray]]:
    """The pairs that are asked for, or that pay, with the training rows' own columns out of fold."""
    if not wanted and (spec.pairs != "auto" or len(fields) < 2):
        return []
    truths = [
        Truth(of_label == code, of_label >= 0, fold, FOLDS)
        for of_label in codes.values()
        for code in _classes(of_label)
    ]
    rows, size = inputs["categories"], encoding.table_rows
    if spec.pairs == "auto":
        levels = {place: len(encoding.categories[place].levels) for place in fields}

        def matrix(at: np.ndarray) -> Any:
            textless = replace(encoding, texts=())
            return design(textless, {name: array[at] for name, array in inputs.items()}, [])

        with threadpool_limits(1):
            wanted = paying_pairs(rows, size, levels, truths, spec.rare, spec.seed, matrix)
    return [fit_pair(rows, size, *pair, truths, spec.rare) for pair in wanted]


def _statistics(
    encoding: Encoding,
    inputs: Inputs,
    codes: Mapping[str, np.ndarray],
    fields: Sequence[int],
    fold: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The table of all rows, and the training rows' own statistics out of fold, standardised."""
    if not fields:
        return np.zeros((encoding.table_rows, 0), np.float32), np.zeros((len(fold), 0), np.float32)
    rows = inputs["categories"][:, fields]
    whole = _levels(rows, codes, encoding.table_rows)
    own = np.empty((*rows.shape, whole.shape[1]))
    for number in range(FOLDS):
        out = fold == number
        rest = {label: array[~out] for label, array in codes.items()}
        own[out] = _levels(rows[~out], rest, encoding.table_rows)[rows[out]]
    # How common a level is says nothing about the label.
    own[:, :, -1] = whole[rows, -1]
    mean, scale = own.mean(axis=(0, 1)), np.maximum(own.std(axis=(0, 1)), 1e-6)
    table = ((whole - mean) / scale).astype(np.float32)
    return table, ((own - mean) / scale).astype(np.float32).reshape(len(rows), -1)


def _levels(rows: np.ndarray, codes: Mapping[str, np.ndarray], size: int) -> np.ndarray:
    """For each row of the category table: log-odds of each class beyond its rate, then log-frequency."""
    columns = []
    for of_label in codes.values():
        known = of_label >= 0
        seen = rows[known]
        for positive in _each_class(of_label[known]):
            counts = np.bincount(seen.ravel(), minlength=size)
            hits = np.bincount(seen.ravel(), np.repeat(positive, seen.shape[1]), minlength=size)
            rate = (positive.sum() + 0.5) / (len(positive) + 1)
            smoothed = (hits + PRIOR_ROWS * rate) / (counts + PRIOR_ROWS)
            columns.append(log_odds(smoothed) - log_odds(rate))
    counts = np.bincount(rows.ravel(), minlength=size)
    return np.column_stack([*columns, np.log1p(counts) - np.log1p(len(rows))])


def _each_class(codes: np.ndarray) -> list[np.ndarray]:
    """Truth of each class: of two the second alone, for it says all."""
    return [codes == code for code in _classes(codes)]


def _classes(codes: np.ndarray) -> range:
    return range(1, 2) if codes.max(initial=1) <= 1 else range(int(codes.max()) + 1)


def _text_score(
    place: int,
    encoding: Encoding,
    inputs: Inputs,
    codes: Mapping[str, np.ndarray],
    fold: np.ndarray,
    seed: int,
) -> tuple[TextScore, np.ndarray]:
    """The score fitted on all rows, and the training rows' own out of fold, standardised by the latter."""
    text = encoding.texts[place]
    tokens = inputs[f"text.{text.name}"]
    rarity = token_rarity(tokens, text.rows)
    held = token_matrix(tokens, rarity) * TEXT_SCALE if len(tokens) <= _BLOCK_ROWS else None

    def matrix(rows: np.ndarray) -> Any:
        return token_matrix(tokens[rows], rarity) * TEXT_SCALE if held is None else held[rows]

    weights, intercepts, own = [], [], []
    for of_label in codes.values():
        known = of_label >= 0
        margins = np.zeros((len(fold), 1 if of_label.max() <= 1 else int(of_label.max()) + 1))
        for number in range(FOLDS):
            out = fold == number
            model = _logistic(matrix, of_label, known & ~out, seed)
            rows = np.flatnonzero(out if model is not None else np.zeros(0))
            for at in range(0, len(rows), _BLOCK_ROWS):
                block = rows[at : at + _BLOCK_ROWS]
                margins[block] = model.decision_function(matrix(block)).reshape(len(block), -1)
        whole = _logistic(matrix, of_label, known, seed)
        mean, scale = margins.mean(axis=0), np.maximum(margins.std(axis=0), 1e-6)
        own.append((margins - mean) / scale)
        weights.append(np.zeros((text.rows, len(mean))) if whole is None else whole.coef_.T / scale)
        intercepts.append((0 if whole is None else whole.intercept_) / scale - mean / scale)
    scaled = np.hstack(weights) * rarity[:, None] * TEXT_SCALE
    table = np.hstack([scaled, rarity[:, None].astype(np.float64) ** 2]).astype(np.float32)
    score = TextScore(place, text.name, table, np.concatenate(intercepts).astype(np.float32))
    return score, np.hstack(own).astype(np.float32)


def _logistic(matrix: Callable[[np.ndarray], Any], codes: np.ndarray, used: np.ndarray, seed: int) -> Any:
    """A logistic model on some rows, at most 50,000; None where a class has none among them."""
    from sklearn.linear_model import LogisticRegression

    rows = np.flatnonzero(used)
    if len(rows) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_ROWS, replace=False))
    if len(np.unique(codes[rows])) < max(2, int(codes.max()) + 1):
        return None
    return LogisticRegression(C=1.0, max_iter=200).fit(matrix(rows), codes[rows])


def _edges(values: np.ndarray) -> tuple[float, ...]:
    """Quantiles of a score, none nearer to the last than a fiftieth of its spread."""
    edges: list[float] = []
    for edge in np.quantile(values, np.linspace(0, 1, _TEXT_BINS + 1)).astype(np.float32).tolist():
        if not edges or edge - edges[-1] > _LEAST_GAP:
            edges.append(edge)
    return tuple(edges) if len(edges) > 1 else ()
