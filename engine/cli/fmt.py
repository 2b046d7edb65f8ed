"""`tandem fmt`: rule files, test files and project.yaml in their canonical form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import AsJson

if TYPE_CHECKING:
    from rules.errors import Problem


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or folders: a project, or one of rule files.", metavar="[FILE|DIR]..."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a file would change.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lay out YAML files the one way: order of keys, indent, quotes, blank lines; comments are kept.

    What a file says never changes: one that cannot be laid out so is left as it is, and said to be.
    """
    from engine.cli.console import complain, say, say_json
    from engine.files import write_whole
    from engine.project.layout import format_file, yaml_files
    from rules.errors import CheckFailed

    changed: list[dict[str, Any]] = []
    problems: list[Problem] = []
    files = yaml_files(paths or [Path()])
    for path in files:
        try:
            before, after = format_file(path)
        except CheckFailed as failed:
            problems += failed.problems
            continue
        if before == after.encode():
            continue
        changed.append({"file": str(path), **({"diff": _diff(path, before, after)} if diff else {})})
        if not check and not diff:
            write_whole(path, after.encode())
    if as_json:
        from dataclasses import asdict

        told = [asdict(problem) for problem in sorted(problems)]
        say_json({"files": len(files), "changed": changed, "problems": told})
    else:
        for one in changed:
            say(one["diff"] if diff else f"{'would change' if check else 'changed'} {one['file']}")
        if problems:
            complain(str(CheckFailed(problems)))
        left = len(files) - len(changed) - len({problem.file for problem in problems})
        if not diff:
            say(f"{len(changed):,} changed, {left:,} as they should be")
    if problems or (check and changed):
        raise typer.Exit(1)


def _diff(path: Path, before: bytes, after: str) -> str:
    import difflib

    if before.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n") == after:
        told = ["line ends become \\n"] if b"\r" in before else []
        told += ["the byte order mark goes"] if before.startswith(b"\xef\xbb\xbf") else []
        return f"--- {path}\n+++ {path} (canonical)\n{' and '.join(told)}: nothing else changes"
    old = before.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True)
    lines = difflib.unified_diff(old, after.splitlines(keepends=True), f"{path}", f"{path} (canonical)")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines).rstrip("\n")
