"""The one table: every operator and function of the language, its scalar and its columnar form side by side.

A new function is one row in one family; both evaluators and the tests that compare them take it from here.
"""

from __future__ import annotations

from typing import Any

from rules.functions import arithmetic, clock, comparison, conversion, logic, maths, span, strings, text, zone
from rules.functions.table import ERROR, Form, Function

ROWS: tuple[Function, ...] = (
    *comparison.ROWS,
    *arithmetic.ROWS,
    *text.ROWS,
    *conversion.ROWS,
    *clock.ROWS,
    *span.ROWS,
    *strings.ROWS,
    *maths.ROWS,
    *zone.ROWS,
)
FORMS: tuple[Form, ...] = tuple(logic.FORMS)
TABLE: dict[str, Function | Form] = {
    **{row.overload: row for row in ROWS},
    **{form.overload: form for form in FORMS},
}

# What the sources of scalar forms may name.
SCOPE: dict[str, Any] = {
    "ERROR": ERROR,
    **comparison.SCOPE,
    **arithmetic.SCOPE,
    **text.SCOPE,
    **conversion.SCOPE,
    **clock.SCOPE,
    **span.SCOPE,
    **strings.SCOPE,
    **maths.SCOPE,
    **zone.SCOPE,
    **logic.SCOPE,
}

# INVARIANT: an overload id names one row.
if len(TABLE) != len(ROWS) + len(FORMS):
    raise AssertionError("two rows of the operator table have the same overload id")

__all__ = ["ERROR", "FORMS", "ROWS", "SCOPE", "TABLE", "Form", "Function"]
