"""Text: size, search, case, trimming and RE2 patterns; columns are Arrow string arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from struct import Struct
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rules.expression import BOOL, INT, STRING
from rules.functions.table import Function

# What CEL's trim() takes off: Unicode white space. Python's strip() would take U+001C to U+001F too.
SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)

REMEMBERED = 256
"""Longer texts are searched anew each time: remembered, a few thousand of them could fill the memory."""

_STRING = pa.string()
_OFFSETS = Struct("=2i").pack
_SEARCH = pc.get_function("match_substring_regex")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}


def lower_ascii(text: str) -> str:
    """Lower A to Z and nothing else."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper_ascii(text: str) -> str:
    """Raise a to z and nothing else."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def matches(text: str, pattern: str) -> bool:
    """Say whether RE2 finds the pattern anywhere in the text: the same library that the columns use."""
    return (_found_before if len(text) <= REMEMBERED else _found)(text, pattern)


def _found(text: str, pattern: str) -> bool:
    # The kernel itself, not its wrapper, on an array made of its buffers: an eighth of the time on one text,
    # and no import of pandas, which `pa.scalar` and `pa.array` do wherever it is installed.
    data = text.encode()
    buffers = [None, pa.py_buffer(_OFFSETS(0, len(data))), pa.py_buffer(data)]
    column = pa.Array.from_buffers(_STRING, 1, buffers)
    return bool(_SEARCH.call([column], _options(pattern))[0].as_py())


_found_before = lru_cache(maxsize=8192)(_found)


@lru_cache(maxsize=1024)
def _options(pattern: str) -> Any:
    return pc.MatchSubstringOptions(pattern)


def bad_pattern(pattern: str) -> str:
    """Say what is wrong with a pattern, and where in it, or nothing."""
    try:
        _found("", pattern)
    except pa.ArrowInvalid as error:
        why, _, part = str(error).partition(":")[2].strip().partition(": ")
        return f"{_why(why, part)}: {part}" if part else _why(why, part)
    return ""


def _why(why: str, part: str) -> str:
    """Say in full what RE2 says in short, of what other libraries have."""
    if why == "invalid perl operator":
        if part.startswith(("(?=", "(?!", "(?<=", "(?<!")):
            return "RE2 has no look-ahead and no look-behind"
        return "RE2 has no group of this kind"
    if why == "invalid escape sequence" and part[1:2] in "123456789k":
        return "RE2 has no back-references"
    if why == "invalid repetition size":
        return "a part is repeated up to 1,000 times, those within each other included"
    if why.startswith("pattern too large"):
        return "the pattern is too large"
    return why


def mask(found: Any) -> np.ndarray:
    """Turn an Arrow boolean array without nulls into a NumPy one."""
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)


def items(texts: Any) -> Iterable[str]:
    """Give the texts of a column, or one text over and over."""
    return repeat(texts) if isinstance(texts, str) else texts.to_pylist()


def _search(
    arrow: Callable[..., Any], python: Callable[[str, str], bool]
) -> Callable[[Any, Any], np.ndarray]:
    """Search by Arrow for one text in a column, row by row where the text searched for is a column too."""

    def kernel(texts: Any, sought: Any) -> np.ndarray:
        if isinstance(sought, str):
            return mask(arrow(texts, pattern=sought))
        return np.fromiter(map(python, items(texts), items(sought)), dtype=bool, count=len(sought))

    return kernel


def _size(texts: Any) -> np.ndarray:
    return np.asarray(pc.utf8_length(texts).to_numpy(zero_copy_only=False), dtype=np.int64)


def _join(left: Any, right: Any) -> Any:
    return pc.binary_join_element_wise(left, right, "")


def _trim(texts: Any) -> Any:
    return pc.utf8_trim(texts, characters=SPACE)


def _contains(text: str, part: str) -> bool:
    return part in text


def pairs(left: Any, right: Any) -> Iterator[tuple[str, str]]:
    """Give both columns' texts row by row."""
    return zip(items(left), items(right), strict=False)


_ONE, _TWO = (STRING,), (STRING, STRING)

ROWS: list[Function] = [
    Function("size", "size_string", _ONE, INT, "len({0})", _size),
    Function("size", "string_size", _ONE, INT, "len({0})", _size, member=True),
    Function("_+_", "add_string", _TWO, STRING, "{0} + {1}", _join),
    Function(
        "startsWith",
        "starts_with_string",
        _TWO,
        BOOL,
        "{0}.startswith({1})",
        _search(pc.starts_with, str.startswith),
        member=True,
    ),
    Function(
        "endsWith",
        "ends_with_string",
        _TWO,
        BOOL,
        "{0}.endswith({1})",
        _search(pc.ends_with, str.endswith),
        member=True,
    ),
    Function(
        "contains",
        "contains_string",
        _TWO,
        BOOL,
        "{1} in {0}",
        _search(pc.match_substring, _contains),
        member=True,
    ),
    Function(
        "matches",
        "matches_string",
        _TWO,
        BOOL,
        "matches({0}, {1})",
        _search(pc.match_substring_regex, matches),
        member=True,
    ),
    Function(
        "matches", "matches", _TWO, BOOL, "matches({0}, {1})", _search(pc.match_substring_regex, matches)
    ),
    Function(
        "lowerAscii", "string_lower_ascii", _ONE, STRING, "lower_ascii({0})", pc.ascii_lower, member=True
    ),
    Function(
        "upperAscii", "string_upper_ascii", _ONE, STRING, "upper_ascii({0})", pc.ascii_upper, member=True
    ),
    Function("trim", "string_trim", _ONE, STRING, "{0}.strip(SPACE)", _trim, member=True),
]
SCOPE: dict[str, Any] = {
    "len": len,
    "SPACE": SPACE,
    "matches": matches,
    "lower_ascii": lower_ascii,
    "upper_ascii": upper_ascii,
}
