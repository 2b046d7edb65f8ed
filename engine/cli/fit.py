"""`tandem fit`: a project and its labelled rows become a bundle."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import HERE, AsJson, Why

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.lifecycle.registry import Registry


def command(
    project: Annotated[Path, typer.Argument(help="The project's folder.", metavar="DIR")] = HERE,
    why: Why = "",
    as_json: AsJson = False,
) -> None:
    """Fit the project: embedding, classifiers, policy and filters become one bundle, evaluated, named latest.

    Where only rules changed, the model of the latest bundle is reused and this takes seconds.
    """
    from engine.cli.console import complain, progress, say, say_json
    from engine.cli.headline import headline
    from engine.cli.tables import labelled_table
    from engine.evaluation.report import notes
    from engine.lifecycle.names import Act, current_user
    from engine.lifecycle.registry import LATEST, Registry, short
    from engine.lifecycle.watch import state
    from engine.project import load_project
    from engine.training.build import fit

    loaded = load_project(project)
    files = state(project)
    train = labelled_table(loaded, loaded.data.train, "train")
    test = labelled_table(loaded, loaded.data.test, "test") if loaded.data.test else None
    registry = Registry(loaded.registry)
    previous = _previous(registry)
    with progress("fitting", quiet=as_json) as tell:
        bundle = fit(loaded, train, test, now=datetime.now(UTC), progress=tell, previous=previous)
    known = registry.has(bundle.digest)
    registry.put(bundle)
    act = Act("fitted", current_user(), datetime.now(UTC), why, files)
    registry.names.move(LATEST, bundle.digest, act)
    evaluation = bundle.json("evaluation.json")
    reused = previous is not None and previous.parts["model/model.onnx"] == bundle.parts["model/model.onnx"]
    figures = headline(evaluation)
    if as_json:
        return say_json(
            {"digest": bundle.digest, "new": not known, "model_reused": reused, "evaluation": evaluation}
        )
    for note in notes(evaluation):
        complain(f"note: {note}")
    say(
        f"{loaded.name}: bundle {short(bundle.digest)} is latest"
        + (" (the model is reused)" if reused else "")
    )
    if figures:
        rows = f"{evaluation.get('rows', 0):,} {evaluation.get('source', 'rows')}"
        say(f"on {rows}: " + ", ".join(f"{name} {value:,.4g}" for name, value in figures.items()))
    return say("'tandem show' has the evaluation, 'tandem promote' makes it the champion")


def _previous(registry: Registry) -> Bundle | None:
    """The bundle whose model may be reused; a damaged one is no reason not to fit anew."""
    from engine.errors import BundleError
    from engine.lifecycle.registry import LATEST

    try:
        return registry.get(LATEST) if registry.names.get(LATEST) else None
    except BundleError:
        return None
