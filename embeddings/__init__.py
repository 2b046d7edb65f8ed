"""Embeddings: the neural layer, from fields to a vector.

What serving needs is here. Training is imported by name, and needs torch: `embeddings.network`,
`embeddings.train`, `embeddings.export`;
so does `Encoder`, the embedding as a scikit-learn transformer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from embeddings.transformer import Encoder

# Where each name lives. A name is imported when it is first used: serving takes less than fitting.
_PLACES = {
    "EmbeddingError": "errors",
    "Encoder": "transformer",
    "Encoding": "encode",
    "EncodingError": "errors",
    "ParityError": "errors",
    "Slot": "spec",
    "Spec": "spec",
    "SpecError": "errors",
    "SpecProblem": "errors",
    "TrainingError": "errors",
    "fit_encoding": "fit",
}

__all__ = [
    "EmbeddingError",
    "Encoder",
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


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'embeddings' has no attribute {name!r}")
    found = getattr(import_module(f"embeddings.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
