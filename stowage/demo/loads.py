"""What stands on a supplier's truck, and what the delivery notice says of it: usually the same."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

from msgspec import Struct, json, structs

from device_drivers.gs1 import epc_from_uri, is_valid_sscc, sgtin96_hex, sscc96_hex, sscc_with_check_digit
from stowage.demo.catalog import Item, Partner, catalog

SUPPLIER_EXTENSION = 3
"""First digit of the suppliers' SSCCs; the site's own begin with another one."""
LOOSE_CASES = 6
"""Up to so many cases travel loose in a roll cage; more stand on a pallet."""
MOST_ON_A_PALLET = 240
TAGGED_CASES = 12
MOST_LOOSE = 30

SHARE_SHORT, SHARE_OVER, SHARE_UNKNOWN, SHARE_PALLET_TAG_ONLY = 0.2, 0.1, 0.08, 0.3


class Goods(Struct, frozen=True):
    """`quantity` base units of one item; `epc` is the tag of the case they are in."""

    sku: str
    quantity: int
    lot: str | None = None
    expires_on: date | None = None
    serial: str | None = None
    epc: str | None = None


class Pallet(Struct, frozen=True):
    sscc: str
    epc: str
    contents: list[Goods]
    case_epcs: list[str]
    case_sku: str | None = None

    @property
    def epcs(self) -> list[str]:
        return [self.epc, *self.case_epcs]


class Load(Struct, frozen=True):
    """`cases` are physically on the truck; `left_behind` are named in the notice and are not."""

    number: str
    supplier: str
    door: str
    pallets: list[Pallet]
    cases: list[Goods]
    left_behind: list[Goods]
    over: list[str]
    """EPCs of cases that the notice does not name."""
    unknown: list[str]
    """EPCs that nobody registered."""
    purchase_order: str | None = None

    @property
    def brought(self) -> dict[str, int]:
        """Base units by sku that really come with it."""
        sums: dict[str, int] = {}
        for goods in [*(g for p in self.pallets for g in p.contents), *self.cases]:
            sums[goods.sku] = sums.get(goods.sku, 0) + goods.quantity
        return sums

    def to_json(self) -> dict[str, Any]:
        return dict(json.decode(json.encode(self)))


def from_json(fact: dict[str, Any]) -> Load:
    return json.decode(json.encode(fact), type=Load)


def item_of(sku: str) -> Item:
    return next(i for i in catalog().items if i.sku == sku)


def partner_of(code: str) -> Partner:
    return next(p for p in (*catalog().suppliers, *catalog().customers) if p.code == code)


def compose(
    chance: random.Random,
    today: date,
    supplier: str,
    door: str,
    wanted: list[tuple[Item, int]],
    *,
    number: str,
    purchase_order: str | None = None,
    faultless: bool = False,
) -> Load:
    """`wanted`: items and base units. Mistakes happen to loose cases, which are what a portal counts one by one."""
    pallets: list[Pallet] = []
    cases: list[Goods] = []
    for item, quantity in wanted:
        lot = f"L{today:%y%m%d}{chance.randrange(10, 100)}" if item.lot_tracked else None
        life = int((item.shelf_life_days or 0) * 0.9)
        goods = Goods(item.sku, quantity, lot, today + timedelta(days=life) if lot and life else None)
        count = quantity // item.case_quantity if item.case_quantity > 1 and not item.serial_tracked else 0
        if 0 < count <= LOOSE_CASES and count * item.case_quantity == quantity:
            cases += [_case(chance, item, goods) for _ in range(count)]
        else:
            pallets += _pallets(chance, item, goods)
    left_behind: list[Goods] = []
    over: list[str] = []
    unknown: list[str] = []
    if len(cases) > 1 and not faultless:
        dice = chance.random()
        if dice < SHARE_SHORT:
            left_behind = [cases.pop(chance.randrange(len(cases)))]
        elif dice < SHARE_SHORT + SHARE_OVER:
            more = _case(chance, item_of(cases[-1].sku), cases[-1])
            cases.append(more)
            over = [str(more.epc)]
        if chance.random() < SHARE_UNKNOWN:
            serial = chance.randrange(1, 10**6)
            unknown = [epc_from_uri(f"urn:epc:id:sgtin:952199999.0001.{serial}", "sgtin-96").hex]
    return Load(number, supplier, door, pallets, cases, left_behind, over, unknown, purchase_order)


def as_announced(chance: random.Random, asn: dict[str, Any], door: str) -> Load:
    """What a notice of somebody else names: its plates with their tags, the rest as tagged cases and single pieces."""
    pallets, loose = [], {(x["sku"], x["lot"]): int(float(x["quantity"])) for x in asn["lines"]}
    for plate in asn["plates"]:
        contents = []
        for c in plate["contents"]:
            loose[c["sku"], c["lot"]] = loose.get((c["sku"], c["lot"]), 0) - int(float(c["quantity"]))
            contents.append(Goods(c["sku"], int(float(c["quantity"])), c["lot"], None, c["serial"]))
        if is_valid_sscc(plate["code"]):
            pallets.append(Pallet(plate["code"], sscc96_hex(plate["code"], _prefix_length()), contents, []))
    cases: list[Goods] = []
    for (sku, lot), quantity in loose.items():
        item = next((i for i in catalog().items if i.sku == sku), None)
        if item is None or item.serial_tracked:
            continue
        goods = Goods(sku, 1, lot)
        if item.case_gtin:
            cases += [
                _case(chance, item, goods) for _ in range(min(quantity // item.case_quantity, MOST_LOOSE))
            ]
            quantity %= item.case_quantity
        for _ in range(min(quantity, MOST_LOOSE)):
            cases.append(
                structs.replace(
                    goods, epc=sgtin96_hex(item.gtin, _prefix_length(), chance.randrange(1, 2**37))
                )
            )
    supplier = asn["supplier"]["code"] if asn["supplier"] else ""
    return Load(asn["number"], supplier, door, pallets, cases, [], [], [], asn["source_ref"])


def _case(chance: random.Random, item: Item, goods: Goods) -> Goods:
    epc = sgtin96_hex(str(item.case_gtin), _prefix_length(), chance.randrange(1, 2**37))
    return structs.replace(goods, quantity=item.case_quantity, epc=epc)


def _pallets(chance: random.Random, item: Item, goods: Goods) -> list[Pallet]:
    most = max(1, MOST_ON_A_PALLET // item.case_quantity) * item.case_quantity
    most = min(most, item.pallet_quantity)
    found = []
    left = goods.quantity
    while left > 0:
        quantity = min(left, most)
        left -= quantity
        sscc = sscc_with_check_digit(
            SUPPLIER_EXTENSION, catalog().gs1_company_prefix, chance.randrange(10**7)
        )
        one = structs.replace(goods, quantity=quantity)
        contents = [one]
        if item.serial_tracked:
            contents = [
                structs.replace(one, quantity=1, serial=f"{item.sku}-{chance.randrange(10**5, 10**6)}")
                for _ in range(quantity)
            ]
        count = quantity // item.case_quantity if item.case_quantity > 1 else 0
        tagged = (
            min(count, TAGGED_CASES)
            if not item.serial_tracked and chance.random() >= SHARE_PALLET_TAG_ONLY
            else 0
        )
        tags = [str(_case(chance, item, one).epc) for _ in range(tagged)]
        found.append(
            Pallet(sscc, sscc96_hex(sscc, _prefix_length()), contents, tags, item.sku if tags else None)
        )
    return found


def _prefix_length() -> int:
    return len(catalog().gs1_company_prefix)


def notice(load: Load, supplier_id: str, door_id: str, expected_at: str) -> dict[str, Any]:
    """What the supplier announces: everything that should be on the truck."""
    named = [c for c in [*load.cases, *load.left_behind] if c.epc not in load.over]
    lots = {c.sku: c for p in load.pallets for c in p.contents}
    return {
        "number": load.number,
        "supplier_id": supplier_id,
        "dock_door_id": door_id,
        "expected_at": expected_at,
        **({"purchase_order": load.purchase_order} if load.purchase_order else {}),
        "plates": [{"code": p.sscc, "kind": "pallet", "contents": [_said(g, serial=True) for g in p.contents]} for p in load.pallets],
        "tags": [
            *({**_said(c), "epc": c.epc} for c in named),
            *({"epc": epc, "plate": p.sscc, "lot": lots[p.case_sku].lot} for p in load.pallets if p.case_sku for epc in p.case_epcs),
        ],
    }  # fmt: skip


def _said(g: Goods, *, serial: bool = False) -> dict[str, Any]:
    said: dict[str, Any] = {"sku": g.sku}
    if g.lot:
        said |= {"lot": g.lot, "expires_on": g.expires_on.isoformat() if g.expires_on else None}
    if serial:
        said |= {"quantity": str(g.quantity)} | ({"serial": g.serial} if g.serial else {})
    return said
