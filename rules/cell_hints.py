"""Text of a cell as spreadsheets and other rule tables write it in, a hint at how it is written here out."""

from __future__ import annotations

import re

ANY_WORDS = ("any", "else", "otherwise")
_HABITS = (
    (r"\*|any|all|else|other(wise)?", "write - for any value"),
    (r"([-+]?[0-9.]+)\s*(?:\.\.|-|to|–)\s*([-+]?[0-9.]+)", "write an interval as [{0}..{1}]"),
    (r"between\s+(\S+)\s+and\s+(\S+)", "write an interval as [{0}..{1}]"),
    (r"[<>]=?\s*([^\s&]+)\s*(?:&&|and)\s*[<>]=?\s*(\S+)", "write an interval as [{0}..{1}] or ({0}..{1})"),
    (r"=([<>])\s*(\S+)", "write {0}= {1}"),
    (r"([0-9]{1,3}(?:,[0-9]{3})+)", "write a number without commas"),
)


def habit(text: str) -> str:
    """Give the hint for what spreadsheets and other rule tables write, or nothing."""
    for pattern, hint in _HABITS:
        found = re.fullmatch(pattern, text, re.IGNORECASE) if len(text) <= 100 else None
        if found:
            return hint.format(*found.groups())
    return ""


def other_meaning(text: str) -> str:
    """Give the hint for bare text that seems to be meant otherwise, or nothing."""
    if "|" in text or "&&" in text:
        return "separate values by commas"
    if text.lower() in ANY_WORDS:
        return "write - for any value"
    if text.startswith(("not ", "NOT ")):
        return f"write not({text[4:].strip()[:40]})"
    if "*" in text:
        return "a cell knows no patterns: give the table an input as {name: n, value: memo.startsWith('a')}"
    return ""
