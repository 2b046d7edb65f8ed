"""The cache gives back what was put, bit for bit, or nothing; it stays within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.experiments.cache import Cache, key_of
from engine.experiments.written import parts_to_arrays, read_parts

KEY, OTHER = key_of(step="a"), key_of(step="b")
ARRAYS = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y.z": np.array([1, 2], np.int64)}


def path_of(cache: Cache, key: str) -> Path:
    return cache.root / key[:2] / f"{key}.npz"


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    """Names, shapes, types and bits."""
    cache = Cache(tmp_path)
    cache.put(KEY, ARRAYS)
    found = cache.get(KEY)
    assert found is not None
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in ARRAYS.items()
    }
    assert cache.get(OTHER) is None


@pytest.mark.parametrize("kept", [0, 10, 200, -1])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, kept: int) -> None:
    """Cut off anywhere, or with other bytes inside."""
    cache = Cache(tmp_path)
    cache.put(KEY, ARRAYS)
    data = path_of(cache, KEY).read_bytes()
    broken = data[:kept] if kept >= 0 else data.replace(b"\x80\x3f", b"\x80\x40")
    assert broken != data
    path_of(cache, KEY).write_bytes(broken)
    assert cache.get(KEY) is None


def test_a_file_of_python_objects_is_not_opened(tmp_path: Path) -> None:
    """It would run code."""
    cache = Cache(tmp_path)
    cache.put(KEY, ARRAYS)
    np.savez(path_of(cache, KEY), x=np.array([{"a": 1}], object))
    assert cache.get(KEY) is None


def test_what_was_unused_longest_goes_first(tmp_path: Path) -> None:
    """Reading is using."""
    cache = Cache(tmp_path, most=3_000)
    big = {"x": np.zeros(250)}
    for place, key in enumerate((KEY, OTHER)):
        cache.put(key, big)
        os.utime(path_of(cache, key), (place, place))
    cache.get(KEY)
    assert cache.trim() > 0
    assert cache.get(KEY) is not None
    assert cache.get(OTHER) is None


def test_clean_removes_everything(tmp_path: Path) -> None:
    """And says how much that was."""
    cache = Cache(tmp_path)
    cache.put(KEY, ARRAYS)
    size = path_of(cache, KEY).stat().st_size
    assert cache.clean() == (1, size)
    assert cache.get(KEY) is None
    assert Cache(tmp_path / "none").clean() == (0, 0)


def test_a_single_number_keeps_its_shape(tmp_path: Path) -> None:
    """Arrays of no dimension come back as such."""
    cache = Cache(tmp_path)
    cache.put("ab", {"step": np.array(3.0, np.float32)})
    found = cache.get("ab")
    assert found is not None
    assert found["step"].shape == ()


def test_parts_come_back_from_beside_other_arrays() -> None:
    """Names with folders, bytes as they were; none at all too."""
    for parts in ({"model/references.json": b"{}", "b": b""}, {}):
        held = {**parts_to_arrays(parts), "seconds": np.array([0.5])}
        assert read_parts(held) == parts
