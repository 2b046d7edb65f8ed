"""Parts of an ONNX model: they give what the whole gives, read what they need, and no more."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from engine.model import open_session
from engine.onnx_part import part_of
from tests.engine.core.explained import tangled

ROWS = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)


def test_an_inner_tensor_can_be_put_out() -> None:
    """A part up to a tensor inside the graph gives it, and is cut off behind it."""
    part, read = part_of(tangled(), ["margin"])
    (margin,) = open_session(part).run(["margin"], {"numeric": ROWS})
    (scores,) = open_session(tangled()).run(["scores"], {"numeric": ROWS})
    assert np.allclose(1 / (1 + np.exp(-margin)), scores, atol=1e-6)
    assert read == ("numeric",)
    assert "Sigmoid" not in operations(part)


def test_the_parts_before_and_after_a_tensor_are_the_whole() -> None:
    """What the second part reads is what the first one gives."""
    before, _ = part_of(tangled(), ["hidden"])
    after, read = part_of(tangled(), ["margin", "scores"], ["hidden"])
    assert read == ("hidden",)
    assert operations(after) == ["Relu", "MatMul", "Sigmoid"]
    (hidden,) = open_session(before).run(["hidden"], {"numeric": ROWS})
    margin, scores = open_session(after).run(["margin", "scores"], {"hidden": hidden})
    whole, _ = part_of(tangled(), ["margin", "scores"])
    expected = open_session(whole).run(["margin", "scores"], {"numeric": ROWS})
    assert np.allclose(margin, expected[0], atol=1e-5)
    assert np.allclose(scores, expected[1], atol=1e-6)


def test_every_part_is_a_model_by_the_library_too() -> None:
    """onnx reads the parts that were cut without it."""
    part, _ = part_of(tangled(), ["margin"], ["hidden"])
    model = onnx.load_model_from_string(part)
    assert [one.name for one in model.graph.input] == ["hidden"]
    assert [one.name for one in model.graph.initializer] == ["second"]
    assert model.opset_import == onnx.load_model_from_string(tangled()).opset_import


@pytest.mark.parametrize("name", ["nowhere", "numeric", "first"])
def test_only_what_a_node_gives_can_be_put_out(name: str) -> None:
    """A tensor that is not there, an input and a constant are named."""
    with pytest.raises(ValueError, match=f"no node gives '{name}'"):
        part_of(tangled(), [name])


def test_what_is_no_model_is_refused() -> None:
    """Bytes that are no protobuf message, and an empty one."""
    for data in (b"\xff" * 40, b""):
        with pytest.raises(ValueError, match=r"protobuf|no node"):
            part_of(data, ["margin"])


def operations(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_model_from_string(model).graph.node]
