"""What levels and texts say about the labels: it helps where it is true, and no row is told its own label."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest

from embeddings import Slot, Spec, SpecError, derived, design, fit_encoding
from embeddings.derived import FOLDS, INPUT, fit_derived, with_derived
from embeddings.export import ALLOWED, check_parity, export_onnx
from embeddings.train import train
from tests.embeddings.tables import parts

ROWS = 900
SLOTS = (Slot("shop", "category"), Slot("memo", "text"), Slot("amount", "number"))


def planted(seed: int = 0, *, honest: bool) -> tuple[pa.Table, np.ndarray]:
    """Three hundred shops of three rows each, and memos of a word of their own.

    Honest, a shop and a word say something of the label; else the label is a coin's, and whoever looks at a
    row's own label finds it in its shop and its word.
    """
    rng = np.random.default_rng(seed)
    shop = rng.permutation(ROWS) % 300
    codes = (rng.random(ROWS) < (np.where(shop % 2, 0.9, 0.1) if honest else 0.5)).astype(np.int64)
    words = (
        np.where(codes == 1, "late", "paid")
        if honest
        else np.array([f"word{row // 2}" for row in range(ROWS)])
    )
    memo = [f"{word} {other}" for word, other in zip(words, rng.choice(["rent", "taxi"], ROWS), strict=True)]
    data = {"shop": [f"s{one}" for one in shop], "memo": memo, "amount": rng.normal(size=ROWS)}
    return pa.table(data), codes


def area(scores: np.ndarray, codes: np.ndarray) -> float:
    above = scores[codes == 1][:, None] - scores[codes == 0][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def derived_of(data: pa.Table, codes: dict[str, np.ndarray], **settings: object):
    spec = Spec.from_mapping({"text_buckets": 4_096, **settings}, SLOTS)
    encoding = fit_encoding(spec, data)
    inputs = encoding.batch(data.combine_chunks().to_batches()[0])
    return spec, encoding, inputs, fit_derived(spec, encoding, inputs, codes)


def test_a_planted_leak_is_found_and_is_not_in_the_training_columns() -> None:
    """Where labels are coins, the tables of all rows know these rows' answers; their own columns do not."""
    data, codes = planted(honest=False)
    _, _, inputs, found = derived_of(data, {"y": codes})
    derived, own = found
    leaking = derived.of(inputs)
    for column in (0, 2):  # the shop's log-odds and the memo's score; between them the shop's frequency
        assert area(leaking[:, column], codes) > 0.8
        assert area(own[:, column], codes) < 0.56


def test_no_rows_own_label_enters_its_columns() -> None:
    """With a row's label turned over, its own columns stay as they were, up to the scale of all of them."""
    data, codes = planted(honest=True)
    turned = codes.copy()
    turned[7] = 1 - turned[7]
    before, after = (derived_of(data, {"y": y})[3][1] for y in (codes, turned))
    same_fold = np.random.default_rng(Spec().seed).permutation(ROWS) % FOLDS
    same_fold = same_fold == same_fold[7]
    # Rows of its fold were all fitted without it; only the mean and spread of the whole column moved.
    for column in (0, 2):
        fitted = np.polyfit(before[same_fold, column], after[same_fold, column], 1)
        assert np.abs(np.polyval(fitted, before[same_fold, column]) - after[same_fold, column]).max() < 1e-4


def test_what_is_true_of_a_level_and_a_text_is_learnt() -> None:
    """Out of fold, and on rows that are new."""
    data, codes = planted(honest=True)
    _, encoding, _, (derived, own) = derived_of(data, {"y": codes})
    assert area(own[:, 0], codes) > 0.75
    assert area(own[:, 2], codes) > 0.95
    fresh, truth = planted(5, honest=True)
    columns = derived.of(encoding.batch(fresh.combine_chunks().to_batches()[0]))
    assert area(columns[:, 2], truth) > 0.95


def test_few_levels_give_no_statistics_and_texts_none_where_it_says_so() -> None:
    """Each can be asked for or left out; without either there is nothing derived."""
    data, codes = planted(honest=True)
    statistics = derived_of(data, {"y": codes}, text_scores=False)[3][0]
    assert (len(statistics.fields), len(statistics.texts)) == (1, 0)
    texts = derived_of(data, {"y": codes}, statistics_above=400)[3][0]
    assert (len(texts.fields), len(texts.texts)) == (0, 1)
    assert derived_of(data, {"y": codes}, statistics_above=400, text_scores=False)[3] is None


def test_several_labels_of_which_some_are_missing_have_columns_each() -> None:
    """Two classes give one column, three give three; a level's frequency stands after them."""
    data, codes = planted(honest=True)
    grade = np.where(np.arange(ROWS) % 4 == 0, -1, np.arange(ROWS) % 3)
    _, _, inputs, (derived, own) = derived_of(data, {"y": codes, "grade": grade})
    assert own.shape == (ROWS, (1 + 3 + 1) + (1 + 3)) == derived.of(inputs).shape
    assert len(derived.sources) == len(derived.edges) == own.shape[1]
    assert np.isfinite(own).all()
    assert derived.sources[0] == ("categories", 0)
    assert derived.sources[-1] == ("text.memo", 0)


@pytest.mark.parametrize("settings", [{}, {"text_scores": False}, {"statistics_above": 400}])
def test_the_graph_works_the_columns_out_itself(settings: dict) -> None:
    """It takes no input more, agrees with the network, and a row is the same alone and in a batch."""
    data, codes = planted(honest=True)
    small = {"width": 8, "hidden": [16], "epochs": 2, **settings}
    spec, encoding, inputs, (derived, own) = derived_of(data, {"y": codes}, **small)
    given = parts({**inputs, INPUT: own}, {"y": codes}, 700)
    last = with_derived({name: array[700:] for name, array in inputs.items()}, derived)
    result = train(spec, encoding, *given[:2], last, given[3], derived=derived, device="cpu")
    model = export_onnx(result, encoding)
    assert check_parity(model, result, inputs) <= ALLOWED
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == set(inputs)
    whole = session.run(["embedding"], inputs)[0]
    alone = [session.run(None, {k: v[row : row + 1] for k, v in inputs.items()})[0] for row in range(200)]
    assert np.concatenate(alone).tobytes() == whole[:200].tobytes()


def test_text_scores_are_true_or_false() -> None:
    """Anything else is refused."""
    with pytest.raises(SpecError, match="give true or false"):
        Spec.from_mapping({"text_scores": 1})


def test_many_rows_are_read_in_blocks_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables, the rows' own columns, and those of other rows."""
    data, codes = planted(honest=True)
    missing = np.where(np.arange(ROWS) % 7, codes, -1)
    several = {"y": missing, "z": np.arange(ROWS) % 3}
    _, _, inputs, (whole, own) = derived_of(data, several)
    monkeypatch.setattr(derived, "_BLOCK_ROWS", 100)
    monkeypatch.setattr(design, "_BLOCK_ROWS", 100)
    _, _, _, (blocks, their_own) = derived_of(data, several)
    assert own.tobytes() == their_own.tobytes()
    assert whole.texts[0].weights.tobytes() == blocks.texts[0].weights.tobytes()
    assert whole.edges == blocks.edges
    assert whole.of(inputs).tobytes() == blocks.of(inputs).tobytes()
