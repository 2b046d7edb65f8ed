"""`tandem diff`: what differs between two bundles, and with data, which decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import HERE, AsJson, ProjectDir

if TYPE_CHECKING:
    from engine.bundle import Bundle
    from engine.lifecycle.diff import Change, Difference


def command(
    old: Annotated[str, typer.Argument(help="A path, name or digest.", metavar="A")],
    new: Annotated[str, typer.Argument(help="A path, name or digest.", metavar="B")],
    data: Annotated[
        Path | None, typer.Option("--data", help="A file: which of its decisions change?", metavar="FILE")
    ] = None,
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what changes from bundle A to bundle B: parts, rules line by line, and the decisions on a file."""
    from engine.cli.console import say_json
    from engine.cli.target import find_bundle
    from engine.lifecycle.diff import compare

    bundles = find_bundle(old, project), find_bundle(new, project)
    difference = compare(*bundles)
    decisions = _decisions(*bundles, data) if data is not None else None
    if as_json:
        shown = {"from": bundles[0].digest, "to": bundles[1].digest, **difference.to_json()}
        return say_json(shown | ({"decisions": decisions} if decisions else {}))
    _print(*bundles, difference)
    if decisions is not None and data is not None:
        _print_decisions(decisions, data)
    return None


def _decisions(old: Bundle, new: Bundle, data: Path) -> dict[str, Any]:
    from datetime import UTC, datetime

    from engine.cli.tables import table_batches
    from engine.lifecycle.changed import changed_decisions
    from engine.runtime import Runtime

    before = Runtime.open(old)
    after = Runtime.open(new, like=before)
    return changed_decisions(before, after, table_batches(data), now=datetime.now(UTC)).to_json()


def _print(old: Bundle, new: Bundle, difference: Difference) -> None:
    from engine.cli.console import heading, say, say_table
    from engine.lifecycle.registry import short

    say(f"from {short(old.digest)} to {short(new.digest)}")
    if difference.decides_the_same:
        say("nothing that shapes decisions differs")
    if difference.parts:
        heading("Parts")
        say_table(("part", ""), [(change.name, change.kind) for change in difference.parts])
    for title, changes in (
        ("Rules", difference.rules),
        ("Policy", difference.policy),
        ("Lists", difference.lists),
    ):
        if changes:
            heading(title)
            _print_changes(changes)


def _print_changes(changes: tuple[Change, ...]) -> None:
    from engine.cli.console import MOST_LINES, coloured, say

    for change in changes:
        say(f"{change.name}: {change.kind}")
        for line in change.lines[:MOST_LINES]:
            say("  " + coloured(line, {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")))
        if len(change.lines) > MOST_LINES:
            say(f"  … and {len(change.lines) - MOST_LINES:,} more lines")


def _print_decisions(decisions: dict[str, Any], data: Path) -> None:
    from engine.cli.console import heading, say, say_table

    heading(f"Decisions on {data}")
    share = decisions["changed"] / decisions["rows"] if decisions["rows"] else 0.0
    say(f"{decisions['changed']:,} of {decisions['rows']:,} change ({share:.2%})")
    if decisions["rejected"]:
        say(f"{decisions['rejected']:,} rows cannot be read and are left out")
    if decisions["changed"]:
        say_table(
            ("from", "to", "rows"), [(move["from"], move["to"], move["rows"]) for move in decisions["moves"]]
        )
        say("\nthe first of them:")
        rows = [
            (
                one["row"],
                one["id"],
                *(f"{one[side]['outcome']} ({one[side]['decided_by']})" for side in ("from", "to")),
            )
            for one in decisions["samples"]
        ]
        say_table(("row", "id", "was", "becomes"), rows)
