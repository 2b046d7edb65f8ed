"""The simplest candidate within one standard error of the best is chosen, and refused ones are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.training.calibrate import Calibration
from engine.training.candidate import Candidate, Rows
from engine.training.candidates import run_candidates
from engine.training.choose import NoCandidate, choose, choose_best, refuse
from engine.training.classifiers import KINDS, Fitted
from engine.training.simplest import paired_difference
from tests.engine.training.tables import embedding_rows


def candidate(kind: str, losses: list[float]) -> Candidate:
    return Candidate(
        kind, Fitted(kind, None, None), Calibration(1.0), np.array(losses), np.zeros((len(losses), 1))
    )


def test_the_simplest_within_one_standard_error_wins() -> None:
    """The tree is best by less than the noise of the difference, so the logistic model is taken."""
    simple, best = candidate("logistic", [0.5, 0.1, 0.6, 0.4]), candidate("tree", [0.3, 0.3, 0.3, 0.6])
    assert best.losses.mean() < simple.losses.mean()
    assert choose([simple, best]).chosen is simple


def test_on_a_part_of_the_rows_the_best_counts_and_the_baseline_only_alone() -> None:
    """What is compared and not served need not be simple."""
    raw = candidate("raw-logistic", [0.1, 0.1, 0.1])
    simple, best = candidate("logistic", [0.5, 0.1, 0.6]), candidate("tree", [0.3, 0.3, 0.3])
    assert choose_best([raw, simple, best]).chosen is best
    assert choose_best([raw, refuse([simple], simple, "no")[0]]).chosen is raw


def test_a_clear_difference_beats_simplicity() -> None:
    """Better on every row by the same amount: the standard error of the difference is nought."""
    simple, best = candidate("logistic", [0.5, 0.6, 0.7]), candidate("tree", [0.4, 0.5, 0.6])
    assert choose([simple, best]).chosen is best


def test_a_difference_below_a_ten_thousandth_is_none() -> None:
    """All but perfect on every row, both of them: the standard error is nought, and the simpler is taken."""
    simple, best = candidate("logistic", [2e-6] * 3), candidate("tree", [1e-6] * 3)
    assert choose([simple, best]).chosen is simple


def test_the_standard_error_is_of_the_paired_difference() -> None:
    """Rows that are hard for both do not blur a difference that is there on every row."""
    hard = np.array([0.1, 5.0, 0.1, 5.0])
    assert paired_difference(hard + 0.01, hard) == pytest.approx((0.01, 0.0), abs=1e-12)


def test_a_refused_candidate_is_neither_chosen_nor_the_measure() -> None:
    """With the best out of the running the next is chosen, and the table keeps the reason."""
    simple, best = candidate("logistic", [0.5, 0.6, 0.7]), candidate("tree", [0.4, 0.5, 0.6])
    choice = choose(refuse([simple, best], best, "differs"))
    assert choice.chosen is simple
    assert [row["refused"] for row in choice.table()] == [None, "differs"]
    assert [row["chosen"] for row in choice.table()] == [True, False]


def test_no_candidate_left_lists_every_reason() -> None:
    """The error says of each kind why it was refused."""
    gone = [replace(candidate(kind, [1.0]), refused=f"reason {kind}") for kind in ("logistic", "tree")]
    with pytest.raises(NoCandidate, match="logistic: reason logistic; tree: reason tree"):
        choose(gone)


def test_candidates_run_simplest_first_and_carry_their_parity() -> None:
    """However the project lists them; each measured against scikit-learn to 1e-5."""
    vectors, codes = embedding_rows(2)
    ran = run_candidates(
        KINDS[::-1], Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:]), 2, seed=1
    )
    assert tuple(one.kind for one in ran) == KINDS
    assert all(one.parity is not None and one.parity <= 1e-5 and not one.refused for one in ran)
    assert choose(ran).table()[0]["settings"].keys() == {"C"}
