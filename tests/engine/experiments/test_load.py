"""Everything wrong with a sweep is told at once: form, keys, values, and what its project lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from engine.experiments.load import load_sweep
from rules.errors import CheckFailed
from tests.engine.training.small_project import PROJECT, write_project


def told(root: Path, sweep: str, text: str = PROJECT) -> list[str]:
    """The problems of a sweep over the small project, without folder and excerpts."""
    (root / "rules").mkdir(exist_ok=True)
    (root / "project.yaml").write_text(text)
    (root / "sweep.yaml").write_text(sweep)
    with pytest.raises(CheckFailed) as failed:
        load_sweep(root / "sweep.yaml")
    return [f"{Path(one.file).name}:{one.line}:{one.column}: {one.message}" for one in failed.value.problems]


def test_form_keys_and_values_are_told_at_once(tmp_path: Path) -> None:
    """A mistake of one sort hides none of another."""
    sweep = """\
experiment: ../x
measure: auk
label: lots
vary:
  embeding.width: [8]
  embedding.epochs: [3, 0]
  policy.9.when: ["true"]
  labels.lost.positive: [yes]
variants:
  - {name: a, set: {classifiers.lost.candidates: [logistc]}}
  - {name: a, set: {embedding.widht: 16}}
seeds: [a]
"""
    assert [line.split(": ", 1)[0] for line in told(tmp_path, sweep)] == [
        f"sweep.yaml:{place}"
        for place in ("1:13", "2:10", "3:8", "5:3", "6:25", "7:3", "8:3", "10:50", "11:12", "11:21", "12:9")
    ]


def test_a_key_and_a_part_of_it_contradict_each_other(tmp_path: Path) -> None:
    """Of 'vary' together, of one variant together; not of two variants."""
    sweep = """\
vary:
  embedding.width: [4, 16]
  embedding: [{width: 8}]
variants:
  - {name: one, set: {policy.0.when: "true", policy.0: {when: "true", decide: hold}}}
  - {name: two, set: {policy.0.when: "true"}}
  - {name: three, set: {policy.0: {when: "true", decide: hold}}}
"""
    assert told(tmp_path, sweep) == [
        "sweep.yaml:2:3: 'embedding.width' is a part of 'embedding', and both are set",
        "sweep.yaml:5:23: 'policy.0.when' is a part of 'policy.0', and both are set",
    ]


def test_a_value_that_the_project_does_not_state_is_told_at_the_measure(tmp_path: Path) -> None:
    """With the other mistakes."""
    text = PROJECT[: PROJECT.index("  value:")]
    sweep = "vary: {embedding.widht: [4]}\nmeasure: value_per_row\n"
    assert [line.split(": ")[0] for line in told(tmp_path, sweep, text)] == [
        "sweep.yaml:1:8",
        "sweep.yaml:2:10",
    ]


def test_mistakes_of_the_project_are_told_with_those_of_the_sweep(tmp_path: Path) -> None:
    """Each in its own file."""
    files = [
        line.split(":")[0] for line in told(tmp_path, "varry: {}\n", PROJECT.replace("width: 8", "width: 0"))
    ]
    assert set(files) == {"project.yaml", "sweep.yaml"}


def test_a_project_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Where the sweep has no mistake of its own."""
    write_project(tmp_path)
    (tmp_path / "sweep.yaml").write_text("base: other/project.yaml\nseeds: [1]\n")
    with pytest.raises(InputError, match="other"):
        load_sweep(tmp_path / "sweep.yaml")
