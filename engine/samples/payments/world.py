"""Who pays and where: seeded customers with habits; terminals with country and trade, some compromised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DAYS = 181  # 2026-01-01 to 2026-06-30

COUNTRIES = ("DE", "FR", "GB", "NL", "ES", "IT", "PL", "US", "BR", "JP", "IR", "KP")
CURRENCIES = ("EUR", "EUR", "GBP", "EUR", "EUR", "EUR", "PLN", "USD", "BRL", "JPY", "USD", "USD")
HOME_SHARES = (0.24, 0.18, 0.16, 0.09, 0.09, 0.09, 0.07, 0.05, 0.02, 0.01, 0.0, 0.0)
TRADES = (
    "grocery",
    "fuel",
    "restaurant",
    "pharmacy",
    "clothing",
    "electronics",
    "travel",
    "gambling",
    "transfer",
)
TRADE_AMOUNT = (0.8, 1.3, 0.9, 0.6, 1.6, 4.0, 6.0, 1.8, 5.0)  # against a customer's usual level
TRANSFER = TRADES.index("transfer")

SHOPS, WEB_SHOPS, COMPROMISED = 320, 80, 12
_SHOP_TRADES = (0.34, 0.14, 0.24, 0.09, 0.11, 0.05, 0.03, 0.0)
_WEB_TRADES = (0.14, 0.0, 0.12, 0.05, 0.28, 0.20, 0.15, 0.06)


@dataclass(frozen=True)
class Customers:
    """One array entry a customer; days count from the first day of the data. Some accounts open during it"""

    home: np.ndarray  # code in COUNTRIES
    level: np.ndarray  # usual amount
    activity: np.ndarray  # share of all payments, sums to 1
    opened_day: np.ndarray  # negative: before the data begins
    device: np.ndarray  # code of the usual device
    peak_hour: np.ndarray

    def draw(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """`size` customers, the active ones more often."""
        edges = np.cumsum(self.activity)
        return np.minimum(np.searchsorted(edges, rng.random(size), side="right"), len(edges) - 1)


@dataclass(frozen=True)
class Terminals:
    """Shops (`T0001`…) ordered by country, then web shops (`W0001`…) likewise."""

    names: np.ndarray
    country: np.ndarray
    trade: np.ndarray
    compromised: np.ndarray  # terminal codes, one a wave
    wave_start: np.ndarray  # first day of each wave
    wave_days: int = 24

    def visit(self, rng: np.random.Generator, country: np.ndarray, *, web: bool) -> np.ndarray:
        """One terminal of the given country a payment, the popular ones more often."""
        home, offset = (self.country[SHOPS:], SHOPS) if web else (self.country[:SHOPS], 0)
        first = np.searchsorted(home, country, side="left")
        count = np.searchsorted(home, country, side="right") - first
        return offset + first + (rng.random(len(country)) ** 1.5 * count).astype(np.int64)

    @property
    def latest_compromised(self) -> list[str]:
        """Names of the terminals whose wave was still running at the end: what an analyst would list."""
        running = self.wave_start + self.wave_days > DAYS - 20
        return sorted(str(name) for name in self.names[self.compromised[running]])


def make_customers(rng: np.random.Generator, size: int) -> Customers:
    activity = rng.gamma(1.2, 1.0, size) + 0.05
    opened = np.where(rng.random(size) < 0.12, rng.integers(1, 150, size), -1 - rng.exponential(900, size))
    return Customers(
        home=rng.choice(len(COUNTRIES), size, p=HOME_SHARES),
        level=np.exp(rng.normal(3.1, 0.55, size)),
        activity=activity / activity.sum(),
        opened_day=opened.astype(np.int64),
        device=rng.choice(3, size, p=(0.45, 0.40, 0.15)),
        peak_hour=np.clip(rng.normal(14, 3.0, size), 7, 21),
    )


def make_terminals(rng: np.random.Generator) -> Terminals:
    country = np.concatenate([_spread(rng, SHOPS), _spread(rng, WEB_SHOPS)])
    trade = np.concatenate([rng.choice(8, SHOPS, p=_SHOP_TRADES), rng.choice(8, WEB_SHOPS, p=_WEB_TRADES)])
    names = [f"T{i + 1:04d}" for i in range(SHOPS)] + [f"W{i + 1:04d}" for i in range(WEB_SHOPS)]
    waves = np.linspace(4, DAYS - 24, COMPROMISED).astype(np.int64)
    open_to_thieves = np.flatnonzero(country[:SHOPS] < 7)
    return Terminals(
        np.array(names), country, trade, rng.choice(open_to_thieves, COMPROMISED, replace=False), waves
    )


def _spread(rng: np.random.Generator, size: int) -> np.ndarray:
    """Countries of `size` terminals, sorted, each country at least twice."""
    rest = rng.choice(len(COUNTRIES), size - 2 * len(COUNTRIES), p=HOME_SHARES)
    return np.sort(np.concatenate([np.repeat(np.arange(len(COUNTRIES)), 2), rest]))
