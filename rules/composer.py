"""YAML text in, plain data and the place of every key and value out; whatever could surprise is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from rules import turns
from rules.errors import CheckFailed, Problem

MAX_DEPTH = 40
MAX_VALUES = 200_000
MAX_PROBLEMS = 50

_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("+-.0123456789")

_QUOTE = "put the text in quotes, or on its own line after '|'"


def is_text(text: str) -> bool:
    """Say whether a plain scalar of this text reads as text, and not as nothing, true, false or a number."""
    return text not in _CONSTANTS and not _INTEGER.fullmatch(text) and not _FLOAT.fullmatch(text)


class Branch:
    """The place of a mapping or a list: `children` by key or index, and a mapping's `keys`."""

    __slots__ = ("children", "keys", "start_mark")

    def __init__(self, start_mark: Any, children: Any) -> None:
        self.start_mark = start_mark
        self.children = children
        self.keys: dict[str, Any] = {}


def compose(text: str, file: str, *, numbers: bool = False) -> tuple[Any, Any, list[Problem]]:
    """Give the data of the one document in `text`, and its places: `Branch`es whose leaves are scalar events.

    With `numbers`, numbers too large to be any are given as problems, where nothing else is wrong. Raises
    `CheckFailed` with everything that is refused, up to the first place where reading cannot go on.
    """
    composer = _Composer(text, file)
    data, places = composer.compose()
    if len(composer.problems) > (composer.numbers if numbers else 0):
        raise CheckFailed(composer.problems)
    return data, places, composer.problems


def problem_at(file: str, text: str, index: int, message: str, hint: str = "") -> Problem:
    """Say what is wrong at the character `index` of `text`."""
    start = text.rfind("\n", 0, index) + 1
    end = text.find("\n", index)
    source = text[start : end if end >= 0 else len(text)]
    return Problem(file, text.count("\n", 0, index) + 1, index - start + 1, message, hint, source)


class _StopReadingError(Exception):
    """Reading cannot go on; the problem is noted."""


class _Composer:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.numbers = 0  # problems that are numbers
        self._left = MAX_VALUES
        self._next: Callable[[], Any] = CParser(text).get_event

    def compose(self) -> tuple[Any, Any]:
        data: Any = None
        place: Any = Branch(None, {})
        try:
            self._next()  # the start of the stream
            event = self._next()
            if type(event) is yaml.DocumentStartEvent:
                data, place = self._value(self._next(), 0)
                self._next()  # the end of the document
                event = self._next()
            if type(event) is not yaml.StreamEndEvent:
                self._note(event, "a second document", "one file holds one document")
        except _StopReadingError:
            pass
        except yaml.YAMLError as error:
            self._note_syntax(error)
        return data, place

    def _value(self, event: Any, depth: int) -> tuple[Any, Any]:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                self._refuse_marker(event)
            text: str = event.value
            if event.style or (text and text[0] not in _NUMBER_STARTS and text not in _CONSTANTS):
                return text, event
            return self._plain(text, event), event
        if kind is yaml.AliasEvent:
            self._note(event, "YAML aliases (*name) are not read", "write the value out")
            return None, event
        if event.anchor is not None or event.tag is not None:
            self._refuse_marker(event)
        if depth >= MAX_DEPTH:
            self._stop(event, f"nested more than {MAX_DEPTH} deep")
        return (self._mapping if kind is yaml.MappingStartEvent else self._sequence)(event, depth + 1)

    def _mapping(self, start: Any, depth: int) -> tuple[dict[str, Any], Branch]:
        data: dict[str, Any] = {}
        children: dict[str, Any] = {}
        place = Branch(start.start_mark, children)
        keys = place.keys
        while type(event := self._next()) is not yaml.MappingEndEvent:
            self._count(event)
            if type(event) is not yaml.ScalarEvent:
                self._stop(event, "a key must be a plain text", _QUOTE)
            if event.anchor is not None or event.tag is not None:
                self._refuse_marker(event)
            key: str = event.value
            if key in keys:
                self._note(
                    event, f"key '{key}' is repeated", f"first on line {keys[key].start_mark.line + 1}"
                )
            keys[key] = event
            data[key], children[key] = self._value(self._next(), depth)
        return data, place

    def _sequence(self, start: Any, depth: int) -> tuple[list[Any], Branch]:
        data: list[Any] = []
        children: list[Any] = []
        while type(event := self._next()) is not yaml.SequenceEndEvent:
            self._count(event)
            value, place = self._value(event, depth)
            turns.step()
            data.append(value)
            children.append(place)
        return data, Branch(start.start_mark, children)

    def _plain(self, text: str, event: Any) -> Any:
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
                return self._note_number(event, "a whole number beyond 64 bits")
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if number - number != 0:
                return self._note_number(event, "a number beyond a double")
            return number
        return text

    def _note_number(self, event: Any, message: str) -> None:
        self.numbers += 1
        self._note(event, message, "put it in quotes if it is a code")

    def _count(self, event: Any) -> None:
        self._left -= 1
        if self._left < 0:
            self._stop(event, f"more than {MAX_VALUES} values", "split the file")

    def _refuse_marker(self, event: Any) -> None:
        if event.tag is not None:
            self._note(
                event, "YAML tags (!name) are not read", f"an expression that starts with '!': {_QUOTE}"
            )
        if event.anchor is not None:
            self._note(event, "YAML anchors (&name) are not read", "write the value out where it is used")

    def _note_syntax(self, error: yaml.YAMLError) -> None:
        """Note the parser's own error, in words that help."""
        began = getattr(error, "context_mark", None)
        mark = getattr(error, "problem_mark", None) or began
        index = min(mark.index, len(self.text)) if mark else 0
        said = getattr(error, "problem", None) or str(error)
        context = getattr(error, "context", None) or ""
        here = self.text[index : index + 1]
        message, hint = f"not YAML: {said}", ""
        if "quoted scalar" in context and "end of stream" in said and began:
            index = began.index
            message, hint = "the text in quotes does not end", "close the quote"
        elif "could not find expected ':'" in said and began:
            index = began.index
            message, hint = "a line without ':'", "write it as KEY: VALUE"
        elif "did not find expected" in said and here not in ("", "\t") and self._begins_line(index):
            message, hint = "indented like no line above", "align it with the line it belongs to"
        elif index >= len(self.text.rstrip()):
            message, hint = "the file ends inside a value", "close every bracket and quote"
        elif here == "\t":
            message, hint = "a tab where YAML wants spaces", "indent with spaces"
        elif said == "found character that cannot start any token":
            message, hint = f"a value cannot start with '{here}'", _QUOTE
        elif "mapping values are not allowed" in said:
            message, hint = "a second ':' in one value", _QUOTE
        elif "did not find expected" in said:
            hint = _QUOTE
        self.problems.append(problem_at(self.file, self.text, index, message, hint))

    def _begins_line(self, index: int) -> bool:
        return not self.text[self.text.rfind("\n", 0, index) + 1 : index].strip()

    def _stop(self, event: Any, message: str, hint: str = "") -> None:
        self._note(event, message, hint)
        raise _StopReadingError

    def _note(self, event: Any, message: str, hint: str = "") -> None:
        index = event.start_mark.index
        self.problems.append(problem_at(self.file, self.text, index, message, hint))
        if len(self.problems) >= MAX_PROBLEMS:
            more = f"{MAX_PROBLEMS} problems so far: the rest is not read"
            self.problems.append(problem_at(self.file, self.text, index, more))
            raise _StopReadingError
