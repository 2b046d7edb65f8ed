"""An evaluation counts what the engine decides, row for row, and values it as the project says."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from engine.decide import Runtime, decide_record
from engine.decision import POLICY, Decision
from engine.evaluation.evaluate import Evaluation, evaluate, project_of
from engine.evaluation.report import render, tables
from tests.engine.training.small_project import NOW, fitted, small_table


@cache
def evaluated() -> tuple[Evaluation, list[Decision], list[dict]]:
    """An evaluation of 300 new rows; each row's decision, made alone; the rows."""
    project, bundle = fitted()
    runtime = Runtime.open(bundle)
    table = small_table(300, seed=8)
    rows = table.to_pylist()
    decisions = [decide_record(runtime, row, now=NOW) for row in rows]
    return evaluate(runtime, project, table, source="parcels.csv"), decisions, rows


def counts(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in ("ship", "check", "hold")}


def test_together_counts_what_every_record_gets_alone() -> None:
    """Outcomes, precision and recall are those of the decisions of single records."""
    evaluation, decisions, rows = evaluated()
    figures = evaluation.ways["together"]
    assert figures["outcomes"] == counts([decision.outcome for decision in decisions])
    acted = [decision.outcome in ("check", "hold") for decision in decisions]
    hits = sum(act and row["was_lost"] == "yes" for act, row in zip(acted, rows, strict=True))
    assert figures["acted"] == sum(acted)
    assert figures["precision"] == pytest.approx(hits / sum(acted))
    assert figures["recall"] == pytest.approx(hits / sum(row["was_lost"] == "yes" for row in rows))


def test_the_model_alone_is_what_it_proposes() -> None:
    """Where the engine ran the model, its proposal; and the model is judged on the other rows as well."""
    evaluation, decisions, _ = evaluated()
    proposed = counts([decision.proposed for decision in decisions if decision.proposed is not None])
    alone = evaluation.ways["model"]["outcomes"]
    assert sum(alone.values()) == 300
    assert all(alone[name] >= proposed[name] for name in alone)


def test_filters_alone_see_no_scores() -> None:
    """Only the rule that needs no score decides; the rest is the mildest outcome."""
    evaluation, _, rows = evaluated()
    far = sum(row["country"] == "NZ" for row in rows)
    assert evaluation.ways["filters"]["outcomes"] == {"ship": 300 - far, "check": far, "hold": 0}


def test_the_value_is_the_projects_expression_over_the_rows() -> None:
    """10 for each lost parcel held, −2 for each other held."""
    evaluation, decisions, rows = evaluated()
    value = sum(
        (10.0 if row["was_lost"] == "yes" else -2.0)
        for row, decision in zip(rows, decisions, strict=True)
        if decision.outcome == "hold"
    )
    assert value != 0
    assert evaluation.ways["together"]["value"] == {"total": value, "per_row": value / 300, "rows": 300}


def test_rules_are_counted_as_the_decisions_name_them() -> None:
    """Fired, decided and shadow by rule; overrode counts the rows that the model alone decides otherwise."""
    evaluation, decisions, _ = evaluated()
    by_id = {row["id"]: row for row in evaluation.rules}
    assert list(by_id) == [
        "far-countries",
        "heavy-and-likely-lost",
        "express-is-safer",
        "many-stops-on-trial",
    ]
    for rule, row in by_id.items():
        assert row["fired"] == sum(rule in decision.fired for decision in decisions)
        assert row["shadow"] == sum(rule in decision.shadow for decision in decisions)
        assert row["unknown"] == sum(rule in decision.unknown for decision in decisions)
        assert row["decided"] == sum(decision.decided_by == rule for decision in decisions)
        assert row["overrode"] <= row["decided"]
    assert by_id["many-stops-on-trial"]["shadow"] > 0
    heavy = [decision for decision in decisions if decision.decided_by == "heavy-and-likely-lost"]
    assert by_id["heavy-and-likely-lost"]["overrode"] == sum(one.outcome != one.proposed for one in heavy)
    assert by_id["express-is-safer"]["decided"] == by_id["express-is-safer"]["overrode"] > 0
    assert any(decision.decided_by == POLICY for decision in decisions)


def test_the_share_of_positives_is_that_of_the_rows_in_which_a_rule_fired() -> None:
    """What a rule catches, whether or not it decided."""
    evaluation, decisions, rows = evaluated()
    lost = [
        row["was_lost"] == "yes"
        for row, decision in zip(rows, decisions, strict=True)
        if "far-countries" in decision.fired
    ]
    assert evaluation.rules[0]["positive_share"] == pytest.approx(sum(lost) / len(lost))


def test_rows_without_a_label_count_as_outcomes_and_not_as_hits() -> None:
    """A missing label is no negative: precision, recall and value are over the rows that have one."""
    project, bundle = fitted()
    table = small_table(200, seed=8)
    labels = table.column("was_lost").to_pylist()
    blanked = pa.array([None if place % 2 else label for place, label in enumerate(labels)], pa.string())
    half = table.set_column(table.column_names.index("was_lost"), "was_lost", blanked)
    figures = evaluate(Runtime.open(bundle), project, half).ways["together"]
    kept = evaluate(Runtime.open(bundle), project, table.take(pa.array(np.arange(0, 200, 2)))).ways[
        "together"
    ]
    assert sum(figures["outcomes"].values()) == 200
    assert (figures["precision"], figures["recall"]) == (kept["precision"], kept["recall"])


def test_a_bundle_carries_the_project_it_is_evaluated_by() -> None:
    """Labels and value are read back from the bundle alone."""
    project, bundle = fitted()
    kept = project_of(bundle)
    assert (kept.labels, kept.evaluation) == (project.labels, project.evaluation)


def test_the_evaluation_in_the_bundle_is_of_the_test_rows() -> None:
    """175 rows were held out, and the three ways are judged on all of them."""
    kept = fitted()[1].json("evaluation.json")
    assert (kept["format"], kept["rows"], kept["source"]) == (1, 175, "test rows")
    assert all(sum(way["outcomes"].values()) == 175 for way in kept["ways"].values())


def test_an_evaluation_is_json_able() -> None:
    """Plain numbers, texts and None throughout, none of them NaN."""

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and plain(item) for key, item in value.items())
        if isinstance(value, list):
            return all(map(plain, value))
        return (
            value is None
            or type(value) in (str, int, bool)
            or (type(value) is float and math.isfinite(value))
        )

    assert plain(evaluated()[0].to_json())


def test_the_report_notes_what_was_left_out() -> None:
    """Of the evaluated rows and of the training table, each said once."""
    counted = {
        "rejected": 2,
        "problems": {"stops: below the minimum 0": 2},
        "unlabelled": 3,
        "warnings": ["odd"],
    }
    text = render(evaluated()[0].to_json() | {"data": counted})
    assert (
        "note: training: 2 rows did not fit the schema and are left out: stops: below the minimum 0 (2)"
        in text
    )
    assert "note: training: 3 rows have no label and are left out" in text
    assert text.count("odd") == 1


def test_the_report_shows_three_columns_side_by_side() -> None:
    """Ways, scores, rules and candidates, every row as wide as its header."""
    kept = fitted()[1].json("evaluation.json")
    laid = tables(kept)
    assert laid[0].header == ("", "model alone", "filters alone", "together")
    assert [table.title.split(":")[0] for table in laid[1:]] == ["scores", "rules", "candidates"]
    assert all(len(row) == len(table.header) for table in laid for row in table.rows)
    text = render(kept)
    assert "175 rows, test rows" in text
    assert "many-stops-on-trial (shadow)" in text
    assert "chosen" in text


@pytest.mark.parametrize("many", [1, 3, 7])
def test_the_scores_of_any_number_of_classifiers_fit_a_terminal(many: int) -> None:
    """A line for each measure; classifiers that have no room go below, none twice and none left out."""
    kept = fitted()[1].json("evaluation.json")
    (one, *_) = kept["classifiers"].values()
    names = [f"classifier_{number}" for number in range(many)]
    text = render(kept | {"classifiers": dict.fromkeys(names, one)})
    part = text.split("\nscores\n")[1].split("\n\nrules\n")[0].split("\n")
    assert max(map(len, part[:-2])) <= 80
    headers = [line.split()[1:] for line in part if line.startswith("classifier ")]
    assert [name for header in headers for name in header] == names
    assert sum(line.startswith("accuracy ") for line in part) == len(headers)
