"""Rollouts: the same keys every time, more of them as the percent grows, and about as many as it says."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from rules.rollout import PLACES, Rollout, place

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.integers(-(2**63), 2**63 - 1)


def test_places_are_those_of_the_documentation() -> None:
    """Pinned, so that other languages can be held to them: SHA-256 of SALT, a zero byte and KEY."""
    assert place("new-limit", "a-12") == 752
    assert place("new-limit", "a-1") == 6767
    assert place("new-limit", 17) == place("new-limit", "17")
    assert place("é", "ü") == 1799


@given(key=KEYS, salt=st.text(max_size=4), few=st.integers(0, PLACES), more=st.integers(0, PLACES))
def test_a_larger_percent_keeps_every_key(key: str | int, salt: str, few: int, more: int) -> None:
    """Whoever is in stays in; nobody is in at 0, everybody with a key at 100."""
    few, more = sorted((few, more))
    inside = [Rollout(places, "k", salt).holds({"k": key}) for places in (0, few, more, PLACES)]
    assert inside == sorted(inside)
    assert (inside[0], inside[-1]) == (False, True)
    assert not Rollout(PLACES, "k", salt).holds({"k": None})
    assert not Rollout(PLACES, "k", salt).holds({})


@given(
    keys=st.lists(st.none() | st.sampled_from(["a", "b", "", "ü"]), max_size=8), places=st.integers(0, PLACES)
)
def test_a_column_of_keys_is_its_records(keys: list[str | None], places: int) -> None:
    """Many at once are each alone, missing ones among them."""
    rollout = Rollout(places, "k", "salt")
    assert rollout.among(pa.array(keys, pa.string())).tolist() == [rollout.holds({"k": key}) for key in keys]


def test_about_as_many_are_in_as_the_percent_says() -> None:
    """Of 20,000 keys 10 % are in, give or take one in a hundred of all."""
    inside = Rollout(1_000, "k", "rule").among(pa.array(range(20_000), pa.int64()))
    assert abs(inside.mean() - 0.1) < 0.01
