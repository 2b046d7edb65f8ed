"""Embeddings, candidates and learned models as arrays and back, bit for bit; no object of scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import onnx

from embeddings.encode import Encoding
from engine.training.calibrate import Calibration
from engine.training.candidate import Candidate, Recalled
from engine.training.embed import Embedded
from engine.training.export import Affine, Body, Exported
from engine.training.learn import EmbeddedReport
from engine.training.raw import RawWeights
from engine.training.views import EmbeddingView, FieldsView

Arrays = dict[str, np.ndarray]


def text_array(value: Any) -> np.ndarray:
    """JSON as `(bytes,)` uint8."""
    return bytes_array(json.dumps(value, ensure_ascii=False).encode())


def read_text(array: np.ndarray) -> Any:
    """What `text_array` wrote."""
    return json.loads(array.tobytes())


def bytes_array(data: bytes) -> np.ndarray:
    """Bytes as `(bytes,)` uint8."""
    return np.frombuffer(data, np.uint8)


def parts_to_arrays(parts: Mapping[str, bytes]) -> Arrays:
    """Parts of a bundle as arrays."""
    return {name: bytes_array(data) for name, data in parts.items()}


def read_parts(arrays: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """Read back what `parts_to_arrays` wrote, whatever else was kept beside it."""
    return {name: array.tobytes() for name, array in arrays.items() if array.dtype == np.uint8}


def embedded_to_arrays(made: EmbeddedReport) -> Arrays:
    """What training and validation rows became, the encoder, and the report."""
    embedded, report = made
    return {
        "encoder": bytes_array(embedded.encoder),
        "train": embedded.train,
        "validation": embedded.validation,
        "about": text_array({"encoding": embedded.encoding.to_json(), "report": dict(report)}),
        **{f"file.{name}": bytes_array(data) for name, data in embedded.encoding.files().items()},
        **_named("train_inputs.", embedded.train_inputs),
        **_named("inputs.", embedded.inputs),
    }


def read_embedded(arrays: Mapping[str, np.ndarray]) -> EmbeddedReport:
    """What `embedded_to_arrays` wrote."""
    about = read_text(arrays["about"])
    embedded = Embedded(
        arrays["encoder"].tobytes(),
        _under("inputs.", arrays),
        arrays["train"],
        arrays["validation"],
        _under("train_inputs.", arrays),
        Encoding.from_json(
            about["encoding"], {name: data.tobytes() for name, data in _under("file.", arrays).items()}
        ),
    )
    return embedded, about["report"]


def candidate_to_arrays(candidate: Candidate) -> Arrays:
    """A candidate as it was judged, with its graph; its fitted model is not kept."""
    about = {
        "kind": candidate.kind,
        "settings": dict(candidate.fitted.settings),
        "calibration": asdict(candidate.calibration),
        "parity": candidate.parity,
        "refused": candidate.refused,
    }
    arrays = {"losses": candidate.losses, "margins": candidate.margins}
    if candidate.exported is not None:
        arrays |= _exported_to_arrays(candidate.exported, about)
    return {**arrays, "about": text_array(about)}


def read_candidate(arrays: Mapping[str, np.ndarray]) -> Candidate:
    """What `candidate_to_arrays` wrote."""
    about = read_text(arrays["about"])
    steps = tuple((float(at), float(level)) for at, level in about["calibration"]["steps"])
    return Candidate(
        about["kind"],
        Recalled(about["kind"], about["settings"]),
        Calibration(about["calibration"]["slope"], about["calibration"]["intercept"], steps),
        arrays["losses"],
        arrays["margins"],
        _read_exported(arrays, about) if "affine.weights" in arrays else None,
        about["parity"],
        about["refused"],
    )


def _exported_to_arrays(exported: Exported, about: dict[str, Any]) -> Arrays:
    """Arrays of a graph; what is no array is put into `about`."""
    arrays = {
        "affine.weights": exported.affine.weights,
        "affine.intercepts": exported.affine.intercepts,
    }
    if (body := exported.body) is not None:
        about["body"] = {
            "nodes": len(body.nodes),
            "constants": len(body.constants),
            "output": body.output,
            "reads": body.reads,
            "gives": body.gives,
            "probabilities": body.probabilities,
            "floor": body.floor,
        }
        for what, messages in (("node", body.nodes), ("constant", body.constants)):
            for place, message in enumerate(messages):
                arrays[f"body.{what}.{place}"] = bytes_array(message.SerializeToString(deterministic=True))
    if (raw := exported.raw) is not None:
        about["raw"] = {"texts": [name for name, _ in raw.texts], "span": raw.span}
        arrays |= {
            "raw.numeric": raw.numeric,
            "raw.table": raw.table,
            "raw.intercepts": raw.intercepts,
            **{f"raw.text.{place}": table for place, (_, table) in enumerate(raw.texts)},
        }
    if (view := exported.own) is not None:
        arrays |= {f"own.{name}": np.asarray(value) for name, value in vars(view).items()}
    return arrays


def _read_exported(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> Exported:
    body = raw = None
    if "body" in about:
        told = dict(about["body"])
        nodes, constants = told.pop("nodes"), told.pop("constants")
        body = Body(
            nodes=tuple(_message(onnx.NodeProto(), arrays[f"body.node.{place}"]) for place in range(nodes)),
            constants=tuple(
                _message(onnx.TensorProto(), arrays[f"body.constant.{place}"]) for place in range(constants)
            ),
            **told,
        )
    if "raw" in about:
        texts = tuple((name, arrays[f"raw.text.{at}"]) for at, name in enumerate(about["raw"]["texts"]))
        raw = RawWeights(
            arrays["raw.numeric"], arrays["raw.table"], texts, arrays["raw.intercepts"], about["raw"]["span"]
        )
    view: EmbeddingView | FieldsView | None = None
    if "own.mean" in arrays:
        view = EmbeddingView(arrays["own.mean"], arrays["own.inverse"])
    elif "own.numeric" in arrays:
        view = FieldsView(int(arrays["own.numeric"]), arrays["own.field_of_row"])
    return Exported(Affine(arrays["affine.weights"], arrays["affine.intercepts"]), body, raw, view)


def _message(empty: Any, array: np.ndarray) -> Any:
    empty.ParseFromString(array.tobytes())
    return empty


def _named(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {prefix + name: array for name, array in arrays.items()}


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
