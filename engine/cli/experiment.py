"""`tandem experiment`: variants of a project raced against each other, and the one that wins."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from engine.cli.options import AsJson

if TYPE_CHECKING:
    from engine.experiments.outcome import Outcome

NAME_WIDTH, LEAST_NAME, NARROWEST_NAME = 48, 26, 12
MOST_ROWS = 40  # on a terminal; the file has all
LESS = ("KiB", "serve us", "kinds", "fit s", "digest", "behind the best")
"""What a narrow terminal goes without, in that order."""


def command(
    sweep: Annotated[
        Path | None,
        typer.Argument(help="The file that says what to vary.", metavar="SWEEP", show_default=False),
    ] = None,
    clean: Annotated[
        bool,
        typer.Option("--clean", help="Only remove what is cached of the project."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run variants of the project, drop weak ones early, and name the simplest of the best.

    What was run is kept: after a stop, or with more variants, only the rest is run. 'tandem fit --from NAME'
    then fits the winner.
    """
    from engine.cli.console import complain, say, say_json
    from engine.cli.stops import goes_on
    from engine.cli.tables import labelled_table
    from engine.cli.watching import watching
    from engine.experiments.board import leaderboard, write_board
    from engine.experiments.cache import CACHE, Cache
    from engine.experiments.experiment import FOLDER, run_experiment
    from engine.experiments.load import load_sweep
    from engine.project import load_project

    if clean:
        root = sweep.parent if sweep is not None and sweep.suffix in (".yaml", ".yml") else sweep or Path()
        files, size = Cache(root / CACHE).clean()
        if as_json:
            return say_json({"removed_files": files, "removed_bytes": size})
        return say(f"{root / CACHE}: {files:,} files removed, {size / 2**20:,.1f} MiB")
    if sweep is None:
        raise typer.BadParameter("name a sweep file: tandem experiment sweep.yaml")
    read = load_sweep(sweep)
    project = load_project(read.project)
    train = labelled_table(project, project.data.train, "train", quiet=as_json)
    test = labelled_table(project, project.data.test, "test", quiet=as_json) if project.data.test else None

    told: list[str] = []

    def note(text: str) -> None:
        told.append(text)
        if not as_json:
            complain(_wrapped(f"note: {text}", sys.stderr))

    with goes_on(), watching(read.measure, quiet=as_json) as watch:
        outcome = run_experiment(read, project, train, test, watch, note)
    judged, look = _test(outcome)
    board = leaderboard(outcome, judged, look)
    cache = Cache(read.project / CACHE)
    board["spent"]["cache"] = {"path": str(CACHE), "bytes": cache.size(), "most_bytes": cache.most}
    folder = read.project / FOLDER / read.name
    path = write_board(board, folder)
    if as_json:
        return say_json(board)
    return _print(board, path, told)


def _test(outcome: Outcome) -> tuple[dict[str, Any], Any]:
    """The winner on the test rows, and how often they were looked at."""
    from engine.evaluation.looks import record_look
    from engine.experiments.outcome import winner_bundle
    from engine.training.build import evaluated_on_test, test_fingerprint

    variant, bundle = winner_bundle(outcome)
    evaluated = evaluated_on_test(variant.project, bundle, outcome.prepared)
    rows = test_fingerprint(outcome.prepared)
    if rows is None:
        return evaluated, None
    registry = variant.project.registry
    now = datetime.now(UTC)
    return evaluated, record_look(registry, rows=rows, bundle=bundle.digest, by="experiment", now=now)


def _print(board: dict[str, Any], path: Path, told: Sequence[str]) -> None:
    """Print a leaderboard that is kept at `path`; notes that were `told` before it ran are not repeated."""
    from engine.cli.console import complain, heading, say, say_table
    from engine.experiments.board import as_yaml

    def tell(text: str) -> None:
        say(_wrapped(text, sys.stdout))

    measure, spent = board["measure"], board["spent"]
    tell(
        f"{board['experiment']}: {len(board['variants']):,} variants by {measure} ({board['better']} is "
        f"better) on {board['rows']['validation']:,} validation rows"
    )
    for known_of in board["notes"]:
        if known_of not in told:
            complain(_wrapped(f"note: {known_of}", sys.stderr))
    heading("Leaderboard")
    places = {one["name"]: at for at, one in enumerate(board["variants"], 1)}
    rows = [_row(one, places) for one in board["variants"]]
    columns = ("no.", "variant", f"{measure} (95 %)", *reversed(LESS), "")
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    shown = rows if width is None else rows[:MOST_ROWS]
    say_table(*_fitting(columns, shown, width))
    if len(shown) < len(rows):
        say(f"and {len(rows) - len(shown):,} more")
    heading("Spent")
    seeds = max(one.get("seeds", 1) for one in board["variants"])
    tell(
        f"{spent['evaluations']:.2f} of {spent['of']:.0f} full evaluations ({spent['share']:.1%})"
        f"{f', each with {seeds} seeds' if seeds > 1 else ''}, "
        f"{spent['seconds']:.1f} s; rows embedded anew: {spent['re_embedded_rows']:,}"
    )
    kept = spent["cache"]
    tell(
        f"what is kept to save time: {kept['path']}, {kept['bytes'] / 2**20:,.1f} MiB of at most "
        f"{kept['most_bytes'] / 2**30:g} GiB; delete it at any time"
    )
    if (race := board["race"]) is not None and len(race["rungs"]) > 1:
        tell(
            f"risk of having dropped a variant better by more than {race['tolerance']:.4f}: "
            f"{race['risk_taken']:.1%} (of {race['risk']:.1%} allowed)"
        )
        forced = sum(len(one["dropped_for_the_budget"]) for one in race["rungs"])
        if forced:
            risk = max(one["risk_of_the_budget"] for one in race["rungs"])
            tell(
                f"{forced} variants were dropped for the budget and not on evidence "
                f"(the risk of that, at one rung: {risk:.1%})"
            )
    winner = board["winner"]
    heading("Winner")
    say(f"{winner['name']}: bundle {winner['digest'].removeprefix('sha256:')[:12]}")
    for key, value in winner["settings"].items():
        say(f"  {key}: {as_yaml(value)}")
    if (left := [one for one in board["variants"] if one["rung"] == 0]) and len(left) == len(rows) - 1:
        tell("nothing competed with it: the budget let no other variant run")
    best = next((one for one in board["variants"] if one.get("best")), None)
    if best is not None and not best["winner"]:
        tell(f"the simplest within one standard error of the best, {best['name']}")
    for line in _tested(board):
        tell(line)
    say(f"'tandem fit --from {board['experiment']}' fits it")
    say(f"{path} has all figures")


def _wrapped(text: str, stream: TextIO) -> str:
    """A text in lines that a terminal has room for; elsewhere, as in a file, in one."""
    if not stream.isatty():
        return text
    width = max(NARROWEST_NAME, get_terminal_size().columns)
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None
) -> tuple[list[str], list[list[Any]]]:
    """What of the table a terminal of this width has room for: fewer columns, then shorter texts."""
    from engine.cli.watching import shortened

    wide = [max(len(str(row[at])) for row in [columns, *rows]) + 2 for at in range(len(columns))]
    left, name, last = list(range(len(columns))), columns.index("variant"), len(columns) - 1
    wide[name] = min(wide[name], NAME_WIDTH + 2)
    if width is not None:
        least = {at: min(wide[at], LEAST_NAME) for at in (name, last)}
        for less in map(columns.index, LESS):
            if sum(least.get(at, wide[at]) for at in left) > width:
                left.remove(less)
        spare = width - sum(least.get(at, wide[at]) for at in left)
        for at in (name, last):
            wide[at] = max(NARROWEST_NAME, min(wide[at], least[at] + spare))
            spare -= wide[at] - least[at]
    cut = [
        [shortened(row[at], wide[at] - 2) if at in (name, last) else row[at] for at in left] for row in rows
    ]
    return [columns[at] for at in left], cut


def _row(one: dict[str, Any], places: Mapping[str, int]) -> tuple[Any, ...]:
    """A variant's row of the leaderboard; `places` are the rows' numbers, by the variant's name."""
    name, place = one["name"], places[one["name"]]
    marks = ["winner"] if one["winner"] else ["best"] if one.get("best") else []
    if one.get("decides_as"):
        marks.append(f"decides as no. {places[one['decides_as']]}")
    mark = ", ".join(marks) or one["fate"]
    if "quality" not in one:
        return place, name, "–", "–", "–", None, "–", None, None, mark
    quality = f"{one['quality']:.4f} ± {one['interval'][1] - one['quality']:.4f}"
    if one["seeds"] > 1:
        first = one["by_seed"][0]
        quality += f" (seed {first['seed']}: {first['quality']:.4f})"
    behind = f"{one['behind_best']:+.4f} ± {one['standard_error']:.4f}" if "behind_best" in one else "–"
    kinds = " / ".join(
        dict.fromkeys(", ".join(dict.fromkeys(seed["kinds"].values())) for seed in one["by_seed"])
    )
    digest = (one["digest"] or "–").removeprefix("sha256:")[:12]
    size = round(one["model_bytes"] / 1024)
    serve = round(one["serve_us"]) if "serve_us" in one else None
    fit = f"{one['fit_seconds']:5.1f}"
    return place, name, quality, behind, digest, fit, kinds, serve, size, mark


def _tested(board: dict[str, Any]) -> list[str]:
    """The winner on test rows, in a line or two."""
    test, look = board["test"], board["looks"]
    figures = [
        f"{name}: " + ", ".join(f"{key.replace('_', '-')} {value:.4f}" for key, value in one.items() if value)
        for name, one in test["figures"]["classifiers"].items()
    ]
    if test["figures"]["value_per_row"] is not None:
        figures.append(f"value per row {test['figures']['value_per_row']:.4f}")
    lines = [f"on {test['rows']:,} {test['source']}: {'; '.join(figures)}"]
    if look is not None:
        times = "once" if look["bundles"] == 1 else f"for {look['bundles']} bundles by now"
        lines.append(f"these test rows were looked at {times}")
    return lines
