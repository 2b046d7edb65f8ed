"""Small seeded embeddings with class codes, for tests of what stands on an embedding."""

from __future__ import annotations

import numpy as np


def embedding_rows(
    classes: int, rows: int = 900, width: int = 12, seed: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Correlated float32 vectors and codes that follow their first dimensions with noise."""
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)) * 0.3).astype(np.float32)
    leaning = vectors[:, :classes] + rng.normal(size=(rows, classes)) * 0.7
    return vectors, leaning.argmax(axis=1).astype(np.int64)
