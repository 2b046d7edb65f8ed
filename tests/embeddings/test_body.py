"""Teacher and tower: the ensemble learns, the tower learns from it, and the choice is as said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from embeddings import Spec, SpecError, body, fit_encoding
from embeddings.body import Body, paired_gain, train_body
from embeddings.distil import swapped
from embeddings.ensemble import Ensemble
from embeddings.export import check_parity, export_onnx
from embeddings.network import Network
from embeddings.rows import Rows
from embeddings.train import fit, seeded
from tests.embeddings.tables import batch, labels, parts, spec, table

DATA = table(700)
CODES = {"bad": labels(DATA), "grade": np.where(np.arange(700) % 5 == 0, -1, np.arange(700) % 3)}
CPU = torch.device("cpu")


def trained(**settings: object) -> tuple[Body, dict[str, np.ndarray]]:
    settled = spec(members=3, distil_steps=60, **settings)
    encoding = fit_encoding(settled, DATA)
    inputs = encoding.batch(batch(DATA))
    return train_body(settled, encoding, *parts(inputs, CODES, 500), device="cpu"), inputs


def test_an_ensemble_gives_every_members_logits_and_the_mean_of_their_probabilities() -> None:
    """In training a column of members; judged, probabilities that sum to one and are the members' mean."""
    settled = spec(members=3, dropout=0.0)
    encoding = fit_encoding(settled, DATA)
    inputs = {name: torch.tensor(array) for name, array in encoding.batch(batch(DATA)).items()}
    with seeded(1, CPU):
        network = Ensemble(settled, encoding, {"bad": 2, "grade": 3})
    members = network(inputs)["grade"]
    assert members.shape == (700, 3, 3)
    assert not torch.allclose(members[:, 0], members[:, 1])
    mean = network.eval()(inputs)["grade"].exp()
    assert torch.allclose(mean, functional.softmax(members, dim=2).mean(dim=1), atol=1e-6)


def test_an_ensemble_learns() -> None:
    """Its loss on unseen rows falls well below that of the class rates."""
    settled = spec(members=4, epochs=15, hidden=[32, 32], learning_rate=4e-3)
    encoding = fit_encoding(settled, DATA)
    given = parts(encoding.batch(batch(DATA)), {"bad": labels(DATA)}, 500)
    rows, validation = Rows.of(*given[:2], "training"), Rows.of(*given[2:], "validation")
    with seeded(1, CPU):
        found = fit(settled, Ensemble(settled, encoding, {"bad": 2}), rows, validation, None)
    share = labels(DATA).mean()
    flat = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    assert found.history[found.best].validation_loss < 0.7 * flat


def test_a_tower_taught_by_an_ensemble_is_a_tower() -> None:
    """What comes out is the plain network, exported like any other, whoever taught it."""
    found, inputs = trained(body="ensemble")
    assert found.taught_by == "ensemble"
    assert isinstance(found.trained.network, Network)
    encoding = fit_encoding(spec(), DATA)
    assert check_parity(export_onnx(found.trained, encoding), found.trained, inputs) <= 1e-4


def test_a_few_rows_get_no_ensemble_unless_it_is_asked_for() -> None:
    """`auto` below its least rows, and `tower`, are the tower that the labels taught; the same weights."""
    few, asked = trained()[0], trained(body="tower")[0]
    assert few.taught_by == asked.taught_by == "labels"
    ours, theirs = few.trained.network.state_dict(), asked.trained.network.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize(("gain", "taught_by"), [(1.0, "labels"), (-1.0, "ensemble")])
def test_auto_keeps_the_tower_within_one_standard_error(
    monkeypatch: pytest.MonkeyPatch, gain: float, taught_by: str
) -> None:
    """The ensemble teaches only where it gains more than its standard error."""
    monkeypatch.setattr(body, "LEAST_ROWS", 1)
    measured = body.paired_gain

    def bounded(*given: object) -> tuple[float, float]:
        return measured(*given)[0], gain

    monkeypatch.setattr(body, "paired_gain", bounded)
    found, _ = trained(body="auto")
    assert found.taught_by == taught_by
    assert found.report["standard_error"] == gain


def test_the_gain_is_paired_row_by_row() -> None:
    """A network gains nothing on itself, and the error of that is nought; missing labels take no part."""
    found, _ = trained(body="tower")
    given = parts(fit_encoding(spec(), DATA).batch(batch(DATA)), CODES, 500)
    rows = Rows.of(*given[2:], "validation")
    assert paired_gain(found.trained.network, found.trained.network, rows) == (0.0, 0.0)


def test_a_seed_gives_the_same_tower() -> None:
    """Taught by an ensemble it is the same, bit for bit, in a second run."""
    first, again = (trained(body="ensemble")[0].trained.network.state_dict() for _ in range(2))
    assert all(value.numpy().tobytes() == again[name].numpy().tobytes() for name, value in first.items())


def test_swapped_values_come_from_the_same_column() -> None:
    """About a fifth of the values move, each within its column; the tokens of a text stay together."""
    inputs = {
        "numeric": torch.arange(4_000.0).reshape(1_000, 4),
        "text.memo": torch.arange(1_000)[:, None].expand(1_000, 6),
    }
    torch.manual_seed(0)
    mixed = swapped(inputs)
    assert ((mixed["numeric"] % 4) == torch.arange(4.0)).all()
    assert 0.15 < (mixed["numeric"] != inputs["numeric"]).float().mean() < 0.25
    assert (mixed["text.memo"] == mixed["text.memo"][:, :1]).all()


def test_a_body_that_is_none_is_refused() -> None:
    """With the ones there are."""
    with pytest.raises(SpecError, match="known: auto, tower, ensemble"):
        Spec.from_mapping({"body": "transformer"})
