"""A rule rolled out to a share of the keys: `rollout: {percent: 10, key: account_id}`, by a stable hash.

A key has one of 10,000 places, the first 8 bytes, big-endian, of the SHA-256 of SALT, a zero byte and the key
as UTF-8 text, modulo 10,000; SALT is the rule's id unless the rule states another. The key is in where its
place is below 100 times the percent: a larger percent keeps every key that is in already.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rules.expression import INT, STRING
from rules.form import Form, Path

ROLLOUT_KEYS = ("percent", "key", "salt")
KEY_TYPES = (STRING, INT)
PLACES = 10_000
_HINT = "as rollout: {percent: 10, key: account_id}"


@dataclass(frozen=True)
class Rollout:
    """`places` of 10,000 keys are in; `key` names the field, `salt` what is hashed before it."""

    places: int
    key: str
    salt: str

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Say whether a record is in; without its key it is not."""
        key = values.get(self.key)
        return key is not None and place(self.salt, key) < self.places

    def among(self, keys: pa.Array) -> np.ndarray:
        """Say of each key whether it is in, hashing each distinct one once: n keys → `(n,)` bool."""
        encoded = keys.dictionary_encode()
        inside = [key is not None and place(self.salt, key) < self.places for key in _distinct(encoded)]
        at = encoded.indices.fill_null(len(inside)).to_numpy(zero_copy_only=False)
        among: np.ndarray = np.array([*inside, False], dtype=bool)[at]
        return among


def place(salt: str, key: str | int) -> int:
    """Give the place of a key, from 0 to 9,999.

    >>> place("new-account-large-amount", "a-1"), place("new-account-large-amount", 17)
    (737, 1407)
    """
    # Half a surrogate pair, which no UTF-8 holds, is let through as its three bytes: no key may raise.
    hashed = hashlib.sha256(f"{salt}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:8], "big") % PLACES


def read_rollout(form: Form, path: Path, value: Any, rule_id: str) -> Rollout | None:
    """Read `rollout:`; None where it names no key."""
    row = form.mapping(path, value, ROLLOUT_KEYS)
    if isinstance(value, dict):
        for key in ("percent", "key"):
            form.needs(path, row, key, ROLLOUT_KEYS, "'rollout'", _HINT)
    places = _places(form, (*path, "percent"), row["percent"]) if "percent" in row else 0
    name = form.word((*path, "key"), row["key"]) if "key" in row else ""
    salt = form.word((*path, "salt"), row["salt"]) if "salt" in row else rule_id
    return Rollout(places, name, salt) if name else None


def _places(form: Form, path: Path, percent: Any) -> int:
    """Give the places that a percent comes to; none where it is refused, so that the key is looked at too."""
    numeric = isinstance(percent, int | float) and not isinstance(percent, bool)
    if not numeric or not 0 <= percent <= 100 or round(percent * 100) != round(percent * 100, 6):
        wanted = "a number from 0 to 100 with at most two decimals"
        hint = "write it without %" if isinstance(percent, str) and percent.endswith("%") else ""
        form.wrong(path, "'percent'", wanted, percent, hint)
        return 0
    places: int = round(percent * 100)
    return places


def _distinct(encoded: pa.DictionaryArray) -> list[Any]:
    keys: list[Any] = encoded.dictionary.to_pylist()
    return keys
