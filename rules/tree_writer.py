"""A syntax tree in, a `cel.expr.CheckedExpr` message out: one encoding for one tree.

Ids are in pre-order, references and types in the order of ids.
"""

from __future__ import annotations

from rules import wire
from rules.errors import UnreadableExpression
from rules.tree import MAX_DEPTH, Tree
from rules.wire import block, varint


def write_tree(tree: Tree) -> bytes:
    """Write a tree as a CheckedExpr message. Raises UnreadableExpression for one too deep to be read."""
    writer = _Writer()
    expression = writer.write(tree, 1)
    return b"".join(writer.references) + b"".join(writer.types) + block(4, expression)


class _Writer:
    """Writes Expr messages and gathers the reference and the type of each."""

    def __init__(self) -> None:
        self.references: list[bytes] = []
        self.types: list[bytes] = []
        self._last = 0

    def write(self, tree: Tree, depth: int) -> bytes:
        if depth > MAX_DEPTH:
            raise UnreadableExpression(f"a checked expression nested more than {MAX_DEPTH} deep")
        self._last += 1
        identity = self._last
        if tree.declared:
            self._entry(3, identity, wire.type_message(tree.declared))
        if tree.kind == "name":
            self._entry(2, identity, block(1, tree.value.encode()))
        elif tree.reference:
            self._entry(2, identity, b"".join(block(3, one.encode()) for one in tree.reference))
        children = [self.write(child, depth + 1) for child in tree.children]
        return varint(2, identity) + self._body(tree, children)

    def _body(self, tree: Tree, children: list[bytes]) -> bytes:
        match tree.kind:
            case "constant":
                return block(3, wire.constant(tree.type, tree.value))
            case "name":
                return block(4, block(1, tree.value.encode()))
            case "call":
                target = block(1, children.pop(0)) if tree.member else b""
                rest = b"".join(block(3, child) for child in children)
                return block(6, target + block(2, tree.value.encode()) + rest)
            case "select":
                test = varint(3, 1) if tree.member else b""
                return block(5, block(1, children[0]) + block(2, tree.value.encode()) + test)
            case "list":
                optional = b"".join(varint(2, position) for position in tree.value or ())
                return block(7, b"".join(block(1, child) for child in children) + optional)
            case "struct":
                return block(8, self._entries(tree, children))
            case "loop":
                variable, second, accumulator = (name.encode() for name in tree.value)
                range_, start, condition, step, result = children
                return block(
                    9,
                    block(1, variable)
                    + block(2, range_)
                    + block(3, accumulator)
                    + block(4, start)
                    + block(5, condition)
                    + block(6, step)
                    + block(7, result)
                    + (block(8, second) if second else b""),
                )
        raise UnreadableExpression(f"a checked expression with {tree.value}")

    def _entries(self, tree: Tree, children: list[bytes]) -> bytes:
        name, names, optional = tree.value
        below = iter(children)
        entries = []
        for position, written in enumerate(names):
            self._last += 1
            key = block(3, next(below)) if written is None else block(2, written.encode())
            flag = varint(5, 1) if position in optional else b""
            entries.append(block(2, varint(1, self._last) + key + block(4, next(below)) + flag))
        return (block(1, name.encode()) if name else b"") + b"".join(entries)

    def _entry(self, number: int, identity: int, value: bytes) -> None:
        which = self.references if number == 2 else self.types
        which.append(block(number, varint(1, identity) + block(2, value)))
