"""A project and a table become one bundle: reproducible, evaluated, its model reused where nothing changed
it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.errors import InputError
from engine.model import Model
from engine.training.build import fit
from engine.training.reuse import fingerprint
from rules.errors import CheckFailed
from tests.engine.training.small_project import (
    NOW,
    PROJECT,
    RULES,
    fitted,
    small_table,
    write_project,
)


def test_a_fit_gives_every_part_of_a_bundle() -> None:
    """Model, schema, policy, rules, the project as written, and the evaluation."""
    project, bundle = fitted()
    assert set(bundle.parts) == {
        "model/model.onnx",
        "model/encoding.json",
        "model/scores.json",
        "model/references.json",
        "schema.json",
        "policy.json",
        "rules/parcels.yaml",
        "expressions.json",
        "project.yaml",
        "evaluation.json",
        "seen.json",
    }
    assert bundle.parts["project.yaml"] == project.text
    assert bundle.json("model/scores.json")["scores"] == ["lost", "size.small", "size.middle", "size.large"]


def test_the_lineage_says_where_the_bundle_comes_from() -> None:
    """Data by fingerprint, seeds, library versions, and the key by which the model is reused."""
    lineage = fitted()[1].lineage
    assert lineage["data"] == {"train": fingerprint(small_table())}
    assert lineage["seed"] == {"embedding": 3, "split": 5}
    assert lineage["libraries"].keys() >= {"torch", "scikit-learn", "onnxruntime"}
    assert lineage["model_key"].startswith("sha256:")


def test_a_bundle_fitted_again_is_not_its_own_parent(tmp_path: Path) -> None:
    """The same inputs give the same digest, and the parent stays the one it had."""
    before = fitted()[1]
    _, again = steps_of(tmp_path, small_table(), PROJECT, RULES)
    assert again.digest == before.digest
    assert again.lineage["parent"] == before.lineage["parent"] is None


def test_the_report_keeps_the_table_of_candidates() -> None:
    """For each classifier every kind that ran, its loss and parity, one of them chosen."""
    training = fitted()[1].json("evaluation.json")["training"]
    assert [one["kind"] for one in training["candidates"]["lost"]] == [
        "raw-logistic",
        "logistic",
        "naive-bayes",
    ]
    assert [one["kind"] for one in training["candidates"]["size"]] == ["raw-logistic", "logistic", "tree"]
    for table in training["candidates"].values():
        assert sum(one["chosen"] for one in table) == 1
        assert all(one["parity"] <= 1e-5 for one in table)
    assert training["rows"] == {"train": 385, "validation": 140, "test": 175}


def test_the_model_learned_something() -> None:
    """AUC on test rows is far above a coin's, for both labels."""
    classifiers = fitted()[1].json("evaluation.json")["classifiers"]
    assert classifiers["lost"]["auc"] > 0.8
    assert classifiers["size"]["auc"] > 0.7


def test_class_scores_of_a_row_sum_to_one() -> None:
    """The scores of a classifier with three classes are a distribution."""
    project, bundle = fitted()
    rows = np.array(
        Model.open(bundle.parts, project.schema).record({f.name: None for f in project.schema.fields})
    )
    assert rows[1:].sum() == pytest.approx(1, abs=1e-6)


def test_a_fitted_bundle_states_its_sums_and_is_explained_alike_without_them(tmp_path: Path) -> None:
    """The first layer, and the margins of a baseline: by them a field adds what it adds by all."""
    project = write_project(tmp_path, text=PROJECT.replace("epochs: 4", "epochs: 20"))
    table = small_table(3_000)
    crossed = pc.multiply(pc.fill_null(table["weight"], 0.0), pc.subtract(table["stops"], 4.5))
    lost = pc.if_else(pc.greater(crossed, 0.0), "yes", "no")
    table = table.set_column(table.schema.get_field_index("was_lost"), "was_lost", lost)
    parts = fit(project, table, now=NOW).parts
    model, whole = Model.open(parts, project.schema), Model.open(parts, project.schema)
    assert [one["kind"] for one in model.classifiers] == ["logistic", "raw-logistic"]
    assert model.sums == ("embedding/layer0", "head.size.logits")
    whole.sums = ()
    by_sums, by_all = model.explainer(), whole.explainer()
    assert by_sums is not None
    assert by_all is not None
    for row in small_table(20, 9).to_pylist():
        values = project.schema.read(row)
        found, expected = by_sums.explain(values), by_all.explain(values)
        for score in model.scores:
            assert found[score].log_odds == pytest.approx(expected[score].log_odds, abs=1e-4)
            for name, added in expected[score].fields.items():
                assert found[score].fields[name] == pytest.approx(added, abs=1e-4)


SCRIPT = """
import sys
from pathlib import Path
from engine.training.build import fit
from tests.engine.training.small_project import NOW, small_table, write_project
print(fit(write_project(Path(sys.argv[1])), small_table(), now=NOW).digest)
"""


def test_two_processes_give_the_same_digest(tmp_path: Path) -> None:
    """Same rows, project and seeds, other hash seeds: the digest of this process and of another."""
    root = Path(__file__).parents[3]
    other = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        cwd=root,
        env=os.environ | {"PYTHONHASHSEED": "99", "PYTHONPATH": str(root)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert other.stdout.strip() == fitted()[1].digest


def steps_of(root: Path, table: pa.Table, text: str = PROJECT, rules: str = RULES) -> tuple[bool, object]:
    """Fit with the fitted bundle as the previous one; whether the embedding was trained, and the bundle."""
    said: list[str] = []
    bundle = fit(
        write_project(root, text=text, rules=rules),
        table,
        now=NOW,
        progress=lambda step, _: said.append(step),
        previous=fitted()[1],
    )
    return any("training the embedding" in step for step in said), bundle


def test_an_edit_of_rules_policy_or_outcomes_reuses_the_model(tmp_path: Path) -> None:
    """The same model parts under another digest, with the report of how they were learned, without
    training.
    """
    edited = PROJECT.replace(">= 0.6", ">= 0.7").replace("[ship, check, hold]", "[ship, check, ask, hold]")
    trained, bundle = steps_of(tmp_path, small_table(), edited, RULES.replace("> 1.5", "> 1.4"))
    before = fitted()[1]
    assert not trained
    assert bundle.digest != before.digest
    assert bundle.parts["model/model.onnx"] == before.parts["model/model.onnx"]
    assert bundle.lineage["parent"] == before.digest
    assert bundle.json("evaluation.json")["training"] == before.json("evaluation.json")["training"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (small_table(seed=2), PROJECT),
        (small_table(), PROJECT.replace("epochs: 4", "epochs: 1")),
        (small_table(), PROJECT.replace("seed: 5", "seed: 6")),
        (small_table(), PROJECT.replace("[logistic, naive-bayes]", "[logistic]")),
        (small_table(), PROJECT.replace("{type: int, min: 0}", "{type: int, min: -1}")),
    ],
)
def test_what_shapes_the_model_has_it_trained_again(tmp_path: Path, table: pa.Table, text: str) -> None:
    """Other rows, settings, seeds, candidates or fields are another model."""
    assert steps_of(tmp_path, table, text)[0]


def test_a_fingerprint_is_of_the_values_and_not_of_their_chunks() -> None:
    """Cut up it is the same, with one value changed it is not."""
    table = small_table(50)
    assert fingerprint(pa.concat_tables([table.slice(0, 9), table.slice(9)])) == fingerprint(table)
    assert fingerprint(table.slice(1)) != fingerprint(table)


def test_a_test_table_is_kept_from_learning(tmp_path: Path) -> None:
    """With a test table no row of the training table is held out for the test, and the figures are of the
    former.
    """
    project = write_project(tmp_path, text=PROJECT.replace("epochs: 4", "epochs: 1"))
    bundle = fit(project, small_table(300), small_table(111, seed=9), now=NOW)
    evaluation = bundle.json("evaluation.json")
    assert evaluation["training"]["rows"] == {"train": 240, "validation": 60, "test": 0}
    assert (evaluation["rows"], evaluation["source"]) == (111, "rows of the test file")


def test_rules_are_checked_before_anything_is_learned(tmp_path: Path) -> None:
    """A mistyped field in a rule is told at its place, with nothing read or trained."""
    said: list[str] = []
    project = write_project(tmp_path, rules=RULES.replace("weight >", "wieght >"))
    with pytest.raises(CheckFailed, match=r"rules/parcels\.yaml:9:"):
        fit(project, small_table(), now=NOW, progress=lambda step, _: said.append(step))
    assert said == ["checking rules"]


def relabelled(values: list) -> pa.Table:
    table = small_table(len(values))
    return table.set_column(table.column_names.index("was_lost"), "was_lost", pa.array(values, pa.string()))


@pytest.mark.parametrize(
    ("message", "table"),
    [
        ("no column 'was_lost' for label 'lost'", small_table(50).drop_columns(["was_lost"])),
        (r"label 'lost' \(column 'was_lost'\): every row's label is missing", relabelled([None] * 50)),
        (r"constant, all 50 labelled rows are of one class .*the column holds 'no'", relabelled(["no"] * 50)),
        (r"a class has fewer than 10 rows \(no: 48, yes: 2\)", relabelled(["no"] * 48 + ["yes"] * 2)),
        ("the training table: no rows", small_table(10).slice(0, 0)),
        ("the training table: no column 'stops'", small_table(50).drop_columns(["stops"])),
    ],
)
def test_data_that_nothing_can_be_learned_from_is_refused(
    tmp_path: Path, message: str, table: pa.Table
) -> None:
    """Before training, by name, with what to try."""
    with pytest.raises(InputError, match=message):
        fit(write_project(tmp_path), table, now=NOW)


def test_a_label_that_is_also_a_field_is_refused(tmp_path: Path) -> None:
    """The model would be given its own answer."""
    leaking = PROJECT.replace("outcomes:", "  was_lost: {type: category}\noutcomes:")
    with pytest.raises((InputError, CheckFailed), match="was_lost"):
        fit(write_project(tmp_path, text=leaking), small_table(), now=NOW)


def test_a_split_by_time_without_both_classes_in_a_part_is_refused(tmp_path: Path) -> None:
    """Every early row is one class, every late one the other: there is nothing to judge by."""
    table = relabelled(["no"] * 100 + ["yes"] * 100)
    text = PROJECT.replace("by: random,", "by: time, field: sent,")
    with pytest.raises(InputError, match="no validation row is of class 'no' after the split by time"):
        fit(write_project(tmp_path, text=text), table, now=NOW)


def test_an_all_null_field_and_null_labels_do_not_stop_a_fit(tmp_path: Path) -> None:
    """They are counted and warned of in the evaluation."""
    table = small_table(300)
    table = table.set_column(0, "weight", pa.nulls(300, pa.float64()))
    labels = table.column("was_lost").to_pylist()
    table = table.set_column(
        table.column_names.index("was_lost"), "was_lost", pa.array([None] * 5 + labels[5:])
    )
    project = write_project(tmp_path, text=PROJECT.replace("epochs: 4", "epochs: 1"))
    warnings = fit(project, table, now=NOW).json("evaluation.json")["data"]["warnings"]
    assert warnings[0].startswith("field 'weight': missing in every row")
    assert warnings[1] == "label 'lost': missing in 5 of 300 rows"
