"""`tandem schema`: the JSON Schema of rule files, project.yaml, test files and sweeps."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Kind(StrEnum):
    """The kinds of files that have a schema."""

    rules = "rules"
    project = "project"
    test = "test"
    sweep = "sweep"


def command(
    kind: Annotated[Kind, typer.Argument(help="Of which files.")] = Kind.rules,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write it to a file.", metavar="FILE", show_default=False),
    ] = None,
) -> None:
    """Print the JSON Schema (2020-12) by which editors complete and check a kind of file.

    'tandem init' puts them all under .tandem/ and names them in the files it writes.
    """
    from engine.cli.console import say
    from engine.files import write_whole
    from engine.project.schemas import schema_text

    text = schema_text(kind.value)
    if out is None:
        return say(text.rstrip("\n"))
    write_whole(out, text.encode())
    return say(f"{out}: the schema of {'project.yaml' if kind is Kind.project else f'{kind.value} files'}")
