"""docs/experiments.md tells the truth: its example is a sweep, its tables have every key and figure."""

import re
from pathlib import Path

from engine.experiments.cache import MOST_BYTES
from engine.experiments.race import DRAWS, LEAST_EPOCHS, LEAST_ROWS, WALK, WIDENING
from engine.experiments.reading import KEYS, read_sweep
from rules.reader import read_yaml

PAGE = (Path(__file__).parents[2] / "docs/experiments.md").read_text(encoding="utf-8")


def test_the_examples_are_sweeps() -> None:
    """Read without a problem, with the axes that they show."""
    widths, thresholds = (
        read_sweep(read_yaml(example.encode(), "sweep.yaml"), Path("sweep.yaml"))
        for example in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    )
    assert [len(axis.values) for axis in widths.axes] == [2, 2]
    assert (widths.name, widths.seeds, widths.budget.minutes) == ("widths", (1, 2), 10)
    assert [axis.key for axis in thresholds.axes] == ["policy.0.when", "rules.close-call.mode"]


def test_every_key_is_on_the_page() -> None:
    """In the table of the first section."""
    assert set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)) == set(KEYS)


def test_the_constants_of_the_race_are_on_the_page() -> None:
    """As the code has them."""
    assert f"{WALK}² for the part" in PAGE
    assert f"by {WIDENING:.0%} for" in PAGE.replace("15 %", "15%")
    assert f"{DRAWS:,} times" in PAGE
    assert f"fewer than {LEAST_ROWS:,} rows they begin" in PAGE
    assert LEAST_EPOCHS == 5
    assert "an eighth of the epochs, at least five" in PAGE
    assert f"keeps to {MOST_BYTES // 2**30} GiB" in PAGE
