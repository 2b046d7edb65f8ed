"""Characters that look like those of a language but are others: a text in, what to write instead out."""

from __future__ import annotations

import unicodedata

# Letters of Cyrillic and Greek, each above the Latin one that it is drawn like.
_OTHERS = "аеорсухіјѕԛԝһԁӏАВЕКМНОРСТУХІЈЅԚԜαορνικυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ"
_LATIN = "aeopcyxijsqwhdlABEKMHOPCTYXIJSQWaopvikuABEZHIKMNOPTYX"
_LATIN_OF = dict(zip(_OTHERS, _LATIN, strict=True))
_INVISIBLE = frozenset(("Zs", "Cf", "Zl", "Zp"))


def plain(text: str) -> str:
    """Write a text with the characters that it seems to be made of.

    >>> plain("аmount")  # the first letter is Cyrillic
    'amount'
    """
    if text.isascii():
        return text
    return "".join(_LATIN_OF.get(one) or unicodedata.normalize("NFKC", one) for one in text)


def lookalike(character: str) -> str:
    """Say what one character only looks like, and what it is; empty where it is not to be confused.

    >>> lookalike("\\u00a0")
    "it is no space but NO-BREAK SPACE (U+00A0): write a plain space or nothing"
    """
    if len(character) != 1 or character.isascii():
        return ""
    named = f"{unicodedata.name(character, 'a character')} (U+{ord(character):04X})"
    if unicodedata.category(character) in _INVISIBLE:
        return f"it is no space but {named}: write a plain space or nothing"
    seen = plain(character)
    if seen != character and len(seen) == 1 and seen.isascii():
        return f"it looks like '{seen}' and is {named}: type it anew"
    return ""


def first_lookalike(text: str) -> str:
    """Say the same of the first such character of a text, with the character."""
    return next(
        (f"in it, '{one}' {said.removeprefix('it ')}" for one in text if (said := lookalike(one))), ""
    )
