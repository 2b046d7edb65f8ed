"""YAML files as people might write them: any data, any style, comments and blank lines anywhere."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rules.scalars import quoted

TEXTS = st.one_of(
    st.sampled_from(
        [
            "a",
            "amount > 1000 && is_new",
            "NO",
            "true",
            "007",
            "1.5",
            "it's",
            'say "x"',
            "",
            " a",
            "a ",
            "x: y",
        ]
    ),
    st.sampled_from(
        ["a #b", "#a", "'GB'", "- a", "-", "> 5", "[1..2]", "{a}", "a, b", "?", "a\\b", "é", "a\nb"]
    ),
    st.sampled_from(
        ["a\nb\n", "a\n\nb\n\n", " a\nb", "a\n  b\n", "\n", "\ta", "a\tb", "~", "null", "&a", "!a"]
    ),
    st.text("ab :#-'\"\n[{,", max_size=6),
    st.lists(
        st.sampled_from(["amount > 1", "&& x == 'a'", "|| b", "and", "so on"]), min_size=20, max_size=40
    ).map(" ".join),
)
SCALARS = st.one_of(
    TEXTS, st.integers(-10, 10), st.booleans(), st.none(), st.sampled_from([0.5, 1e30, -2.0, 100000.0])
)
KEYS = st.sampled_from(
    [
        "id",
        "when",
        "decide",
        "tests",
        "given",
        "expect",
        "rules",
        "lists",
        "tag",
        "x",
        "a b",
        "1",
        "true",
        "a: b",
    ]
) | st.text("ab #:'-", min_size=1, max_size=4)
DATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=4),
        max_leaves=14,
    ),
    max_size=5,
)


@st.composite
def written_files(draw: st.DrawFn) -> str:
    """Give the text of a file that most often is YAML."""
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 2))):
        _stray(draw, lines, 4)
    _block(draw, draw(DATA), 0, lines)
    _stray(draw, lines, 6)
    ending = draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))


def _stray(draw: st.DrawFn, lines: list[str], deepest: int) -> None:
    """Add a comment line, a blank line, or nothing."""
    kind = draw(st.sampled_from(["", "", "", "", "comment", "blank", "both"]))
    if kind in ("blank", "both"):
        lines.append(" " * draw(st.integers(0, 3)))
    if kind in ("comment", "both"):
        lines.append(
            " " * draw(st.integers(0, deepest)) + draw(st.sampled_from(["# c", "#c", "# - id: x", "#"]))
        )


def _beside(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["", "", "", "", " # beside", "   #b"]))


def _block(draw: st.DrawFn, value: Any, indent: int, lines: list[str]) -> None:
    """Write a mapping or a list in block style."""
    space = " " * indent
    step = draw(st.integers(1, 4))
    if not value:
        lines.append(space + ("{}" if isinstance(value, dict) else "[]") + _beside(draw))
        return
    for key, below in value.items() if isinstance(value, dict) else [(None, one) for one in value]:
        _stray(draw, lines, indent + 4)
        head = f"{space}-" if key is None else f"{space}{_key(draw, key)}:"
        if isinstance(below, dict | list) and below and draw(st.booleans()):
            if key is None and draw(st.booleans()):
                inner: list[str] = []
                _block(draw, below, indent + 2, inner)
                first = next((at for at, line in enumerate(inner) if line.strip() and "#" not in line[:4]), 0)
                if first == 0 and not inner[0].lstrip().startswith("#"):
                    lines.append(f"{head} {inner[0][indent + 2 :]}")
                    lines += inner[1:]
                    continue
            lines.append(head + _beside(draw))
            flat = isinstance(below, list) and key is not None and draw(st.booleans())
            _block(draw, below, indent if flat else indent + step, lines)
        elif isinstance(below, str) and "\n" in below and below.strip() and draw(st.booleans()):
            chomp = "+" if below.endswith("\n\n") else "" if below.endswith("\n") else "-"
            lines.append(f"{head} |{chomp}{_beside(draw)}")
            body = below.removesuffix("\n")
            lines += [space + " " * (step + 1) + line for line in body.split("\n")]
        else:
            flow = _flow(draw, below, f"\n{space}  " if draw(st.booleans()) else " ")
            lines += f"{head} {flow}{_beside(draw)}".split("\n")


def _flow(draw: st.DrawFn, value: Any, glue: str) -> str:
    """Write a value in flow style, over several lines or in one."""
    comma = draw(st.sampled_from([",", ",", ", # in" if "\n" in glue else ","])) + glue
    if isinstance(value, dict):
        return (
            "{"
            + comma.join(f"{_key(draw, key)}: {_flow(draw, one, glue)}" for key, one in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + comma.join(_flow(draw, one, glue) for one in value) + "]"
    if isinstance(value, str):
        return _text(draw, value)
    if value is None:
        return draw(st.sampled_from(["null", "~"]))
    return {"True": "true", "False": draw(st.sampled_from(["false", "False"]))}.get(str(value), str(value))


def _key(draw: st.DrawFn, key: str) -> str:
    plain = key.isalnum() and draw(st.booleans())
    return key if plain else quoted(key)


def _text(draw: st.DrawFn, text: str) -> str:
    plain = text.replace(" ", "").replace("_", "").isalnum() and text == text.strip()
    return text if plain and draw(st.booleans()) else quoted(text)
