"""The README's blocks run, in order, in a fresh folder; its commands, links and error are the real ones."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from engine.cli.app import app
from rules import read_yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FEWER = {"tandem init payments .": "tandem init payments . --rows 4000"}


def blocks(*languages: str) -> list[tuple[str, str]]:
    """The README's fenced blocks in these languages, in order."""
    return [(kind, body) for kind, body in BLOCK.findall(README) if kind in languages]


def test_console_and_python_blocks_run_in_order(tmp_path: Path) -> None:
    """Every command and every session of the README ends well, in the order they stand, on a small sample."""
    for kind, body in blocks("console", "python"):
        if kind == "python":
            session = [sys.executable, "-c", body]
            subprocess.run(session, cwd=tmp_path, check=True, capture_output=True, text=True)
            continue
        for line in body.splitlines():
            words = FEWER.get(line.removeprefix("$ "), line.removeprefix("$ "))
            command = [str(Path(sys.executable).parent / "tandem"), *shlex.split(words)[1:]]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_the_quoted_rule_is_the_samples() -> None:
    """The rule that the README quotes stands in the sample with the same condition, effect and reason."""
    quoted = read_yaml(blocks("yaml")[0][1].encode(), "README.md").root["rules"][0]
    sample = (ROOT / "engine/samples/payments/fraud.yaml").read_bytes()
    rule = next(rule for rule in read_yaml(sample, "fraud.yaml").root["rules"] if rule["id"] == quoted["id"])
    assert {key: quoted[key] for key in ("when", "decide", "reason")} == {
        key: rule[key] for key in ("when", "decide", "reason")
    }


def test_every_command_is_documented() -> None:
    """Each command of the command line stands in the README's table, and no other."""
    commands = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert set(re.findall(r"`tandem (\w+)`", README.partition("| command | does |")[2])) >= commands
    assert set(re.findall(r"`?tandem (\w+)", README)) - {"decide"} <= commands | {"init"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of the documentation names a file that is there."""
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
