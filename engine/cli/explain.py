"""`tandem explain`: one decision and the reasons for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.options import HERE, AsJson, BundleRef, ProjectDir


def command(
    source: Annotated[
        Path | None,
        typer.Argument(help="A file to take the record from.", metavar="FILE", show_default=False),
    ] = None,
    row: Annotated[
        int | None, typer.Option("--row", help="Which row, counted from 0.", metavar="N", min=0)
    ] = None,
    record: Annotated[
        str | None, typer.Option("--record", help="A record as JSON, or @FILE that holds it.", metavar="JSON")
    ] = None,
    fields: Annotated[
        int, typer.Option("--fields", help="How many fields to tell of each score.", metavar="N", min=0)
    ] = 5,
    ref: BundleRef = None,
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Explain one decision: the fields that moved its scores, the rules that fired and on what, the outcome
    without each, the principal reasons.
    """
    from datetime import UTC, datetime

    from engine.cli.console import say, say_json
    from engine.cli.tables import read_row
    from engine.cli.target import find_bundle
    from engine.explain import explain_record
    from engine.runtime import Runtime

    if (record is None) == (source is None) or (source is None) != (row is None):
        raise typer.BadParameter("give FILE with --row N, or --record JSON")
    given = read_row(source, row) if source is not None and row is not None else _of_text(record or "")
    explanation = explain_record(Runtime.open(find_bundle(ref, project)), given, now=datetime.now(UTC))
    if as_json:
        say_json(explanation.to_dict())
    else:
        say(explanation.text(fields=fields))


def _of_text(text: str) -> dict[str, Any]:
    from engine.errors import InputError

    place = "--record"
    if text.startswith("@"):
        place = text[1:]
        try:
            text = Path(place).read_text(encoding="utf-8")
        except UnicodeDecodeError as wrong:
            raise InputError(f"{place}: not UTF-8 text: {wrong.reason} at byte {wrong.start}") from None
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise InputError(f"{place}: not JSON: {wrong}") from None
    if not isinstance(found, dict):
        raise InputError(f"{place}: a record is a JSON object of field names and values")
    return found
