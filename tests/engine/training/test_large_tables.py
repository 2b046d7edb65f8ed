"""A table too large for memory is fitted to the digest that it would have had there, and sampled where it is
larger than what a fit learns from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from engine import spill
from engine.bundle import Bundle
from engine.cli import tables
from engine.evaluation.evaluate import evaluate, project_of
from engine.formats import open_target
from engine.runtime import Runtime
from engine.spill import gathered
from engine.training import split
from engine.training.build import fit
from engine.training.prepare import prepare
from engine.training.reuse import fingerprint
from engine.training.rows import read_labelled
from engine.training.split import Parts, bounded
from tests.engine.training.small_project import NOW, PROJECT, fitted, small_table, write_project


@pytest.fixture
def all_in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every table lies in files, and is read 64 rows at a time."""
    monkeypatch.setattr(spill, "MOST_BYTES", 0)
    monkeypatch.setattr(spill, "BLOCK_ROWS", 64)


def in_files(table: pa.Table, folder: Path) -> pa.Table:
    return gathered(iter(table.to_batches(max_chunksize=50)), folder, most=0)


def same(one: Bundle, other: Bundle) -> None:
    assert one.digest == other.digest
    assert one.json("evaluation.json") == other.json("evaluation.json")
    assert one.lineage["model_key"] == other.lineage["model_key"]


@pytest.mark.usefixtures("all_in_files")
def test_in_files_it_comes_to_the_same(tmp_path: Path) -> None:
    """Digest, evaluation and model key are those of a fit in memory; nothing is left in the folder."""
    project = write_project(tmp_path)
    bundle = fit(project, in_files(small_table(), tmp_path / "given"), now=NOW)
    same(bundle, fitted()[1])
    assert list((tmp_path / spill.SPILL).iterdir()) == []


def test_groups_weights_rejects_and_missing_labels_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows left out, rows that count differently, and rows that stay together."""
    table = small_table(600)
    draw = np.random.default_rng(4)
    stops = np.where(draw.random(600) < 0.05, -1, table["stops"].to_numpy())
    lost = pa.array(table["was_lost"].to_pylist(), mask=draw.random(600) < 0.2)
    table = table.set_column(1, "stops", pa.array(stops)).set_column(6, "was_lost", lost)
    table = table.append_column("customer", pa.array([f"c{row % 97}" for row in range(600)]))
    table = table.append_column("worth", pa.array(draw.integers(0, 4, 600)))
    text = PROJECT.replace("by: random,", "by: group, field: customer,").replace(
        'positive: "yes"}', 'positive: "yes", weight: worth}'
    )
    held_out = small_table(200, seed=9).append_column("worth", pa.array(np.ones(200)))
    project = write_project(tmp_path, text=text)
    memory = fit(project, table, held_out, now=NOW)
    monkeypatch.setattr(spill, "MOST_BYTES", 0)
    monkeypatch.setattr(spill, "BLOCK_ROWS", 64)
    files = fit(project, in_files(table, tmp_path / "a"), in_files(held_out, tmp_path / "b"), now=NOW)
    same(files, memory)
    assert files.json("evaluation.json")["data"]["rejected"] > 0


@pytest.mark.usefixtures("all_in_files")
def test_an_evaluation_of_many_rows_is_that_of_all_at_once(tmp_path: Path) -> None:
    """Every figure, of classifiers, of the three ways, and of each rule."""
    project, bundle = fitted()
    runtime = Runtime.open(bundle)
    table = small_table(300, seed=8)
    files = evaluate(runtime, project, in_files(table, tmp_path), folder=tmp_path / "spill")
    spill.MOST_BYTES, spill.BLOCK_ROWS = 2**30, 65_536
    assert files == evaluate(runtime, project_of(bundle), table)


@pytest.mark.usefixtures("all_in_files")
def test_rows_taken_by_number_are_those_rows(tmp_path: Path) -> None:
    """With their codes, wherever their blocks begin."""
    project = write_project(tmp_path)
    table = small_table(500)
    rows = read_labelled(project, table, "rows")
    chosen = np.sort(np.random.default_rng(2).permutation(500)[:200])
    taken = rows.take(chosen)
    assert taken.fields.column("stops").to_pylist() == table["stops"].take(pa.array(chosen)).to_pylist()
    assert taken.codes["size"].tolist() == rows.codes["size"][chosen].tolist()
    with pytest.raises(ValueError, match="ascend"):
        rows.take(chosen[::-1])


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fit learns from 100 rows and chooses by 40."""
    monkeypatch.setattr(split, "MOST_TRAIN", 100)
    monkeypatch.setattr(split, "MOST_VALIDATION", 40)
    return


@pytest.mark.usefixtures("bounds")
def test_a_larger_table_is_sampled_and_it_is_said(tmp_path: Path) -> None:
    """The same sample in memory and in files; all test rows are judged."""
    project = write_project(tmp_path)
    bundle = fit(project, small_table(), now=NOW)
    same(fit(project, in_files(small_table(), tmp_path / "given"), now=NOW), bundle)
    evaluation = bundle.json("evaluation.json")
    assert evaluation["training"]["rows"] == {"train": 100, "validation": 40, "test": 175}
    assert evaluation["rows"] == 175
    assert evaluation["data"]["warnings"][-1] == (
        "learned from 100 of 385 training rows, chosen by 40 of 140 validation rows: samples of a large table"
    )
    assert bundle.digest != fitted()[1].digest


@pytest.mark.usefixtures("bounds")
def test_within_the_bounds_all_rows_are_taken(tmp_path: Path) -> None:
    """Nothing is said of samples then."""
    project = write_project(tmp_path)
    prepared = prepare(project, small_table(150))
    assert len(prepared.parts.train) + len(prepared.parts.validation) + len(prepared.parts.test) == 150
    assert not any("samples" in one for one in prepared.rows.warnings)


@pytest.mark.usefixtures("bounds")
def test_a_sample_keeps_some_rows_of_every_class() -> None:
    """Ten of a class that has them, whatever the bound; the seed alone says which."""
    rare = np.zeros(5_000, np.int64)
    rare[[3, 700, 1_800, *range(2_000, 2_020)]] = 1
    parts = Parts(np.arange(4_000), np.arange(4_000, 5_000), np.empty(0, np.int64))
    drawn = bounded(parts, {"rare": rare}, seed=1)
    assert np.array_equal(drawn.train, bounded(parts, {"rare": rare}, seed=1).train)
    assert not np.array_equal(drawn.train, bounded(parts, {"rare": rare}, seed=2).train)
    assert rare[drawn.train].sum() == 10
    assert 100 <= len(drawn.train) <= 110
    assert len(drawn.validation) == 40
    assert (np.diff(drawn.train) > 0).all()


def test_of_long_texts_fewer_rows_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many that one column of them is within bounds."""
    monkeypatch.setattr(split, "MOST_TEXT", 10_000)
    parts = Parts(np.arange(800), np.arange(800, 1_000), np.empty(0, np.int64))
    classes = {"one": np.zeros(1_000, np.int64)}
    assert len(bounded(parts, classes, 1, text=50.0).train) == 200
    assert len(bounded(parts, classes, 1, text=12.0).train) == 800


def test_the_longest_text_counts(tmp_path: Path) -> None:
    """By its bytes, missing ones as none."""
    table = small_table(100).set_column(4, "memo", pa.array(["é" * 10, None] * 50))
    assert read_labelled(write_project(tmp_path), table, "rows").longest_text() == 10.0


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.jsonl", "rows.parquet"])
def test_a_file_of_any_format_is_the_same_table_in_files(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a later block's numbers have fractions, and earlier ones' had none."""
    monkeypatch.setattr(tables, "ROWS_A_BLOCK", 40)
    rows = {"whole": [*range(100), 0.5], "text": [f"é{row}" for row in range(101)]}
    target = open_target(tmp_path / name, tmp_path / name, pa.table(rows).schema)
    records = [{"whole": w, "text": t} for w, t in zip(*rows.values(), strict=True)]
    target.write(records if "jsonl" in name else pa.table(rows).to_batches()[0])
    target.close()
    memory = tables.read_table(tmp_path / name, tmp_path / "spill")
    assert not (tmp_path / "spill").exists()
    monkeypatch.setattr(spill, "MOST_BYTES", 0)
    files = tables.read_table(tmp_path / name, tmp_path / "spill")
    assert files.equals(memory)
    assert fingerprint(files) == fingerprint(memory)
    assert list((tmp_path / "spill").iterdir()) == []
