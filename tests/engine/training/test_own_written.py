"""A candidate of the project's own, as project.yaml writes it: read whole, refused at its place."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from engine.project import OwnClassifier, parse_project
from engine.project.layout import kind_of
from engine.project.schemas import file_schema
from engine.training.reuse import model_key
from rules import read_yaml
from rules.errors import CheckFailed
from rules.format import format_document

TEXT = """\
name: loans
fields: {age: {type: int}}
outcomes: [accept, reject]
classifiers:
  risk:
    label: bad
    candidates:
      - logistic
      - name: forest
        estimator: sklearn.ensemble.RandomForestClassifier
        params: {n_estimators: 50, max_depth: null}
        input: fields
        after: tree
policy: [{when: "true", decide: accept}]
"""


def problems(text: str) -> list[tuple[str, str]]:
    with pytest.raises(CheckFailed) as failed:
        parse_project(text.encode(), root=Path("loans"))
    return [(f"{one.line}:{one.column}: {one.message}", one.hint) for one in failed.value.problems]


def test_all_of_it_is_read() -> None:
    """Name, class, parameters, what it reads, and where it stands."""
    own = OwnClassifier(
        "forest",
        "sklearn.ensemble.RandomForestClassifier",
        {"n_estimators": 50, "max_depth": None},
        "fields",
        "tree",
    )
    assert parse_project(TEXT.encode(), root=Path("loans")).classifiers["risk"].candidates == (
        "logistic",
        own,
    )


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("sklearn.ensemble.R", "os.R", "10:20: 'os.RandomForestClassifier' is no classifier", "known: sk"),
        ("sklearn.ensemble.R", "sklearn.utils.R", "10:20: 'sklearn.utils.R", ""),
        ("sklearn.ensemble.R", "sklearn.ensmble.R", "10:20: 'sklearn.ensmble.R", "'sklearn.ensemble'?"),
        ("RandomForestC", "RandomForstC", "10:20: sklearn.ensemble has no", "did you mean 'RandomF"),
        ("ForestClassifier", "ForestRegressor", "10:20: sklearn.ensemble has no", "known: Ada"),
        ("ensemble.Random", "ensemble._forest.Random", "10:20: sklearn.ensemble has no", ""),
        ("RandomForestC", "VotingC", "10:20: VotingClassifier needs 'estimators'", "that stands alone"),
        ("n_estimators: 50", "estimators: [logistic]", "11:18: RandomForestClassifier has no", ""),
        ("n_estimators: 50", "max_features: .inf", "11:32: 'max_features' must be a finite number", "large"),
        ("n_estimators: 50", "n_estimators: [-.Inf]", "11:32: 'n_estimators' must be a finite number", ""),
        ("sklearn.ensemble.RandomForestClassifier", '""', "10:20: 'estimator' must not be empty", "write it"),
        ("n_estimators: 50", "n_estimator: 50", "11:18: RandomForestClassifier has no", "'n_estimators'?"),
        ("n_estimators: 50", "n_estimators: -5", "11:32: The 'n_estimators' parameter of RandomFor", ""),
        ("n_estimators: 50", "n_estimators: {a: 1}", "11:32: 'n_estimators' must be a number, a text", ""),
        ("input: fields", "input: rows", "12:16: 'input' must be one of embedding, fields, got 'rows'", ""),
        ("after: tree", "after: trees", "13:16: unknown kind of classifier 'trees'", "did you mean 'tree'?"),
        ("name: forest", "name: tree", "9:15: 'tree' is a kind that Tandem has", "give yours another name"),
        ("name: forest", "nam: forest", "9:9: unknown key 'nam'", "did you mean 'name'?"),
        ("name: forest", "input: embedding", "9:9: a candidate of your own needs 'name'", ""),
        ("      - logistic", "      - logistc", "8:9: unknown kind of classifier", "'logistic'?"),
        ("      - logistic", "      - tree\n      - tree", "9:9: 'tree' is listed twice", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(old: str, new: str, message: str, hint: str) -> None:
    """With the nearest name, before anything is fitted."""
    text = TEXT.replace(old, new, 1)
    if "input: embedding" in new:
        text = text.replace("        input: fields\n", "")
    found = problems(text)
    assert found[0][0].startswith(message)
    assert hint in found[0][1]
    assert len(found) == 1


@pytest.mark.parametrize("name", ["StackingClassifier", "VotingClassifier"])
def test_a_classifier_that_holds_others_is_refused_whatever_its_parameters(name: str) -> None:
    """A list of texts is no list of estimators, though scikit-learn looks only when it is fitted."""
    text = TEXT.replace("RandomForestClassifier", name)
    text = text.replace("{n_estimators: 50, max_depth: null}", "{estimators: [logistic, tree]}")
    [(message, hint)] = problems(text)
    assert message == f"10:20: {name} needs 'estimators', which is another estimator"
    assert hint == "name a classifier that stands alone"


def test_a_parameter_changed_is_another_model() -> None:
    """What names the model that a fit would give differs."""
    keys = {
        model_key(parse_project(text.encode(), root=Path("loans")), {}, {})
        for text in (TEXT, TEXT.replace("50", "51"), TEXT.replace("fields\n", "embedding\n"))
    }
    assert len(keys) == 3


def test_editors_and_fmt_know_it() -> None:
    """The JSON Schema takes it and refuses a path that is not scikit-learn's; fmt puts its keys in order."""
    document = read_yaml(TEXT.encode(), "project.yaml")
    jsonschema.validate(json.loads(json.dumps(document.root)), file_schema("project"))
    foreign = json.loads(json.dumps(document.root).replace("sklearn.ensemble", "os"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(foreign, file_schema("project"))
    turned = TEXT.replace("      - name: forest\n        estimator", "      - estimator").replace(
        "        input: fields", "        name: forest\n        input: fields"
    )
    laid_out = [
        format_document(read, kind_of(read)) for read in (document, read_yaml(turned.encode(), "x.yaml"))
    ]
    assert laid_out[0] == laid_out[1]
