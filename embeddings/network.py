"""The network: encoded inputs become an embedding, and each label a linear head on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embeddings.derived import INPUT, Derived
from embeddings.encode import Encoding
from embeddings.spec import Spec

_SPAN = 4.0
"""The value itself enters as one bin from -_SPAN to _SPAN standard deviations."""


def bins(edges: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give column, lower edge and inverse length of every bin of columns with these edges: three `(bins,)`.

    A column's first bin spans ±4, which is the standardised value itself, squashed.
    """
    columns = list(range(len(edges)))
    lower, upper = [-_SPAN] * len(columns), [_SPAN] * len(columns)
    for column, bounds in enumerate(edges):
        columns += [column] * (len(bounds) - 1)
        lower += bounds[:-1]
        upper += bounds[1:]
    low = np.array(lower, np.float32)
    return np.array(columns, np.int64), low, np.float32(1) / (np.array(upper, np.float32) - low)


class Fields(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """Inputs as `Encoding` gives them → features `(n, width)` float32: what a body reads.

    Numbers are encoded piecewise-linearly (Gorishniy et al. 2022, "On Embeddings for Numerical Features in
    Tabular Deep Learning", section 3.2, equation 1): the bin from b₀ to b₁ gives
    clip((z - b₀) / (b₁ - b₀), 0, 1). Unlike the paper, the outermost bins are clipped as well, so that no
    outlier reaches the layers. Texts are bags of embedded tokens, averaged (Joulin et al. 2016, "Bag of
    Tricks for Efficient Text Classification", section 2).
    """

    def __init__(self, spec: Spec, encoding: Encoding, derived: Derived | None = None) -> None:
        super().__init__()
        column, low, inverse = bins(encoding.edges)
        self.column: Tensor
        self.low: Tensor
        self.inverse: Tensor
        self.first_rows: Tensor
        self.register_buffer("column", torch.from_numpy(column))
        self.register_buffer("low", torch.from_numpy(low))
        self.register_buffer("inverse", torch.from_numpy(inverse))
        self.numeric = encoding.columns > 0
        first_rows = np.cumsum([0, *(category.rows for category in encoding.categories)])[:-1]
        self.register_buffer("first_rows", torch.from_numpy(first_rows.astype(np.int64)))
        self.table = _category_table(encoding)
        self.texts = nn.ModuleList(_text_table(text.rows, spec.text_width) for text in encoding.texts)
        self.text_keys = [f"text.{text.name}" for text in encoding.texts]
        table_width = 0 if self.table is None else self.table.embedding_dim
        self.bins, self.flags = len(column), encoding.columns
        self.derived = derived
        self.derived_column: Tensor
        self.derived_low: Tensor
        self.derived_inverse: Tensor
        more = bins(() if derived is None else derived.edges)
        for name, array in zip(("column", "low", "inverse"), more, strict=True):
            self.register_buffer(f"derived_{name}", torch.from_numpy(array))
        self.width = (
            self.bins
            + len(more[0])
            + self.flags
            + len(encoding.categories) * table_width
            + len(encoding.texts) * spec.text_width
        )

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The features of each row: `(n, width)`."""
        features = []
        if self.numeric:
            values = inputs["numeric"]
            missing = torch.isnan(values)
            values = torch.where(missing, 0.0, values)
            features.append(((values[:, self.column] - self.low) * self.inverse).clamp(0, 1))
            features.append(missing.float())
        if self.table is not None:
            features.append(self.table(inputs["categories"]).flatten(1))
        for key, table in zip(self.text_keys, self.texts, strict=True):
            features.append(table(inputs[key]))
        if self.derived is not None:
            values = inputs[INPUT][:, self.derived_column]
            features.append(((values - self.derived_low) * self.derived_inverse).clamp(0, 1))
        return torch.cat(features, dim=1)

    def first_layer(self, width: int) -> nn.Linear:
        """The layer that reads the features.

        A column never missing in training leaves its flag's weights at 0: missing is then the mean.
        """
        layer = nn.Linear(self.width, width)
        with torch.no_grad():
            layer.weight[:, self.bins : self.bins + self.flags] = 0
        return layer


class Network(nn.Module):  # type: ignore[misc]
    """The tower that serves: features → embedding `(n, width)` → logits `(n, classes)` a label.

    The last layer before the embedding has no activation: each head is linear in the embedding, so that a
    simple classifier on it can be as good as the network.
    """

    def __init__(
        self, spec: Spec, encoding: Encoding, classes: Mapping[str, int], derived: Derived | None = None
    ) -> None:
        super().__init__()
        self.fields = Fields(spec, encoding, derived)
        sizes = [*spec.layers, spec.width]
        first = self.fields.first_layer(sizes[0])
        self.layers = nn.ModuleList([first, *(nn.Linear(a, b) for a, b in pairwise(sizes))])
        self.heads = nn.ModuleList(nn.Linear(spec.width, count) for count in classes.values())
        self.labels = tuple(classes)
        self.dropout = spec.dropped

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Logits by label: `(n, classes)` each."""
        embedding = self.embed(inputs)
        return {label: head(embedding) for label, head in zip(self.labels, self.heads, strict=True)}

    def embed(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The embedding: `(n, width)` float32."""
        state = self.fields(inputs)
        for layer in self.layers[:-1]:
            state = functional.dropout(functional.relu(layer(state)), self.dropout, self.training)
        embedding: Tensor = self.layers[-1](state)
        return embedding


def _category_table(encoding: Encoding) -> nn.Embedding | None:
    """One table for all fields, as wide as the richest field asks for: 1.8 · levels^0.4, from 2 to 24."""
    if not encoding.categories:
        return None
    levels = max(category.rows for category in encoding.categories)
    table = nn.Embedding(encoding.table_rows, min(24, max(2, round(1.8 * levels**0.4))))
    nn.init.normal_(table.weight, std=0.1)
    return table


def _text_table(rows: int, width: int) -> nn.EmbeddingBag:
    """Tokens begin at 0, so that one never seen in training says nothing."""
    table = nn.EmbeddingBag(rows, width, mode="mean", padding_idx=0)
    nn.init.zeros_(table.weight)
    return table
