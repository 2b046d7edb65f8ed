"""Lists: inline and from files, their types, and paths that stay in the project."""

from __future__ import annotations

import pytest

from rules.lists import refused_path


def lists_of(check, declared: str, files: dict[str, bytes] | None = None):
    return check(f"lists:\n  {declared}\nrules: []\n", lists=files or {}).lists


@pytest.mark.parametrize(
    ("declared", "kind", "entries"),
    [
        ("a: [NO, SE, NO]", "string", {"NO", "SE"}),
        ("a: ['1', '007']", "string", {"1", "007"}),
        ("a: [1, 2]", "int", {1, 2}),
        ("a: [1, 2.5]", "double", {1.0, 2.5}),
        ("a: []", "string", set()),
        ("a: [007, 042]", "string", {"007", "042"}),
    ],
)
def test_inline_lists_have_one_type(check, declared: str, kind: str, entries: set) -> None:
    """Text, whole numbers, or numbers: what is written says which."""
    values = lists_of(check, declared)["a"]
    assert (values.type, values.entries) == (kind, entries)
    assert {type(entry) for entry in values.entries} <= {{"string": str, "int": int, "double": float}[kind]}


@pytest.mark.parametrize(
    ("declared", "data", "entries"),
    [
        ("{file: lists/a.txt}", b"x\n# no\n\n  y \r\nx", {"x", "y"}),
        ("{file: lists/a.txt}", b"\xef\xbb\xbfx\n", {"x"}),
        ("{file: lists/a.txt}", b"", set()),
        ("{file: lists/a.txt, type: int}", b"1\n-2\n+3\n", {1, -2, 3}),
        ("{file: lists/a.txt, type: double}", b"1\n.5\n1e3\n", {1.0, 0.5, 1000.0}),
        ("{file: lists/a.csv, column: b}", b'a,b\r\n1,x\r\n2,\r\n3,"y\nz"\r\n', {"x", "y\nz"}),
        ("{file: lists/a.csv, column: b}", b"a,b\n\n1,x\n", {"x"}),
    ],
)
def test_list_files_are_text_or_csv(check, declared: str, data: bytes, entries: set) -> None:
    """One entry a line with comments, or one column of a CSV file; empty entries are left out."""
    path = "lists/a.csv" if "csv" in declared else "lists/a.txt"
    assert lists_of(check, f"a: {declared}", {path: data})["a"].entries == entries


def test_a_list_is_seen_by_every_file(check) -> None:
    """Lists are declared once and used anywhere; the bytes of list files are kept."""
    checked = check(
        {
            "one": "lists: {devices: {file: lists/d.txt}}\nrules: []",
            "two": "rules: [{id: a, when: device in devices, decide: block}]",
        },
        lists={"lists/d.txt": b"d1\n"},
    )
    assert checked.list_files == {"lists/d.txt": b"d1\n"}
    assert checked.rules[0].condition.lists == {"devices"}


@pytest.mark.parametrize(
    "path",
    [
        "../a.txt", "lists/../a.txt", "/lists/a.txt", "lists//a.txt", "lists/./a.txt", "a.txt", "lists",
        "lists/", "lists\\a.txt", "C:/lists/a.txt", "lists/a\0.txt", "lists/a\n.txt", "rules/a.yaml",
        "~/lists/a.txt",
    ],
)  # fmt: skip
def test_paths_out_of_the_folder_are_refused(path: str) -> None:
    """Whatever leads elsewhere, or might on some system, is not read."""
    assert refused_path(path)


@pytest.mark.parametrize("path", ["lists/a.txt", "lists/eu/a.csv", "lists/naïve-1.0_x.txt"])
def test_paths_in_the_folder_are_read(path: str) -> None:
    """Folders below `lists/` are fine."""
    assert not refused_path(path)
