"""Bundles: the same parts give the same digest and the same file; a rule edit shares the model."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.bundle import Bundle, open_bundle, write_bundle, write_bundle_file
from engine.errors import BundleError, OutputError
from engine.manifest import digest_of
from tests.engine.core.tiny import NOW, RULES, bundle, parts


def test_a_bundle_written_opens_as_it_was(tmp_path: Path) -> None:
    """A folder and a file give back every part and the digest."""
    write_bundle(bundle(), tmp_path / "folder")
    write_bundle_file(bundle(), tmp_path / "one.tandem")
    for place in ("folder", "one.tandem"):
        opened = open_bundle(tmp_path / place)
        assert opened.digest == bundle().digest
        assert opened.parts == bundle().parts
        assert opened.manifest == bundle().manifest


def test_the_digest_is_what_the_format_says() -> None:
    """SHA-256 over canonical JSON of the format and the hashes of the decisive parts, by path."""
    hashes = {
        path: hashlib.sha256(data).hexdigest() for path, data in parts().items() if path != "evaluation.json"
    }
    canonical = "".join(
        ['{"format":1,"parts":{', ",".join(f'"{path}":"{hashes[path]}"' for path in sorted(hashes)), "}}"]
    )
    assert bundle().digest == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def test_what_does_not_decide_is_outside_the_digest() -> None:
    """Evaluation, lineage and the moment leave the digest as it is; a rule does not."""
    later = Bundle.create(
        {**parts(), "evaluation.json": b"[1]", "project.yaml": b"name: x"},
        lineage={},
        created=NOW + timedelta(1),
    )
    assert later.digest == bundle().digest
    assert bundle(RULES + b"# a word\n").digest != bundle().digest


def test_the_one_file_form_depends_on_nothing_but_the_bundle(tmp_path: Path) -> None:
    """Written twice, in another zone and from parts in another order, the bytes are the same."""
    first, second = tmp_path / "a.tandem", tmp_path / "b.tandem"
    write_bundle_file(bundle(), first)
    turned = Bundle.create(dict(reversed(parts().items())), lineage={"seed": 7}, created=NOW.astimezone())
    write_bundle_file(turned, second)
    assert first.read_bytes() == second.read_bytes()


def test_a_rule_edit_shares_the_model_and_names_its_parent() -> None:
    """with_rules replaces rules, lists and expressions, drops the old evaluation, and keeps all else."""
    edited = parts(RULES.replace(b"amount > 500", b"amount > 50"))
    rules = {path: edited[path] for path in ("rules/first.yaml", "lists/known.txt", "expressions.json")}
    child = bundle().with_rules(rules, created=NOW, lineage={"who": "ann"})
    assert child.lineage == {"seed": 7, "parent": bundle().digest, "made_by": "edit", "who": "ann"}
    assert child.parts["model/model.onnx"] is bundle().parts["model/model.onnx"]
    assert "evaluation.json" not in child.parts
    assert child.digest != bundle().digest
    with pytest.raises(BundleError, match=r"schema\.json: not part of a rule edit"):
        bundle().with_rules({"schema.json": b"{}"}, created=NOW)


def test_parts_are_read_only() -> None:
    """A bundle that is open cannot be changed."""
    with pytest.raises(TypeError):
        bundle().parts["schema.json"] = b""  # type: ignore[index]


@pytest.mark.parametrize("missing", ["schema.json", "model/model.onnx", "policy.json", "expressions.json"])
def test_a_bundle_needs_its_parts(missing: str) -> None:
    """A part that must be there and is not is named when the bundle is made."""
    with pytest.raises(BundleError, match="this part is missing") as caught:
        Bundle.create({k: v for k, v in parts().items() if k != missing}, lineage={}, created=NOW)
    assert caught.value.part == missing


@pytest.mark.parametrize(
    "path", ["lists/../x", "/etc/passwd", "rules/a.txt", "model/x.onnx", "lists/", "lists/.x", "é"]
)
def test_a_part_has_a_path_that_the_format_knows(path: str) -> None:
    """Paths that lead elsewhere, or that no reader expects, are refused when a bundle is made."""
    with pytest.raises(BundleError):
        bundle(**{path: b""})


def test_a_moment_needs_a_zone() -> None:
    """A bundle made at a time without a zone is refused."""
    with pytest.raises(BundleError, match="needs a time zone"):
        Bundle.create(parts(), lineage={}, created=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_place_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    """A folder with anything in it is refused, and left as it is."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_bundle(bundle(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_manifest_says_what_it_should() -> None:
    """bundle.json states format, digest, parts, lineage and the moment; its digest is that of its parts."""
    stated = json.loads(bundle().manifest.to_bytes())
    assert set(stated) == {"format", "digest", "parts", "lineage", "created"}
    assert stated["created"] == "2026-03-01T12:00:00Z"
    assert stated["digest"] == digest_of(bundle().manifest.parts)
    assert bundle().manifest.created == datetime(2026, 3, 1, 12, tzinfo=UTC)
