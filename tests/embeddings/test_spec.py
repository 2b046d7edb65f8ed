"""Settings are read whole or refused whole, with every problem."""

from __future__ import annotations

import pytest

from embeddings import Slot, Spec, SpecError


def test_settings_are_read() -> None:
    """Given settings hold, the others keep their defaults, and slots keep their order."""
    spec = Spec.from_mapping(
        {"numeric": "piecewise-linear", "width": 32, "epochs": 15, "hidden": [64], "learning_rate": 1},
        [Slot("b", "number"), Slot("a", "text")],
    )
    assert (spec.width, spec.epochs, spec.hidden, spec.seed) == (32, 15, (64,), 7)
    assert [slot.name for slot in spec.slots] == ["b", "a"]


def test_settings_are_written_as_they_are_read() -> None:
    """`to_mapping` gives what `from_mapping` takes."""
    spec = Spec.from_mapping({"hidden": [8, 4], "batch_size": None, "seed": 3})
    assert Spec.from_mapping(spec.to_mapping()) == spec


def test_the_number_of_rows_settles_what_was_left_open() -> None:
    """Few rows get a smaller network; what was given stays, and what is settled stays settled."""
    open_, given = Spec(), Spec.from_mapping({"hidden": [8], "bins": 5, "dropout": 0.0})
    few, some, many = (open_.sized(rows) for rows in (4_999, 5_000, 20_000))
    assert (few.hidden, few.bins, few.dropout) == ((64,), 12, 0.2)
    assert (some.hidden, some.bins, some.dropout) == ((128, 128), 16, 0.1)
    assert (many.hidden, many.bins, many.dropout) == ((128, 128), 32, 0.1)
    assert given.sized(10) == given.sized(10_000) == given
    assert few.sized(10_000) == few
    assert Spec.from_mapping({"hidden": None, "bins": None, "dropout": None}) == open_


def test_every_problem_is_listed() -> None:
    """One error holds all problems, in the order of the settings, with what to try."""
    with pytest.raises(SpecError) as raised:
        Spec.from_mapping(
            {
                "widht": 3,
                "epochs": 0,
                "dropout": "high",
                "numeric": "raw",
                "hidden": [],
                "seed": True,
                "bins": 4.5,
            },
            [Slot("a", "numbr"), Slot("b", "text"), Slot("b", "text")],
        )
    assert [str(problem) for problem in raised.value.problems] == [
        "widht: unknown setting of an embedding; did you mean 'width'?",
        "epochs: 0 is out of range; give a whole number from 1 to 10000",
        "dropout: got 'high'; give a number from 0 to 0.9",
        "numeric: 'raw' is not an encoding of numbers; known: piecewise-linear, standardised",
        "hidden: got []; give one to eight layer widths from 1 to 4096: [128, 128]",
        "seed: got True; give a whole number from 0 to 9.22337e+18",
        "bins: got 4.5; give a whole number from 2 to 128",
        "slots.a: unknown kind 'numbr'; known: number, flag, category, text, timestamp, vector",
        "slots.b: named 2 times; give every slot a name of its own",
    ]


@pytest.mark.parametrize("hidden", [[0], [True], "128", [1] * 9, [4097], {}])
def test_layers_have_sound_widths(hidden: object) -> None:
    """One to eight layers of 1 to 4096."""
    with pytest.raises(SpecError, match="hidden"):
        Spec.from_mapping({"hidden": hidden})


def test_not_a_number_is_out_of_range() -> None:
    """NaN is no setting."""
    with pytest.raises(SpecError, match="learning_rate"):
        Spec.from_mapping({"learning_rate": float("nan")})
