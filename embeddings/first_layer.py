"""What a body's first layer makes of encoded rows, as nodes of a graph: numbers, levels, texts and pairs.

INVARIANT: none of them depends, for a row, on the number of rows (`embeddings.export`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from onnx import TensorProto, helper

from embeddings.derived import LEAST_SQUARE, Derived
from embeddings.encode import Encoding
from embeddings.graph import Graph
from embeddings.network import Fields, bins


def add_first_layer(
    graph: Graph,
    encoding: Encoding,
    weights: Mapping[str, np.ndarray],
    fields: Fields,
    layer: str,
    output: str,
) -> str:
    """Add what a body's first layer makes of inputs as `Encoding` gives them → `(n, width)`.

    What pairs of fields say is added last: what comes before is a sum of what each field says alone.
    """
    features = [
        *_numeric(graph, encoding),
        *_categories(graph, encoding, weights, fields.derived),
        *_texts(graph, encoding, weights),
        *_derived(graph, encoding, fields.derived),
    ]
    state = features[0] if len(features) == 1 else graph.add("Concat", features, "features", axis=1)
    held, beyond = _reordered(weights[f"{layer}.weight"].T, fields, encoding)
    weight, bias = graph.constant(held, "weight0"), graph.constant(weights[f"{layer}.bias"], "bias0")
    if fields.derived is None or not len(beyond):
        return graph.add("Gemm", [state, weight, bias], output)
    alone = graph.add("Gemm", [state, weight, bias], "alone")
    pairs = _pairs(graph, encoding, fields.derived)
    together = graph.add("MatMul", [pairs, graph.constant(beyond, "pairs.weight")], "together")
    return graph.add("Add", [alone, together], output)


def _numeric(graph: Graph, encoding: Encoding) -> Iterable[str]:
    """Bins, `clip((value - low) * inverse, 0, 1)`, and flags of missing values, which stand at the mean."""
    if not encoding.columns:
        return
    values = graph.input("numeric", TensorProto.FLOAT, encoding.columns)
    zero = graph.constant(np.array(0, np.float32), "zero")
    missing = graph.add("IsNaN", [values], "missing")
    known = graph.add("Where", [missing, zero, values], "known")
    yield _binned(graph, known, encoding.edges, "bins")
    yield graph.add("Cast", [missing], "flags", to=TensorProto.FLOAT)


def _binned(graph: Graph, values: str, edges: Sequence[Sequence[float]], name: str) -> str:
    """`clip((value - low) * inverse, 0, 1)` of every bin of every column: `(n, columns)` → `(n, bins)`."""
    column, low, inverse = bins(edges)
    # A product with ones and zeros repeats each value over its bins, exactly.
    repeat = np.zeros((len(edges), len(column)), np.float32)
    repeat[column, np.arange(len(column))] = 1
    spread = graph.add("MatMul", [values, graph.constant(repeat, f"{name}.repeat")], f"{name}.spread")
    above = graph.add("Sub", [spread, graph.constant(low, f"{name}.low")], f"{name}.above")
    share = graph.add("Mul", [above, graph.constant(inverse, f"{name}.inverse")], f"{name}.share")
    zero = graph.constant(np.array(0, np.float32), f"{name}.zero")
    one = graph.constant(np.array(1, np.float32), f"{name}.one")
    return graph.add("Clip", [share, zero, one], name)


def _categories(
    graph: Graph, encoding: Encoding, weights: Mapping[str, np.ndarray], derived: Derived | None
) -> Iterable[str]:
    """Rows of the level table; beside a level stands what it says of the labels, which costs no node."""
    if not encoding.categories:
        return
    rows = graph.input("categories", TensorProto.INT64, len(encoding.categories))
    table = weights["fields.table.weight"]
    if derived is not None and derived.fields:
        table = np.hstack([table, _shares(derived.table)])
    taken = graph.add("Gather", [graph.constant(table, "table"), rows], "levels", axis=0)
    shape = graph.constant(
        np.array([-1, len(encoding.categories) * table.shape[1]], np.int64), "levels_shape"
    )
    yield graph.add("Reshape", [taken, shape], "categories")


def _texts(graph: Graph, encoding: Encoding, weights: Mapping[str, np.ndarray]) -> Iterable[str]:
    """Mean over a text's tokens. A last column of ones counts them: it is 0 for padding."""
    for place, text in enumerate(encoding.texts):
        tokens = graph.input(f"text.{text.name}", TensorProto.INT64, text.tokens)
        table = weights[f"fields.texts.{place}.weight"]
        counted = np.concatenate([table, np.ones((len(table), 1), np.float32)], axis=1)
        counted[0] = 0
        width = counted.shape[1]
        total = _summed(graph, tokens, counted, text.tokens, f"tokens{place}")
        parts = [f"embedding/sum{place}", f"embedding/count{place}"]
        sizes = graph.constant(np.array([width - 1, 1], np.int64), f"sizes{place}")
        graph.nodes.append(
            helper.make_node("Split", [total, sizes], parts, name=f"embedding/split{place}", axis=1)
        )
        least = graph.constant(np.array(1, np.float32), f"least{place}")
        count = graph.add("Max", [parts[1], least], f"counted{place}")
        yield graph.add("Div", [parts[0], count], f"mean{place}")


def _summed(graph: Graph, rows: str, table: np.ndarray, places: int, name: str) -> str:
    """The sum of a table's rows `(rows, m)` over a text's places: int64 `(n, places)` → `(n, m)`."""
    width = table.shape[1]
    taken = graph.add("Gather", [graph.constant(table, f"{name}.table"), rows], f"{name}.taken", axis=0)
    shape = graph.constant(np.array([-1, places * width], np.int64), f"{name}.shape")
    flat = graph.add("Reshape", [taken, shape], f"{name}.flat")
    # As a product: ReduceSum adds in another order when there is one row only.
    fold = graph.constant(np.tile(np.eye(width, dtype=np.float32), (places, 1)), f"{name}.fold")
    return graph.add("MatMul", [flat, fold], f"{name}.total")


def _pairs(graph: Graph, encoding: Encoding, derived: Derived) -> str:
    """What pairs of levels say: the row of each two levels that met is looked up, and that row taken."""
    both = []
    for what, places in (
        ("first", [pair.first for pair in derived.pairs]),
        ("second", [pair.second for pair in derived.pairs]),
    ):
        at = graph.constant(np.array(places, np.int64), f"pairs.{what}")
        both.append(graph.add("Gather", ["categories", at], f"pairs.{what}.rows", axis=1))
    size = graph.constant(np.array(encoding.table_rows, np.int64), "pairs.size")
    keys = graph.add("Add", [graph.add("Mul", [both[0], size], "pairs.scaled"), both[1]], "pairs.keys")
    # Rows of the category table are of one field each, so that no two pairs share a key.
    known = np.concatenate([pair.keys for pair in derived.pairs])
    row = graph.look_up(keys, known, "pairs.row")
    nought = np.zeros((1, derived.pairs[0].values.shape[1]), np.float32)
    table = graph.constant(
        _shares(np.vstack([nought, *(pair.values for pair in derived.pairs)])), "pairs.table"
    )
    taken = graph.add("Gather", [table, row], "pairs.taken", axis=0)
    shape = graph.constant(np.array([-1, len(derived.pairs) * nought.shape[1]], np.int64), "pairs.shape")
    return graph.add("Reshape", [taken, shape], "pairs")


def _derived(graph: Graph, encoding: Encoding, derived: Derived | None) -> Iterable[str]:
    """What texts say about the labels: tables of the bundle's own, binned like numbers."""
    if derived is None or not derived.texts:
        return
    parts = []
    for text in derived.texts:
        name = f"score{text.place}"
        tokens = encoding.texts[text.place].tokens
        total = _summed(graph, f"text.{text.name}", text.weights, tokens, name)
        halves = [f"embedding/{name}.sum", f"embedding/{name}.square"]
        sizes = graph.constant(np.array([len(text.intercepts), 1], np.int64), f"{name}.sizes")
        split = helper.make_node("Split", [total, sizes], halves, name=f"embedding/{name}.split", axis=1)
        graph.nodes.append(split)
        least = graph.constant(np.array(LEAST_SQUARE, np.float32), f"{name}.least")
        norm = graph.add("Sqrt", [graph.add("Max", [halves[1], least], f"{name}.above")], f"{name}.norm")
        share = graph.add("Div", [halves[0], norm], f"{name}.share")
        intercepts = graph.constant(text.intercepts, f"{name}.intercepts")
        parts.append(graph.add("Add", [share, intercepts], name))
    columns = parts[0] if len(parts) == 1 else graph.add("Concat", parts, "derived.columns", axis=1)
    others = len(derived.edges) - sum(len(text.intercepts) for text in derived.texts)
    yield _binned(graph, columns, derived.edges[others:], "derived")


def _shares(table: np.ndarray) -> np.ndarray:
    """Statistics as the network reads them, each in its one bin: of the shape of the table."""
    columns = [()] * table.shape[1]
    _, low, inverse = bins(columns)
    shares: np.ndarray = np.clip((table - low) * inverse, np.float32(0), np.float32(1))
    return shares


def _reordered(weight: np.ndarray, fields: Fields, encoding: Encoding) -> tuple[np.ndarray, np.ndarray]:
    """The first layer's weights `(features, width)` for features whose statistics stand beside their levels,
    and those of what pairs say.

    A field without statistics has them too, in a table that all share, with weights of nought.
    """
    derived = fields.derived
    if derived is None:
        return weight, weight[:0]
    statistics = derived.table.shape[1]
    end = len(weight) - len(fields.derived_low)
    rest = end + statistics * len(derived.fields)
    texts_of = rest + sum(pair.values.shape[1] for pair in derived.pairs)
    pairs, last = weight[rest:texts_of], weight[texts_of:]
    if not derived.fields or fields.table is None:
        return np.concatenate([weight[:end], last]), pairs
    levels = fields.table.embedding_dim
    start = fields.bins + fields.flags
    texts = start + levels * len(encoding.categories)
    parts = [weight[:start]]
    for place in range(len(encoding.categories)):
        parts.append(weight[start + levels * place : start + levels * (place + 1)])
        if place in derived.fields:
            first = end + statistics * derived.fields.index(place)
            parts.append(weight[first : first + statistics])
        else:
            parts.append(np.zeros((statistics, weight.shape[1]), weight.dtype))
    return np.concatenate([*parts, weight[texts:end], last]), pairs
