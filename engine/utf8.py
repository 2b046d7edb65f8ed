"""Bytes that should be UTF-8 text as bytes that are: each byte that is none stands as a character of its own.

pyarrow hands a broken row of a CSV file over as text, and cannot where it is none; so the text is made sound
before it is read, and what was odd in it is still known afterwards.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

_FIRST = 0x10FF00  # among the last private characters there are, where no script, font or vendor has any
_ODD = re.compile(f"[{chr(_FIRST + 0x80)}-{chr(_FIRST + 0xFF)}]")
_HANDLER = "tandem-odd-bytes"
ODD = _ODD.pattern
"""A regular expression that finds a character that stands for a byte."""


class SoundText:
    """A file to read, of which every byte that is no UTF-8 is replaced; `odd` says whether one was."""

    closed = False

    def __init__(self, file: Any) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.odd = False

    def read(self, size: int) -> bytes:
        """Read about `size` bytes; none at the end only."""
        while True:
            block = self._file.read(size)
            text = self._decoded(block)
            if text or not block:
                return text.encode()

    def close(self) -> None:
        self.closed = True
        self._file.close()

    def _decoded(self, block: bytes) -> str:
        try:
            return self._decoder.decode(block, final=not block)
        except UnicodeDecodeError:
            self.odd, self._decoder.errors = True, _HANDLER
            return self._decoder.decode(block, final=not block)


def original_bytes(text: str) -> bytes:
    """Give the bytes that a text was made from."""
    return _ODD.sub(lambda odd: chr(0xDC00 + ord(odd[0]) - _FIRST), text).encode(errors="surrogateescape")


def _kept(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 — only decoders are given this handler
    odd = error.object[error.start : error.end]
    return "".join(chr(_FIRST + byte) for byte in odd), error.end


codecs.register_error(_HANDLER, _kept)
