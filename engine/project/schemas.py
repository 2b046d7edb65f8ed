"""JSON Schemas of the files that people edit, from their declared forms: what editors check by."""

from __future__ import annotations

import json
from typing import Any

from engine.experiments.forms import SWEEP_FILE
from engine.project.forms import PROJECT_FILE
from rules.forms import RULE_FILE
from rules.shape import json_schema
from rules.suites import SUITE_FILE

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = ".tandem"
FORMS = {"rules": RULE_FILE, "project": PROJECT_FILE, "test": SUITE_FILE, "sweep": SWEEP_FILE}


def file_schema(kind: str) -> dict[str, Any]:
    """Give the schema of a kind of file: `rules`, `project` (project.yaml), `test` or `sweep`."""
    form = FORMS[kind]
    return {"$schema": DIALECT, "title": form.about, **json_schema(form)}


def schema_text(kind: str) -> str:
    """Give a schema as the text of a file."""
    return json.dumps(file_schema(kind), indent=2, ensure_ascii=False) + "\n"


def schema_files() -> dict[str, bytes]:
    """Give the schemas that a project keeps for its editors, by path."""
    return {f"{FOLDER}/{kind}.schema.json": schema_text(kind).encode() for kind in FORMS}


def modeline(kind: str, up: int = 0) -> str:
    """Give the comment by which editors find a schema, for a file `up` folders below the project."""
    return f"# yaml-language-server: $schema={'../' * up}{FOLDER}/{kind}.schema.json"
