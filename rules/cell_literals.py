"""The text of a cell from left to right: where it has come to, the literal there as a value of a type."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rules.cell_hints import habit, other_meaning
from rules.cell_values import LITERALS, duration_of, moment_of, number_of, unescaped
from rules.cells import CellError
from rules.errors import nearest
from rules.expression import BOOL, DOUBLE, DURATION, INT, STRING, TIMESTAMP

_EXACT = 2**53  # below it every whole number is a double, and no other one rounds to it
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_BARE = re.compile(r"\w(?:[^,'\"()\[\]<>=!]*[^,'\"()\[\]<>=!\s])?")
_BLANK = re.compile(r"\s*")
WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
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


class LiteralReader:
    """Stands at a place in the text of a cell; each reading moves it on, or raises CellError."""

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

    def literal(self, *, equality: bool = False) -> Any:
        """Read a value; null, and text without quotes, only where it is compared for equality."""
        self.blanks()
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
        pattern = LITERALS.get(self.kind)
        found = pattern.match(self.text, start) if pattern else None
        if found is None or quoted or not self._alone(found.end()):
            self._refuse(start, quoted is not None)
        self.at = found.end()
        if self.kind == BOOL:
            return found[0].lower() == "true"
        if self.kind == TIMESTAMP:
            return moment_of(found, start)
        if self.kind == DURATION:
            return duration_of(found, start)
        number = number_of(found[0], start)
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
            text = unescaped(body, start) if "\\" in body else body
        else:
            found = _BARE.match(self.text, start)
            if found is None or not (equality and self._alone(found.end())):
                unclosed = self.text[start : start + 1] in ("'", '"')
                word = self.text[start:].strip()
                hint = f"put the text in quotes: '{word if WORD.fullmatch(word) else 'gold'}'"
                self._fail_at(
                    start, self._bad_text(start), "close the quote" if unclosed else habit(word) or hint
                )
            text = found[0] if found else ""
            self.at = start + len(text)
            hint = other_meaning(text) if self.wary and text not in (self.values or ()) else ""
            if hint:
                raise CellError(start, f"'{text[:60]}' would be one text", f"{hint}, or quote it")
            if self.wary and _NETWORK.fullmatch(text):
                hint = "put networks in a list of type cidr and write 'in LIST'; quotes for the text itself"
                raise CellError(start, f"'{text}' would be compared as text", hint)
            if text in self.lists:
                hint = f"write 'in {text}' for the list, or quotes for the text"
                raise CellError(start, f"'{text}' is the name of a list", hint)
        if equality and self.values is not None and text not in self.values:
            hint = habit(text) or nearest(text, self.values)
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
        hint = habit(self.text.strip()) or hint
        if self.kind == DURATION and re.match(r"[-+]?[0-9]", got):
            hint = "give each number its unit: h, m, s, ms or us"
        self._fail_at(start, f"{wanted} is needed, got '{got}'", hint)

    def take(self, mark: str) -> bool:
        """Go past a mark if it comes next, and say whether it did."""
        self.blanks()
        found = self.peek() == mark
        self.at += found
        return found

    def expect(self, mark: str, hint: str) -> None:
        """Go past a mark, which must come next."""
        if not self.take(mark):
            self.fail(f"'{mark}' is missing", hint)

    def end(self) -> None:
        """Refuse what is left of the text."""
        self.blanks()
        if self.at < len(self.text):
            rest = self.text[self.at :].strip()[:60]
            hint = habit(self.text.strip()) or "separate values by commas"
            self.fail(f"'{rest}' is one too many", hint)

    def peek(self) -> str:
        """Give the character that comes next; empty at the end."""
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        """Go past white space."""
        self.at = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Refuse what comes next."""
        self._fail_at(self.at, message, hint)

    def _fail_at(self, offset: int, message: str, hint: str = "") -> NoReturn:
        raise CellError(min(offset, max(len(self.text) - 1, 0)), message, hint)
