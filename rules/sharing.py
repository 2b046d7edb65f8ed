"""Which parts of conditions are computed once for a record: the dear ones that several conditions hold.

`variables:` come here as parts of each condition that uses them. A part is computed when it is first asked
for, so that what `&&` and `||` skip is never computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rules.expression import (
    LIST,
    Call,
    Element,
    Foreign,
    Keys,
    Literal,
    Name,
    Node,
    Quantifier,
    children,
    walk,
)
from rules.functions import TABLE
from rules.functions.table import Form

DEAR = 4
"""What computing a part must cost at least, in operators: to keep and look up a result costs two or three."""

_COSTS = {"_/_": 3, "_%_": 3, "in_ranges": 4, "matches": 8}


class Sharing:
    """The parts that some conditions share, in slots from 0; a part comes after the parts within it."""

    def __init__(self, roots: Sequence[Node]) -> None:
        self._keys = Keys()
        numbers: dict[int, Node] = {}
        uses: Counter[int] = Counter(self._keys[root] for root in roots)
        for root in roots:
            for node in walk(root):
                key = self._keys[node]
                if key not in numbers:
                    numbers[key] = node
                    uses.update(self._keys[child] for child in children(node))
        # Numbers rise from the inside out: a part is numbered before what holds it.
        shared = (key for key in sorted(numbers) if uses[key] > 1 and _worth(numbers[key]))
        self._slots = {key: slot for slot, key in enumerate(shared)}
        self.parts = tuple(numbers[key] for key in self._slots)

    def slot(self, node: Node) -> int | None:
        """Give the slot of a part, if it is shared."""
        if not self._slots or isinstance(node, Literal | Name | Element):
            return None
        return self._slots.get(self._keys[node])

    def within(self, node: Node) -> tuple[tuple[int, str], ...]:
        """Give the slots that the source of a node names, with their parts: what that source depends on."""
        if not self._slots:
            return ()
        found = {slot: repr(one) for one in walk(node) if (slot := self.slot(one)) is not None}
        return tuple(sorted(found.items()))


def _worth(node: Node) -> bool:
    parts = list(walk(node))
    if node.type == LIST or any(isinstance(part, Element) for part in parts):
        return False
    return sum(map(_cost, parts)) >= DEAR


def _cost(node: Node) -> int:
    if isinstance(node, Quantifier | Foreign):
        return 20
    if not isinstance(node, Call):
        return 0
    row = TABLE[node.overload]
    cheap = isinstance(row, Form) or not row.name.isalpha()
    return _COSTS.get(row.name, 1 if cheap else DEAR)
