"""Files appear whole or not at all, whatever goes wrong in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import FieldProblem, InputError, OutputError, RowsError, shown
from engine.files import whole, whole_folder, write_folder, write_whole
from engine.parallel import in_order


def test_a_file_is_replaced_at_once(tmp_path: Path) -> None:
    """The new content stands where the old stood, and nothing beside it."""
    place = tmp_path / "x"
    for content in (b"old", b"new"):
        write_whole(place, content)
        assert place.read_bytes() == content
    assert list(tmp_path.iterdir()) == [place]


def fail_half_way(place: Path, error: type[BaseException]) -> None:
    with whole(place) as beside:
        beside.write_bytes(b"half")
        raise error


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """An error of any kind while writing keeps the old file, and removes the half-written one."""
    place = tmp_path / "x"
    write_whole(place, b"old")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            fail_half_way(place, error)
    assert place.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [place]


def test_what_cannot_be_written_is_said_in_plain_words(tmp_path: Path) -> None:
    """The place and the reason are in the message: the folder that is not there, else the system's words."""
    with pytest.raises(OutputError, match=r"x/y cannot be written: there is no folder .*/x; nothing"):
        write_whole(tmp_path / "x" / "y", b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(tmp_path / "folder", b"")
    assert list((tmp_path / "folder").iterdir()) == [tmp_path / "folder" / "mine"]


def test_a_folder_appears_with_all_that_is_in_it(tmp_path: Path) -> None:
    """A folder is made beside its place and renamed into it; a failure leaves no folder."""
    with whole_folder(tmp_path / "made") as beside:
        (beside / "a").mkdir()
        (beside / "a" / "b").write_bytes(b"1")
        assert not (tmp_path / "made").exists()
    assert (tmp_path / "made" / "a" / "b").read_bytes() == b"1"
    with pytest.raises(ValueError), whole_folder(tmp_path / "other") as beside:
        raise ValueError
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_results_come_in_the_order_of_the_blocks() -> None:
    """Two threads work, one order comes out; blocks are not taken far ahead of results."""
    taken: list[int] = []

    def blocks() -> object:
        for block in range(50):
            taken.append(block)
            yield block

    got = []
    for result in in_order(lambda block: block * 2, blocks()):  # type: ignore[arg-type, operator]
        got.append(result)
        assert len(taken) - len(got) <= 4
    assert got == [block * 2 for block in range(50)]


def test_an_error_in_a_block_ends_the_work() -> None:
    """The error comes out where the block's result would have come."""

    def work(block: int) -> int:
        return 12 // (block - 3)

    results = in_order(work, range(9))
    assert [next(results) for _ in range(3)] == [-4, -6, -12]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_message_shows_a_value_in_one_short_line() -> None:
    """Long values are cut, and one that cannot be written at all is named by its kind."""

    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError

    assert shown("x" * 500) == "'" + "x" * 58 + "…"
    assert shown(Odd()) == "<Odd>"


def test_many_rows_are_told_by_the_first_few() -> None:
    """RowsError says how many rows, shows five of them and carries all."""
    error = RowsError([(row, (FieldProblem("x", "missing"),)) for row in range(7)])
    assert len(error.rows) == 7
    assert str(error).splitlines()[0] == "7 rows cannot be read; on_reject='keep' decides the rest:"
    assert str(error).splitlines()[-2:] == ["row 4: x: missing", "… and 2 more"]


def test_a_folder_filled_in_place_is_left_empty_where_that_fails(tmp_path: Path) -> None:
    """What was written goes; what somebody else has put there meanwhile stays."""
    project = {"one/file": b"1", "other": b"2", "other/file": b"3"}
    for before in (True, False):
        place = tmp_path / f"project{before}"
        if before:
            place.mkdir()
        with pytest.raises(OutputError, match="cannot be written"):
            write_folder(place, project)
        assert not place.exists() or list(place.iterdir()) == []
    mine = tmp_path / "mine"
    mine.mkdir()

    class Meanwhile(dict[str, bytes]):
        def items(self):  # type: ignore[no-untyped-def]
            (mine / "notes.txt").write_text("mine")
            return super().items()

    with pytest.raises(OutputError, match="cannot be written"):
        write_folder(mine, Meanwhile(project))
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="exists already"):
        write_folder(mine, {"a": b""})
    assert (mine / "notes.txt").read_text() == "mine"
