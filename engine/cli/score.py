"""`tandem score`: a file in, decisions out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import HERE, AsJson, BundleRef, ProjectDir

if TYPE_CHECKING:
    from engine.score import ScoreReport


def command(
    source: Annotated[Path, typer.Argument(help="Parquet, CSV or JSON Lines, also gzipped.", metavar="IN")],
    target: Annotated[Path, typer.Option("--out", "-o", help="Where to, by extension.", metavar="OUT")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the columns of IN beside the decisions.")
    ] = False,
    reasons_for: Annotated[
        list[str] | None,
        typer.Option(
            "--reasons-for",
            help="Say the principal reasons of rows of this outcome; may be given again.",
            metavar="OUTCOME",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT where it exists.")] = False,
    ref: BundleRef = None,
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Decide every row of a file, in bounded memory; rows that cannot be read go to OUT.rejects.jsonl.

    Where not one row can be read, the exit code is 1: something is wrong with the file as a whole.
    """
    from datetime import UTC, datetime

    from engine.cli.console import progress, say_json
    from engine.cli.target import find_bundle
    from engine.runtime import Runtime
    from engine.score import score_file

    runtime = Runtime.open(find_bundle(ref, project))
    with progress("scoring", quiet=as_json) as tell:

        def told(rows: int, total: int | None) -> None:
            tell(f"{rows:,} rows", rows / total if total else None)

        now = datetime.now(UTC)
        report = score_file(
            runtime,
            source,
            target,
            keep=keep,
            force=force,
            reasons_for=tuple(dict.fromkeys(reasons_for or ())),
            progress=told,
            now=now,
        )
    if as_json:
        say_json({"bundle": runtime.digest, "out": str(target), **report.to_dict()})
    else:
        _tell(report, target, runtime.digest)
    if report.rejected and not report.decided:
        raise typer.Exit(1)


def _tell(report: ScoreReport, target: Path, digest: str) -> None:
    from engine.cli.console import say, say_table

    rate = report.rows / report.seconds if report.seconds else 0.0
    say(
        f"{report.decided:,} of {report.rows:,} rows decided in {report.seconds:.1f} s ({rate:,.0f} a second)"
    )
    if report.rejects:
        rows = "1 row" if report.rejected == 1 else f"{report.rejected:,} rows"
        say(f"{rows} could not be read: {report.rejects} has each with every reason")
    if report.absent:
        say(f"columns that the file lacks, missing in every row: {', '.join(report.absent)}")
    say_table(("outcome", "rows"), list(report.outcomes.items()))
    _tell_rules(report)
    say(f"→ {target} by bundle {digest}")


def _tell_rules(report: ScoreReport) -> None:
    """Say what the rules came to; those of which there is nothing to say are counted."""
    from engine.cli.console import MOST_LINES, say, say_table
    from engine.score import RULE_COUNTS

    acted = [(rule, *counts.values()) for rule, counts in report.rules.items() if any(counts.values())]
    if acted:
        say_table(("rule", *RULE_COUNTS), acted[:MOST_LINES])
    if len(acted) > MOST_LINES:
        say(f"… and {len(acted) - MOST_LINES:,} more rules; --json gives all")
    if quiet := len(report.rules) - len(acted):
        say(f"{'1 rule' if quiet == 1 else f'{quiet:,} rules'} held in no row and missed nothing")
    if report.violations:
        rows = "1 row" if report.violations == 1 else f"{report.violations:,} rows"
        say(f"warning: in {rows} several rules decided where hit_policy unique lets one decide")
