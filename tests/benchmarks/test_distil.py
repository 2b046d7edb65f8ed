"""The teacher that a tower is measured against in graphs is the teacher."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.teacher import teacher_graph
from embeddings import fit_encoding
from embeddings.ensemble import Ensemble
from embeddings.train import seeded
from engine.model import open_session
from tests.embeddings.tables import batch, spec, table


@pytest.mark.parametrize("hidden", [[8], [16, 8]])
def test_the_teachers_graph_says_what_the_teacher_says(hidden: list[int]) -> None:
    """Mean probabilities of an ensemble whose members differ in every weight, to the last digits."""
    settled = spec(members=3, hidden=hidden)
    encoding = fit_encoding(settled, table(300))
    inputs = encoding.batch(batch(table(300)))
    with seeded(1, torch.device("cpu")):
        teacher = Ensemble(settled, encoding, {"bad": 2}).eval()
        with torch.no_grad():
            for parameter in teacher.parameters():
                parameter.add_(torch.randn_like(parameter) / 4)
            said = teacher({name: torch.tensor(array) for name, array in inputs.items()})["bad"].exp()
    (graphs,) = open_session(teacher_graph(teacher, encoding)).run(None, inputs)
    np.testing.assert_allclose(graphs, said.numpy(), atol=1e-5)
