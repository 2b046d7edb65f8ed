"""The declared form of a sweep: what every key holds and is for, in the order of its documentation."""

from __future__ import annotations

from engine.experiments.reading import KEYS, SCALES, VARIANT_KEYS
from engine.experiments.sweep import MEASURES
from rules.forms import choice, keyed, text
from rules.shape import Shape


def _number(about: str, low: float, *, whole: bool = False) -> Shape:
    return Shape(about, schema={"type": ["integer" if whole else "number", "null"], "minimum": low})


_RANGE = {
    "from": Shape("The first number.", schema={"type": "number"}),
    "to": Shape("The last number.", schema={"type": "number"}),
    "count": _number("How many numbers.", 1, whole=True),
    "scale": choice("How they are spaced.", SCALES, SCALES[0]),
    "seed": _number("With a seed, the numbers are drawn and not spaced evenly.", 0, whole=True),
}

_VALUES = Shape(
    "The values of a key of project.yaml (or rules.ID.KEY): a list, or a range.",
    either=(
        Shape(many=True, each=Shape(), least=1),
        Shape("A range.", _RANGE, needed=("from", "to", "count")),
    ),
)

_SWEEP = {
    "experiment": text("The experiment's name; the file's by default."),
    "base": text("The project.yaml that variants are made of; the one beside this file by default."),
    "measure": choice("What is compared, on validation rows.", MEASURES, MEASURES[0]),
    "label": text("The label whose log-loss or AUC counts; all labels, equally, by default."),
    "vary": Shape("Keys and their values: every combination is a variant.", each=_VALUES),
    "variants": Shape(
        "Variants given one by one.",
        many=True,
        each=Shape(
            "A variant.",
            {
                "name": text("What the leaderboard calls it.", minLength=1),
                "set": Shape("Keys and the value of each.", each=Shape(), least=1),
            },
            needed=VARIANT_KEYS,
        ),
    ),
    "draw": Shape(
        "Of all combinations, so many drawn at random.",
        {"count": _number("How many.", 1, whole=True), "seed": _number("What the draw hangs on.", 0)},
        needed=("count",),
    ),
    "seeds": Shape(
        "Seeds of the embedding: every variant runs with each, and their mean counts.",
        many=True,
        each=Shape(schema={"type": "integer", "minimum": 0}),
    ),
    "race": Shape(
        "How weak variants are dropped early; false runs all of them in full.",
        either=(
            Shape(schema={"type": ["boolean", "null"]}),
            Shape(
                "A race.",
                {
                    "risk": Shape("The chance of dropping the best.", schema={"type": "number"}),
                    "rungs": _number("Steps, each on three times the rows.", 1, whole=True),
                    "tolerance": _number("A gain that does not matter; one standard error by default.", 0),
                },
            ),
        ),
    ),
    "budget": Shape(
        "The most that may be spent.",
        {
            "evaluations": _number("Full evaluations: 1 is one variant, with all its seeds, on all rows.", 1),
            "minutes": _number("Minutes of fitting.", 0),
        },
        empty=True,
    ),
}

SWEEP_FILE = Shape("A sweep of Tandem: variants of a project to race.", keyed(KEYS, _SWEEP))
