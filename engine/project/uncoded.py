"""What `tandem check` says of fields without a reason code, where a classifier gives codes to others."""

from __future__ import annotations

from collections.abc import Iterator

from engine.project.folder import FILE
from engine.project.records import Project
from rules.findings import WARNING, Finding
from rules.reader import read_yaml

UNCODED = "no-reason-code"
SAYS = {UNCODED: "Fields that a score is made from have no reason code, beside others that have one."}


def uncoded(project: Project) -> Iterator[Finding]:
    """Give a finding for each classifier with reason codes that leaves fields of its own without one.

    Such a field is told under its own name, which would then stand among codes in what people are sent.
    """
    seen = [slot.name for slot in project.embedding.slots if slot.name != project.id]
    document = read_yaml(project.text, FILE)
    for name, spec in project.classifiers.items():
        bare = [field for field in seen if field not in spec.reasons.codes]
        if spec.reasons.codes and bare:
            line, column = document.key_position(("classifiers", name, "reasons"))
            fields = ", ".join(f"'{field}'" for field in bare)
            message = f"no reason code for {fields}: as reasons of '{name}' they stand under their own names"
            hint = "give each a code (fields may share one), or keep it from the model by 'embedding.without'"
            source = document.text.splitlines()[line - 1]
            yield Finding(FILE, line, column, UNCODED, WARNING, message, hint, source)
