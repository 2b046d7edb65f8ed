"""The encoders of a project's own for its text fields: `embedding: {encoders: …}`, and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embeddings.textmodel import MOST_TOKENS, POOLS, TextModel
from engine.bundle import check_model
from engine.errors import BundleError, InputError
from engine.project.form import Form
from engine.project.records import EncoderSpec
from rules.folder import read_lists

if TYPE_CHECKING:
    from engine.project.records import Project

ENCODER_KEYS = ("onnx", "vocabulary", "output", "tokens", "lower", "pool")


def read_encoders(form: Form, settings: Mapping[str, Any], texts: tuple[str, ...]) -> dict[str, EncoderSpec]:
    """Read the section; every problem is noted at its place."""
    section = form.section(("embedding", "encoders"), settings)
    found = {}
    for name in section:
        path = ("embedding", "encoders", name)
        form.known(path, "text field", name, texts, key=True)
        body = form.section(path, section, ENCODER_KEYS)
        for key in ("onnx", "vocabulary", "output"):
            form.needs(path, body, key, ENCODER_KEYS, "an encoder")
        found[name] = EncoderSpec(
            form.name((*path, "onnx"), body),
            form.name((*path, "vocabulary"), body),
            form.name((*path, "output"), body),
            int(form.number((*path, "tokens"), body, 128, between=(3, MOST_TOKENS), whole=True)),
            form.truth((*path, "lower"), body.get("lower", True)),
            form.one_of((*path, "pool"), body, POOLS, POOLS[0]),
        )
    return found


def load_encoders(project: Project) -> dict[str, TextModel]:
    """Read the files from the project's folder, and nowhere else; try each graph on a text.

    Raises InputError with the field and the file that cannot be used.
    """
    return {name: _loaded(project.root, name, spec) for name, spec in project.encoders.items()}


def encoder_identity(project: Project) -> dict[str, Any]:
    """What of the encoders shapes a model: their settings, and their files by hash."""
    read = read_lists(project.root)
    return {
        name: [asdict(spec), *(_hash(read, name, file) for file in (spec.onnx, spec.vocabulary))]
        for name, spec in project.encoders.items()
    }


def _loaded(root: Path, name: str, spec: EncoderSpec) -> TextModel:
    read = read_lists(root)
    graph, vocabulary = (_file(read, name, file) for file in (spec.onnx, spec.vocabulary))
    model = TextModel(graph, vocabulary, spec.tokens, spec.output, spec.lower, spec.pool)
    try:
        check_model(graph, part=spec.onnx)
        model.check()
        model.check_steady()
    except (BundleError, ValueError) as error:
        raise InputError(f"encoder of '{name}', {spec.onnx}: {error}") from error
    return model


def _file(read: Any, name: str, file: str) -> bytes:
    try:
        return bytes(read(file))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"encoder of '{name}': {file} cannot be read: {reason}") from error


def _hash(read: Any, name: str, file: str) -> str:
    return hashlib.sha256(_file(read, name, file)).hexdigest()
