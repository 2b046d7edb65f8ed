"""A training that was cut off goes on where it was kept, and ends in the weights of one left alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from embeddings import fit_encoding
from embeddings.body import train_body
from embeddings.course import Arrays
from embeddings.train import Trained
from tests.embeddings.tables import batch, labels, parts, spec, table

DATA = table(300)
CODES = {"bad": labels(DATA), "grade": np.where(np.arange(300) % 5 == 0, -1, np.arange(300) % 3)}
STAGES = {"tower": ["tower"], "ensemble": ["ensemble", "distilled tower"]}


class CutError(Exception):
    """Stands for a kill."""


@dataclass
class Shelf:
    """Keeps every course as it was written; stops the training after so many."""

    after: int = 10_000
    held: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    kept_times: int = 0
    told: list[tuple[str, int, int, bool]] = field(default_factory=list)

    def due(self) -> bool:
        return True

    def keep(self, stage: str, arrays: Mapping[str, np.ndarray]) -> None:
        self.held[stage] = {name: array.copy() for name, array in arrays.items()}
        self.kept_times += 1
        if self.kept_times == self.after:
            raise CutError

    def kept(self, stage: str) -> Arrays | None:
        return self.held.get(stage)

    def goes_on(self, stage: str, done: int, most: int, *, over: bool) -> None:
        self.told.append((stage, done, most, over))


def trained(body: str, keeper: Shelf | None, **settings: object) -> Trained:
    """Train on the CPU: 4 epochs, 30 distilled steps."""
    settled = spec(
        **{"body": body, "members": 2, "distil_steps": 30, "epochs": 4, "dropout": 0.2, **settings}
    )
    encoding = fit_encoding(settled, DATA)
    given = parts(encoding.batch(batch(DATA)), CODES, 200)
    return train_body(settled, encoding, *given, device="cpu", keeper=keeper).trained


def same(ours: Trained, theirs: Trained) -> bool:
    """Weights, passes and choice, bit for bit."""
    mine, other = ours.network.state_dict(), theirs.network.state_dict()
    return (
        (ours.history, ours.best) == (theirs.history, theirs.best)
        and set(mine) == set(other)
        and all(torch.equal(mine[name], other[name]) for name in mine)
    )


@pytest.mark.parametrize("body", STAGES)
def test_cut_off_after_any_pass_it_comes_to_the_same(body: str) -> None:
    """Killed after each pass of each stage in turn, and once more after the next."""
    alone = trained(body, None)
    counted = Shelf()
    assert same(trained(body, counted), alone)
    assert list(counted.held) == STAGES[body]
    for after in range(1, counted.kept_times):
        shelf = Shelf(after)
        with pytest.raises(CutError):
            trained(body, shelf)
        shelf.after = after + 1
        with pytest.raises(CutError):
            trained(body, shelf)
        assert same(trained(body, shelf), alone)
        assert shelf.told


def test_a_course_stopped_early_stays_stopped() -> None:
    """Taken up after its last pass it makes no other."""
    settings = {"epochs": 40, "patience": 1, "learning_rate": 0.05}
    shelf = Shelf()
    alone = trained("tower", shelf, **settings)
    assert len(alone.history) < 40
    made = shelf.kept_times
    assert same(trained("tower", shelf, **settings), alone)
    assert shelf.kept_times == made
    assert shelf.told == [("tower", len(alone.history), 40, True)]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("about", np.frombuffer(b"{}", np.uint8)),
        ("about", np.frombuffer(b"\xff", np.uint8)),
        ("random.cpu", np.zeros(3, np.uint8)),
        ("random.cpu", np.zeros(3, np.float64)),
        ("network.layers.0.bias", np.zeros(3, np.float32)),
        ("averaged.layers.0.bias", np.zeros(0, np.float64)),
        ("best.layers.0.bias", np.zeros(3, np.int64)),
        ("moment.0.exp_avg", np.zeros((), np.float32)),
        ("moment.0.step", np.zeros(2, np.float32)),
        ("moment.0.exp_avg_sq", None),
        ("network.layers.0.bias", None),
        ("order", np.array(["a"])),
    ],
)
def test_what_is_no_course_of_this_training_is_left_alone(name: str, other: np.ndarray | None) -> None:
    """It starts from the beginning, and comes to the same."""
    alone = trained("tower", None)
    shelf = Shelf(2)
    with pytest.raises(CutError):
        trained("tower", shelf)
    held = shelf.held["tower"]
    assert name in held
    shelf.held["tower"] = {key: array for key, array in held.items() if key != name} | (
        {} if other is None else {name: other}
    )
    shelf.after = 0
    assert same(trained("tower", shelf), alone)
    assert shelf.told == []
