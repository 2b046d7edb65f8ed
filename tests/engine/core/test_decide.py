"""Deciding: a record, a table and its slices agree; rules, model and policy play together."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from engine.decide import decide_record
from engine.errors import InputError, RecordError, RowsError
from engine.runtime import Runtime
from engine.serve import Engine
from engine.tables import decide_table
from tests.engine.core.tiny import NOW, RULES, SCORES, bundle, runtime, table

RECORD = {"txn": "t", "amount": 10, "channel": "web", "at_time": "2026-03-01T12:00:00Z", "age_days": 400}


def flat(decided: pa.Table) -> list[dict[str, Any]]:
    """Rows of decisions in the form of `Decision.to_dict`."""
    rows = []
    for row in decided.to_pylist():
        scores = {name: row.pop(f"scores.{name}") for name in SCORES}
        adjusted = {name: row.pop(f"adjusted.{name}", None) for name in SCORES}
        moment = row.pop("at").isoformat().replace("+00:00", "Z")
        kept = {name: score for name, score in adjusted.items() if score is not None}
        rows.append({**row, "scores": scores, "adjusted": kept, "at": moment})
    return rows


def alone(one: Runtime, rows: pa.Table) -> list[dict[str, Any]]:
    return [decide_record(one, record, now=NOW).to_dict() for record in rows.to_pylist()]


def test_a_row_gets_the_decision_of_its_record() -> None:
    """Every row of a table, decided in blocks, has the very decision that its record alone has."""
    given = table(3_000)
    expected = alone(runtime(), given)
    assert flat(decide_table(runtime(), given, now=NOW)) == expected
    fired = {rule for row in expected for rule in row["fired"]}
    assert fired == set(runtime().rules.rules) - {"trial"}
    assert {row["decided_by"] for row in expected} >= {
        "policy",
        "embargo",
        "new-large",
        "young",
        "watched",
        "trusted",
    }


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7, 33])
def test_any_slice_gives_the_same_decisions(rows: int) -> None:
    """How a table is cut changes nothing, down to one row and to none."""
    given = table(100).slice(11, rows)
    assert flat(decide_table(runtime(), given, now=NOW)) == alone(runtime(), given)


def test_a_table_that_is_decided_before_the_model_needs_no_scores() -> None:
    """Where a rule of stage before decides, proposal and scores are none."""
    given = pa.Table.from_pylist([{**RECORD, "country": "KP"}] * 3)
    decided = flat(decide_table(runtime(), given, now=NOW))
    assert decided == alone(runtime(), given)
    assert {(row["outcome"], row["proposed"], row["decided_by"]) for row in decided} == {
        ("decline", None, "embargo")
    }
    assert decided[0]["scores"] == dict.fromkeys(SCORES)


def test_reasons_and_tags_of_two_stages_are_said_once() -> None:
    """A reason that both stages give stands once, where the first gave it."""
    decision = decide_record(runtime(), {**RECORD, "amount": 950, "is_new": True}, now=NOW)
    assert decision.fired == ("look", "new-large")
    assert decision.reasons == ("LARGE",)
    assert decision.tags == ("large", "new")


def test_the_deciding_rules_reason_is_the_first() -> None:
    """Ahead of a reason of stage `before`, whether the rule decided by an outcome or by a bound."""
    reasons = {
        "embargo": "EMBARGO",
        "new-large": "LARGE",
        "trusted": "KNOWN",
        "young": "YOUNG",
        "watched": "WATCHED",
    }
    decided = flat(decide_table(runtime(), table(3_000), now=NOW))
    by_rules = [row for row in decided if row["decided_by"] in reasons]
    assert [row["reasons"][0] for row in by_rules] == [reasons[row["decided_by"]] for row in by_rules]
    led = {row["decided_by"] for row in by_rules if "LARGE" in row["reasons"][1:]}
    assert led >= {"trusted", "young"}


def test_a_cap_asks_the_policy_again() -> None:
    """Where a bound changes what the policy says, its rule decided; the proposal stays the model's own."""
    rows = [
        row for row in flat(decide_table(runtime(), table(2_000), now=NOW)) if row["decided_by"] == "trusted"
    ]
    assert rows
    for row in rows:
        assert row["adjusted"] == {"fraud": 0.3}
        assert row["scores"]["fraud"] > 0.3
        assert row["proposed"] != row["outcome"]


def test_a_record_with_problems_lists_them_all() -> None:
    """RecordError carries every problem of every field."""
    with pytest.raises(RecordError) as caught:
        decide_record(runtime(), {"amount": -1, "channel": "fax"}, now=NOW)
    assert [problem.field for problem in caught.value.problems] == ["amount", "channel", "at_time"]


def test_rows_with_problems_are_all_named() -> None:
    """RowsError carries the rows by number, counted from 0 over the whole table."""
    given = pa.Table.from_pylist([{**RECORD, "amount": amount} for amount in (1, -1, 2, -3)])
    with pytest.raises(RowsError) as caught:
        decide_table(runtime(), pa.concat_tables([given, given]), now=NOW)
    assert [row for row, _ in caught.value.rows] == [1, 3, 5, 7]


def test_rows_with_problems_can_stay_in_their_place() -> None:
    """With on_reject='keep' a refused row keeps its id, has no decision, and says why."""
    given = pa.Table.from_pylist([{**RECORD, "txn": 7, "amount": amount} for amount in (1, -1)])
    decided = decide_table(runtime(), given, on_reject="keep", now=NOW).to_pylist()
    assert [row["id"] for row in decided] == ["7", "7"]
    assert [row["outcome"] is None for row in decided] == [False, True]
    assert decided[1]["problems"] == ["amount: below the minimum 0.0 (got -1)"]
    assert decided[0]["problems"] == []


def test_the_tables_own_columns_can_be_kept() -> None:
    """With keep, the input's columns come first; one of a decision's name becomes input.NAME."""
    given = table(5).append_column("outcome", pa.array(["x"] * 5))
    decided = decide_table(runtime(), given, keep=True, now=NOW)
    assert decided.column_names[: given.num_columns] == [*given.column_names[:-1], "input.outcome"]
    assert decided["input.outcome"].to_pylist() == ["x"] * 5


def test_a_missing_column_is_an_error_at_once() -> None:
    """A table without a column that every record needs is refused, and the column named."""
    with pytest.raises(InputError, match="column 'amount' is missing"):
        decide_table(runtime(), table(3).drop_columns(["amount"]), now=NOW)


def test_what_is_no_table_is_refused() -> None:
    """A dict is no table; the message says what is."""
    with pytest.raises(InputError, match="a dict is no table"):
        decide_table(runtime(), RECORD, now=NOW)


@pytest.mark.parametrize("kind", ["pandas", "polars", "duckdb", "reader"])
def test_whatever_speaks_arrow_can_be_decided(kind: str) -> None:
    """pandas, Polars, DuckDB and readers give the decisions of the Arrow table that they hold."""
    given = table(200)
    if kind == "pandas":
        data: Any = given.to_pandas()
    elif kind == "polars":
        data = pytest.importorskip("polars").from_arrow(given)
    elif kind == "duckdb":
        data = pytest.importorskip("duckdb").connect().sql("select * from given")
    else:
        data = given.to_reader(max_chunksize=64)
    assert decide_table(runtime(), data, now=NOW).equals(decide_table(runtime(), given, now=NOW))


def test_many_threads_decide_as_one() -> None:
    """Threads that share an engine get what one thread gets."""
    ours = Engine(runtime())
    records = table(300).to_pylist()
    expected = [ours.decide(record, now=NOW) for record in records]
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: [ours.decide(record, now=NOW) for record in records], range(8)):
            assert got == expected


def test_a_rule_edit_uses_the_model_that_is_open() -> None:
    """A bundle that differs in rules alone opens without a new session, and decides as if opened afresh."""
    edited = bundle(RULES.replace(b"amount > 500", b"amount > 50"))
    opened = Runtime.open(edited, like=runtime())
    assert opened.model is runtime().model
    given = table(500)
    expected = decide_table(Runtime.open(edited), given, now=NOW)
    assert decide_table(opened, given, now=NOW).equals(expected)
    assert not expected["outcome"].equals(decide_table(runtime(), given, now=NOW)["outcome"])


def test_a_score_that_is_no_number_is_missing() -> None:
    """A NaN from the model is null in record and table, and leaves what asks for it unknown."""
    import onnx

    from tests.engine.core.tiny import parts

    model = onnx.load_from_string(parts()["model/model.onnx"])
    model.graph.node[-1].op_type = "Log"  # of a sum that is now and then negative
    broken = Runtime.open(bundle(**{"model/model.onnx": model.SerializeToString()}))
    given = table(200)
    decided = flat(decide_table(broken, given, now=NOW))
    assert decided == alone(broken, given)
    assert any(row["scores"]["fraud"] is None and row["proposed"] for row in decided)


def test_a_decision_is_a_value_of_its_own() -> None:
    """A decision can be copied and sent to another process, and shares nothing that could be changed."""
    for more in ({}, {"country": "KP"}, {"memo": "rent"}):
        first, second = (decide_record(runtime(), {**RECORD, **more}, now=NOW) for _ in range(2))
        assert pickle.loads(pickle.dumps(first)) == first == second
        assert first.scores is not second.scores
        assert json.loads(first.to_json()) == first.to_dict()


def test_scores_are_the_graphs_own() -> None:
    """A score is the graph's float32, widened: nothing is rounded on the way."""
    decision = decide_record(runtime(), RECORD, now=NOW)
    assert all(score == float(np.float32(score)) for score in decision.scores.values())


def test_a_category_column_of_viewed_strings_is_read() -> None:
    """Polars hands its categories over as a dictionary of viewed strings."""
    given = table(50)
    texts = given.column("country").combine_chunks().dictionary_encode()
    viewed = pa.DictionaryArray.from_arrays(texts.indices, texts.dictionary.cast(pa.string_view()))
    place = given.schema.get_field_index("country")
    seen = given.set_column(place, "country", viewed)
    assert flat(decide_table(runtime(), seen, now=NOW)) == flat(decide_table(runtime(), given, now=NOW))


def test_a_table_without_rows_gives_the_columns_of_one_with_rows() -> None:
    """Results of a service's tables can be put together, whether or not a table had rows."""
    given = table(5)
    for keep in (False, True):
        some, none = (
            decide_table(runtime(), rows, keep=keep, now=NOW) for rows in (given, given.slice(0, 0))
        )
        assert none.num_rows == 0
        assert none.schema == some.schema


def test_columns_that_are_kept_never_share_a_name() -> None:
    """An input column that has a decision's name gives way, also to another that has the new name already."""
    given = table(3)
    given = given.append_column("outcome", given["amount"]).append_column("input.outcome", given["amount"])
    names = decide_table(runtime(), given, keep=True, now=NOW).column_names
    assert len(set(names)) == len(names)
    assert {"outcome", "input.outcome", "input.input.outcome"} < set(names)


def test_what_is_no_table_says_what_it_is() -> None:
    """A column, or a table with a column twice, is refused in our words."""
    twice = table(3).append_column("more", pa.array([1, 2, 3])).append_column("more", pa.array([1, 2, 3]))
    with pytest.raises(InputError, match="column 'more' stands 2 times"):
        decide_table(runtime(), twice, keep=True, now=NOW)
    with pytest.raises(InputError, match="is no table but a column"):
        decide_table(runtime(), table(3)["amount"], now=NOW)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("t1", "t1"),
        (7, "7"),
        (7.0, "7"),
        (np.int64(7), "7"),
        (np.float32(7), "7"),
        (float("nan"), None),
        pytest.param(10**5_000, None, id="5,001 digits"),
        pytest.param("\ud800", None, id="half a pair"),
    ],
)
def test_an_id_is_text_that_can_be_written_or_missing(given: object, text: str | None) -> None:
    """What stands in the id column, or is given as the id, never keeps a record from its decision."""
    assert decide_record(runtime(), {**RECORD, "txn": given}, now=NOW).id == text
    assert decide_record(runtime(), RECORD, name=given, now=NOW).id == text  # type: ignore[arg-type]
