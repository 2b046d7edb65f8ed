"""Compact sets hold what plain ones do, found alone or in a column; ranges hold what `ipaddress` says."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import bitmap, number_sets, text_sets
from rules.bitmap import BitSet, number_set
from rules.environment import in_ranges
from rules.number_sets import NumberSet
from rules.ranges import RangeSet
from rules.text_sets import TextSet

SETTINGS = settings(max_examples=60, deadline=None)
TEXTS = st.lists(st.one_of(st.text(max_size=20), st.sampled_from(["", "\0", "a" * 8, "a" * 9, "é" * 40])))
WHOLE = st.lists(st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1)))
DOUBLES = st.lists(st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 2.0**53, math.nan])))
ADDRESSES = st.one_of(
    st.ip_addresses().map(str),
    st.integers(0, 2**10).map(lambda low: str(ipaddress.ip_address(2**31 + low))),
    st.sampled_from(
        ["::ffff:1.2.3.4", "::", "1.2.3.4 ", "01.2.3.4", "1.2.3", "1.2.3.256", "::1%lo", "é", ""]
    ),
)
NETWORKS = st.lists(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.integers(0, 32)),
        st.tuples(st.ip_addresses(v=6), st.integers(0, 128)),
    ).map(lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False)))
    | st.tuples(st.integers(0, 2**10), st.integers(22, 32)).map(
        lambda pair: str(ipaddress.ip_network((2**31 + pair[0], pair[1]), strict=False))
    )
)


@given(held=TEXTS, sought=TEXTS)
@SETTINGS
def test_a_text_set_is_a_set(held: list[str], sought: list[str]) -> None:
    """Equal, as long, found one by one, in columns with nulls and in slices of columns."""
    compact, plain = TextSet.of(held), frozenset(held)
    assert compact == plain
    assert len(compact) == len(plain)
    asked = [*held, *sought]
    assert [text in compact for text in asked] == [text in plain for text in asked]
    column = pa.array([None, "other", *asked, None], pa.string())
    expected = [False, "other" in plain, *(text in plain for text in asked), False]
    assert compact.among(column).tolist() == expected
    assert compact.among(column.slice(1)).tolist() == expected[1:]


@given(held=st.one_of(WHOLE.map(lambda n: np.array(n, np.int64)), DOUBLES.map(np.array)), sought=st.data())
@SETTINGS
def test_a_number_set_is_a_set(held: np.ndarray, sought: Any) -> None:
    """Of ints or doubles, with NaN in none and -0.0 as 0.0; as doubles, ints are what they widen to."""
    compact = NumberSet(held)
    plain = {number for number in held.tolist() if number == number}
    assert compact == plain
    other = sought.draw(WHOLE if held.dtype == np.int64 else DOUBLES)
    asked = np.concatenate([held, np.array(other, held.dtype)])
    expected = [number == number and number in plain for number in asked.tolist()]
    assert [number in compact for number in asked.tolist()] == expected
    assert compact.among(asked).tolist() == expected
    widened = {float(number) for number in plain}
    doubles = asked.astype(np.float64)
    assert compact.doubles.among(doubles).tolist() == [number in widened for number in doubles.tolist()]


@given(
    least=st.integers(-(2**63), 2**63 - 1 - 3000),
    spread=st.sets(st.integers(0, 3000), min_size=1),
    sought=st.data(),
)
@SETTINGS
def test_a_bit_set_is_a_set(least: int, spread: set[int], sought: Any) -> None:
    """Wherever its numbers lie among those of 64 bits; one by one, in a column, and as doubles."""
    plain = {least + number for number in spread}
    compact = number_set(np.array([*plain, least + max(spread)], np.int64))
    assert isinstance(compact, BitSet) or len(plain) < 24
    assert compact == plain
    assert not isinstance(compact, BitSet) or list(compact) == sorted(plain)
    near = st.integers(max(least - 9, -(2**63)), least + 3000)
    asked = [*plain, *sought.draw(st.lists(st.one_of(near, st.integers(-(2**63), 2**63 - 1))))]
    assert [number in compact for number in asked] == [number in plain for number in asked]
    assert compact.among(np.array(asked)).tolist() == [number in plain for number in asked]
    widened = {float(number) for number in plain}
    assert compact.doubles == widened


def test_numbers_far_apart_are_hashed_and_doubles_too() -> None:
    """A bit for each number between would be more than eight bytes a number."""
    assert isinstance(number_set(np.array([0, 10**9])), NumberSet)
    assert isinstance(number_set(np.array([1.0, 2.0])), NumberSet)
    assert isinstance(number_set(np.array([-(2**63), 2**63 - 1])), NumberSet)
    assert len(number_set(np.array([], np.int64))) == 0


@given(networks=NETWORKS, texts=st.lists(ADDRESSES))
@SETTINGS
def test_ranges_hold_what_ipaddress_says(networks: list[str], texts: list[str]) -> None:
    """One by one and in a column; the bounds of every network too."""
    bounds = [network[place] for network in map(ipaddress.ip_network, networks) for place in (0, -1)]
    asked = [*texts, *map(str, bounds), *(str(bound + 1) for bound in bounds if int(bound) < 2**32 - 1)]
    expected = [in_ranges(text, networks) for text in asked]
    ranges = RangeSet.of(networks)
    assert [text in ranges for text in asked] == expected
    assert ranges.among(pa.array([*asked, None], pa.string())).tolist() == [*expected, False]
    assert ranges.among(pa.array(["x", *asked], pa.string()).slice(1)).tolist() == expected
    covered = [ipaddress.ip_network(network) for network in ranges]
    collapsed = [
        network
        for family in (4, 6)
        for network in ipaddress.collapse_addresses(
            one for one in map(ipaddress.ip_network, networks) if one.version == family
        )
    ]
    assert covered == collapsed
    assert len(ranges) <= len(collapsed)
    assert bool(len(ranges)) == bool(networks)


def test_more_than_a_block_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns and lists of several blocks, texts of unlike lengths, the last at the very end of the bytes."""
    monkeypatch.setattr(text_sets, "BLOCK", 64)
    monkeypatch.setattr(number_sets, "BLOCK", 64)
    held = [f"{number}" * (number % 5 + 1) for number in range(1000)]
    compact = TextSet.of(held)
    column = pa.array([text for number in range(1500) for text in (f"{number}" * (number % 5 + 1), "none")])
    assert compact.among(column).tolist() == [text in frozenset(held) for text in column.to_pylist()]
    monkeypatch.setattr(bitmap, "BLOCK", 64)
    monkeypatch.setattr(bitmap, "_CHUNK", 64)
    bits = BitSet(np.arange(0, 3000, 3))
    assert bits.among(np.arange(3000)).tolist() == [number % 3 == 0 for number in range(3000)]
    assert list(bits) == list(range(0, 3000, 3))
    assert bits.doubles == set(map(float, range(0, 3000, 3)))
    numbers = NumberSet(np.arange(0, 3000, 3))
    assert numbers.among(np.arange(3000)).tolist() == [number % 3 == 0 for number in range(3000)]


def test_texts_of_one_hash_in_turns_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash only says where to look: with one hash for all, the set is the same, though slow."""
    monkeypatch.setattr(text_sets, "drawn_keys", lambda _: (0, 0))
    held = ["a", "b", "a", "c", "b", "a", "abcdefgh", "a"]
    compact = TextSet.of(held)
    assert compact == {"a", "b", "c", "abcdefgh"}
    assert compact.among(pa.array(["a", "d", "abcdefgh"])).tolist() == [True, False, True]
    assert "c" in compact
    assert "d" not in compact


def test_what_is_no_text_is_not_found() -> None:
    """Of another type, half a surrogate pair, longer than any member."""
    compact = TextSet.of(["a", "b"])
    assert 1 not in compact
    assert "\ud800" not in compact
    assert "a" * 100 not in compact
    assert None not in NumberSet(np.array([1]))
    assert None not in BitSet(np.array([1]))
    assert 1.0 not in BitSet(np.array([1]))
    assert 2**64 + 1 not in NumberSet(np.array([1]))
    assert 1 not in NumberSet(np.array([1.0]))
    assert None not in RangeSet.of(["::/0"])
    assert "\ud800" not in RangeSet.of(["::/0"])
