"""A seed and a number of rows in, an Arrow table of synthetic card payments in time order out.

Nothing in it is real: customers, terminals, memos and frauds are drawn by NumPy from the seed. About 2.5 % of
the payments are fraud of four kinds, and each kind changes its ways in the course of the half year.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.samples.payments import memos, scenarios
from engine.samples.payments.scenarios import CHANNELS, DAY, KINDS, ONLINE, SHARES, Columns
from engine.samples.payments.world import (
    COUNTRIES,
    CURRENCIES,
    DAYS,
    TRADES,
    Customers,
    Terminals,
    make_customers,
    make_terminals,
)

LABELS = ("fraud", "kind", "disputed")
DEVICES = ("ios", "android", "web")
START = datetime(2026, 1, 1, tzinfo=UTC)
METADATA = {"synthetic": "yes: drawn from a seed by tandem; no real person, card or payment"}

_FRAUDS = {
    "terminal": scenarios.copied_cards,
    "card_testing": scenarios.card_testing,
    "takeover": scenarios.takeover,
    "mule": scenarios.mules,
}


def generate(rows: int, seed: int) -> pa.Table:
    """`rows` payments with the labels `fraud`, `kind` and `disputed`, ordered by `event_time`.

    The same seed gives the same table. `disputed` is null where no answer had come when the data ends.
    """
    people, terminals = _world(rows, seed)
    rng = np.random.default_rng([seed, 2])
    return _table(rng, _payments(rng, rows, people, terminals), people, terminals)


def unlabelled(table: pa.Table) -> pa.Table:
    """The same payments as they arrive in production: without the labels."""
    return table.drop_columns(list(LABELS))


def compromised_terminals(seed: int) -> list[str]:
    """The terminals at which copied cards were still being swiped when the data ends."""
    return make_terminals(np.random.default_rng([seed, 0])).latest_compromised


def _world(rows: int, seed: int) -> tuple[Customers, Terminals]:
    people = make_customers(np.random.default_rng([seed, 1]), max(60, rows // 16))
    return people, make_terminals(np.random.default_rng([seed, 0]))


def _payments(rng: np.random.Generator, rows: int, people: Customers, terminals: Terminals) -> Columns:
    sizes = {kind: round(rows * share) for kind, share in SHARES.items()}
    parts = [scenarios.everyday(rng, rows - sum(sizes.values()), people, terminals)]
    parts += [_FRAUDS[kind](rng, size, people, terminals) for kind, size in sizes.items()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.argsort(columns["second"], kind="stable")
    return {name: column[order] for name, column in columns.items()}


def _table(rng: np.random.Generator, paid: Columns, people: Customers, terminals: Terminals) -> pa.Table:
    rows = len(paid["second"])
    customer, second, kind = paid["customer"], paid["second"], paid["kind"]
    amount = np.round(np.maximum(paid["amount"], 0.2), 2)
    last_day, ratio = _history(customer, second, amount)
    home = np.where(rng.random(rows) < 0.005, -1, people.home[customer])
    remote = paid["channel"] >= ONLINE
    device = np.where(rng.random(rows) < 0.08, rng.integers(0, len(DEVICES), rows), people.device[customer])
    columns = {
        "payment_id": _numbered("P", np.arange(1, rows + 1), 8),
        "event_time": pa.array(int(START.timestamp()) * 10**6 + second * 10**6, pa.timestamp("us", "UTC")),
        "amount": pa.array(amount),
        "currency": _named(CURRENCIES, paid["country"]),
        "country": _named(COUNTRIES, paid["country"]),
        "home_country": _named(COUNTRIES, home),
        "channel": _named(CHANNELS, paid["channel"]),
        "trade": _named(TRADES, paid["trade"]),
        "terminal": _named(terminals.names.tolist(), paid["terminal"]),
        "device": _named(DEVICES, np.where(remote, device, -1)),
        "new_device": pa.array(paid["new_device"] == 1, mask=paid["new_device"] < 0),
        "account_age_days": pa.array(np.maximum(second // DAY - people.opened_day[customer], 0)),
        "payments_last_day": pa.array(last_day),
        "amount_ratio": pa.array(ratio, mask=np.isnan(ratio)),
        "memo": memos.written(paid["memo"], rng.integers(1000, 99_999, rows)),
        "fraud": pa.array(kind > 0),
        "kind": _named(KINDS, kind),
        "disputed": _disputed(rng, second, kind > 0),
    }
    return pa.table(columns).replace_schema_metadata(METADATA)


def _history(customer: np.ndarray, second: np.ndarray, amount: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each payment against its customer's earlier ones: how many in a day; amount ÷ their mean (NaN: none).

    Rows come in time order; only what was known before the payment is used.
    """
    order = np.argsort(customer, kind="stable")
    place = np.arange(len(order))
    sorted_customer, sorted_second = customer[order], second[order]
    first = np.searchsorted(sorted_customer, sorted_customer, side="left")
    clock = sorted_customer * (4 * DAYS * DAY) + sorted_second
    since = np.maximum(np.searchsorted(clock, clock - DAY, side="left"), first)
    total = np.concatenate([[0.0], np.cumsum(amount[order])])
    earlier = place - first
    mean = (total[place] - total[first]) / np.maximum(earlier, 1)
    last_day, ratio = np.empty_like(order), np.empty(len(order))
    last_day[order] = place - since
    ratio[order] = np.where(earlier > 0, np.round(amount[order] / np.maximum(mean, 0.01), 3), np.nan)
    return last_day, ratio


def _disputed(rng: np.random.Generator, second: np.ndarray, fraud: np.ndarray) -> pa.Array:
    """Whether the customer disputed it: most frauds, a few honest payments; null while no answer has come."""
    disputed = rng.random(len(fraud)) < np.where(fraud, 0.8, 0.006)
    answered = second + rng.exponential(5 * DAY, len(fraud))
    return pa.array(disputed, mask=answered > DAYS * DAY)


def _named(names: tuple[str, ...] | list[str], codes: np.ndarray) -> pa.Array:
    return pa.array(names).take(pa.array(codes, pa.int32(), mask=codes < 0))


def _numbered(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")
