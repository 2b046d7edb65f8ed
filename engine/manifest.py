"""The manifest: what a bundle says it holds, and the digest over the parts that shape decisions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from engine.errors import BundleError, shown

FORMAT = 1
MANIFEST = "bundle.json"
MODEL = "model/model.onnx"
REQUIRED = (
    "schema.json",
    MODEL,
    "model/encoding.json",
    "model/scores.json",
    "policy.json",
    "expressions.json",
)
OPTIONAL = ("model/references.json", "reasons.json")  # shape no outcome, but what is told of one
SEEN = "seen.json"
KEPT = ("evaluation.json", "project.yaml", SEEN)  # carried along, decide nothing, stand outside the digest
FOLDERS = ("rules/", "lists/")
ENCODERS = "model/encoders/"  # of text fields: a graph NAME.onnx and a vocabulary NAME.txt each

MOST_PARTS = 10_000
MANIFEST_MOST = 8 * 2**20
MODEL_MOST = 2**30
PART_MOST = 256 * 2**20
TOTAL_MOST = 2 * 2**30

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_. +@=-]*"
_PATH = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_HASH = re.compile(r"[0-9a-f]{64}")
_KEYS = {"format", "digest", "parts", "lineage", "created"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part as stated: its SHA-256 in hexadecimal, its size in bytes, whether it shapes decisions."""

    sha256: str
    size: int
    decisive: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """The parts by path, the digest they give, where the bundle comes from and when it was made."""

    parts: Mapping[str, Part]
    digest: str
    lineage: Mapping[str, Any]
    created: datetime

    @classmethod
    def of(
        cls,
        parts: Mapping[str, bytes],
        *,
        lineage: Mapping[str, Any],
        created: datetime,
        known: Mapping[str, Part] | None = None,
    ) -> Manifest:
        """State the parts given; of those `known`, what is stated already.

        Raises BundleError for a path or a set of parts that no bundle can have.
        """
        known = known or {}
        stated = {path: known.get(path) or part_of(path, parts[path]) for path in sorted(parts)}
        check_parts(stated)
        if created.tzinfo is None:
            raise BundleError("the moment it was made needs a time zone")
        return cls(MappingProxyType(stated), digest_of(stated), lineage, created.astimezone(UTC))

    @classmethod
    def read(cls, data: bytes, *, path: str = "") -> Manifest:
        """Read a bundle.json from anywhere. Raises BundleError for all but a manifest of this format."""
        content = read_json(data, MANIFEST, path=path)
        if not isinstance(content, dict) or "format" not in content:
            raise BundleError("no manifest of a bundle: it states no format", part=MANIFEST, path=path)
        if content["format"] != FORMAT or isinstance(content["format"], bool):
            found = shown(content["format"])
            message = f"format {found} is not format {FORMAT}, the one this version reads"
            raise BundleError(message, part=MANIFEST, path=path)
        if set(content) != _KEYS or not isinstance(content["parts"], dict):
            odd = ", ".join(sorted(set(content) ^ _KEYS)) or "parts"
            raise BundleError(f"keys missing or unknown: {odd}", part=MANIFEST, path=path)
        parts = {name: _read_part(name, stated, path) for name, stated in content["parts"].items()}
        check_parts(parts, path=path)
        if content["digest"] != digest_of(parts):
            raise BundleError("the digest is not the one that its parts give", part=MANIFEST, path=path)
        if not isinstance(content["lineage"], dict):
            raise BundleError("the lineage is no JSON object", part=MANIFEST, path=path)
        created = _read_moment(content["created"], path)
        return cls(MappingProxyType(parts), content["digest"], content["lineage"], created)

    def to_bytes(self) -> bytes:
        """Write bundle.json: the same manifest gives the same bytes."""
        content = {
            "format": FORMAT,
            "digest": self.digest,
            "created": self.created.isoformat().replace("+00:00", "Z"),
            "lineage": self.lineage,
            "parts": {
                path: {"sha256": part.sha256, "size": part.size, "decisive": part.decisive}
                for path, part in self.parts.items()
            },
        }
        return (
            json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False).encode()
            + b"\n"
        )


def digest_of(parts: Mapping[str, Part]) -> str:
    """Give the digest: SHA-256 over the canonical JSON of the format and the hashes of the decisive parts."""
    hashes = {path: part.sha256 for path, part in parts.items() if part.decisive}
    canonical = json.dumps({"format": FORMAT, "parts": hashes}, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def part_of(path: str, data: bytes) -> Part:
    """State one part."""
    return Part(hashlib.sha256(data).hexdigest(), len(data), path not in KEPT)


def check_parts(parts: Mapping[str, Part], *, path: str = "") -> None:
    """Hold the set of parts to the format: every required one, none unknown, sizes within bounds."""
    if len(parts) > MOST_PARTS:
        raise BundleError(f"{len(parts)} parts are more than {MOST_PARTS}", part=MANIFEST, path=path)
    seen: dict[str, str] = {}
    for name, part in parts.items():
        check_name(name, path=path)
        if seen.setdefault(name.casefold(), name) != name:
            raise BundleError(f"differs from {seen[name.casefold()]} in case only", part=name, path=path)
        if part.decisive != (name not in KEPT):
            raise BundleError(f"decisive is {part.decisive}, and must not be", part=name, path=path)
        if not 0 <= part.size <= (MODEL_MOST if name == MODEL else PART_MOST):
            raise BundleError(f"a size of {part.size} bytes is out of bounds", part=name, path=path)
    for name in REQUIRED:
        if name not in parts:
            raise BundleError("this part is missing", part=name, path=path)
    if sum(part.size for part in parts.values()) > TOTAL_MOST:
        raise BundleError(f"the parts are larger than {TOTAL_MOST} bytes in all", part=MANIFEST, path=path)


def check_name(name: str, *, path: str = "") -> None:
    """Hold a part's path to the format: relative, plain ASCII, no `.` or `..`, known to the format."""
    if not _PATH.fullmatch(name) or len(name) > 255:
        raise BundleError("not a path that a part may have", part=shown(name), path=path)
    if name not in (*REQUIRED, *OPTIONAL, *KEPT) and not name.startswith((*FOLDERS, ENCODERS)):
        raise BundleError("a part that this format does not know", part=name, path=path)
    if name.startswith(ENCODERS) and not name.endswith((".onnx", ".txt")):
        raise BundleError("an encoder is a .onnx and a .txt", part=name, path=path)
    if name.startswith("rules/") and not name.endswith((".yaml", ".yml")):
        raise BundleError("rule files end in .yaml", part=name, path=path)


def read_json(data: bytes, part: str, *, path: str = "") -> Any:
    """Read JSON of unknown origin: UTF-8, no key twice, no NaN, no lone surrogate, not nested without end."""
    try:
        content = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        if b"\\u" in data:  # an escape may make half a surrogate pair, which nothing can write out again
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BundleError(f"not JSON that a bundle may hold: {reason}", part=part, path=path) from None
    return content


def _read_part(name: str, stated: Any, path: str) -> Part:
    if not isinstance(stated, dict) or set(stated) != {"sha256", "size", "decisive"}:
        raise BundleError(
            "the manifest states it without sha256, size and decisive", part=shown(name), path=path
        )
    sha256, size, decisive = stated["sha256"], stated["size"], stated["decisive"]
    sound = (
        isinstance(sha256, str) and _HASH.fullmatch(sha256) and type(size) is int and type(decisive) is bool
    )
    if not sound:
        raise BundleError("the manifest states it with values of a wrong form", part=shown(name), path=path)
    return Part(sha256, size, decisive)


def _read_moment(value: Any, path: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment
    except (TypeError, ValueError):
        pass
    raise BundleError(f"created: {shown(value)} is no moment with a time zone", part=MANIFEST, path=path)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
