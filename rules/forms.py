"""The declared form of a rule file: what every key holds and is for, in the order of `tandem fmt`.

The names of the keys are the reader's own (`rules.files`), so that neither has a key that the other lacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.files import (
    CASE_KEYS,
    FILE_KEYS,
    HIT_POLICIES,
    ID,
    LIST_NAME,
    LIST_TYPES,
    MODES,
    ON_UNKNOWN,
    RULE_KEYS,
    SOURCE_KEYS,
    STAGES,
)
from rules.form import CODE
from rules.shape import Shape
from rules.tables import INPUT_KEYS, ROW_KEYS, TABLE_KEYS, TABLE_POLICIES


def text(about: str, **more: Any) -> Shape:
    """Declare a text."""
    return Shape(about, schema={"type": "string", **more})


def choice(about: str, choices: Iterable[str], default: str) -> Shape:
    """Declare one of several words."""
    return Shape(about, schema={"enum": list(choices), "default": default})


def keyed(names: Iterable[str], declared: Mapping[str, Shape]) -> dict[str, Shape]:
    """Give the declared shape of each of these keys, in their order; any value where none is declared."""
    return {name: declared.get(name, Shape()) for name in names}


def condition(about: str) -> Shape:
    """Declare a CEL condition: a text, or a bare true or false."""
    return Shape(about, schema={"type": ["string", "boolean"]})


def _bounds(about: str) -> Shape:
    score = Shape(schema={"type": "number", "minimum": 0, "maximum": 1})
    return Shape(about, each=score, least=1)


_CODE = {"type": "string", "pattern": f"^{CODE.pattern}$"}
_ID = {"type": "string", "pattern": f"^{ID.pattern}$"}
_ANY_VALUE = Shape(schema={"type": ["string", "number", "boolean", "null", "object"]})
GIVEN = Shape(
    "Values of the record by field; scores as {scores: {NAME: 0.7}}; the rest is missing.", each=_ANY_VALUE
)

CASE = Shape(
    "A case: with these values, this must follow.",
    keyed(
        CASE_KEYS,
        {
            "given": GIVEN,
            "expect": text("An outcome, or: fire, none, unknown, suppressed, shadow.", minLength=1),
        },
    ),
    needed=CASE_KEYS,
)
CASES = Shape("Cases that must hold before the rule goes live.", many=True, each=CASE)
TAG = Shape(
    "Marks the decision and decides nothing: a name, or a list of names.",
    either=(Shape(schema=_CODE), Shape(many=True, each=Shape(schema=_CODE))),
)
DECIDE = text("The outcome that the rule decides.", minLength=1)
CAP = _bounds("Lowers scores to these where they are higher.")
FLOOR = _bounds("Raises scores to these where they are lower.")
REASON = Shape("A reason code that decisions carry.", schema=_CODE)
STAGE = choice(
    "before: sees the record only and may decide without the model. after: sees scores.", STAGES, "after"
)
MODE = choice(
    "enforce; shadow: noted in every decision, changes none; off: kept, never run.", MODES, "enforce"
)
UNKNOWN = choice("What a missing value means here.", ON_UNKNOWN, "skip")
_DAY = "a day as 2026-11-01, or a time as 2026-11-01T12:00:00Z"

_RULE = {
    "id": Shape("Names the rule for ever: history hangs on it. Once in all files.", schema=_ID),
    "description": text("For people."),
    "stage": STAGE,
    "when": condition("A CEL condition over the record, scores.NAME and proposed."),
    "decide": DECIDE,
    "cap": CAP,
    "floor": FLOOR,
    "tag": TAG,
    "priority": Shape("For hit_policy: priority; the highest decides.", schema={"type": "integer"}),
    "stop": Shape("Where the rule fires, no later rule of the file is asked.", schema={"type": "boolean"}),
    "reason": REASON,
    "owner": text("Who answers for the rule."),
    "mode": MODE,
    "on_unknown": UNKNOWN,
    "effective": Shape(
        "When the rule counts, against the event's own time; half-open, UTC.",
        {"from": text(f"The first moment: {_DAY}."), "until": text(f"The first moment that is out: {_DAY}.")},
    ),
    "rollout": Shape(
        "Enforce the rule for a share of the keys only, by a stable hash.",
        {
            "percent": Shape("From 0 to 100.", schema={"type": "number", "minimum": 0, "maximum": 100}),
            "key": text("The field whose values are shared out.", minLength=1),
            "salt": text("What is hashed before the key; the rule's id by default.", minLength=1),
        },
        needed=("percent", "key"),
    ),
    "except": Shape(
        "What the rule is not applied to.",
        many=True,
        each=Shape(
            "A condition, or fields with their values; with owner, reason and an end.",
            {
                "when": condition("A condition instead of fields and values."),
                "owner": text("Who answers for the exception.", minLength=1),
                "reason": text("Why it is made.", minLength=1),
                "expires": text(f"When it ends: {_DAY}."),
            },
            each=Shape(),
            needed=("owner", "reason", "expires"),
        ),
    ),
    "tests": CASES,
}
_EFFECTS = [key for key in ("decide", "cap", "floor", "tag", "stop") if key in RULE_KEYS]
RULE = Shape(
    "A rule: a condition, and what follows where it holds.",
    keyed(RULE_KEYS, _RULE),
    needed=("id", "when"),
    schema={"anyOf": [{"required": [key]} for key in _EFFECTS]},
)
_CELL = Shape(
    "A cell: - for any, a value, > 5, [1..5), 'a', 'b', not('a'), in a_list.",
    schema={"type": ["string", "number", "boolean"]},
)
_ROW = {
    "id": Shape("Names the row for ever, within its table.", schema={"type": ["string", "integer"]}),
    "decide": text("The outcome that the row decides.", minLength=1),
    "cap": CAP,
    "floor": FLOOR,
    "tag": TAG,
    "reason": REASON,
    "priority": _RULE["priority"],
    "effective": Shape(
        "When the row counts, against the event's own time; half-open, UTC.", _RULE["effective"].keys
    ),
    "description": text("For people."),
}
_TABLE = {
    "id": Shape("Names the table for ever: a row is the rule TABLE.ROW.", schema=_ID),
    "description": text("For people."),
    "stage": STAGE,
    "hit_policy": choice("Which of the rows that hold count.", TABLE_POLICIES, "unique"),
    "inputs": Shape(
        "What rows are found by: fields, or expressions.",
        many=True,
        least=1,
        each=Shape(
            either=(
                text("A field, or a CEL expression.", minLength=1),
                Shape(
                    "A named expression.",
                    keyed(
                        INPUT_KEYS,
                        {
                            "name": text("What the column is called.", minLength=1),
                            "value": condition("A CEL expression."),
                        },
                    ),
                    needed=INPUT_KEYS,
                ),
            )
        ),
    ),
    "rows": Shape(
        "The rows, each with a cell for every input it asks about.",
        many=True,
        least=1,
        each=Shape("A row: cells by input, and what it does.", keyed(ROW_KEYS, _ROW), each=_CELL),
    ),
    "file": text("A CSV file with the rows, as lists/limits.csv.", minLength=1),
    **{key: _ROW[key] for key in ("decide", "cap", "floor", "tag", "reason")},
    "owner": text("Who answers for the table."),
    "mode": MODE,
    "on_unknown": UNKNOWN,
    **{key: _RULE[key] for key in ("effective", "rollout", "except")},
    "tests": Shape("Cases that must hold: which row, or what outcome.", many=True, each=CASE),
}
TABLE = Shape("A decision table.", keyed(TABLE_KEYS, _TABLE), needed=("id", "inputs"))
LISTED = Shape(
    "A list of texts or numbers, or the file that holds it.",
    either=(
        Shape(many=True, each=Shape(schema={"type": ["string", "number"]})),
        Shape(
            keys=keyed(
                SOURCE_KEYS,
                {
                    "file": text("A text or CSV file, as lists/devices.csv.", minLength=1),
                    "column": text("The column of a CSV file."),
                    "type": choice("What its entries are.", LIST_TYPES, "string"),
                },
            ),
            needed=("file",),
        ),
    ),
)
_FILE = {
    "filters": text("This file's name, for people."),
    "description": text("For people."),
    "order": Shape("Where this file stands among the others; the lowest first.", schema={"type": "integer"}),
    "hit_policy": choice("Who decides when several rules fire.", HIT_POLICIES, "first"),
    "variables": Shape(
        "Named expressions: variables.NAME stands for them in this file's conditions.",
        each=Shape(schema={"type": ["string", "number", "boolean"]}),
        empty=True,
        schema={"propertyNames": {"pattern": f"^{LIST_NAME.pattern}$"}},
    ),
    "lists": Shape(
        "Lists that conditions look values up in, as in `country in embargoed`.",
        each=LISTED,
        empty=True,
        schema={"propertyNames": {"pattern": f"^{LIST_NAME.pattern}$"}},
    ),
    "rules": Shape("The rules.", many=True, each=RULE, empty=True),
    "tables": Shape("Decision tables; their rows count after the rules.", many=True, each=TABLE),
}
RULE_FILE = Shape("A rule file of Tandem.", keyed(FILE_KEYS, _FILE))
