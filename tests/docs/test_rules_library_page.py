"""docs/rules-library.md is true: its blocks run in one session, and print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "rules-library.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINE = "-" * 20


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    """Its files are written, its sessions run in order, and each prints the text block that follows it."""
    expected, session = [], []
    for (kind, title, body), following in zip(BLOCKS, [*BLOCKS[1:], ("", "", "")], strict=True):
        if title:
            place = tmp_path / title
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(body, encoding="utf-8")
        elif kind == "python":
            session.append(body)
            expected.append(following[2] if following[:2] == ("text", "") else "")
    script = f"\nprint({LINE!r})\n".join(session)
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == ""
    assert done.stdout.split(f"{LINE}\n") == expected
