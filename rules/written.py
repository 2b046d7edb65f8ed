"""YAML text in, a tree of what is written out: values with keys, comments and blank lines, to lay out anew.

The text has been read before by `rules.reader`, which refuses what has no place here: anchors, tags, depth.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import dedent
from typing import Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

_BLANKS = re.compile(r"[ \t]*")
_BEFORE_ITEM = re.compile(r"(?:[ \t]|-(?=[ \t\n]))*")
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]+(#[^\n]*)")
# What an editor looks for at the top of a file.
_MODELINE = re.compile(r"#\s*(?:yaml-language-server:|vim:|-\*-)")


@dataclass(eq=False, slots=True)
class Scalar:
    """A text or a constant: what it reads as, its style (empty: plain), where it starts and ends.

    `lines` are those of a folded text (`>`) as they were broken, without their indent.
    """

    text: str
    style: str
    start: int
    end: int
    lines: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class Branch:
    """A mapping or a list: its items, whether it was written in { } or [ ], the comments after its last item.

    `column` is that of its keys or dashes; `commented` says that a comment stands between its brackets.
    """

    mapping: bool
    flow: bool
    start: int
    column: int
    owner: Item | None = None
    items: list[Item] = field(default_factory=list)
    below: list[str] = field(default_factory=list)
    end: int = -1
    commented: bool = False


@dataclass(eq=False, slots=True)
class Item:
    """An entry of a branch: its key (None in a list) and value, the lines above it, the comment beside it.

    Of the lines above, an empty one is a blank line.
    """

    key: Scalar | None
    value: Scalar | Branch
    start: int
    parent: Branch
    above: list[str] = field(default_factory=list)
    beside: str = ""


@dataclass(frozen=True)
class Comment:
    """A comment with its place; `alone` on its line or not."""

    index: int
    column: int
    text: str
    alone: bool


@dataclass(frozen=True)
class Written:
    """One document: the comments that head it, its one item (None in an empty file), those that end it."""

    head: list[str]
    root: Item | None
    below: list[str]
    comments: list[str]


def read_written(text: str) -> Written:
    """Give the tree of a text that `read_yaml` has read: its lines end with a line feed each."""
    reading = _Reading(text)
    top = reading.read()
    lines = _Lines(text)
    found = list(_comments(text, lines, reading.scalars))
    kept = [comment.text for comment in found]
    if not top.items:
        spaced = [line for one in found for line in ([""] * lines.blank_before(one.index) + [one.text])]
        return Written([], None, spaced, kept)
    _Attaching(lines, top, reading.items).attach(found)
    return Written(_head(top.items[0]), top.items[0], top.below, kept)


class _Reading:
    """The parser's events made into branches and items; `items` and `scalars` in the order of the text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parser: Any = CParser(text)
        self.items: list[Item] = []
        self.scalars: list[Scalar] = []

    def read(self) -> Branch:
        """Give a branch around the whole document, which holds its one value, or nothing."""
        top = Branch(mapping=False, flow=False, start=0, column=-1, end=len(self._text) + 1)
        self._parser.get_event()  # the start of the stream
        if isinstance(self._parser.get_event(), yaml.DocumentStartEvent):
            self._value(None, top)
        return top

    def _value(self, key: Scalar | None, parent: Branch) -> None:
        event = self._parser.get_event()
        at = event.start_mark
        start = at.index if key is None else key.start
        if isinstance(event, yaml.ScalarEvent):
            self._add(Item(key, self._scalar(event), start, parent))
            return
        mapping = isinstance(event, yaml.MappingStartEvent)
        branch = Branch(mapping, bool(event.flow_style), at.index, at.column)
        branch.owner = self._add(Item(key, branch, start, parent))
        while not isinstance(self._parser.peek_event(), yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._value(self._scalar(self._parser.get_event()) if mapping else None, branch)
        branch.end = self._parser.get_event().end_mark.index

    def _scalar(self, event: Any) -> Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        lines: tuple[str, ...] = ()
        if event.style == ">":
            lines = tuple(dedent("\n".join(self._text[start:end].split("\n")[1:])).strip("\n").split("\n"))
        scalar = Scalar(event.value, event.style or "", start, end, lines)
        self.scalars.append(scalar)
        return scalar

    def _add(self, item: Item) -> Item:
        self.items.append(item)
        item.parent.items.append(item)
        return item


class _Lines:
    """Where the lines of a text start: asked often, also of a file that is one line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._begins: dict[int, int] = {}

    def start(self, index: int) -> int:
        """Give where the line of `index` starts."""
        return self._starts[bisect_right(self._starts, index) - 1]

    def blank_before(self, index: int) -> bool:
        """Say whether the line before the one of `index` is blank."""
        at = bisect_right(self._starts, index) - 1
        return at > 0 and self._begin(self._starts[at - 1], _BLANKS) >= self._starts[at] - 1

    def is_first(self, index: int) -> bool:
        """Say whether nothing but spaces and dashes stands before `index` on its line."""
        return self._begin(self.start(index), _BEFORE_ITEM) >= index

    def _begin(self, start: int, pattern: re.Pattern[str]) -> int:
        key = start if pattern is _BLANKS else -1 - start
        if key not in self._begins:
            match = pattern.match(self._text, start)
            self._begins[key] = match.end() if match else start
        return self._begins[key]


def _comments(text: str, lines: _Lines, scalars: list[Scalar]) -> Iterator[Comment]:
    """Give every comment: outside scalars a `#` starts one, and so it does in the first line of a block."""
    at = 0
    for scalar in [*scalars, Scalar("", "", len(text), len(text))]:
        found = text.find("#", at, scalar.start)
        while found >= 0:
            stop = text.find("\n", found)
            stop = len(text) if stop < 0 else stop
            line = lines.start(found)
            alone = lines.is_first(found) and "-" not in text[line:found]
            yield Comment(found, found - line, text[found:stop].rstrip(), alone)
            found = text.find("#", stop, scalar.start)
        at = scalar.end
        if scalar.style in ("|", ">") and (header := _HEADER.match(text, scalar.start)):
            yield Comment(header.start(1), 0, header.group(1).rstrip(), alone=False)


class _Attaching:
    """Comments and blank lines given to the item or the branch that each belongs to."""

    def __init__(self, lines: _Lines, top: Branch, items: list[Item]) -> None:
        self._lines = lines
        self._top = top
        self._items = items
        self._starts = [item.start for item in items]

    def attach(self, found: list[Comment]) -> None:
        limit: Branch | None = None  # whose the comment line before is: a later one goes no deeper
        begun = -1
        for comment in found:
            at = bisect_right(self._starts, comment.index)
            last = self._items[at - 1] if at else None
            following = self._items[at] if at < len(self._items) else None
            around = self._around(last, comment.index)
            for branch in around:
                branch.commented |= branch.flow
            if not comment.alone:
                self._beside(comment, last, following)
                continue
            owner = _owner(comment.column, following, around, limit if at == begun else None)
            lines = ["", comment.text] if self._lines.blank_before(comment.index) else [comment.text]
            if owner is None and following is not None:
                following.above += lines
                limit = following.parent
            else:
                limit = owner or self._top
                limit.below += lines
            begun = at
        for item in self._items:
            if self._lines.is_first(item.start) and self._lines.blank_before(item.start):
                item.above.append("")
            if item is item.parent.items[0] and item.above[:1] == [""]:
                del item.above[0]  # nothing stands before it to be set apart from

    def _around(self, last: Item | None, index: int) -> list[Branch]:
        """Give the branches that are open at `index`, the outermost first."""
        around = []
        branch = last.value if last is not None and isinstance(last.value, Branch) else None
        branch = branch or (last.parent if last is not None else self._top)
        while True:
            if branch.start <= index < branch.end:
                around.append(branch)
            if branch.owner is None:
                return around[::-1] or [self._top]
            branch = branch.owner.parent

    def _beside(self, comment: Comment, last: Item | None, following: Item | None) -> None:
        """Give a comment at the end of a line to the item that the line is about."""
        if last is None or self._lines.is_first(comment.index):  # as in `- # comment`
            if following is not None:
                following.above.append(comment.text)
            else:
                self._top.below.append(comment.text)
            return
        while last.parent.flow and last.parent.end <= comment.index and last.parent.owner is not None:
            last = last.parent.owner
        if last.beside:
            last.above.append(comment.text)
        else:
            last.beside = comment.text


def _owner(column: int, following: Item | None, around: list[Branch], limit: Branch | None) -> Branch | None:
    """Give the branch whose end a comment line stands at; None where it belongs to the item that follows."""
    if around[-1].flow:
        inside = following is not None and following.start < around[-1].end
        return None if inside else around[-1]
    if following is not None and following.parent not in around:
        return None  # it heads the branch that begins here
    closing = around[around.index(following.parent) + 1 if following is not None else 1 :]
    if limit is not None:
        closing = closing[: closing.index(limit) + 1] if limit in closing else []
    if following is not None and column <= following.parent.column:
        return None
    fitting = [branch for branch in closing if branch.column <= column]
    if fitting:
        return fitting[-1]
    return closing[0] if closing and following is not None else None


def _head(root: Item) -> list[str]:
    """Take off the comments that head the file: down to the last blank line, and modelines."""
    cut = max((index for index, line in enumerate(root.above) if line == ""), default=-1) + 1
    head, rest = root.above[:cut], root.above[cut:]
    head += [line for line in rest if _MODELINE.match(line)]
    root.above = []
    first = root.value.items[0] if isinstance(root.value, Branch) and root.value.items else root
    first.above = [line for line in rest if not _MODELINE.match(line)] + first.above
    return head
