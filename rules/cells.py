"""The cells of a decision table: the text of one cell in, its tests out, and from those CEL text and nodes.

A cell tests one input, as DMN's unary tests do, with CEL's literals: `-` for any; `'gold'`, `5`, `true`,
`null`; `> 5000`; `[1..5)`; `'a', 'b'`; `not('a', 'b')`; `in ['a', 'b']`, `in a_list`, `not in a_list`. Text,
days and durations may stand bare where nothing else can be meant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from rules.errors import RulesError, nearest
from rules.expression import (
    BOOL,
    CIDR,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Call,
    ListLiteral,
    ListName,
    Literal,
    Node,
)
from rules.functions.clock import format_timestamp, parse_timestamp
from rules.functions.span import LONGEST, SHORTEST, format_duration, parse_duration
from rules.period import Period

MAX_CELL = 10_000

EQUALITIES = ("==", "!=")
ORDERINGS = {"<": "less", "<=": "less_equals", ">": "greater", ">=": "greater_equals"}
_SUFFIXES = {kind: kind for kind in (BOOL, DOUBLE, STRING, TIMESTAMP, DURATION)} | {INT: "int64"}
_EXACT = 2**53  # below it every whole number is a double, and no other one rounds to it

_NUMBER = r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[-+][0-9]{2}:[0-9]{2}))?"
_SPAN = r"[-+]?(?:(?:[0-9]+(?:\.[0-9]+)?(?:ms|us|ns|h|m|s))+|0)(?!\w)"
_LITERALS = {
    INT: re.compile(_NUMBER),
    DOUBLE: re.compile(_NUMBER),
    BOOL: re.compile(r"true|false", re.IGNORECASE),
    TIMESTAMP: re.compile(rf"timestamp\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)|({_MOMENT})"),
    DURATION: re.compile(rf"duration\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)|({_SPAN})"),
}
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "`": "`", "?": "?"}
_BARE = re.compile(r"\w(?:[^,'\"()\[\]<>=!]*[^,'\"()\[\]<>=!\s])?")
_OPERATOR = re.compile(r"[<>=!]=?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN = re.compile(r"(not\s+)?in(?![\w])")
_NOT = re.compile(r"not\s*\(")
_BLANK = re.compile(r"\s*")
_QUICK = re.compile(rf"(<=|>=|<|>)?\s*({_NUMBER})")
_INTERVAL = re.compile(rf"([\[(])\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([\])])")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_ANY_WORDS = ("any", "else", "otherwise")
_WORDS = frozenset(
    ("null", "in", "not", *(f(word) for word in _ANY_WORDS for f in (str.lower, str.upper, str.title)))
)
# A number with commas for thousands would be several values: 1,500 is 1 or 500.
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?!,?[0-9])")
_NETWORK = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}/[0-9]{1,2}")
_WANTED = {
    BOOL: "true or false",
    INT: "a whole number",
    DOUBLE: "a number",
    STRING: "text",
    TIMESTAMP: "a time as 2026-11-01T12:00:00Z",
    DURATION: "a duration as 36h or 1h30m",
}


class CellError(RulesError):
    """What is wrong in a cell, at an offset in its text."""

    def __init__(self, offset: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.offset, self.message, self.hint = offset, message, hint


@dataclass(frozen=True, slots=True)
class Test:
    """One test of a value; a timestamp and a duration are held in microseconds.

    `how` is an operator and `low` its bound, `in` and a list's name, or brackets of an interval up to `high`.
    """

    how: str
    low: Any
    high: Any = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell asks: that one of its tests holds, or none where negated; without tests, nothing."""

    tests: tuple[Test, ...] = ()
    negated: bool = False

    @property
    def list(self) -> str | None:
        """The list that the cell looks its value up in."""
        return self.tests[0].low if self.tests and self.tests[0].how == "in" else None


ANY = Cell()


def read_cell(
    text: str,
    kind: str,
    lists: Mapping[str, str] | None = None,
    values: Sequence[str] | None = None,
    *,
    nullable: bool = True,
    wary: bool = True,
) -> Cell:
    """Read a cell that tests an input of the given type.

    `lists` gives each list's element type; `values` are the only texts that the input ever holds, if they are
    known; an input that is not nullable is not compared with null. `wary` refuses bare text that seems to
    mean something else; what a bundle holds has been read before. Raises CellError.

    >>> read_cell("> 5000", "double")
    Cell(tests=(Test(how='>', low=5000, high=None),), negated=False)
    >>> read_cell("gold, silver", "string").tests[1].low
    'silver'
    """
    stripped = text.strip()
    if stripped in ("", "-"):
        return ANY
    if len(text) > MAX_CELL:
        raise CellError(
            0, f"the cell has {len(text):,} characters; at most {MAX_CELL:,} are read", "use a list"
        )
    # What most cells are needs no reader.
    if kind == DOUBLE and (quick := _QUICK.fullmatch(stripped)) is not None:
        return Cell((Test(quick[1] or "==", _number(quick[2], 0)),))
    if kind == DOUBLE and (quick := _INTERVAL.fullmatch(stripped)) is not None:
        low, high = _number(quick[2], 0), _number(quick[3], 0)
        if low < high:
            return Cell((Test(quick[1] + quick[4], low, high),))
    word = kind == STRING and values is None and _WORD.fullmatch(stripped) is not None
    if word and stripped not in _WORDS and stripped not in (lists or ()):
        return Cell((Test("==", stripped),))
    return _Reader(text, kind, lists or {}, values, nullable, wary).cell()


class _Reader:
    """Reads one cell from left to right."""

    def __init__(
        self,
        text: str,
        kind: str,
        lists: Mapping[str, str],
        values: Sequence[str] | None,
        nullable: bool,
        wary: bool,
    ) -> None:
        self.text, self.kind, self.lists, self.values = text, kind, lists, values
        self.nullable, self.wary = nullable, wary
        self.at = 0
        self.bracketed = False

    def cell(self) -> Cell:
        self._blanks()
        if found := _IN.match(self.text, self.at):
            return self._membership(bool(found[1]), found.end())
        negated = _NOT.match(self.text, self.at)
        if negated is not None:
            self.at = negated.end()
        tests = self._several(self._test)
        if negated:
            self._expect(")", "close the bracket of not(…)")
        self._end()
        return Cell(tests, bool(negated))

    def _membership(self, negated: bool, end: int) -> Cell:
        self.at = end
        self._blanks()
        if self._peek() == "[":
            self.at += 1
            self.bracketed = True
            tests = self._several(lambda: (Test("==", self._literal(equality=True)),))
            self._expect("]", "close the bracket of the list")
            self._end()
            return Cell(tests, negated)
        found = _NAME.match(self.text, self.at)
        if not found:
            self._fail("'in' needs a list", "as: in known_devices, or: in ['a', 'b']")
        name, start = found[0], self.at
        self.at = found.end()
        self._end()
        element = self.lists.get(name)
        if element is None:
            raise CellError(start, f"unknown list '{name}'", nearest(name, self.lists))
        if element == CIDR and self.kind != STRING:
            raise CellError(
                start, f"a {self.kind} is no IP address", "networks hold addresses written as text"
            )
        if element not in (self.kind, CIDR) and {element, self.kind} != {INT, DOUBLE}:
            raise CellError(start, f"a {self.kind} is never in a list of {element} values")
        return Cell((Test("in", name),), negated)

    def _several(self, read: Callable[[], tuple[Test, ...]]) -> tuple[Test, ...]:
        tests = list(read())
        while self._take(","):
            tests += read()
        return tuple(dict.fromkeys(tests))

    def _test(self) -> tuple[Test, ...]:
        """Read one test; it is given as one, or, where it can never hold and is not refused, as none."""
        self._blanks()
        here = self._peek()
        if here in ("[", "("):
            return (self._interval(here),)
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            return (Test("==", self._literal(equality=True)),)
        how, start = operator[0], self.at
        how = {"=": "==", "!": "!"}.get(how, how)
        if how == "!":
            self._fail("'!' alone is no test", "write != or not(…)")
        self.at = operator.end()
        self._blanks()
        if how in EQUALITIES:
            return (Test(how, self._literal(equality=True)),)
        if self.kind == BOOL:
            raise CellError(start, f"'{how}' on true and false says nothing", "write true or false")
        return (self._ordering(how, self._literal()),)

    def _ordering(self, how: str, bound: Any) -> Test:
        """Bring a bound between two whole numbers to the whole number below it."""
        if self.kind == INT and isinstance(bound, float):
            return Test({"<": "<=", "<=": "<=", ">": ">", ">=": ">"}[how], math.floor(bound))
        return Test(how, bound)

    def _interval(self, opening: str) -> Test:
        start = self.at
        self.at += 1
        low = self._literal()
        self._blanks()
        if not self.text.startswith("..", self.at):
            hint = "an interval is as [1..5] or (1..5); a set as 'a', 'b' or in ['a', 'b']"
            self._fail("'..' is missing", hint)
        self.at += 2
        high = self._literal()
        self._blanks()
        closing = self._peek()
        if closing not in ("]", ")"):
            self._fail("the interval does not end", "close it by ] or )")
        self.at += 1
        if self.kind == BOOL:
            raise CellError(start, "an interval of true and false says nothing", "write true or false")
        if low > high or (low == high and opening + closing != "[]"):
            raise CellError(start, "no value is in this interval", "the smaller end comes first")
        if self.kind != INT:
            return Test(opening + closing, low, high)
        least = math.floor(low) + 1 if isinstance(low, float) or opening == "(" else low
        most = math.floor(high) if isinstance(high, float) else high - (closing == ")")
        if least > most:
            raise CellError(start, "no whole number is in this interval")
        return Test("[]", least, most)

    def _literal(self, *, equality: bool = False) -> Any:
        self._blanks()
        start = self.at
        if equality and self.text.startswith("null", start) and self._alone(start + 4):
            if not self.nullable:
                raise CellError(start, "the input is never missing; comparing it with null has no meaning")
            self.at += 4
            return None
        quoted = _QUOTED.match(self.text, start)
        if self.kind == STRING:
            return self._text(quoted, start, equality)
        if self.wary and not self.bracketed and self.kind in (INT, DOUBLE):
            self._refuse_grouped(start)
        pattern = _LITERALS.get(self.kind)
        found = pattern.match(self.text, start) if pattern else None
        if found is None or quoted or not self._alone(found.end()):
            self._refuse(start, quoted is not None)
        self.at = found.end()
        if self.kind == BOOL:
            return found[0].lower() == "true"
        if self.kind == TIMESTAMP:
            return _moment(found, start)
        if self.kind == DURATION:
            return _duration(found, start)
        number = _number(found[0], start)
        return self._whole(number, start, equality) if self.kind == INT else number

    def _refuse_grouped(self, start: int) -> None:
        if grouped := _GROUPED.match(self.text, start):
            number = grouped[0].replace(",", "")[:40]
            hint = f"write a number without commas, as {number}; for several, a space after each comma"
            raise CellError(start, f"'{grouped[0][:60]}' would be several values", hint)

    def _alone(self, end: int) -> bool:
        """Say whether a literal that ends here is followed by nothing that belongs to it."""
        rest = self.text[end:].lstrip()
        return rest == "" or rest[0] in ",])" or rest.startswith("..")

    def _whole(self, number: int | float, start: int, equality: bool) -> int | float:
        if isinstance(number, float):
            if abs(number) >= _EXACT:
                raise CellError(start, "too large for a decimal beside whole numbers", "write a whole number")
            if number.is_integer():
                return int(number)
            if equality:
                raise CellError(start, f"a whole number is never {number}")
        return number

    def _text(self, quoted: re.Match[str] | None, start: int, equality: bool) -> str:
        if quoted:
            self.at = quoted.end()
            body = quoted[1] if quoted[1] is not None else quoted[2]
            text = _unescape(body, start) if "\\" in body else body
        else:
            found = _BARE.match(self.text, start)
            if found is None or not (equality and self._alone(found.end())):
                unclosed = self.text[start : start + 1] in ("'", '"')
                word = self.text[start:].strip()
                hint = f"put the text in quotes: '{word if _WORD.fullmatch(word) else 'gold'}'"
                self._fail_at(
                    start, self._bad_text(start), "close the quote" if unclosed else _habit(word) or hint
                )
            text = found[0] if found else ""
            self.at = start + len(text)
            hint = _other_meaning(text) if self.wary and text not in (self.values or ()) else ""
            if hint:
                raise CellError(start, f"'{text[:60]}' would be one text", f"{hint}, or quote it")
            if self.wary and _NETWORK.fullmatch(text):
                hint = "put networks in a list of type cidr and write 'in LIST'; quotes for the text itself"
                raise CellError(start, f"'{text}' would be compared as text", hint)
            if text in self.lists:
                hint = f"write 'in {text}' for the list, or quotes for the text"
                raise CellError(start, f"'{text}' is the name of a list", hint)
        if equality and self.values is not None and text not in self.values:
            hint = _habit(text) or nearest(text, self.values)
            raise CellError(start, f"the input is never '{text[:60]}'", hint)
        return text

    def _bad_text(self, start: int) -> str:
        here = self.text[start : start + 1]
        if here in ("'", '"'):
            return "the text in quotes does not end"
        return f"text is needed, got '{self.text[start:].strip()[:60]}'" if here else "text is missing"

    def _refuse(self, start: int, quoted: bool) -> NoReturn:
        got = re.split(r",|\.\.|[\])]\s*$", self.text[start:].strip() or "nothing")[0].strip()[:60]
        wanted = _WANTED.get(self.kind, self.kind)
        hint = "leave the quotes out" if quoted and self.kind in (INT, DOUBLE, BOOL) else ""
        if self.kind in (INT, DOUBLE) and re.match(r"[-+]?[0-9]", got):
            hint = "write it in digits, as 1000 or 0.5"
        hint = _habit(self.text.strip()) or hint
        if self.kind == DURATION and re.match(r"[-+]?[0-9]", got):
            hint = "give each number its unit: h, m, s, ms or us"
        self._fail_at(start, f"{wanted} is needed, got '{got}'", hint)

    def _take(self, mark: str) -> bool:
        self._blanks()
        found = self._peek() == mark
        self.at += found
        return found

    def _expect(self, mark: str, hint: str) -> None:
        if not self._take(mark):
            self._fail(f"'{mark}' is missing", hint)

    def _end(self) -> None:
        self._blanks()
        if self.at < len(self.text):
            rest = self.text[self.at :].strip()[:60]
            hint = _habit(self.text.strip()) or "separate values by commas"
            self._fail(f"'{rest}' is one too many", hint)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _blanks(self) -> None:
        self.at = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        self._fail_at(self.at, message, hint)

    def _fail_at(self, offset: int, message: str, hint: str = "") -> NoReturn:
        raise CellError(min(offset, max(len(self.text) - 1, 0)), message, hint)


_HABITS = (
    (r"\*|any|all|else|other(wise)?", "write - for any value"),
    (r"([-+]?[0-9.]+)\s*(?:\.\.|-|to|–)\s*([-+]?[0-9.]+)", "write an interval as [{0}..{1}]"),
    (r"between\s+(\S+)\s+and\s+(\S+)", "write an interval as [{0}..{1}]"),
    (r"[<>]=?\s*([^\s&]+)\s*(?:&&|and)\s*[<>]=?\s*(\S+)", "write an interval as [{0}..{1}] or ({0}..{1})"),
    (r"=([<>])\s*(\S+)", "write {0}= {1}"),
    (r"([0-9]{1,3}(?:,[0-9]{3})+)", "write a number without commas"),
)


def _habit(text: str) -> str:
    """Give the hint for what spreadsheets and other rule tables write, or nothing."""
    for pattern, hint in _HABITS:
        found = re.fullmatch(pattern, text, re.IGNORECASE) if len(text) <= 100 else None
        if found:
            return hint.format(*found.groups())
    return ""


def _other_meaning(text: str) -> str:
    """Give the hint for bare text that seems to be meant otherwise, or nothing."""
    if "|" in text or "&&" in text:
        return "separate values by commas"
    if text.lower() in _ANY_WORDS:
        return "write - for any value"
    if text.startswith(("not ", "NOT ")):
        return f"write not({text[4:].strip()[:40]})"
    if "*" in text:
        return "a cell knows no patterns: give the table an input as {name: n, value: memo.startsWith('a')}"
    return ""


def cell_text(cell: Cell, name: str, kind: str) -> str:
    """Say a cell's condition on the input `name` (CEL text) in CEL; empty where it asks nothing.

    >>> cell_text(read_cell("[1..5)", "int"), "count", "int")
    'count >= 1 && count <= 4'
    """
    if not cell.tests:
        return ""
    name = name if re.fullmatch(r"[\w.]+", name) else f"({name})"
    parts = [f"{name} in {cell.list}"] if cell.list else []
    values, others = _sorted(cell)
    written = [literal_text(value, kind) for value in values]
    if len(written) == 1:
        if cell.negated and not others:
            return f"{name} != {written[0]}"
        parts.append(f"{name} == {written[0]}")
    elif written:
        parts.append(f"{name} in [{', '.join(written)}]")
    for test in others:
        ends = [f"{name} {how} {literal_text(bound, kind)}" for how, bound in bounds(test)]
        parts.append(" && ".join(ends))
    if len(parts) > 1:
        parts = [f"({part})" if " && " in part else part for part in parts]
    text = " || ".join(parts)
    if cell.negated:
        return f"!({text})"
    return f"({text})" if len(parts) > 1 else text


def cell_node(cell: Cell, node: Node, element: str = "") -> Node | None:
    """Give the same condition as nodes in normal form; None where a cell asks nothing.

    `element` is the element type of the cell's list.
    """
    if not cell.tests:
        return None
    parts: list[Node] = []
    if cell.list:
        parts.append(looked_up(node, cell.list, element))
    values, others = _sorted(cell)
    literals = [_literal_node(value, node.type) for value in values]
    if len(literals) == 1:
        if cell.negated and not others:
            return Call("not_equals", (node, literals[0]), BOOL)
        parts.append(Call("equals", (node, literals[0]), BOOL))
    elif literals:
        parts.append(Call("in_list", (node, ListLiteral(tuple(literals))), BOOL))
    for test in others:
        ends = [_bound_node(how, node, bound) for how, bound in bounds(test)]
        parts.append(join("logical_and", ends))
    found = join("logical_or", parts)
    return Call("logical_not", (found,), BOOL) if cell.negated else found


def looked_up(node: Node, name: str, element: str) -> Node:
    """Give the condition that a value is in a list, or an address in one of its networks."""
    return Call("in_ranges" if element == CIDR else "in_list", (node, ListName(name, element)), BOOL)


def period_cell(period: Period | None) -> Cell:
    """Give the cell that the event's time must meet; ANY where a row always counts."""
    if period is None:
        return ANY
    if period.start is not None and period.end is not None:
        return Cell((Test("[)", period.start, period.end),))
    return Cell((Test(">=", period.start) if period.start is not None else Test("<", period.end),))


def join(overload: str, parts: Sequence[Node]) -> Node:
    """Join conditions by && or ||, in halves: a chain of a thousand is ten deep."""
    if len(parts) == 1:
        return parts[0]
    half = (len(parts) + 1) // 2
    return Call(overload, (join(overload, parts[:half]), join(overload, parts[half:])), BOOL)


def bounds(test: Test) -> list[tuple[str, Any]]:
    """Give the comparisons that a test of no equality joins by &&."""
    if test.how in ORDERINGS or test.how == "!=":
        return [(test.how, test.low)]
    return [(">=" if test.how[0] == "[" else ">", test.low), ("<=" if test.how[1] == "]" else "<", test.high)]


def literal_text(value: Any, kind: str) -> str:
    """Write a value as a CEL literal."""
    if value is None:
        return "null"
    if kind == STRING:
        return "'" + "".join(_escaped(character) for character in value) + "'"
    if kind == TIMESTAMP:
        return f"timestamp('{format_timestamp(value)}')"
    if kind == DURATION:
        return f"duration('{format_duration(value)}')"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _sorted(cell: Cell) -> tuple[list[Any], list[Test]]:
    """Part the values that a cell names from its other tests."""
    values = [test.low for test in cell.tests if test.how == "=="]
    return values, [test for test in cell.tests if test.how not in ("==", "in")]


def _literal_node(value: Any, kind: str) -> Literal:
    if value is None:
        return Literal(NULL, None)
    return Literal(kind, float(value) if kind == DOUBLE else value)


def _bound_node(how: str, node: Node, bound: Any) -> Node:
    literal = _literal_node(bound, node.type)
    overload = "not_equals" if how == "!=" else f"{ORDERINGS[how]}_{_SUFFIXES[node.type]}"
    return Call(overload, (node, literal), BOOL)


def _number(text: str, start: int) -> int | float:
    if len(text) <= 20 and text.lstrip("+-").isdigit():
        whole = int(text)
        if -(2**63) <= whole < 2**63:
            return whole
        raise CellError(start, "a whole number beyond 64 bits")
    number = float(text)
    if not math.isfinite(number):
        raise CellError(start, "a number beyond a double")
    if text.lstrip("+-").isdigit():
        raise CellError(start, "a whole number beyond 64 bits")
    return number


def _moment(found: re.Match[str], start: int) -> int:
    written = found[1] or found[2] or found[3] or ""
    instant = parse_timestamp(written if "T" in written else written + "T00:00:00Z")
    if instant is None:
        raise CellError(
            start, f"not a timestamp to the microsecond: '{written[:60]}'", "as 2026-11-01T12:00:00Z"
        )
    return instant


def _duration(found: re.Match[str], start: int) -> int:
    written = found[1] or found[2] or found[3] or ""
    nanoseconds = parse_duration(written)
    if nanoseconds is None:
        raise CellError(start, f"not a duration: '{written[:60]}'", "as 36h or 1h30m, in h, m, s, ms and us")
    if nanoseconds % 1000 or not SHORTEST <= nanoseconds // 1000 <= LONGEST:
        raise CellError(start, "a duration finer than a microsecond, or of more than 292 years")
    return nanoseconds // 1000


def _unescape(body: str, start: int) -> str:
    def replaced(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        if digits:
            code = int(digits, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or code == 0:
                raise CellError(start, f"{found[0]} is no character that a text may hold")
            return chr(code)
        if found[4] not in _ESCAPES:
            raise CellError(start, f"unknown escape {found[0]}", r"a backslash is written \\")
        return _ESCAPES[found[4]]

    return _ESCAPE.sub(replaced, body)


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
