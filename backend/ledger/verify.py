"""`stowage verify`: rebuild every balance from the movements, and compare. Reads only, in one snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend.db import Conn


@dataclass(frozen=True)
class Mismatch:
    what: str
    """`balance`, `reserved` or `conservation`."""
    where: str
    expected: Decimal
    found: Decimal


def verify(conn: Conn) -> list[Mismatch]:
    """Balances against movements, `reserved` against reservations, and the sum over all places against zero."""
    mismatches = []
    for what, query in (("balance", _BALANCE), ("reserved", _RESERVED), ("conservation", _CONSERVATION)):
        for where, expected, found in conn.execute(query.encode()).fetchall():
            mismatches.append(Mismatch(what, where, expected, found))
    return mismatches


_KEY = "site_id, place_id, item_id, lot_id, serial, license_plate_id, owner_id, status"
_WORDS = """coalesce((select code from place where id = {0}.place_id), '?') || ' ' || coalesce((select sku from item where id = {0}.item_id), '?')
            || coalesce(' lot ' || (select code from lot where id = {0}.lot_id), '') || coalesce(' serial ' || {0}.serial, '')
            || ' ' || {0}.status"""

_ENTRIES = """
    select site_id, from_place_id as place_id, item_id, lot_id, serial, from_license_plate_id as license_plate_id, owner_id,
           from_status as status, -quantity as quantity from movement
    union all
    select site_id, to_place_id, item_id, lot_id, serial, to_license_plate_id, owner_id, to_status, quantity from movement"""

_BALANCE = f"""
    with rebuilt as (
        select {", ".join("e." + c for c in _KEY.split(", "))}, sum(quantity) as on_hand
        from ({_ENTRIES}) e join place p on p.id = e.place_id and p.is_physical group by {", ".join("e." + c for c in _KEY.split(", "))}),
    both_sides as (
        select {_KEY}, on_hand as expected, 0::numeric as found from rebuilt
        union all select {_KEY}, 0, on_hand from balance)
    select {_WORDS.format("s")}, sum(expected), sum(found) from both_sides s group by {_KEY} having sum(expected) <> sum(found)"""

_RESERVED = f"""
    with both_sides as (
        select site_id, place_id, item_id, lot_id, serial, license_plate_id, owner_id, 'available' as status,
               quantity as expected, 0::numeric as found from reservation where closed_at is null
        union all select {_KEY}, 0, reserved from balance)
    select {_WORDS.format("s")}, sum(expected), sum(found) from both_sides s group by {_KEY} having sum(expected) <> sum(found)"""

_CONSERVATION = f"""
    select (select sku from item where id = e.item_id), 0::numeric, sum(quantity) from ({_ENTRIES}) e
    group by item_id having sum(quantity) <> 0"""
