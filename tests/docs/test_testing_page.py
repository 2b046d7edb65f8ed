"""docs/testing-rules.md is true: its project passes its tests, and its commands print what the page says."""

import re
from pathlib import Path

import pytest

from engine.cli import main
from rules.suites import CASE_KEYS, EXPECT_KEYS, SUITE_KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "testing-rules.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are written and commands run in the order of the page; each prints what follows it."""
    monkeypatch.chdir(tmp_path)
    commands = 0
    for kind, title, body in BLOCKS:
        if title:
            (tmp_path / title).parent.mkdir(exist_ok=True)
            (tmp_path / title).write_text(body, encoding="utf-8")
        elif kind == "console":
            command, _, expected = body.partition("\n")
            main(command.split()[2:])
            printed = capsys.readouterr()
            assert printed.err + printed.out == expected
            commands += 1
    assert commands == 2


def test_every_key_is_on_the_page() -> None:
    """What a test file may hold is explained."""
    for word in (*SUITE_KEYS, *CASE_KEYS, *EXPECT_KEYS):
        assert word == "description" or re.search(rf"\b{word}\b", PAGE), word
