"""Hostile bundles: whatever was done to one, opening it fails with the part named, and touches nothing."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.bundle import Bundle, open_bundle, write_bundle, write_bundle_file
from engine.errors import BundleError
from engine.manifest import MANIFEST, REQUIRED
from engine.onnx_scan import findings
from engine.runtime import Runtime
from rules.cel import Checker
from rules.expression import Variable
from tests.engine.core.tiny import NOW, bundle, parts

PARTS = sorted(parts())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "bundle"
    write_bundle(bundle(), place)
    return place


def refused(place: Path) -> BundleError:
    with pytest.raises(BundleError) as caught:
        open_bundle(place)
    assert str(place) in str(caught.value)
    return caught.value


def edit_manifest(place: Path, change: Callable[[Any], Any]) -> None:
    """Change bundle.json as an attacker would who can also compute digests."""
    stated = json.loads((place / MANIFEST).read_bytes())
    (place / MANIFEST).write_text(json.dumps(change(stated)))


@pytest.mark.parametrize("part", PARTS)
def test_one_changed_byte_names_its_part(folder: Path, part: str) -> None:
    """A byte changed anywhere in a part is found, also in parts outside the digest."""
    data = bytearray((folder / part).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / part).write_bytes(data)
    assert refused(folder).part == part


@pytest.mark.parametrize("part", PARTS)
def test_a_part_cut_off_or_grown_names_itself(folder: Path, part: str) -> None:
    """A part of another length than stated is refused; one longer is not read to its end."""
    data = (folder / part).read_bytes()
    (folder / part).write_bytes(data[:-1])
    assert refused(folder).part == part
    (folder / part).write_bytes(data + b" " * 100_000)
    assert refused(folder).part == part


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_gone_names_itself(folder: Path, part: str) -> None:
    """A part that the manifest states and the folder lacks is named."""
    (folder / part).unlink()
    assert refused(folder).part == part


@pytest.mark.parametrize("extra", ["lists/more.txt", "model/model.onnx.data", ".hidden", "bundle.json.bak"])
def test_a_file_beside_the_parts_is_refused(folder: Path, extra: str) -> None:
    """A file that the manifest does not state is named."""
    (folder / extra).write_bytes(b"")
    assert refused(folder).part == extra


@pytest.mark.parametrize("part", REQUIRED)
def test_a_manifest_without_a_needed_part_is_refused(folder: Path, part: str) -> None:
    """Taking a part out of folder and manifest alike does not help."""
    (folder / part).unlink()

    def without(stated: Any) -> Any:
        del stated["parts"][part]
        return stated

    edit_manifest(folder, without)
    assert refused(folder).part == part


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "rules/../../outside",
        "/etc/hostname",
        "rules//x.yaml",
        "rules/./x.yaml",
        "rules\\..\\x.yaml",
        "C:/x",
        "lists/a\x00b",
        "lists/" + "a" * 300,
        "lists/\u202etxt",
        "",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(folder: Path, path: str) -> None:
    """No part is ever looked for outside the bundle."""

    def with_path(stated: Any) -> Any:
        stated["parts"][path] = {"sha256": "0" * 64, "size": 0, "decisive": True}
        return stated

    edit_manifest(folder, with_path)
    assert "not a path that a part may have" in str(refused(folder))


def test_a_link_is_refused_wherever_it_leads(folder: Path, tmp_path: Path) -> None:
    """A symbolic link in the place of a part or a folder is refused, even to the right content."""
    copy = tmp_path / "copy"
    shutil.copytree(folder / "rules", copy)
    shutil.rmtree(folder / "rules")
    (folder / "rules").symlink_to(copy)
    assert refused(folder).part == "rules"
    (folder / "rules").unlink()
    shutil.copytree(copy, folder / "rules")
    (folder / "rules/first.yaml").unlink()
    (folder / "rules/first.yaml").symlink_to(copy / "first.yaml")
    assert refused(folder).part == "rules/first.yaml"


def test_a_pipe_is_refused_and_not_waited_for(folder: Path) -> None:
    """A named pipe in the place of a part is no file."""
    (folder / "policy.json").unlink()
    os.mkfifo(folder / "policy.json")
    assert refused(folder).part == "policy.json"


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "states no format"),
        (b'{"name": "a package", "version": 1}', "states no format"),
        (b'{"format": 2}', "format 2 is not format 1"),
        (b'{"format": true}', "format True is not format 1"),
        (b'{"format": 1}', "keys missing or unknown: created, digest, lineage, parts"),
        (b'{"format": 1, "format": 1}', "a key stands twice"),
        (b'{"format": NaN}', "NaN is no JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (9 << 20), "larger than the"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(folder: Path, manifest: bytes, message: str) -> None:
    """Foreign, newer, broken and huge manifests each have their message."""
    (folder / MANIFEST).write_bytes(manifest)
    error = refused(folder)
    assert error.part == MANIFEST
    assert message in str(error)


@pytest.mark.parametrize(
    ("change", "part", "message"),
    [
        ({"size": -1}, "policy.json", "out of bounds"),
        ({"size": 2**40}, "policy.json", "out of bounds"),
        ({"size": 3.0}, "policy.json", "wrong form"),
        ({"size": True}, "policy.json", "wrong form"),
        ({"sha256": "A" * 64}, "policy.json", "wrong form"),
        ({"sha256": 7}, "policy.json", "wrong form"),
        ({"decisive": False}, "policy.json", "decisive is False"),
        ({"decisive": True}, "evaluation.json", "decisive is True"),
        ({"more": 1}, "policy.json", "without sha256, size and decisive"),
    ],
)
def test_a_statement_about_a_part_must_be_sound(
    folder: Path, change: dict[str, Any], part: str, message: str
) -> None:
    """What the manifest says of a part is checked before the part is read."""

    def changed(stated: Any) -> Any:
        stated["parts"][part] |= change
        return stated

    edit_manifest(folder, changed)
    assert message in str(refused(folder))


def test_a_digest_of_other_parts_is_refused(folder: Path) -> None:
    """A digest that the parts do not give is found before any part is read."""
    edit_manifest(folder, lambda stated: stated | {"digest": "sha256:" + "0" * 64})
    assert "the digest is not the one" in str(refused(folder))


def test_parts_that_differ_in_case_alone_are_refused() -> None:
    """On some disks they would be one file."""
    with pytest.raises(BundleError, match="in case only"):
        bundle(**{"lists/A.txt": b"", "lists/a.txt": b""})


@pytest.mark.parametrize("cut", [0, 10, 1_000, -30, -1])
def test_a_file_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    """A .tandem file that ends early is no bundle."""
    place = tmp_path / "x.tandem"
    write_bundle_file(bundle(), place)
    place.write_bytes(place.read_bytes()[:cut])
    refused(place)


def archive(place: Path, entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(place, "w", compression) as made:
        for name, data in entries:
            made.writestr(name, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("more", "part"),
    [
        ([("../outside", b"x")], "../outside"),
        ([("/etc/passwd", b"x")], "/etc/passwd"),
        ([("rules/", b"")], "rules/"),
        ([("policy.json", b"{}")], "policy.json"),
        ([(MANIFEST, b"{}")], MANIFEST),
        ([("a" * 60_000, b"")], "a" * 60_000),
    ],
)
def test_an_archive_with_more_in_it_is_refused(
    tmp_path: Path, more: list[tuple[str, bytes]], part: str
) -> None:
    """Entries that climb out, stand twice or are not stated are named; nothing is written anywhere."""
    place = tmp_path / "x.tandem"
    archive(place, [(MANIFEST, bundle().manifest.to_bytes()), *parts().items(), *more])
    assert refused(place).part == part
    assert [path.name for path in tmp_path.iterdir()] == ["x.tandem"]


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    """Entries are stored as they are: a bomb of zeros is refused by its entry, not by its size in memory."""
    place = tmp_path / "x.tandem"
    archive(place, [(MANIFEST, bytes(50 << 20))], zipfile.ZIP_DEFLATED)
    assert "is compressed" in str(refused(place))


def test_sizes_that_an_archive_lies_about_are_found(tmp_path: Path) -> None:
    """An entry that claims another size than it has is refused."""
    place = tmp_path / "x.tandem"
    write_bundle_file(bundle(), place)
    data = bytearray(place.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 20 : directory + 28] = struct.pack("<II", 2**31, 2**31)
    place.write_bytes(data)
    refused(place)


def outside_tensor() -> Any:
    tensor = numpy_helper.from_array(np.ones((2, 2), np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/hostname"
    return tensor


def model_with(place: str) -> bytes:
    """A model that hides an outside tensor in one of the places where ONNX lets tensors be."""
    nodes, initial, functions = [helper.make_node("Identity", ["x"], ["scores"])], [], []
    if place == "initializer":
        initial = [outside_tensor()]
    elif place == "constant":
        nodes.append(helper.make_node("Constant", [], ["c"], value=outside_tensor()))
    elif place == "branch":
        inner = helper.make_graph(
            [helper.make_node("Identity", ["x"], ["y"])], "g", [], [], [outside_tensor()]
        )
        nodes.append(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))
    elif place == "function":
        inside = [helper.make_node("Constant", [], ["y"], value=outside_tensor())]
        functions = [helper.make_function("d", "F", [], ["y"], inside, [helper.make_opsetid("", 18)])]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    output = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])
    graph = helper.make_graph(nodes, "g", [value], [output], initial)
    opsets = [helper.make_opsetid("", 18)]
    return bytes(helper.make_model(graph, opset_imports=opsets, functions=functions).SerializeToString())


@pytest.mark.parametrize("place", ["initializer", "constant", "branch", "function"])
def test_a_model_with_data_elsewhere_is_refused(place: str) -> None:
    """An outside tensor is found wherever it hides, before onnxruntime sees the model."""
    with pytest.raises(BundleError, match="keeps data in other files"):
        bundle(**{"model/model.onnx": model_with(place)})


def test_a_model_that_may_loop_is_refused() -> None:
    """A node with a graph of its own could run without end, and is refused before onnxruntime sees it."""
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["more"])], "body", [], [])
    loop = helper.make_node("Loop", ["", "c"], [], body=body)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["scores"]), loop], "g", [], [])
    with pytest.raises(BundleError, match=r"model/model\.onnx.*holds a loop or a branch"):
        bundle(**{"model/model.onnx": helper.make_model(graph).SerializeToString()})


def model_of(*nodes: Any, tensors: tuple[Any, ...] = (), given: tuple[str, ...] = ("x",)) -> bytes:
    """x → scores by way of these nodes, the last of which reads from them what it likes."""
    whole = [*nodes, helper.make_node("Identity", ["x"], ["scores"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in given]
    output = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 4])]
    graph = helper.make_graph(whole, "g", values, output, list(tensors))
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())


def dropout(*inputs: str) -> Any:
    return helper.make_node("Dropout", ["x", *inputs], ["dropped"])


def truth(value: bool, name: str = "train") -> Any:
    return numpy_helper.from_array(np.array(value), name)


def function_that_draws() -> bytes:
    opsets = [helper.make_opsetid("", 18)]
    inside = [helper.make_node("Bernoulli", ["a"], ["b"])]
    function = helper.make_function("d", "F", ["a"], ["b"], inside, opsets)
    graph = helper.make_graph([helper.make_node("F", ["x"], ["scores"], domain="d")], "g", [], [])
    return bytes(helper.make_model(graph, functions=[function]).SerializeToString())


DRAWS = {
    "a random operator": model_of(helper.make_node("RandomNormal", [], ["r"], shape=[1])),
    "one with a seed": model_of(helper.make_node("RandomUniformLike", ["x"], ["r"], seed=3.0)),
    "Multinomial": model_of(helper.make_node("Multinomial", ["x"], ["r"])),
    "a function": function_that_draws(),
    "a dropout that trains": model_of(dropout("", "train"), tensors=(truth(True),)),
    "a dropout by a constant": model_of(
        helper.make_node("Constant", [], ["train"], value=truth(True)), dropout("", "train")
    ),
    "a dropout that is told": model_of(dropout("", "train"), given=("x", "train")),
    "a dropout whose no can be overridden": model_of(
        dropout("", "train"), tensors=(truth(False),), given=("x", "train")
    ),
    "a dropout with two answers": model_of(dropout("", "train"), tensors=(truth(False), truth(True))),
    "a dropout by what is worked out": model_of(
        helper.make_node("IsNaN", ["x"], ["train"]), dropout("", "train")
    ),
}


@pytest.mark.parametrize("model", DRAWS.values(), ids=list(DRAWS))
def test_a_model_that_may_draw_random_numbers_is_refused(model: bytes) -> None:
    """One digest would decide differently from process to process."""
    with pytest.raises(BundleError, match=r"model/model\.onnx.*may draw random numbers"):
        bundle(**{"model/model.onnx": model})


@pytest.mark.parametrize(
    "model",
    [
        model_of(dropout()),
        model_of(dropout("ratio"), tensors=(numpy_helper.from_array(np.float32(0.5), "ratio"),)),
        model_of(dropout("", "train"), tensors=(truth(False),)),
        model_of(helper.make_node("Constant", [], ["train"], value=truth(False, "")), dropout("", "train")),
        model_of(dropout("", "train"), tensors=(helper.make_tensor("train", TensorProto.BOOL, [], [0]),)),
    ],
)
def test_a_dropout_that_does_not_train_draws_nothing(model: bytes) -> None:
    """As exporters leave them behind."""
    assert not findings(model)


def test_a_whole_model_has_no_data_elsewhere() -> None:
    """The look through a model does not find what is not there."""
    assert not findings(model_with("nowhere"))
    assert not findings(parts()["model/model.onnx"])


@pytest.mark.parametrize(
    "model", [b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f", b"\x3a\x05ab", b"PK\x03\x04 a zip"]
)
def test_bytes_that_are_no_model_are_refused(model: bytes) -> None:
    """What is no protobuf message is refused when the bundle is made or opened."""
    with pytest.raises(BundleError, match="not an ONNX model"):
        bundle(**{"model/model.onnx": model})


def test_a_message_nested_without_end_is_refused() -> None:
    """Depth is bounded."""
    graph = b""
    for _ in range(80):
        attribute = b"\x32" + _length(graph) + graph
        node = b"\x2a" + _length(attribute) + attribute
        graph = b"\x0a" + _length(node) + node
    with pytest.raises(ValueError, match="nested too deeply"):
        findings(b"\x3a" + _length(graph) + graph)


def _length(data: bytes) -> bytes:
    size, out = len(data), b""
    while size > 0x7F:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return out + bytes([size])


@pytest.mark.parametrize(
    ("part", "data"),
    [
        ("model/model.onnx", b""),
        ("model/model.onnx", onnx.ModelProto(ir_version=9).SerializeToString()),
        ("model/encoding.json", b"{}"),
        ("model/encoding.json", b"[" * 100_000),
        ("model/scores.json", b"{}"),
        ("model/scores.json", b'{"scores": ["fraud"], "classifiers": []}'),
        ("schema.json", b"[]"),
        ("schema.json", b'{"fields": [], "outcomes": ["a"]}'),
        ("schema.json", b'{"fields": [{"name": "a", "type": "int"}], "outcomes": []}'),
        ("schema.json", b'{"fields": [{"name": "a b", "type": "int"}], "outcomes": ["a"]}'),
        ("policy.json", b"{}"),
        ("policy.json", b'{"rows": [], "outcomes": ["approve", "review", "decline"]}'),
        ("schema.json", b'{"fields": [{"name": [], "type": "int"}], "outcomes": ["a"]}'),
        ("model/scores.json", b'{"scores": ["fraud"], "classifiers": null}'),
        ("model/scores.json", b'{"scores": ["\\ud800"], "classifiers": []}'),
        ("expressions.json", b"{}"),
        ("expressions.json", b'{"rules": {"embargo": {"when": "true", "checked": "AAAA"}}}'),
        ("rules/first.yaml", b"rules: {"),
        ("lists/known.txt", b"\xff"),
    ],
)
def test_parts_with_the_right_hash_and_a_wrong_content_are_refused(part: str, data: bytes) -> None:
    """A bundle that is whole and yet nonsense fails when it is opened for deciding, as a BundleError."""
    with pytest.raises(BundleError):
        Runtime.open(Bundle.create({**parts(), part: data}, lineage={}, created=NOW))


@pytest.mark.parametrize(
    ("rule", "types", "message"),
    [
        (
            "young",
            {"age_days": "double", "scores.fraud": "double"},
            "as double; here it is int",
        ),
        ("watched", {"country": "string", "scores.fraud": "double"}, ""),
        ("embargo", {"country": "int"}, "list"),
    ],
)
def test_an_expression_of_another_schema_is_refused(rule: str, types: dict[str, str], message: str) -> None:
    """The right text with an expression checked against other fields is found at opening."""
    kept = json.loads(parts()["expressions.json"])
    when = kept["rules"][rule]["when"]
    lists = {"embargoed": types.get("country", "string")}
    checked = Checker([Variable(*pair) for pair in types.items()], lists).check(when).checked
    kept["rules"][rule]["checked"] = base64.b64encode(checked).decode()
    changed = bundle(**{"expressions.json": json.dumps(kept).encode()})
    if not message:
        assert Runtime.open(changed).rules.rules == Runtime.open(bundle()).rules.rules
        return
    with pytest.raises(BundleError, match=message) as caught:
        Runtime.open(changed)
    assert caught.value.part == "expressions.json"


@pytest.mark.parametrize(
    ("when", "message"), [("amount > 1.0", "does not always hold"), ("country in embargoed", "needs a list")]
)
def test_a_policy_must_end_with_what_its_text_says_and_has_no_lists(when: str, message: str) -> None:
    """The right text with the wrong expression is found at opening: every record gets an outcome."""
    variables = [Variable("amount", "double"), Variable("country", "string")]
    checked = Checker(variables, {"embargoed": "string"}).check(when).checked
    policy = json.loads(parts()["policy.json"])
    row = policy["rows"][-1 if message == "does not always hold" else 0]
    row["checked"] = base64.b64encode(checked).decode()
    with pytest.raises(BundleError, match=message) as caught:
        Runtime.open(bundle(**{"policy.json": json.dumps(policy).encode()}))
    assert caught.value.part == "policy.json"


@pytest.mark.parametrize("kind", [onnx.TensorProto.INT64, onnx.TensorProto.FLOAT])
def test_a_model_that_gives_no_number_for_each_score_of_each_row_is_refused(kind: int) -> None:
    """What fails for the first table of a service is found when the bundle is opened."""
    model = onnx.load_from_string(parts()["model/model.onnx"])
    names = json.loads(parts()["model/scores.json"])["scores"]
    constant = np.zeros((1, len(names)), np.int64 if kind == onnx.TensorProto.INT64 else np.float32)
    del model.graph.node[:], model.graph.output[:]
    model.graph.initializer.append(onnx.numpy_helper.from_array(constant, "constant"))
    model.graph.node.append(onnx.helper.make_node("Identity", ["constant"], ["scores"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("scores", kind, [1, len(names)]))
    with pytest.raises(BundleError, match="for 3 rows") as caught:
        Runtime.open(bundle(**{"model/model.onnx": model.SerializeToString()}))
    assert caught.value.part == "model/model.onnx"


def test_a_rule_before_the_model_cannot_ask_for_a_score() -> None:
    """A rule that was moved to stage before is refused for asking for scores."""
    moved = parts()["rules/first.yaml"].replace(b"id: young,", b"id: young, stage: before,")
    with pytest.raises(BundleError, match=r"scores\.fraud"):
        Runtime.open(bundle(**{"rules/first.yaml": moved}))


def test_a_crc_that_is_wrong_is_found(tmp_path: Path) -> None:
    """A .tandem file with one byte changed is refused, whatever its checksums say."""
    place = tmp_path / "x.tandem"
    write_bundle_file(bundle(), place)
    data = bytearray(place.read_bytes())
    part = parts()["policy.json"]
    at = data.index(part)
    data[at + 5] ^= 1
    place.write_bytes(data)
    refused(place)
    wrong = bytes(data[at : at + len(part)])
    right, new = struct.pack("<I", zlib.crc32(part)), struct.pack("<I", zlib.crc32(wrong))
    place.write_bytes(bytes(data).replace(right, new))
    assert refused(place).part == "policy.json"
