"""What is printed after a name was moved."""

from __future__ import annotations

from pathlib import Path

from engine.cli.console import complain, say, say_json
from engine.lifecycle.names import Name
from engine.lifecycle.registry import Registry, short
from engine.project.folder import read_rules
from rules.errors import CheckFailed


def report_move(
    registry: Registry, root: Path | None, before: Name | None, after: Name, *, as_json: bool
) -> None:
    """Say where the name pointed and points, and when the project's rule files are not what decides now."""
    if as_json:
        moved = before is None or before.entry.id != after.entry.id
        say_json(
            {
                "name": after.name,
                "from": before.digest if before else None,
                "to": after.digest,
                "moved": moved,
            }
        )
    elif before is not None and before.digest == after.digest:
        say(f"{after.name} points at {short(after.digest)} already")
    else:
        since = f" (was {short(before.digest)})" if before else ""
        say(f"{after.name} → {short(after.digest)}{since}")
    if root is not None and _differ(registry, root, after.digest):
        complain(
            "note: the files in rules/ are not the ones in this bundle; "
            "the bundle's own rules decide until a rule file is saved"
        )


def _differ(registry: Registry, root: Path, digest: str) -> bool:
    manifest = registry.manifest(digest)
    kept = {name: registry.part(manifest, name) for name in manifest.parts if name.startswith("rules/")}
    try:
        return kept != read_rules(root)
    except CheckFailed:  # files that cannot be read are not the bundle's
        return True
