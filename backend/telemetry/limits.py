"""Where a channel may stand: the device's own limit, else what the storage class of its place asks for.

Hysteresis on both sides: a value must stay outside for `hold_s` before an alert opens, and come back inside by
`hysteresis` before it closes. To add a default: a line in `BY_STORAGE_CLASS` or `ANYWHERE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True)
class Limit:
    low: Decimal | None
    high: Decimal | None
    hysteresis: Decimal = Decimal(0)
    hold_s: int = 60


ANYWHERE: dict[str, Limit] = {
    "door_open": Limit(None, Decimal("0.5"), Decimal(0), 60),
}
BY_STORAGE_CLASS: dict[tuple[str, str], Limit] = {
    ("chilled", "temperature"): Limit(Decimal(2), Decimal(8), Decimal("0.5"), 60),
    ("frozen", "temperature"): Limit(None, Decimal(-18), Decimal(1), 60),
}


def limit_for(channel: str, own: Limit | None, storage_class: str | None) -> Limit | None:
    return own or BY_STORAGE_CLASS.get((storage_class or "", channel)) or ANYWHERE.get(channel)


def judge(limit: Limit, value: Decimal) -> Literal["outside", "between", "inside"]:
    """`between`: back within the limits, not yet by the hysteresis; what was stays."""
    if (limit.low is not None and value < limit.low) or (limit.high is not None and value > limit.high):
        return "outside"
    if (limit.low is not None and value < limit.low + limit.hysteresis) or (
        limit.high is not None and value > limit.high - limit.hysteresis
    ):
        return "between"
    return "inside"
