"""The encoders of a project's own for its text fields: `embedding: {encoders: …}`, and its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from embeddings.errors import EncodingError, OutputError
from embeddings.textmodel import MOST_TOKENS, POOLS, TextModel
from engine.bundle import check_model
from engine.errors import BundleError
from engine.project.form import Form
from engine.project.records import EncoderSpec
from rules.errors import CheckFailed, Problem
from rules.folder import read_lists
from rules.reader import read_yaml

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

    Raises CheckFailed with every file that cannot be used, at its place in project.yaml.
    """
    models, problems = _tried(project)
    if problems:
        raise CheckFailed(problems)
    return models


def encoder_problems(project: Project) -> tuple[Problem, ...]:
    """What is wrong with the files of the encoders, each at its place: what a fit would refuse."""
    return tuple(_tried(project)[1]) if project.encoders else ()


def encoder_identity(project: Project) -> dict[str, Any]:
    """What of the encoders shapes a model: their settings, and their files by hash.

    Raises CheckFailed with every file that cannot be read.
    """
    files, problems = _read(project)
    if problems:
        raise CheckFailed(problems)
    return {
        name: [asdict(spec), *(hashlib.sha256(data).hexdigest() for data in files[name])]
        for name, spec in project.encoders.items()
    }


def _tried(project: Project) -> tuple[dict[str, TextModel], list[Problem]]:
    files, problems = _read(project)
    models = {}
    for name, (graph, vocabulary) in files.items():
        spec = project.encoders[name]
        model = TextModel(graph, vocabulary, spec.tokens, spec.output, spec.lower, spec.pool)
        fault = _fault(model, spec)
        if fault is None:
            models[name] = model
        else:
            key, message = fault
            problems.append(_problem(project, name, key, f"encoder of '{name}', {message}"))
    return models, problems


def _fault(model: TextModel, spec: EncoderSpec) -> tuple[str, str] | None:
    """The key that names what is wrong, and what that is."""
    try:
        model.check_vocabulary()
    except EncodingError as error:
        return "vocabulary", f"{spec.vocabulary}: {error}"
    try:
        check_model(model.onnx, part=spec.onnx)
        model.check()
        model.check_steady()
    except BundleError as error:
        return "onnx", str(error)
    except OutputError as error:
        return "output", f"{spec.onnx}: {error}"
    except ValueError as error:
        return "onnx", f"{spec.onnx}: {error}"
    return None


def _read(project: Project) -> tuple[dict[str, tuple[bytes, bytes]], list[Problem]]:
    """Graph and vocabulary of each encoder whose files can both be read."""
    read = read_lists(project.root)
    files, problems = {}, []
    for name, spec in project.encoders.items():
        data = []
        for key, file in (("onnx", spec.onnx), ("vocabulary", spec.vocabulary)):
            try:
                data.append(bytes(read(file)))
            except (OSError, ValueError) as error:  # ValueError: a zero byte in a name
                reason = getattr(error, "strerror", None) or str(error)
                message = f"encoder of '{name}': {file} cannot be read: {reason}"
                problems.append(_problem(project, name, key, message))
        if len(data) == 2:
            files[name] = (data[0], data[1])
    return files, problems


def _problem(project: Project, name: str, key: str, message: str) -> Problem:
    document = read_yaml(project.text, "project.yaml")
    return document.problem(("embedding", "encoders", name, key), message)
