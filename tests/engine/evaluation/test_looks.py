"""Looks at test rows are counted: one a bundle, whatever else the file holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from engine.evaluation.looks import FILE, record_look

NOW = datetime(2026, 11, 28, tzinfo=UTC)


def look(root: Path, bundle: str, rows: str = "sha256:rows") -> int:
    return record_look(root, rows=rows, bundle=bundle, by="fit", now=NOW).bundles


def test_each_bundle_counts_once_for_the_same_rows(tmp_path: Path) -> None:
    """Again the same is nothing new; other rows have a count of their own."""
    assert [look(tmp_path, name) for name in ("a", "b", "a", "c")] == [1, 2, 2, 3]
    assert look(tmp_path, "a", "sha256:other") == 1
    assert len((tmp_path / FILE).read_text().splitlines()) == 4


def test_a_line_cut_off_by_a_kill_is_no_look_and_spoils_none(tmp_path: Path) -> None:
    """The next look stands on a line of its own."""
    look(tmp_path, "a")
    with (tmp_path / FILE).open("a") as file:
        file.write('{"rows": "sha256:rows", "bun')
    assert look(tmp_path, "b") == 2
    assert look(tmp_path, "c") == 3
