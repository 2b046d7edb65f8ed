"""The free text of payments: what people, shops and mules write, as codes into one list of phrases."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PRIVATE = (
    "rent march", "Miete April", "loyer mai", "thanks for dinner", "happy birthday!", "pocket money",
    "holiday share", "Geschenk für Oma", "école de musique", "gym membership", "car insurance",
    "electricity bill", "wedding gift 💐", "rückzahlung danke", "split the taxi", "football tickets",
    "babysitting friday", "flat deposit", "dentist invoice", "monthly savings",
    "repayment loan to brother", "fee for choir", "urgent: forgot the rent, sorry", "phone contract",
)  # fmt: skip
SHOP = (
    "receipt", "table 12", "café crème x2", "self checkout", "gift card", "loyalty points used",
    "pump 4", "prescription",
)  # fmt: skip
ORDER = ("order", "web order", "pre-order", "subscription", "click & collect", "Bestellung", "commande")
MULE_EARLY = (
    "agent processing fee", "crypto top up urgent", "refund from agent, forward today",
    "release fee inheritance", "payment agent commission", "urgent transfer release fee",
    "invest platform top up",
)  # fmt: skip
MULE_LATE = (
    "parcel job payout", "home office job test payment", "task bonus withdraw",
    "payout parcel forwarding", "survey job salary advance", "bonus task no. 3 unlock", "rent march",
    "flat deposit",
)  # fmt: skip

PHRASES: tuple[str, ...] = (*PRIVATE, *SHOP, *ORDER, *MULE_EARLY, *MULE_LATE)
_FIRST_ORDER = len(PRIVATE) + len(SHOP)


def everyday(rng: np.random.Generator, trade: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Memo codes of honest payments: transfers always have one, shops seldom."""
    size = len(trade)
    shop = np.where(rng.random(size) < 0.5, _pick(rng, SHOP, size), _pick(rng, ORDER, size))
    shop = np.where(rng.random(size) < 0.16, shop, -1)
    # A few honest people write what mules write.
    private = np.where(
        rng.random(size) < 0.01, _pick(rng, MULE_EARLY + MULE_LATE, size), _pick(rng, PRIVATE, size)
    )
    return np.where(transfer, private, shop)


def orders(rng: np.random.Generator, size: int, *, share: float) -> np.ndarray:
    return np.where(rng.random(size) < share, _pick(rng, ORDER, size), -1)


def mules(rng: np.random.Generator, late: np.ndarray) -> np.ndarray:
    return np.where(late, _pick(rng, MULE_LATE, len(late)), _pick(rng, MULE_EARLY, len(late)))


def written(codes: np.ndarray, numbers: np.ndarray) -> pa.Array:
    """`(n,)` memo codes and numbers → `(n,)` strings, orders with their number; -1 becomes null."""
    texts = pa.array(PHRASES).take(pa.array(codes, mask=codes < 0))
    numbered = (codes >= _FIRST_ORDER) & (codes < _FIRST_ORDER + len(ORDER))
    with_number = pc.binary_join_element_wise(texts, pc.cast(pa.array(numbers), pa.string()), " ")
    return pc.if_else(pa.array(numbered), with_number, texts)


def _pick(rng: np.random.Generator, group: tuple[str, ...], size: int) -> np.ndarray:
    codes = np.array([PHRASES.index(phrase) for phrase in group])
    return codes[rng.integers(0, len(codes), size)]
