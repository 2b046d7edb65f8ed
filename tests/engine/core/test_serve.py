"""Opening an engine: from a bundle, a registry or a project, by name or digest, and following a name."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.bundle import write_bundle, write_bundle_file
from engine.errors import InputError
from engine.lifecycle.names import Act
from engine.lifecycle.registry import Registry
from tests.engine.core.tiny import NOW, RULES, bundle, table

EDITED = RULES.replace(b"amount > 500", b"amount > 50")


def registry(place: Path) -> Registry:
    """A registry with two bundles: the first is the champion, the second the latest."""
    made = Registry(place)
    for name, one in (("champion", bundle()), ("latest", bundle(EDITED))):
        made.put(one)
        made.names.move(name, one.digest, Act("promoted", "ann", NOW, "a test", ""))
    return made


def test_a_bundle_opens_from_a_folder_and_from_a_file(tmp_path: Path) -> None:
    """Both forms of a bundle decide alike, and say what they are."""
    write_bundle(bundle(), tmp_path / "folder")
    write_bundle_file(bundle(), tmp_path / "one.tandem")
    record = table(1).to_pylist()[0]
    with engine.open(tmp_path / "folder") as one, engine.open(str(tmp_path / "one.tandem")) as other:
        assert one.decide(record, now=NOW) == other.decide(record, now=NOW)
        assert one.digest == one.decide(record).bundle == one.status().digest == bundle().digest
        assert one.status().healthy


def test_a_registry_opens_by_name_and_by_digest(tmp_path: Path) -> None:
    """The champion unless said otherwise; a digest or the beginning of one means its bundle."""
    made = registry(tmp_path / "registry")
    assert engine.open(made.root).digest == bundle().digest
    assert engine.open(made.root, name="latest").digest == bundle(EDITED).digest
    assert engine.open(made.root, name=bundle(EDITED).digest[:20]).digest == bundle(EDITED).digest


def test_a_project_opens_its_registry(tmp_path: Path) -> None:
    """A folder with project.yaml means the registry in it; without a champion, the latest."""
    made = Registry(tmp_path / "registry")
    made.put(bundle())
    made.names.move("latest", bundle().digest, Act("fitted", "ann", NOW, "a test", ""))
    (tmp_path / "project.yaml").write_text("name: x\n")
    assert engine.open(tmp_path).digest == bundle().digest


def test_an_id_given_stands_in_for_the_records_own(tmp_path: Path) -> None:
    """`id=` names a decision; else the id column does, as text."""
    write_bundle(bundle(), tmp_path / "folder")
    ours = engine.open(tmp_path / "folder")
    record = table(1).to_pylist()[0]
    assert ours.decide(record).id == "t0"
    assert ours.decide({**record, "txn": 17}).id == "17"
    assert ours.decide(record, id="mine").id == "mine"


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        ("nothing", {}, "does not exist"),
        ("empty", {}, "holds no bundles: give a bundle, a registry or a project"),
        ("project", {}, "run `tandem fit` first"),
        ("folder", {"watch": True}, "is one bundle"),
        ("folder", {"name": "champion"}, "is one bundle"),
        ("registry", {"name": "nobody"}, "nobody"),
        ("registry", {"name": bundle().digest, "watch": True}, "only a name can be watched"),
        ("registry", {"name": ""}, "cannot be a name"),
        ("x" * 300, {}, "File name too long"),
    ],
)
def test_what_cannot_be_opened_says_why(
    tmp_path: Path, make: str, options: dict[str, object], message: str
) -> None:
    """Each wrong place or name has its message."""
    place = tmp_path / make
    if make in ("empty", "project"):
        place.mkdir()
    if make == "project":
        (place / "project.yaml").write_text("name: x\n")
    if make == "folder":
        write_bundle(bundle(), place)
    if make == "registry":
        registry(place)
    with pytest.raises(InputError, match=message):
        engine.open(place, **options)  # type: ignore[arg-type]


def test_what_is_exported_is_what_is_there() -> None:
    """Every name of `__all__` can be had, and nothing else is promised."""
    assert sorted(engine.__all__) == engine.__all__
    assert all(getattr(engine, name) is not None for name in engine.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        engine.nonsense  # noqa: B018


def test_one_record_needs_neither_pandas_nor_pydantic(tmp_path: Path) -> None:
    """In a fresh process, opening and deciding a record load none of the slow packages that may be there."""
    write_bundle(bundle(), tmp_path / "folder")
    script = f"""
import sys, engine
engine.open({str(tmp_path / "folder")!r}).decide({{"amount": 1, "channel": "web", "at_time": "2026-03-01"}})
print(*sorted({{"pandas", "pydantic", "torch", "sklearn", "cel_expr_python", "typer"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("now", [datetime(2026, 3, 1), "2026-03-01", 5])  # noqa: DTZ001 - no zone, as meant
def test_a_moment_without_a_zone_is_refused(tmp_path: Path, now: Any) -> None:
    """One record, a table and an explanation refuse it alike; with a zone it is written in UTC."""
    write_bundle(bundle(), tmp_path / "folder")
    ours = engine.open(tmp_path / "folder")
    (record,) = table(1).to_pylist()
    for decide in (ours.decide, ours.explain):
        with pytest.raises(InputError, match="give a datetime with a time zone"):
            decide(record, now=now)
    with pytest.raises(InputError, match="give a datetime with a time zone"):
        ours.decide_batch(table(2), now=now)
    there = datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert ours.decide(record, now=there).to_dict()["at"] == "2026-03-01T00:00:00Z"
