"""How payments come about: everyday ones, and four kinds of fraud that change their ways with time."""

from __future__ import annotations

import numpy as np

from engine.samples.payments import memos
from engine.samples.payments.world import (
    COUNTRIES,
    DAYS,
    SHOPS,
    TRADE_AMOUNT,
    TRADES,
    TRANSFER,
    Customers,
    Terminals,
)

Columns = dict[str, np.ndarray]  # equal-length arrays by column; codes count from 0, -1 is missing

DAY = 86_400
CHANNELS = ("chip", "contactless", "swipe", "online", "transfer")
CHIP, CONTACTLESS, SWIPE, ONLINE, BANK = range(5)
KINDS = ("none", "terminal", "card_testing", "takeover", "mule")
SHARES = {"terminal": 0.008, "card_testing": 0.006, "takeover": 0.006, "mule": 0.005}
TURN = 0.55 * DAYS  # the day on which testers, thieves and mules have learnt
_HOMES = len([code for code in COUNTRIES if code not in {"IR", "KP"}])


def everyday(rng: np.random.Generator, size: int, people: Customers, terminals: Terminals) -> Columns:
    """Honest payments: mostly at home and by day; more and more of them online."""
    customer = people.draw(rng, size)
    first = np.maximum(people.opened_day[customer], 0)
    day = first + rng.random(size) * (DAYS - first)
    hour = np.mod(rng.normal(people.peak_hour[customer], 3.6), 24)
    online_share = 0.22 + 0.12 * day / DAYS
    dice = rng.random(size)
    channel = np.where(rng.random(size) < 0.55, CONTACTLESS, np.where(rng.random(size) < 0.93, CHIP, SWIPE))
    channel = np.where(dice < online_share, ONLINE, np.where(dice > 0.92, BANK, channel))
    away = rng.random(size) < np.where(channel == ONLINE, 0.12, 0.05)
    country = np.where(away, rng.integers(0, _HOMES, size), people.home[customer])
    country = np.where(rng.random(size) < 0.0006, rng.integers(_HOMES, len(COUNTRIES), size), country)
    terminal, trade = _visit(rng, terminals, channel, country)
    remote = channel >= ONLINE
    return {
        "customer": customer,
        "second": (np.floor(day) * DAY + hour * 3600).astype(np.int64),
        "channel": channel,
        "country": np.where(channel == BANK, people.home[customer], country),
        "terminal": terminal,
        "trade": trade,
        "amount": people.level[customer] * np.take(TRADE_AMOUNT, trade) * np.exp(rng.normal(0, 0.65, size)),
        "new_device": np.where(remote, rng.random(size) < 0.05, -1).astype(np.int64),
        "memo": memos.everyday(rng, trade, channel == BANK),
        "kind": np.zeros(size, np.int64),
    }


def copied_cards(rng: np.random.Generator, size: int, people: Customers, terminals: Terminals) -> Columns:
    """Cards copied at a compromised terminal are swiped there again, in waves that move on."""
    wave = np.arange(size) % len(terminals.compromised)
    terminal = terminals.compromised[wave]
    day = terminals.wave_start[wave] + rng.random(size) * terminals.wave_days
    day = np.minimum(day, DAYS - 0.01)
    customer = people.draw(rng, size)
    trade = terminals.trade[terminal]
    factor = np.exp(rng.normal(0.9, 0.6, size))
    return {
        "customer": customer,
        "second": (np.floor(day) * DAY + rng.uniform(9, 23, size) * 3600).astype(np.int64),
        "channel": np.where(rng.random(size) < 0.75, SWIPE, CHIP),
        "country": terminals.country[terminal],
        "terminal": terminal,
        "trade": trade,
        "amount": people.level[customer] * np.take(TRADE_AMOUNT, trade) * factor,
        "new_device": np.full(size, -1),
        "memo": np.full(size, -1),
        "kind": np.full(size, KINDS.index("terminal")),
    }


def card_testing(rng: np.random.Generator, size: int, people: Customers, terminals: Terminals) -> Columns:
    """Bursts of tiny web payments on one card in half an hour; later the amounts hide among everyday ones."""
    burst = np.arange(size) // min(8, max(3, size // 8))
    bursts = int(burst[-1]) + 1 if size else 0
    start = _days(rng, bursts, DAYS - 1)[burst]
    customer = people.draw(rng, bursts)[burst]
    terminal = (SHOPS + rng.integers(0, len(terminals.names) - SHOPS, bursts))[burst]
    late = start > TURN
    amount = np.where(late, rng.uniform(2.0, 14.0, size), rng.uniform(0.4, 2.0, size))
    return {
        "customer": customer,
        "second": (start * DAY + rng.uniform(0, 1800, size)).astype(np.int64),
        "channel": np.full(size, ONLINE),
        "country": terminals.country[terminal],
        "terminal": terminal,
        "trade": terminals.trade[terminal],
        "amount": amount,
        "new_device": np.where(rng.random(size) < 0.6, 1, 0),
        "memo": memos.orders(rng, size, share=0.3),
        "kind": np.full(size, KINDS.index("card_testing")),
    }


def takeover(rng: np.random.Generator, size: int, people: Customers, terminals: Terminals) -> Columns:
    """A stolen login buys electronics abroad, new device, at night; later the device looks known."""
    day = _days(rng, size, DAYS)
    late = day > TURN
    customer = people.draw(rng, size)
    country = np.where(rng.random(size) < 0.75, rng.integers(0, _HOMES, size), people.home[customer])
    wanted = np.flatnonzero(
        np.isin(terminals.trade[SHOPS:], [TRADES.index("electronics"), TRADES.index("travel")])
    )
    terminal = np.where(
        rng.random(size) < 0.6,
        SHOPS + rng.choice(wanted, size),
        terminals.visit(rng, country, web=True),
    )
    hour = np.mod(rng.normal(np.where(late, 20.0, 3.0), 3.0), 24)
    return {
        "customer": customer,
        "second": (np.floor(day) * DAY + hour * 3600).astype(np.int64),
        "channel": np.full(size, ONLINE),
        "country": terminals.country[terminal],
        "terminal": terminal,
        "trade": terminals.trade[terminal],
        "amount": people.level[customer] * np.exp(rng.normal(1.9, 0.6, size)),
        "new_device": np.where(rng.random(size) < np.where(late, 0.55, 0.92), 1, 0),
        "memo": memos.orders(rng, size, share=0.5),
        "kind": np.full(size, KINDS.index("takeover")),
    }


def mules(rng: np.random.Generator, size: int, people: Customers, terminals: Terminals) -> Columns:
    """Transfers from young accounts just under a round limit, told by their memo; the wording changes."""
    day = _days(rng, size, DAYS)
    late = day > TURN
    young = np.argsort(-people.opened_day, kind="stable")[: max(10, len(people.home) // 6)]
    customer = rng.choice(young, size)
    day = np.maximum(day, np.maximum(people.opened_day[customer], 0) + rng.random(size))
    limit = np.where(rng.random(size) < 0.6, 1000.0, 500.0)
    return {
        "customer": customer,
        "second": (np.floor(day) * DAY + rng.uniform(8, 24, size) * 3600).astype(np.int64),
        "channel": np.full(size, BANK),
        "country": people.home[customer],
        "terminal": np.full(size, -1),
        "trade": np.full(size, TRANSFER),
        "amount": limit - rng.exponential(25.0, size),
        "new_device": np.where(rng.random(size) < 0.3, 1, 0),
        "memo": memos.mules(rng, late),
        "kind": np.full(size, KINDS.index("mule")),
    }


def _days(rng: np.random.Generator, size: int, days: int) -> np.ndarray:
    """Days spread over the whole time, so that a small table too has every kind of fraud in each part."""
    return (np.arange(size) + rng.random(size)) / max(size, 1) * days


def _visit(
    rng: np.random.Generator, terminals: Terminals, channel: np.ndarray, country: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Terminal and trade of each payment; a bank transfer has no terminal."""
    shop, web = terminals.visit(rng, country, web=False), terminals.visit(rng, country, web=True)
    terminal = np.where(channel == ONLINE, web, shop)
    trade = np.where(channel == BANK, TRANSFER, terminals.trade[terminal])
    return np.where(channel == BANK, -1, terminal), trade
