"""A watching engine: saved files and moved names swap what decides, whole; bad edits change nothing."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
import weakref
from pathlib import Path

import pytest

import engine
from engine.bundle import Bundle
from engine.decide import Runtime
from engine.lifecycle import live
from engine.lifecycle.registry import Registry
from tests.engine.core.tiny import RULES
from tests.engine.lifecycle.places import RECORD, act, folder, made, promoted, until, versioned

EDITED = RULES.replace(b"amount > 500", b"amount > 5000")


def test_a_saved_rule_file_decides_without_a_restart(tmp_path: Path) -> None:
    """The edit is a bundle of its own: kept, journaled, sharing the model, child of the one before."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        assert ours.decide(RECORD).decided_by == "new-large"
        (root / "rules" / "first.yaml").write_bytes(EDITED)
        assert until(lambda: ours.digest != first)
        decision = ours.decide(RECORD)
        assert "new-large" not in decision.fired
        registry = Registry(root / "registry")
        bundle = registry.get(decision.bundle)
        assert bundle.lineage["parent"] == first
        assert bundle.folder("rules/") == {"rules/first.yaml": EDITED}
        assert bundle.parts["model/model.onnx"] == registry.get(first).parts["model/model.onnx"]
        entry = registry.log()[-1]
        assert (entry.action, entry.name, entry.after) == ("edited", "edited", decision.bundle)
        assert entry.why == "rules/first.yaml saved"
        assert registry.resolve("champion") == first


def test_every_decision_is_made_wholly_by_the_bundle_it_names(tmp_path: Path) -> None:
    """Four threads decide during 50 edits: each decision is the one that its own bundle makes alone."""
    root = folder(tmp_path, versioned(0))
    promoted(root)
    registry = Registry(root / "registry")
    seen: list[tuple[str, str, tuple[str, ...]]] = []
    stop = threading.Event()
    with engine.open(root, watch=True) as ours:

        def decide() -> None:
            while not stop.is_set():
                decision = ours.decide(RECORD)
                seen.append((decision.bundle, decision.outcome, decision.tags))

        threads = [threading.Thread(target=decide) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for version in range(1, 51):
                (root / "rules" / "first.yaml").write_bytes(versioned(version))
                assert until(lambda tag=f"after-{version}": tag in seen[-1][2])  # type: ignore[misc]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    made_by = {digest: Runtime.open(registry.get(digest)) for digest in {one[0] for one in seen}}
    alone = {}
    for digest, runtime in made_by.items():
        decision = engine.Engine(runtime).decide(RECORD)
        alone[digest] = (digest, decision.outcome, decision.tags)
    assert len(made_by) == 51
    assert set(seen) == set(alone.values())


def test_a_bad_edit_changes_nothing_and_the_status_says_where_and_since_when(tmp_path: Path) -> None:
    """The last good bundle decides on; mending the file heals the status."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        assert ours.status().healthy
        (root / "rules" / "first.yaml").write_bytes(RULES.replace(b"amount > 500 &&", b"amunt > 500 &&"))
        assert until(lambda: not ours.status().healthy)
        status = ours.status()
        (problem,) = status.problems
        assert (problem.file, problem.line, problem.column) == ("rules/first.yaml", 9, 27)
        assert "did you mean 'amount'?" in problem.hint
        assert (status.digest, status.watching, status.name) == (first, True, "champion")
        assert status.since is not None
        assert ours.decide(RECORD).bundle == first
        (root / "rules" / "first.yaml").write_bytes(b"rules: [")
        assert until(lambda: ours.status().problems != (problem,))
        assert ours.status().since == status.since
        (root / "rules" / "first.yaml").write_bytes(RULES)
        assert until(lambda: ours.status().healthy)
        assert ours.status().since is None
        assert ours.digest == first


def test_an_edit_whose_own_test_fails_is_a_bad_edit(tmp_path: Path) -> None:
    """Inline tests run before an edit decides."""
    root = folder(tmp_path)
    first = promoted(root)
    failing = b"""\
rules:
  - id: a
    when: amount > 5
    decide: review
    tests:
      - {given: {amount: 1}, expect: review}
"""
    with engine.open(root, watch=True) as ours:
        (root / "rules" / "first.yaml").write_bytes(failing)
        assert until(lambda: not ours.status().healthy)
        assert ours.status().problems[0].line == 6
        assert ours.digest == first


def test_a_saved_list_file_is_an_edit(tmp_path: Path) -> None:
    """A list on its own file is watched like the rules that use it."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        assert "trusted" not in ours.decide(RECORD | {"memo": "gift"}).fired
        (root / "lists" / "known.txt").write_bytes(b"rent\ngift\n")
        assert until(lambda: ours.digest != first)
        assert "trusted" in ours.decide(RECORD | {"memo": "gift"}).fired


def test_a_removed_rule_file_is_an_edit(tmp_path: Path) -> None:
    """What is gone does not decide."""
    root = folder(tmp_path)
    (root / "rules" / "second.yaml").write_bytes(b"rules: [{id: extra, when: amount > 1.0, tag: extra}]\n")
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        assert "extra" in ours.decide(RECORD).tags
        (root / "rules" / "second.yaml").unlink()
        assert until(lambda: ours.digest != first)
        assert "extra" not in ours.decide(RECORD).tags


@pytest.mark.parametrize("part", [b"rules:\n  - {id: early, stage: before, when: amount", None])
def test_a_file_that_is_still_being_written_is_not_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: bytes | None
) -> None:
    """Written in place with a pause it is one edit: no good prefix decides, and no bad one is told."""
    monkeypatch.setattr(live, "SETTLE_SECONDS", 1.5)
    root = folder(tmp_path)
    first = promoted(root)
    whole = versioned(1)
    part = part or whole[: whole.index(b"  - {id: late")]
    with engine.open(root, watch=True) as ours:
        with (root / "rules" / "first.yaml").open("wb") as file:
            file.write(part)
            file.flush()
            time.sleep(0.3)
            assert (ours.digest, ours.status().healthy) == (first, True)
            file.write(whole[len(part) :])
        assert until(lambda: ours.digest != first)
        assert set(ours.decide(RECORD).tags) == {"before-1", "after-1"}
        assert [entry.action for entry in Registry(root / "registry").log()] == ["promoted", "edited"]


def test_a_file_moved_to_a_backup_and_written_anew_is_one_edit(tmp_path: Path) -> None:
    """What is gone for less than a second is not taken for removed."""
    root = folder(tmp_path)
    first = promoted(root)
    rules = root / "rules" / "first.yaml"
    with engine.open(root, watch=True) as ours:
        rules.rename(root / "rules" / "first.yaml~")
        time.sleep(0.4)
        rules.write_bytes(EDITED)
        assert until(lambda: ours.digest != first)
        assert "new-large" not in ours.decide(RECORD).fired
        assert [entry.action for entry in Registry(root / "registry").log()] == ["promoted", "edited"]


def test_an_editor_that_writes_beside_and_renames_is_understood(tmp_path: Path) -> None:
    """Neither its temporary file nor its backup counts; the renamed file does."""
    root = folder(tmp_path)
    first = promoted(root)
    rules = root / "rules" / "first.yaml"
    with engine.open(root, watch=True) as ours:
        (root / "rules" / ".first.yaml.swp").write_bytes(b"junk")
        (root / "rules" / "first.yaml~").write_bytes(RULES)
        beside = root / "rules" / "4913"
        beside.write_bytes(EDITED)
        beside.replace(rules)
        assert until(lambda: ours.digest != first)
        assert ours.status().healthy
        assert "new-large" not in ours.decide(RECORD).fired


def test_a_promotion_and_a_rollback_swap_what_decides(tmp_path: Path) -> None:
    """A name that is moved by another process means its bundle, as it is."""
    root = folder(tmp_path)
    first = promoted(root)
    registry = Registry(root / "registry")
    second = registry.put(_with_rules(root, EDITED))
    with engine.open(root, watch=True) as ours:
        registry.promote("champion", second, act(files=_state(root)))
        assert until(lambda: ours.digest == second)
        registry.rollback("champion", act("rolled-back", files=_state(root)))
        assert until(lambda: ours.digest == first)
        assert ours.status().healthy


def test_the_latest_act_wins(tmp_path: Path) -> None:
    """An edit after a promotion decides; a promotion after that edit decides, whatever the file holds."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        (root / "rules" / "first.yaml").write_bytes(EDITED)
        assert until(lambda: ours.digest != first)
        edited = ours.digest
        Registry(root / "registry").promote("champion", first, act(files=_state(root)))
        assert until(lambda: ours.digest == first)
        (root / "rules" / "first.yaml").write_bytes(EDITED + b"# again\n")
        assert until(lambda: ours.digest != first)
        assert ours.digest != edited


def test_files_saved_while_nobody_watched_are_an_edit_when_watching_begins(tmp_path: Path) -> None:
    """Opening catches up before it returns; without watching, the name's bundle decides."""
    root = folder(tmp_path)
    first = promoted(root)
    (root / "rules" / "first.yaml").write_bytes(EDITED)
    assert engine.open(root).digest == first
    with engine.open(root, watch=True) as ours:
        assert ours.digest == made(root).digest != first


def test_an_older_state_of_the_files_is_no_edit(tmp_path: Path) -> None:
    """After a rollback the files differ from the bundle, were saved before it, and do not decide."""
    root = folder(tmp_path)
    first = promoted(root)
    (root / "rules" / "first.yaml").write_bytes(EDITED)
    promoted(root)
    Registry(root / "registry").rollback("champion", act("rolled-back", files=_state(root)))
    os.utime(root / "rules" / "first.yaml")
    with engine.open(root, watch=True) as ours:
        assert ours.digest == first


def test_an_edit_taken_back_by_hand_is_still_the_latest_act_after_a_restart(tmp_path: Path) -> None:
    """Rolled back, then edited to and fro: the files, as they were at the rollback, were saved after it."""
    root = folder(tmp_path)
    first = promoted(root)
    (root / "rules" / "first.yaml").write_bytes(EDITED)
    second = promoted(root)
    Registry(root / "registry").rollback("champion", act("rolled-back", files=_state(root)))
    with engine.open(root, watch=True) as ours:
        assert ours.digest == first
        (root / "rules" / "first.yaml").write_bytes(EDITED + b"# not yet\n")
        assert until(lambda: ours.digest not in (first, second))
        (root / "rules" / "first.yaml").write_bytes(EDITED)
        assert until(lambda: ours.digest == second)
    with engine.open(root, watch=True) as ours:
        assert ours.digest == second


def test_a_bad_edit_made_while_nobody_watched_does_not_keep_an_engine_from_opening(tmp_path: Path) -> None:
    """The name's bundle decides, and the status is not healthy."""
    root = folder(tmp_path)
    first = promoted(root)
    (root / "rules" / "first.yaml").write_bytes(b"rules: 5\n")
    with engine.open(root, watch=True) as ours:
        assert ours.digest == first
        assert not ours.status().healthy
        assert ours.decide(RECORD).bundle == first


def test_a_registry_that_fails_is_tried_again(tmp_path: Path) -> None:
    """An edit that cannot be kept does not decide; once it can be kept, it does, without another save."""
    root = folder(tmp_path)
    first = promoted(root)
    bundles, aside = root / "registry" / "bundles", root / "registry" / "aside"
    with engine.open(root, watch=True) as ours:
        bundles.rename(aside)
        bundles.write_bytes(b"in the way")
        (root / "rules" / "first.yaml").write_bytes(EDITED)
        assert until(lambda: not ours.status().healthy)
        assert ours.digest == first
        bundles.unlink()
        aside.rename(bundles)
        assert until(lambda: ours.digest != first)
        assert ours.status().healthy


def test_closing_stops_the_thread_and_deciding_goes_on(tmp_path: Path) -> None:
    """After close() no file is followed any more, and no thread of ours is left."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        assert any(thread.name == "tandem-live" for thread in threading.enumerate())
    assert not any(thread.name == "tandem-live" for thread in threading.enumerate())
    assert not ours.status().watching
    assert ours.decide(RECORD).bundle == first


@pytest.mark.parametrize("place", ["rules/itself.yaml", "lists/itself"])
def test_a_link_to_itself_does_not_end_the_watching(tmp_path: Path, place: str) -> None:
    """A link that opens nothing is reported where rules are read, and edits go on to be followed."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        (root / place).symlink_to(root / place)
        if place.startswith("rules/"):
            assert until(lambda: not ours.status().healthy)
            assert f"{place}:1:1: cannot be read" in str(ours.status().problems[0])
            assert ours.decide(RECORD).bundle == first
            (root / place).unlink()
        (root / "rules" / "first.yaml").write_bytes(EDITED)
        assert until(lambda: ours.digest != first)
        assert ours.status().watching


def test_a_pipe_among_the_rules_is_a_problem_and_not_waited_for(tmp_path: Path) -> None:
    """A pipe can be named like a rule file; reading one would wait for ever."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        os.mkfifo(root / "rules" / "pipe.yaml")
        assert until(lambda: not ours.status().healthy)
        assert str(ours.status().problems[0]) == "rules/pipe.yaml:1:1: cannot be read: not a plain file"
        assert ours.digest == first
        (root / "rules" / "pipe.yaml").unlink()
        assert until(lambda: ours.status().healthy)


@pytest.mark.parametrize("name", ["b\udcff.yaml", "naïve.yaml", "two\nlines.yaml"])
def test_a_rule_file_with_a_name_that_no_bundle_holds_is_named(tmp_path: Path, name: str) -> None:
    """The name is refused at its place, in words that any terminal can print."""
    root = folder(tmp_path)
    promoted(root)
    with engine.open(root, watch=True) as ours:
        (root / "rules" / name).write_bytes(b"rules: []\n")
        assert until(lambda: not ours.status().healthy)
        (problem,) = ours.status().problems
        assert problem.message == "not a name that a rule file may have"
        assert "\n" not in problem.file
        assert problem.file.encode()


def test_a_rules_folder_that_is_away_for_a_while_takes_no_rule_away(tmp_path: Path) -> None:
    """A deployment may move the folder; that is said, the last good bundle decides on, and it heals."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        (root / "rules").rename(root / "aside")
        assert until(lambda: not ours.status().healthy)
        assert "rules:1:1: the folder is gone" in str(ours.status().problems[0])
        assert ours.decide(RECORD).bundle == first
        (root / "aside").rename(root / "rules")
        assert until(lambda: ours.status().healthy)
        assert ours.decide(RECORD).bundle == first


def test_a_list_behind_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    """Lists that are put in place by turning a link are watched through it, and links in circles are not."""
    root = folder(tmp_path, RULES.replace(b"lists/known.txt", b"lists/now/known.txt"))
    (root / "kept").mkdir()
    (root / "kept" / "known.txt").write_bytes(b"rent\n")
    (root / "lists" / "now").symlink_to(root / "kept")
    (root / "kept" / "round").symlink_to(root / "lists")
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        (root / "kept" / "known.txt").write_bytes(b"rent\nloan\n")
        assert until(lambda: ours.digest != first)


def test_a_forked_process_says_that_it_does_not_watch(tmp_path: Path) -> None:
    """Threads are not forked: the child decides by the bundle of that moment, and its status is true."""
    root = folder(tmp_path)
    first = promoted(root)
    with engine.open(root, watch=True) as ours:
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            said = [ours.status().watching, ours.decide(RECORD).bundle]
            os.write(writable, json.dumps(said).encode())
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert json.loads(os.read(readable, 1000)) == [False, first]
        os.close(readable)
        os.close(writable)
        assert ours.status().watching


def test_an_engine_that_nobody_holds_any_more_is_gone_with_its_thread(tmp_path: Path) -> None:
    """A service that forgets close() leaks neither the bundle nor the thread."""
    root = folder(tmp_path)
    promoted(root)
    ours = engine.open(root, watch=True)
    gone = weakref.ref(ours)
    del ours
    gc.collect()
    assert until(lambda: gone() is None)
    assert until(lambda: not any(thread.name == "tandem-live" for thread in threading.enumerate()))


def _with_rules(root: Path, rules: bytes) -> Bundle:
    other = folder(root / "elsewhere", rules)
    return made(other)


def _state(root: Path) -> str:
    from engine.lifecycle.watch import state

    return state(root)
