"""Data that are of a declared form, more or less: the right keys mostly, the right values often."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rules.shape import Shape

VALUES = st.one_of(
    st.sampled_from(["", "x", "a", "true", "before", "first", "x y", "a|b", "2026-11-01", "amount > 1"]),
    st.sampled_from([None, True, False, 0, 1, -1, 0.5, 1.5, 2**40]),
    st.sampled_from(
        [[], {}, ["x"], ["x", "x"], [1], {"x": 1}, {"x": 0.5}, {"x": ["y"]}, {"file": "lists/a"}]
    ),
)


def drawn(shape: Shape, values: st.SearchStrategy[Any] = VALUES, depth: int = 0) -> st.SearchStrategy[Any]:
    """Draw values of a shape; `values` stand where it says nothing of keys and items, and anywhere else."""
    shapes = [one for one in (shape, *shape.either) if one.keys or one.each]
    choices: list[st.SearchStrategy[Any]] = [values]
    if enum := shape.schema.get("enum"):
        choices = [st.sampled_from(enum), st.sampled_from(enum), values]
    for one in shapes if depth < 5 else []:
        keys = {key: drawn(below, values, depth + 1) for key, below in one.keys.items()}
        if keys:
            needed = {key: keys.pop(key) for key in one.needed}
            choices += [st.fixed_dictionaries(needed, optional=keys)] * 4
        elif one.each is not None:
            each = drawn(one.each, values, depth + 1)
            some = st.lists(each, max_size=2) if one.many else st.dictionaries(st.just("x"), each)
            choices += [some] * 4
    return st.one_of(choices)
