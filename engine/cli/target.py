"""Which bundle a command is about: a path, a name, a digest, or the one that decides where none is given."""

from __future__ import annotations

from pathlib import Path

from engine.bundle import SUFFIX, Bundle, open_bundle
from engine.errors import InputError
from engine.lifecycle.registry import Registry, registry_of
from engine.manifest import MANIFEST


def find_bundle(ref: str | None, project: Path) -> Bundle:
    """Open the bundle that `ref` means for a project.

    A folder or a `.tandem` file is opened as it is; a folder of a project or a registry means the bundle that
    decides there; anything else is a name or a digest of the project's registry.
    """
    if ref is None:
        registry = find_registry(project)
        return registry.get(registry.default())
    path = Path(ref)
    if path.name.endswith(SUFFIX) or (path / MANIFEST).exists():
        if not path.exists():
            raise InputError(f"{path}: no such file")
        return open_bundle(path)
    if path.is_dir() and (registry_at := registry_of(path)) is not None:
        return registry_at.get(registry_at.default())
    if "/" in ref:
        raise InputError(f"{ref}: no bundle there")
    return find_registry(project).get(ref)


def find_registry(project: Path) -> Registry:
    """Give the registry of a project's folder, which is there or will be made."""
    found = registry_of(project)
    if found is not None:
        return found
    if not project.is_dir():
        raise InputError(f"{project}: no such folder")
    return Registry(project / "registry")


def project_root(project: Path, registry: Registry) -> Path | None:
    """Give the folder whose rules/ belong to a registry, if there is one."""
    for root in (project, registry.root.parent):
        if (root / "project.yaml").is_file():
            return root
    return None
