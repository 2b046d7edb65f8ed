"""JSON Schemas and readers agree: what a reader takes the schema takes, what is plainly wrong neither."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from engine.experiments.reading import read_sweep
from engine.project import parse_project
from engine.project.schemas import FORMS, file_schema
from rules.errors import CheckFailed
from rules.expression import Variable
from rules.files import read_filters
from rules.reader import read_yaml
from rules.shape import Shape
from rules.suites import read_suites
from rules.table_reader import read_tables
from tests.rules.fuzz.drawn import drawn

ROOT = Path(__file__).parents[3]
VALIDATORS = {kind: Draft202012Validator(file_schema(kind)) for kind in FORMS}


def refused(kind: str, text: str) -> tuple[bool, bool]:
    """Say whether the reader refuses a file of this kind, and whether the schema does."""
    document = read_yaml(text.encode(), "f.yaml")
    by_schema = not VALIDATORS[kind].is_valid(document.root)
    try:
        if kind == "rules":
            return bool(read_filters(document)[1] or read_tables(document)[1]), by_schema
        if kind == "project":
            parse_project(text.encode(), root=Path("p"))
        elif kind == "sweep":
            read_sweep(document, Path("sweep.yaml"))
        else:
            variables = [Variable("amount", "double"), Variable("event_time", "timestamp")]
            read_suites({"f": text.encode()}, variables=variables, outcomes=["a", "b"], rules=["x"])
    except CheckFailed:
        return True, by_schema
    return False, by_schema


@pytest.mark.parametrize("kind", FORMS)
def test_a_schema_is_a_schema(kind: str) -> None:
    """It is one of JSON Schema 2020-12, and every key says what it is for."""
    Draft202012Validator.check_schema(file_schema(kind))
    assert list(undescribed(FORMS[kind])) == []


def undescribed(shape: Shape, at: str = "") -> Iterator[str]:
    for key, one in shape.keys.items():
        if not one.about and at != ".embedding":  # its page has a table of them
            yield f"{at}.{key}"
        yield from undescribed(one, f"{at}.{key}")
    for one in (shape.each, *shape.either):
        yield from undescribed(one, at) if one is not None else ()


def test_files_of_ours_are_valid() -> None:
    """The samples and the example, and the rule files of the language's page."""
    found = [*ROOT.glob("examples/*/rules/*.yaml"), ROOT / "engine/samples/payments/fraud.yaml"]
    texts = [("rules", path.read_text("utf-8")) for path in found]
    texts += [("project", path.read_text("utf-8")) for path in ROOT.glob("examples/*/project.yaml")]
    page = (ROOT / "docs/rule-language.md").read_text("utf-8")
    texts += [
        ("rules", text) for text in re.findall(r"^```yaml\n(rules:.*?)^```", page, re.MULTILINE | re.DOTALL)
    ]
    page = (ROOT / "docs/testing-rules.md").read_text("utf-8")
    texts += [
        ("test", text)
        for text in re.findall(r"^```yaml tests/\S+\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    ]
    wrong = ("amout", "prioritty")  # the page shows mistakes too
    for kind, text in texts:
        if not any(word in text for word in wrong):
            assert list(VALIDATORS[kind].iter_errors(read_yaml(text.encode(), "f").root)) == []
    assert len(texts) > 10


PROJECT = """\
fields: {amount: {type: float}}
outcomes: [a, b]
classifiers: {c: {label: y}}
policy: [{when: "true", decide: a}]
"""
VALID = [
    ("sweep", "seeds: [1, 2]\nrace: false\nbudget:"),
    ("sweep", "vary: {a: [1], b: {from: 1, to: 2, count: 3, scale: log, seed: 4}}\nrace: {risk: 0.1}"),
    ("sweep", "variants: [{name: a, set: {embedding.width: 4}}]\nbudget: {minutes: 5, evaluations: 1}"),
    ("rules", "rules: []"),
    ("rules", "filters: x\nlists:\nrules: []"),
    ("rules", "rules:\n- {id: x, when: true, tag: [a, b], tests: [{given: {a: {b: 1}}, expect: none}]}"),
    ("rules", "lists: {a: [1, x], b: {file: lists/x.csv, column: c, type: int}}\nrules: []"),
    ("rules", "rules: [{id: x, when: a > 1, cap: {f: 0.3}, mode: shadow, on_unknown: review, priority: -3}]"),
    ("rules", "order: 3\nhit_policy: collect\nvariables:\nrules: [{id: x, when: true, stop: true}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, effective: {from: 2026-11-01}}]"),
    ("rules", "rules: [{id: x, when: true, tag: t, rollout: {percent: 5, key: a}}]"),
    (
        "rules",
        "rules: [{id: x, when: y, tag: t, except: [{a: 1, owner: o, reason: r, expires: 2027-01-01}]}]",
    ),
    ("project", PROJECT),
    ("project", PROJECT + "labels: {y: {positive: 1}}\nsplit: {by: order, test: 0}\nevaluation:\nname: x"),
    ("project", PROJECT + "embedding: {hidden: [8], bins: 4, batch_size: null, without: []}"),
    ("test", "cases: []"),
    ("test", "now: 2026-01-01\nfixtures: {f: {amount: 1}}\ncases: [{name: n, use: f, expect: {fired: []}}]"),
]  # fmt: skip
INVALID = [
    ("rules", "rules: {}"),
    ("rules", "rules: []\nrulez: []"),
    ("rules", "rules: [{}]"),
    ("rules", "rules: []\ntables: [{}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, tests: [{}]}]"),
    ("rules", "rules: [{when: 'true', tag: t}]"),
    ("rules", "rules: [{id: x, tag: t}]"),
    ("rules", "rules: [{id: x, when: 'true'}]"),
    ("rules", "rules: [{id: 'x y', when: 'true', tag: t}]"),
    ("rules", "rules: [{id: x, when: [a], tag: t}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: 'a|b'}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, mode: of}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, priority: 1.5}]"),
    ("rules", "rules: [{id: x, when: 'true', cap: {fraud: 2}}]"),
    ("rules", "rules: [{id: x, when: 'true', cap: {}}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, tests: [{given: {}}]}]"),
    ("rules", "hit_policy: best\nrules: []"),
    ("rules", "lists: {a: {column: x}}\nrules: []"),
    ("rules", "lists: {a-b: [1]}\nrules: []"),
    ("rules", "filters: 5\nrules: []"),
    ("rules", "order: first\nrules: []"),
    ("rules", "rules: [{id: x, when: 'true', stop: 1}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, effective: {untill: 2026-11-01}}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, rollout: {percent: 101, key: a}}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, rollout: {percent: 5}}]"),
    ("rules", "rules: [{id: x, when: 'true', tag: t, except: [{a: 1, owner: o, reason: r}]}]"),
    ("project", "fields: {amount: {type: float}}"),
    ("project", PROJECT.replace("float", "double")),
    ("project", PROJECT.replace("[a, b]", "[]")),
    ("project", PROJECT + "sead: 7"),
    ("project", PROJECT + "split: {by: chance}"),
    ("project", PROJECT + "split: {validation: -1}"),
    ("project", PROJECT + "embedding: {width: 1}"),
    ("project", PROJECT + "evaluation: {acted: a}"),
    ("sweep", "vary: {embedding.width: []}"),
    ("sweep", "vary: {embedding.width: {from: 1, to: 2}}"),
    ("sweep", "seeds: [1]\nmeasure: loss"),
    ("sweep", "seeds: [-1]"),
    ("sweep", "seeds: [1]\nrase: false"),
    ("sweep", "variants: [{name: a}]"),
    ("sweep", "seeds: [1]\nbudget: {evaluations: 0.5}"),
    ("test", "{}"),
    ("test", "cases: [{name: n}]"),
    ("test", "cases: [{expect: a}]"),
    ("test", "cases: [{}]"),
    ("test", "now:\ncases: []"),
    ("test", "cases: [{name: n, expect: {}}]"),
    ("test", "cases: [{name: n, expect: {fired: x}}]"),
    ("test", "cases: [{name: n, expect: a, givn: {}}]"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), VALID)
def test_what_is_right_is_taken_by_both(kind: str, text: str) -> None:
    """By the reader and by the schema."""
    assert refused(kind, text) == (False, False)


@pytest.mark.parametrize(("kind", "text"), INVALID)
def test_what_is_wrong_is_refused_by_both(kind: str, text: str) -> None:
    """By the reader and by the schema."""
    assert refused(kind, text) == (True, True)


@pytest.mark.parametrize("kind", FORMS)
def test_what_a_reader_takes_the_schema_takes(kind: str) -> None:
    """Whatever the file: an editor never marks what is right."""

    @given(drawn(FORMS[kind]).filter(lambda value: isinstance(value, dict)))
    def holds(value: Any) -> None:
        by_reader, by_schema = refused(kind, json.dumps(value))
        assert by_reader or not by_schema, list(VALIDATORS[kind].iter_errors(value))

    holds()
