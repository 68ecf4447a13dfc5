"""Many EPCs -> what each is: a registered tag, a license plate by its SSCC, a unit by its GTIN, or unknown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from backend.catalog.codes import epc_meaning
from backend.db import Conn
from device_drivers.gs1 import Epc, InvalidIdentifier, epc_from_hex


@dataclass(frozen=True)
class KnownTag:
    """`kind` unit: one pack of `units` base units. `serial` is set where the item is kept by serial number."""

    epc: str
    kind: Literal["unit", "plate", "unknown"]
    tag_id: UUID | None = None
    origin: str | None = None
    license_plate_id: UUID | None = None
    item_id: UUID | None = None
    sku: str | None = None
    tracking: str = "none"
    pack_id: UUID | None = None
    units: Decimal = Decimal(1)
    lot_id: UUID | None = None
    serial: str | None = None
    tag_serial: str | None = None
    """The serial in the tag, whether or not the item is kept by serial."""
    reason: str | None = field(default=None)
    """Why it is unknown, in words."""


@dataclass(frozen=True)
class _TagRow:
    id: UUID
    epc: str
    origin: str
    license_plate_id: UUID | None
    item_id: UUID | None
    sku: str | None
    tracking: str | None
    pack_id: UUID | None
    units: Decimal
    lot_id: UUID | None
    serial: str | None


@dataclass(frozen=True)
class _PackRow:
    gtin: str
    pack_id: UUID
    units: Decimal
    item_id: UUID
    sku: str
    tracking: str


def identify(conn: Conn, site_id: UUID, epcs: Collection[str]) -> dict[str, KnownTag]:
    """Every EPC asked for is in the answer. `epcs`: hexadecimal, upper case, as read."""
    with conn.cursor(row_factory=class_row(_TagRow)) as cur:
        rows = cur.execute(
            """select t.id, t.epc, t.origin, t.license_plate_id, t.item_id, i.sku, i.tracking, t.pack_id,
                      coalesce(k.units, 1) as units, t.lot_id, t.serial
               from tag t left join item i on i.id = t.item_id left join item_pack k on k.id = t.pack_id
                    left join license_plate lp on lp.id = t.license_plate_id
               where t.epc = any(%s) and t.state = 'active' and (lp.id is null or lp.site_id = %s)""",
            [list(epcs), site_id],
        ).fetchall()
    known = {r.epc: _registered(r) for r in rows}
    decoded: dict[str, Epc] = {}
    for epc in epcs:
        if epc in known:
            continue
        try:
            decoded[epc] = epc_from_hex(epc)
        except InvalidIdentifier as e:
            known[epc] = KnownTag(epc, "unknown", reason=f"Not a GS1 tag: {e}")
    packs = _packs(conn, {e.gtin for e in decoded.values() if e.gtin})
    plates = dict(
        conn.execute(
            "select code, id from license_plate where site_id = %s and code = any(%s)",
            [site_id, sorted({e.sscc for e in decoded.values() if e.sscc})],
        ).fetchall()
    )
    for epc, bits in decoded.items():
        known[epc] = _by_bits(epc, bits, packs, plates)
    return known


def _registered(r: _TagRow) -> KnownTag:
    if r.license_plate_id is not None:
        return KnownTag(r.epc, "plate", r.id, r.origin, license_plate_id=r.license_plate_id)
    tracking = r.tracking or "none"
    return KnownTag(
        r.epc, "unit", r.id, r.origin, None, r.item_id, r.sku, tracking, r.pack_id, r.units, r.lot_id,
        r.serial if tracking == "serial" else None, r.serial,
    )  # fmt: skip


def _packs(conn: Conn, gtins: Collection[str]) -> dict[str, _PackRow]:
    with conn.cursor(row_factory=class_row(_PackRow)) as cur:
        rows = cur.execute(
            """select k.gtin, k.id as pack_id, k.units, i.id as item_id, i.sku, i.tracking
               from item_pack k join item i on i.id = k.item_id where k.gtin = any(%s)""",
            [sorted(gtins)],
        ).fetchall()
    return {r.gtin: r for r in rows}


def _by_bits(epc: str, e: Epc, packs: dict[str, _PackRow], plates: dict[str, UUID]) -> KnownTag:
    if e.sscc:
        if e.sscc in plates:
            return KnownTag(epc, "plate", license_plate_id=plates[e.sscc])
        return KnownTag(epc, "unknown", reason=f"No delivery notice names the license plate {e.sscc}.")
    if e.gtin is None:
        return KnownTag(epc, "unknown", reason=f"{epc_meaning(epc)} is neither an item nor a license plate.")
    pack = packs.get(e.gtin)
    if pack is None:
        return KnownTag(epc, "unknown", reason=f"No item has the GTIN {e.gtin}.", tag_serial=e.serial)
    if pack.tracking == "serial" and pack.units != 1:
        return KnownTag(
            epc,
            "unknown",
            reason=f"The tag stands for {pack.units.normalize():f} of {pack.sku}, which is kept by serial number.",
            item_id=pack.item_id,
            sku=pack.sku,
            tag_serial=e.serial,
        )
    return KnownTag(
        epc, "unit", None, None, None, pack.item_id, pack.sku, pack.tracking, pack.pack_id, pack.units, None,
        e.serial if pack.tracking == "serial" else None, e.serial,
    )  # fmt: skip
