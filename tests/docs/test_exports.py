"""What the packages export is what they list."""

import importlib

import pytest


@pytest.mark.parametrize("name", ["engine", "rules", "embeddings"])
def test_every_export_is_listed_and_there(name: str) -> None:
    """`__all__` is sorted, and each of its names can be had and has a docstring."""
    package = importlib.import_module(name)
    assert package.__doc__
    assert list(package.__all__) == sorted(package.__all__, key=str)
    assert [export for export in package.__all__ if not getattr(package, export).__doc__] == []
