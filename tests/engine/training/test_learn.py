"""What fails in the fused graph is refused with its reason, and the next candidate takes the place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from embeddings import Encoding
from engine.errors import TandemError
from engine.training.assemble import assemble
from engine.training.candidate import Candidate, Rows
from engine.training.candidates import run_candidates
from engine.training.choose import choose
from engine.training.embed import Embedded, embed_rows, run_graph
from engine.training.export import Exported, passthrough
from engine.training.rows import read_labelled
from engine.training.split import split_rows
from tests.engine.training.small_project import PROJECT, fitted, small_table, write_project
from tests.engine.training.tables import embedding_rows

KNOWN = {"lost": np.ones(300, bool)}


def spoilt(candidate: Candidate) -> Candidate:
    """The candidate with a graph that is off: every weight a hundredth larger."""
    assert candidate.exported is not None
    return replace(
        candidate, exported=Exported(candidate.exported.affine.scaled(1.01), candidate.exported.body)
    )


def embedded_candidates(kinds: list[str]) -> tuple[Embedded, list[Candidate]]:
    vectors, codes = embedding_rows(2)
    rows = Rows(vectors[:600], codes[:600]), Rows(vectors[600:], codes[600:])
    inputs = {"given": rows[1].embedding}
    embedded = Embedded(
        passthrough(vectors.shape[1]),
        inputs,
        rows[0].embedding,
        rows[1].embedding,
        {},
        Encoding((), (), (), ()),
    )
    return embedded, run_candidates(kinds, *rows, 2, seed=1)


def test_a_candidate_that_fails_in_the_fused_graph_gives_way_to_the_next() -> None:
    """Equally good, the logistic model would win; its spoilt graph differs from scikit-learn."""
    embedded, (logistic, other) = embedded_candidates(["logistic", "naive-bayes"])
    other = replace(other, losses=logistic.losses)
    assert choose([logistic, other]).chosen is logistic
    choices, model, pad = assemble(fitted()[0], {"lost": [spoilt(logistic), other]}, embedded, KNOWN)
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
        assemble(fitted()[0], {"lost": [spoilt(logistic)]}, embedded, KNOWN)


def test_a_candidate_whose_losses_are_no_numbers_is_refused() -> None:
    """It stays in the table, without figures, and is not chosen."""
    _, (logistic, other) = embedded_candidates(["logistic", "tree"])
    gone = replace(logistic, losses=np.full(len(logistic.losses), np.nan), refused="no numbers")
    choice = choose([gone, other])
    assert choice.chosen is other
    assert choice.table()[0]["log_loss"] is None


def test_classifiers_are_not_told_what_the_training_rows_labels_were(tmp_path: Path) -> None:
    """Memos that each stand twice say nothing of labels drawn by a coin: no classifier is sure of any.

    One fitted on what the graph makes of these rows would be, for its tables know them.
    """
    rng = np.random.default_rng(0)
    table = small_table(900)
    at = table.column_names.index
    memos = pa.array([f"memo{row // 2}" for row in range(900)])
    coins = pa.array(np.where(rng.random(900) < 0.5, "yes", "no"))
    table = table.set_column(at("memo"), "memo", memos).set_column(at("was_lost"), "was_lost", coins)
    text = PROJECT.replace("text_buckets: 64", "text_buckets: 4096")
    project = write_project(tmp_path, text=text)
    rows = read_labelled(project, table, "the table")
    parts = split_rows(project.split, rows.rows, strata=rows.codes["lost"])
    training, validation = rows.take(parts.train), rows.take(parts.validation)
    embedded, _, _ = embed_rows(project, training, validation, lambda _, __: None)
    model = LogisticRegression(max_iter=1_000).fit(embedded.train, training.codes["lost"])
    assert roc_auc_score(training.codes["lost"], model.decision_function(embedded.train)) < 0.65
    # The graph would have told them.
    told = run_graph(embedded.encoder, "embedding", embedded.train_inputs)
    model = LogisticRegression(max_iter=1_000).fit(told, training.codes["lost"])
    assert roc_auc_score(training.codes["lost"], model.decision_function(told)) > 0.75
