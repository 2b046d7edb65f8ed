"""`tandem schema`: printed, written, and named by the files of a first project."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.project.schemas import file_schema
from tests.engine.cli.conftest import Run


def test_a_schema_is_printed_or_written(run: Run, tmp_path: Path) -> None:
    """Each kind, to stdout or to a file; another kind is misuse."""
    for kind in ("rules", "project", "test", "sweep"):
        code, out, err = run("schema", kind)
        assert (code, json.loads(out), err) == (0, file_schema(kind), "")
    new = tmp_path / "new" / "s.json"
    refused = f"{new} cannot be written: there is no folder {new.parent}; nothing was changed there\n"
    assert run("schema", "project", "-o", new) == (1, "", refused)
    file = tmp_path / "s.json"
    assert run("schema", "project", "-o", file) == (0, f"{file}: the schema of project.yaml\n", "")
    assert json.loads(file.read_text()) == file_schema("project")
    assert run("schema", "rule")[0] == 2


def test_the_files_of_a_first_project_name_schemas_that_are_there(run: Run, tmp_path: Path) -> None:
    """The line that editors look for leads to a schema of that kind of file."""
    assert run("init", "payments", tmp_path / "p", "--rows", "1000")[0] == 0
    for name, kind in (
        ("project.yaml", "project"),
        ("rules/fraud.yaml", "rules"),
        ("rules/compliance.yaml", "rules"),
    ):
        file = tmp_path / "p" / name
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text("utf-8"))
        assert named is not None
        assert json.loads((file.parent / named[1]).read_text("utf-8")) == file_schema(kind)
