"""`tandem promote`: point a name at a bundle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.cli.options import HERE, AsJson, NameOption, ProjectDir, Why


def command(
    ref: Annotated[str, typer.Argument(help="A name or digest of the bundle.", metavar="BUNDLE")] = "latest",
    name: NameOption = "champion",
    why: Why = "",
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Point a name (champion) at a bundle (the latest), in one atomic step; the journal keeps who and why."""
    from engine.cli.moved import report_move
    from engine.cli.target import find_registry, project_root
    from engine.lifecycle.names import Act, current_user
    from engine.lifecycle.watch import state

    registry = find_registry(project)
    root = project_root(project, registry)
    before = registry.names.get(name)
    files = state(root) if root else ""
    after = registry.promote(name, ref, Act("promoted", current_user(), datetime.now(UTC), why, files))
    report_move(registry, root, before, after, as_json=as_json)
