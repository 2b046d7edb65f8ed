"""docs/explaining.md tells the truth: its example adds up, and its codes are a classifier's keys."""

import math
import re
from pathlib import Path

from engine.project import parse_project
from engine.training.references import references_for

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "explaining.md").read_text(encoding="utf-8")


def test_the_example_adds_up() -> None:
    """Base and contributions make the log-odds, and their σ is the score."""
    score, odds, base = map(
        float, re.findall(r"risk = ([\d.]+); log-odds ([-\d.]+), .*? ([-\d.]+) on", PAGE)[0]
    )
    added = [float(one) for one in re.findall(r"^    ([+-]\d\.\d\d) ", PAGE, re.MULTILINE)]
    assert abs(base + sum(added) - odds) < 1e-9
    assert abs(1 / (1 + math.exp(-odds)) - score) < 1e-6


def test_the_codes_are_what_a_project_file_takes() -> None:
    """The page's classifier, put into the example of the project page, is read as it says."""
    (classifier,) = re.findall(r"^classifiers:\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    example = re.search(
        r"^```yaml\n(.*?)^```", (DOCS / "project-file.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert example is not None
    text = re.sub(r"  risk:\n.*?(?=  grade:)", classifier, example[1], flags=re.DOTALL)
    reasons = parse_project(text.encode(), root=Path("lending")).classifiers["risk"].reasons
    assert reasons.adverse == "high"
    assert reasons.codes["income"] == "INCOME_TOO_LOW"


def test_the_project_page_says_how_many_rows_are_kept() -> None:
    """By default 12 to 40, for many fields and for few."""
    assert "12 to 40" in (DOCS / "project-file.md").read_text()
    assert (references_for(500), references_for(4)) == (12, 40)
