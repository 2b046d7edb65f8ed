"""The declared form of project.yaml: what every key holds and is for, in the order of its documentation.

The names of the keys are the readers' own (`reading`, `classifiers`, `engine.schema`, `embeddings.spec`).
"""

from __future__ import annotations

from dataclasses import fields, replace

from embeddings.spec import BODIES, MOST_PAIRS, NUMERIC, PAIRS, RANGES, UNSETTLED, Spec
from embeddings.textmodel import POOLS
from engine.project.classifiers import CLASSIFIER_KEYS, IDENTIFIER, KINDS, LABEL_KEYS
from engine.project.encoders import ENCODER_KEYS
from engine.project.estimators import INPUTS, MODULES, OWN_KEYS
from engine.project.reading import DATA_KEYS, EVALUATION_KEYS, KEYS, REQUIRED, SPLIT_KEYS, SPLITS
from engine.reasons import ADVERSE, HIGH
from engine.references import MOST_ROWS
from engine.schema import KEYS as FIELD_KEYS
from engine.schema import NAME, TYPES
from rules.forms import REASON, choice, condition, keyed, text
from rules.policy import ROW_KEYS
from rules.shape import Shape


def _maybe(shape: Shape) -> Shape:
    """Let a section be empty."""
    return replace(shape, empty=True)


def _number(about: str, low: float, high: float, *, whole: bool = False) -> Shape:
    kind = "integer" if whole else "number"
    return Shape(about, schema={"type": [kind, "null"], "minimum": low, "maximum": high})


def _name(about: str) -> Shape:
    return Shape(about, schema={"type": ["string", "null"], "pattern": r"\S"})


def _names(about: str) -> Shape:
    item = Shape(schema={"type": "string", "minLength": 1})
    return _maybe(Shape(about, many=True, each=item, schema={"uniqueItems": True}))


_FREE = Shape()
_FIELD = {
    "type": choice("What the field holds.", TYPES, "float"),
    "nullable": Shape("Whether it may be missing.", schema={"type": "boolean", "default": False}),
    "min": Shape("For int and float: a value below is refused.", schema={"type": ["number", "null"]}),
    "max": Shape("For int and float: a value above is refused.", schema={"type": ["number", "null"]}),
    "values": _maybe(
        Shape("For int, category and text: the only values allowed.", many=True, each=_FREE, least=1)
    ),
    "default": Shape("Stands in for a missing value."),
}
_LABEL = {
    "column": _name("The column of the training table; the label's name by default."),
    "positive": Shape("The value that means yes; every other means no.",
                      schema={"type": ["string", "number", "boolean", "null"]}),
    "classes": _names("Three or more values: the label has several classes."),
    "weight": _name("A column of numbers from 0 on: how much a row counts."),
}  # fmt: skip
_OWN = {
    "name": Shape("What it is called in reports.", schema={"type": "string", "pattern": r"\S"}),
    "estimator": Shape(
        "A classifier of scikit-learn, by its import path.",
        schema={"type": "string", "pattern": rf"^sklearn\.({'|'.join(MODULES)})\.[A-Za-z]+$"},
    ),
    "params": _maybe(Shape("Its parameters.", each=_FREE)),
    "input": Shape("What it reads.", schema={"enum": [*INPUTS, None], "default": INPUTS[0]}),
    "after": Shape("The kind that it is next simplest to; without it, it is the least simple.",
                   schema={"enum": [*KINDS, None]}),
}  # fmt: skip
_CANDIDATE = Shape(
    either=(
        Shape(schema={"enum": list(KINDS)}),
        Shape("A classifier of your own.", keyed(OWN_KEYS, _OWN), needed=("name", "estimator")),
    )
)
_CLASSIFIER = {
    "label": _name("The label that it predicts; its own name by default."),
    "candidates": _maybe(Shape("The kinds that compete; the simplest that is as good as the best wins.",
                               many=True, each=_CANDIDATE, least=1)),
    "adverse": choice("Which end of its scores counts against a record.", ADVERSE, HIGH),
    "reasons": _maybe(Shape("The reason code of each field, for adverse decisions.",
                            each=replace(REASON, about="A reason code."))),
}  # fmt: skip
_ENCODER = {
    "onnx": text("The graph's file, from the project's folder.", minLength=1),
    "vocabulary": text("The file of its word pieces, one a line.", minLength=1),
    "output": text("The output that it is read from.", minLength=1),
    "tokens": Shape(
        "At most so many pieces of a text.", schema={"type": "integer", "minimum": 3, "maximum": 512}
    ),
    "lower": Shape("Whether its vocabulary is in small letters.", schema={"type": "boolean"}),
    "pool": Shape("How the vectors of pieces become one.", schema={"enum": list(POOLS)}),
}
_PAIR = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2, "uniqueItems": True}
_EMBEDDING = {
    **{
        name: _number("", low, high, whole=kind is int) if name in UNSETTLED
        else Shape(schema={"type": "integer" if kind is int else "number", "minimum": low, "maximum": high})
        for name, (kind, low, high) in RANGES.items()
    },
    "numeric": choice("How numbers are encoded.", NUMERIC, NUMERIC[0]),
    "body": choice("What teaches the tower that serves.", BODIES, BODIES[0]),
    "pairs": Shape("Categories that also enter by what their levels say together.",
                   schema={"anyOf": [{"enum": list(PAIRS)},
                                     {"type": "array", "maxItems": MOST_PAIRS, "items": _PAIR}],
                           "default": PAIRS[0]}),
    "text_scores": Shape("Whether a logistic model reads the texts too.", schema={"type": "boolean"}),
    "hidden": Shape("Widths of the hidden layers; by the number of rows if left out.", many=True, least=1,
                    empty=True, each=Shape(schema={"type": "integer", "minimum": 1, "maximum": 4096})),
    "without": _names("Fields for the rules alone: the model does not see them."),
    "encoders": _maybe(
        Shape(
            "Encoders of your own, by text field.",
            each=Shape("An encoder.", keyed(ENCODER_KEYS, _ENCODER), needed=ENCODER_KEYS[:3]),
        )
    ),
}  # fmt: skip
_EMBEDDING_KEYS = (*(one.name for one in fields(Spec) if one.name != "slots"), "without", "encoders")
_ROW = {
    "when": condition('A CEL condition over the record and scores.NAME; the last row is "true".'),
    "decide": text("The outcome.", minLength=1),
}
_SPLIT = {
    "by": Shape("How rows become training, validation and test rows.", schema={"enum": [*SPLITS, None]}),
    "validation": _number("Below 1 a share, from 1 on a number of rows.", 0.001, 1e9),
    "test": _number("Below 1 a share, from 1 on a number of rows.", 0, 1e9),
    "seed": _number("What the draw hangs on.", 0, 2**32 - 1, whole=True),
    "field": _name(
        "For by: time the timestamp field, for by: group the column whose equal values stay together."
    ),
}
_DATA = {
    "train": _name("Labelled rows: Parquet, CSV or JSON Lines, from the project's folder."),
    "test": _name("Labelled rows to evaluate on; without it they come off train."),
    "references": _number(
        "Training rows that the bundle keeps for explanations; 0 keeps none.", 0, MOST_ROWS, whole=True
    ),
}
_EVALUATION = {
    "value": _name("A CEL expression: what one decided row is worth."),
    "label": _name("The label that precision and recall are about."),
    "acted": _names("The outcomes that act on it."),
}
_IDENTIFIERS = {"propertyNames": {"pattern": f"^{IDENTIFIER.pattern}$"}}
_TOP = {
    "name": _name("The project's name; its folder's by default."),
    "id": _name("A column that names the record; the model never sees it."),
    "fields": Shape(
        "The fields of a record, each with its type.",
        each=Shape("A field.", keyed(FIELD_KEYS, _FIELD), needed=("type",)),
        least=1,
        schema={"propertyNames": {"pattern": f"^{NAME.pattern}$"}},
    ),
    "event_time": _name("The timestamp field that dates of rules are held against."),
    "outcomes": Shape("What may be decided, from the mildest to the most severe.", many=True, least=1,
                      each=Shape(schema={"type": "string", "minLength": 1}), schema={"uniqueItems": True}),
    "labels": _maybe(Shape("What classifiers learn: columns of the training table.", schema=_IDENTIFIERS,
                           each=_maybe(Shape("A label.", keyed(LABEL_KEYS, _LABEL))))),
    "embedding": _maybe(Shape("The settings of the neural layer.", keyed(_EMBEDDING_KEYS, _EMBEDDING))),
    "classifiers": Shape("The classifiers, each for one label.", least=1, schema=_IDENTIFIERS,
                         each=_maybe(Shape("A classifier.", keyed(CLASSIFIER_KEYS, _CLASSIFIER)))),
    "policy": Shape("What the model alone would do: the first row that holds decides.", many=True, least=1,
                    each=Shape("A row.", keyed(ROW_KEYS, _ROW), needed=ROW_KEYS)),
    "split": _maybe(Shape("How one file is shared out for training and tests.", keyed(SPLIT_KEYS, _SPLIT))),
    "data": _maybe(Shape("Where the labelled rows are.", keyed(DATA_KEYS, _DATA))),
    "evaluation": _maybe(Shape("What good means here.", keyed(EVALUATION_KEYS, _EVALUATION))),
}  # fmt: skip
PROJECT_FILE = Shape("A project file of Tandem.", keyed(KEYS, _TOP), needed=REQUIRED)
