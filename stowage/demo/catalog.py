"""The demo's goods and partners, read from `catalog.toml` (which the fixtures of the demo's ERP read as well)."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

FILE = Path(__file__).with_name("catalog.toml")


class Partner(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    name_zh: str
    city: str
    gln: str
    email: str = ""


class Offer(Struct, frozen=True, kw_only=True):
    supplier: str
    price: Decimal
    lead_time_days: int
    min_order: int
    pack_multiple: int


class Item(Struct, frozen=True, kw_only=True):
    sku: str
    name: str
    name_zh: str
    category: str
    velocity: str
    unit: str
    weight_g: Decimal
    gtin: str
    reorder_point: int
    order_up_to: int
    suppliers: tuple[Offer, ...]
    case_quantity: int = 1
    case_gtin: str | None = None
    case_weight_g: Decimal | None = None
    pallet_quantity: int = 1
    lot_tracked: bool = False
    serial_tracked: bool = False
    shelf_life_days: int | None = None
    min_temperature_c: Decimal | None = None

    @property
    def chilled(self) -> bool:
        return self.min_temperature_c is not None

    @property
    def tracking(self) -> str:
        return "lot" if self.lot_tracked else "serial" if self.serial_tracked else "none"


class Catalog(Struct, frozen=True, kw_only=True):
    currency: str
    gs1_company_prefix: str
    suppliers: tuple[Partner, ...]
    customers: tuple[Partner, ...]
    items: tuple[Item, ...]


@cache
def catalog() -> Catalog:
    return msgspec.convert(tomllib.loads(FILE.read_text(encoding="utf-8")), Catalog, strict=False)
