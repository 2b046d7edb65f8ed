"""A pair of categories from the table to the decision: served as learnt, explained by both fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.bundle import open_bundle, write_bundle
from engine.cli import main
from engine.decide import Runtime
from engine.project import load_project
from engine.serve import Engine
from engine.training.build import fit
from rules.errors import CheckFailed
from tests.engine.training.small_project import NOW

PROJECT = """\
name: cards
fields:
  shop: {type: category, nullable: true}
  card: {type: category}
  amount: {type: float}
outcomes: [pass, stop]
labels: {fraud: {column: fraud, positive: true}}
embedding: {width: 8, hidden: [16], bins: 4, epochs: 4, seed: 3%s}
classifiers: {fraud: {label: fraud, candidates: [logistic]}}
policy: [{when: scores.fraud > 0.5, decide: stop}, {when: "true", decide: pass}]
split: {by: random, validation: 0.2, test: 0.2, seed: 5}
"""
SHOPS, CARDS = 20, 16


def payments(rows: int = 5_000, seed: int = 1) -> pa.Table:
    """Neither shop nor card says anything of fraud; both together do."""
    rng = np.random.default_rng(seed)
    shop, card = rng.integers(0, SHOPS, rows), rng.integers(0, CARDS, rows)
    together = np.random.default_rng(0).permuted(np.tile(np.resize([0.1, 0.9], CARDS), (SHOPS, 1)), axis=1)
    return pa.table(
        {
            "shop": pa.array([f"s{one}" for one in shop], mask=rng.random(rows) < 0.02),
            "card": [f"c{one}" for one in card],
            "amount": rng.normal(size=rows),
            "fraud": rng.random(rows) < together[shop, card],
        }
    )


def project_in(root: Path, more: str = "") -> Path:
    root.mkdir()
    (root / "project.yaml").write_text(PROJECT % more)
    return root


def test_from_the_table_to_the_decision(tmp_path: Path) -> None:
    """The report names the pair; opened from disk, the bundle decides a row alone as in a batch, also levels
    that never met; and both fields, not the one or the other, are what moved the score.
    """
    bundle = fit(load_project(project_in(tmp_path / "p")), payments(), now=NOW)
    assert bundle.json("evaluation.json")["training"]["embedding"]["pairs"] == [["shop", "card"]]
    assert bundle.json("evaluation.json")["classifiers"]["fraud"]["auc"] > 0.8
    assert bundle.json("model/encoding.json")["format"] == 1
    write_bundle(bundle, tmp_path / "b")
    engine = Engine(Runtime.open(open_bundle(tmp_path / "b")))
    rows = payments(120, seed=8).drop_columns("fraud")
    rows = rows.set_column(0, "shop", pa.array([*rows["shop"].to_pylist()[:110], *["new"] * 10]))
    together = engine.decide_batch(rows)["scores.fraud"].to_pylist()
    assert [engine.decide(one, now=NOW).scores["fraud"] for one in rows.to_pylist()] == together
    sizes: dict[str, list[float]] = {name: [] for name in ("shop", "card", "amount")}
    for record in rows.slice(0, 40).to_pylist():
        found = engine.explain(record, now=NOW).contributions["fraud"]
        assert found.base + sum(found.fields.values()) == pytest.approx(found.log_odds, abs=1e-9)
        for name in sizes:
            sizes[name].append(abs(found.fields[name]))
    mean = {name: np.mean(of) for name, of in sizes.items()}
    assert min(mean["shop"], mean["card"]) > 4 * mean["amount"]


def test_fit_says_which_pair_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its fields' names; and nothing of pairs where there is none, or where no embedding is served."""
    cases = (("auto", "logistic", True), ("none", "logistic", False), ("auto", "raw-logistic", False))
    for pairs, candidate, told in cases:
        root = project_in(tmp_path / f"{pairs} {candidate}", f", pairs: {pairs}")
        text = (root / "project.yaml").read_text().replace("[logistic]", f"[{candidate}]")
        (root / "project.yaml").write_text(text + "data: {train: payments.parquet}\n")
        pq.write_table(payments(), root / "payments.parquet")
        assert main(["fit", str(root)]) == 0
        said = capsys.readouterr()
        assert ("shop and card also enter together, as a pair" in said.out + said.err) == told
        assert ("no embedding is served" in said.out) != told


def test_none_and_names_are_heeded(tmp_path: Path) -> None:
    """`none` takes none where one would pay, and the rest tells nothing; a named pair is that of auto."""
    models = {}
    for place, pairs in enumerate(("auto", "none", "[[card, shop]]")):
        project = load_project(project_in(tmp_path / str(place), f", pairs: {pairs}"))
        models[pairs] = fit(project, payments(), now=NOW)
    assert "pairs" not in models["none"].json("evaluation.json")["training"]["embedding"]
    assert models["none"].json("evaluation.json")["classifiers"]["fraud"]["auc"] < 0.7
    assert models["[[card, shop]]"].parts["model/model.onnx"] == models["auto"].parts["model/model.onnx"]


def test_a_pair_of_a_field_that_is_no_category_is_told_with_its_line(tmp_path: Path) -> None:
    """A name that is nearly right too."""
    for written, hint in (("[[shop, amount]]", "no category"), ("[[shp, card]]", "did you mean 'shop'")):
        root = project_in(tmp_path / written.strip("[]")[:3], f", pairs: {written}")
        with pytest.raises(CheckFailed, match=hint) as told:
            load_project(root)
        assert "project.yaml:8:" in str(told.value)


def test_each_pair_that_is_wrong_is_told_at_its_place(tmp_path: Path) -> None:
    """With what is wrong with that one; a field kept from the model is no mistyped one."""
    written = ", without: [card], pairs: [[shop, card], [shop, shp], [shop, shop], [shop], 3]"
    root = project_in(tmp_path / "p", written)
    line = next(one for one in (root / "project.yaml").read_text().splitlines() if "pairs" in one)
    with pytest.raises(CheckFailed) as told:
        load_project(root)
    said = {(one.line, one.column): (one.message, one.hint) for one in told.value.problems}
    starts = (line.index("card], [") + 1, line.index("shp") + 1, line.index("shop, shop") + 7,
              line.index("[shop]") + 1, line.index("3]", line.index("[shop]")) + 1)  # fmt: skip
    assert said == {
        (8, starts[0]): (
            "pairs: 'card' is no category that the embedding reads",
            "'without' keeps 'card' for the rules alone",
        ),
        (8, starts[1]): ("pairs: 'shp' is no category that the embedding reads", "did you mean 'shop'?"),
        (8, starts[2]): (
            "pairs: 'shop' is named twice: a pair is of two",
            "name another category beside it",
        ),
        (8, starts[3]): ("pairs: got ['shop']", "give names of two categories, as [country, device]"),
        (8, starts[4]): ("pairs: got 3", "give names of two categories, as [country, device]"),
    }
