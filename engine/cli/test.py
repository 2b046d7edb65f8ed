"""`tandem test`: the tests inside the rule files, and the cases of the test files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import HERE, AsJson, ProjectDir

if TYPE_CHECKING:
    from rules.errors import Problem


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="The project's folder, or files of it; all by default.", metavar="[DIR|FILE]..."),
    ] = None,
    name: Annotated[
        str, typer.Option("-k", help="Only tests whose name, or rule, holds this text.", metavar="TEXT")
    ] = "",
    project: ProjectDir = HERE,
    as_json: AsJson = False,
) -> None:
    """Run the tests inside rules, each against its rule alone, and tests/*_test.yaml against all rules.

    A case of a test file is decided as a record would be, with the scores it gives: no model is needed.
    """
    from engine.cli.console import complain, say, say_json
    from engine.testing import chosen, run_tests
    from rules.errors import CheckFailed

    given = list(paths or [])
    if len(given) == 1 and given[0].is_dir():
        project, given = given[0], []
    _refuse_missing(given, project)
    try:
        tests = chosen(run_tests(project), project, given, name)
    except CheckFailed as failed:
        _show_problems(failed.problems, as_json=as_json)
        raise typer.Exit(1) from None
    if not tests and (name or given):
        where = f" in {', '.join(map(str, given))}" if given else ""
        what = f"no test{where} has '{name}' in its name" if name else f"there is no test{where}"
        raise typer.BadParameter(f"{what}; 'tandem test --json' lists all tests with their files")
    problems = [problem for test in tests for problem in test.problems]
    failed_tests = sum(bool(test.problems) for test in tests)
    if as_json:
        rows = [test.to_json() for test in tests]
        say_json(
            {"ok": not problems, "passed": len(tests) - failed_tests, "failed": failed_tests, "tests": rows}
        )
    else:
        if problems:
            complain(str(CheckFailed(problems)))
        passed = f"{len(tests) - failed_tests:,} passed"
        say(f"{failed_tests:,} failed, {passed}" if failed_tests else passed)
    if problems:
        raise typer.Exit(1)


def _refuse_missing(given: list[Path], project: Path) -> None:
    """Refuse names of no file: a mistyped one would choose nothing without a word."""
    from engine.errors import InputError

    for path in given:
        if path.is_dir():
            raise InputError(f"{path}: a folder; name one project, or files of it")
        if not path.exists():
            inside = project / path
            hint = f"; did you mean {inside}?" if inside.exists() else ""
            raise InputError(f"{path}: no such file{hint}")


def _show_problems(problems: tuple[Problem, ...], *, as_json: bool) -> None:
    from dataclasses import asdict

    from engine.cli.console import complain, say_json
    from rules.errors import CheckFailed

    if as_json:
        told: dict[str, Any] = {"ok": False, "problems": [asdict(problem) for problem in problems]}
        return say_json(told)
    complain(str(CheckFailed(problems)))
    return complain(f"\n{len(problems)} problem{'s' if len(problems) > 1 else ''}: no test was run")
