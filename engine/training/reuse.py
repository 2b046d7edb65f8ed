"""When the model of an earlier bundle still stands: a key over everything that shaped it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from engine.errors import InputError
from engine.manifest import ENCODERS, MODEL
from engine.model import ENCODING, SCORES
from engine.project.encoders import encoder_identity
from engine.references import REFERENCES
from engine.spill import let_go

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.project import Project

MODEL_PARTS = (MODEL, ENCODING, SCORES, REFERENCES)
LIBRARIES = ("tandem-engine", "numpy", "pyarrow", "torch", "scikit-learn", "skl2onnx", "onnx", "onnxruntime")
EVALUATION = "evaluation.json"
PIECE = 4 * 2**20  # bytes of a column hashed at a time


def fingerprint(table: pa.Table) -> str:
    """SHA-256 of a table's columns and values, however it is cut into chunks."""
    hashing = _Hashing()
    whole = table.replace_schema_metadata(None).combine_chunks()
    with pa.PythonFile(hashing, "w") as sink, pa.ipc.new_stream(sink, whole.schema) as stream:
        stream.write_table(whole)
    return "sha256:" + hashing.digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that shape a model.

    Raises InputError where one is not there, as where only the serving packages were installed.
    """
    try:
        return {name: metadata.version(name) for name in LIBRARIES}
    except metadata.PackageNotFoundError as missing:
        hint = "fitting needs the extra 'train': pip install 'tandem-engine[train]'"
        raise InputError(f"the package {missing.name} is not installed; {hint}") from None


def model_key(project: Project, data: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """SHA-256 over what shapes the model: the data, the parts of the project that it is made from, the
    libraries.

    Rules, policy, outcomes and evaluation are left out: an edit of those keeps the model.
    """
    shaped = {
        "data": dict(data),
        "fields": project.schema.to_json(),
        "id": project.id,
        "labels": {
            name: [
                label.column,
                label.positive,
                list(label.classes),
                *([label.weight] if label.weight else []),
            ]
            for name, label in project.labels.items()
        },
        "embedding": project.embedding.to_mapping(),
        **({"encoders": encoder_identity(project)} if project.encoders else {}),
        "slots": [slot.name for slot in project.embedding.slots],
        "classifiers": [
            [name, spec.label, spec.written_candidates(), list(spec.scores)]
            for name, spec in project.classifiers.items()
        ],
        "split": [
            project.split.by,
            project.split.validation,
            project.split.test,
            project.split.seed,
            project.split.field,
        ],
        "references": project.data.references,
        "libraries": dict(versions),
    }
    return "sha256:" + hashlib.sha256(canonical_json(shaped)).hexdigest()


def reusable(previous: Bundle | None, key: str) -> tuple[dict[str, bytes], dict[str, Any]] | None:
    """The model parts of an earlier bundle and the report of how they were learned, if the key is its own."""
    if previous is None or previous.lineage.get("model_key") != key:
        return None
    kept = previous.json(EVALUATION) if EVALUATION in previous.parts else {}
    report = kept.get("training") if isinstance(kept, dict) else None
    ours = [path for path in previous.parts if path in MODEL_PARTS or path.startswith(ENCODERS)]
    parts = {path: previous.parts[path] for path in ours}
    return parts, report if isinstance(report, dict) else {}


def canonical_json(value: Any) -> bytes:
    """JSON whose bytes depend on the value alone."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


class _Hashing:
    """A file that keeps only the hash of what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            self.digest.update(view[at : at + PIECE])
            if len(view) >= PIECE:
                let_go()
        return len(view)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
