"""The options that several commands share, each described once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectDir = Annotated[Path, typer.Option("--project", "-p", help="The project's folder.", metavar="DIR")]
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
