"""Words, signs and calls as other languages have them, each with how it is written in a condition here."""

from __future__ import annotations

from rules.foreign import FUNCTIONS

MACROS = ("all", "exists", "exists_one", "filter", "map")
_NAMES = {name.rsplit(".")[-1] for name in FUNCTIONS if name[-1].isalnum() and "@" not in name}
MATH = {name.removeprefix("math.") for name in FUNCTIONS if name.startswith("math.") and "@" not in name}
MATH |= {"greatest", "least"}
SUPPORTED = sorted({*_NAMES, *MACROS, "has", "greatest", "least"})

WORDS = {
    "and": "write && for and",
    "or": "write || for or",
    "not": "write !(…) for not",
    "is": "write == to compare, == null to ask for a missing value",
    "True": "write true in lower case",
    "False": "write false in lower case",
    "TRUE": "write true in lower case",
    "FALSE": "write false in lower case",
    "None": "write null for a missing value",
    "NULL": "write null in lower case",
    "nil": "write null for a missing value",
    "like": "use contains(…), startsWith(…) or matches(…)",
    "between": "write x >= 1 && x <= 5",
    "if": "write CONDITION ? A : B for if",
}
FUNCTIONS_ELSEWHERE = {
    "lower": "lowerAscii",
    "upper": "upperAscii",
    "len": "size",
    "length": "size",
    "strip": "trim",
    "float": "double",
    "str": "string",
    "startswith": "startsWith",
    "endswith": "endsWith",
    "hour": "getHours",
    "max": "math.greatest",
    "min": "math.least",
    "maximum": "math.greatest",
    "minimum": "math.least",
    "ceiling": "math.ceil",
}
CLOCKS = ("now", "today", "current_timestamp", "current_date")
CLOCK_HINT = "a condition sees no clock: compare with the event's own time, as event_time"
CALLS = {
    **{name: f"write math.{name}(…)" for name in sorted(MATH)},
    **dict.fromkeys(("all", "exists", "exists_one"), "write it after a list: [1, 2].exists(x, x == count)"),
    **dict.fromkeys(("map", "filter"), "write it after a list: [1, 2].map(x, x + 1)"),
    **dict.fromkeys(("greatest", "least"), "write math.greatest(x, y)"),
    **dict.fromkeys(("contains", "startsWith", "endsWith"), "write it after the text: memo.contains('x')"),
    "matches": "write it after the text: memo.matches('^[A-Z]+$')",
    **dict.fromkeys(("lowerAscii", "upperAscii", "trim"), "write it after the text: memo.trim()"),
}
SIGNS = {
    "=>": "write >= for at least",
    "=<": "write <= for at most",
    "=": "write == to compare",
    "&": "write && for and",
    "|": "write || for or",
    "<>": "write != for not equal",
    "≥": "write >=",
    "≤": "write <=",
    "≠": "write !=",
    "−": "write - for minus",
    "–": "write - for minus",
    "×": "write * to multiply",
    "÷": "write / to divide",
}


def word_hint(name: str) -> str:
    """The hint for a word of another language, such as SQL, in whichever case."""
    return WORDS.get(name) or WORDS.get(name.lower(), "")
