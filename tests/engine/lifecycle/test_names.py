"""Names move by one rename; the journal says who, when, what, why, from where and to where."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import InputError, TandemError
from engine.lifecycle.journal import read_journal
from engine.lifecycle.names import HISTORY_KEPT, Act, Names

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def act(action: str = "promoted", **changes: str) -> Act:
    return Act(action=action, who="ana", now=NOW, **{"why": "better", **changes})


def test_a_name_that_was_never_moved_is_not_there(tmp_path: Path) -> None:
    """get() gives None and log() nothing before the first move; reading makes no folder."""
    names = Names(tmp_path / "registry")
    assert names.get("champion") is None
    assert names.all() == {}
    assert names.log() == ()
    assert not (tmp_path / "registry").exists()


def test_a_move_is_journaled_with_who_when_what_why_from_and_to(tmp_path: Path) -> None:
    """Every entry has all of it, and follows the one before."""
    names = Names(tmp_path)
    names.move("champion", digest("a"), act())
    names.move("champion", digest("b"), act(why="best yet"))
    first, second = names.log()
    assert (first.before, first.after) == (None, digest("a"))
    assert (second.before, second.after, second.why) == (digest("a"), digest("b"), "best yet")
    assert (second.who, second.action, second.name, second.time) == ("ana", "promoted", "champion", NOW)
    assert second.follows == first.id


def test_a_move_to_where_a_name_points_already_changes_nothing(tmp_path: Path) -> None:
    """The same digest in the same state of files is not journaled again."""
    names = Names(tmp_path)
    assert names.move("champion", digest("a"), act()) == names.move("champion", digest("a"), act())
    assert len(names.log()) == 1


def test_a_move_in_another_state_of_the_files_is_a_later_act(tmp_path: Path) -> None:
    """Promoting the same bundle again after an edit is journaled, and adds nothing to go back to."""
    names = Names(tmp_path)
    names.move("champion", digest("a"), act(files="1"))
    names.move("champion", digest("a"), act(files="2"))
    assert len(names.log()) == 2
    with pytest.raises(InputError, match="nothing to go back to"):
        names.back("champion", act("rolled-back"))


def test_rolling_back_walks_back_through_history(tmp_path: Path) -> None:
    """Each rollback goes one promotion further back, then says clearly that there is nothing before."""
    names = Names(tmp_path)
    for letter in "abc":
        names.move("champion", digest(letter), act())
    assert names.back("champion", act("rolled-back")).digest == digest("b")
    assert names.back("champion", act("rolled-back")).digest == digest("a")
    with pytest.raises(InputError, match="nothing before sha256:aaaaaaaaaaaa"):
        names.back("champion", act("rolled-back"))
    assert [entry.action for entry in names.log()] == ["promoted"] * 3 + ["rolled-back"] * 2


def test_a_promotion_after_a_rollback_goes_back_to_where_it_stood(tmp_path: Path) -> None:
    """a, b, back to a, then c: going back from c gives a, not b."""
    names = Names(tmp_path)
    names.move("champion", digest("a"), act())
    names.move("champion", digest("b"), act())
    names.back("champion", act("rolled-back"))
    names.move("champion", digest("c"), act())
    assert names.back("champion", act("rolled-back")).digest == digest("a")


def test_a_name_that_is_not_there_cannot_be_rolled_back(tmp_path: Path) -> None:
    """The error lists the names that are."""
    names = Names(tmp_path)
    names.move("latest", digest("a"), act("fitted"))
    with pytest.raises(InputError, match="no 'champion' to roll back; names here: latest"):
        names.back("champion", act("rolled-back"))


@pytest.mark.parametrize("name", ["", "../up", "A", "a/b", ".hidden", "beef", "1st", "a" * 65, "champion\n"])
def test_a_name_is_plain_and_does_not_read_like_a_digest(tmp_path: Path, name: str) -> None:
    """Paths, capitals and hexadecimal words are refused."""
    with pytest.raises(InputError, match="cannot be a name"):
        Names(tmp_path).move(name, digest("a"), act())


def test_history_is_bounded(tmp_path: Path) -> None:
    """The name file keeps the last 100 places; the journal keeps all."""
    names = Names(tmp_path)
    for number in range(HISTORY_KEPT + 5):
        names.move("latest", f"sha256:{number:064x}", act("fitted"))
    found = names.get("latest")
    assert found is not None
    assert len(found.history) == HISTORY_KEPT
    assert len(names.log()) == HISTORY_KEPT + 5


def test_a_torn_last_line_is_left_out_and_cut_off_by_the_next_writer(tmp_path: Path) -> None:
    """The entry of the torn line is not lost: its name file has it."""
    names = Names(tmp_path)
    names.move("champion", digest("a"), act())
    names.move("champion", digest("b"), act())
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    assert len(read_journal(journal)) == 1
    assert [entry.after for entry in names.log()] == [digest("a"), digest("b")]
    names.move("champion", digest("c"), act())
    assert [entry.after for entry in read_journal(journal)] == [digest("a"), digest("b"), digest("c")]


def test_a_changed_journal_line_is_noticed(tmp_path: Path) -> None:
    """Entries are chained: an entry that was changed or removed is refused, with the line's number."""
    names = Names(tmp_path)
    for letter in "abc":
        names.move("champion", digest(letter), act())
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b'"ana"', b'"bob"', 1))
    with pytest.raises(TandemError, match=r"journal\.jsonl:1: the journal was changed here"):
        names.log()
    journal.write_bytes(b"".join(whole.splitlines(keepends=True)[1:]))
    with pytest.raises(TandemError, match=r"journal\.jsonl:1: the journal was changed here"):
        names.log()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"name": "champion", "digest": "x"}'])
def test_a_damaged_name_file_is_named(tmp_path: Path, content: bytes) -> None:
    """A name file that holds something else is refused with its path, never guessed at."""
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "champion").write_bytes(content)
    with pytest.raises(TandemError, match="names/champion is not a name file"):
        Names(tmp_path).get("champion")


def test_the_name_file_is_one_json_object_with_the_entry_of_its_last_move(tmp_path: Path) -> None:
    """What is on the disk is readable, and is what get() gives."""
    names = Names(tmp_path)
    moved = names.move("champion", digest("a"), act(files="f"))
    assert json.loads((tmp_path / "names" / "champion").read_bytes()) == moved.to_json()
    assert names.get("champion") == moved


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    """Four writers at once: every move is journaled, each following the one before."""

    def write(letter: str) -> None:
        for _ in range(10):
            Names(tmp_path).move(f"name-{letter}", digest(letter), act(files=letter))
            Names(tmp_path).move(f"name-{letter}", digest("f"), act(files=letter))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, "abcd"))
    log = Names(tmp_path).log()
    assert len(log) == 80
    assert read_journal(tmp_path / "journal.jsonl") == log
    for name in Names(tmp_path).all().values():
        assert [entry for entry in log if entry.name == name.name][-1] == name.entry
