"""`tandem check`: project.yaml, the rules and the tests inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import HERE, AsJson


def command(
    project: Annotated[Path, typer.Argument(help="The project's folder.", metavar="DIR")] = HERE,
    as_json: AsJson = False,
) -> None:
    """Check project.yaml and every rule file, and run the tests inside them; every problem is listed."""
    from dataclasses import asdict

    from engine.cli.console import complain, say, say_json
    from engine.project import load_project
    from engine.ruleparts import check_folder
    from rules.errors import CheckFailed

    try:
        loaded = load_project(project)
        checked = check_folder(loaded.root, loaded.schema, loaded.scores, loaded.outcomes)
    except CheckFailed as failed:
        count = len(failed.problems)
        if as_json:
            say_json({"ok": False, "problems": [asdict(problem) for problem in failed.problems]})
        else:
            complain(str(failed))
            complain(f"\n{count} problem{'s' if count > 1 else ''}")
        raise typer.Exit(1) from None
    tests = sum(len(rule.cases) for rule in checked.rules)
    if as_json:
        say_json(
            {
                "ok": True,
                "files": len(checked.files),
                "rules": len(checked.rules),
                "tests": tests,
                "problems": [],
            }
        )
    else:
        rules, files = _counted(len(checked.rules), "rule"), _counted(len(checked.files), "file")
        say(f"{loaded.name}: {rules} in {files}, {_counted(tests, 'test')} passed")


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
