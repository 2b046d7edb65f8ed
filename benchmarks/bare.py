"""The floor: a bundle's ONNX graph run by onnxruntime on inputs prepared beforehand, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from embeddings.encode import Encoding
from engine.lifecycle.registry import Registry
from engine.manifest import MODEL
from engine.model import ENCODING, SCORES, open_session
from engine.schema import Schema


class BareModel:
    """A project's champion reduced to its graph; schema and encoding are there to prepare inputs with."""

    def __init__(self, place: Path) -> None:
        bundle = Registry(place / "registry").get("champion")
        self.schema = Schema.from_json(bundle.json("schema.json")["fields"])
        self.encoding = Encoding.from_json(bundle.json(ENCODING))
        self.classifiers: list[dict[str, Any]] = bundle.json(SCORES)["classifiers"]
        self._run = open_session(bundle.parts[MODEL]).run

    def scores(self, inputs: dict[str, np.ndarray]) -> Any:
        return self._run(None, inputs)[0]
