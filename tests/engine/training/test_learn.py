"""What fails in the fused graph is refused with its reason, and the next candidate takes the place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import TandemError
from engine.training.choose import Candidate, Rows, choose, run_candidates
from engine.training.export import Exported, passthrough
from engine.training.learn import _Embedded, _fused
from tests.engine.training.small_project import fitted
from tests.engine.training.tables import embedding_rows


def spoilt(candidate: Candidate) -> Candidate:
    """The candidate with a graph that is off: every weight a hundredth larger."""
    assert candidate.exported is not None
    return replace(
        candidate, exported=Exported(candidate.exported.affine.scaled(1.01), candidate.exported.body)
    )


def embedded_candidates(kinds: list[str]) -> tuple[_Embedded, list[Candidate]]:
    vectors, codes = embedding_rows(2)
    rows = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    inputs = {"given": rows[1].embedding}
    embedded = _Embedded(passthrough(vectors.shape[1]), inputs, rows[0].embedding, rows[1].embedding)
    return embedded, run_candidates(kinds, *rows, 2, seed=1)


def test_a_candidate_that_fails_in_the_fused_graph_gives_way_to_the_next() -> None:
    """Equally good, the logistic model would win; its spoilt graph differs from scikit-learn."""
    embedded, (logistic, other) = embedded_candidates(["logistic", "naive-bayes"])
    other = replace(other, losses=logistic.losses)
    assert choose([logistic, other]).chosen is logistic
    choices, model, pad = _fused(fitted()[0], {"lost": [spoilt(logistic), other]}, embedded)
    assert choices["lost"].chosen is other
    assert "fused, it differs from scikit-learn by" in choices["lost"].table()[0]["refused"]
    assert model
    assert not pad


def test_a_fit_fails_when_no_candidate_is_left() -> None:
    """With the classifier's name and every reason."""
    embedded, (logistic,) = embedded_candidates(["logistic"])
    with pytest.raises(
        TandemError, match="classifier 'lost': no candidate is left; logistic: fused, it differs"
    ):
        _fused(fitted()[0], {"lost": [spoilt(logistic)]}, embedded)


def test_a_candidate_whose_losses_are_no_numbers_is_refused() -> None:
    """It stays in the table, without figures, and is not chosen."""
    _, (logistic, other) = embedded_candidates(["logistic", "tree"])
    gone = replace(logistic, losses=np.full(len(logistic.losses), np.nan), refused="no numbers")
    choice = choose([gone, other])
    assert choice.chosen is other
    assert choice.table()[0]["log_loss"] is None
