"""Checked expressions from nodes, and from the bytes that a bundle keeps; CEL itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping

from rules import tree as trees
from rules.build import Builder
from rules.encoding import encode
from rules.errors import UnreadableExpression
from rules.expression import CheckedExpression, Foreign, ListName, Name, Node, depth, walk

SHOWN = 80

SHALLOW = 45
"""Levels of nodes that no bytes can be too deep for: each comes to two at most of the 100 that are read."""

__all__ = ["decode", "encode", "express"]


def decode(text: str, checked: bytes, variables: Mapping[str, str] | None = None) -> CheckedExpression:
    """Read a checked expression from its bytes, as a bundle keeps them.

    `variables`, if given, are the types that names must have: `{"amount": "double", …}`.

    Raises UnreadableExpression for bytes that are no expression of ours, whatever they hold.
    """
    builder = Builder(trees.read(checked))
    node = builder.build()
    if builder.problems:
        raise UnreadableExpression(f"the checked expression of {_short(text)}: {builder.problems[0].message}")
    for name in walk(node):
        if isinstance(name, Name) and variables is not None and variables.get(name.name) != name.type:
            raise UnreadableExpression(
                f"the checked expression of {_short(text)}: no {name.type} named {name.name!r}"
            )
    return express(text, node, checked)


def express(text: str, node: Node, checked: bytes | None = None) -> CheckedExpression:
    """Put nodes and what follows from them together; `checked` are their bytes, where they are known.

    Raises UnreadableExpression for nodes that are too deep to be read again.
    """
    nodes = list(walk(node))
    foreign = {(one.offset, one.why) for one in nodes if isinstance(one, Foreign)}
    if checked is None and (foreign or (len(nodes) > SHALLOW and depth(node) > SHALLOW)):
        checked = encode(node)
    return CheckedExpression(
        text=text,
        type=node.type,
        node=node,
        variables=frozenset(n.name for n in nodes if isinstance(n, Name)),
        lists=frozenset(n.name for n in nodes if isinstance(n, ListName)),
        row_by_row=tuple(sorted(foreign)),
        encoded=checked,
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[:SHOWN] + "…")
