"""`tandem evaluate`: a bundle judged on labelled rows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.cli.options import HERE, AsJson, ProjectDir


def command(
    first: Annotated[str, typer.Argument(help="The bundle, or the file alone.", metavar="BUNDLE|DATA")],
    second: Annotated[
        str | None, typer.Argument(help="The labelled file.", metavar="DATA", show_default=False)
    ] = None,
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Evaluate a bundle (the champion, else the latest) on a labelled file: model, filters, both together."""
    from pathlib import Path

    from engine.cli.console import complain, say, say_json
    from engine.cli.tables import read_table
    from engine.cli.target import find_bundle, find_registry
    from engine.evaluation.evaluate import evaluate, project_of
    from engine.evaluation.looks import looked_at
    from engine.evaluation.report import render
    from engine.runtime import Runtime
    from engine.spill import SPILL
    from engine.training.reuse import fingerprint

    ref, source = (None, first) if second is None else (first, second)
    folder = project / SPILL if project.is_dir() else None
    table = read_table(Path(source), folder)
    bundle = find_bundle(ref, project)
    if fingerprint(table) == (bundle.lineage.get("data") or {}).get("train"):
        complain(f"note: the bundle was fitted on rows of {source}; figures on them flatter it")
    evaluation = evaluate(
        Runtime.open(bundle), project_of(bundle), table, source=source, folder=folder
    ).to_json()
    if fingerprint(table) == bundle.lineage.get("test_rows"):
        looked_at(bundle, find_registry(project).root, "evaluate", datetime.now(UTC))
    if as_json:
        say_json(evaluation)
    else:
        say(f"bundle {bundle.digest}\n")
        say(render(evaluation).rstrip())
