"""One text or constant in, the way to write it in YAML out: plain, in quotes or as a block."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from rules.composer import is_text
from rules.reader import REFUSED
from rules.written import Scalar

WIDTH = 120

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
# What other readers of YAML take for a constant, a number or a date: quotes around such a text stay.
_AMBIGUOUS = re.compile(r"(?i:y|n|yes|no|on|off|<<|=|[-+]?\.(?:inf|nan)|[-+]?[0-9][0-9a-fxo_.:eE+-]*.*)")
_CONSTANTS = {"true": "true", "false": "false", "null": "null", "~": "null", "": "null"}
_BREAK = re.compile(r"(?<=\S) (?=\S)")
_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|[(\[{]|[)\]}]|(?<=\S) (?=&& |\|\| )""")


def key_text(key: Scalar) -> str:
    """Write a key of a block mapping."""
    return key.text if _is_plain(key.text, "key") else quoted(key.text)


def flow_scalar(scalar: Scalar, *, key: bool = False) -> str:
    """Write a scalar between { } or [ ], in one line."""
    if not key and _is_constant(scalar):
        return _constant(scalar.text)
    return _one_line(scalar, "flow key" if key else "flow")


def block_lines(scalar: Scalar, column: int, indent: int) -> list[str]:
    """Write a scalar behind a key or a dash: its first line at `column`, others behind `indent` spaces."""
    if _is_constant(scalar):
        return [_constant(scalar.text)]
    text = scalar.text
    one = _one_line(scalar, "block")
    if "\n" not in text:
        if column + len(one) <= WIDTH or " " not in text:
            return [one]
        return _fold(">-", text, scalar, indent) or [one]
    body, chomp = (text[:-1], "") if text.endswith("\n") else (text, "-")
    lines = body.split("\n")
    long = max(map(len, lines)) > WIDTH - indent
    folded = _fold(f">{chomp}", body, scalar, indent) if long else []
    return folded or _block(f"|{chomp}", lines, indent, text) or [one]


def quoted(text: str) -> str:
    """Write a text in quotes.

    >>> quoted("it's"), quoted('say "x"')
    ('"it\\'s"', '\\'say "x"\\'')
    """
    clean = not REFUSED.search(text) and "\n" not in text and "\t" not in text
    if clean and '"' not in text and "\\" not in text:
        return f'"{text}"'
    if clean:
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character in "\n\t":
        return {"\n": "\\n", "\t": "\\t"}[character]
    if not REFUSED.search(character):
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_constant(scalar: Scalar) -> bool:
    return not scalar.style and not is_text(scalar.text)


def _constant(text: str) -> str:
    return _CONSTANTS.get(text.lower(), text)


def _one_line(scalar: Scalar, place: str) -> str:
    keep = scalar.style in ("'", '"') and _AMBIGUOUS.fullmatch(scalar.text)
    return quoted(scalar.text) if keep or not _is_plain(scalar.text, place) else scalar.text


_TRIALS = {
    "block": ("- {0}\n- k: {0}\n", 2),
    "key": ("{0}: 1\n", 1),
    "flow": ("{{k: {0}, l: [{0}, {0}], m: {0}}}", 4),
    "flow key": ("{{{0}: 1, {0}: [{{{0}: 1}}]}}", 3),
}


@lru_cache(maxsize=8192)
def _is_plain(text: str, place: str) -> bool:
    """Say whether a text can stand without quotes: it is then read as this text, and as text."""
    if "key" not in place and not is_text(text):
        return False
    if _WORD.fullmatch(text) and len(text) < 100:
        return True
    if not text or "\n" in text or text != text.strip() or REFUSED.search(text):
        return False
    written, times = _TRIALS[place]
    return [event for event in _scalars(written.format(text)) if event == (text, True)] == [
        (text, True)
    ] * times


def _scalars(document: str) -> list[tuple[str, bool]]:
    """Give the scalars that a document holds, and which of them are plain; nothing where it is none."""
    found = []
    try:
        parser = CParser(document)
        while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
            if (
                isinstance(event, yaml.AliasEvent)
                or getattr(event, "tag", None)
                or getattr(event, "anchor", None)
            ):
                return []
            if isinstance(event, yaml.ScalarEvent):
                found.append((event.value, not event.style))
    except yaml.YAMLError:
        return []
    return found


def _block(header: str, lines: list[str], indent: int, text: str) -> list[str]:
    """Give a block scalar, if it reads back as `text`."""
    space = " " * indent
    block = [header, *(space + line if line else "" for line in lines)]
    if REFUSED.search(text) or text.endswith("\n\n") or not lines or not lines[-1].strip():
        return []  # it would hang on what follows the block
    return block if _scalars("k: " + "\n".join(block) + "\n") == [("k", True), (text, False)] else []


def _fold(header: str, body: str, scalar: Scalar, indent: int) -> list[str]:
    """Give a folded block: with the line breaks that it had, where its lines fit, else with new ones."""
    own = list(scalar.lines)
    if own and max(map(len, own)) <= WIDTH - indent and (block := _block(header, own, indent, scalar.text)):
        return block
    return _block(header, _folded(body, WIDTH - indent), indent, scalar.text)


def _folded(text: str, width: int) -> list[str]:
    """Break lines at spaces, before `&&` and `||` where there are any; a line feed of the text is two."""
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")):
        lines += [""] if number else []
        lines += _filled(_parts(line, width), width)
    return lines


def _parts(line: str, width: int) -> list[str]:
    """Give the pieces that a line may be broken into: at outer `&&` and `||`, at others where it must be."""
    outer, every = [0], [0]
    depth = 0
    for token in _TOKEN.finditer(line):
        if token.group() == " ":
            every.append(token.end())
            outer += [token.end()] * (depth == 0)
        elif len(token.group()) == 1:
            depth += 1 if token.group() in "([{" else -1
    parts: list[str] = []
    for start, end in pairwise([*outer, len(line) + 1]):
        inner = [start, *(at for at in every if start < at < end), end]
        for one, other in pairwise([start, end] if end - start <= width else inner):
            piece = line[one : other - 1]
            parts += [piece] if len(piece) <= width else _BREAK.split(piece)
    return parts


def _filled(words: list[str], width: int) -> list[str]:
    """Join words by spaces into lines of at most `width` characters, where a word is no longer than that."""
    lines: list[list[str]] = []
    length = width + 1
    for word in words:
        if length + 1 + len(word) > width:
            lines.append([])
            length = -1
        lines[-1].append(word)
        length += 1 + len(word)
    return [" ".join(line) for line in lines]
