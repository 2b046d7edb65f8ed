"""A folder, a number of rows and a seed in, a whole project of synthetic payments out."""

from __future__ import annotations

from importlib.resources import files
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import check_vacant, write_folder
from engine.project.schemas import schema_files
from engine.samples.payments.generate import compromised_terminals, generate, unlabelled

SCAM_WORDS = (
    "# Memos reported by customers, lower case, one a line.",
    "agent processing fee",
    "payment agent commission",
    "urgent transfer release fee",
    "release fee inheritance",
    "home office job test payment",
)
_TEMPLATES = {
    "project.yaml": "project.yaml",
    "README.md": "README.md",
    "compliance.yaml": "rules/compliance.yaml",
    "fraud.yaml": "rules/fraud.yaml",
}


def write_project(directory: Path, *, rows: int = 40_000, seed: int = 7) -> None:
    """Write project.yaml, rules, lists, `rows` labelled payments, and a tenth as many new ones to score.

    Raises InputError where `directory` is not empty, or where there would be too few rows to learn from.
    """
    directory = Path(directory)
    if rows < 1000:
        raise InputError(f"{rows} rows are too few for a project of payments; give at least 1000")
    check_vacant(directory)
    new = rows // 10
    table = generate(rows + new, seed)
    terminals = compromised_terminals(seed)
    known = {"ROWS": f"{rows:,}", "NEW": f"{new:,}", "SEED": str(seed), "TERMINAL": terminals[0]}
    contents = {target: _filled(name, known) for name, target in _TEMPLATES.items()}
    contents |= schema_files()
    contents["lists/compromised-terminals.csv"] = "\n".join(["terminal", *terminals, ""]).encode()
    contents["lists/scam-words.txt"] = "\n".join([*SCAM_WORDS, ""]).encode()
    contents["data/payments.parquet"] = _parquet(table.slice(0, rows))
    contents["data/new-payments.parquet"] = _parquet(unlabelled(table.slice(rows)))
    write_folder(directory, contents)


def _filled(name: str, known: dict[str, str]) -> bytes:
    text = (files(__package__) / name).read_text(encoding="utf-8")
    for key, value in known.items():
        text = text.replace("{{" + key + "}}", value)
    return text.encode()


def _parquet(table: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(table.combine_chunks(), sink, compression="zstd")
    return sink.getvalue()
