"""An evaluation as tables of text, for a terminal or a file: the parts of evaluation.json in the order one
reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WAYS = {"model": "model alone", "filters": "filters alone", "together": "together"}
NONE = "–"
REASON_SHOWN = 60
SETTINGS = {
    "C": "how freely weights may grow; less is simpler",
    "directions": "how many dimensions the embedding is brought down to",
    "references": "how many training rows are remembered",
}
COLUMNS = 80  # of a terminal
ROWS_SHOWN = 20  # of one decision table; evaluation.json has all that did something


@dataclass(frozen=True)
class Table:
    """A title, a header and rows, every cell text; the first column is text, the others are figures.

    legend: lines below it, of words that the reader need not know.
    splits: columns that a terminal has no room for stand in a table of their own below.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    legend: tuple[str, ...] = ()
    splits: bool = False


def tables(evaluation: Mapping[str, Any]) -> tuple[Table, ...]:
    """Lay out an evaluation (as `Evaluation.to_json` or evaluation.json gives it); tables without rows are
    left out.
    """
    laid = (_ways(evaluation), _classifiers(evaluation), _rules(evaluation), _candidates(evaluation))
    return tuple(table for table in laid if table.rows)


def notes(evaluation: Mapping[str, Any]) -> tuple[str, ...]:
    """What to know beside the figures: rows left out of the evaluated file and of the training file,
    warnings, encoders of texts that say little, candidates that were refused.
    """
    training = evaluation.get("training", {})
    found = [*_left_out(evaluation, ""), *_left_out(evaluation.get("data", {}), "training: ")]
    found += _silent(training.get("embedding", {}).get("vectors", {}))
    return tuple(dict.fromkeys([*found, *_refused(training.get("candidates", {}))]))


def calibrations(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What makes probabilities of each classifier's margins, from the evaluation that its fit wrote."""
    return {
        name: one["calibration"]
        for name, candidates in evaluation.get("training", {}).get("candidates", {}).items()
        for one in candidates
        if one["chosen"]
    }


def _left_out(counts: Mapping[str, Any], where: str) -> list[str]:
    found = []
    if counts.get("rejected"):
        worst = "; ".join(
            f"{text} ({count:,})" for text, count in list(counts.get("problems", {}).items())[:3]
        )
        found.append(f"{where}{counts['rejected']:,} rows did not fit the schema and are left out: {worst}")
    if counts.get("unlabelled"):
        found.append(f"{where}{counts['unlabelled']:,} rows have no label and are left out")
    return [*found, *(f"{where}{warning}" for warning in counts.get("warnings", ()))]


def _silent(vectors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    found = []
    for name, one in vectors.items():
        encoder = f"field '{name}': its encoder"
        if one["without"]:
            texts = f"{one['without']:,} of {one['texts']:,} training texts"
            found.append(f"{encoder} gave no vector for {texts}; they count as missing")
        if one["same"]:
            found.append(f"{encoder} gives every training text the same vector; nothing is learned from it")
    return found


def _refused(candidates: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    return [
        f"classifier '{name}': candidate '{one['kind']}' is out of the running, "
        f"'{next(each['kind'] for each in table if each['chosen'])}' serves: {one['refused']}"
        for name, table in candidates.items()
        for one in table
        if one["refused"]
    ]


def render(evaluation: Mapping[str, Any]) -> str:
    """Write all tables and notes as plain text."""
    blocks = [_text(table) for table in tables(evaluation)]
    remarks = "\n".join(f"note: {note}" for note in notes(evaluation))
    return "\n\n".join([*blocks, *([remarks] if remarks else [])]) + "\n"


def _ways(evaluation: Mapping[str, Any]) -> Table:
    ways = [evaluation.get("ways", {}).get(name, {}) for name in WAYS]
    rows: list[tuple[str, ...]] = []
    if any(ways):
        outcomes = next(way["outcomes"] for way in ways if way)
        rows += [(f"outcome {name}", *(_count(way["outcomes"][name]) for way in ways)) for name in outcomes]
        acted = " or ".join(evaluation.get("acted", ())) or "any"
        rows.append((f"acted on ({acted})", *(_count(way["acted"]) for way in ways)))
        rows.append(("precision", *(_share(way["precision"]) for way in ways)))
        rows.append(("recall", *(_share(way["recall"]) for way in ways)))
        if any(way["value"] for way in ways):
            counted = [(way["value"] or {}).get("rows") for way in ways]
            if set(counted) != {evaluation.get("rows")}:
                rows.append(("rows with a value", *(NONE if n is None else _count(n) for n in counted)))
            rows.append(("value per row", *(_number((way["value"] or {}).get("per_row"), 4) for way in ways)))
            rows.append(("value in all", *(_number((way["value"] or {}).get("total"), 2) for way in ways)))
    title = f"{evaluation.get('rows', 0):,} rows, {evaluation.get('source', '')}"
    return Table(title, ("", *WAYS.values()), tuple(rows))


def _classifiers(evaluation: Mapping[str, Any]) -> Table:
    fitted = calibrations(evaluation)
    rows = tuple(
        (
            name,
            str(one["kind"]),
            _count(one["rows"]),
            _number(one.get("auc"), 4),
            _number(one.get("average_precision"), 4),
            _number(one.get("log_loss"), 4),
            _number(one.get("brier"), 4),
            _number(one.get("calibration_error"), 4),
            _number(one.get("perfect_calibration_error"), 4),
            _calibration(one.get("calibration", fitted.get(name))),
            _share(one.get("accuracy")),
        )
        for name, one in evaluation.get("classifiers", {}).items()
    )
    header = (
        "classifier",
        "kind",
        "rows",
        "AUC",
        "avg precision",
        "log-loss",
        "Brier",
        "calibration error",
        "if perfect",
        "calibrated by",
        "accuracy",
    )
    legend = [
        "calibration error: how far what was said is from what came true, in 15 equally full bins",
        "if perfect: what chance alone makes of that error on as many rows",
    ]
    if any("auc_by_class" in one for one in evaluation.get("classifiers", {}).values()):
        legend.append("AUC of several classes: the mean over them of one against the rest")
    # A bundle of rules that were edited live has no report of its fit.
    known = fitted or any("calibration" in one for one in evaluation.get("classifiers", {}).values())
    names, *measures = (
        (name, *(row[place] for row in rows))
        for place, name in enumerate(header)
        if known or name != "calibrated by"
    )
    return Table("scores", names, tuple(measures if rows else ()), tuple(legend), splits=True)


def _calibration(fitted: Mapping[str, Any] | None) -> str:
    """What makes probabilities of margins: nothing, a slope, Platt's sigmoid, or isotonic steps."""
    if fitted is None:
        return NONE
    if fitted["steps"]:
        return f"{len(fitted['steps'])} steps"
    if fitted["intercept"]:
        return "sigmoid"
    return "nothing" if fitted["slope"] == 1.0 else f"slope {fitted['slope']:.2f}"


def _rules(evaluation: Mapping[str, Any]) -> Table:
    keys = ("fired", "decided", "overrode", "shadow", "suppressed", "unknown")
    rows: list[tuple[str, ...]] = []
    shown: dict[str, int] = {}
    told = evaluation.get("rules", ())
    acted = {row["id"]: row["rows"] - row["silent"] for row in told if "rows" in row}
    for row in told:
        name, table = row["id"], row.get("table")
        if table is not None:
            shown[table] = shown.get(table, 0) + 1
            if shown[table] > ROWS_SHOWN:
                continue
            name = "  " + name
        if "rows" in row:
            name += f" ({_count(row['rows'])} rows, {_count(row['silent'])} of them silent)"
        elif row["mode"] != "enforce":
            name += f" ({row['mode']})"
        # A report of an older version has fewer keys.
        rows.append((name, *(_count(row.get(key, 0)) for key in keys), _share(row["positive_share"])))
        if table is not None and shown[table] == ROWS_SHOWN < acted[table]:
            more = f"  … {_count(acted[table] - ROWS_SHOWN)} more rows of {table}"
            rows.append((more, *("" for _ in keys), ""))
    return Table("rules", ("rule", *keys, "positive"), tuple(rows))


def _candidates(evaluation: Mapping[str, Any]) -> Table:
    rows = []
    told: set[str] = set()
    for name, candidates in evaluation.get("training", {}).get("candidates", {}).items():
        for one in candidates:
            word = "chosen" if one["chosen"] else _shortened(one["refused"] or "")
            told.update(one["settings"])
            settings = _settings(one["settings"])
            behind = NONE
            if one["behind_best"] is not None:
                behind = f"{one['behind_best']:+.4f} ± {one['standard_error']:.4f}"
            parity = NONE if one["parity"] is None else f"{one['parity']:.0e}"
            rows.append(
                (f"{name}: {one['kind']}", settings, _number(one["log_loss"], 4), behind, parity, word)
            )
    header = ("candidate", "setting", "validation log-loss", "behind the best", "parity", "")
    legend = ["parity: how far the graph's probabilities are from scikit-learn's, at most"]
    legend += [f"{name}: {what}" for name, what in SETTINGS.items() if name in told]
    return Table(
        "candidates: the simplest within one standard error of the best is chosen",
        header,
        tuple(rows),
        tuple(legend),
    )


def _text(table: Table) -> str:
    cells = [table.header, *table.rows]
    widths = [max(len(row[place]) for row in cells) for place in range(len(table.header))]
    lines = [table.title]
    for places in _blocks(widths) if table.splits else [list(range(len(widths)))]:
        wide = [widths[place] for place in places]
        header, *rest = (_line([row[place] for place in places], wide) for row in cells)
        lines += [*([""] if len(lines) > 1 else []), header, "  ".join("─" * width for width in wide), *rest]
    return "\n".join([*lines, *table.legend])


def _blocks(widths: Sequence[int]) -> list[list[int]]:
    """The columns of tables that fit a terminal, each with the first column and at least one other."""
    blocks: list[list[int]] = []
    for place in range(1, len(widths)):
        wide = sum(widths[one] + 2 for one in blocks[-1]) + widths[place] if blocks else COLUMNS + 1
        blocks = blocks if wide <= COLUMNS else [*blocks, [0]]
        blocks[-1].append(place)
    return blocks


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if place == 0 else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def _shortened(text: str) -> str:
    """The beginning of a long reason: `tandem show --json` has all of it."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_SHOWN else line[: REASON_SHOWN - 1].rstrip() + "…"


def _settings(settings: Mapping[str, Any]) -> str:
    """`C 0.1`; of a project's own `RandomForestClassifier of the fields, max_depth 4`."""
    told = dict(settings)
    parts = []
    if "estimator" in told:
        parts.append(f"{told.pop('estimator').rpartition('.')[2]} of the {told.pop('input', '')}")
    return ", ".join([*parts, *(f"{key} {_setting(value)}" for key, value in told.items())])


def _setting(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:g}" if number else str(value)


def _count(value: int) -> str:
    return f"{value:,}"


def _number(value: float | None, places: int) -> str:
    return NONE if value is None else f"{value:,.{places}f}"


def _share(value: float | None) -> str:
    return NONE if value is None else f"{value:.1%}"
