"""Bytes that are no UTF-8 are known from all others, and their rows from all other rows."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.delimited import CsvSource
from engine.utf8 import SoundText, original_bytes

PIECES = st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=4).map(str.encode)), max_size=8)


def is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(PIECES.map(b"".join), st.integers(1, 9))
def test_any_bytes_come_back(data: bytes, block: int) -> None:
    """Read in blocks of any size, whatever they cut apart; text stays as it is."""
    file = SoundText(io.BytesIO(data))
    read = b"".join(iter(lambda: file.read(block), b""))
    assert original_bytes(read.decode()) == data
    assert file.odd is not is_text(data)
    assert file.odd or read == data


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_broken_row_that_is_no_text_is_left_out_like_any_other(
    tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The rows around it are read; nothing but the reader's own answer is said."""
    import gzip

    data = b"a,b\n1,2\n3,\xff,4\n5,\xc3\xa9\n\xfe,6\n7,8\n"
    path = tmp_path / f"rows{ending}"
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    (chunk,) = CsvSource(path).chunks(100)
    assert chunk.batch.to_pylist() == [{"a": "1", "b": "2"}, {"a": "5", "b": "é"}, {"a": "7", "b": "8"}]
    assert chunk.rows.tolist() == [0, 2, 4]
    assert [(one.row, one.text) for one in chunk.broken] == [(1, "3,\\xff,4"), (3, "\\xfe,6")]
    assert capfd.readouterr() == ("", "")
