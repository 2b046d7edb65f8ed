"""A text becomes the numbers of its word pieces, as embedders of the BERT family read it.

Devlin et al. 2019, "BERT: Pre-training of Deep Bidirectional Transformers", section 3; the pieces are the
longest that the vocabulary holds, from the left (Schuster and Nakajima 2012, "Japanese and Korean Voice
Search", section 3). The categories of characters are those of Python's own Unicode tables.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from embeddings.errors import EncodingError

PAD, UNKNOWN, BEGIN, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
TEXT_CHARACTERS = 8_192
"""Characters of a text that are looked at; the rest is ignored."""
WORD_CHARACTERS = 100
"""A longer word is unknown as a whole."""
MOST_PIECES = 1_000_000
_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


@dataclass(frozen=True)
class WordPieces:
    """A vocabulary of pieces, each numbered by its line; those that go on a word begin with `##`."""

    pieces: tuple[str, ...]
    lower: bool = True

    @classmethod
    def read(cls, data: bytes, *, lower: bool = True) -> WordPieces:
        """Read a vocabulary file: UTF-8, one piece a line; a byte order mark is no part of the first.

        Raises `EncodingError`.
        """
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise EncodingError(f"vocabulary: not UTF-8: {error}") from None
        pieces = tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n"))
        if len(pieces) > MOST_PIECES:
            raise EncodingError(f"vocabulary: {len(pieces):,} pieces are more than {MOST_PIECES:,}")
        missing = [one for one in (PAD, UNKNOWN, BEGIN, END) if one not in pieces]
        if missing:
            raise EncodingError(f"vocabulary: no piece {', '.join(missing)}, which every text needs")
        return cls(pieces, lower)

    def numbers(self, text: str, most: int) -> list[int]:
        """The numbers of a text's pieces, at most `most`, between those of [CLS] and [SEP]."""
        found: list[int] = []
        for word in words(text[:TEXT_CHARACTERS], lower=self.lower):
            if len(found) >= most - 2:
                break
            found += self._of_word(word)
        return [self._numbers[BEGIN], *found[: most - 2], self._numbers[END]]

    @property
    def padding(self) -> int:
        return self._numbers[PAD]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number for number, piece in enumerate(self.pieces)}

    def _of_word(self, word: str) -> list[int]:
        unknown = [self._numbers[UNKNOWN]]
        if len(word) > WORD_CHARACTERS:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if prefix + word[start:end] in self._numbers), None)
            if end is None:
                return unknown
            found.append(self._numbers[prefix + word[start:end]])
            start = end
        return found


def words(text: str, *, lower: bool) -> Iterator[str]:
    """Cut a text at blanks; marks of punctuation and ideographs are words of their own."""
    clean = "".join(map(_cleaned, text))
    if lower:
        bare = (mark for mark in unicodedata.normalize("NFD", clean) if unicodedata.category(mark) != "Mn")
        clean = "".join(bare).lower()
    for run in clean.split():
        word = ""
        for mark in run:
            if _stands_alone(mark):
                if word:
                    yield word
                yield mark
                word = ""
            else:
                word += mark
        if word:
            yield word


@lru_cache(maxsize=4_096)
def _cleaned(mark: str) -> str:
    """A blank for white space, nothing for a control character, an ideograph between blanks."""
    if mark in "\t\n\r" or unicodedata.category(mark) in ("Zs", "Zl", "Zp"):
        return " "
    if mark in "\0\ufffd" or unicodedata.category(mark) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    code = ord(mark)
    return f" {mark} " if any(first <= code <= last for first, last in _IDEOGRAPHS) else mark


@lru_cache(maxsize=4_096)
def _stands_alone(mark: str) -> bool:
    ascii_mark = mark.isascii() and not mark.isalnum() and mark.isprintable() and mark != " "
    return ascii_mark or unicodedata.category(mark).startswith("P")
