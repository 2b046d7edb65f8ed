"""A tiny bundle made by hand: every field type, rules of every kind, a graph of a few nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper

from embeddings import Encoding, Spec, fit_encoding
from engine.bundle import Bundle
from engine.fields import read_fields
from engine.runtime import Runtime
from engine.schema import Schema
from rules import Policy, Variable, check_rules, read_yaml

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OUTCOMES = ("approve", "review", "decline")
SCORES = ("fraud", "grade.a", "grade.b", "grade.c")
FIELDS = {
    "amount": {"type": "float", "min": 0},
    "age_days": {"type": "int", "nullable": True, "max": 100_000},
    "is_new": {"type": "bool", "default": False},
    "country": {"type": "category", "nullable": True},
    "channel": {"type": "category", "values": ["web", "shop"]},
    "memo": {"type": "text", "nullable": True},
    "at_time": {"type": "timestamp"},
}
POLICY = b"""
policy:
  - {when: scores.fraud >= 0.7, decide: decline}
  - {when: scores.fraud >= 0.5 || scores.grade.c > 0.6, decide: review}
  - {when: "true", decide: approve}
"""
RULES = b"""
filters: first
lists:
  embargoed: [KP, IR]
  known: {file: lists/known.txt}
rules:
  - {id: embargo, stage: before, when: country in embargoed, decide: decline, reason: EMBARGO, tags: [law]}
  - {id: look, stage: before, when: amount > 900.0, tag: [large], reason: LARGE}
  - {id: new-large, when: amount > 500 && is_new, decide: review, reason: LARGE, tag: [large, new]}
  - {id: trusted, when: memo in known, cap: {fraud: 0.3}, reason: KNOWN}
  - {id: watched, when: country == 'NG', floor: {fraud: 0.6}, reason: WATCHED}
  - {id: young, when: age_days < 30 && scores.fraud > 0.4, decide: review, on_unknown: review, reason: YOUNG}
  - {id: trial, when: "proposed == 'approve' && amount > 100", decide: review, mode: shadow}
  - {id: open-age, when: age_days > 10 && amount < 0.5, tag: [odd]}
  - {id: night, when: at_time.getHours() < 2, tag: [night], on_unknown: fire}
  - {id: part, when: amount > 50, tag: [part], rollout: {percent: 50, key: country}}
  - {id: spared, when: amount > 20, tag: [spared], effective: {from: 2026-01-01}, except: [CLEARED]}
  - {id: worded, when: "memo.matches('(?i)^[a-z]+ ')", tag: [worded]}
""".replace(b"tags:", b"tag:").replace(
    b"CLEARED", b"{channel: web, owner: ops, reason: cleared, expires: 2026-06-01}"
)


def schema() -> Schema:
    return Schema(read_fields(FIELDS, None, ("fields",)))


@cache
def encoding() -> Encoding:
    spec = Spec(slots=tuple(schema().slots()), bins=4, rare=1, text_buckets=64)
    return fit_encoding(spec, normal_table(50))


def normal_table(rows: int, seed: int = 5) -> pa.Table:
    from engine.tabular import normalise

    (batch,) = table(rows, seed).combine_chunks().to_batches()
    return pa.Table.from_batches([normalise(schema(), batch).batch])


def table(rows: int, seed: int = 5) -> pa.Table:
    """Rows that fire every rule now and then."""
    draw = np.random.default_rng(seed)

    def pick(values: list[Any]) -> list[Any]:
        return [values[place] for place in draw.integers(0, len(values), rows)]

    moments = [NOW + timedelta(minutes=int(minute)) for minute in draw.integers(0, 100_000, rows)]
    columns = {
        "txn": [f"t{row}" for row in range(rows)],
        "amount": np.round(draw.exponential(400, rows), 2) * draw.integers(0, 2, rows),
        "age_days": pa.array(pick([None, 3, 20, 45, 900]), pa.int64()),
        "is_new": pa.array(pick([True, False, None]), pa.bool_()),
        "country": pa.array(pick(["DE", "NG", "KP", "FR", None, "ÅÄ"]), pa.string()),
        "channel": pick(["web", "shop"]),
        "memo": pa.array(pick(["rent", "gift für dich", "", None, "invoice 12"]), pa.string()),
        "at_time": pa.array(moments, pa.timestamp("us", "UTC")),
    }
    return pa.table(columns)


def graph(inputs: Mapping[str, np.ndarray], scores: int, seed: int = 3) -> bytes:
    """Sums of the inputs under seeded weights, through a sigmoid."""
    draw = np.random.default_rng(seed)
    nodes, constants, terms, values = [], [], [], []
    for place, (name, array) in enumerate(inputs.items()):
        floats = array.dtype == np.float32
        kind = TensorProto.FLOAT if floats else TensorProto.INT64
        values.append(helper.make_tensor_value_info(name, kind, ["n", array.shape[1]]))
        weight = draw.normal(0, 0.5 if floats else 0.02, (array.shape[1], scores)).astype(np.float32)
        constants.append(numpy_helper.from_array(weight, f"w{place}"))
        if floats:
            constants.append(numpy_helper.from_array(np.zeros((), np.float32), f"zero{place}"))
            nodes.append(helper.make_node("IsNaN", [name], [f"nan{place}"]))
            nodes.append(helper.make_node("Where", [f"nan{place}", f"zero{place}", name], [f"x{place}"]))
        else:
            nodes.append(helper.make_node("Cast", [name], [f"x{place}"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("MatMul", [f"x{place}", f"w{place}"], [f"t{place}"]))
        terms.append(f"t{place}")
    nodes.append(helper.make_node("Sum", terms, ["sum"]))
    nodes.append(helper.make_node("Sigmoid", ["sum"], ["scores"]))
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", scores])
    made = helper.make_graph(nodes, "tiny", values, [output], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


@cache
def parts(rules: bytes = RULES) -> Mapping[str, bytes]:
    """The parts of the bundle, with these rules."""
    one = schema().read({"amount": 1, "channel": "web", "at_time": NOW})
    document = read_yaml(POLICY, "project.yaml")
    variables = schema().variables()
    scores = [Variable(f"scores.{name}", "double") for name in SCORES]
    policy = Policy.check(
        document.root["policy"], document, ("policy",), variables=[*variables, *scores], outcomes=OUTCOMES
    )
    checked = check_rules(
        {"rules/first.yaml": rules},
        variables=variables,
        scores=SCORES,
        outcomes=OUTCOMES,
        read_list={"lists/known.txt": b"rent\n# nobody else\n"}.__getitem__,
        event_time="at_time",
    )
    described = {
        "fields": schema().to_json(),
        "outcomes": OUTCOMES,
        "labels": {},
        "id": "txn",
        "event_time": "at_time",
    }
    named = {"scores": SCORES, "classifiers": [], "pad_single_rows": False}
    return {
        "schema.json": _json(described),
        "model/model.onnx": graph(encoding().record(one), len(SCORES)),
        "model/encoding.json": _json(encoding().to_json()),
        "model/scores.json": _json(named),
        "policy.json": _json(policy.to_json()),
        "expressions.json": _json(checked.expressions()),
        **checked.files,
        **checked.list_files,
        "evaluation.json": b"{}",
    }


def bundle(rules: bytes = RULES, **more: bytes) -> Bundle:
    return Bundle.create({**parts(rules), **more}, lineage={"seed": 7}, created=NOW)


@cache
def runtime(rules: bytes = RULES) -> Runtime:
    return Runtime.open(bundle(rules))


def _json(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()
