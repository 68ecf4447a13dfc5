"""What a code means to this warehouse: `resolve_code(conn, site_id, text) -> Resolved`.

Reads anything a scanner, a tag or a person gives: GTIN (of an item or of one of its packs), GS1 element string,
Digital Link, SSCC and other license plates, EPC (hexadecimal or URI), place code, SKU, lot, serial, and the numbers of
documents. Which slice knows documents by number stands in `DOCUMENTS`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import class_row

from backend.db import Conn
from backend.errors import Unknown
from device_drivers.gs1 import InvalidIdentifier, Scan, epc_from_hex, epc_from_uri, parse_scan

Kind = Literal[
    "item", "pack", "lot", "serial", "license_plate", "tag", "place", "sales_order", "asn", "unknown_tag"
]

DOCUMENTS: dict[Kind, str] = {
    "sales_order": "backend.orders:find_by_number",
    "asn": "backend.receiving:find_by_number",
}
"""kind -> function `(conn, site_id, text) -> id | None` of the slice that owns the document."""

_HEX = re.compile(r"^[0-9A-Fa-f]{16,128}$")


class UnknownCode(Unknown):
    """A code that names nothing here. The sentence says what it looked like."""

    kind, title, status = "unknown-code", "Unknown code", 404


@dataclass(frozen=True)
class Resolved:
    """`kind` says what was named; `id` is its id. An item code that carries lot, expiry or serial has them too."""

    kind: Kind
    id: UUID
    code: str
    label: str
    item_id: UUID | None = None
    sku: str | None = None
    pack_id: UUID | None = None
    pack_name: str | None = None
    units: Decimal = Decimal(1)
    """Base units in the named pack."""
    lot_code: str | None = None
    lot_id: UUID | None = None
    expires_on: date | None = None
    serial: str | None = None
    epc: str | None = None
    license_plate_id: UUID | None = None
    place_id: UUID | None = None
    place_kind: str | None = None


@dataclass(frozen=True)
class _PackRow:
    pack_id: UUID
    pack_name: str
    units: Decimal
    item_id: UUID
    sku: str
    name: str


_PACK = """select k.id as pack_id, k.name as pack_name, k.units, i.id as item_id, i.sku, i.name
           from item_pack k join item i on i.id = k.item_id where true"""
# an item that is not sold any more is still moved, counted and returned


def resolve_code(conn: Conn, site_id: UUID, text: str, *, symbology: str | None = None) -> Resolved:
    """Raises UnknownCode (nothing of that name) or UnknownCode naming the fault of a code that looks like GS1."""
    text = text.strip()
    try:
        scan = parse_scan(text, symbology)
    except InvalidIdentifier as e:
        raise UnknownCode(f"This code cannot be read: {e}", field="code", seen=text) from e
    found = (
        _by_own_code(conn, site_id, scan.text)
        or _by_gs1(conn, site_id, scan)
        or _by_epc(conn, site_id, scan.text, scan.epc)
        or _by_document(conn, site_id, scan.text)
        or _by_serial_or_lot(conn, site_id, scan.text)
    )
    if found is None:
        raise UnknownCode(_words(scan), field="code", seen=text)
    return found


def _words(scan: Scan) -> str:
    if scan.sscc:
        return f"No license plate with SSCC {scan.sscc} is known here. Receive it against its delivery notice first."
    if scan.gtin:
        return f"No item or pack has the GTIN {scan.gtin}. Ask a lead to add it to the catalog."
    if scan.problem:
        return f"{scan.text!r} names nothing here; as GS1 it is wrong: {scan.problem}"
    return f"{scan.text!r} names no item, place, license plate, tag or document here."


def _by_own_code(conn: Conn, site_id: UUID, text: str) -> Resolved | None:
    """A place, else a license plate, else an SKU: what most scans are, in one question."""
    row = conn.execute(
        f"""select p.*, l.*, i.* from (select) as one
            left join lateral (select id, code, name, kind from place where site_id = %(site)s and upper(code) = upper(%(text)s))
                p on true
            left join lateral (select id, code, kind, place_id from license_plate where site_id = %(site)s and code = %(text)s)
                l on p.id is null
            left join lateral ({_PACK} and upper(i.sku) = upper(%(text)s) order by k.units = 1 desc, k.units limit 1)
                i on p.id is null and l.id is null""".encode(),
        {"site": site_id, "text": text},
    ).fetchone()
    assert row is not None
    place, plate, pack = row[:4], row[4:8], row[8:]
    if place[0] is not None:
        return Resolved(
            "place", place[0], place[1], place[2] or place[1], place_id=place[0], place_kind=place[3]
        )
    if plate[0] is not None:
        return _plate_row(plate)
    return _item(_PackRow(*pack)) if pack[0] is not None else None


def _plate(conn: Conn, site_id: UUID, code: str) -> Resolved | None:
    row = conn.execute(
        "select id, code, kind, place_id from license_plate where site_id = %s and code = %s", [site_id, code]
    ).fetchone()
    return None if row is None else _plate_row(row)


def _plate_row(row: Sequence[Any]) -> Resolved:
    return Resolved(
        "license_plate", row[0], row[1], f"{row[2]} {row[1]}", license_plate_id=row[0], place_id=row[3]
    )


def _item(row: _PackRow) -> Resolved:
    base = Resolved("item", row.item_id, row.sku, row.name, item_id=row.item_id, sku=row.sku, pack_id=row.pack_id,
                    pack_name=row.pack_name, units=row.units)  # fmt: skip
    return base if row.units == 1 else replace(base, kind="pack", id=row.pack_id)


def _by_gs1(conn: Conn, site_id: UUID, scan: Scan) -> Resolved | None:
    if scan.sscc:
        return _plate(conn, site_id, scan.sscc)
    gtin = scan.gtin or scan.contained_gtin
    if gtin is None:
        return None
    with conn.cursor(row_factory=class_row(_PackRow)) as cur:
        row = cur.execute(f"{_PACK} and k.gtin = %s".encode(), [gtin]).fetchone()
    if row is None:
        return None
    found = replace(
        _item(row), serial=scan.serial, lot_code=scan.lot, expires_on=scan.expires_on or scan.best_before_on
    )
    if scan.contained_gtin and scan.count:
        found = replace(found, kind="pack", units=row.units * scan.count)
    if scan.lot:
        lot = conn.execute(
            "select id, expires_on from lot where item_id = %s and code = %s", [row.item_id, scan.lot]
        ).fetchone()
        if lot:
            found = replace(found, lot_id=lot[0], expires_on=lot[1] or found.expires_on)
    return found


def _by_epc(conn: Conn, site_id: UUID, text: str, uri: str | None) -> Resolved | None:
    hex_text = text.upper() if _HEX.match(text) else None
    if uri is None and hex_text is None:
        return None
    if hex_text is None:
        try:
            hex_text = epc_from_uri(uri or "").hex
        except InvalidIdentifier:
            return None
    row = conn.execute(
        """select t.id, t.epc, t.item_id, i.sku, coalesce(i.name, lp.code), t.pack_id, k.name, coalesce(k.units, 1), t.lot_id, l.code,
                  l.expires_on, t.serial, t.license_plate_id, lp.place_id
           from tag t left join item i on i.id = t.item_id left join item_pack k on k.id = t.pack_id left join lot l on l.id = t.lot_id
                left join license_plate lp on lp.id = t.license_plate_id
           where t.epc = %s and t.state = 'active' and (lp.id is null or lp.site_id = %s)""",
        [hex_text, site_id],
    ).fetchone()
    if row is None:
        return None
    return Resolved("tag", row[0], row[1], row[4], item_id=row[2], sku=row[3], pack_id=row[5], pack_name=row[6], units=row[7],
                    lot_id=row[8], lot_code=row[9], expires_on=row[10], serial=row[11], epc=row[1], license_plate_id=row[12],
                    place_id=row[13])  # fmt: skip


def _by_document(conn: Conn, site_id: UUID, text: str) -> Resolved | None:
    for kind, dotted in DOCUMENTS.items():
        module, _, name = dotted.partition(":")
        find: Any = getattr(importlib.import_module(module), name)
        found = find(conn, site_id, text)
        if found is not None:
            return Resolved(kind, found, text, text)
    return None


def _by_serial_or_lot(conn: Conn, site_id: UUID, text: str) -> Resolved | None:
    row = conn.execute(
        """select i.id, i.sku, i.name, b.place_id, b.lot_id, b.license_plate_id from balance b join item i on i.id = b.item_id
           where b.site_id = %s and b.serial = %s and b.on_hand > 0 limit 1""",
        [site_id, text],
    ).fetchone()
    if row:
        return Resolved("serial", row[0], text, row[2], item_id=row[0], sku=row[1], serial=text, lot_id=row[4],
                        license_plate_id=row[5], place_id=row[3])  # fmt: skip
    lot = conn.execute(
        "select l.id, l.code, l.expires_on, i.id, i.sku, i.name from lot l join item i on i.id = l.item_id where l.code = %s order by l.created_at desc limit 1",
        [text],
    ).fetchone()
    if lot:
        return Resolved(
            "lot",
            lot[0],
            lot[1],
            lot[5],
            item_id=lot[3],
            sku=lot[4],
            lot_id=lot[0],
            lot_code=lot[1],
            expires_on=lot[2],
        )
    return None


def epc_meaning(epc_hex: str) -> str:
    """An EPC nobody registered, in words: `SGTIN-96 06412345000013 serial 17`, or the bare hexadecimal."""
    try:
        epc = epc_from_hex(epc_hex)
    except InvalidIdentifier:
        return epc_hex
    key = epc.gtin or epc.sscc or epc.grai or epc.giai or epc.uri
    return f"{epc.scheme.upper()} {key}" + (f" serial {epc.serial}" if epc.serial else "")
