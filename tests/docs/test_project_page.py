"""docs/project-file.md tells the truth: its example is a project, and its table has every setting."""

import re
from pathlib import Path

from embeddings.spec import Spec
from engine.project import OwnClassifier, parse_project

PAGE = (Path(__file__).parents[2] / "docs/project-file.md").read_text(encoding="utf-8")


def test_the_example_is_a_project() -> None:
    """The page's project.yaml is read without a problem, and says what its comments say."""
    example = re.search(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    project = parse_project(example[1].encode(), root=Path("lending"))
    assert project.scores == ("risk", "grade.a", "grade.b", "grade.c")
    assert "branch" not in [slot.name for slot in project.embedding.slots]


def test_every_setting_of_the_embedding_is_on_the_page() -> None:
    """The table of the embedding names each setting, with the default that the code has."""
    table = PAGE.partition("## embedding")[2].partition("##")[0]
    for name, value in Spec().to_mapping().items():
        row = next(line for line in table.splitlines() if f"`{name}`" in line)
        assert value is None or str(value).lower() in row.lower()


def test_the_classifier_of_one_s_own_is_read_as_written() -> None:
    """The second example is a section of a project, without a problem."""
    example, own, _ = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    first, rest = example.split("classifiers:\n  risk:", 1)
    grade = "  grade:" + rest.split("  grade:", 1)[1]
    project = parse_project((first + own + grade).encode(), root=Path("lending"))
    _, forest = project.classifiers["risk"].candidates
    assert isinstance(forest, OwnClassifier)
    assert (forest.name, forest.input, forest.after) == ("forest", "fields", "tree")


def test_the_encoder_of_one_s_own_is_read_as_written() -> None:
    """The third example is a section of a project, without a problem."""
    example, _, section = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^embedding: .*\n", section, example, flags=re.MULTILINE)
    project = parse_project(text.encode(), root=Path("lending"))
    assert project.encoders["note"].tokens == 64
    assert ("note", "vector") in [(slot.name, slot.kind) for slot in project.embedding.slots]
