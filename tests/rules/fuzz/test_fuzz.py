"""A short run of the fuzzing of every reader; `make fuzz` runs it long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from tests.rules.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_a_refusal_comes_out(target: str) -> None:
    """Whatever is read, it is answered or refused; nothing else is raised."""
    run = TARGETS[target].run

    @settings(max_examples=60)
    @given(TARGETS[target].inputs())
    def holds(value: Any) -> None:
        run(value)

    holds()
