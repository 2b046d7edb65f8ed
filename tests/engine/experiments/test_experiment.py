"""An experiment: the same twice, nothing shared computed twice, the winner's digest that of a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.experiments.cache import Cache
from engine.experiments.load import load_sweep
from engine.experiments.outcome import winner_bundle
from engine.experiments.race import WHOLE
from engine.experiments.standing import BUDGET, EVIDENCE, FINISHED, simplest
from engine.experiments.trial import Workshop
from engine.experiments.variants import BASE, variants_of
from engine.project import load_project
from engine.project.classifiers import KINDS
from engine.training.build import fit
from rules.errors import CheckFailed
from tests.engine.experiments.small_sweep import QUICK, board_of, run, write_sweep
from tests.engine.training.small_project import NOW

SWEEP = """\
vary: {embedding.width: [4], classifiers.lost.candidates: [[logistic], [tree]]}
race: false
"""


def test_the_same_sweep_twice_gives_the_same_leaderboard(tmp_path: Path) -> None:
    """In two folders, from nothing: every figure and every digest, but not the times."""
    first, second = (run(write_sweep(tmp_path / name, SWEEP)) for name in ("a", "b"))
    assert board_of(first) == board_of(second)
    assert first.embedded_rows == second.embedded_rows > 0


def test_a_head_a_threshold_and_a_rule_re_embed_nothing(tmp_path: Path) -> None:
    """The first sweep embeds; the second has new kinds, a new policy and a new rule, and embeds no row."""
    path = write_sweep(tmp_path, "seeds: [3]\nrace: false\n")
    before = run(path)
    assert before.embedded_rows == 385 + 140
    sweep = """\
race: false
variants:
  - {name: head, set: {classifiers.lost.candidates: [lda]}}
  - {name: threshold, set: {policy.0.when: scores.lost >= 0.75}}
  - {name: rule, set: {rules.many-stops-on-trial.mode: enforce}}
"""
    path.write_text(sweep)
    after = run(path)
    assert after.embedded_rows == 0
    assert len({one.trials[0].digest for one in after.standings}) >= 3


def test_variants_that_share_an_embedding_train_it_once(tmp_path: Path) -> None:
    """Two heads on one new width, and the project as it is: two embeddings for three variants."""
    outcome = run(write_sweep(tmp_path, SWEEP))
    assert len(outcome.standings) == 3
    assert outcome.embedded_rows == 2 * (385 + 140)
    assert (outcome.evaluations, outcome.full) == (2.0, 2.0)


def test_the_cache_keeps_within_its_bounds_while_variants_run(tmp_path: Path) -> None:
    """What has no room is made again: the second run of a variant gives what the first did."""
    sweep = load_sweep(write_sweep(tmp_path, SWEEP))
    table, first = pq.read_table(tmp_path / "rows.parquet"), variants_of(sweep)[0]
    whole = Cache(tmp_path / "whole")
    trial = Workshop(table, None, cache=whole, folder=tmp_path / "a").run(first, WHOLE, lambda _, __: None)
    small = Cache(tmp_path / "small", most=whole.size() // 2)
    again = Workshop(table, None, cache=small, folder=tmp_path / "b").run(first, WHOLE, lambda _, __: None)
    assert 0 < small.size() <= whole.size() // 2
    assert again.digest == trial.digest


def test_the_winner_has_the_digest_of_a_fit(tmp_path: Path) -> None:
    """Fitted from nothing, without the cache."""
    path = write_sweep(tmp_path, SWEEP)
    outcome = run(path)
    variant, bundle = winner_bundle(outcome)
    table = pq.read_table(tmp_path / "rows.parquet")
    assert fit(variant.project, table, now=NOW, rules=variant.rules).digest == bundle.digest
    as_it_is = next(one for one in outcome.standings if one.variant.name == BASE)
    assert fit(load_project(tmp_path), table, now=NOW).digest == as_it_is.trials[0].digest


def test_every_finalist_says_how_far_it_is_behind(tmp_path: Path) -> None:
    """The best by nothing, the others by the difference of their figures."""
    board = board_of(run(write_sweep(tmp_path, SWEEP)))
    best = board["variants"][0]
    assert best["behind_best"] == 0.0
    for one in board["variants"]:
        assert one["behind_best"] == pytest.approx(one["quality"] - best["quality"])
        assert one["interval"][0] < one["quality"] < one["interval"][1]


def test_a_race_drops_the_weak_and_the_rest_runs_in_full(tmp_path: Path) -> None:
    """A network that learns nothing is far behind on a third of the rows."""
    sweep = "vary: {embedding.learning_rate: [0.01, 0.000001]}\n"
    text = QUICK.replace("[logistic, naive-bayes]", "[logistic]").replace("epochs: 2", "epochs: 6")
    path = write_sweep(tmp_path, sweep, text=text, rows=6_000)
    outcome = run(path)
    assert [heat.rung.whole for heat in outcome.heats] == [False, True]
    assert outcome.risk <= 0.05
    assert outcome.winner.fate == FINISHED
    assert outcome.evaluations < outcome.full
    again = run(path)
    assert board_of(again) == board_of(outcome)
    assert again.embedded_rows == 0


def test_a_budget_drops_without_evidence_and_says_so(tmp_path: Path) -> None:
    """Two evaluations: two of four variants run, in the order of the sweep."""
    sweep = "vary: {embedding.width: [2, 4, 16]}\nrace: false\nbudget: {evaluations: 2}\n"
    outcome = run(write_sweep(tmp_path, sweep))
    fates = {one.variant.name: one.fate for one in outcome.standings}
    assert fates == {BASE: FINISHED, "width 2": FINISHED, "width 4": BUDGET, "width 16": BUDGET}


def test_what_is_spent_counts_as_a_budget_does(tmp_path: Path) -> None:
    """A variant with both of its seeds is one evaluation: of three the budget lets two run."""
    sweep = "vary: {embedding.width: [2, 4]}\nseeds: [3, 4]\nrace: false\nbudget: {evaluations: 2.5}\n"
    outcome = run(write_sweep(tmp_path, sweep))
    assert (outcome.evaluations, outcome.full) == (2.0, 3.0)
    assert sum(one.fate == BUDGET for one in outcome.standings) == 1
    assert outcome.embedded_rows == 2 * 2 * (385 + 140)


def test_minutes_too_few_for_one_run_are_refused(tmp_path: Path) -> None:
    """After the first rung, with what is needed; what ran is kept."""
    sweep = "vary: {embedding.width: [2, 4]}\nbudget: {minutes: 0.000001}\n"
    path = write_sweep(tmp_path, sweep, rows=6_000)
    with pytest.raises(InputError, match=r"a budget of 1e-06 minutes is too small for one run: .* give"):
        run(path)
    assert list((tmp_path / "experiments" / "sweep" / "trials").glob("*.npz"))


def test_seeds_are_averaged(tmp_path: Path) -> None:
    """A variant's rows are the mean of its seeds'; the bundle is that of the first."""
    outcome = run(write_sweep(tmp_path, "seeds: [3, 4]\nrace: false\n"))
    (one,) = outcome.standings
    assert len(one.trials) == 2
    assert one.quality("log_loss") == pytest.approx(
        np.mean([trial.rows["log_loss"].mean() for trial in one.trials])
    )
    assert winner_bundle(outcome)[1].digest == one.trials[0].digest


def test_every_seed_is_told(tmp_path: Path) -> None:
    """With what it chose; the figures of the first, whose bundle is delivered, beside the mean."""
    board = board_of(run(write_sweep(tmp_path, "seeds: [3, 4]\nrace: false\n")))
    (one,) = board["variants"]
    assert [seed["seed"] for seed in one["by_seed"]] == [3, 4]
    assert one["quality"] == pytest.approx(np.mean([seed["quality"] for seed in one["by_seed"]]))
    assert one["kinds"] == one["by_seed"][0]["kinds"]


def test_what_all_seeds_chose_is_how_simple_a_variant_is(tmp_path: Path) -> None:
    """A second seed that chose a tree makes it less simple, and larger."""
    (one,) = run(write_sweep(tmp_path, "seeds: [3, 4]\nrace: false\n")).standings
    first, second = one.trials
    trees = replace(second, kinds={**second.kinds, "lost": "tree"}, model_bytes=second.model_bytes + 1)
    other = replace(one, trials=(first, trees))
    places = KINDS.index("tree") - KINDS.index(second.kinds["lost"])
    assert other.simplicity[0] == one.simplicity[0] + places
    assert other.simplicity[1] == one.simplicity[1] + 1


def test_settings_that_decide_the_same_do_not_win(tmp_path: Path) -> None:
    """Where the fields themselves do, the width changes nothing: the project stays as it is."""
    text = QUICK.replace("epochs: 2", "epochs: 1, learning_rate: 0.000001")
    outcome = run(
        write_sweep(tmp_path, "vary: {embedding.width: [4, 2]}\nrace: false\nseeds: [3, 4]\n", text=text)
    )
    assert {kind for one in outcome.standings for kind in one.trials[0].kinds.values()} == {"raw-logistic"}
    assert outcome.winner.variant.name == BASE
    rows = {one["name"]: one["decides_as"] for one in board_of(outcome)["variants"]}
    assert rows == {BASE: None, "width 4": BASE, "width 2": BASE}
    best, *others = sorted(outcome.standings, key=lambda one: one.variant.number)
    smaller = [
        replace(one, trials=tuple(replace(trial, model_bytes=trial.model_bytes - 9) for trial in one.trials))
        for one in others
    ]
    assert simplest([*smaller, best], "log_loss").variant.name == BASE


def test_a_candidate_that_is_not_served_is_told(tmp_path: Path) -> None:
    """With its variant and the reason: what stands in for it was not asked for."""
    sweep = """\
race: false
variants:
  - name: processes
    set:
      classifiers.lost.candidates: [{name: gp, estimator: sklearn.gaussian_process.GaussianProcessClassifier}]
"""
    board = board_of(run(write_sweep(tmp_path, sweep)))
    (note,) = board["notes"]
    assert note.startswith("processes: 'gp' of classifier 'lost' cannot be served and was not chosen: ")
    refused = {one["name"]: one["refused"] for one in board["variants"]}
    assert refused[BASE] == {}
    assert list(refused["processes"]["lost"]) == ["gp"]


def test_what_cannot_change_the_measure_is_told_before_it_runs(tmp_path: Path) -> None:
    """Log-loss is of the model: thresholds and rules make variants and no difference; a width makes one."""
    sweep = """\
vary:
  embedding.width: [4, 16]
  policy.0.when: [scores.lost >= 0.7, scores.lost >= 0.9]
variants:
  - {name: rule, set: {rules.many-stops-on-trial.mode: enforce}}
budget: {evaluations: 2}
race: false
"""
    outcome = run(write_sweep(tmp_path, sweep))
    policy, rule = outcome.notes
    assert "sweep.yaml:3:3: 'policy.0.when' cannot change log_loss" in policy
    assert "sweep.yaml:5:5: variant 'rule' has the model of the project as it is" in rule
    assert board_of(outcome)["notes"] == [policy, rule]


def test_one_other_threshold_cannot_change_the_measure_either(tmp_path: Path) -> None:
    """The project as it is has the other."""
    path = write_sweep(
        tmp_path, "vary: {policy.0.when: [scores.lost >= 0.6, scores.lost >= 0.9]}\nrace: false\n"
    )
    (note,) = run(path).notes
    assert "sweep.yaml:1:8: 'policy.0.when' cannot change log_loss" in note


def test_minutes_that_let_nothing_compete_are_refused(tmp_path: Path) -> None:
    """One variant in full is no comparison; what ran is kept."""
    sweep = "vary: {embedding.width: [2, 4]}\nrace: false\nbudget: {minutes: 0.000001}\n"
    with pytest.raises(InputError, match=r"a budget of 1e-06 minutes is too small for a second run: .* give"):
        run(write_sweep(tmp_path, sweep))
    assert list((tmp_path / "experiments" / "sweep" / "trials").glob("*.npz"))


def test_the_simplest_within_one_standard_error_wins(tmp_path: Path) -> None:
    """The winner is never behind the best by more than the error of their difference."""
    outcome = run(write_sweep(tmp_path, SWEEP))
    apart = outcome.winner.rows("log_loss") - outcome.best.rows("log_loss")
    assert apart.mean() <= max(apart.std(ddof=1) / np.sqrt(len(apart)), 1e-4)
    assert outcome.winner.simplicity <= outcome.best.simplicity


def test_fields_that_refuse_other_rows_are_no_variant(tmp_path: Path) -> None:
    """Variants are judged on the same rows; one that is not is told by name, at its place in the sweep."""
    sweep = """\
race: false
vary: {fields.stops.min: [5]}
variants:
  - {name: none fits, set: {fields.weight: {type: float, min: 1000}}}
"""
    path = write_sweep(tmp_path, sweep)
    with pytest.raises(CheckFailed) as failed:
        run(path)
    first, second = failed.value.problems
    assert first.message.startswith("variant 'min 5' reads ")
    assert "rows where the project reads 700" in first.message
    assert second.message.startswith("variant 'none fits'")
    assert [(one.line, one.column) for one in (first, second)] == [(2, 8), (4, 29)]


def test_a_rule_that_does_not_check_is_told_in_the_sweep(tmp_path: Path) -> None:
    """Before anything is run, at the key that varies it; the variant's own file is nowhere to look into."""
    path = write_sweep(tmp_path, "vary:\n  rules.far-countries.when: [country == 1]\n")
    with pytest.raises(CheckFailed, match=r"sweep\.yaml:2:29: when country == 1: ") as failed:
        run(path)
    assert len(failed.value.problems) == 1
    assert not (tmp_path / "experiments").exists()


def test_what_is_wrong_with_several_variants_is_told_once(tmp_path: Path) -> None:
    """Of the first of them, with how many more: a rule, and rows that are refused, with each threshold."""
    sweep = """\
vary:
  policy.0.when: [scores.lost >= 0.7, scores.lost >= 0.8, scores.lost >= 0.9]
  rules.far-countries.when: [country == 1]
  fields.stops.min: [5]
"""
    with pytest.raises(CheckFailed) as failed:
        run(write_sweep(tmp_path, sweep))
    rule, rows = failed.value.problems
    assert (rule.line, rows.line) == (3, 4)
    assert rule.message.startswith("policy.0.when … 0.7, far-countries.when country == 1, min 5: ")
    assert rule.message.endswith(" (and so in 2 other variants)")
    assert rows.message.startswith(
        "variant 'policy.0.when … 0.7, far-countries.when country == 1, min 5' reads "
    )
    assert rows.message.endswith(" (and so in 2 other variants)")


def test_a_measure_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    """The project says no value."""
    text = QUICK[: QUICK.index("  value:")]
    path = write_sweep(tmp_path, "measure: value_per_row\nseeds: [3]\n", text=text)
    with pytest.raises(CheckFailed, match=r"sweep\.yaml:1:10: 'value_per_row' cannot be measured"):
        run(path)


def test_a_damaged_trial_is_run_again(tmp_path: Path) -> None:
    """Cut off, it is as good as none."""
    path = write_sweep(tmp_path, "seeds: [3]\nrace: false\n")
    before = board_of(run(path))
    (trial,) = (tmp_path / "experiments" / "sweep" / "trials").glob("*.npz")
    trial.write_bytes(trial.read_bytes()[:99])
    assert board_of(run(path)) == before


def test_standings_are_frozen_records(tmp_path: Path) -> None:
    """A change gives another one."""
    (one,) = run(write_sweep(tmp_path, "seeds: [3]\nrace: false\n")).standings
    assert replace(one, fate="x").fate == "x"
    assert one.fate == FINISHED


def test_what_shares_one_embedding_does_not_race(tmp_path: Path) -> None:
    """On rows enough for a race, after another sweep: no rung but the whole, and no row is embedded anew."""
    path = write_sweep(tmp_path, "seeds: [3]\nrace: false\n", rows=4_000)
    assert run(path).embedded_rows > 0
    path.write_text("""\
measure: value_per_row
vary: {policy.0.when: [scores.lost >= 0.7, scores.lost >= 0.9], policy.1.when: [scores.lost >= 0.3]}
""")
    outcome = run(path)
    assert [heat.rung.whole for heat in outcome.heats] == [True]
    assert {one.fate for one in outcome.standings} == {FINISHED}
    assert (outcome.embedded_rows, outcome.evaluations, outcome.full, outcome.risk) == (0, 1.0, 1.0, 0.0)


def test_variants_of_one_embedding_share_its_fate(tmp_path: Path) -> None:
    """What learns nothing is dropped with all of its thresholds; of what goes on no threshold is dropped."""
    sweep = """\
measure: auc
vary: {policy.0.when: [scores.lost >= 0.7, scores.lost >= 0.9], embedding.learning_rate: [0.01, 0.000001]}
"""
    text = QUICK.replace("[logistic, naive-bayes]", "[logistic]").replace("epochs: 2", "epochs: 8")
    outcome = run(write_sweep(tmp_path, sweep, text=text, rows=4_000))
    fates: dict[float, set[str]] = {}
    for one in outcome.standings:
        rate = one.variant.project.embedding.learning_rate
        fates.setdefault(rate, set()).add(one.fate)
    assert fates[1e-6] == {EVIDENCE}
    assert all(len(some) == 1 for some in fates.values())
    assert {FINISHED} in fates.values()


def test_a_budget_keeps_what_an_embedding_in_it_pays_for(tmp_path: Path) -> None:
    """One evaluation is one width, with both of its thresholds, whatever the order of the sweep."""
    sweep = """\
race: false
vary: {policy.0.when: [scores.lost >= 0.7, scores.lost >= 0.9], embedding.width: [4, 8]}
budget: {evaluations: 1}
"""
    outcome = run(write_sweep(tmp_path, sweep))
    fates = {one.variant.project.embedding.width: one.fate for one in outcome.standings}
    assert fates == {8: FINISHED, 4: BUDGET}
    assert sum(one.fate == FINISHED for one in outcome.standings) == 3
