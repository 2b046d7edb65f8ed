"""A sweep is read whole: ranges, combinations, named variants; what is wrong is told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.experiments.load import load_sweep
from engine.experiments.variants import BASE, variants_of
from rules.errors import CheckFailed
from rules.reader import read_yaml
from tests.engine.training.small_project import PROJECT, write_project


def names_of(root: Path, sweep: str) -> list[str]:
    """Names of the variants of a sweep over the small project."""
    return [one.name for one in variants(root, sweep)]


def variants(root: Path, sweep: str):
    write_project(root)
    (root / "sweep.yaml").write_text(sweep)
    return variants_of(load_sweep(root / "sweep.yaml"))


def problem(root: Path, sweep: str) -> str:
    """The first line of the first problem of a sweep, without the folder."""
    with pytest.raises(CheckFailed) as failed:
        variants(root, sweep)
    return str(failed.value).replace(f"{root}/", "").splitlines()[0]


def test_every_combination_is_a_variant_and_the_project_as_it_is_another(tmp_path: Path) -> None:
    """The last axis turns fastest."""
    sweep = "vary: {embedding.width: [4, 16], embedding.dropout: [0.0, 0.2]}"
    assert names_of(tmp_path, sweep) == [
        BASE,
        "width 4, dropout 0.0",
        "width 4, dropout 0.2",
        "width 16, dropout 0.0",
        "width 16, dropout 0.2",
    ]


def test_a_variant_is_a_whole_project(tmp_path: Path) -> None:
    """Its project.yaml says what was changed and, for the rest, what the project's says."""
    _, variant = variants(tmp_path, "vary: {embedding.width: [4]}")
    expected = read_yaml(PROJECT.encode(), "project.yaml").root
    expected["embedding"]["width"] = 4
    assert read_yaml(variant.project.text, "project.yaml").root == expected
    assert variant.project.embedding.width == 4


def test_what_comes_to_the_project_as_it_is_is_no_variant(tmp_path: Path) -> None:
    """The small project's width is 8."""
    assert names_of(tmp_path, "vary: {embedding.width: [8, 16]}") == [BASE, "width 16"]


def test_names_tell_variants_apart(tmp_path: Path) -> None:
    """What all values of a key share is left out, and a place in a list is named with its list."""
    sweep = """\
vary:
  policy.0.when: [scores.lost >= 0.5, scores.lost >= 0.9]
  policy.1.when: [scores.lost >= 0.2 && stops > 1, scores.lost >= 0.08 && stops > 1]
"""
    assert names_of(tmp_path, sweep)[1:] == [
        "policy.0.when … 0.5, policy.1.when … 0.2 …",
        "policy.0.when … 0.5, policy.1.when … 0.08 …",
        "policy.0.when … 0.9, policy.1.when … 0.2 …",
        "policy.0.when … 0.9, policy.1.when … 0.08 …",
    ]


def test_a_step_into_a_list_is_a_number(tmp_path: Path) -> None:
    """The policy's first row."""
    _, variant = variants(tmp_path, 'vary: {policy.0.when: ["scores.lost >= 0.8"]}')
    assert read_yaml(variant.project.text, "p").root["policy"][0]["when"] == "scores.lost >= 0.8"


def test_a_rule_is_named_by_its_id(tmp_path: Path) -> None:
    """One file changes, the others stay byte for byte."""
    _, variant = variants(tmp_path, "vary: {rules.heavy-and-likely-lost.mode: [shadow]}")
    (data,) = variant.rules.values()
    changed = {rule["id"]: rule.get("mode") for rule in read_yaml(data, "r").root["rules"]}
    assert changed["heavy-and-likely-lost"] == "shadow"
    assert changed["far-countries"] is None


def test_what_comes_to_the_rules_as_they_are_is_no_variant(tmp_path: Path) -> None:
    """However they are laid out: the file stays as it is written."""
    sweep = "vary: {rules.many-stops-on-trial.mode: [shadow, enforce], embedding.width: [8, 16]}"
    base, *others = variants(tmp_path, sweep)
    assert [one.name for one in others] == [
        "mode shadow, width 16",
        "mode enforce, width 8",
        "mode enforce, width 16",
    ]
    assert others[0].rules == base.rules


def test_a_default_of_a_rule_that_is_stated_changes_nothing(tmp_path: Path) -> None:
    """Alone, and with a threshold that is there already: the rule file stays byte for byte."""
    sweep = """\
vary:
  policy.0.when: [scores.lost >= 0.6, scores.lost >= 0.7]
  rules.heavy-and-likely-lost.mode: [enforce, shadow]
  rules.far-countries.on_unknown: [skip]
"""
    base, *others = variants(tmp_path, sweep)
    assert [one.name for one in others] == [
        "policy.0.when … 0.6, mode shadow, on_unknown skip",
        "policy.0.when … 0.7, mode enforce, on_unknown skip",
        "policy.0.when … 0.7, mode shadow, on_unknown skip",
    ]
    assert [one.rules == base.rules for one in others] == [False, True, False]


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("{from: 1, to: 9, count: 3}", ["1", "5", "9"]),
        ("{from: 0.0, to: 0.4, count: 3}", ["0.0", "0.2", "0.4"]),
        ("{from: 0.001, to: 0.1, count: 3, scale: log}", ["0.001", "0.01", "0.1"]),
    ],
)
def test_a_range_is_evenly_spaced(tmp_path: Path, written: str, values: list[str]) -> None:
    """Between whole numbers whole numbers, on a log scale by equal factors."""
    key = {"1": "embedding.rare", "0.0": "embedding.dropout", "0.001": "embedding.learning_rate"}[values[0]]
    expected = [f"{key.split('.')[1]} {value}" for value in values]
    assert [name for name in names_of(tmp_path, f"vary: {{{key}: {written}}}") if name != BASE] == expected


def test_a_range_with_a_seed_is_drawn_and_the_same_every_time(tmp_path: Path) -> None:
    """Another seed draws others."""
    sweep = "vary: {{embedding.dropout: {{from: 0.0, to: 0.5, count: 4, seed: {}}}}}"
    first = names_of(tmp_path, sweep.format(1))
    assert first == names_of(tmp_path, sweep.format(1))
    assert first != names_of(tmp_path, sweep.format(2))
    assert len(first) == 5


def test_of_many_combinations_some_are_drawn(tmp_path: Path) -> None:
    """Distinct ones, by the seed."""
    axes = ", ".join(
        f"embedding.{key}: {{from: 2, to: 60, count: 12}}" for key in ("width", "bins", "rare", "patience")
    )
    sweep = f"{{vary: {{{axes}}}, draw: {{count: 12, seed: 3}}}}"
    names = names_of(tmp_path, sweep)
    assert len(set(names)) == 13
    assert names == names_of(tmp_path, sweep)


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        (
            "vary:\n  embedding.widht: [16]\n",
            "sweep.yaml:2:3: unknown key 'embedding.widht'; did you mean 'width'?",
        ),
        (
            "vary:\n  classifiers.lots.candidates: [[tree]]\n",
            "sweep.yaml:2:3: unknown name 'lots' in 'classifiers.lots.candidates'; did you mean 'lost'?",
        ),
        (
            "vary:\n  rules.heavy-and-likely-lots.mode: [off]\n",
            "sweep.yaml:2:3: no rule 'heavy-and-likely-lots'; did you mean 'heavy-and-likely-lost'?",
        ),
        (
            "vary:\n  rules.far-countries: [off]\n",
            "sweep.yaml:2:3: 'rules.far-countries' names no key of a rule; as rules.far-countries.when",
        ),
        (
            "vary:\n  policy.7.when: ['true']\n",
            "sweep.yaml:2:3: no item '7' in 'policy'; it has 3, counted from 0",
        ),
        (
            "vary:\n  embedding.width: [16, -4]\n",
            "sweep.yaml:2:25: embedding.width: width: -4 is out of range; give a whole number from 2 to 1024",
        ),
        (
            "vary:\n  embedding.width.more: [16]\n",
            "sweep.yaml:2:3: 'embedding.width' holds a value, not keys; vary the whole value",
        ),
        ("varry: {embedding.width: [16]}\n", "sweep.yaml:1:1: unknown key 'varry'; did you mean 'vary'?"),
        (
            "measure: aux\nseeds: [1]\n",
            "sweep.yaml:1:10: 'measure' must be one of log_loss, auc,",
        ),
        (
            "vary: {split.seed: [1, 2]}\n",
            "sweep.yaml:1:8: 'split' cannot be varied: variants are compared on the same rows and measure",
        ),
        (
            "vary: {embedding.seed: [1, 2]}\n",
            "sweep.yaml:1:8: vary the embedding's seed by 'seeds'; as seeds: [1, 2, 3]",
        ),
        ("vary: {embedding.width: []}\n", "sweep.yaml:1:25: 'embedding.width' has no values"),
        ("budget: {minutes: 5}\n", "sweep.yaml:1:1: nothing to vary; as vary: {embedding.width: [32, 64]}"),
        (
            "seeds: [1]\nbudget: {evaluations: 0.5}\n",
            "sweep.yaml:2:23: a budget of 0.5 evaluations is too small for one run: 1 is one",
        ),
        (
            "vary: {embedding.width: {from: 8, to: 2, count: 3}}\n",
            "sweep.yaml:1:39: 'to' must be above 'from', got 8 to 2",
        ),
        ("variants: [{set: {embedding.width: 4}}]\n", "sweep.yaml:1:12: a variant needs a 'name'"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, sweep: str, message: str) -> None:
    """File, line and column of the sweep, and what to try."""
    assert problem(tmp_path, sweep).startswith(message)


def test_values_that_do_not_go_together_are_told(tmp_path: Path) -> None:
    """Each is right by itself; together a policy names a score that is gone."""
    sweep = """\
variants:
  - name: no size
    set:
      classifiers: {lost: {label: lost}}
"""
    assert "scores.size" in problem(tmp_path, sweep)


def test_a_sweep_that_is_not_there_is_said(tmp_path: Path) -> None:
    """By its path."""
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        load_sweep(tmp_path / "none.yaml")
