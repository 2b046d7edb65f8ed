"""The registry: parts stored once, bundles found by name, digest or prefix, everything verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import BundleError, InputError, OutputError
from engine.lifecycle.registry import Registry, registry_of, short
from tests.engine.core.tiny import RULES, bundle
from tests.engine.lifecycle.places import act

EDITED = RULES.replace(b"amount > 500", b"amount > 50")

OTHER = RULES.replace(b"amount > 500", b"amount > 400")


def test_a_bundle_that_was_put_is_opened_by_its_digest(tmp_path: Path) -> None:
    """put() gives the digest, get() the same parts and manifest; a registry on first use is created."""
    registry = Registry(tmp_path / "a" / "registry")
    digest = registry.put(bundle())
    found = registry.get(digest)
    assert found.digest == bundle().digest == digest
    assert dict(found.parts) == dict(bundle().parts)
    assert found.manifest == bundle().manifest


def test_a_rule_edit_stores_no_model_part_again(tmp_path: Path) -> None:
    """Two bundles of one model share its parts: what is new is the rules, the expressions and a manifest."""
    registry = Registry(tmp_path)
    registry.put(bundle())
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    registry.put(bundle(OTHER))
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert len(new) == 3
    assert len(registry.digests()) == 2


def test_putting_a_bundle_twice_changes_no_part(tmp_path: Path) -> None:
    """Parts are only ever added."""
    registry = Registry(tmp_path)
    registry.put(bundle())
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("*")}
    registry.put(bundle())
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "parts").rglob("*")} == parts


def test_names_digests_and_unique_prefixes_are_all_references(tmp_path: Path) -> None:
    """A name, a whole digest with or without its 'sha256:', and any prefix from 4 characters on."""
    registry = Registry(tmp_path)
    digest = registry.put(bundle())
    registry.promote("champion", digest, act())
    plain = digest.removeprefix("sha256:")
    for ref in ("champion", digest, plain, plain[:4], plain[:12], f"sha256:{plain[:6]}"):
        assert registry.resolve(ref) == digest
    assert short(digest) == plain[:12]


def test_an_ambiguous_prefix_lists_what_it_could_be(tmp_path: Path) -> None:
    """Nothing is guessed: the message has every match."""
    registry = Registry(tmp_path)
    registry.put(bundle())
    folder = tmp_path / "bundles"
    for end in ("aaaa", "bbbb"):
        (folder / f"{'c' * 60}{end}.json").write_bytes(b"{}")
    with pytest.raises(InputError, match=r"'cccc' could be any of c{12}, c{12}: give more characters"):
        registry.resolve("cccc")


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("0000", "no bundle '0000'"),
        ("sha256:00", "too short"),
        ("nobody", "no name 'nobody' in .*; names here: champion"),
        ("../up", "cannot be a name"),
    ],
)
def test_a_reference_to_nothing_says_what_is_there(tmp_path: Path, ref: str, message: str) -> None:
    """Each wrong reference has its own message."""
    registry = Registry(tmp_path)
    registry.promote("champion", registry.put(bundle()), act())
    with pytest.raises(InputError, match=message):
        registry.resolve(ref)


def test_an_empty_registry_says_how_to_fill_it(tmp_path: Path) -> None:
    """default() of nothing names the command that makes a bundle."""
    with pytest.raises(InputError, match="'tandem fit' makes one"):
        Registry(tmp_path).default()


def test_the_default_is_the_champion_else_the_latest(tmp_path: Path) -> None:
    """Until something is promoted, the latest decides."""
    registry = Registry(tmp_path)
    first, second = registry.put(bundle()), registry.put(bundle(OTHER))
    registry.names.move("latest", second, act("fitted"))
    assert registry.default() == second
    registry.promote("champion", first, act())
    assert registry.default() == first


def test_a_list_says_where_each_bundle_comes_from_and_what_points_at_it(tmp_path: Path) -> None:
    """Newest first, with names and manifest."""
    registry = Registry(tmp_path)
    first = registry.put(bundle())
    registry.promote("champion", first, act())
    registry.promote("latest", first, act())
    (found,) = registry.list()
    assert found.digest == first
    assert found.names == ("champion", "latest")
    assert found.manifest.lineage == {"seed": 7}


def test_a_part_that_was_changed_on_disk_is_refused_by_name(tmp_path: Path) -> None:
    """Every byte is verified when a bundle is opened, whatever its size says."""
    registry = Registry(tmp_path)
    digest = registry.put(bundle())
    part = registry.manifest(digest).parts["policy.json"]
    place = tmp_path / "parts" / part.sha256[:2] / part.sha256
    place.write_bytes(place.read_bytes().replace(b"decline", b"approve"))
    with pytest.raises(BundleError, match=r"policy\.json"):
        registry.get(digest)


def test_a_manifest_under_another_digest_is_refused(tmp_path: Path) -> None:
    """A bundle answers to its own digest only."""
    registry = Registry(tmp_path)
    place = tmp_path / "bundles" / f"{registry.put(bundle()).removeprefix('sha256:')}.json"
    other = place.with_name("0" * 64 + ".json")
    place.rename(other)
    with pytest.raises(BundleError, match="is the manifest of"):
        registry.get("0" * 64)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    """A registry that was copied in part says what is missing."""
    registry = Registry(tmp_path)
    digest = registry.put(bundle())
    part = registry.manifest(digest).parts["model/model.onnx"]
    (tmp_path / "parts" / part.sha256[:2] / part.sha256).unlink()
    with pytest.raises(BundleError, match=r"model/model\.onnx: cannot be read"):
        registry.get(digest)


def test_a_registry_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    """A file where the folder should be: one clear error, and the file is as it was."""
    place = tmp_path / "registry"
    place.write_bytes(b"mine")
    with pytest.raises(OutputError, match="cannot be written"):
        Registry(place).put(bundle())
    with pytest.raises(OutputError, match="cannot be written"):
        Registry(place).names.move("champion", "sha256:" + "a" * 64, act())
    assert place.read_bytes() == b"mine"


def test_a_project_and_a_registry_folder_both_lead_to_the_registry(tmp_path: Path) -> None:
    """registry_of() takes either; any other folder has none."""
    Registry(tmp_path / "registry").put(bundle())
    found = [registry_of(place) for place in (tmp_path, tmp_path / "registry")]
    assert [registry.root for registry in found if registry] == [tmp_path / "registry"] * 2
    assert registry_of(tmp_path / "registry" / "parts") is None


def test_parts_without_a_manifest_are_no_bundle(tmp_path: Path) -> None:
    """A put that was killed leaves parts and half-written files that nothing reads; the next completes it."""
    registry = Registry(tmp_path)
    digest = registry.put(bundle())
    (tmp_path / "bundles" / f"{digest.removeprefix('sha256:')}.json").unlink()
    (tmp_path / "bundles" / ".half.json.1-ab.tmp").write_bytes(b"{")
    assert (registry.list(), registry.has(digest)) == ((), False)
    part = registry.put(bundle()) and bundle().manifest.parts["model/model.onnx"]
    place = tmp_path / "parts" / part.sha256[:2] / part.sha256
    place.write_bytes(b"cut off")
    registry.put(bundle())
    assert registry.get(digest).digest == digest


def test_no_name_moves_to_a_bundle_that_is_not_whole(tmp_path: Path) -> None:
    """A promote or a rollback that would leave a service nothing to open changes nothing."""
    registry = Registry(tmp_path)
    first, second = registry.put(bundle()), registry.put(bundle(EDITED))
    for digest in (first, second):
        registry.promote("champion", digest, act())
    place = tmp_path / "bundles" / f"{first.removeprefix('sha256:')}.json"
    place.write_bytes(b"{")
    before = registry.names.get("champion")
    with pytest.raises(BundleError, match="not JSON that a bundle may hold"):
        registry.promote("champion", first, act())
    with pytest.raises(BundleError, match="not JSON that a bundle may hold"):
        registry.rollback("champion", act("rolled-back"))
    assert registry.names.get("champion") == before
    assert [item.digest for item in registry.list()] == [second]
    assert [error.part for error in registry.damaged()] == ["bundle.json"]
