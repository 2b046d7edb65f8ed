"""Word pieces are those that the library of the models themselves gives: rows made with it once, by hand."""

from __future__ import annotations

import pytest

from embeddings.errors import EncodingError
from embeddings.wordpiece import TEXT_CHARACTERS, WordPieces, words

PIECES = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "rent",
    "##s",
    "cafe",
    "Cafe",
    "café",
    "日",
    "本",
    ",",
    "!",
    "a",
    "##a",
]
VOCABULARY = "\n".join(PIECES).encode()


def spelled(text: str, *, lower: bool = True, most: int = 50) -> list[str]:
    numbers = WordPieces.read(VOCABULARY, lower=lower).numbers(text, most)
    assert (numbers[0], numbers[-1]) == (2, 3)
    return [PIECES[number] for number in numbers[1:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("rents", ["rent", "##s"]),
        ("Rent,rent!", ["rent", ",", "rent", "!"]),
        ("CAFÉ", ["cafe"]),
        ("日本", ["日", "本"]),
        ("rent\u00a0\u2003rent\u200brent", ["rent", "[UNK]"]),
        ("re\u0000nt\ufffd", ["rent"]),
        ("rentx", ["[UNK]"]),
        ("a" * 100, ["a"] + ["##a"] * 99),
        ("a" * 101, ["[UNK]"]),
        ("😀", ["[UNK]"]),
    ],
)
def test_a_text_in_pieces(text: str, expected: list[str]) -> None:
    """Small letters without marks, punctuation and ideographs alone, the longest pieces first."""
    assert spelled(text, most=200) == expected


def test_with_capitals_nothing_is_changed() -> None:
    """A cased vocabulary has its own pieces."""
    assert spelled("Cafe café", lower=False) == ["Cafe", "café"]


def test_what_is_too_long_is_cut() -> None:
    """At the number of pieces, the marks among them, and at the characters that are looked at."""
    assert spelled("rent " * 100, most=5) == ["rent"] * 3
    assert spelled(" " * TEXT_CHARACTERS + "rent") == []
    assert list(words("a b", lower=True)) == ["a", "b"]


@pytest.mark.parametrize("data", [b"[PAD]\n[UNK]\n", b"\xff\xfe", b""])
def test_a_vocabulary_that_is_none_is_refused(data: bytes) -> None:
    """Not UTF-8, or without the pieces that every text needs."""
    with pytest.raises(EncodingError, match="vocabulary: "):
        WordPieces.read(data)
