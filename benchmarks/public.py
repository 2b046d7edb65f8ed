"""Public tables as projects: fields, label and the split into training, validation and test rows, by name.

The tables are not shipped: they are read from ../shared/data, or from the folder in TANDEM_DATA.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.setting import ROOT, Unavailable
from engine.project import Project, load_project
from engine.training.rows import Labelled, read_labelled
from engine.training.split import Parts, split_rows

_OCCUPATIONS = ("mothers_occupation", "fathers_occupation", "mothers_qualification", "fathers_qualification")


@dataclass(frozen=True)
class Public:
    """One table: its label, fields that are category codes, and what is left out."""

    file: str
    label: str
    positive: str | None = None
    classes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    test_from: int | None = None  # the official split: test rows begin here
    by: str = "random"
    distinct: str | None = None  # of rows that are equal in this column, the first is kept


TABLES = {
    "german_credit": Public("german_credit", "class", "bad"),
    "telco_churn": Public("telco_churn", "churn", '"Yes"', without=("customer_id",)),
    "sms_spam": Public("sms_spam", "label", "spam", texts=("text",), distinct="text"),
    "student_dropout": Public(
        "student_dropout",
        "target",
        classes=("Graduate", "Dropout", "Enrolled"),
        categories=(
            *("marital_status", "application_mode", "course", "previous_qualification", "nacionality"),
            *_OCCUPATIONS,
        ),
    ),
    "online_shoppers": Public(
        "online_shoppers",
        "revenue",
        "true",
        categories=("operating_systems", "browser", "region", "traffic_type"),
    ),
    # `recommend` has two rows, too few to fit.
    "nursery": Public("nursery", "class", classes=("not_recom", "priority", "spec_prior", "very_recom")),
    "phishing_url": Public("phishing_urls", "status", "phishing", texts=("url",), only=("url",)),
    "phishing_all": Public("phishing_urls", "status", "phishing", texts=("url",)),
    "credit_default": Public("credit_default", "default_payment_next_month", "1", without=("id",)),
    "adult": Public("adult", "income", '">50K"', test_from=32_561),
    # Rows are in the order of time and drift; `duration` is known only after the call.
    "bank_marketing": Public("bank_marketing", "y", '"yes"', without=("duration",), by="order"),
}


@dataclass(frozen=True)
class Case:
    """A table ready to be learned from: one classifier, `score`, on one label, `truth`."""

    name: str
    project: Project
    rows: Labelled
    parts: Parts

    @property
    def codes(self) -> np.ndarray:
        return self.rows.codes["truth"]

    @property
    def classes(self) -> int:
        return int(self.codes.max()) + 1


def case(name: str, seed: int, embedding: str = "") -> Case:
    """A table with the split of a seed; `embedding` are further settings, as project.yaml has them."""
    public = TABLES[name]
    table = _table(public)
    project = _project(public, table, seed, embedding)
    rows = read_labelled(project, table, public.file)
    codes = rows.codes["truth"]
    if public.test_from is None:
        return Case(name, project, rows, split_rows(project.split, rows.rows, strata=codes))
    parts = split_rows(project.split, public.test_from, strata=codes[: public.test_from], test=False)
    test = np.arange(public.test_from, rows.rows)
    return Case(name, project, rows, Parts(parts.train, parts.validation, test))


def write_folder(name: str, place: Path) -> Case:
    """A table as a project's folder, ready for `tandem fit`: project.yaml and its data files; seed 1."""
    given, public = case(name, 1), TABLES[name]
    table = _table(public)
    shutil.rmtree(place, ignore_errors=True)
    (place / "data").mkdir(parents=True)
    files = {"train": table} if public.test_from is None else {
        "train": table.slice(0, public.test_from), "test": table.slice(public.test_from)
    }  # fmt: skip
    for what, rows in files.items():
        pq.write_table(rows, place / "data" / f"{what}.parquet")
    named = ", ".join(f"{what}: data/{what}.parquet" for what in files)
    (place / "project.yaml").write_bytes(given.project.text + f"\ndata: {{{named}}}\n".encode())
    return given


def _table(public: Public) -> pa.Table:
    folder = Path(os.environ.get("TANDEM_DATA", ROOT.parent / "shared" / "data"))
    path = folder / f"{public.file}.parquet"
    if not path.exists():
        raise Unavailable(f"{path} is not there; TANDEM_DATA may name the folder of the public tables")
    table = pq.read_table(path, columns=[*public.only, public.label] if public.only else None)
    if public.classes:
        table = table.filter(pc.is_in(table[public.label], pa.array(public.classes)))
    if public.distinct:
        _, first = np.unique(table[public.distinct].to_numpy(), return_index=True)
        table = table.take(np.sort(first))
    return table


def _project(public: Public, table: pa.Table, seed: int, embedding: str) -> Project:
    fields = [name for name in table.column_names if name not in (*public.without, public.label)]
    meaning = f"classes: [{', '.join(public.classes)}]" if public.classes else f"positive: {public.positive}"
    lines = [
        "fields:",
        *(f"  {name}: {{type: {_type(public, table, name)}, nullable: true}}" for name in fields),
        "outcomes: [none_yet]",
        f"labels: {{truth: {{column: {public.label}, {meaning}}}}}",
        f"embedding: {{seed: {seed}{', ' + embedding if embedding else ''}}}",
        "classifiers: {score: {label: truth}}",
        'policy: [{when: "true", decide: none_yet}]',
        f"split: {{by: {public.by}, seed: {seed}}}",
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "project.yaml").write_text("\n".join(lines))
        return load_project(Path(folder))


def _type(public: Public, table: pa.Table, name: str) -> str:
    kind = table.schema.field(name).type
    if name in public.texts:
        return "text"
    if pa.types.is_boolean(kind):
        return "bool"
    if name in public.categories or not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return "category"
    return "int" if pa.types.is_integer(kind) else "float"
