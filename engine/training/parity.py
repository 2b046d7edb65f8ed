"""A candidate's exported graph is compared with scikit-learn on validation rows, and refused if it differs.

Of the project's own, a graph is refused that differs by more than single precision explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from engine.project.classifiers import RAW
from engine.training.candidate import NEGLIGIBLE, AnyFitted, Candidate, Recalled, Rows, finite
from engine.training.classifiers import KINDS
from engine.training.convert import export_own
from engine.training.embed import run_graph
from engine.training.export import Exported, export, inputs_alone, passthrough
from engine.training.fuse import fuse
from engine.training.own import OwnFitted
from engine.training.views import NotUsable

LARGEST_DIFFERENCE = 1e-5
LARGEST_OF_OWN = 1e-3  # converters add up in single precision what scikit-learn does in double


def export_candidate(candidate: Candidate, rows: Rows, classes: int) -> Candidate:
    """Export and compare with scikit-learn; what goes wrong there refuses the candidate, not the fit."""
    if not np.isfinite(candidate.losses).all():
        return replace(candidate, refused="its probabilities are no numbers on some validation rows")
    if isinstance(candidate.fitted, Recalled):
        raise TypeError("a recalled candidate is exported already")
    tried: list[tuple[float, float, Candidate]] = []
    try:
        for exported in _graphs(candidate.fitted, rows.embedding.shape[1], classes):
            one = replace(candidate, exported=exported)
            scores = _graph_scores(one, rows, classes)
            difference = largest_difference(one, scores)
            if difference <= LARGEST_DIFFERENCE:
                return replace(one, parity=difference)
            tried.append((difference, _moved(one, scores, rows), one))
    except NotUsable as error:
        return replace(candidate, refused=str(error))
    except Exception as error:  # converters raise whatever they like
        return replace(candidate, refused=f"cannot be exported: {str(error).splitlines()[0]}")
    difference, moved, one = min(tried, key=lambda each: each[0])
    own = isinstance(candidate.fitted, OwnFitted)
    if own and difference <= LARGEST_OF_OWN and moved <= NEGLIGIBLE:
        return replace(one, parity=difference)
    most = LARGEST_OF_OWN if own else LARGEST_DIFFERENCE
    reason = f"its graph differs from scikit-learn by {difference:.1e}, more than {most:g}"
    if own and difference <= LARGEST_OF_OWN:
        reason = f"its graph differs from scikit-learn by {moved:.1e} nats a row, more than {NEGLIGIBLE:g}"
    return replace(candidate, parity=finite(difference), refused=reason)


def allowed_difference(candidate: Candidate) -> float:
    """How far the scores of a candidate in the running may be from scikit-learn's, fused with others."""
    return LARGEST_DIFFERENCE if candidate.kind in (RAW, *KINDS) else LARGEST_OF_OWN


def largest_difference(candidate: Candidate, scores: np.ndarray) -> float:
    """max |scores − scikit-learn's calibrated probabilities|, of all validation rows with a label.

    `scores` `(n, 1)` or `(n, classes)`.
    """
    expected = candidate.probabilities
    expected = expected[:, 1:] if expected.shape[1] == 2 else expected
    return float(np.abs(scores.astype(np.float64) - expected).max())


def _graphs(fitted: AnyFitted, width: int, classes: int) -> Iterable[Exported]:
    """The graphs that a classifier may have: one, but for those of the project's own."""
    return export_own(fitted, width, classes) if isinstance(fitted, OwnFitted) else [export(fitted, width)]


def _graph_scores(candidate: Candidate, rows: Rows, classes: int) -> np.ndarray:
    """What the exported graph gives for the validation rows: `(n, 1)` or `(n, classes)` float32."""
    if candidate.exported is not None and candidate.exported.reads_inputs:
        encoder, given = inputs_alone(rows.inputs), dict(rows.inputs)
    else:
        encoder, given = passthrough(rows.embedding.shape[1]), {"given": rows.embedding}
    model = fuse(encoder, [candidate.head("candidate", classes)])
    return run_graph(model, "scores", given)


def _moved(candidate: Candidate, scores: np.ndarray, rows: Rows) -> float:
    """How far the graph's log-losses are from scikit-learn's, in the mean over the rows."""
    ours = np.column_stack([1.0 - scores, scores]) if scores.shape[1] == 1 else scores
    at = np.arange(len(rows.codes))[:, None], rows.codes[:, None]
    logs = [np.log(np.clip(one.astype(np.float64)[at], 1e-7, 1.0)) for one in (ours, candidate.probabilities)]
    return float(np.average(np.abs(logs[0] - logs[1])[:, 0], weights=rows.weights))
