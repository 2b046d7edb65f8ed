"""Choosing reference rows: rows of the table, the same for one seed, nearer to all rows than drawn ones."""

from __future__ import annotations

import numpy as np

from embeddings.encode import Encoding
from engine.references import References
from engine.training.references import POOL, choose_references, reference_part, references_for

ENCODING = Encoding.from_json(
    {
        "format": 1,
        "numbers": [{"name": name, "mean": 0.0, "inverse_scale": 1.0, "edges": []} for name in ("a", "b")],
        "timestamps": [],
        "categories": [{"name": "c", "levels": ["x", "y", "z"]}],
        "texts": [],
    }
)


def rows(count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    draw = np.random.default_rng(5)
    numeric = draw.gamma(1.0, size=(count, 2)).astype(np.float32)
    numeric[draw.random((count, 2)) < 0.1] = np.nan
    inputs = {"numeric": numeric, "categories": draw.choice(5, (count, 1), p=[0.02, 0.08, 0.5, 0.3, 0.1])}
    return inputs, np.nan_to_num(numeric) @ draw.normal(size=(2, 4)).astype(np.float32)


def chosen(count: int = 16, seed: int = 1, of: int = 3_000) -> References:
    return choose_references(ENCODING, *rows(of), count, seed)


def test_references_are_rows_of_the_table_and_orders_have_every_field_once() -> None:
    """No row is made up, none is taken twice."""
    inputs, _ = rows(3_000)
    whole = np.hstack([np.nan_to_num(inputs["numeric"], nan=-9), inputs["categories"]]).tolist()
    held = chosen()
    ours = np.hstack([np.nan_to_num(held.rows["numeric"], nan=-9), held.rows["categories"]]).tolist()
    assert all(one in whole for one in ours)
    assert len({tuple(one) for one in ours}) == len(ours) == 16
    assert (np.sort(held.orders, axis=1) == np.arange(3)).all()


def test_one_seed_gives_one_choice() -> None:
    """Twice the same rows and seed, twice the same references; another seed, others."""
    assert chosen().to_json() == chosen().to_json()
    assert chosen(seed=2).to_json() != chosen().to_json()


def test_they_stand_for_all_better_than_rows_drawn_at_random() -> None:
    """Means of numbers, of missing ones and of levels are nearer to those of all rows."""
    inputs, _ = rows(3_000)

    def means(held: np.ndarray, levels: np.ndarray) -> np.ndarray:
        shares = (levels == np.arange(5)).mean(axis=0)
        return np.concatenate([np.nanmean(held, axis=0), np.isnan(held).mean(axis=0), shares])

    aim = means(inputs["numeric"], inputs["categories"])
    herded = [
        means(one.rows["numeric"], one.rows["categories"]) for one in (chosen(seed=s) for s in range(5))
    ]
    draw = np.random.default_rng(0)
    drawn = [
        means(inputs["numeric"][at], inputs["categories"][at])
        for at in (draw.choice(3_000, 16, replace=False) for _ in range(40))
    ]

    def distance(found: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(one - aim).mean() for one in found]))

    assert distance(herded) < 0.6 * distance(drawn)


def test_a_small_table_gives_what_it_has() -> None:
    """Fewer rows than asked for are all of them; a table larger than the pool gives as many as asked for."""
    assert len(chosen(count=32, of=5)) == 5
    assert len(chosen(of=POOL + 500)) == 16


def test_a_project_may_keep_none() -> None:
    """`references: 0` leaves the part out; without a word there are as many as suit the fields."""
    inputs, embedding = rows(200)
    assert reference_part(ENCODING, inputs, embedding, count=0, seed=1) == {}
    (part,) = reference_part(ENCODING, inputs, embedding, count=None, seed=1).values()
    assert part.count(b"],[") > references_for(3)


def test_the_first_rows_have_a_second_order() -> None:
    """One in five, at least four: by them an explanation tells what it may be off by."""
    assert [len(chosen(count).orders) for count in (2, 16, 40)] == [4, 20, 48]
