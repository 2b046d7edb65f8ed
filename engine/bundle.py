"""The bundle: everything that shapes a decision, under one digest; made, verified on opening, written."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from engine.errors import BundleError
from engine.files import whole, whole_folder
from engine.manifest import (
    ENCODERS,
    FOLDERS,
    KEPT,
    MANIFEST,
    MANIFEST_MOST,
    MODEL,
    MOST_PARTS,
    SEEN,
    TOTAL_MOST,
    Manifest,
    Part,
    read_json,
)
from engine.onnx_scan import CONTROL_FLOW, EXTERNAL, RANDOM, findings

SUFFIX = ".tandem"
RULE_PARTS = (*FOLDERS, "expressions.json", *KEPT)  # what a rule edit may bring
MOST_DEPTH = 20
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # zip's earliest: the same bundle gives the same file on any day


@dataclass(frozen=True, eq=False)
class Bundle:
    """A manifest and the bytes of every part it states.

    INVARIANT: every part has the size and the SHA-256 that the manifest states, and there is no other part.
    """

    manifest: Manifest
    parts: Mapping[str, bytes]

    @classmethod
    def create(cls, parts: Mapping[str, bytes], *, lineage: Mapping[str, Any], created: datetime) -> Bundle:
        """Make a bundle of these parts. Raises BundleError for parts that cannot be one."""
        manifest = Manifest.of(parts, lineage=lineage, created=created)
        check_models(parts)
        return cls(manifest, MappingProxyType({path: parts[path] for path in manifest.parts}))

    @classmethod
    def assemble(cls, manifest: bytes, read_part: Callable[[str, Part], bytes], *, path: str = "") -> Bundle:
        """Open a bundle from its manifest and a way to get each part, verifying all of it.

        `read_part(path, stated)` gives a part's bytes; wrong ones are refused here, whoever gave them.
        """
        stated = Manifest.read(manifest, path=path)
        parts = {
            name: _verified(name, part, read_part(name, part), path) for name, part in stated.parts.items()
        }
        check_models(parts, path=path)
        return cls(stated, MappingProxyType(parts))

    @property
    def digest(self) -> str:
        """The digest over what shapes decisions: the same digest decides the same, bit for bit."""
        return self.manifest.digest

    @property
    def lineage(self) -> Mapping[str, Any]:
        """Where the bundle comes from: its parent, its data, its seed, the library versions."""
        return self.manifest.lineage

    def __repr__(self) -> str:
        return f"Bundle({self.digest}, {len(self.parts)} parts)"

    def json(self, part: str) -> Any:
        """Read a part that holds JSON."""
        return read_json(self.parts[part], part)

    def folder(self, folder: str) -> dict[str, bytes]:
        """Give the parts within `rules/` or `lists/` by their path in the bundle."""
        return {path: data for path, data in self.parts.items() if path.startswith(folder)}

    def with_rules(
        self, parts: Mapping[str, bytes], *, created: datetime, lineage: Mapping[str, Any] | None = None
    ) -> Bundle:
        """Make the bundle of a rule edit: these rules, lists and expressions, and the same model.

        All rules, lists and expressions of this bundle go; so does its evaluation, of other rules.
        `lineage` adds to what is known; the parent is this bundle.
        """
        for path in parts:
            if not path.startswith(RULE_PARTS):
                raise BundleError("not part of a rule edit", part=path)
        kept = {
            path: data
            for path, data in self.parts.items()
            if not path.startswith(RULE_PARTS) or path in ("project.yaml", SEEN)
        }
        known = {**self.lineage, "parent": self.digest, "made_by": "edit", **(lineage or {})}
        # What stays, the model above all, was looked through and hashed when this bundle was made or opened.
        stated = {path: self.manifest.parts[path] for path in kept if path not in parts}
        every = {**kept, **parts}
        manifest = Manifest.of(every, lineage=known, created=created, known=stated)
        return Bundle(manifest, MappingProxyType({path: every[path] for path in manifest.parts}))


def open_bundle(path: Path | str) -> Bundle:
    """Open a bundle from a folder with bundle.json or from one `.tandem` file, and verify all of it.

    Raises BundleError with the part that is tampered with, cut off, missing, unknown or foreign.
    """
    path = Path(path)
    try:
        return _open_folder(path) if path.is_dir() else _open_file(path)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}", path=str(path)) from error


def write_bundle(bundle: Bundle, directory: Path) -> None:
    """Write a bundle as a folder, which appears whole or not at all."""
    with whole_folder(directory) as beside:
        for name, data in _contents(bundle):
            place = beside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def write_bundle_file(bundle: Bundle, path: Path) -> None:
    """Write a bundle as one file: an uncompressed zip whose bytes depend on nothing but the bundle."""
    with whole(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_STORED) as archive:
        for name, data in _contents(bundle):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)


def check_models(parts: Mapping[str, bytes], *, path: str = "") -> None:
    """Refuse the model, or an encoder of a text field, that a bundle must not hold."""
    check_model(parts[MODEL], path=path)
    for name, data in parts.items():
        if name.startswith(ENCODERS) and name.endswith(".onnx"):
            check_model(data, part=name, path=path)


def check_model(model: bytes, *, part: str = MODEL, path: str = "") -> None:
    """Refuse a model that keeps tensors in other files, may loop, draws random numbers, or is none at all."""
    try:
        found = findings(model)
    except ValueError as error:
        raise BundleError(f"not an ONNX model: {error}", part=part, path=path) from None
    if EXTERNAL in found:
        raise BundleError("keeps data in other files, which a bundle must not", part=part, path=path)
    if CONTROL_FLOW in found:
        raise BundleError("holds a loop or a branch, which a bundle must not", part=part, path=path)
    if RANDOM in found:
        raise BundleError("may draw random numbers, which a bundle must not", part=part, path=path)


def _contents(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    yield MANIFEST, bundle.manifest.to_bytes()
    yield from bundle.parts.items()


def _verified(name: str, stated: Part, data: bytes, path: str) -> bytes:
    if len(data) != stated.size:
        raise BundleError(f"has {len(data)} bytes, the manifest states {stated.size}", part=name, path=path)
    if hashlib.sha256(data).hexdigest() != stated.sha256:
        raise BundleError("is not what the manifest states (SHA-256 differs)", part=name, path=path)
    return data


def _open_folder(path: Path) -> Bundle:
    if not (path / MANIFEST).exists():
        raise BundleError(f"no bundle: there is no {MANIFEST} in it", path=str(path))
    found = dict(_files(path, path))
    if MANIFEST not in found:
        raise BundleError("not a plain file", part=MANIFEST, path=str(path))
    manifest = _read_bounded(found.pop(MANIFEST), MANIFEST_MOST, MANIFEST, path)

    def read_part(name: str, stated: Part) -> bytes:
        if name not in found:
            raise BundleError("this part is missing", part=name, path=str(path))
        return _read_bounded(found.pop(name), stated.size, name, path)

    bundle = Bundle.assemble(manifest, read_part, path=str(path))
    for name in found:
        raise BundleError("a file that the manifest does not state", part=name, path=str(path))
    return bundle


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Walk a folder without following links; anything but folders and plain files is refused."""
    for count, entry in enumerate(sorted(os.scandir(folder), key=lambda entry: entry.name)):
        name = Path(entry.path).relative_to(root).as_posix()
        if entry.is_symlink() or not (entry.is_file() or entry.is_dir()) or name.count("/") > MOST_DEPTH:
            raise BundleError("neither a plain file nor a folder", part=name, path=str(root))
        if count > MOST_PARTS:
            raise BundleError(f"more than {MOST_PARTS} files", path=str(root))
        if entry.is_dir():
            yield from _files(Path(entry.path), root)
        else:
            yield name, Path(entry.path)


def _read_bounded(file: Path, most: int, name: str, path: Path) -> bytes:
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        return _read_most(opened, most, name, path)


def _read_most(opened: IO[bytes], most: int, name: str, path: Path) -> bytes:
    data = opened.read(most + 1)
    if len(data) > most:
        raise BundleError(f"larger than the {most} bytes it may have", part=name, path=str(path))
    return data


def _open_file(path: Path) -> Bundle:
    if path.stat().st_size > TOTAL_MOST + MANIFEST_MOST:
        raise BundleError(f"larger than {TOTAL_MOST} bytes", path=str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            return _open_archive(archive, path)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise BundleError(f"not a {SUFFIX} file, or one cut off: {error}", path=str(path)) from None


def _open_archive(archive: zipfile.ZipFile, path: Path) -> Bundle:
    found: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        plain = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
        if (
            entry.filename in found
            or entry.orig_filename != entry.filename
            or not plain
            or entry.flag_bits & 1
        ):
            raise BundleError(
                "stands twice, is compressed or is encrypted", part=entry.filename, path=str(path)
            )
        found[entry.filename] = entry
    if MANIFEST not in found:
        raise BundleError(f"no bundle: there is no {MANIFEST} in it", path=str(path))

    def read_entry(name: str, most: int) -> bytes:
        if name not in found:
            raise BundleError("this part is missing", part=name, path=str(path))
        with archive.open(found.pop(name)) as opened:
            return _read_most(opened, most, name, path)

    manifest = read_entry(MANIFEST, MANIFEST_MOST)
    bundle = Bundle.assemble(manifest, lambda name, part: read_entry(name, part.size), path=str(path))
    for name in found:
        raise BundleError("an entry that the manifest does not state", part=name, path=str(path))
    return bundle
