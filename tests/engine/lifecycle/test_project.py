"""project.yaml: read whole, checked whole, every problem at its line and column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from engine.cli.tables import read_table
from engine.errors import InputError
from engine.project import load_project, parse_project, read_lists, read_rules
from engine.project.classifiers import KINDS
from engine.project.infer import infer_project
from engine.ruleparts import check_folder
from rules.errors import CheckFailed

GOOD = """\
name: loans
id: loan_id
fields:
  age: {type: int, min: 0, max: 120}
  income: {type: float, nullable: true}
  when: {type: timestamp}
outcomes: [accept, review, reject]
labels:
  bad: {column: status, positive: late}
  grade: {column: grade, classes: [A+, B, C]}
embedding: {width: 16, epochs: 3}
classifiers:
  risk: {label: bad, candidates: [logistic, tree]}
  grade: {label: grade}
policy:
  - {when: scores.risk >= 0.7 || scores.grade.c > 0.5, decide: reject}
  - {when: "true", decide: accept}
split: {by: time, field: when, validation: 0.1, test: 1000, seed: 3}
data: {train: data/loans.parquet}
evaluation:
  label: bad
  acted: [review, reject]
  value: "outcome == 'accept' ? (label.bad ? -100.0 : 10.0) : 0.0"
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", "when"),  # what the split goes by
        ("id: loan_id", "id: loan_id\nevent_time: seen", "seen"),
        ("  when: {", "  event_time: {type: timestamp}\n  when: {", "event_time"),
        ("by: time, field: when", "by: random", None),
    ],
)
def test_the_time_of_an_event_is_named_or_found(old: str, new: str, expected: str | None) -> None:
    """The field named, else one called event_time, else the split's; none is none."""
    text = GOOD.replace("  when:", "  seen: {type: timestamp}\n  when:").replace(old, new, 1)
    assert parse_project(text.encode(), root=Path("loans")).event_time == expected


def test_the_time_of_an_event_is_a_timestamp() -> None:
    """A field of another type is refused, with the timestamps that there are."""
    assert problems("event_time: age\n" + GOOD) == ["1:13: unknown timestamp field 'age'"]


def problems(text: str) -> list[str]:
    with pytest.raises(CheckFailed) as failed:
        parse_project(text.encode(), root=Path("loans"))
    return [f"{one.line}:{one.column}: {one.message}" for one in failed.value.problems]


def test_a_project_is_everything_its_file_says() -> None:
    """Every section ends up in its record."""
    project = parse_project(GOOD.encode(), root=Path("loans"))
    assert (project.name, project.id, project.outcomes) == (
        "loans",
        "loan_id",
        ("accept", "review", "reject"),
    )
    assert [field.name for field in project.schema.fields] == ["age", "income", "when"]
    assert (project.labels["bad"].column, project.labels["bad"].positive) == ("status", "late")
    assert project.labels["grade"].classes == ("A+", "B", "C")
    assert project.classifiers["risk"].candidates == ("logistic", "tree")
    assert project.classifiers["grade"].candidates == KINDS
    assert (project.embedding.width, len(project.embedding.slots)) == (16, 3)
    assert (project.split.by, project.split.validation, project.split.test) == ("time", 0.1, 1000)
    assert project.data.train == Path("data/loans.parquet")
    assert project.evaluation.value is not None
    assert project.evaluation.value.variables == {"outcome", "label.bad"}
    assert project.text == GOOD.encode()


def test_scores_are_named_for_their_classifier_and_class() -> None:
    """A binary classifier gives one score; others one a class, as identifiers."""
    project = parse_project(GOOD.encode(), root=Path("loans"))
    assert project.scores == ("risk", "grade.a_", "grade.b", "grade.c")


def test_a_label_that_is_not_described_is_a_column_of_true_and_false() -> None:
    """Without `labels`, a classifier's label is a column's name."""
    lines = [line for line in GOOD.splitlines() if not line.startswith(("labels", "  bad", "  grade"))]
    text = "\n".join(lines).replace(" || scores.grade.c > 0.5", "")
    project = parse_project(text.encode(), root=Path("loans"))
    assert (project.labels["bad"].column, project.labels["bad"].positive) == ("bad", True)


def test_the_name_of_a_project_is_its_folder_if_it_has_no_other() -> None:
    """`name` may be left out."""
    project = parse_project(GOOD.replace("name: loans\n", "").encode(), root=Path("/tmp/some-loans"))
    assert project.name == "some-loans"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: loans", "naem: loans", "1:1: unknown key 'naem'"),
        ("type: int,", "type: integer,", "4:15: "),
        ("[accept, review, reject]", "[accept, accept]", "7:20: 'accept' is listed twice"),
        ("[accept, review, reject]", "[]", "7:11: at least one outcome is needed"),
        ("[accept, review, reject]", "[accept, review, reject, none]", "7:36: 'none' cannot be an outcome"),
        ("label: bad,", "label: bad, reasons: {agee: YOUNG},", "13:32: unknown field 'agee'"),
        ("label: bad,", "label: bad, reasons: {age: 5},", "13:37: 'age' must be text, got 5"),
        ("label: bad,", "label: bad, reasons: {age: 'A|B'},", "13:37: 'age' may hold one line"),
        ("label: bad,", "label: bad, adverse: up,", "13:31: 'adverse' must be one of high, low"),
        ("data: {", "data: {references: -1, ", "19:20: 'references' must be a whole number"),
        ("column: status", "column: age", "9:8: 'age' is a label and a field"),
        ("[A+, B, C]", "[A, B]", "10:35: at least three classes are needed"),
        ("[A+, B, C]", "[A, a, C]", "14:3: two classes of 'grade' give one score"),
        ("positive: late", "positiv: late", "9:25: unknown key 'positiv'"),
        ("width: 16", "width: 1", "11:20: width: 1 is out of range"),
        ("epochs: 3", "epoch: 3", "11:24: epoch: unknown setting"),
        ("label: bad, cand", "label: bda, cand", "13:17: unknown label 'bda'"),
        ("[logistic, tree]", "[logistic, forest]", "13:45: unknown kind of classifier 'forest'"),
        ("scores.risk", "scores.rsk", "16:12: unknown"),
        ("decide: reject}", "decide: refuse}", "16:64: unknown outcome"),
        ('{when: "true", decide: accept}', "{when: age > 5, decide: accept}", "17:12: the last row"),
        ("by: time", "by: day", "18:13: 'by' must be one of random, time, order"),
        ("field: when", "field: age", "18:26: unknown timestamp field 'age'"),
        ("validation: 0.1", "validation: big", "18:44: 'validation' must be a number"),
        ("seed: 3", "seed: 0.5", "18:67: 'seed' must be a whole number"),
        ("  label: bad\n", "  label: sad\n", "21:10: unknown label 'sad'"),
        ("acted: [review", "acted: [revue", "22:11: unknown outcome 'revue'"),
        ("label.bad ?", "label.sad ?", "23:34: unknown"),
        (": 0.0", ": 'a'", "23:"),
        ("policy:", "polcy:", "15:1: unknown key 'polcy'"),
    ],
)
def test_every_mistake_is_placed(old: str, new: str, expected: str) -> None:
    """Line, column and words for each thing that can be wrong."""
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert any(one.startswith(expected) for one in found), found


def test_a_reason_is_of_a_field_that_the_model_sees() -> None:
    """A code for a field that is kept from the model would never be told."""
    text = GOOD.replace("label: bad,", "label: bad, reasons: {age: YOUNG, income: LOW},")
    project = parse_project(text.encode(), root=Path("loans"))
    assert project.classifiers["risk"].reasons.codes == {"age": "YOUNG", "income": "LOW"}
    assert problems(text.replace("epochs: 3", "without: [age]")) == [
        "13:32: no score is made from 'age', so it is no reason"
    ]


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    """Five mistakes in five sections are five problems; expressions wait only for the fields they use."""
    text = GOOD.replace("id: loan_id", "id: 5").replace("width: 16", "width: 1")
    text = (
        text.replace("scores.risk", "scores.rsk")
        .replace("by: time", "by: day")
        .replace("label.bad ?", "label.x ?")
    )
    found = problems(text)
    assert [int(one.split(":")[0]) for one in found] == [2, 11, 16, 18, 23]


@pytest.mark.parametrize(
    "text", ["", "5", "[]", "- a", "fields:", "fields: {}", "fields: []", "a: b", "policy: 5"]
)
def test_a_file_that_is_no_project_is_refused_with_a_place(text: str) -> None:
    """Whatever YAML it is, the answer is problems, never a traceback."""
    assert problems(text)


def test_a_folder_without_a_project_says_what_to_do(tmp_path: Path) -> None:
    """The message names the file that is looked for, and the command that makes one."""
    with pytest.raises(InputError, match=r"project\.yaml: no such file.*'tandem init'"):
        load_project(tmp_path)


def test_rule_files_are_read_in_name_order_without_hidden_ones(tmp_path: Path) -> None:
    """Editors keep half-written copies in hidden files."""
    (tmp_path / "rules").mkdir()
    for name in ("b.yaml", "a.yml", ".c.yaml", "d.txt", "e.yaml~"):
        (tmp_path / "rules" / name).write_bytes(name.encode())
    assert read_rules(tmp_path) == {"rules/a.yml": b"a.yml", "rules/b.yaml": b"b.yaml"}
    assert read_rules(tmp_path / "nowhere") == {}


def test_lists_are_read_inside_the_project_only(tmp_path: Path) -> None:
    """A path or a link that leads outside is refused."""
    root = tmp_path / "project"
    (root / "lists").mkdir(parents=True)
    (root / "lists" / "a.txt").write_bytes(b"a")
    (tmp_path / "secret.txt").write_bytes(b"s")
    (root / "lists" / "link.txt").symlink_to(tmp_path / "secret.txt")
    read = read_lists(root)
    assert read("lists/a.txt") == b"a"
    for outside in ("../secret.txt", "lists/link.txt", str(tmp_path / "secret.txt")):
        with pytest.raises(PermissionError, match="outside the project"):
            read(outside)


def test_outcomes_that_cannot_be_read_are_one_problem(tmp_path: Path) -> None:
    """Policy and evaluation, which name outcomes, are not blamed for it."""
    text = GOOD.replace("outcomes: [accept, review, reject]", "outcomes: accept")
    with pytest.raises(CheckFailed) as caught:
        parse_project(text.encode(), root=tmp_path)
    assert [problem.message for problem in caught.value.problems] == [
        "'outcomes' must be a list, got 'accept'"
    ]


def test_a_first_project_is_inferred_from_a_table(tmp_path: Path) -> None:
    """Types, nullability, an id and a label come from the data; the files check as they are written."""
    rows = 40
    table = pa.table(
        {
            "order_id": [f"o{row}" for row in range(rows)],
            "amount": [float("nan"), *map(float, range(1, rows))],
            "items": list(range(rows)),
            "express": [row % 2 == 0 for row in range(rows)],
            "country": ["DE", "FR"] * (rows // 2),
            "note": [f"please leave order number {row} at the door" for row in range(rows)],
            "placed": [f"2026-01-{row % 28 + 1:02d}T10:00:00Z" for row in range(rows)],
            "nothing": pa.nulls(rows, pa.string()),
            "odd name": list(range(rows)),
            "in": list(range(rows)),
            "returned": ["no", "no", "yes", "no"] * (rows // 4),
        }
    )
    inferred = infer_project("shop: one", table, "returned", data="../orders.csv")
    (tmp_path / "rules").mkdir()
    (tmp_path / "project.yaml").write_text(inferred.project)
    (tmp_path / "rules" / "example.yaml").write_text(inferred.rules)
    project = load_project(tmp_path)
    types = {field.name: (field.type, field.nullable) for field in project.schema.fields}
    assert types == {
        "amount": ("float", True),
        "items": ("int", False),
        "express": ("bool", False),
        "country": ("category", False),
        "note": ("text", False),
        "placed": ("timestamp", False),
        "nothing": ("category", True),
    }
    assert (project.name, project.id) == ("shop: one", "order_id")
    assert project.labels["returned"].positive == "yes"
    assert len(inferred.notes) == 3
    checked = check_folder(tmp_path, project.schema, project.scores, project.outcomes)
    assert [rule.id for rule in checked.rules] == ["close-call"]


def test_the_cells_of_a_csv_are_typed_by_what_all_of_them_write(tmp_path: Path) -> None:
    """A CSV holds text alone: numbers, truth values and moments are seen in it; a code like 007 is none."""
    (tmp_path / "people.csv").write_text(
        "age,rate,left,placed,zip,mixed,flag,paid\n"
        + "39, 1.5,2026-01-01,2026-01-01,00501,12,True,no\n" * 30
        + '" 40",2e3,, 2026-01-02T10:00:00Z,12345,n/a,false,yes\n' * 10
    )
    inferred = infer_project("people", read_table(tmp_path / "people.csv"), "paid", data="people.csv")
    project = parse_project(inferred.project.encode(), root=tmp_path)
    types = {field.name: (field.type, field.nullable) for field in project.schema.fields}
    assert types == {
        "age": ("int", False),
        "rate": ("float", False),
        "left": ("timestamp", True),
        "placed": ("timestamp", False),
        "zip": ("category", False),
        "mixed": ("category", False),
        "flag": ("bool", False),
    }
    (note,) = inferred.notes
    assert note.endswith("give 'split' in project.yaml 'by: time, field: left'")


def test_a_guess_at_what_yes_means_is_said() -> None:
    """No value of the label says yes: the rarer one is taken, and the note says which."""
    table = pa.table({"x": list(range(6)), "grade": ["good", "good", "bad", "good", "good", "bad"]})
    inferred = infer_project("grades", table, "grade", data="grades.parquet")
    assert inferred.notes == ("label 'grade': bad is taken to mean yes; see labels in project.yaml",)


def test_a_label_of_several_classes_is_inferred_too(tmp_path: Path) -> None:
    """Classes are listed, and policy and rule use the score of the rarest."""
    table = pa.table({"x": list(range(12)), "kind": [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3]})
    inferred = infer_project("kinds", table, "kind", data="kinds.parquet")
    project = parse_project(inferred.project.encode(), root=tmp_path)
    assert project.labels["kind"].classes == ("1", "2", "3")
    assert project.scores == ("kind._1", "kind._2", "kind._3")


def test_a_class_too_rare_to_fit_is_said_at_once() -> None:
    """`tandem init` names each class that `tandem fit` would refuse; enough rows of each need no note."""
    kinds = [1] * 30 + [2] * 10 + [3] * 2
    table = pa.table({"x": list(range(len(kinds))), "kind": kinds})
    note, example = infer_project("kinds", table, "kind", data="kinds.parquet").notes
    assert example == "label 'kind': the policy rejects 3, its rarest class, as an example: edit it"
    assert note.startswith("label 'kind': 3 has 2 of 42 rows, and a fit needs 10 of each class: merge")
    enough = table.slice(0, 40).append_column("other", pa.array([1] * 20 + [2] * 10 + [3] * 10))
    notes = infer_project("kinds", enough.drop_columns("kind"), "other", data="kinds.parquet").notes
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("table", "label", "message"),
    [
        ({"x": [1, 2]}, "y", "no column 'y'"),
        ({"x": [1, 2], "y": [1, 1]}, "y", "one value only"),
        ({"x": [1, 2], "y": [None, 1]}, "y", "one value only"),
        ({"y": [0, 1]}, "y", "no column besides 'y'"),
        ({"x": list(range(60)), "y": list(range(60))}, "y", "60 different values"),
    ],
)
def test_a_table_that_cannot_be_a_project_says_why(
    table: dict[str, list[int]], label: str, message: str
) -> None:
    """Nothing is written for a table without anything to learn."""
    with pytest.raises(InputError, match=message):
        infer_project("a", pa.table(table), label, data="a.csv")


def test_fields_can_be_kept_from_the_embedding() -> None:
    """`embedding: {without: [...]}` leaves a field to the rules alone; a name that is no field is refused."""
    text = GOOD.replace("{width: 16, epochs: 3}", "{width: 16, without: [income]}")
    project = parse_project(text.encode(), root=Path("loans"))
    assert [slot.name for slot in project.embedding.slots] == ["age", "when"]
    assert problems(text.replace("without: [income]", "without: [incme]")) == ["11:34: unknown field 'incme'"]
    every = text.replace("without: [income]", "without: [age, income, when]")
    assert problems(every) == ["11:33: no field is left for the embedding"]
