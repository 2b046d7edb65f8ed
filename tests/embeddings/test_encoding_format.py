"""The specification of the encoding says what the code does: its example is run, its limits compared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from embeddings import Encoding, EncodingError
from embeddings.fields import BOUND
from embeddings.words import TEXT_BYTES, WORD_BYTES

PAGE = (Path(__file__).parents[2] / "docs/encoding-format.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```json ?(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
ENCODING = Encoding.from_json(json.loads(BLOCKS[""]))
RECORDS = [json.loads(line) for line in BLOCKS["records"].splitlines()]
INPUTS = [json.loads(line) for line in BLOCKS["inputs"].splitlines()]


def written(values: list, dtype: np.dtype) -> bytes:
    return np.array([np.nan if value is None else value for value in values], dtype).tobytes()


@pytest.mark.parametrize("place", range(len(RECORDS)))
def test_the_example_holds(place: int) -> None:
    """Each record of the page gives the inputs on the page, bit for bit."""
    inputs = ENCODING.record(RECORDS[place])
    assert list(inputs) == list(INPUTS[place])
    for name, value in inputs.items():
        assert value.tobytes() == written(INPUTS[place][name], value.dtype), name


def test_the_example_holds_in_columns() -> None:
    """The page's records as a batch give the page's inputs."""
    types = [pa.float64(), pa.timestamp("us", "UTC"), pa.string(), pa.bool_(), pa.string()]
    names = list(RECORDS[0])
    schema = pa.schema(list(zip(names, types, strict=True)))
    inputs = ENCODING.batch(pa.RecordBatch.from_pylist(RECORDS, schema))
    for name, value in inputs.items():
        assert value.tobytes() == b"".join(written(row[name], value.dtype) for row in INPUTS)


def test_the_limits_on_the_page_are_the_codes() -> None:
    """The page names the byte limit, the word limit and the bound that are in use."""
    assert f"**{TEXT_BYTES:,} bytes**" in PAGE
    assert f"**{WORD_BYTES} bytes**" in PAGE
    assert f"-{BOUND:.0f}, {BOUND:.0f}" in PAGE


def test_a_missing_or_an_extra_key_is_refused() -> None:
    """The page's file with one key less, or one more, is no encoding."""
    data = json.loads(BLOCKS[""])
    for key in data:
        with pytest.raises(EncodingError):
            Encoding.from_json({name: value for name, value in data.items() if name != key})
    with pytest.raises(EncodingError):
        Encoding.from_json(data | {"note": ""})
