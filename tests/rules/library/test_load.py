"""rules.load: rule files without a model, over records and over whatever speaks Arrow."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rules

FIELDS = {
    "amount": {"type": "double", "min": 0},
    "count": "int",
    "country": {"type": "string", "values": ["FR", "GB", "KP"]},
    "is_new": {"type": "bool", "nullable": False},
    "at": "timestamp",
}
FILE = """\
hit_policy: priority
lists: {refused: [KP]}
rules:
  - {id: refused, stage: before, when: country in refused, decide: block, reason: R, tag: [sanction, seen]}
  - {id: early, stage: before, when: at < timestamp('2026-01-01T00:00:00Z'), tag: seen, reason: EARLY}
  - {id: large, when: amount > 100 && count < 3, decide: review, priority: 2, reason: LARGE, tag: seen}
  - {id: new, when: is_new, decide: approve, priority: 0, on_unknown: review, reason: EARLY}
  - {id: sure, when: scores.fraud > 0.9, decide: block, priority: 5}
  - {id: calm, when: count > 5, cap: {fraud: 0.25}}
  - {id: tried, when: amount > 10, decide: block, mode: shadow}
"""


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> rules.LoadedRules:
    return rules.load(written(tmp_path_factory.mktemp("rules"), cards=FILE), FIELDS, scores=["fraud"])


RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "amount": st.none() | st.sampled_from([0.0, 10.5, 100.0, 101.0, float("nan"), float("inf")]),
        "count": st.none() | st.integers(0, 8),
        "country": st.none() | st.sampled_from(["FR", "GB", "KP", "éa"]),
        "is_new": st.none() | st.booleans(),
        "at": st.none()
        | st.sampled_from(
            [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), "2026-01-01", "2025-01-01T00:00:00+01:00"]
        ),
        "scores": st.none() | st.fixed_dictionaries({"fraud": st.none() | st.sampled_from([0.1, 0.5, 0.95])}),
        "proposed": st.none() | st.just("approve"),
    },
)
SCHEMA = pa.schema(
    {
        "amount": pa.float64(),
        "count": pa.int64(),
        "country": pa.string(),
        "is_new": pa.bool_(),
        "at": pa.timestamp("us", "UTC"),
        "scores": pa.struct({"fraud": pa.float64()}),
        "proposed": pa.string(),
    }
)


def typed(record: dict[str, Any]) -> dict[str, Any]:
    """The record as Arrow takes it: moments as moments."""
    at = record.get("at")
    if not isinstance(at, str):
        return record
    moment = datetime.fromisoformat(at)
    return {**record, "at": moment if moment.tzinfo else moment.replace(tzinfo=UTC)}


@given(st.lists(RECORDS, max_size=8))
def test_a_row_is_judged_as_its_record(loaded: rules.LoadedRules, records: list[dict[str, Any]]) -> None:
    """`apply` gives for row i what `judge` gives for record i, in every column."""
    rows = loaded.apply(pa.Table.from_pylist([typed(record) for record in records], SCHEMA)).to_pylist()
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        verdict = loaded.judge(record)
        assert row["outcome"] == verdict.outcome
        assert row["decided_by"] == verdict.decided_by
        assert row["adjusted.fraud"] == verdict.adjusted.get("fraud")
        for name in ("reasons", "fired", "shadow", "suppressed", "unknown", "tags"):
            assert tuple(row[name]) == getattr(verdict, name)


def test_the_deciding_rules_reason_comes_first(loaded: rules.LoadedRules) -> None:
    """Ahead of that of a rule of stage `before` that fired without deciding; alone and in a table."""
    record = {"amount": 500.0, "count": 1, "is_new": False, "at": datetime(2025, 1, 1, tzinfo=UTC)}
    verdict = loaded.judge(record)
    assert (verdict.decided_by, verdict.fired) == ("large", ("early", "large"))
    assert verdict.reasons == ("LARGE", "EARLY")
    (row,) = loaded.apply(pa.Table.from_pylist([record])).to_pylist()
    assert row["reasons"] == ["LARGE", "EARLY"]
    undecided = loaded.judge({**record, "count": 5})
    assert (undecided.outcome, undecided.reasons) == (None, ("EARLY",))


def test_outcomes_are_those_decided_in_order_of_appearance(loaded: rules.LoadedRules) -> None:
    """Without `outcomes`, what the rules decide is what may be decided."""
    assert loaded.checked.outcomes == ("block", "review", "approve")


def test_a_deciding_rule_of_stage_before_ends_the_matter(loaded: rules.LoadedRules) -> None:
    """Rules of stage `after` are then not asked."""
    verdict = loaded.judge({"country": "KP", "amount": 500, "count": 1, "is_new": True})
    assert (verdict.outcome, verdict.fired, verdict.tags) == ("block", ("refused",), ("sanction", "seen"))


@pytest.mark.parametrize("kind", ["pandas", "polars", "large", "dictionary", "batch", "narrow"])
def test_whatever_speaks_arrow_is_judged_alike(loaded: rules.LoadedRules, kind: str) -> None:
    """The same rows give the same verdicts, whoever holds them and in whatever width."""
    table = pa.table(
        {
            "amount": pa.array([500.0, None, 3.0]),
            "count": pa.array([1, 7, None]),
            "country": ["FR", "KP", None],
            "is_new": pa.array([True, None, False]),
            "at": pa.array([datetime(2025, 1, 1, tzinfo=UTC)] * 3, pa.timestamp("us", "UTC")),
            "scores.fraud": [0.5, 0.5, 0.99],
        }
    )
    expected = loaded.apply(table)
    given: Any = {
        "pandas": table.to_pandas,
        "polars": lambda: pl.DataFrame(table),
        "large": lambda: table.set_column(2, "country", table["country"].cast(pa.large_string())),
        "dictionary": lambda: table.set_column(2, "country", table["country"].dictionary_encode()),
        "batch": lambda: table.combine_chunks().to_batches()[0],
        "narrow": lambda: (
            table.set_column(1, "count", table["count"].cast(pa.int8()))
            .set_column(0, "amount", table["amount"].cast(pa.float32()))
            .set_column(4, "at", table["at"].cast(pa.date32()))
        ),
    }[kind]()
    assert isinstance(given, pd.DataFrame | pl.DataFrame | pa.Table | pa.RecordBatch)
    assert loaded.apply(given).equals(expected)


def test_a_table_in_pieces_is_judged_as_one(
    loaded: rules.LoadedRules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of the table and blocks of the evaluator change nothing."""
    table = pa.table({"amount": [5.0, 500.0, None, 50.0, 7.0], "count": [1, 2, 3, 9, 9]})
    expected = loaded.apply(table).combine_chunks()
    pieces = pa.concat_tables([table.slice(0, 2), table.slice(2, 1), table.slice(3)])
    monkeypatch.setattr("rules.loaded.BLOCK_ROWS", 2)
    assert loaded.apply(pieces).combine_chunks().equals(expected)
    assert loaded.apply(table.slice(0, 0)).schema == expected.schema


def test_what_does_not_fit_is_refused_all_at_once(loaded: rules.LoadedRules) -> None:
    """Every value and every column of another type is named."""
    with pytest.raises(rules.RulesError) as caught:
        loaded.judge(
            {"amount": "5", "count": 1.5, "is_new": 1, "country": "\ud800", "at": "soon", "other": 1}
        )
    assert [line.split("'")[1] for line in str(caught.value).splitlines()] == list(FIELDS)
    table = pa.table(
        {"amount": ["5"], "count": [1.5], "is_new": [1], "country": [b"FR"], "at": [5], "o": [1]}
    )
    with pytest.raises(rules.RulesError) as caught:
        loaded.apply(table)
    assert [line.split("'")[1] for line in str(caught.value).splitlines()] == list(FIELDS)
    for other in ({"amount": [1]}, [1, 2], pa.array([1]), pl.LazyFrame({"amount": [1]})):
        with pytest.raises(rules.RulesError, match="is no table"):
            loaded.apply(other)


def test_fields_are_refused_all_at_once() -> None:
    """Every field that is wrong is told with what to write instead."""
    fields = {
        "amount": "float",
        "in": "int",
        "2nd": "int",
        "a": {"type": "int", "min": 3, "max": 1},
        "b": {"type": "bool", "min": 1, "vales": []},
        "c": {"type": "string", "values": "FR"},
        "d": 3,
    }
    with pytest.raises(rules.RulesError) as caught:
        rules.load("nowhere", fields)
    assert str(caught.value).splitlines() == [
        "fields.amount: unknown type 'float'; did you mean 'double'?",
        "fields.in: the rule language uses this name itself; rename the field",
        "fields.2nd: not a name; a name is made of letters, digits and _, and does not start with a digit",
        "fields.a: the minimum 3 is above the maximum 1",
        "fields.b: unknown key 'vales'; did you mean 'values'?",
        "fields.b: a bool has no 'min': only int and double do",
        "fields.c: 'values' must be a list of texts, got 'FR'",
        "fields.d: expected a type, got 3; as 'double' or {'type': 'double', 'min': 0}",
    ]


def test_every_problem_of_every_file_is_told(tmp_path: Path) -> None:
    """Files of a folder are checked together, and failed tests count."""
    a = "rules: [{id: x, when: amout > 1, tag: t}]"
    b = "rules: [{id: x, when: 'true', tag: t}]"
    with pytest.raises(rules.CheckFailed) as caught:
        rules.load(written(tmp_path, a=a, b=b, c="rules: ["), FIELDS)
    assert [(problem.file[-6:], problem.line) for problem in caught.value.problems] == [
        ("a.yaml", 1),
        ("b.yaml", 1),
        ("c.yaml", 1),
    ]
    failing = tmp_path / "failing.yaml"
    failing.write_text("rules: [{id: x, when: 'true', tag: t, tests: [{given: {}, expect: none}]}]")
    with pytest.raises(rules.CheckFailed, match="test of 'x' failed"):
        rules.load(failing, FIELDS)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A file that is not there, a folder without rules, and a link to nowhere."""
    with pytest.raises(rules.CheckFailed, match=r"no\.yaml:1:1: cannot be read: No such file"):
        rules.load(tmp_path / "no.yaml", FIELDS)
    with pytest.raises(rules.RulesError, match="a folder without rule files"):
        rules.load(tmp_path, FIELDS)
    (tmp_path / "link.yaml").symlink_to("nowhere")
    with pytest.raises(rules.CheckFailed, match=r"link\.yaml:1:1: cannot be read"):
        rules.load(tmp_path, FIELDS)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "path: expected the path of a file or folder, got nothing"),
        (b"rules", "path: expected the path of a file or folder, got b'rules'"),
        ("a\0b", "path: 'a\\x00b' can be no path: embedded null byte"),
        ("\ud800.yaml", "path: '\\ud800.yaml' can be no path: "),
        ("a" * 300, f"{'a' * 300}:1:1: cannot be read: File name too long"),
    ],
)
def test_what_can_be_no_path_is_refused(given: Any, told: str) -> None:
    """It is an error of the rules' own, for the path of the rules and for `root`."""
    with pytest.raises(rules.RulesError) as caught:
        rules.load(given, FIELDS)
    assert str(caught.value).startswith(told)
    if given is not None:
        with pytest.raises(rules.RulesError) as caught:
            rules.load("a.yaml", FIELDS, root=given)
        assert str(caught.value).startswith(told.replace("path:", "root:", 1))


def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    """Its lines would be shown in errors; a file that is named itself is read wherever it leads."""
    (tmp_path / "secret.yaml").write_text("rules: [{id: x, when: 'true', tag: secret}]")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/x.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(rules.CheckFailed, match=r"mine/x\.yaml:1:1: a link that leads outside the project"):
        rules.load(tmp_path / "mine", FIELDS)
    assert rules.load(tmp_path / "mine", FIELDS, root=tmp_path)
    assert rules.load(tmp_path / "mine/x.yaml", FIELDS)


def test_lists_stand_beside_the_rules_and_nowhere_else(tmp_path: Path) -> None:
    """`lists/` is beside the file, or beside the folder `rules`; a way out of it is refused."""
    text = "lists: {mine: {file: lists/a.txt}}\nrules: [{id: x, when: country in mine, decide: no}]"
    (tmp_path / "rules").mkdir()
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/a.txt").write_text("FR\n")
    fields = {"country": "string"}
    for place in (written(tmp_path / "rules", a=text), tmp_path / "rules/a.yaml"):
        assert rules.load(place, fields).judge({"country": "FR"}).outcome == "no"
    (tmp_path / "lists/a.txt").unlink()
    (tmp_path / "lists/a.txt").symlink_to("/etc/hostname")
    with pytest.raises(rules.CheckFailed, match="leads outside"):
        rules.load(tmp_path / "rules", fields)


def test_a_fresh_process_judges_without_a_model_runtime(tmp_path: Path) -> None:
    """Loading and applying load neither onnxruntime, nor the engine, nor pandas."""
    (tmp_path / "a.yaml").write_text("rules: [{id: x, when: amount > 1, decide: no}]")
    script = (
        "import rules, sys, pyarrow as pa\n"
        "table = rules.load('a.yaml', {'amount': 'double'}).apply(pa.table({'amount': [1.0, 2.0]}))\n"
        "assert table['outcome'].to_pylist() == [None, 'no']\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert not set(done.stdout.split()) & {
        "onnxruntime",
        "engine",
        "embeddings",
        "torch",
        "sklearn",
        "polars",
    }


def test_what_tables_decide_may_be_decided(tmp_path: Path) -> None:
    """Without `outcomes`, the outcomes of the rows of tables count as well, in YAML and in CSV."""
    tables = (
        "tables:\n- {id: a, inputs: [amount], rows: [{amount: '> 5', decide: stop}]}\n"
        "- {id: b, inputs: [count], file: lists/b.csv}\n"
    )
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/b.csv").write_text("count,decide\n7,wait\n")
    loaded = rules.load(written(tmp_path, a=tables), FIELDS)
    assert loaded.checked.outcomes == ("stop", "wait")
    assert loaded.judge({"amount": 6.0}).outcome == "stop"
    assert loaded.judge({"amount": 1.0, "count": 7}).outcome == "wait"


def test_a_name_of_no_field_is_left_out(tmp_path: Path) -> None:
    """A mistyped one is a field that is missing, in a record and in a table."""
    loaded = rules.load(written(tmp_path, cards="rules: [{id: a, when: amount > 100, tag: x}]"), FIELDS)
    assert loaded.judge({"amuont": 500}).unknown == ("a",)
    assert loaded.apply(pa.table({"amuont": [500.0]}))["unknown"].to_pylist() == [["a"]]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"amuont": 500}, "unknown field 'amuont'; did you mean 'amount'?"),
        ({"scores": {"frud": 0.5}}, "unknown field 'scores.frud'; did you mean 'scores.fraud'?"),
        (
            {"amount": "much", "Count": 1},
            "'amount' must be a number, got 'much'\nunknown field 'Count'; did you ",
        ),
        ({7: 1}, "unknown field 7; known: "),
        ({f"x{n}": 1 for n in range(23)}, "unknown field 'x0'; "),
    ],
)
def test_strict_rules_refuse_a_name_of_no_field(tmp_path: Path, record: dict[Any, Any], told: str) -> None:
    """With the field that may be meant, and beside every other problem of the record; many are counted."""
    strict = rules.load(written(tmp_path, cards=FILE), FIELDS, scores=["fraud"], strict=True)
    with pytest.raises(rules.RulesError) as caught:
        strict.judge(record)
    assert str(caught.value).startswith(told)
    assert ("\nand 3 more unknown fields" in str(caught.value)) == (len(record) > 20)


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars"])
def test_strict_rules_refuse_a_column_of_no_field(tmp_path: Path, kind: str) -> None:
    """A struct's fields count as columns, and the unnamed index of a frame does not."""
    strict = rules.load(written(tmp_path, cards=FILE), FIELDS, scores=["fraud"], strict=True)
    made = {"arrow": pa.table, "pandas": pd.DataFrame, "polars": pl.DataFrame}[kind]
    with pytest.raises(rules.RulesError) as caught:
        strict.apply(made({"amuont": [500.0], "scores": [{"frud": 0.5, "fraud": 0.5}], "count": [1]}))
    assert str(caught.value).split("\n") == [
        "unknown column 'amuont'; did you mean 'amount'?",
        "unknown column 'scores.frud'; did you mean 'scores.fraud'?",
    ]
    if kind == "arrow":  # a name may stand twice, and is told once
        with pytest.raises(rules.RulesError) as caught:
            strict.apply(pa.Table.from_arrays([pa.array([1])] * 2, ["x", "x"]))
        assert str(caught.value).startswith("unknown column 'x'; ")
        assert "\n" not in str(caught.value)
    with pytest.raises(rules.RulesError, match=r"is double; int is needed.*\nunknown column 'x'"):
        strict.apply(made({"count": [1.5], "x": [1]}))
    assert strict.apply(made({"amount": [500.0], "count": [1]}))["outcome"].to_pylist() == ["review"]


@given(record=RECORDS)
def test_strict_rules_judge_fields_as_others_do(loaded: rules.LoadedRules, record: dict[str, Any]) -> None:
    """Where a record holds nothing else, the verdict is the same."""
    strict = replace(loaded, strict=True)
    assert strict.judge(record) == loaded.judge(record)


def test_no_field_is_a_length_of_time(tmp_path: Path) -> None:
    """A record holds none; the types told are those that a field may have."""
    path = written(tmp_path, cards="rules: []")
    with pytest.raises(rules.RulesError) as caught:
        rules.load(path, {"a": "duration", "b": "dur"})
    assert str(caught.value).split("\n") == [
        (
            "fields.a: unknown type 'duration'; "
            "a record holds no lengths of time: give two timestamps, or a number of seconds"
        ),
        "fields.b: unknown type 'dur'; known: bool, double, int, string, timestamp",
    ]


def test_a_period_without_a_field_of_time_names_the_argument(tmp_path: Path) -> None:
    """As well as what a project says in its file."""
    rule = "{id: a, when: amount > 1, tag: x, effective: {from: 2026-11-01}}"
    path = written(tmp_path, cards=f"rules: [{rule}]")
    fields = {"amount": "double", "happened": "timestamp"}
    with pytest.raises(rules.CheckFailed, match=r"or event_time= of rules\.load"):
        rules.load(path, fields)
    rules.load(path, fields, event_time="happened")
