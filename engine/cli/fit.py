"""`tandem fit`: a project and its labelled rows become a bundle."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import AsJson, ProjectArgument, SameProject, Why, project_of

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.bundle import Bundle
    from engine.experiments.winner import Winner
    from engine.lifecycle.registry import Registry
    from engine.project import Project


def command(
    folder: ProjectArgument = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="Fit the winner of an experiment.",
            metavar="EXPERIMENT",
            show_default=False,
        ),
    ] = "",
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Learn all anew: take nothing from earlier fits, or from one cut off."),
    ] = False,
    why: Why = "",
    same: SameProject = None,
    as_json: AsJson = False,
) -> None:
    """Fit the project: embedding, classifiers, policy and filters become one bundle, evaluated, named latest.

    Where only rules changed, the model of the latest bundle is reused and this takes seconds. A fit that was
    interrupted or killed goes on where it was, and comes to the same digest. With --from,
    the winner of an experiment is fitted, to the digest that it had there; project.yaml stays as it is.
    """
    from engine.cli.console import complain, progress, say, say_json
    from engine.cli.stops import goes_on
    from engine.cli.tables import labelled_table
    from engine.evaluation.looks import looked_at
    from engine.evaluation.report import notes
    from engine.experiments.board import as_yaml
    from engine.experiments.cache import CACHE, Cache
    from engine.experiments.memory import remembering_learner
    from engine.lifecycle.names import Act, current_user
    from engine.lifecycle.registry import LATEST, Registry, short
    from engine.lifecycle.watch import state
    from engine.project import load_project
    from engine.training.build import fit

    project = project_of(folder, same)
    loaded = load_project(project)
    winner = _winner(loaded, from_) if from_ else None
    if winner is not None:
        loaded = winner.project
    registry = Registry(loaded.registry)
    registry.check_writable()
    files = state(project)
    train = labelled_table(loaded, loaded.data.train, "train", quiet=as_json)
    test = labelled_table(loaded, loaded.data.test, "test", quiet=as_json) if loaded.data.test else None
    previous = _previous(registry)
    if winner is not None:
        _check(winner, train, test)
    taken_up: list[str] = []

    def note(text: str) -> None:
        taken_up.append(text)
        if not as_json:
            complain(text)

    with nullcontext() if fresh else goes_on(), progress("fitting", quiet=as_json) as tell:
        bundle = fit(
            loaded,
            train,
            test,
            now=datetime.now(UTC),
            progress=tell,
            previous=previous,
            rules=None if winner is None else winner.rules,
            learner=None if fresh else remembering_learner(Cache(loaded.root / CACHE), note),
            reuse=not fresh,
        )
    if winner is not None:
        winner.check_digest(bundle.digest)
    known = registry.has(bundle.digest)
    registry.put(bundle)
    act = Act("fitted", current_user(), datetime.now(UTC), why, files)
    registry.names.move(LATEST, bundle.digest, act)
    evaluation = bundle.json("evaluation.json")
    look = looked_at(bundle, registry.root, "fit", datetime.now(UTC))
    reused = (
        not fresh
        and previous is not None
        and previous.lineage.get("model_key") == bundle.lineage.get("model_key")
    )
    if as_json:
        return say_json(
            {
                "digest": bundle.digest,
                "new": not known,
                "model_reused": reused,
                "went_on": taken_up,
                "notes": list(notes(evaluation)),
                "looks": None if look is None else look.to_json(),
                "evaluation": evaluation,
            }
        )
    for known_of in notes(evaluation):
        complain(f"note: {known_of}")
    say(
        f"{loaded.name}: bundle {short(bundle.digest)} is latest"
        + (" (the model is reused)" if reused else "")
    )
    _say_what_came(bundle, evaluation, loaded.embedding.epochs, reused=reused)
    if look is not None and look.told:
        say(look.told)
    if winner is not None:
        settings = ", ".join(f"{key}: {as_yaml(value)}" for key, value in winner.settings.items())
        say(f"your files are as they were; to keep what won, set {settings or 'nothing'}")
    return say("'tandem show' has the evaluation, 'tandem promote' makes it the champion")


def _winner(project: Project, name: str) -> Winner:
    from engine.experiments.winner import read_winner

    return read_winner(project.root, name)


def _check(winner: Winner, train: pa.Table, test: pa.Table | None) -> None:
    """Refuse other data than the experiment's, and say which rules have changed since."""
    from engine.cli.console import complain

    winner.check(train, test)
    for name in winner.other_rules():
        complain(f"note: {name} is fitted as it was in the experiment; it has changed since")


def _say_what_came(bundle: Bundle, evaluation: dict[str, Any], most: int, *, reused: bool) -> None:
    """Say how training ended, whether an embedding is served, and the figures that a line has room for."""
    from engine.cli.console import say
    from engine.cli.headline import headline
    from engine.project.classifiers import RAW

    embedded = any(one["kind"] != RAW for one in bundle.json("model/scores.json")["classifiers"])
    if not reused:
        _say_how_it_was_trained(evaluation, most, embedded=embedded)
    if not embedded:
        say(f"no embedding is served: {RAW}, on the fields themselves, is chosen for every classifier")
    several = {f"AUC {name}" for name, one in evaluation["classifiers"].items() if "auc_by_class" in one}
    told = [
        f"{name} {value:,.4g}" + " (one class against the rest)" * (name in several)
        for name, value in headline(evaluation).items()
    ]
    if told:
        say(f"on {evaluation['rows']:,} {evaluation['source']}: {', '.join(told)}")


def _say_how_it_was_trained(evaluation: dict[str, Any], most: int, *, embedded: bool) -> None:
    """Say which pairs of categories serve, and that training ended before the most epochs there could be, and
    why.
    """
    from engine.cli.console import say

    report = evaluation.get("training", {}).get("embedding", {})
    for one, other in report.get("pairs", []) if embedded else ():
        say(f"{one} and {other} also enter together, as a pair")
    taught_by, epochs = report.get("taught_by"), report.get("epochs", most)
    if taught_by == "labels" and epochs < most:
        best = report["best_epoch"]
        say(f"training stopped after epoch {epochs} of {most}: none after epoch {best} was better")
    if taught_by == "ensemble" and report["ensemble_epochs"] < most:
        say(f"training of the ensemble stopped after epoch {report['ensemble_epochs']} of {most}")


def _previous(registry: Registry) -> Bundle | None:
    """The bundle whose model may be reused; a damaged one is no reason not to fit anew."""
    from engine.errors import BundleError
    from engine.lifecycle.registry import LATEST

    try:
        return registry.get(LATEST) if registry.names.get(LATEST) else None
    except BundleError:
        return None
