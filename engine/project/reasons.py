"""The reason codes of a classifier in project.yaml: which end of its scores is adverse, a code a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from embeddings.spec import Spec
from engine.project.form import Form
from engine.project.records import ClassifierSpec
from engine.reasons import ADVERSE, HIGH, ReasonCodes
from engine.schema import Schema
from rules.form import Path


def read_reasons(form: Form, at: Path, body: Mapping[str, Any], schema: Schema | None) -> ReasonCodes:
    """Which end of a classifier's scores is adverse, and the reason code of each field."""
    adverse = form.one_of((*at, "adverse"), body, ADVERSE, HIGH)
    codes = form.section((*at, "reasons"), body)
    for field in codes:
        path = (*at, "reasons", field)
        if schema is not None:
            form.known(path, "field", field, schema.by_name, key=True)
        form.code(path, codes[field])
    return ReasonCodes(adverse, codes)


def refuse_unseen(
    form: Form,
    classifiers: Mapping[str, ClassifierSpec],
    schema: Schema | None,
    embedding: Spec,
    named_by: Any,
) -> None:
    """Refuse a reason code for a field that no score is made from: it would never be told.

    `named_by` is the column that names a record.
    """
    seen = {slot.name for slot in embedding.slots if slot.name != named_by}
    if schema is None or not seen:
        return
    for name, spec in classifiers.items():
        for field in spec.reasons.codes:
            if field in schema.by_name and field not in seen:
                hint = (
                    "leave it out here: 'embedding.without' keeps it from the model, or it names the record"
                )
                path = ("classifiers", name, "reasons", field)
                form.note(path, f"no score is made from '{field}', so it is no reason", hint, key=True)
