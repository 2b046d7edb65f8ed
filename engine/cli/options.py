"""The options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectDir = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.", metavar="DIR")]
ProjectArgument = Annotated[
    Path | None,
    typer.Argument(help="The project's folder; here by default.", metavar="DIR", show_default=False),
]
SameProject = Annotated[
    Path | None,
    typer.Option("--project", "-p", help="The same as DIR.", metavar="DIR", show_default=False),
]
BundleRef = Annotated[
    str | None,
    typer.Option(
        "--bundle", "-b", help="A path, name or digest; else the champion, else the latest.", metavar="BUNDLE"
    ),
]
BundleArgument = Annotated[
    str | None,
    typer.Argument(
        help="A path, name or digest; else the champion, else the latest.",
        metavar="BUNDLE",
        show_default=False,
    ),
]
NameOption = Annotated[str, typer.Option("--as", help="The name to move.", metavar="NAME")]
Why = Annotated[str, typer.Option("--why", help="The reason, for the journal.", metavar="TEXT")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
HERE = Path()


def project_of(argument: Path | None, option: Path | None) -> Path:
    """The folder of a project that may be given either way."""
    if argument is not None and option is not None and argument != option:
        raise typer.BadParameter(f"two projects: {argument}, and {option} with --project; give one")
    return argument or option or HERE
