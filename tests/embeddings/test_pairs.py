"""Pairs of categories: found where levels say more together, not found elsewhere, and served as learnt."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embeddings import EncodingError, Slot, Spec, SpecError, fit_encoding, paying
from embeddings.derived import FOLDS, INPUT, Derived, fit_derived, with_derived
from embeddings.design import design
from embeddings.distil import swapped
from embeddings.export import ALLOWED, check_parity, export_onnx
from embeddings.pairs import Pair, Truth, fit_pair, meeting
from embeddings.train import train
from tests.embeddings.tables import parts

SLOTS = (*(Slot(name, "category") for name in ("shop", "card", "town")), Slot("amount", "number"))
SHOPS, CARDS, TOWNS = 25, 20, 30


def drawn(rows: int, seed: int, together: float, alone: float = 0.8) -> tuple[pa.Table, np.ndarray]:
    """Rows whose label hangs on shop, card and town, each alone, and on shop and card together."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(99)
    shop, card, town = (rng.integers(0, many, rows) for many in (SHOPS, CARDS, TOWNS))
    says = [fixed.normal(size=many) * alone for many in (SHOPS, CARDS, TOWNS)]
    margin = says[0][shop] + says[1][card] + says[2][town] - 0.5
    margin += fixed.normal(size=(SHOPS, CARDS))[shop, card] * together
    codes = (rng.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    columns = {"shop": shop, "card": card, "town": town}
    named = {name: [f"{name}{one}" for one in column] for name, column in columns.items()}
    return pa.table({**named, "amount": rng.normal(size=rows)}), codes


def fitted(data: pa.Table, codes: dict[str, np.ndarray], **given: object):
    spec = Spec.from_mapping({"width": 8, "hidden": [16], "epochs": 2, **given}, SLOTS)
    encoding = fit_encoding(spec, data)
    inputs = encoding.batch(data.combine_chunks().to_batches()[0])
    derived, own = fit_derived(spec, encoding, inputs, codes)
    return spec, encoding, inputs, derived, own


def places(derived: Derived) -> list[tuple[int, int]]:
    return [(pair.first, pair.second) for pair in derived.pairs]


def area(scores: np.ndarray, codes: np.ndarray) -> float:
    above = scores[codes == 1][:, None] - scores[codes == 0][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def test_the_pair_that_pays_is_found() -> None:
    """Of three, the one whose levels say more together."""
    data, codes = drawn(6_000, 1, together=1.5)
    assert places(fitted(data, {"y": codes})[3]) == [(0, 1)]


def test_of_many_rows_a_draw_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair is found all the same, and its tables are of all rows."""
    monkeypatch.setattr(paying, "_MOST_COUNTED", 5_000)
    monkeypatch.setattr(paying, "_MOST_JUDGED", 3_000)
    data, codes = drawn(8_000, 1, together=1.5)
    derived, own = fitted(data, {"y": codes})[3:]
    assert places(derived) == [(0, 1)]
    whole = fitted(data, {"y": codes}, pairs=[["shop", "card"]])
    assert (derived.pairs[0].values == whole[3].pairs[0].values).all()
    assert (own == whole[4]).all()


def test_fields_that_go_together_but_add_up_are_no_pair() -> None:
    """Each alone says what the other does, too: counted twice, which a pair would correct, and the second
    look sees through.
    """
    rng, fixed = np.random.default_rng(5), np.random.default_rng(99)
    shop = rng.integers(0, SHOPS, 12_000)
    card = np.where(rng.random(12_000) < 0.7, shop * 3 % CARDS, rng.integers(0, CARDS, 12_000))
    margin = fixed.normal(size=SHOPS)[shop] * 1.5 + fixed.normal(size=CARDS)[card] * 1.5
    codes = (rng.random(12_000) < 1 / (1 + np.exp(-margin))).astype(np.int64)
    names = {"shop": [f"s{one}" for one in shop], "card": [f"c{one}" for one in card], "town": ["t"] * 12_000}
    data = pa.table({**names, "amount": rng.normal(size=12_000)})
    looks: list[int] = []
    found = paying.paying_pairs(*asked(data, codes, looks))
    assert (found, len(looks)) == ((), 1)


def asked(data: pa.Table, codes: np.ndarray, looks: list[int]):
    """What shop and card are judged by; `looks` gets an entry where the second look is taken."""
    spec, encoding, inputs, *_ = fitted(data, {"y": codes})
    fold = np.random.default_rng(spec.seed).permutation(len(codes)) % FOLDS
    truths = [Truth(codes == 1, codes >= 0, fold, FOLDS)]

    def matrix(at: np.ndarray):
        looks.append(len(at))
        return design(encoding, {name: array[at] for name, array in inputs.items()}, [])

    return inputs["categories"], encoding.table_rows, {0: SHOPS, 1: CARDS}, truths, 3, 7, matrix


def test_a_class_of_few_rows_takes_no_part() -> None:
    """Forty-nine rows of a class tell too little of hundreds of meetings."""
    data, codes = drawn(3_000, 1, together=3.0)
    few = np.where(np.cumsum(codes) <= 49, codes, 0)
    assert fitted(data, {"y": few})[3].pairs == ()


@pytest.mark.parametrize("alone", [0.0, 0.8, 1.6])
def test_where_levels_only_add_up_no_pair_is_found(alone: float) -> None:
    """Nothing is then other than with `pairs: none`: the same columns and the same graph, byte for byte."""
    data, codes = drawn(4_000, 2, together=0.0, alone=alone)
    graphs = []
    for pairs in ("auto", "none"):
        spec, encoding, inputs, derived, own = fitted(data, {"y": codes}, pairs=pairs)
        assert derived.pairs == ()
        graphs.append(export_onnx(learned(spec, encoding, inputs, derived, own, codes), encoding))
    assert graphs[0] == graphs[1]


def learned(spec, encoding, inputs, derived, own, codes):
    begun = parts({**inputs, INPUT: own}, {"y": codes}, len(codes) - 500)
    last = with_derived({name: array[-500:] for name, array in inputs.items()}, derived)
    return train(spec, encoding, *begun[:2], last, begun[3], derived=derived, device="cpu")


def test_ids_that_a_label_is_learnt_by_heart_from_pay_nothing() -> None:
    """Each shop and card meet in three rows, labels are coins: who saw a row's own label would find it."""
    rng = np.random.default_rng(3)
    group = rng.permutation(3_000) // 3
    codes = rng.integers(0, 2, 3_000)
    data = pa.table(
        {
            "shop": [f"s{one // 4}" for one in group],
            "card": [f"c{one % 250}" for one in group],
            "town": [f"t{one}" for one in rng.integers(0, 40, 3_000)],
            "amount": rng.normal(size=3_000),
        }
    )
    assert fitted(data, {"y": codes})[3].pairs == ()
    _, _, inputs, derived, own = fitted(data, {"y": codes}, pairs=[["shop", "card"]])
    leaking, column = derived.of(inputs), len(derived.fields) * derived.table.shape[1]
    assert area(leaking[:, column], codes) > 0.65
    assert area(own[:, column], codes) < 0.53


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 200), st.integers(1, 4))
def test_no_row_of_its_own_fold_enters_a_rows_column(seed: int, count: int, rare: int) -> None:
    """With every label of a fold turned over, what its rows are told stays as it was, up to one scale."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.integers(0, 5, count), 5 + rng.integers(0, 4, count)])
    fold, codes = rng.integers(0, FOLDS, count), rng.integers(0, 2, count) == 1
    turned = np.where(fold == 0, ~codes, codes)
    before, after = (
        fit_pair(rows, 9, 0, 1, [Truth(one, np.ones(count, bool), fold, FOLDS)], rare)[1][fold == 0, 0]
        for one in (codes, turned)
    )
    # Only the scale of the whole column may move: the two are one a multiple of the other.
    assert np.abs(np.outer(before, after) - np.outer(after, before)).max(initial=0) < 1e-3


def test_what_levels_say_together_is_what_the_formula_says() -> None:
    """Ten rows of what rate and both levels make of it stand against what was counted; levels that never
    met say nought.
    """
    rows = np.array([[0, 2]] * 40 + [[1, 2]] * 20 + [[0, 3]] * 20)
    codes = np.array([True] * 30 + [False] * 10 + [True] * 5 + [False] * 15 + [True] * 10 + [False] * 10)
    truth = Truth(codes, np.ones(80, bool), np.arange(80) % FOLDS, FOLDS)
    pair, own = fit_pair(rows, 4, 0, 1, [truth], 3)

    def odds(share: float) -> float:
        return float(np.log(share / (1 - share)))

    rate = 45.5 / 81
    level = {0: (40 + 10 * rate) / 70, 2: (35 + 10 * rate) / 70}
    added = 1 / (1 + np.exp(-(odds(level[0]) + odds(level[2]) - odds(rate))))
    together = odds((30 + 10 * added) / 50) - odds(added)
    assert pair.keys.tolist() == [0 * 4 + 2, 0 * 4 + 3, 1 * 4 + 2]
    asked = pair.of(np.array([[0, 2], [1, 3]]), 4)[:, 0]
    scale = asked[0] / together
    assert scale > 0
    assert asked[1] == 0
    assert own.std() == pytest.approx(1, abs=1e-5)


def test_the_graph_looks_pairs_up_itself() -> None:
    """It takes no input more, agrees with the network, also of levels that never met, and a row is the same
    alone and in a batch.
    """
    data, codes = drawn(3_000, 4, together=1.5)
    wanted = [["card", "shop"], ["town", "shop"]]
    spec, encoding, inputs, derived, own = fitted(data, {"y": codes}, pairs=wanted)
    assert places(derived) == [(0, 1), (0, 2)]
    result = learned(spec, encoding, inputs, derived, own, codes)
    model = export_onnx(result, encoding)
    rng = np.random.default_rng(5)
    first = np.cumsum([0, *(one.rows for one in encoding.categories)])
    places_of = [rng.integers(first[at], first[at + 1], 3_000) for at in range(3)]
    fresh = {"numeric": inputs["numeric"], "categories": np.column_stack(places_of)}
    known = np.isin(meeting(fresh["categories"], 0, 1, encoding.table_rows), derived.pairs[0].keys)
    assert 0.05 < known.mean() < 0.95
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == set(inputs)
    for rows in (inputs, fresh):
        assert check_parity(model, result, rows) <= ALLOWED
        whole = session.run(["embedding"], rows)[0]
        alone = [session.run(None, {k: v[row : row + 1] for k, v in rows.items()})[0] for row in range(300)]
        assert np.concatenate(alone).tobytes() == whole[:300].tobytes()


def test_a_graph_without_pairs_needs_no_operations_beyond_the_plain_ones() -> None:
    """Nor does it ask for their operator set."""
    data, codes = drawn(1_000, 6, together=0.0)
    spec, encoding, inputs, derived, own = fitted(data, {"y": codes}, pairs="none")
    graph = onnx.load_model_from_string(
        export_onnx(learned(spec, encoding, inputs, derived, own, codes), encoding)
    )
    assert [entry.domain for entry in graph.opset_import] == [""]


def test_a_pair_whose_levels_never_met_often_enough_says_nothing() -> None:
    """It has no key, and the graph is sound all the same."""
    data, codes = drawn(600, 7, together=1.0)
    rare = {"pairs": [["shop", "card"]], "rare": 601}
    spec, encoding, inputs, derived, own = fitted(data, {"y": codes}, **rare)
    assert len(derived.pairs[0].keys) == 0
    result = learned(spec, encoding, inputs, derived, own, codes)
    assert check_parity(export_onnx(result, encoding), result, inputs) <= ALLOWED


def test_several_labels_have_columns_of_each_class() -> None:
    """One of two classes, three of three, also where labels are missing."""
    data, codes = drawn(1_500, 8, together=1.0)
    grade = np.where(np.arange(1_500) % 4 == 0, -1, np.arange(1_500) % 3)
    found = fitted(data, {"y": codes, "grade": grade}, pairs=[["shop", "card"]])
    inputs, derived, own = found[2:]
    assert derived.pairs[0].values.shape[1] == 1 + 3
    assert own.shape == derived.of(inputs).shape
    assert len(derived.sources) == len(derived.edges) == own.shape[1]
    assert np.isfinite(own).all()


def test_fields_of_a_pair_move_together() -> None:
    """In rows mixed for a student a pair's column is that of the levels beside it."""
    data, codes = drawn(1_000, 9, together=1.0)
    wanted = [["shop", "card"], ["card", "town"]]
    inputs, derived = fitted(data, {"y": codes}, pairs=wanted)[2:4]
    assert derived.bound(3) == [0, 0, 0]
    torch.manual_seed(0)
    mixed = swapped({k: torch.tensor(v) for k, v in with_derived(inputs, derived).items()}, derived)
    moved = {name: array.numpy() for name, array in mixed.items()}
    assert (moved["categories"] != inputs["categories"]).any()
    statistics = len(derived.fields) * derived.table.shape[1]
    assert (moved[INPUT][:, statistics:] == derived.of(moved)[:, statistics:]).all()


def test_pairs_are_auto_none_or_names_of_categories() -> None:
    """Anything else is refused, and a name that is nearly right is told."""
    for wrong in ("all", 3, [["shop"]], [["shop", "shop"]], [["shop", "card"], ["card", "shop"]]):
        with pytest.raises(SpecError, match="pairs"):
            Spec.from_mapping({"pairs": wrong}, SLOTS)
    with pytest.raises(SpecError, match="did you mean 'shop'"):
        Spec.from_mapping({"pairs": [["shp", "card"]]}, SLOTS)
    with pytest.raises(SpecError, match="no category"):
        Spec.from_mapping({"pairs": [["shop", "amount"]]}, SLOTS)
    named = Spec.from_mapping({"pairs": [["shop", "card"]]}, SLOTS)
    assert Spec.from_mapping(named.to_mapping(), SLOTS) == named


def test_a_pair_of_a_field_that_is_kept_from_the_embedding_is_refused() -> None:
    """As the identifier of a record is."""
    data, codes = drawn(300, 10, together=0.0)
    spec = Spec.from_mapping({"pairs": [["shop", "card"]]}, SLOTS[1:2] + SLOTS[:1])
    less = Spec(slots=SLOTS[1:], pairs=spec.pairs)
    encoding = fit_encoding(less, data)
    with pytest.raises(EncodingError, match="'shop' is no category that the embedding reads"):
        fit_derived(less, encoding, encoding.batch(data.combine_chunks().to_batches()[0]), {"y": codes})


def test_levels_never_seen_say_nothing() -> None:
    """Also where a pair has no key at all."""
    pair = Pair(0, 1, np.array([], np.int64), np.zeros((0, 2), np.float32))
    assert (pair.of(np.array([[0, 3]]), 5) == 0).all()


def test_rows_without_any_category_have_no_pairs() -> None:
    words = np.array(["late", "paid"])
    codes = np.random.default_rng(0).integers(0, 2, 200)
    data = pa.table({"memo": words[codes]})
    spec = Spec.from_mapping({"text_buckets": 4_096}, (Slot("memo", "text"),))
    encoding = fit_encoding(spec, data)
    found, _ = fit_derived(spec, encoding, encoding.batch(data.to_batches()[0]), {"y": codes})
    assert found.pairs == ()
    assert len(found.texts) == 1
