"""`tandem evaluate`: a bundle judged on labelled rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import HERE, AsJson, ProjectDir

if TYPE_CHECKING:
    from engine.evaluation.looks import Look


def command(
    first: Annotated[str, typer.Argument(help="The bundle, or the file alone.", metavar="BUNDLE|DATA")],
    second: Annotated[
        str | None, typer.Argument(help="The labelled file.", metavar="DATA", show_default=False)
    ] = None,
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Evaluate a bundle (the champion, else the latest) on a labelled file: model, filters, both together."""
    from engine.cli.console import say, say_json
    from engine.cli.tables import read_table
    from engine.cli.target import find_bundle
    from engine.evaluation.evaluate import evaluate, project_of
    from engine.evaluation.report import calibrations, render
    from engine.manifest import SEEN
    from engine.runtime import Runtime
    from engine.spill import SPILL
    from engine.training.reuse import fingerprint

    ref, source = (None, first) if second is None else (first, second)
    folder = project / SPILL if project.is_dir() else None
    table = read_table(Path(source), folder, quiet=as_json)
    bundle = find_bundle(ref, project)
    rows = fingerprint(table)
    fitted_on = rows == (bundle.lineage.get("data") or {}).get("train")
    evaluation = evaluate(
        Runtime.open(bundle),
        project_of(bundle),
        table,
        source=source,
        folder=folder,
        fitted_on=None if fitted_on else bundle.parts.get(SEEN),
    ).to_json()
    if fitted_on:
        told = f"the bundle was fitted on rows of {source}; figures on them flatter it"
        evaluation["warnings"].insert(0, told)
    kept = bundle.json("evaluation.json") if "evaluation.json" in bundle.parts else {}
    for name, calibration in calibrations(kept).items():
        if name in evaluation["classifiers"]:
            evaluation["classifiers"][name]["calibration"] = calibration
    look = _looked(bundle.digest, rows, project)
    if as_json:
        say_json(evaluation | {"looks": None if look is None else look.to_json()})
        return
    say(f"bundle {bundle.digest}\n")
    say(render(evaluation).rstrip())
    if look is not None and look.told:
        say(look.told)


def _looked(digest: str, rows: str, project: Path) -> Look | None:
    """Count this look in the project's registry; None where there is none, or none that can be written."""
    from engine.cli.console import complain
    from engine.errors import OutputError
    from engine.evaluation.looks import record_look
    from engine.lifecycle.registry import registry_of

    registry = registry_of(project)
    if registry is None:
        return None
    try:
        return record_look(registry.root, rows=rows, bundle=digest, by="evaluate", now=datetime.now(UTC))
    except OutputError as error:
        complain(f"note: this look at the rows is not counted: {error}")
        return None
