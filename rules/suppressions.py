"""What a rule is not applied to: the entries of `except:`, each with an owner, a reason and an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.form import Form, Path, shown
from rules.period import Period

OWN_KEYS = ("when", "owner", "reason", "expires")
MOST_ENTRIES = 1_000
_HINT = "as {account_id: a-1, owner: risk-ops, reason: cleared by phone, expires: 2026-12-31}"


@dataclass(frozen=True)
class Suppression:
    """One entry as written: a condition, or fields with the value of each.

    It counts for events before `expires` (microseconds since the epoch, UTC).
    """

    when: str
    fields: Mapping[str, Any]
    owner: str
    reason: str
    expires: int | None
    path: Path = field(default=())

    @property
    def text(self) -> str:
        """What it is about, as written."""
        return self.when or ", ".join(f"{name}: {shown(value)}" for name, value in self.fields.items())

    @property
    def period(self) -> Period:
        """When it counts."""
        return Period(None, self.expires)


def read_suppressions(form: Form, path: Path, value: Any) -> Iterable[Suppression]:
    """Read `except:`, entry by entry."""
    rows = form.sequence(path, value)
    if len(rows) > MOST_ENTRIES:
        message = f"{len(rows):,} entries, and 'except' holds at most {MOST_ENTRIES:,}"
        form.note(path, message, "put the values into a list, as when: account_id in cleared")
        return
    for index, row in enumerate(rows):
        yield _entry(form, (*path, index), row)


def _entry(form: Form, path: Path, value: Any) -> Suppression:
    row = form.mapping(path, value, None, what="an entry of 'except'")
    fields = {name: held for name, held in row.items() if name not in OWN_KEYS}
    if isinstance(value, dict):
        for key in ("owner", "reason", "expires"):
            if key not in row:
                form.note(path, f"an entry of 'except' needs '{key}'", _HINT)
        if "when" not in row and not fields:
            form.note(path, "an entry of 'except' needs 'when', or fields and their values", _HINT)
    if "when" in row and fields:
        name = next(iter(fields))
        message = f"an entry of 'except' has 'when' or fields, and this one has 'when' and '{name}'"
        form.note((*path, name), message, "write it all into 'when'", key=True)
    return Suppression(
        when=form.expression((*path, "when"), row["when"]) if "when" in row else "",
        fields={} if "when" in row else fields,
        owner=form.word((*path, "owner"), row["owner"]) if "owner" in row else "",
        reason=form.word((*path, "reason"), row["reason"]) if "reason" in row else "",
        expires=form.moment((*path, "expires"), row["expires"]) if "expires" in row else None,
        path=path,
    )
