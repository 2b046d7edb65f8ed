"""`tandem list`: the bundles of a registry."""

from __future__ import annotations

from typing import Any

import typer

from engine.cli.options import HERE, AsJson, ProjectDir


def command(project: ProjectDir = HERE, as_json: AsJson = False) -> None:
    """List the bundles, newest first: digest, names, when and how made, from what, headline figures."""
    from engine.cli.console import complain, say, say_json, say_table
    from engine.cli.headline import headline
    from engine.cli.target import find_registry
    from engine.errors import BundleError
    from engine.lifecycle.registry import Listed, Registry
    from engine.manifest import read_json

    wrong = []

    def described(registry: Registry, item: Listed) -> dict[str, Any]:
        lineage = item.manifest.lineage
        evaluation = {}
        try:
            if (kept := registry.part(item.manifest, "evaluation.json")) is not None:
                evaluation = read_json(kept, "evaluation.json")
        except BundleError as error:  # a bundle that cannot be shown whole must not hide the others
            wrong.append(error)
        return {
            "digest": item.digest,
            "names": list(item.names),
            "created": item.manifest.created.isoformat(timespec="seconds"),
            "made_by": lineage.get("made_by"),
            "parent": lineage.get("parent"),
            "figures": headline(evaluation) if evaluation else {},
        }

    registry = find_registry(project)
    bundles = [described(registry, item) for item in registry.list()]
    wrong += registry.damaged()
    if as_json:
        say_json(
            {"registry": str(registry.root), "bundles": bundles, "damaged": [str(error) for error in wrong]}
        )
    elif not bundles:
        say("no bundles yet; 'tandem fit' makes one")
    else:
        say_table(("digest", "names", "created (UTC)", "made by", "parent", "figures"), _rows(bundles))
    for error in wrong:
        complain(str(error))
    if wrong:
        raise typer.Exit(1)


def _rows(bundles: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    from engine.lifecycle.registry import short

    return [
        (
            short(bundle["digest"]),
            ", ".join(bundle["names"]),
            bundle["created"][:16].replace("T", " "),
            bundle["made_by"],
            short(bundle["parent"]) if bundle["parent"] else "",
            "  ".join(f"{name} {value:,.4g}" for name, value in bundle["figures"].items()),
        )
        for bundle in bundles
    ]
