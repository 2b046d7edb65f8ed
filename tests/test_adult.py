"""A real table the whole way: Adult census rows, the example's fifteen filters, decided in three ways."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.errors import RecordError
from engine.lifecycle.registry import Registry
from engine.project import load_project
from engine.score import score_file
from engine.training.build import fit

ROOT = Path(__file__).resolve().parents[1]
TABLE = Path(os.environ.get("TANDEM_ADULT", ROOT.parent / "shared" / "data" / "adult.parquet"))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
DECISIVE = ("outcome", "proposed", "decided_by", "reasons", "fired", "shadow", "unknown", "tags", "bundle")

pytestmark = pytest.mark.skipif(not TABLE.exists(), reason="the Adult table is not there")


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pq.read_table(TABLE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, table: pa.Table) -> Path:
    """The example fitted on a few thousand training rows: what is tested here is deciding, not learning."""
    place = tmp_path_factory.mktemp("adult") / "project"
    shutil.copytree(ROOT / "examples" / "adult", place)
    text = (place / "project.yaml").read_text()
    (place / "project.yaml").write_text(text.replace("{width: 64,", "{width: 16, epochs: 6,"))
    bundle = fit(
        load_project(place),
        table.slice(0, 5000),
        table.slice(32_561, 2000),
        now=NOW,
        progress=None,
        previous=None,
    )
    Registry(place / "registry").put(bundle)
    engine.write_bundle(bundle, place / "bundle")
    return place


def rows(decided: pa.Table, names: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(decided[name].to_pylist() for name in names), strict=True))


def flat(decision: engine.Decision, names: list[str]) -> tuple[Any, ...]:
    whole = decision.to_dict()
    heads = (name.partition(".") for name in names)
    return tuple(whole[head].get(rest) if rest else whole[head] for head, _, rest in heads)


def test_alone_as_a_table_and_as_a_file_every_row_is_decided_alike(project: Path, table: pa.Table) -> None:
    """All 48,842 rows: `decide`, `decide_batch` and `score` agree in every field, to the last bit."""
    source, target = project / "all.parquet", project / "decided.parquet"
    pq.write_table(table.drop_columns(["income"]), source)
    with engine.open(project / "bundle") as ours:
        report = score_file(ours.runtime, source, target, keep=False, force=False, progress=None, now=NOW)
        assert (report.rows, report.rejected) == (48_842, 0)
        in_file = pq.read_table(target)
        names = [*DECISIVE, *(n for n in in_file.column_names if n.startswith(("scores.", "adjusted.")))]
        expected = rows(in_file, names)
        assert rows(ours.decide_batch(table, now=NOW), names) == expected
        for place, record in enumerate(table.to_pylist()):
            assert flat(ours.decide(record, now=NOW), names) == expected[place], place
    outcomes = {row[0] for row in expected}
    assert outcomes == {"skip", "review", "contact"}
    fired = {rule for row in expected for rule in row[names.index("fired")]}
    assert len(fired) >= 12


def test_what_cannot_be_read_is_said_field_by_field(project: Path, table: pa.Table) -> None:
    """A record with two wrong fields names both; text that is a number is read as one."""
    record = table.slice(0, 1).to_pylist()[0]
    with engine.open(project / "bundle") as ours:
        with pytest.raises(RecordError) as caught:
            ours.decide({**record, "age": "old", "education": None})
        assert [problem.field for problem in caught.value.problems] == ["age", "education"]
        assert ours.decide({**record, "age": "39"}, now=NOW) == ours.decide({**record, "age": 39}, now=NOW)
