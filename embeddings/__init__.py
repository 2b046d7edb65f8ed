"""Embeddings: the neural layer, from fields to a vector.

What serving needs is here. Training is imported by name, and needs torch: `embeddings.network`,
`embeddings.train`, `embeddings.export`.
"""

from embeddings.encode import Encoding
from embeddings.errors import (
    EmbeddingError,
    EncodingError,
    ParityError,
    SpecError,
    SpecProblem,
    TrainingError,
)
from embeddings.fit import fit_encoding
from embeddings.spec import Slot, Spec

__all__ = [
    "EmbeddingError",
    "Encoding",
    "EncodingError",
    "ParityError",
    "Slot",
    "Spec",
    "SpecError",
    "SpecProblem",
    "TrainingError",
    "fit_encoding",
]
