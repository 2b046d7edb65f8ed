"""The functions of the operator table as the table of docs/rule-language.md.

`python -m tests.rules.language.function_table` writes it anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from rules.functions import ROWS
from rules.functions.table import Function

PAGE = Path(__file__).parents[3] / "docs" / "rule-language.md"
BEGIN, END = "<!-- functions: begin -->\n", "<!-- functions: end -->"

_MACROS = {"math.@max": "math.greatest", "math.@min": "math.least"}


def table() -> str:
    """Give the table: each function with the ways it is called."""
    forms: dict[str, list[str]] = {}
    for row in ROWS:
        if row.name[0].isalpha():
            forms.setdefault(_MACROS.get(row.name, row.name), []).append(_form(row))
    lines = ["| function | as |", "|---|---|"]
    lines += [
        f"| `{name}` | {', '.join(f'`{form}`' for form in found)} |" for name, found in sorted(forms.items())
    ]
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Give the page with the table put into its place."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: BEGIN + table() + END, page, flags=re.DOTALL)


def _form(row: Function) -> str:
    name = _MACROS.get(row.name, row.name)
    first, rest = row.arguments[0], ", ".join(row.arguments[1:])
    called = f"{first}.{name}({rest})" if row.member else f"{name}({', '.join(row.arguments)})"
    return f"{called}: {row.result}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
