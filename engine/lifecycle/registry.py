"""The registry: a folder of bundles whose parts are stored once, and the names that point at them.

    registry/
      parts/ab/abcd…      every part once, by its SHA-256
      bundles/<digest>    one manifest a bundle: written last, so a manifest that is there is whole
      names/<name>        where a name points (see `names`)
      journal.jsonl       who moved which name, when, why, from where and to where
      lock                held while a name moves

Parts and manifests are only ever added. A reader sees a bundle whole or not at all, and verifies every byte.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.bundle import Bundle
from engine.errors import BundleError, InputError
from engine.files import unwritable, write_whole
from engine.lifecycle.journal import Entry
from engine.lifecycle.names import Act, Name, Names
from engine.manifest import MANIFEST_MOST, Manifest, Part

CHAMPION, LATEST, EDITED = "champion", "latest", "edited"

SHORTEST_PREFIX = 4
DIGEST_SHOWN = 12
_MANIFEST = re.compile(r"[0-9a-f]{64}\.json")
_PREFIX = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})")


@dataclass(frozen=True)
class Listed:
    """One bundle as `tandem list` shows it: its manifest and the names that point at it."""

    manifest: Manifest
    names: tuple[str, ...]

    @property
    def digest(self) -> str:
        return self.manifest.digest


class Registry:
    """Bundles by digest, prefix or name; a folder that is not there yet is made by the first `put`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.names = Names(self.root)

    def put(self, bundle: Bundle, *, like: Bundle | None = None) -> str:
        """Store a bundle and give its digest; parts that are there, as after an edit, are not written.

        A bundle of the same digest takes over what stands outside it: lineage and evaluation. The parts of
        `like`, a bundle known to be here, are not even looked for.
        """
        known = set(like.manifest.parts.values()) if like is not None else set()
        for name, part in bundle.manifest.parts.items():
            place = self._part(part)
            if part not in known and not _is_whole(place, part):
                self._make(place.parent)
                write_whole(place, bundle.parts[name])
        place = self._manifest(bundle.digest)
        self._make(place.parent)
        write_whole(place, bundle.manifest.to_bytes())
        return bundle.digest

    def check_writable(self) -> None:
        """Find out before long work whether its result can be kept. Raises OutputError."""
        there = next(folder for folder in (self.root, *self.root.resolve().parents) if folder.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            raise unwritable(self.root, error) from error

    def get(self, ref: str) -> Bundle:
        """Open the bundle that a name, a digest or a unique prefix of one means, verifying every part."""
        digest = self.resolve(ref)
        place = self._manifest(digest)
        bundle = Bundle.assemble(_read(place, MANIFEST_MOST, place.name), self._read_part, path=str(place))
        if bundle.digest != digest:
            raise BundleError(f"is the manifest of {bundle.digest}", path=str(place))
        return bundle

    def has(self, digest: str) -> bool:
        """Whether a bundle of this digest is stored."""
        return self._manifest(digest).exists()

    def resolve(self, ref: str) -> str:
        """Give the digest that a name, a digest or a unique prefix (4 characters or more) means."""
        found = _PREFIX.fullmatch(ref)
        if found is None or (len(found[1]) < SHORTEST_PREFIX and not ref.startswith("sha256:")):
            return self._named(ref)
        if len(found[1]) < SHORTEST_PREFIX:
            raise InputError(
                f"'{ref}' is too short: give at least {SHORTEST_PREFIX} characters of the digest"
            )
        matches = [digest for digest in self.digests() if digest.removeprefix("sha256:").startswith(found[1])]
        if not matches:
            raise InputError(f"no bundle '{ref}' in {self.root}; 'tandem list' shows what is there")
        if len(matches) > 1:
            several = ", ".join(short(digest, len(found[1]) + 8) for digest in matches)
            raise InputError(f"'{ref}' could be any of {several}: give more characters")
        return matches[0]

    def default(self) -> str:
        """Give the digest that is meant where none is named: the champion's, else the latest."""
        for name in (CHAMPION, LATEST):
            if (found := self.names.get(name)) is not None:
                return found.digest
        raise InputError(f"{self.root}: no bundle yet; 'tandem fit' makes one")

    def promote(self, name: str, ref: str, act: Act) -> Name:
        """Point a name at a bundle that is here, whole: every part is verified before anything moves."""
        return self.names.move(name, self.get(ref).digest, act)

    def rollback(self, name: str, act: Act) -> Name:
        """Point a name at what it pointed at before its last promotion, if that bundle is whole."""
        return self.names.back(name, act, check=self.get)

    def log(self) -> tuple[Entry, ...]:
        """Every move of every name, oldest first."""
        return self.names.log()

    def list(self) -> tuple[Listed, ...]:
        """Every bundle whose manifest can be read, newest first; `damaged` says what is wrong with others."""
        names = self.names.all().values()
        bundles = []
        for digest in self.digests():
            with suppress(BundleError):
                held = tuple(name.name for name in names if name.digest == digest)
                bundles.append(Listed(self.manifest(digest), held))
        return tuple(sorted(bundles, key=lambda item: (item.manifest.created, item.digest), reverse=True))

    def damaged(self) -> tuple[BundleError, ...]:
        """What is wrong with each manifest that cannot be read."""
        found = []
        for digest in self.digests():
            try:
                self.manifest(digest)
            except BundleError as error:
                found.append(error)
        return tuple(found)

    def digests(self) -> tuple[str, ...]:
        """The digest of every bundle, sorted."""
        try:
            found = [path.name for path in (self.root / "bundles").iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return ()
        names = (name for name in sorted(found) if _MANIFEST.fullmatch(name))
        return tuple(f"sha256:{name[:64]}" for name in names)

    def manifest(self, digest: str) -> Manifest:
        """Read one bundle's manifest, without its parts."""
        place = self._manifest(digest)
        return Manifest.read(_read(place, MANIFEST_MOST, place.name), path=str(place))

    def part(self, manifest: Manifest, name: str) -> bytes | None:
        """Read one part of a bundle, unverified: to show, never to decide by. None where there is none."""
        stated = manifest.parts.get(name)
        return None if stated is None else self._read_part(name, stated)

    def _named(self, ref: str) -> str:
        found = self.names.get(ref)
        if found is None:
            known = ", ".join(self.names.all()) or "none"
            raise InputError(f"no name '{ref}' in {self.root}; names here: {known}")
        return found.digest

    def _read_part(self, name: str, stated: Part) -> bytes:
        return _read(self._part(stated), stated.size, name)

    def _part(self, part: Part) -> Path:
        return self.root / "parts" / part.sha256[:2] / part.sha256

    def _manifest(self, digest: str) -> Path:
        return self.root / "bundles" / f"{digest.removeprefix('sha256:')}.json"

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error


def short(digest: str, length: int = DIGEST_SHOWN) -> str:
    """A digest as people say it: its first characters.

    >>> short("sha256:0123456789abcdef")
    '0123456789ab'
    """
    return digest.removeprefix("sha256:")[:length]


def registry_of(path: Path) -> Registry | None:
    """The registry that a folder is (it has bundles/) or has (a project's), or None."""
    for root in (path, path / "registry"):
        if (root / "bundles").is_dir():
            return Registry(root)
    return None


def _is_whole(place: Path, part: Part) -> bool:
    """A part is renamed into place when all of it is on the disk, so its size is enough to know it by."""
    try:
        return place.stat().st_size == part.size
    except OSError:
        return False


def _read(place: Path, most: int, name: str) -> bytes:
    try:
        with place.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}", part=name, path=str(place)) from error
    if len(data) > most:
        raise BundleError("larger than the manifest states", part=name, path=str(place))
    return data
