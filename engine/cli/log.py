"""`tandem log`: the journal of every name that was moved."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.options import HERE, AsJson, ProjectDir


def command(
    project: ProjectDir = HERE,
    name: Annotated[str, typer.Option("--name", help="Only this name's moves.", metavar="NAME")] = "",
    as_json: AsJson = False,
) -> None:
    """Show who moved which name when, from where to where, and why; the latest first."""
    from engine.cli.console import say, say_json, say_table
    from engine.cli.target import find_registry
    from engine.lifecycle.registry import short

    registry = find_registry(project)
    entries = [entry for entry in reversed(registry.log()) if name in ("", entry.name)]
    if as_json:
        return say_json({"registry": str(registry.root), "entries": [entry.to_json() for entry in entries]})
    if not entries:
        return say("nothing has happened yet")
    rows = [
        (
            entry.at[:19].replace("T", " "),
            entry.who,
            entry.action,
            entry.name,
            short(entry.before) if entry.before else "",
            short(entry.after),
            entry.why,
        )
        for entry in entries
    ]
    return say_table(("when (UTC)", "who", "what", "name", "from", "to", "why"), rows)
