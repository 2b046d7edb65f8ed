"""`tandem check`: project.yaml, the rules, the tests inside them, and what can be proven of the rules."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import AsJson, ProjectArgument, SameProject, project_of

if TYPE_CHECKING:
    from engine.checkup import Checkup
    from rules.analysis.coverage import RuleCoverage

LOOK_SECONDS = 0.2
ROWS_SHOWN = 20


def command(
    folder: ProjectArgument = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings fail the check too.")] = False,
    notes: Annotated[bool, typer.Option("--notes", help="List notes: what need not be changed.")] = False,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Say what the inline tests cover of rules and conditions.")
    ] = False,
    sarif: Annotated[
        str,
        typer.Option("--sarif", help="Write SARIF 2.1.0 to a file, or - for stdout.", metavar="FILE"),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Check again on every save, until Ctrl-C.")] = False,
    same: SameProject = None,
    as_json: AsJson = False,
) -> None:
    """Check project.yaml and every rule file, run the tests inside them, and analyse the rules.

    Every problem is listed, and what can be shown or proven of the rules: which never fire, never decide,
    repeat or contradict one another. Problems and errors fail the check; warnings do with --strict.
    """
    project = project_of(folder, same)
    if sarif and sarif == "-" and as_json:
        raise typer.BadParameter("give one of --json and --sarif -: both print to stdout")
    if watch and (as_json or sarif):
        raise typer.BadParameter("--watch prints for people: leave out --json and --sarif")
    from engine.checkup import check_up

    def check() -> Checkup:
        with _uncollected():
            found = check_up(
                project, now=datetime.now(UTC), notes=notes or as_json or bool(sarif), coverage=coverage
            )
        _show(found, as_json=as_json, strict=strict, sarif=sarif)
        return found

    if watch:
        return _watch(project, check)
    if check().fails(strict=strict):
        raise typer.Exit(1)
    return None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from walking again and again through what a check makes and keeps."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _show(found: Checkup, *, as_json: bool, strict: bool, sarif: str) -> None:
    """Print what was found, in the form that was asked for."""
    import json

    from engine.cli.console import say, say_json
    from engine.files import write_whole

    if sarif:
        text = json.dumps(_sarif(found), indent=2, ensure_ascii=False)
        if sarif == "-":
            return say(text)
        write_whole(Path(sarif), f"{text}\n".encode())
    if as_json:
        return say_json(found.to_json(strict=strict))
    _complain_of(found)
    if not found.problems:
        rules, files = _counted(found.rules, "rule"), _counted(found.files, "file")
        if found.tables:
            rules += f" and {_counted(found.tables, 'table')} of {_counted(found.rows, 'row')}"
        say(f"{found.name}: {rules} in {files}, {_counted(found.tests, 'test')} passed")
    if found.coverage is not None:
        _show_coverage(found)
    return None


def _complain_of(found: Checkup) -> None:
    """Print problems and findings in file order, then how many there are of each."""
    from engine.cli.console import complain

    places = [(one.file, one.line, one.column, str(one)) for one in found.problems]
    places += [(one.file, one.line, one.column, str(one)) for one in found.findings]
    for *_, text in sorted(places):
        complain(text)
    counts = [
        _counted(len(found.problems), "problem"),
        *(_counted(found.count(severity), severity) for severity in ("error", "warning", "note")),
    ]
    said = [count for count in counts if not count.startswith("0 ")]
    if found.undecided:
        said.append(f"{len(found.undecided):,} undecided (--json lists them)")
    if said:
        complain(f"\n{', '.join(said)}" if places else ", ".join(said))


def _show_coverage(found: Checkup) -> None:
    """Print a row for each rule, the totals, and each result of a test that was never seen."""
    from engine.cli.console import heading, say_table

    heading("coverage")
    covered = found.coverage or ()
    rows: list[list[Any]] = [
        [one.rule, one.tests, _yes(one.fires), _yes(one.rests), f"{one.covered}/{one.coverable}"]
        for one in covered
    ]
    total, of = sum(one.covered for one in covered), sum(one.coverable for one in covered)
    fire, rest = sum(one.fires for one in covered), sum(one.rests for one in covered)
    tests = sum(one.tests for one in covered)
    rows.append([f"all {len(covered):,}", tests, f"{fire:,}", f"{rest:,}", f"{total:,}/{of:,}"])
    say_table(["rule or table", "tests", "fires", "does not", "branches"], rows)
    for one in covered:
        if one.tests:
            _show_missed(one)


def _show_missed(one: RuleCoverage) -> None:
    """Print each result of a rule's tests, or row of a table, that was never seen; of rows the first few."""
    from engine.cli.console import say

    rows = [branch for branch in one.branches if branch.file and branch.missed]
    for branch in rows[:ROWS_SHOWN]:
        say(f"{branch.file}:{branch.line}:{branch.column}: no test makes the row {branch.text} fire")
    if len(rows) > ROWS_SHOWN:
        say(f"{len(rows) - ROWS_SHOWN:,} more rows of {one.rule} that no test makes fire (--json lists them)")
    for branch in one.branches:
        for missed in () if branch.file else branch.missed:
            word = "true" if missed else "false"
            say(f"{one.file}:{branch.line}:{branch.column}: no test has {branch.text} {word}")


def _watch(project: Path, check: Any) -> None:
    """Check whenever a file of the project was saved, until interrupted."""
    import time

    from engine.cli.console import complain, say
    from engine.lifecycle.watch import look, look_at
    from engine.project.folder import FILE

    seen: object = None
    try:
        while True:
            now = (look(project), look_at(project / FILE))
            if now != seen:
                if seen is not None:
                    say()
                seen = now
                try:
                    check()
                except (OSError, ValueError) as failed:  # a file half-saved, a folder moved away: look again
                    complain(str(failed))
                complain("watching; Ctrl-C ends it")
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _sarif(found: Checkup) -> dict[str, Any]:
    from importlib.metadata import version

    from engine.sarif import sarif

    return sarif(found.problems, found.findings, version=version("tandem-engine"))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
