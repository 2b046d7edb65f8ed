"""Every classifier's candidates in, the whole graph out: one of each is chosen, fused and tried on real rows.

What fails in the whole is refused, and the next candidate takes the place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import TandemError
from engine.training.batches import unsteady_columns
from engine.training.candidate import Candidate
from engine.training.choose import Choice, NoCandidate, choose, refuse
from engine.training.embed import Embedded, first_rows, run_graph
from engine.training.fuse import fuse
from engine.training.margins import margins_of, sums_of
from engine.training.parity import allowed_difference, largest_difference
from engine.training.targets import class_names

if TYPE_CHECKING:
    from engine.project import Label, Project

Chooser = Callable[[Sequence[Candidate]], Choice]
STEADY_ROWS = 5_000


def assemble(
    project: Project,
    candidates: dict[str, list[Candidate]],
    embedded: Embedded,
    counted: Mapping[str, np.ndarray],
    chooser: Chooser = choose,
) -> tuple[dict[str, Choice], bytes, bool]:
    """Choose, fuse and try the whole graph; what fails in it is refused, and the next is chosen.

    Gives the choices, the graph, and whether a single row must be run twice to score as in a batch.
    """
    while True:
        choices = {name: _choose(name, of, chooser) for name, of in candidates.items()}
        heads = [choice.chosen.head(name, _classes(project, name)) for name, choice in choices.items()]
        model = fuse(embedded.encoder, heads)
        refused, pad = _faults(model, choices, [head.scores for head in heads], embedded, counted)
        if not refused:
            return choices, model, pad
        for name, reason in refused.items():
            candidates = candidates | {name: refuse(candidates[name], choices[name].chosen, reason)}


def scores_part(project: Project, choices: Mapping[str, Choice], model: bytes, pad: bool) -> dict[str, Any]:
    """What model/scores.json says: the columns of the graph's output, and what stands behind each."""
    described = []
    heads = [choice.chosen.head(name, _classes(project, name)) for name, choice in choices.items()]
    margins = margins_of(heads)
    for name, choice in choices.items():
        spec = project.classifiers[name]
        label: Label = project.labels[spec.label]
        described.append(
            {
                "name": name,
                "label": spec.label,
                "kind": choice.chosen.kind,
                "classes": list(class_names(label)),
                "scores": list(spec.scores),
                "margins": margins[name].to_json(),
            }
        )
    return {
        "scores": list(project.scores),
        "classifiers": described,
        "sums": sums_of(model, heads),
        "pad_single_rows": pad,
    }


def _choose(name: str, candidates: Sequence[Candidate], chooser: Chooser) -> Choice:
    try:
        return chooser(candidates)
    except NoCandidate as error:
        raise TandemError(f"classifier '{name}': no candidate is left; {error}") from None


def _faults(
    model: bytes,
    choices: Mapping[str, Choice],
    widths: Sequence[int],
    embedded: Embedded,
    counted: Mapping[str, np.ndarray],
) -> tuple[dict[str, str], bool]:
    """Classifiers whose scores differ from scikit-learn's or between batches, with the reason.

    `counted` `(n,)` bool by classifier: the validation rows that scikit-learn's scores are of.
    """
    scores = run_graph(model, "scores", embedded.inputs)
    unsteady, pad = unsteady_columns(model, first_rows(embedded.inputs, STEADY_ROWS))
    faults: dict[str, str] = {}
    start = 0
    for (name, choice), width in zip(choices.items(), widths, strict=True):
        columns = range(start, start + width)
        start += width
        difference = largest_difference(choice.chosen, scores[counted[name]][:, columns.start : columns.stop])
        most = allowed_difference(choice.chosen)
        if not difference <= most:
            faults[name] = f"fused, it differs from scikit-learn by {difference:.1e}, more than {most:g}"
        elif unsteady.intersection(columns):
            faults[name] = "fused, a row scores differently in batches of different sizes"
    return faults, pad


def _classes(project: Project, classifier: str) -> int:
    return len(class_names(project.labels[project.classifiers[classifier].label]))
