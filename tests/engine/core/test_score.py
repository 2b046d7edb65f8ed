"""Scoring files: every format, the decisions of the records, rejects with reasons, whole or not at all."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from engine.decide import decide_record
from engine.errors import InputError, OutputError, RecordError
from engine.jsonlines import line_of
from engine.score import score_file
from engine.tables import decide_table
from tests.engine.core.tiny import NOW, SCORES, runtime, table

EXTENSIONS = [".parquet", ".csv", ".csv.gz", ".jsonl", ".jsonl.gz"]
BAD = {"txn": "bad", "amount": -1, "channel": "fax", "at_time": "yesterday"}


def write(path: Path, rows: pa.Table) -> Path:
    """Write a table in the format of a name."""
    if path.name.endswith(".parquet"):
        pq.write_table(rows, path, row_group_size=700)
        return path
    if ".csv" in path.name:
        sink = pa.BufferOutputStream()
        pacsv.write_csv(rows, sink)
        data = sink.getvalue().to_pybytes()
    else:
        data = b"".join(line_of(record) for record in rows.to_pylist())
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Read decisions back, in the form of `Decision.to_dict`; ids and moments are left out."""
    data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    if path.name.endswith(".parquet"):
        rows = pq.read_table(path).to_pylist()
    elif ".csv" in path.name:
        options = pacsv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
        rows = pacsv.read_csv(pa.BufferReader(data), convert_options=options).to_pylist()
        for row in rows:
            for name in ("reasons", "fired", "shadow", "suppressed", "unknown", "tags"):
                row[name] = (row[name] or "").split("|") if row[name] else []
    else:
        rows = [json.loads(line) for line in data.splitlines()]
    for row in rows:
        row["scores"] = {name: row.pop(f"scores.{name}") for name in SCORES}
        row["adjusted"] = (
            {"fraud": row.pop("adjusted.fraud")} if row.get("adjusted.fraud") is not None else {}
        )
        row.pop("adjusted.fraud", None)
        del row["at"]
    return rows


def alone(rows: pa.Table) -> list[dict[str, Any]]:
    decisions = [decide_record(runtime(), record, now=NOW).to_dict() for record in rows.to_pylist()]
    return [{name: value for name, value in decision.items() if name != "at"} for decision in decisions]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_file_gets_the_decisions_of_its_records(tmp_path: Path, extension: str) -> None:
    """Read from any format and written to the same one, each row has its record's decision."""
    given = table(2_000)
    target = tmp_path / f"out{extension}"
    report = score_file(runtime(), write(tmp_path / f"in{extension}", given), target, now=NOW)
    assert read(target) == alone(given)
    assert (report.rows, report.decided, report.rejected) == (2_000, 2_000, 0)
    assert sum(report.outcomes.values()) == 2_000
    assert report.rules["embargo"]["decided"] == report.rules["embargo"]["fired"] > 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f"in{extension}", f"out{extension}"])


@pytest.mark.parametrize("target", EXTENSIONS)
@pytest.mark.parametrize("source", [".parquet", ".csv", ".jsonl"])
def test_the_input_can_be_kept_from_any_format_in_any(tmp_path: Path, source: str, target: str) -> None:
    """With keep, the input's columns stand beside the decisions, whatever the two formats."""
    given = table(50).append_column("outcome", pa.array(["old"] * 50))
    place = tmp_path / f"out{target}"
    score_file(runtime(), write(tmp_path / f"in{source}", given), place, keep=True, now=NOW)
    rows = read(place)
    assert [row["txn"] for row in rows] == given["txn"].to_pylist()
    assert [row["input.outcome"] for row in rows] == ["old"] * 50
    assert [row["fired"] for row in rows] == [row["fired"] for row in alone(given)]


@pytest.mark.parametrize("extension", [".csv", ".jsonl"])
def test_rows_that_cannot_be_decided_go_to_the_rejects(tmp_path: Path, extension: str) -> None:
    """A rejects file has each refused row with its number, every reason and the row itself."""
    good = table(3).to_pylist()
    source = tmp_path / f"in{extension}"
    columns = table(1).column_names
    if extension == ".csv":
        lines = [
            ",".join(columns),
            *(",".join(_cell(r.get(c)) for c in columns) for r in [good[0], BAD, good[1]]),
        ]
        data = "\n".join([*lines, "", "1,2,3", *[",".join(_cell(good[2][c]) for c in columns)]]).encode()
        data += b"\nx\xff,1,2,true,DE,web,hi,2026-03-01\n"
    else:
        data = b"\n".join(
            [line_of(good[0]), line_of(BAD), line_of(good[1]), b"{broken", line_of(good[2]), b"\xff{}"]
        )
    source.write_bytes(data)
    target = tmp_path / "out.jsonl"
    report = score_file(runtime(), source, target, now=NOW)
    assert [row["id"] for row in read(target)] == ["t0", "t1", "t2"]
    rejects = [json.loads(line) for line in (tmp_path / "out.jsonl.rejects.jsonl").read_bytes().splitlines()]
    assert [reject["row"] for reject in rejects] == [1, 3, 5]
    assert (report.rows, report.decided, report.rejected) == (6, 3, 3)
    with pytest.raises(RecordError) as caught:
        runtime().schema.read(
            {name: str(value) if extension == ".csv" else value for name, value in BAD.items()}
        )
    assert rejects[0]["problems"] == [problem.to_dict() for problem in caught.value.problems]
    assert rejects[0]["record"]["txn"] == "bad"
    assert ("3 cells" if extension == ".csv" else "not JSON") in rejects[1]["problems"][0]["message"]
    assert rejects[2]["problems"][0]["message"] == "not valid UTF-8"


def _cell(value: Any) -> str:
    return "" if value is None else f'"{value}"'


def test_an_empty_cell_is_missing_and_a_quoted_one_is_empty_text(tmp_path: Path) -> None:
    """In CSV, nothing between two commas is a missing value; "" is text of no length."""
    source = tmp_path / "in.csv"
    source.write_bytes(b'amount,channel,at_time,memo,country\n0.1,web,2026-03-01,,""\n')
    score_file(runtime(), source, tmp_path / "out.jsonl", keep=True, now=NOW)
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert (row["memo"], row["country"]) == (None, "")
    assert row["id"] == "0"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("in.csv", b"", "in.csv is empty"),
        ("in.csv", b"amount,amount\n1,2\n", "column 'amount' stands twice"),
        (
            "in.csv",
            b"channel,at_time\nweb,2026-03-01\n",
            "in.csv: column 'amount' is missing; the columns are channel",
        ),
        ("in.csv", b"at_time\n2026-03-01\n", "columns 'amount', 'channel' are missing"),
        (
            "in.csv",
            b"amount;channel;at_time\n1;web;2026-03-01\n",
            "between semicolons; separate them by commas",
        ),
        ("in.csv", b"amount\tchannel\tat_time\n", "in.csv:1: the columns stand between tabs"),
        ("in.csv", "amount,channel".encode("utf-16"), "not UTF-8 text"),
        ("in.csv", b"am\xffount,channel\n", "not UTF-8 text"),
        (
            "in.csv",
            b'amount,channel,at_time\n1,"web,2026-03-01\n' + b"1,web,2026-03-01\n" * 400_000,
            "does not end",
        ),
        ("in.csv.gz", gzip.compress(b"amount,channel,at_time\n" * 9_000)[:40], "cannot be read"),
        ("in.parquet", b"PAR1 and no more", "no Parquet file"),
        ("in.jsonl", b"\n\n", "in.jsonl is empty"),
        ("in.jsonl", b'[\n {"amount": 1}\n]\n', "in.jsonl:1: a JSON list; write one record a line"),
        ("in.txt", b"", "the name must end in one of .parquet, .csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    """Each kind of unreadable file has its message, and no target is left."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        score_file(runtime(), tmp_path / name, tmp_path / "out.parquet", now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_file_of_no_rows_gives_a_file_of_no_rows(tmp_path: Path) -> None:
    """A header alone is a table without rows; the decisions have their columns all the same."""
    (tmp_path / "in.csv").write_bytes(b"amount,channel,at_time\n")
    score_file(runtime(), tmp_path / "in.csv", tmp_path / "out.parquet", now=NOW)
    expected = decide_table(runtime(), table(1), now=NOW).schema
    assert pq.read_schema(tmp_path / "out.parquet").equals(expected)


def test_a_target_that_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    """An existing target is an error; with force it is replaced, and rejects of an earlier run go."""
    source, target = write(tmp_path / "in.csv", table(5)), tmp_path / "out.csv"
    for name in ("out.csv", "out.csv.rejects.jsonl"):
        (tmp_path / name).write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        score_file(runtime(), source, target, now=NOW)
    assert target.read_text() == "old"
    score_file(runtime(), source, target, force=True, now=NOW)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.csv", "out.csv"]
    with pytest.raises(OutputError, match="is the input itself"):
        score_file(runtime(), source, source, force=True, now=NOW)


def test_the_rejects_of_a_target_are_never_written_over_the_input(tmp_path: Path) -> None:
    """Rejects scored again into the same target would be lost: their place is the input's."""
    source, target = write(tmp_path / "out.csv.rejects.jsonl", table(5)), tmp_path / "out.csv"
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is the input itself, where the rejects of"):
        score_file(runtime(), source, target, force=True, now=NOW)
    assert (source.read_bytes(), target.exists()) == (before, False)


def test_a_row_that_is_no_utf8_can_be_read_in_the_rejects(tmp_path: Path) -> None:
    """Its cells are all there, the odd bytes as escapes, beside which of them is at fault."""
    source, target = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_bytes(b'amount,channel,at_time,memo\n1,web,2026-03-01,"caf\xe9, Paris"\n')
    assert score_file(runtime(), source, target, now=NOW).rejected == 1
    (reject,) = rejects_of(target)
    assert reject["problems"][0]["field"] == "memo"
    assert reject["record"] == '1,web,2026-03-01,"caf\\xe9, Paris"'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"amount": 1, "amount": 2}', "the key 'amount' stands twice"),
        ("null", "a JSON null, not an object"),
        ("[1, 2]", "a JSON list, not an object"),
        ('{"amount":', "not JSON"),
    ],
)
def test_a_line_that_is_no_record_says_why(tmp_path: Path, line: str, message: str) -> None:
    """A broken line is a reject of its own; of a key that stands twice no value is taken."""
    source, target = write(tmp_path / "in.jsonl", table(2)), tmp_path / "out.jsonl"
    with source.open("a") as file:
        file.write(line + "\n")
    assert score_file(runtime(), source, target, now=NOW).decided == 2
    (reject,) = rejects_of(target)
    assert reject["row"] == 2
    assert reject["problems"][0]["message"].startswith(message)


def rejects_of(target: Path) -> list[dict[str, Any]]:
    """Read the rejects of a run."""
    text = target.with_name(target.name + ".rejects.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


LIMITED = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
from engine.errors import OutputError
from engine.score import score_file
from tests.engine.core.tiny import runtime
try:
    score_file(runtime(), Path(sys.argv[1]), Path(sys.argv[2]))
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("extension", [".parquet", ".csv", ".jsonl", ".jsonl.gz"])
def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, extension: str) -> None:
    """Where no more can be written, the error says so and neither target nor half a target is there."""
    source = write(tmp_path / "in.parquet", table(20_000))
    target = tmp_path / f"out{extension}"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, source, target], capture_output=True, text=True, check=True
    )
    assert "cannot be written: " in done.stdout
    assert "nothing was changed there" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


SCORING = """
import sys
from pathlib import Path
from engine.score import score_file
from tests.engine.core.tiny import runtime
def slowly(rows, total):
    print(rows, flush=True)
    sys.stdin.readline()
score_file(runtime(), Path(sys.argv[1]), Path(sys.argv[2]), progress=slowly)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_target(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C or kill -9 in the middle: there is no target, and after Ctrl-C nothing else either."""
    source = write(tmp_path / "in.parquet", table(60_000))
    target = tmp_path / "out.parquet"
    command = [sys.executable, "-c", SCORING, source, target]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert int(run.stdout.readline()) < 60_000
        run.send_signal(number)
        run.communicate()
    assert not target.exists()
    if number == signal.SIGINT:
        assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_progress_counts_every_row(tmp_path: Path) -> None:
    """Progress tells rows so far and, of a Parquet file, rows in all."""
    seen: list[tuple[int, int | None]] = []
    source = write(tmp_path / "in.parquet", table(40_000))
    report = score_file(runtime(), source, tmp_path / "o.csv", progress=lambda *at: seen.append(at), now=NOW)
    assert seen[-1] == (40_000, 40_000)
    assert sorted(seen) == seen
    assert report.absent == ()
