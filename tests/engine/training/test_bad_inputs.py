"""Tables that something is wrong with: a clear message, or a sound default that the report tells of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engine.bundle import Bundle
from engine.decide import Runtime
from engine.errors import InputError, RecordError
from engine.serve import Engine
from engine.training.build import fit
from engine.training.prepare import _rows
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project

QUICK = PROJECT.replace("epochs: 4", "epochs: 1")


def with_column(table: pa.Table, name: str, values: object) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def fitted(root: Path, table: pa.Table, text: str = QUICK) -> tuple[Bundle, list[str]]:
    """The bundle, and what its report warns of."""
    bundle = fit(write_project(root, text=text), table, now=NOW)
    return bundle, bundle.json("evaluation.json")["data"]["warnings"]


def decides_alike(bundle: Bundle, rows: pa.Table) -> None:
    """Rows are decided alone as they are together, with finite scores or none."""
    engine = Engine(Runtime.open(bundle))
    together = engine.decide_batch(rows)
    for place, record in enumerate(rows.to_pylist()):
        alone = engine.decide(record, now=NOW)
        assert alone.outcome == together["outcome"][place].as_py()
        assert all(one is None or 0 <= one <= 1 for one in alone.scores.values())
        assert alone.scores["lost"] == together["scores.lost"][place].as_py()


@pytest.mark.parametrize(
    ("name", "value"),
    [("weight", 2.5), ("stops", 3), ("express", True), ("country", "FR"), ("memo", "books")],
)
def test_a_constant_field_is_kept_and_told_of(tmp_path: Path, name: str, value: object) -> None:
    """Another value than the one of training is decided on, too."""
    table = with_column(small_table(300), name, [value] * 300)
    bundle, warnings = fitted(tmp_path, table)
    assert (
        f"field '{name}': the same value in every training row; it is kept, and nothing is learned from it"
        in warnings
    )
    decides_alike(bundle, pa.concat_tables([table.slice(0, 5), small_table(5, seed=9)]))


def test_fields_missing_in_every_row_are_kept_and_told_of(tmp_path: Path) -> None:
    """One of each type that may be missing, all at once; a row that has them is decided on."""
    table = small_table(300)
    for name, kind in (("weight", pa.float64()), ("country", pa.string()), ("memo", pa.string())):
        table = table.set_column(table.column_names.index(name), name, pa.nulls(300, kind))
    bundle, warnings = fitted(tmp_path, table)
    assert sum("missing in every row" in one for one in warnings) == 3
    decides_alike(bundle, small_table(5, seed=9))


def test_a_label_seen_once_is_refused(tmp_path: Path) -> None:
    """One row of a class can be in one part only: nothing could be both learned and judged."""
    table = with_column(small_table(200), "was_lost", ["yes"] + ["no"] * 199)
    with pytest.raises(
        InputError, match=r"a class has fewer than 10 rows \(no: 199, yes: 1\); give more rows"
    ):
        fitted(tmp_path, table)


def test_a_hundred_thousand_levels_are_counted_and_read_alike(tmp_path: Path) -> None:
    """Each seen once, none has a place of its own; the report says how many rows that leaves."""

    def levels(rows: int) -> pa.Table:
        return with_column(small_table(rows), "country", [f"level {number}" for number in range(rows)])

    project = write_project(tmp_path, text=QUICK)
    warnings = _rows(project, levels(100_000), "the table", test=True)[0].warnings
    told = "field 'country': 55,000 values, of which 0 have a place of their own"
    assert [one for one in warnings if one.startswith(told)]
    bundle, warnings = fitted(tmp_path, levels(2_000))
    assert [one for one in warnings if "1,100 values, of which 0 have a place of their own" in one]
    assert len(bundle.parts["model/encoding.json"]) < 10_000
    decides_alike(bundle, levels(3))


def test_texts_of_a_megabyte_are_read_at_their_beginning(tmp_path: Path) -> None:
    """The report says so, and what stands further on changes no score."""
    table = small_table(300)
    memos = table["memo"].to_pylist()
    table = with_column(table, "memo", [memos[0] + " x" * 500_000, *memos[1:]])
    bundle, warnings = fitted(tmp_path, table, QUICK.replace("by: random,", "by: order,"))
    assert any("longer than 2,048 bytes; only the beginning is read" in one for one in warnings)
    decides_alike(bundle, table.slice(0, 2))
    engine, record = Engine(Runtime.open(bundle)), table.slice(0, 1).to_pylist()[0]
    other = record | {"memo": record["memo"][:-1] + "y"}
    assert engine.decide(record, now=NOW).scores == engine.decide(other, now=NOW).scores


def test_infinite_values_are_rejected_and_counted(tmp_path: Path) -> None:
    """They are no values of a float field: the rows are left out, and the report says which and how many."""
    table = small_table(300)
    weights = [np.inf, -np.inf, *table["weight"].to_pylist()[2:]]
    bundle, _ = fitted(tmp_path, with_column(table, "weight", weights))
    data = bundle.json("evaluation.json")["data"]
    assert (data["read"], data["rejected"]) == (300, 2)
    assert list(data["problems"].values()) == [2]
    with pytest.raises(RecordError, match="weight"):
        Engine(Runtime.open(bundle)).decide(small_table(1).to_pylist()[0] | {"weight": np.inf})


def test_rows_on_both_sides_of_the_split_are_counted(tmp_path: Path) -> None:
    """Every row is there twice: the report says that its figures flatter, and what to do."""
    table = small_table(300)
    bundle, warnings = fitted(tmp_path, pa.concat_tables([table, table]))
    told = [
        one
        for one in (*warnings, *bundle.json("evaluation.json")["warnings"])
        if "equal a training row in every field" in one
    ]
    assert [one.split(" rows equal")[0].split()[-1] for one in told] == ["validation", "test"]
    assert all("split by group" in one for one in told)


def test_a_time_that_runs_backwards_is_put_in_order_by_a_split_by_time(tmp_path: Path) -> None:
    """The same rows turned about give the same parts, and so the same model and figures."""
    text = QUICK.replace("by: random,", "by: time, field: sent,")
    table = small_table(300)
    turned = table.take(pa.array(np.arange(299, -1, -1)))
    (_, plain), (bundle, warnings) = fitted(tmp_path / "a", table, text), fitted(tmp_path / "b", turned, text)
    assert warnings == plain
    assert bundle.json("evaluation.json")["rows"] == 75


def test_a_time_that_runs_backwards_is_told_of_by_a_split_by_order(tmp_path: Path) -> None:
    """There the last rows would be the oldest: the report says so, and what to write instead."""
    text = QUICK.replace("by: random,", "by: order,").replace("outcomes: [", "event_time: sent\noutcomes: [")
    table = small_table(300)
    turned = table.take(pa.array(np.arange(299, -1, -1)))
    assert fitted(tmp_path / "a", table, text)[1] == []
    _, warnings = fitted(tmp_path / "b", turned, text)
    assert len(warnings) == 1
    assert warnings[0].startswith("field 'sent': time runs backwards in the file")
    assert "split: {by: time, field: sent}" in warnings[0]
