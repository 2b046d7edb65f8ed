"""The canonical form of our YAML files: a document in, its data and comments laid out the one way out.

Two spaces a level; keys in the order of their declaration; quotes only where they are needed; one blank line
between rules of several lines. What was written in { } or [ ] stays so where it fits the width. A long text
is folded (`>-`), which reads as the same text.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from rules.errors import CheckFailed, Problem
from rules.reader import Document, read_yaml
from rules.scalars import WIDTH, block_lines, flow_scalar, key_text
from rules.shape import Shape
from rules.written import Branch, Item, Scalar, Written, read_written

SPACED = ("rules", "tables", "cases")  # lists whose items of several lines stand apart


def format_document(document: Document, shape: Shape) -> str:
    """Give the canonical form of a file; `shape` declares its keys and their order.

    The result holds the same data and the same comments, and its own canonical form is itself.

    Raises CheckFailed where that cannot be had: the file is then better left as it is.
    """
    written = read_written(document.text)
    text = _laid_out(written, shape)
    try:
        again = read_yaml(text.encode(), document.file)
        same = _exact(again.root) == _exact(_in_order(document.root, shape))
        second = read_written(again.text)
        kept = Counter(second.comments) == Counter(written.comments)
        settled = same and kept and _laid_out(second, shape) == text
    except CheckFailed:
        settled = False
    if not settled:
        message = "this file cannot be laid out without changing what it says; it is left as it is"
        raise CheckFailed([Problem(document.file, 1, 1, message, "a simpler way to write it may help")])
    return text


def _laid_out(written: Written, shape: Shape) -> str:
    lines: list[Line] = [(line, "") for line in written.head]
    if written.root is not None:
        lines += _Layout().document(written.root, shape)
    lines += [(line, "") for line in written.below]
    return "".join(f"{line}\n" for line in _aligned(_single_blanks(lines)))


Line = tuple[str, str | None]  # a line, and the comment beside it; None inside a text: it stays as it is


class _Layout:
    """Items laid out as lines, each with its indent."""

    def document(self, root: Item, shape: Shape) -> list[Line]:
        """Lay out the one value of a file."""
        above = [(line, "") for line in root.above]
        if (
            isinstance(root.value, Branch)
            and root.value.items
            and self._flow(root.value, WIDTH, shape) is None
        ):
            beside = [(root.beside, "")] if root.beside else []
            return [*above, *beside, *self._branch(root.value, 0, shape)]
        return [*above, *self._item("", root, 0, shape)]

    def _branch(self, branch: Branch, indent: int, shape: Shape, *, spaced: bool = False) -> list[Line]:
        """Lay out the items of a branch, and the comments that end it."""
        space = " " * indent
        shape = shape.of(mapping=branch.mapping)
        lines: list[Line] = []
        before: list[Line] = []
        for item in _ordered(branch, shape):
            _lift(item)
            key = item.key.text if item.key else None
            head = f"{space}{key_text(item.key)}:" if item.key else f"{space}-"
            body = self._item(head, item, indent, shape.below(key), spaced=key in SPACED and indent == 0)
            above = item.above
            if item.key is None and not body[0][0].startswith(f"{space}-"):  # comments of a first key
                cut = next(at for at, line in enumerate(body) if line[0].startswith(f"{space}-"))
                above, body = [*above, *(line.strip() for line, _ in body[:cut])], body[cut:]
            apart = spaced and (len(before) > 1 or len(body) > 1)
            blank = lines and (apart or above[:1] == [""])
            lines += [("", "")] if blank else []
            lines += [(space + line if line else "", "") for line in _trimmed(above)]
            lines += body
            before = body
        return lines + [(space + line if line else "", "") for line in branch.below]

    def _item(self, head: str, item: Item, indent: int, shape: Shape, *, spaced: bool = False) -> list[Line]:
        """Lay out one item behind its key or dash."""
        value, beside = item.value, item.beside
        start = f"{head} " if head else ""
        if isinstance(value, Scalar):
            first, *rest = block_lines(value, len(start), indent + 2)
            return [(start + first, beside), *((line, None) for line in rest)]
        room = WIDTH - len(start)
        flow = None if value.below else self._flow(value, room if value.items else 1_000, shape)
        if flow is not None:
            return [(start + flow, beside)]
        if item.key is not None and (filled := self._filled(start, value, indent + 4)):
            return [*((line, "") for line in filled[:-1]), (filled[-1], beside)]
        if head.endswith("-"):
            return self._dashed(head, value, indent, shape, beside)
        return [(head, beside), *self._branch(value, indent + 2, shape, spaced=spaced)]

    def _dashed(self, head: str, value: Branch, indent: int, shape: Shape, beside: str) -> list[Line]:
        """Put the first key of a mapping, or the first item of a list, on the line of the dash."""
        lines = self._branch(value, indent + 2, shape)
        at = next(index for index, (line, _) in enumerate(lines) if line.strip() and line.lstrip()[0] != "#")
        above = [(line[2:], "") for line, _ in lines[:at]]
        above += [(" " * indent + beside, "")] if beside else []
        return [*above, (head + " " + lines[at][0][indent + 2 :], lines[at][1]), *lines[at + 1 :]]

    def _flow(self, value: Branch | Scalar, room: int, shape: Shape) -> str | None:
        """Give a value in one line of at most `room` characters; None where it was not so, or is longer."""
        if isinstance(value, Scalar):
            text = flow_scalar(value)
            return text if len(text) <= room else None
        if value.commented or (not value.flow and value.items):
            return None
        parts: list[str] = []
        shape = shape.of(mapping=value.mapping)
        for item in _ordered(value, shape):
            key = f"{flow_scalar(item.key, key=True)}: " if item.key else ""
            part = self._flow(
                item.value, room - 2 - len(key), shape.below(item.key.text if item.key else None)
            )
            if part is None:
                return None
            parts.append(key + part)
            room -= len(key) + len(part) + 2
        inside = ", ".join(parts)
        text = f"{{{inside}}}" if value.mapping else f"[{inside}]"
        return text if room >= 0 else None

    def _filled(self, start: str, value: Branch, indent: int) -> list[str]:
        """Give a long list of scalars in [ ] over several lines; nothing where it holds anything else."""
        scalars = [item.value for item in value.items if isinstance(item.value, Scalar)]
        if not value.flow or value.mapping or value.commented or len(scalars) < len(value.items):
            return []
        lines, line = [], start + "["
        for number, scalar in enumerate(scalars):
            last = number == len(scalars) - 1
            part = flow_scalar(scalar) + ("]" if last else ",")
            glue = "" if line.endswith("[") or not line.strip() else " "
            if len(line) + len(glue) + len(part) > WIDTH and line.strip() and number:
                lines.append(line)
                line, glue = " " * indent, ""
            line += glue + part
        return [*lines, line]


def _lift(item: Item) -> None:
    """Take the comments out of empty brackets."""
    if isinstance(item.value, Branch) and not item.value.items:
        item.above += item.value.below
        item.value.below, item.value.commented = [], False


def _ordered(branch: Branch, shape: Shape) -> list[Item]:
    """Give a mapping's items in the declared order of its keys, undeclared ones after them as they stood."""
    if not branch.mapping or not shape.keys:
        return branch.items
    order = {key: place for place, key in enumerate(shape.keys)}
    return sorted(branch.items, key=lambda item: order.get(item.key.text if item.key else "", len(order)))


def _in_order(value: Any, shape: Shape) -> Any:
    """Give data with the keys in their declared order: what the canonical form must read as."""
    shape = shape.of(mapping=isinstance(value, dict))
    if isinstance(value, dict):
        order = {key: place for place, key in enumerate(shape.keys)}
        names = sorted(value, key=lambda key: order.get(key, len(order)))
        return {name: _in_order(value[name], shape.below(name)) for name in names}
    if isinstance(value, list):
        return [_in_order(one, shape.below(None)) for one in value]
    return value


def _exact(value: Any) -> Any:
    """Give data so that equality is exact: the order of keys, 1 beside 1.0 and True."""
    if isinstance(value, dict):
        return "mapping", [(key, _exact(one)) for key, one in value.items()]
    if isinstance(value, list):
        return "list", [_exact(one) for one in value]
    return type(value).__name__, repr(value)


def _trimmed(above: list[str]) -> list[str]:
    """Leave the blank lines between comments: the first is set elsewhere."""
    return above[1:] if above[:1] == [""] else above


def _single_blanks(lines: list[Line]) -> list[Line]:
    """Leave one blank line of several, and none at either end of the file."""
    kept: list[Line] = []
    for line in lines:
        if line[0] or line[1] is None or (kept and kept[-1] != ("", "")):
            kept.append(line)
    while kept and kept[-1] == ("", ""):
        kept.pop()
    return kept


def _aligned(lines: list[Line]) -> list[str]:
    """Write comments beside lines two spaces behind the longest of the lines that have one, run by run."""
    out: list[str] = []
    run: list[Line] = []
    for line in [*lines, ("", "")]:
        if line[1]:
            run.append(line)
            continue
        column = max((len(text) for text, _ in run), default=0) + 2
        out += [f"{text.ljust(column)}{beside}" for text, beside in run]
        run = []
        out.append(line[0])
    return out[:-1]
