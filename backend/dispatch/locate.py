"""Where an order goes: by its own coordinates, else by what the map knows for sure. Anything less goes to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any


@dataclass(frozen=True)
class Located:
    lat: float
    lon: float
    by: str
    """`order`, `map` or `pin`."""
    as_: str
    """What the map calls it."""


def address_of(ship_to: Mapping[str, Any]) -> str:
    """In one line, as the map is asked: street and number, postcode and city."""

    def text(name: str) -> str:
        return str(ship_to.get(name) or "").strip()

    street = " ".join(p for p in (text("street"), text("house_number")) if p) or text("address")
    town = " ".join(p for p in (text("postcode"), text("city")) if p)
    return ", ".join(p for p in (street, town) if p)[:500]


def locate(ship_to: Mapping[str, Any], address: str) -> Located | None:
    """None: nobody knows for sure, a person has to look."""
    lat, lon = _number(ship_to.get("lat"), 90), _number(ship_to.get("lon"), 180)
    if lat is not None and lon is not None:
        return Located(lat, lon, "order", "")
    return on_the_map(address)


def on_the_map(address: str) -> Located | None:
    from backend import maps

    book = maps.addresses() if address.strip() else None
    found = book.best(address) if book is not None else None
    return None if found is None else Located(found.lat, found.lon, "map", found.label)


def _number(value: Any, limit: int) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) and abs(number) <= limit else None
