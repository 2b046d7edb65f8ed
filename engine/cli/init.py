"""`tandem init`: a first project, from the synthetic payments or from a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import AsJson


def command(
    name: Annotated[
        str, typer.Argument(help="'payments', or the name of a new project.", metavar="payments|NAME")
    ],
    directory: Annotated[
        Path | None,
        typer.Argument(help="Where to; the name by default.", metavar="DIR", show_default=False),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", help="A labelled file.", metavar="FILE")] = None,
    label: Annotated[str, typer.Option("--label", help="The column to predict.", metavar="COLUMN")] = "",
    rows: Annotated[int, typer.Option("--rows", help="Payments to generate.", metavar="N")] = 40_000,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the payments.", metavar="N")] = 7,
    as_json: AsJson = False,
) -> None:
    """Start a project: 'payments' generates synthetic card payments; else give --data and --label.

    From a file, the types of the fields, a first policy and an example rule are written for you to edit.
    """
    from engine.cli.console import complain, say, say_json

    place = directory or Path(name)
    if data is None and name == "payments":
        from engine.samples.payments import write_project

        write_project(place, rows=rows, seed=seed)
        notes: tuple[str, ...] = (
            "every payment in it is SYNTHETIC: drawn from a seed, of no person or card",
        )
    elif data is None or not label:
        raise typer.BadParameter(
            "give --data FILE and --label COLUMN, or 'payments' for the synthetic sample"
        )
    else:
        notes = _from_table(name, place, data, label)
    if as_json:
        return say_json({"project": str(place), "notes": list(notes)})
    there = "" if place.resolve() == Path.cwd() else f"cd {place} && "
    say(f"{place}: a project; next: {there}tandem check && tandem fit")
    for note in notes:
        complain(f"note: {note}")
    return None


def _from_table(name: str, place: Path, data: Path, label: str) -> tuple[str, ...]:
    import os

    from engine.cli.tables import read_table
    from engine.files import check_vacant, write_folder
    from engine.project.infer import infer_project
    from engine.project.schemas import schema_files

    check_vacant(place)
    table = read_table(data)
    inferred = infer_project(name, table, label, data=os.path.relpath(data, place), given=str(data))
    contents = {
        **schema_files(),
        "project.yaml": inferred.project.encode(),
        "rules/example.yaml": inferred.rules.encode(),
    }
    write_folder(place, contents)
    return inferred.notes
