"""The model of a bundle: a record's fields in, its scores out, in one onnxruntime call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from embeddings.encode import Encoding
from engine.errors import BundleError
from engine.manifest import ENCODERS, MODEL, read_json
from engine.references import REFERENCES, References
from engine.schema import Schema

if TYPE_CHECKING:
    import onnxruntime
    import pyarrow as pa

    from engine.contributions import Explainer

ENCODING = "model/encoding.json"
SCORES = "model/scores.json"
OUTPUT = ["scores"]
# Rows of one call: small enough that what a layer gives to the next stays in the processor's cache.
ROWS_A_CALL = 2_048

Inputs = dict[str, np.ndarray]


class Model:
    """Encoding and graph together. Safe to use from several threads: nothing changes after opening."""

    __slots__ = (
        "_encoding",
        "_explainer",
        "_graph",
        "_pad",
        "_session",
        "classifiers",
        "references",
        "scores",
        "sums",
    )

    def __init__(
        self, encoding: Encoding, session: onnxruntime.InferenceSession, scores: Sequence[str], *, pad: bool
    ) -> None:
        self._encoding, self._session, self._pad = encoding, session, pad
        self.scores = tuple(scores)
        self.classifiers: tuple[Mapping[str, Any], ...] = ()
        self.sums: tuple[str, ...] = ()
        self.references: References | None = None
        self._graph = b""
        self._explainer: Explainer | None = None

    @classmethod
    def open(cls, parts: Mapping[str, bytes], schema: Schema) -> Model:
        """Open the model parts of a bundle, and try them on an empty record. Raises BundleError."""
        described = read_json(parts[SCORES], SCORES)
        scores = described.get("scores") if isinstance(described, dict) else None
        if not isinstance(scores, list) or not all(isinstance(name, str) for name in scores):
            raise BundleError("states no list of score names", part=SCORES)
        classifiers = described.get("classifiers", [])
        if not isinstance(classifiers, list) or not all(isinstance(one, dict) for one in classifiers):
            raise BundleError("states no list of classifiers", part=SCORES)
        sums = described.get("sums", [])
        if not isinstance(sums, list) or not all(isinstance(name, str) for name in sums):
            raise BundleError("states no list of sums", part=SCORES)
        try:
            encoding = Encoding.from_json(read_json(parts[ENCODING], ENCODING), encoder_files(parts))
            encoding.check_models()
        except BundleError:
            raise
        except ValueError as error:
            raise BundleError(str(error), part=ENCODING) from None
        model = cls(encoding, open_session(parts[MODEL]), scores, pad=bool(described.get("pad_single_rows")))
        model.classifiers, model.sums = tuple(classifiers), tuple(sums)
        if REFERENCES in parts:
            model.references = References.from_json(read_json(parts[REFERENCES], REFERENCES), encoding)
            model._graph = parts[MODEL]
        model._try(schema)
        return model

    def record(self, values: Mapping[str, Any]) -> list[float | None]:
        """Score one record in normal form: one score for each of `scores`; None for one that is no number."""
        inputs = self._encoding.record(values)
        if self._pad:
            inputs = {name: np.repeat(array, 2, axis=0) for name, array in inputs.items()}
        row: list[float] = self._session.run(OUTPUT, inputs)[0][0].tolist()
        return [score if score == score else None for score in row]

    def batch(self, batch: pa.RecordBatch) -> np.ndarray:
        """Score rows in normal form: `(n, fields)` → `(n, scores)` float64, NaN where None for a record."""
        inputs = self._encoding.batch(batch)
        rows = batch.num_rows
        scores = np.empty((rows, len(self.scores)), dtype=np.float64)
        for start in range(0, rows, ROWS_A_CALL):
            stop = min(start + ROWS_A_CALL, rows)
            part = {name: array[start:stop] for name, array in inputs.items()}
            if stop - start == 1 and self._pad:
                part = {name: np.repeat(array, 2, axis=0) for name, array in part.items()}
            scores[start:stop] = self._session.run(OUTPUT, part)[0][: stop - start]
        return scores

    def explainer(self) -> Explainer | None:
        """What says which fields moved a score; None where the bundle keeps no reference rows.

        It is made when first asked for: sessions of its own, with the margins put out. Raises BundleError.
        """
        if self._explainer is None and self.references is not None:
            from engine.contributions import Explainer
            from engine.margins import Margins

            margins = Margins.of(self.classifiers, self.scores)
            self._explainer = Explainer(
                self._encoding, self._graph, self.scores, margins, self.references, self.sums
            )
        return self._explainer

    def _try(self, schema: Schema) -> None:
        """Run an empty record alone and three of them at once: each must give a number for each score."""
        empty = {field.name: None for field in schema.fields}
        try:
            alone = self.record(empty)
            inputs = {
                name: np.repeat(array, 3, axis=0) for name, array in self._encoding.record(empty).items()
            }
            three = np.asarray(self._session.run(OUTPUT, inputs)[0])
        except Exception as error:  # whatever the runtime raises, the bundle is what is wrong
            raise BundleError(f"does not run: {_first_line(error)}", part=MODEL) from None
        if len(alone) != len(self.scores):
            message = f"gives {len(alone)} scores, and model/scores.json names {len(self.scores)}"
            raise BundleError(message, part=MODEL)
        if three.shape != (3, len(self.scores)) or three.dtype.kind != "f":
            shape = " x ".join(map(str, three.shape))
            raise BundleError(f"gives {shape} {three.dtype} values for 3 rows", part=MODEL)


def encoder_files(parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of the encoders of text fields, by their names within `model/encoders/`."""
    return {path.removeprefix(ENCODERS): data for path, data in parts.items() if path.startswith(ENCODERS)}


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Open a graph for serving: one thread a call, so that callers share the cores and bits stay equal.

    Raises BundleError for a graph that onnxruntime refuses.
    """
    # Imported where a model is opened: a case of a test file is decided without one.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # A pattern is kept for every number of rows ever seen: memory that would grow with the traffic.
    options.enable_mem_pattern = False
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        raise BundleError(f"onnxruntime refuses it: {_first_line(error)}", part=MODEL) from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
