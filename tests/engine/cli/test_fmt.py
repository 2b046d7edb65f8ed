"""`tandem fmt`: which files, what is written, what is only told."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.engine.cli.conftest import Run

UNTIDY = "rules:\n- when: 'amount > 1'\n  id: a # for ever\n  tag: t\n"
TIDY = "rules:\n  - id: a  # for ever\n    when: amount > 1\n    tag: t\n"


def test_files_are_laid_out_and_said_to_be(run: Run, tmp_path: Path) -> None:
    """A file that is not in its form is rewritten, and the next run finds nothing to do."""
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY)
    assert run("fmt", tmp_path) == (0, f"changed {file}\n1 changed, 0 as they should be\n", "")
    assert file.read_text() == TIDY
    assert run("fmt", file) == (0, "0 changed, 1 as they should be\n", "")


def test_check_and_diff_write_nothing(run: Run, tmp_path: Path) -> None:
    """`--check` ends with 1 where a file would change, `--diff` shows it."""
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY)
    assert run("fmt", file, "--check")[:2] == (
        1,
        f"would change {file}\n0 as they should be\n".replace("0 as", "1 changed, 0 as"),
    )
    code, out, _ = run("fmt", file, "--diff")
    assert code == 0
    assert "-- when: 'amount > 1'" in out
    assert "+    when: amount > 1" in out
    code, out, _ = run("fmt", file, "--check", "--diff", "--json")
    told = json.loads(out)
    assert (code, told["files"], told["problems"]) == (1, 1, [])
    assert told["changed"][0]["diff"].startswith("---")
    assert file.read_text() == UNTIDY


def test_files_that_cannot_be_read_are_told_and_left(run: Run, tmp_path: Path) -> None:
    """A problem in one file keeps no other from being laid out."""
    (tmp_path / "a.yaml").write_text("rules: [")
    (tmp_path / "b.yaml").write_text(UNTIDY)
    (tmp_path / "c.yaml").write_bytes(b"a: &x [*x]")
    code, out, err = run("fmt", tmp_path)
    assert code == 1
    assert "1 changed, 0 as they should be" in out
    assert [line.split(": ")[0] for line in err.splitlines() if line.startswith(str(tmp_path))] == [
        f"{tmp_path}/a.yaml:1:9",
        f"{tmp_path}/c.yaml:1:4",
        f"{tmp_path}/c.yaml:1:8",
    ]
    assert (tmp_path / "a.yaml").read_text() == "rules: ["
    assert run("fmt", tmp_path / "nowhere.yaml")[0] == 1
    assert run("fmt", "--chck")[0] == 2


def test_what_init_writes_is_in_its_form(run: Run, tmp_path: Path) -> None:
    """The files of a first project, from the sample and from a table, need no fmt."""
    assert run("init", "payments", tmp_path / "sample", "--rows", "1000")[0] == 0
    table = pa.table(
        {"customer_id": [1, 2, 3, 4] * 5, "age": [20, 30, 40, 50] * 5, "bad": [True, False] * 10}
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    assert (
        run("init", "mine", tmp_path / "mine", "--data", tmp_path / "rows.parquet", "--label", "bad")[0] == 0
    )
    for project, files in (("sample", 3), ("mine", 2)):
        assert run("fmt", "--check", tmp_path / project)[1].endswith(
            f"0 changed, {files} as they should be\n"
        )


def test_a_list_is_no_yaml_and_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    """One entry a line reads as YAML, too; laid out it would be another list."""
    file = tmp_path / "words.txt"
    file.write_text("word one\nword two\n", encoding="utf-8")
    code, _, err = run("fmt", file)
    assert code == 1
    assert "no YAML file" in err
    assert file.read_text(encoding="utf-8") == "word one\nword two\n"


def test_a_diff_of_line_ends_alone_says_so(run: Run, tmp_path: Path) -> None:
    """A file of CRLF, or with a byte order mark, that is otherwise in its form; nothing to do is no line."""
    file = tmp_path / "a.yaml"
    file.write_bytes(TIDY.replace("\n", "\r\n").encode())
    told = f"--- {file}\n+++ {file} (canonical)\nline ends become \\n: nothing else changes\n"
    assert run("fmt", file, "--diff") == (0, told, "")
    file.write_bytes(b"\xef\xbb\xbf" + TIDY.encode())
    assert run("fmt", file, "--diff")[1].endswith("the byte order mark goes: nothing else changes\n")
    file.write_text(TIDY)
    assert run("fmt", file, "--diff") == (0, "", "")
