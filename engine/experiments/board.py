"""The leaderboard: what an experiment came to, as plain data, as a table, and as the file it is kept in."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from engine.errors import InputError
from engine.experiments.judge import LOWER_IS_BETTER
from engine.experiments.outcome import Heat, Outcome
from engine.experiments.standing import INTERVAL, Standing, first_alike
from engine.experiments.sweep import MEASURES
from engine.files import write_whole

if TYPE_CHECKING:
    from engine.evaluation.looks import Look
    from engine.experiments.trial import Trial

FORMAT = 2
FILE = "leaderboard.json"
SHOWN = 3
MEASURED = ("fit_seconds", "serve_us")  # what differs from run to run

Json = dict[str, Any]


def leaderboard(outcome: Outcome, test: Mapping[str, Any], look: Look | None) -> Json:
    """Everything there is to know, JSON-able.

    test: the winner's evaluation on test rows. look: how often these rows were looked at, this time included.
    All of it but `spent` and the figures of `MEASURED` is the same from run to run.
    """
    sweep = outcome.sweep
    kept = {one.variant.number for one in (outcome.winner, outcome.best)}
    return {
        "format": FORMAT,
        "experiment": sweep.name,
        "measure": sweep.measure,
        "label": sweep.label,
        "better": "lower" if sweep.measure in LOWER_IS_BETTER else "higher",
        "rows": {
            "train": len(outcome.prepared.parts.train),
            "validation": len(outcome.prepared.parts.validation),
        },
        "race": None
        if sweep.race is None
        else {
            "risk": sweep.race.risk,
            "risk_taken": outcome.risk,
            "tolerance": max((heat.tolerance for heat in outcome.heats), default=0.0),
            "rungs": [_heat(heat) for heat in outcome.heats],
        },
        "spent": {
            "evaluations": outcome.evaluations,
            "of": outcome.full,
            "share": outcome.evaluations / outcome.full if outcome.full else 0.0,
            "seconds": outcome.spent_s,
            "re_embedded_rows": outcome.embedded_rows,
        },
        "variants": [_row(outcome, one, best=one.variant.number in kept) for one in outcome.standings],
        "winner": _winner(outcome),
        "notes": [*outcome.notes, *_not_served(outcome)],
        "test": {"source": test.get("source"), "rows": test.get("rows"), "figures": _figures(test)},
        "looks": None if look is None else look.to_json(),
    }


def write_board(board: Json, folder: Path) -> Path:
    """Keep a leaderboard in the experiment's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    write_whole(path, json.dumps(board, indent=1, ensure_ascii=False, allow_nan=False).encode())
    return path


def read_board(folder: Path) -> Json:
    """Read what `write_board` kept. Raises InputError where the experiment has not ended, or never began."""
    path = folder / FILE
    if not path.is_file():
        known = sorted(one.parent.name for one in folder.parent.glob(f"*/{FILE}"))
        hint = f"finished ones: {', '.join(known)}" if known else "'tandem experiment SWEEP' runs one"
        raise InputError(f"no finished experiment '{folder.name}' in {folder.parent}; {hint}")
    try:
        board = json.loads(path.read_bytes())
    except ValueError:
        raise InputError(f"{path}: damaged; run the experiment again") from None
    if (
        not isinstance(board, dict)
        or board.get("format") != FORMAT
        or not isinstance(board.get("winner"), dict)
    ):
        raise InputError(f"{path}: not a leaderboard of this version; run the experiment again")
    return board


def standing_rows(standings: Sequence[Standing], measure: str) -> list[tuple[str, ...]]:
    """Name, rung, measure with its interval, and fate of each, as text: the live table."""
    rows: list[tuple[str, ...]] = []
    for one in standings:
        quality = f"{one.quality(measure):.4f} ± {INTERVAL * one.error(measure):.4f}" if one.trials else "–"
        rows.append((one.variant.name, str(one.rung or "–"), quality, one.fate))
    return rows


def _row(outcome: Outcome, one: Standing, *, best: bool) -> Json:
    measure = outcome.sweep.measure
    row: Json = {**one.variant.to_json(), "fate": one.fate, "rung": one.rung, "winner": one is outcome.winner}
    if not one.trials:
        return row
    quality, error = one.quality(measure), one.error(measure)
    first = one.delivered
    row |= {
        "quality": quality,
        "interval": [quality - INTERVAL * error, quality + INTERVAL * error],
        "figures": {
            name: float(np.mean([trial.rows[name].mean() for trial in one.trials]))
            for name in MEASURES
            if name in first.rows
        },
        "seeds": len(one.trials),
        "by_seed": [
            {"seed": one.variant.seeded(seed).project.embedding.seed, **_trial(trial, measure)}
            for seed, trial in zip(outcome.sweep.seeds or (None,), one.trials, strict=True)
        ],
        "kinds": dict(first.kinds),
        "refused": {name: dict(why) for name, why in first.refused.items() if why},
        "model_bytes": first.model_bytes,
        "fit_seconds": float(np.mean([trial.seconds for trial in one.trials])),
        "digest": first.digest if one.rung == len(outcome.heats) else None,
    }
    if one.rung == len(outcome.heats):
        row["serve_us"] = float(np.mean([trial.serve_us for trial in one.trials]))
        row["behind_best"], row["standard_error"] = _behind(one, outcome.best, measure)
        row["decides_as"] = _same(one, outcome)
    return row | {"best": best and one is outcome.best}


def as_yaml(value: Any) -> str:
    """A setting as it is written into project.yaml, on one line."""
    written: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=math.inf)
    return written.removesuffix("\n").removesuffix("\n...")


def _not_served(outcome: Outcome) -> list[str]:
    """Candidates that cannot be served, each with the variants of which that is said and the reason."""
    variants: dict[tuple[str, str, str], list[str]] = {}
    for one in sorted(outcome.standings, key=lambda one: one.variant.number):
        for trial in one.trials[:1]:
            for name, why in trial.refused.items():
                for kind, reason in why.items():
                    variants.setdefault((name, kind, " ".join(reason.split())), []).append(one.variant.name)
    return [
        f"{', '.join(names[:SHOWN])}{' and others' if len(names) > SHOWN else ''}: "
        f"'{kind}' of classifier '{name}' cannot be served and was not chosen: {reason}"
        for (name, kind, reason), names in variants.items()
    ]


def _trial(trial: Trial, measure: str) -> Json:
    """What one seed came to."""
    return {
        "quality": float(trial.rows[measure].mean()),
        "kinds": dict(trial.kinds),
        "model_bytes": trial.model_bytes,
    }


def _same(one: Standing, outcome: Outcome) -> str | None:
    """The first variant of the sweep whose bundle decides the same; None where that is this one."""
    whole = [other for other in outcome.standings if other.rung == one.rung]
    first = first_alike(one, whole)
    return None if first is one else first.variant.name


def _behind(one: Standing, best: Standing, measure: str) -> tuple[float, float]:
    """How much worse than the best, row by row, and the standard error of that."""
    apart = one.rows(measure) - best.rows(measure)
    apart = apart if measure in LOWER_IS_BETTER else -apart
    return float(apart.mean()) + 0.0, float(apart.std(ddof=1)) / float(np.sqrt(len(apart)))


def _heat(heat: Heat) -> Json:
    return {
        "rows": heat.rung.rows,
        "epochs": heat.rung.epochs,
        "ran": len(heat.ran),
        "dropped_on_evidence": list(heat.evidence),
        "dropped_for_the_budget": list(heat.budget),
        "risk": heat.risk,
        "risk_of_the_budget": heat.forced,
    }


def _winner(outcome: Outcome) -> Json:
    """The winner as `tandem fit --from` needs it: the project as it stood, and what the rows were."""
    variant = outcome.winner.variant.seeded(outcome.sweep.seeds[0] if outcome.sweep.seeds else None)
    seed, written = variant.project.embedding.seed, outcome.base.project.embedding.seed
    return {
        **variant.to_json(),
        "digest": outcome.winner.delivered.digest,
        "seed": seed,
        "settings": dict(variant.changes) | ({} if seed == written else {"embedding.seed": seed}),
        "project": variant.project.text.decode(),
        "rules": {name: data.decode() for name, data in variant.rules.items()},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in outcome.base.rules.items()},
        "data": dict(outcome.prepared.data),
        "libraries": dict(outcome.prepared.versions),
    }


def _figures(test: Mapping[str, Any]) -> Json:
    """Of the winner on test rows: what each classifier comes to, and the decisions."""
    classifiers = {
        name: {key: one.get(key) for key in ("log_loss", "auc")}
        for name, one in test.get("classifiers", {}).items()
    }
    whole = test.get("ways", {}).get("together") or {}
    value = (whole.get("value") or {}).get("per_row")
    return {
        "classifiers": classifiers,
        "value_per_row": value,
        "precision": whole.get("precision"),
        "recall": whole.get("recall"),
    }
