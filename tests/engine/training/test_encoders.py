"""A text field with an encoder of the project's own: from the ONNX file to the decision."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

from embeddings.errors import EncodingError
from embeddings.textmodel import TextModel
from engine.bundle import Bundle, open_bundle, write_bundle
from engine.checkup import check_up
from engine.decide import Runtime
from engine.errors import BundleError
from engine.evaluation.report import notes
from engine.project import load_project
from engine.serve import Engine
from engine.training.build import fit
from rules.errors import CheckFailed
from tests.engine.training.small_project import NOW, PROJECT, small_table, write_project

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "glass", "fragile", "book", "##s", ","]
VOCABULARY = ("\n".join(PIECES) + "\n").encode()
TEXT = PROJECT.replace(
    "epochs: 4,",
    "epochs: 4, encoders: {memo: {onnx: models/mini.onnx, vocabulary: models/vocab.txt, "
    "output: states, tokens: 8}},",
)


def graph(
    *, width: int = 5, seed: int = 0, pieces: int = len(PIECES), node: onnx.NodeProto | None = None
) -> bytes:
    """A table of word vectors, each piece's multiplied by a matrix: (n, pieces) → (n, pieces, width)."""
    rng = np.random.default_rng(seed)
    table = numpy_helper.from_array(rng.normal(size=(pieces, width)).astype(np.float32), "table")
    mixing = numpy_helper.from_array(rng.normal(size=(width, width)).astype(np.float32), "mixing")
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["taken"]),
        helper.make_node("MatMul", ["taken", "mixing"], ["mixed"]),
        node or helper.make_node("Tanh", ["mixed"], ["states"]),
    ]
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "pieces"])
        for name in ("input_ids", "attention_mask")
    ]
    made = [helper.make_tensor_value_info("states", TensorProto.FLOAT, ["n", "pieces", width])]
    whole = helper.make_graph(nodes, "mini", given, made, [table, mixing])
    model = helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def written(root: Path, *, model: bytes | None = None, text: str = TEXT) -> Path:
    (root / "models").mkdir(parents=True)
    (root / "models" / "mini.onnx").write_bytes(graph() if model is None else model)
    (root / "models" / "vocab.txt").write_bytes(VOCABULARY)
    write_project(root, text=text)
    return root


def fitted(root: Path) -> Bundle:
    return fit(load_project(root), small_table(400), now=NOW)


def test_from_the_file_to_the_decision(tmp_path: Path) -> None:
    """The files are parts of the bundle; opened from disk, it decides a row alone as in a batch."""
    bundle = fitted(written(tmp_path / "p"))
    assert bundle.parts["model/encoders/memo.onnx"] == graph()
    assert bundle.parts["model/encoders/memo.txt"] == VOCABULARY
    assert bundle.json("model/encoding.json")["format"] == 2
    write_bundle(bundle, tmp_path / "b")
    engine = Engine(Runtime.open(open_bundle(tmp_path / "b")))
    rows = small_table(60, seed=8)
    memos = ["glass, fragile", "books", None, "", "Grüße 日本 " * 400, "GLASS"] * 10
    rows = rows.set_column(4, "memo", pa.array(memos))
    together = engine.decide_batch(rows)
    names = ("lost", "size.small", "size.middle", "size.large")
    for place, record in enumerate(rows.to_pylist()):
        alone = engine.decide(record, now=NOW)
        assert alone.outcome == together["outcome"][place].as_py()
        assert [alone.scores[name] for name in names] == [
            together[f"scores.{name}"][place].as_py() for name in names
        ]
    moved = engine.explain(small_table(30, seed=9).to_pylist()[1], now=NOW).contributions
    assert not moved or "memo" in moved["lost"].fields


def test_what_the_encoder_says_is_learned(tmp_path: Path) -> None:
    """Where the label is in the text alone, the text's vector tells it."""
    root = written(tmp_path)
    table = small_table(400)
    memos = ["glass" if row % 2 else "books" for row in range(400)]
    table = table.set_column(4, "memo", [memos])
    table = table.set_column(6, "was_lost", [["yes" if memo == "glass" else "no" for memo in memos]])
    bundle = fit(load_project(root), table, now=NOW)
    assert bundle.json("evaluation.json")["classifiers"]["lost"]["auc"] > 0.99


def test_another_graph_is_another_model(tmp_path: Path) -> None:
    """The same files give the same digest; with other weights the model is fitted again."""
    first = fitted(written(tmp_path / "a"))
    assert fitted(written(tmp_path / "b")).digest == first.digest
    other = written(tmp_path / "c", model=graph(seed=1))
    again = fit(load_project(other), small_table(400), now=NOW, previous=first)
    assert again.parts["model/encoding.json"] != first.parts["model/encoding.json"]
    kept = fit(load_project(tmp_path / "a"), small_table(400), now=NOW, previous=first)
    assert kept.digest == first.digest


def external() -> bytes:
    model = onnx.load_model_from_string(graph())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return bytes(model.SerializeToString())


def branching() -> bytes:
    body = helper.make_graph(
        [], "body", [], [helper.make_tensor_value_info("mixed", TensorProto.FLOAT, None)]
    )
    return graph(node=helper.make_node("If", ["mixed"], ["states"], then_branch=body, else_branch=body))


def drawing() -> bytes:
    return graph(node=helper.make_node("RandomNormalLike", ["mixed"], ["states"], seed=1.0))


HOSTILE = {
    "may draw random numbers": drawing,
    "keeps data in other files": external,
    "holds a loop or a branch": branching,
    "not an ONNX model": lambda: b"\xff" * 40,
    "has no output 'states'": lambda: graph().replace(b"states", b"stetes"),
    "it does not run: .*indices element out of data bounds": lambda: graph(pieces=4),
    "onnxruntime refuses it": lambda: graph(node=helper.make_node("Nonsense", ["mixed"], ["states"])),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_a_graph_that_cannot_be_trusted_is_refused_by_name(tmp_path: Path, message: str) -> None:
    """Before it is run on anything, in the project and in a bundle."""
    model = HOSTILE[message]()
    with pytest.raises(CheckFailed, match=f"encoder of 'memo', models/mini.onnx.*{message}"):
        fitted(written(tmp_path, model=model))


def test_a_bundle_with_a_foreign_encoder_does_not_open(tmp_path: Path) -> None:
    """Not even where its hashes are right."""
    bundle = fitted(written(tmp_path))
    parts = dict(bundle.parts) | {"model/encoders/memo.onnx": external()}
    with pytest.raises(BundleError, match="keeps data in other files"):
        Bundle.create(parts, lineage={}, created=NOW)
    without = {path: data for path, data in bundle.parts.items() if path != "model/encoders/memo.txt"}
    with pytest.raises(BundleError, match=r"no file memo\.txt"):
        Runtime.open(Bundle.create(without, lineage={}, created=NOW))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{memo:", "{country:", "unknown text field 'country'"),
        ("output: states, ", "", "an encoder needs 'output'"),
        ("tokens: 8", "tokens: 2", "'tokens' must be a whole number from 3 to 512"),
        ("tokens: 8", "pool: max", "'pool' must be one of mean, first"),
        ("tokens: 8", "token: 8", "unknown key 'token'"),
    ],
)
def test_what_is_wrong_in_the_section_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    """At its place, with what to write."""
    with pytest.raises(CheckFailed, match=message):
        written(tmp_path, text=TEXT.replace(old, new))


def test_files_outside_the_project_are_not_read(tmp_path: Path) -> None:
    """Nor is a file that is not there."""
    root = written(tmp_path / "p", text=TEXT.replace("models/mini.onnx", "../mini.onnx"))
    (tmp_path / "mini.onnx").write_bytes(graph())
    with pytest.raises(
        CheckFailed, match=r"encoder of 'memo': \.\./mini\.onnx cannot be read: .*outside the project"
    ):
        fitted(root)


def table_of(value: float, rows: slice = slice(None)) -> bytes:
    """The graph with some pieces' vectors all at one value."""
    model = onnx.load_model_from_string(graph())
    table = numpy_helper.to_array(model.graph.initializer[0]).copy()
    table[rows] = value
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, "table"))
    return bytes(model.SerializeToString())


def noted(root: Path, model: bytes) -> list[str]:
    table = small_table(400).set_column(4, "memo", [["glass, fragile", "books", None, "glass"] * 100])
    bundle = fit(load_project(written(root, model=model)), table, now=NOW)
    return [note for note in notes(bundle.json("evaluation.json")) if "encoder" in note]


def test_an_encoder_that_says_little_is_noted(tmp_path: Path) -> None:
    """Texts without a vector are counted, one vector for all is told, and nothing where all is well."""
    assert noted(tmp_path / "well", graph()) == []
    [none] = noted(tmp_path / "some", table_of(np.nan, slice(4, 5)))  # whatever has the piece "glass"
    assert re.fullmatch(
        r"field 'memo': its encoder gave no vector for \d+ of \d+ training texts; they count as missing", none
    )
    without, texts = map(int, re.findall(r"\d+", none))
    assert 0.5 < without / texts < 0.8
    assert noted(tmp_path / "same", table_of(1.0)) == [
        "field 'memo': its encoder gives every training text the same vector; nothing is learned from it"
    ]


def told(root: Path, **settings: str) -> list[tuple[int, str, str]]:
    """What `tandem check` tells of the encoder, with what stands at the place: line, text there, message."""
    keys = {"onnx": "models/mini.onnx", "vocabulary": "models/vocab.txt", "output": "states", "tokens": "8"}
    body = "".join(f"\n      {key}: {value}" for key, value in (keys | settings).items())
    (root / "project.yaml").write_text(
        PROJECT.replace(
            PROJECT[PROJECT.index("embedding:") : PROJECT.index("classifiers:")],
            f"embedding:\n  epochs: 4\n  encoders:\n    memo:{body}\n",
        )
    )
    found = check_up(root, now=NOW, notes=False, coverage=False).problems
    assert all(one.file == "project.yaml" for one in found)
    return [(one.line, one.source[one.column - 1 :], one.message) for one in found]


def test_check_tells_what_a_fit_would_refuse_at_its_line(tmp_path: Path) -> None:
    """Files that are not there, that are none, that do not go together; and all of them at once."""
    root = written(tmp_path)
    models = root / "models"
    assert told(root) == []
    [missing] = told(root, onnx="models/none.onnx")
    assert missing[1:] == (
        "models/none.onnx",
        "encoder of 'memo': models/none.onnx cannot be read: No such file or directory",
    )
    first, second = told(root, onnx="../mini.onnx", vocabulary="models")
    assert (first[1], second[1]) == ("../mini.onnx", "models")
    assert "leads outside the project" in first[2]
    assert "not a plain file" in second[2]
    assert second[0] == first[0] + 1
    (models / "bad.txt").write_bytes(VOCABULARY.replace(b"[PAD]\n", b""))
    [bad] = told(root, vocabulary="models/bad.txt")
    assert bad[1:] == (
        "models/bad.txt",
        "encoder of 'memo', models/bad.txt: vocabulary: no piece [PAD], which every text needs",
    )
    [output] = told(root, output="pooled")
    assert output[1:] == (
        "pooled",
        "encoder of 'memo', models/mini.onnx: it has no output 'pooled'; there are states",
    )


@pytest.mark.parametrize("message", HOSTILE)
def test_check_looks_into_the_graph(tmp_path: Path, message: str) -> None:
    """Empty, cut off, with data elsewhere, with other names: at the key that names it."""
    root = written(tmp_path, model=HOSTILE[message]())
    [(_, source, found)] = told(root)
    assert source == ("states" if "output" in message else "models/mini.onnx")
    assert re.search(message, found)


def inputs_of(name: str, kind: int, sides: list[object]) -> bytes:
    """A graph whose first input is called, typed and shaped so."""
    model = onnx.load_model_from_string(graph())
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, kind, sides))
    model.graph.node[0].input[1] = name
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"", "onnxruntime refuses it|not an ONNX model|it has no"),
        (graph()[:200], "the message is cut off|not a protobuf message"),
        (inputs_of("ids", TensorProto.INT64, ["n", "p"]), "its inputs are ids, attention_mask; an encoder"),
        (inputs_of("input_ids", TensorProto.INT32, ["n", "p"]), r"is tensor\(int32\); an encoder .* takes"),
        (inputs_of("input_ids", TensorProto.INT64, [1, 12]), "takes 12 pieces .*; say 'tokens: 12'"),
        (inputs_of("input_ids", TensorProto.INT64, ["p"]), r"takes \['p'\], and not \(texts, pieces\)"),
    ],
)
def test_a_graph_of_other_inputs_is_told_in_our_words(tmp_path: Path, model: bytes, message: str) -> None:
    """What onnxruntime would say of them names neither the setting nor what to do."""
    [(_, source, found)] = told(written(tmp_path, model=model))
    assert source == "models/mini.onnx"
    assert re.search(message, found)
    assert "ONNXRuntimeError" not in found or not model


def test_a_byte_order_mark_is_no_part_of_the_first_piece() -> None:
    """Editors write one; the vectors are those of the vocabulary without."""
    plain = TextModel(graph(), VOCABULARY, 8, "states")
    marked = TextModel(graph(), b"\xef\xbb\xbf" + VOCABULARY, 8, "states")
    assert np.array_equal(plain.vector("glass"), marked.vector("glass"))


def test_vectors_that_differ_from_run_to_run_are_found() -> None:
    """Also where the look through the graph were to miss why."""
    TextModel(graph(), VOCABULARY, 8, "states").check_steady()
    with pytest.raises(EncodingError, match="differ from run to run"):
        TextModel(drawing(), VOCABULARY, 8, "states").check_steady()


def test_a_vector_is_of_the_text_s_own_pieces() -> None:
    """The mean leaves padding out; a vocabulary without the marks is refused."""
    model = TextModel(graph(), VOCABULARY, 8, "states")
    longer = TextModel(graph(), VOCABULARY, 20, "states")
    assert np.array_equal(model.vector("glass"), longer.vector("glass"))
    assert not np.array_equal(model.vector("glass"), model.vector("books"))
    with pytest.raises(EncodingError, match=r"vocabulary: no piece \[CLS\]"):
        TextModel(graph(), b"[PAD]\n[UNK]\n[SEP]\n", 8, "states").vector("glass")
