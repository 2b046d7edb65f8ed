"""docs/encoder.md is true: its blocks run in one session, and print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/encoder.md").read_text("utf-8")
LINE = "-" * 20


def test_the_page_runs_and_prints_what_it_says(tmp_path: Path) -> None:
    """Each session is followed by what it prints."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    sessions = [body for kind, body in blocks if kind == "python"]
    script = f"\nprint({LINE!r})\n".join(sessions)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split(f"{LINE}\n") == [body for kind, body in blocks if kind == "text"]
