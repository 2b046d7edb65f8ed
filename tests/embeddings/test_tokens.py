"""A text's tokens: which there are, in which order, and that a column of texts gives the same."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings.fields import FIRST_TOKEN, MISSING_TOKEN, Text
from embeddings.tokens import Tokens
from embeddings.words import TEXT_BYTES

BUCKETS = 1_000_003


def tokens(text: str | None, places: int = 64, buckets: int = BUCKETS) -> list[int]:
    return np.frombuffer(Tokens(Text("memo", places, buckets)).one(text), np.int64).tolist()


def hashed(*pieces: bytes) -> list[int]:
    return [FIRST_TOKEN + crc32(piece) % BUCKETS for piece in pieces]


def test_words_then_pairs_then_pieces() -> None:
    """Words in order, neighbours joined by a space, and the 3-byte pieces of words of four bytes and more."""
    singles = hashed(b"pay", b"rent")
    pairs = hashed(b"pay rent")
    pieces = hashed(b"\x01 re", b"\x01ren", b"\x01ent", b"\x01nt ")
    assert tokens("Pay  RENT", 9) == [*singles, *pairs, *pieces, 0, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\nc", [b"a", b"b", b"c"]),
        ("12/08", [b"12", b"/", b"08"]),
        ("no!!?", [b"no", b"!!?"]),
        ("Ä b", ["Ä".encode(), b"b"]),
        ("a" * 33, [b"a" * 32, b"a"]),
        ("\x7f\x00", []),
    ],
)
def test_a_word_is_a_run_of_one_kind(text: str, words: list[bytes]) -> None:
    """Runs of letters, digits and bytes outside ASCII, or of punctuation; cut after 32 bytes; lower case."""
    assert tokens(text, max(1, len(words)))[: len(words)] == hashed(*words)


def test_missing_is_a_token_and_empty_is_none() -> None:
    """A missing text is one token of its own; an empty one has no tokens."""
    assert tokens(None, 3) == [MISSING_TOKEN, 0, 0]
    assert tokens("", 3) == [0, 0, 0]
    assert tokens(" \n", 3) == [0, 0, 0]


def test_only_the_first_bytes_of_a_text_count() -> None:
    """What lies beyond the byte limit changes nothing, in both forms, even where it cuts a character."""
    for start in ("x" * (TEXT_BYTES - 1), "é" * (TEXT_BYTES // 2 - 1) + "x"):
        long = start + "é" + "word " * 200_000
        same = start + "é and something else"
        field = Tokens(Text("memo", 512, BUCKETS))
        assert field.one(long) == field.one(same)
        column = field.column(pa.array([long, same]))
        assert column[0].tobytes() == column[1].tobytes() == field.one(long)


def test_a_lone_surrogate_is_a_question_mark() -> None:
    """Text that UTF-8 cannot hold does not raise."""
    assert tokens("a\ud800", 8) == tokens("a?", 8)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.none() | st.text("abÀ日 .!/\0Z9", max_size=80) | st.text(st.characters(exclude_categories=["Cs"]))
    ),
    st.integers(1, 40),
    st.sampled_from([16, 97, 8_192]),
)
def test_a_column_has_the_tokens_of_its_texts(texts: list[str | None], places: int, buckets: int) -> None:
    """Both forms agree on any texts, also on a slice of the column."""
    field = Tokens(Text("memo", places, buckets))
    alone = b"".join(field.one(text) for text in texts)
    assert field.column(pa.array(texts, pa.string())).tobytes() == alone
    padded = pa.array(["before", *texts, "after"], pa.string()).slice(1, len(texts))
    assert field.column(padded).tobytes() == alone


def test_a_column_of_many_blocks() -> None:
    """More bytes than one block, with texts of very different lengths."""
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("ab c.1"), random.integers(0, 3_000))) for _ in range(900)]
    field = Tokens(Text("memo", 96, 8_192))
    assert field.column(pa.array(texts)).tobytes() == b"".join(field.one(text) for text in texts)


def test_what_is_remembered_of_words_is_bounded() -> None:
    """New words for ever do not fill the memory."""
    field = Tokens(Text("memo", 4, 64))
    for number in range(40_000):
        field.one(f"w{number}")
    assert len(field._remembered) <= 16_384
