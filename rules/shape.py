"""Declared forms: which keys a mapping may have, in which order, what each holds and what it is for.

One declaration serves the reader (its lists of keys), `tandem fmt` (the order of keys) and `tandem schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """What one value may be.

    keys: a mapping with these keys. each: what a list holds (`many`), or what free names stand for: without
    it, a mapping has no other keys than `keys`.
    either: one of these shapes. schema: whatever else JSON Schema says of it, as `{"type": "string"}`.
    needed: the keys that must be there. least: how many items or names at least.
    empty: nothing at all stands for a mapping or list without anything in it.
    """

    about: str = ""
    keys: Mapping[str, Shape] = field(default_factory=dict)
    each: Shape | None = None
    many: bool = False
    either: tuple[Shape, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    least: int = 0
    empty: bool = False

    def names(self) -> tuple[str, ...]:
        """Give the keys, in their order."""
        return tuple(self.keys)

    def of(self, *, mapping: bool) -> Shape:
        """Give the shape that a mapping, or a list, found here has; an empty one where none is declared."""
        for one in (self, *self.either):
            if (bool(one.keys) or (one.each is not None and not one.many)) if mapping else one.many:
                return one
        return Shape()

    def below(self, key: str | None) -> Shape:
        """Give the shape of what stands under a key, or of an item where `key` is None."""
        if key is not None and key in self.keys:
            return self.keys[key]
        return self.each or Shape()


def json_schema(shape: Shape) -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of a shape, without its `$schema`."""
    schema: dict[str, Any] = {"description": shape.about} if shape.about else {}
    schema |= shape.schema
    if shape.either:
        schema["anyOf"] = [json_schema(one) for one in shape.either]
    elif shape.keys:
        schema["type"] = "object"
        schema["properties"] = {key: json_schema(one) for key, one in shape.keys.items()}
        schema["additionalProperties"] = json_schema(shape.each) if shape.each else False
        if shape.needed:
            schema["required"] = list(shape.needed)
    elif shape.each is not None and shape.many:
        schema |= {"type": "array", "items": json_schema(shape.each)}
        schema |= {"minItems": shape.least} if shape.least else {}
    elif shape.each is not None:
        schema |= {"type": "object", "additionalProperties": json_schema(shape.each)}
        schema |= {"minProperties": shape.least} if shape.least else {}
    if shape.empty:
        schema["type"] = [schema["type"], "null"]
    return schema
