"""Where in a YAML file each character of a scalar's text was written, for plain, quoted, | and > scalars."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


def offsets(source: str, start: int, end: int, style: str, value: str) -> list[int]:
    """Give for each character of `value`, and for its end, its offset in `source`.

    `source[start:end]` is the scalar as written, quotes and header included; `style` is the parser's: empty
    (plain), `'`, `"`, `|` or `>`. The scalar is read a second time; where that reading does not agree with
    `value`, the scalar's start stands for the rest.
    """
    pairs = _block(source, start, end, style) if style in ("|", ">") else _flow(source, start, end, style)
    places = [start] * (len(value) + 1)
    at = start
    for index, ((character, place), wanted) in enumerate(zip(pairs, value, strict=False)):
        if character != wanted:
            return places
        places[index] = place
        at = place
    if pairs and len(pairs) >= len(value):
        places[len(value)] = pairs[len(value)][1] if len(pairs) > len(value) else min(at + 1, len(source))
    return places


def _flow(source: str, start: int, end: int, style: str) -> list[tuple[str, int]]:
    """Read a plain or quoted scalar: line breaks fold to one space, n + 1 breaks to n line feeds."""
    if style:
        start, end = start + 1, end - 1
    pairs: list[tuple[str, int]] = []
    kept = 0  # pairs before this index were written as escapes or text and are never trimmed
    at = start
    while at < end:
        character = source[at]
        if character == "\n":
            at = _fold(source, at, end, pairs, kept, joined=False)
        elif style == '"' and character == "\\":
            if source[at + 1 : at + 2] == "\n":
                at = _fold(source, at + 1, end, pairs, len(pairs), joined=True)
            else:
                escape = _ESCAPE.match(source, at)
                written = escape.group() if escape else character
                pairs.append((_unescape(written), at))
                at += len(written)
            kept = len(pairs)
        else:
            pairs.append((character, at))
            at += 2 if style == "'" and character == "'" else 1
    return pairs


def _fold(source: str, at: int, end: int, pairs: list[tuple[str, int]], kept: int, *, joined: bool) -> int:
    """Fold the line break at `at` and give where the next line's text starts."""
    while len(pairs) > kept and pairs[-1][0] in " \t":
        pairs.pop()
    breaks = []
    first = at
    while at < end and source[at] in " \t\n":
        if source[at] == "\n":
            breaks.append(at)
        at += 1
    pairs.extend(("\n", place) for place in breaks[1:])
    if len(breaks) == 1 and not joined:
        pairs.append((" ", first))
    return at


def _block(source: str, start: int, end: int, style: str) -> list[tuple[str, int]]:
    """Read a | or > scalar: the header line, then lines behind one indent."""
    header_end = source.find("\n", start, end)
    if header_end < 0:
        return []
    lines: list[tuple[int, str]] = []
    at = header_end + 1
    while at < end:
        line_end = source.find("\n", at)
        line_end = len(source) if line_end < 0 else line_end
        lines.append((at, source[at:line_end]))
        at = line_end + 1
    indent = _indent(source, start, header_end, [line for _, line in lines])
    pairs: list[tuple[str, int]] = []
    for number, (at, line) in enumerate(lines):
        pairs.extend((character, at + indent + i) for i, character in enumerate(line[indent:]))
        joint = _joint(lines, number, indent) if style == ">" else "\n"
        if joint:
            pairs.append((joint, at + len(line)))
    return pairs


def _joint(lines: list[tuple[int, str]], number: int, indent: int) -> str:
    """Give what a folded scalar puts between this line and the next: a space, a line feed or nothing."""
    here = lines[number][1][indent:]
    following = next((text for _, text in lines[number + 1 :] if text[indent:]), "")[indent:]
    if not following or here[:1] in (" ", "\t") or following[0] in " \t" or not here:
        return "\n"
    return "" if not lines[number + 1][1][indent:] else " "


def _indent(source: str, start: int, header_end: int, lines: list[str]) -> int:
    """Give how many columns stand before the text: the first written line's, or what the header says."""
    stated = re.search(r"[1-9]", source[start:header_end].split("#")[0])
    written = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
    if not stated:
        return written[0] if written else 0
    line_start = source.rfind("\n", 0, start) + 1
    text = source[line_start:start]
    return len(text) - len(text.lstrip(" -")) + int(stated.group()) if text.strip() else int(stated.group())


def _unescape(written: str) -> str:
    """Give the character of a double-quoted escape."""
    if written[1:2] in ("x", "u", "U") and len(written) > 2:
        return chr(int(written[2:], 16))  # noqa: FURB166 — the prefix is YAML's, not Python's
    return _SIMPLE.get(written[1:], written[1:])


_SIMPLE = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\",
    "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
