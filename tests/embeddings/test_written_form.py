"""An encoding as JSON: what is written is read back the same, and nothing unsound is read."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from embeddings import Encoding, EncodingError, fit_encoding
from tests.embeddings.tables import batch, spec, table

ENCODING = fit_encoding(spec(), table())
WRITTEN = ENCODING.to_json()


def test_an_encoding_survives_json() -> None:
    """Written, sent through JSON text and read back, it is equal and encodes the same bits."""
    back = Encoding.from_json(json.loads(json.dumps(WRITTEN, allow_nan=False)))
    assert back == ENCODING
    data = batch(table(60, seed=5))
    assert {k: v.tobytes() for k, v in back.batch(data).items()} == {
        k: v.tobytes() for k, v in ENCODING.batch(data).items()
    }


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data: Any = copy.deepcopy(WRITTEN)
    at = data
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("format",), 2, "encoding.format"),
        (("format",), True, "encoding.format"),
        (("extra",), 1, "encoding"),
        (("numbers",), None, r"encoding.numbers"),
        (("numbers", 0), [], r"encoding.numbers\[0\]"),
        (("numbers", 0, "mean"), "1", r"encoding.numbers\[0\].mean"),
        (("numbers", 0, "mean"), float("nan"), r"encoding.numbers\[0\].mean"),
        (("numbers", 0, "inverse_scale"), 0.0, r"encoding.numbers\[0\].inverse_scale"),
        (("numbers", 0, "inverse_scale"), float("inf"), r"encoding.numbers\[0\].inverse_scale"),
        (("numbers", 0, "mean"), 10**400, r"encoding.numbers\[0\].mean"),
        (("numbers", 0, "edges"), [1.0, 1.0], "do not ascend"),
        (("numbers", 0, "edges"), [0.1, 0.5], "float32"),
        (("numbers", 0, "edges"), [0.0, 1e7], "within"),
        (("numbers", 0, "edges"), [0.0] * 2_000, "at most"),
        (("numbers", 0, "name"), "", "name"),
        (("numbers", 1, "name"), "amount", "encoded twice"),
        (("timestamps", 0, "edges"), [[]], "4"),
        (("categories", 0, "levels"), ["a", "a"], "named twice"),
        (("categories", 0, "levels"), [1], "string"),
        (("categories", 1, "flag"), 1, "flag"),
        (("texts", 0, "tokens"), 0, r"encoding.texts\[0\].tokens"),
        (("texts", 0, "tokens"), 10**9, r"encoding.texts\[0\].tokens"),
        (("texts", 0, "buckets"), 1 << 40, r"encoding.texts\[0\].buckets"),
        (("texts", 0, "buckets"), True, r"encoding.texts\[0\].buckets"),
    ],
)
def test_an_unsound_form_is_refused_with_its_place(
    path: tuple[str | int, ...], value: Any, place: str
) -> None:
    """Wrong types, sizes beyond bounds, numbers that are not finite, unknown keys."""
    with pytest.raises(EncodingError, match=place):
        Encoding.from_json(changed(path, value))


@pytest.mark.parametrize("data", [[], None, {}, "encoding", {"format": 1}])
def test_something_else_is_refused(data: Any) -> None:
    """What is no written encoding at all is refused, not crashed on."""
    with pytest.raises(EncodingError):
        Encoding.from_json(data)


def test_no_fields_are_refused() -> None:
    """An encoding of nothing is not one."""
    empty = {"format": 1, "numbers": [], "timestamps": [], "categories": [], "texts": []}
    with pytest.raises(EncodingError, match="no fields"):
        Encoding.from_json(empty)
