"""What `tandem fit` notes of what it had to leave out."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engine.cli.conftest import Run

OWN = "[{name: near, estimator: sklearn.neighbors.RadiusNeighborsClassifier, params: {radius: 1.0e-9}}]"


def test_a_candidate_that_is_out_of_the_running_is_noted(project: Path, run: Run) -> None:
    """With the reason and with who serves in its stead, on stderr and in --json."""
    file = project / "project.yaml"
    text = file.read_text()
    before, _, after = text.partition("candidates: ")
    file.write_text(f"{before}candidates: {OWN}{after[after.index(']') + 1 :]}")
    note = "candidate 'near' is out of the running, 'raw-logistic' serves: cannot score: No neighbors found"
    code, _, err = run("fit", project)
    assert code == 0
    assert f"note: classifier 'risk': {note}" in err
    code, out, _ = run("fit", project, "--json")
    assert code == 0
    assert any(note in one for one in json.loads(out)["notes"])
