"""What differs between two bundles: parts, rules (their lines, as written), policy rows and list entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from engine.bundle import Bundle
from engine.manifest import KEPT
from rules.reader import Document, read_yaml

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True)
class Change:
    """One thing that is not the same: `lines` are those of a unified diff, without its header."""

    kind: str  # added | removed | changed
    name: str
    lines: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The change as plain data."""
        return {"kind": self.kind, "name": self.name, "lines": list(self.lines)}


@dataclass(frozen=True)
class Difference:
    """All changes from one bundle to another."""

    parts: tuple[Change, ...]
    rules: tuple[Change, ...]
    policy: tuple[Change, ...]
    lists: tuple[Change, ...]

    @property
    def decides_the_same(self) -> bool:
        """Whether nothing that shapes decisions differs."""
        return not any(change.name not in KEPT for change in self.parts)

    def to_json(self) -> dict[str, Any]:
        """All changes as plain data."""
        return {
            name: [change.to_json() for change in getattr(self, name)]
            for name in ("parts", "rules", "policy", "lists")
        }


def compare(old: Bundle, new: Bundle) -> Difference:
    """Compare two bundles, from `old` to `new`."""
    hashes = [{name: part.sha256 for name, part in bundle.manifest.parts.items()} for bundle in (old, new)]
    lists = [bundle.folder("lists/") for bundle in (old, new)]
    return Difference(
        parts=_changes(*hashes, lines=False),
        rules=_changes(_rules(old), _rules(new)),
        policy=_changes(_policy(old), _policy(new)),
        lists=_list_changes(*lists),
    )


def rule_texts(name: str, data: bytes) -> dict[str, str]:
    """Give every rule and table of a file as written, by id; what stands above them under the file's name."""
    document = read_yaml(data, name)
    root = document.root if isinstance(document.root, dict) else {}
    lines = document.text.split("\n")
    texts: dict[str, str] = {}
    above = len(lines)
    for key in ("rules", "tables"):
        items = root.get(key) or []
        starts = [document.position((key, index))[0] - 1 for index in range(len(items))]
        above = min([above, *starts[:1]])
        for item, start, end in zip(
            items, starts, [*starts[1:], _end(document, root, key, lines)], strict=False
        ):
            texts[str(item.get("id"))] = _trimmed(lines[start:end])
    return {name: _trimmed(lines[:above]), **texts}


def _rules(bundle: Bundle) -> dict[str, str]:
    return {
        rule: text
        for name, data in bundle.folder("rules/").items()
        for rule, text in rule_texts(name, data).items()
    }


def _end(document: Document, root: Mapping[str, Any], key: str, lines: list[str]) -> int:
    """The line where the items of a key end: at the next key of the file, or at its end."""
    begins = document.key_position((key,))[0]
    below = [line for one in root if (line := document.key_position((one,))[0]) > begins]
    return min(below) - 1 if below else len(lines)


def _trimmed(lines: list[str]) -> str:
    """Leave out blank lines and comments at the end: those belong to the rule that follows."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or kept[-1].lstrip().startswith("#")):
        kept.pop()
    return "\n".join(kept)


def _policy(bundle: Bundle) -> dict[str, str]:
    rows = bundle.json("policy.json")["rows"]
    return {"policy": "\n".join(f"{row['when']} → {row['decide']}" for row in rows)}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], *, lines: bool = True) -> tuple[Change, ...]:
    """Changes in the order of the new, then what was removed in the order of the old."""
    names = dict.fromkeys([*new, *old])
    found = []
    for name in names:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind = ADDED if before is None else REMOVED if after is None else CHANGED
        found.append(Change(kind, name, _unified(before or "", after or "") if lines else ()))
    return tuple(found)


def _list_changes(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> tuple[Change, ...]:
    """Entries that went and came, whatever their order: a list may be too long to compare line by line."""
    found = []
    for change in _changes(old, new, lines=False):
        before, after = (dict.fromkeys(_lines(files.get(change.name, b""))) for files in (old, new))
        gone = [f"-{entry}" for entry in before if entry not in after]
        found.append(Change(change.kind, change.name, (*gone, *(f"+{e}" for e in after if e not in before))))
    return tuple(found)


def _unified(old: str, new: str) -> tuple[str, ...]:
    diff = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return tuple(line for line in diff if not line.startswith(("---", "+++")))


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", errors="replace").splitlines()
