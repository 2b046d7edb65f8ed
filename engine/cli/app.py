"""The `tandem` command: its sub-commands, and what becomes of every error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import typer

from engine.cli import (
    check,
    diff,
    evaluate,
    experiment,
    explain,
    fit,
    fmt,
    init,
    log,
    promote,
    rollback,
    schema,
    score,
    show,
    test,
)
from engine.cli import list as list_
from engine.cli.console import complain, hush
from engine.cli.stops import stopped_by

WRONG, MISUSED, INTERRUPTED = 1, 2, 130
PACKAGES = ("engine", "rules", "embeddings")  # their errors are written for the user

COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("init", init.command),
    ("fit", fit.command),
    ("evaluate", evaluate.command),
    ("experiment", experiment.command),
    ("check", check.command),
    ("test", test.command),
    ("fmt", fmt.command),
    ("schema", schema.command),
    ("score", score.command),
    ("explain", explain.command),
    ("show", show.command),
    ("promote", promote.command),
    ("rollback", rollback.command),
    ("list", list_.command),
    ("log", log.command),
    ("diff", diff.command),
)

app = typer.Typer(
    name="tandem",
    help="Scores passed through rules, under one digest: fit, check, score, explain, promote, roll back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in COMMANDS:
    app.command(_name)(_command)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
) -> None:
    if version:
        from importlib.metadata import version as version_of

        typer.echo(f"tandem {version_of('tandem-engine')}")
        raise typer.Exit


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and give the exit code; bad input ends in a message, never in a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = typer.main.get_command(app).main(args=given, prog_name="tandem", standalone_mode=False)
        _flush()
    except MemoryError:
        complain("out of memory; nothing half-written was left behind")
        return WRONG
    except Exception as failed:
        if stopped_by():
            raise KeyboardInterrupt from failed
        return _failed(failed)
    if code == INTERRUPTED:  # the command-line library turns Ctrl-C into this
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _flush() -> None:
    """Write out what was printed; the reader may have gone, which is none of the command's business."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        hush()


def _failed(error: Exception) -> int:
    """Say what went wrong, if it was foreseen; any other error is a fault of ours and is raised again."""
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage error of the command-line library
        error.show()
        return MISUSED
    if isinstance(error, OSError):
        complain(_of_the_system(error))
    elif isinstance(error, ValueError) and type(error).__module__.partition(".")[0] in PACKAGES:
        complain(str(error))
    else:
        raise error
    return WRONG


def _of_the_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason
