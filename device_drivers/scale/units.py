"""Units that scales print, in grams. Exact."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

GRAMS = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "mg": Decimal("0.001"),
    "t": Decimal(1_000_000),
    "lb": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
}


def to_grams(number: str, unit: str) -> Decimal:
    """`to_grams("1.250", "kg") == Decimal(1250)`. Raises ValueError for what is no weight."""
    if unit not in GRAMS:
        raise ValueError(f"unit {unit!r} is not one of {', '.join(GRAMS)}")
    try:
        value = Decimal(number.replace(" ", ""))
    except InvalidOperation as e:
        raise ValueError(f"{number!r} is not a number") from e
    if not value.is_finite():
        raise ValueError(f"{number!r} is not a weight")
    return value * GRAMS[unit]
