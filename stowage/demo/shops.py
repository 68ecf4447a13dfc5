"""Where the demo's customers are: real shops of central Helsinki (`shops.toml`), and the fleet that serves them.

The depot is a real spot in the middle of them. Also the few customers whom no van can serve: they stand in the
dispatcher's trays with the reason.
"""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

FILE = Path(__file__).with_name("shops.toml")
CITY = "Helsinki"


class Shop(Struct, frozen=True, kw_only=True):
    name: str
    street: str
    postcode: str
    lat: float
    lon: float

    @property
    def address(self) -> str:
        """In one line, as the backend writes it."""
        return f"{self.street}, {self.postcode} {CITY}"

    @property
    def ship_to(self) -> dict[str, object]:
        return {"name": self.name, "street": self.street, "postcode": self.postcode, "city": CITY}


@cache
def shops() -> dict[str, tuple[Shop, ...]]:
    """By the customer's code."""
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), dict[str, tuple[Shop, ...]])


def shop_of(customer: str, chance: random.Random) -> Shop:
    return chance.choice(shops()[customer])


def known_spots() -> dict[str, tuple[float, float]]:
    """Address in one line -> where it is, as somebody knows who has lived here for long."""
    spots = {s.address: (s.lat, s.lon) for many in shops().values() for s in many}
    return spots | {
        "Kalevankatu 4, 00100 Helsinki": (60.167742, 24.939652),
        "Eteläranta 1, 00130 Helsinki": (60.166267, 24.952756),
    }


@dataclass(frozen=True)
class DepotSpot:
    code: str
    name: str
    address: str
    lat: float
    lon: float


DEPOT = DepotSpot("CITY", "City depot Vilhonkatu", "Vilhonkatu 5, 00100 Helsinki", 60.172203, 24.947171)


@dataclass(frozen=True)
class Van:
    """A light electric van with its driver and its satellite receiver. `skills`: beside ambient goods."""

    code: str
    name: str
    plate: str
    max_weight_g: int
    max_volume_ml: int
    driver: str
    gps: str
    skills: tuple[str, ...] = ()


VANS = (
    Van("VAN-1", "Electric van 1", "ABC-101", 120_000, 900_000, "dieter", "van-1-gps", ("chilled",)),
    Van("VAN-2", "Electric van 2", "ABC-102", 120_000, 900_000, "daria", "van-2-gps", ("chilled",)),
    Van("VAN-3", "Cargo bike", "BIKE-3", 50_000, 300_000, "dimitri", "van-3-gps"),
)
VANS_AGENT = "vans"
HEAVIEST_VAN_G = max(v.max_weight_g for v in VANS)

NOWHERE = {"name": "Olga Onnela", "street": "Kuvitteellinenkatu 13", "postcode": "00100", "city": CITY}
"""A street that the map does not know: somebody has to look."""
ISLAND = {
    "name": "Merisauna Island Café",
    "street": "Saaritie 1",
    "postcode": "00190",
    "city": CITY,
    "lat": 60.1452,
    "lon": 24.9874,
}
"""A fortress in the sea: no road leads there, only a ferry."""
HURRY = {"name": "Pikku Kiire Pop-up", "street": "Kalevankatu 4", "postcode": "00100", "city": CITY}
"""Wants it within two minutes."""
FEAST = {"name": "Suuri Juhla Catering", "street": "Eteläranta 1", "postcode": "00130", "city": CITY}
"""Orders more water than any of the vans carries."""
FAR_AWAY = ("Tampere", "Turku", "Oulu")
"""Too far for the vans: a carrier takes it."""
