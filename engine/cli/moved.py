"""What is printed after a name was moved."""

from __future__ import annotations

from pathlib import Path

from engine.cli.console import complain, say, say_json
from engine.errors import BundleError
from engine.lifecycle.names import Name
from engine.lifecycle.registry import Registry, short
from engine.manifest import read_json
from engine.project.folder import read_rules
from rules.errors import CheckFailed


def report_move(
    registry: Registry, root: Path | None, before: Name | None, after: Name, *, as_json: bool
) -> None:
    """Say where the name pointed and points, what makes the bundle's figures doubtful, and when the project's
    rule files are not what decides now.
    """
    doubts = _doubts(registry, after.digest)
    if as_json:
        moved = before is None or before.entry.id != after.entry.id
        say_json(
            {
                "name": after.name,
                "from": before.digest if before else None,
                "to": after.digest,
                "moved": moved,
                "notes": doubts,
            }
        )
    elif before is not None and before.digest == after.digest:
        say(f"{after.name} points at {short(after.digest)} already")
    else:
        since = f" (was {short(before.digest)})" if before else ""
        say(f"{after.name} → {short(after.digest)}{since}")
    for doubt in doubts if not as_json else ():
        complain(f"note: {doubt}")
    if root is not None and _differ(registry, root, after.digest):
        complain(
            "note: the files in rules/ are not the ones in this bundle; "
            "the bundle's own rules decide until a rule file is saved"
        )


def _doubts(registry: Registry, digest: str) -> list[str]:
    """What the bundle's own evaluation warns of; nothing where it has none."""
    written = registry.part(registry.manifest(digest), "evaluation.json")
    try:
        kept = read_json(written, "evaluation.json") if written else {}
    except BundleError:
        return []
    found = kept.get("warnings") if isinstance(kept, dict) else None
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _differ(registry: Registry, root: Path, digest: str) -> bool:
    manifest = registry.manifest(digest)
    kept = {name: registry.part(manifest, name) for name in manifest.parts if name.startswith("rules/")}
    try:
        return kept != read_rules(root)
    except CheckFailed:  # files that cannot be read are not the bundle's
        return True
