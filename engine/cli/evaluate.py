"""`tandem evaluate`: a bundle judged on labelled rows."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.options import HERE, AsJson, ProjectDir


def command(
    places: Annotated[
        list[str],
        typer.Argument(
            help="A bundle (else the champion, else the latest) and a labelled file.", metavar="[BUNDLE] DATA"
        ),
    ],
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Evaluate a bundle on a labelled file: model alone, filters alone, and the two together."""
    from pathlib import Path

    from engine.cli.console import say, say_json
    from engine.cli.tables import read_table
    from engine.cli.target import find_bundle
    from engine.decide import Runtime
    from engine.evaluation.evaluate import evaluate, project_of
    from engine.evaluation.report import render

    if len(places) > 2:
        raise typer.BadParameter("give a bundle and a file, or the file alone")
    *ref, source = places
    table = read_table(Path(source))
    bundle = find_bundle(ref[0] if ref else None, project)
    evaluation = evaluate(Runtime.open(bundle), project_of(bundle), table, source=source).to_json()
    if as_json:
        say_json(evaluation)
    else:
        say(f"bundle {bundle.digest}\n")
        say(render(evaluation).rstrip())
