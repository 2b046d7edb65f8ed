"""`tandem list`: the bundles of a registry."""

from __future__ import annotations

import json
from typing import Any

from engine.cli.options import HERE, AsJson, ProjectDir


def command(project: ProjectDir = HERE, as_json: AsJson = False) -> None:
    """List the bundles, newest first: digest, names, when and how made, from what, headline figures."""
    from engine.cli.console import say, say_json, say_table
    from engine.cli.headline import headline
    from engine.cli.target import find_registry
    from engine.lifecycle.registry import Listed, Registry, short

    def described(registry: Registry, item: Listed) -> dict[str, Any]:
        lineage = item.manifest.lineage
        kept = registry.part(item.manifest, "evaluation.json")
        return {
            "digest": item.digest,
            "names": list(item.names),
            "created": item.manifest.created.isoformat(timespec="seconds"),
            "made_by": lineage.get("made_by"),
            "parent": lineage.get("parent"),
            "figures": headline(json.loads(kept)) if kept else {},
        }

    registry = find_registry(project)
    bundles = [described(registry, item) for item in registry.list()]
    if as_json:
        return say_json({"registry": str(registry.root), "bundles": bundles})
    if not bundles:
        return say("no bundles yet; 'tandem fit' makes one")
    rows = [
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
    return say_table(("digest", "names", "created (UTC)", "made by", "parent", "figures"), rows)
