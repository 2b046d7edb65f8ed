"""`tandem rollback`: point a name at what it pointed at before."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.cli.options import HERE, AsJson, NameOption, ProjectDir, Why


def command(
    name: NameOption = "champion",
    why: Why = "",
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Point a name (champion) back at the bundle before its last promotion; once more goes further back."""
    from engine.cli.moved import report_move
    from engine.cli.target import find_registry, project_root
    from engine.lifecycle.names import Act, current_user
    from engine.lifecycle.watch import state

    registry = find_registry(project)
    root = project_root(project, registry)
    before = registry.names.get(name)
    files = state(root) if root else ""
    after = registry.rollback(name, Act("rolled-back", current_user(), datetime.now(UTC), why, files))
    report_move(registry, root, before, after, as_json=as_json)
