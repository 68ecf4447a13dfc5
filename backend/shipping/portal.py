"""A portal at an outbound door: what really leaves, whatever was scanned.

What a passage outwards means is decided here, once:
- A carton of a shipment at this door (by its SSCC tag) is loaded, and confirmed by the portal if it was scanned before.
  A shipment without a door takes the door of its first carton, unless a vehicle with other orders stands there.
- Tags of single units account for the goods in the cartons of this door. A carton whose own tag was missed is loaded when
  the unit tags of the passage hold all that is in it.
- Everything else is out of place: the books follow what was seen (the goods are at the door or on its vehicle now, promises
  on shelf stock are made again elsewhere), with a discrepancy that holds the evidence, and an alert at the door.
- Inwards through an outbound door: a loaded carton comes off its vehicle again; anything else coming in is left to counting.
A tag below `ENOUGH` confidence is no evidence. Tags nobody knows are kept with their reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from backend import counting, ledger, orders, telemetry
from backend.catalog.tags import KnownTag, identify, note_unknown
from backend.context import Context
from backend.db import Conn
from backend.devices import DeviceRow
from backend.ledger import BalanceRow, Move, Reservation, Spot
from backend.live.announce import announce
from backend.packing.carton import Carton, find_carton
from backend.picking.confirm import outbound_staging
from backend.shipping.load import put_on, take_off
from backend.shipping.shipment import (
    Shipment,
    lock_orders,
    lock_shipment,
    note,
    shipment,
    shipment_of_order,
    shipments,
    shipments_at,
)
from edge.messages import Event, TagPassage, TagsPassed

ENOUGH = 0.5
JUST_LEFT = timedelta(hours=12)
"""A carton that departed so recently may still be in events that were spooled on the way."""
ZERO = Decimal(0)


@dataclass
class _Passage:
    """What one event is worth while it is judged."""

    conn: Conn
    ctx: Context
    door_id: UUID
    door_code: str
    event: Event
    data: TagsPassed
    sightings: dict[str, TagPassage]
    broken: list[Reservation] = field(default_factory=list)

    def evidence(self, epcs: Iterable[str]) -> dict[str, Any]:
        return {
            "portal": self.data.portal,
            "passage_id": self.data.passage_id,
            "door": self.door_code,
            "occurred_at": self.event.occurred_at.isoformat(),
            "tags": [
                {"epc": e, "reads": self.sightings[e].reads, "confidence": self.sightings[e].confidence,
                 "peak_rssi_cdbm": self.sightings[e].peak_rssi_cdbm}
                for e in sorted(epcs) if e in self.sightings
            ],
        }  # fmt: skip


def on_tags_passed(conn: Conn, ctx: Context, device: DeviceRow, event: Event, data: TagsPassed) -> None:
    """One passage through a portal at an outbound door. Never refused for what it saw."""
    door = conn.execute(
        "select id, code from place where id = %s and site_id = %s and kind = 'dock_door'",
        [device.place_id, ctx.site_id],
    ).fetchone()
    if door is None:
        return
    sightings = {t.epc: t for t in data.tags if t.confidence >= ENOUGH}
    known = identify(conn, ctx.site_id, sorted(sightings))
    p = _Passage(conn, ctx, door[0], door[1], event, data, sightings)
    for tag in known.values():
        if tag.kind == "unknown":
            t = sightings[tag.epc]
            note_unknown(conn, ctx, tag.epc, reason=tag.reason or "Nobody registered it.", place_id=p.door_id, reads=t.reads,
                         first_at=t.first_at, last_at=t.last_at)  # fmt: skip
    plates: dict[UUID, list[str]] = {}
    for tag in known.values():
        if tag.kind == "plate" and tag.license_plate_id is not None:
            plates.setdefault(tag.license_plate_id, []).append(tag.epc)
    _lock_concerned(p, list(plates))
    if data.direction == "in":
        _come_back(p, plates)
        return
    passed = [
        c for plate_id, epcs in sorted(plates.items()) if (c := _plate_out(p, plate_id, epcs)) is not None
    ]
    _units_out(p, sorted((t for t in known.values() if t.kind == "unit"), key=lambda t: t.epc), passed)
    if p.broken:
        orders.reallocate(conn, ctx, p.broken)
    announce(conn, ctx.site_id, "floor", p.door_id)


def _lock_concerned(p: _Passage, plate_ids: list[UUID]) -> None:
    """All orders that this passage can touch, at once and in the order of their ids."""
    rows = p.conn.execute(
        """select c.order_id from carton c where c.site_id = %s and c.id = any(%s)
           union select x.order_id from shipment_order x join shipment s on s.site_id = x.site_id and s.id = x.shipment_id
                 where x.site_id = %s and x.current and s.door_id = %s and s.state in ('planned', 'loading')""",
        [p.ctx.site_id, plate_ids, p.ctx.site_id, p.door_id],
    ).fetchall()
    lock_orders(p.conn, p.ctx.site_id, [r[0] for r in rows])


# --- cartons and other plates -----------------------------------------------------------------------------


def _plate_out(p: _Passage, plate_id: UUID, epcs: list[str]) -> Carton | None:
    """Returns the carton where it rightly left here."""
    c = find_carton(p.conn, p.ctx.site_id, plate_id)
    if c is None:
        _stray_plate(p, plate_id, epcs)
        return None
    lock_orders(p.conn, p.ctx.site_id, [c.order_id])
    if c.state == "shipped":
        note(p.conn, p.ctx, "confirmed", f"carton {c.sscc} has departed already", door_id=p.door_id, code=c.sscc,
             evidence=p.evidence(epcs))  # fmt: skip
        return None
    s = _its_shipment_here(p, c)
    if s is None:
        _stray_carton(p, c, epcs)
        return None
    _confirm(p, s, c, epcs)
    return c


def _its_shipment_here(p: _Passage, c: Carton) -> Shipment | None:
    """The carton's own shipment, where it leaves through this door."""
    s = shipment_of_order(p.conn, p.ctx.site_id, c.order_id)
    if s is None or s.is_over:
        return None
    s = lock_shipment(p.conn, p.ctx.site_id, s.id)
    if s.is_over:
        return None
    if s.door_id == p.door_id:
        return s
    taken = any(x.vehicle_id is not None for x in shipments_at(p.conn, p.ctx.site_id, p.door_id))
    if s.door_id is not None or taken:
        return None
    p.conn.execute(
        "update shipment set door_id = %s, version = version + 1 where site_id = %s and id = %s",
        [p.door_id, p.ctx.site_id, s.id],
    )
    return shipment(p.conn, p.ctx.site_id, s.id)


def _confirm(p: _Passage, s: Shipment, c: Carton, epcs: Iterable[str]) -> None:
    evidence = p.evidence(epcs)
    seen_by = f"portal:{p.data.portal}"
    if c.state != "loaded":
        if c.state == "open":
            _raise(
                p,
                "unclosed_carton",
                f"Carton {c.sscc} of {c.order_number} left unclosed through {p.door_code}.",
                evidence,
            )
        put_on(p.conn, p.ctx, s, c, seen_by=seen_by, evidence=evidence)
        return
    first = p.conn.execute(
        """update shipment_carton set confirmed_at = %s, confirmed_by = %s
           where site_id = %s and carton_id = %s and unloaded_at is null and confirmed_at is null""",
        [p.event.occurred_at, seen_by, p.ctx.site_id, c.id],
    ).rowcount
    if first:
        note(p.conn, p.ctx, "confirmed", f"carton {c.sscc} of {c.order_number}", shipment_id=s.id, door_id=p.door_id,
             code=c.sscc, evidence=evidence)  # fmt: skip
        announce(p.conn, p.ctx.site_id, "orders", c.order_id)


def _stray_carton(p: _Passage, c: Carton, epcs: list[str]) -> None:
    """A carton of other orders: it goes where it was seen to go, stays promised, and somebody has to fetch it."""
    own = shipment_of_order(p.conn, p.ctx.site_id, c.order_id)
    there = _there(p)
    if own is not None and any(x.carton_id == c.id and x.loaded_at is not None for x in own.cartons):
        take_off(p.conn, p.ctx, own, c, evidence=p.evidence(epcs))
    moved = ledger.move_license_plate(
        p.conn,
        p.ctx,
        c.id,
        there,
        reason="seen leaving through another door",
        cause_kind="load",
        evidence=p.evidence(epcs),
    )
    if not moved:
        return  # seen here before; the discrepancy is open
    expected = own.label if own is not None and not own.is_over else "no shipment"
    where = f" at {own.door_code}" if own is not None and own.door_code else ""
    detail = f"Carton {c.sscc} of {c.order_number} went out through {p.door_code}; it belongs to {expected}{where}."
    _out_of_place(p, "wrong_vehicle", detail, c.sscc, expected, epcs)
    orders.refresh_state(p.conn, p.ctx, c.order_id)


def _stray_plate(p: _Passage, plate_id: UUID, epcs: list[str]) -> None:
    """A pallet, case or tote of the house: the books follow, promises on it are made again from other stock."""
    ledger.lock_plates(p.conn, p.ctx.site_id, plate_id)
    rows = ledger.on_plate(p.conn, p.ctx.site_id, plate_id)
    there = _there(p)
    if not rows or all(r.place_id == there for r in rows):
        return
    for r in rows:
        _follow(p, r, r.on_hand, Spot(there, r.license_plate_id, r.status), epcs)
    ledger.stand_plate(p.conn, p.ctx.site_id, plate_id, there)
    code = rows[0].license_plate_code or str(plate_id)
    detail = f"{code} went out through {p.door_code}; by the books it was at {rows[0].place_code}, and nobody shipped it."
    _out_of_place(p, "unexpected_exit", detail, code, None, epcs, rows)


# --- single units -----------------------------------------------------------------------------------------


def _units_out(p: _Passage, tags: list[KnownTag], passed: list[Carton]) -> None:
    here = shipments_at(p.conn, p.ctx.site_id, p.door_id)
    seen_before = {
        r[0]
        for r in p.conn.execute(
            """select u.epc from shipment_unit u join shipment s on s.id = u.shipment_id
               where u.site_id = %s and u.epc = any(%s) and (s.state <> 'departed' or s.departed_at > %s)""",
            [p.ctx.site_id, [t.epc for t in tags], p.ctx.now - JUST_LEFT],
        ).fetchall()
    }
    fresh = [t for t in tags if t.epc not in seen_before and t.item_id is not None]
    serials = [t for t in fresh if t.serial is not None]
    counted = [t for t in fresh if t.serial is None]
    for t in serials:
        _serial_out(p, here, t)
    _load_missed_cartons(p, here, counted)
    here = shipments_at(p.conn, p.ctx.site_id, p.door_id)
    room = _unaccounted(p, here)
    for t in counted:
        assert t.item_id is not None
        owner = next((s for s in here if room.get((s.id, t.item_id), ZERO) >= t.units), None)
        if owner is not None:
            room[(owner.id, t.item_id)] -= t.units
            _account(p, owner, t)
        else:
            _stray_units(p, here, t)


def _serial_out(p: _Passage, here: list[Shipment], t: KnownTag) -> None:
    assert t.item_id is not None
    row = _row_of_serial(p, t)
    if row is None or _carton_around(p, row) is None:
        ledger.lock_serials(p.conn, [(t.item_id, str(t.serial))])
        row = _row_of_serial(p, t)  # it may have been packed meanwhile
    if row is None:
        gone = p.conn.execute(
            """select 1 from movement m join place c on c.id = m.to_place_id and c.kind in ('customer', 'in_transit')
               where m.site_id = %s and m.item_id = %s and m.serial = %s limit 1""",
            [p.ctx.site_id, t.item_id, t.serial],
        ).fetchone()
        if gone is None:
            _raise(p, "unknown_unit_left", f"{t.sku} serial {t.serial} went out through {p.door_code}; the books never had it.",
                   p.evidence([t.epc]), t.item_id)  # fmt: skip
        return
    c = _carton_around(p, row)
    if c is not None and c.state in ("open", "closed", "loaded"):
        lock_orders(p.conn, p.ctx.site_id, [c.order_id])
        s = _its_shipment_here(p, c)
        if s is not None:
            _confirm(p, s, c, [t.epc])  # the carton's own tag was missed, its content was read
            _account(p, s, t)
            return
        _stray_carton(p, c, [t.epc])
        return
    there = _there(p)
    if row.place_id == there:
        return
    _follow(p, row, Decimal(1), Spot(there, None, row.status), [t.epc])
    detail = (
        f"{t.sku} serial {t.serial} went out through {p.door_code}; by the books it was at {row.place_code}."
    )
    _out_of_place(p, "unexpected_exit", detail, t.epc, None, [t.epc], [row])


def _load_missed_cartons(p: _Passage, here: list[Shipment], tags: list[KnownTag]) -> None:
    """A closed carton that may leave here and was not read itself, while unit tags for all of it were."""
    room = _unaccounted(p, here, only_loaded=True)
    counts: dict[UUID, Decimal] = {}
    for t in tags:
        assert t.item_id is not None
        counts[t.item_id] = counts.get(t.item_id, ZERO) + t.units
    for item_id in counts:
        counts[item_id] -= sum((q for (_, i), q in room.items() if i == item_id), ZERO)
    for s in [*here, *_without_door(p, here)]:
        for x in s.cartons:
            c = find_carton(p.conn, p.ctx.site_id, x.carton_id)
            if c is None or c.state != "closed":
                continue
            needs: dict[UUID, Decimal] = {}
            for n in c.contents:
                needs[n.item_id] = needs.get(n.item_id, ZERO) + n.quantity
            if all(counts.get(item_id, ZERO) >= q for item_id, q in needs.items()):
                lock_orders(p.conn, p.ctx.site_id, [c.order_id])
                its = _its_shipment_here(p, c)
                if its is None:
                    continue
                for item_id, q in needs.items():
                    counts[item_id] -= q
                _confirm(p, its, c, [t.epc for t in tags if t.item_id in needs])


def _without_door(p: _Passage, here: list[Shipment]) -> list[Shipment]:
    """Shipments that may leave through any door, this one too unless a vehicle stands here for others."""
    if any(s.vehicle_id is not None for s in here):
        return []
    return shipments(
        p.conn,
        " and s.door_id is null and s.state in ('planned', 'loading') order by s.created_at, s.id limit 200",
        [p.ctx.site_id],
    )


def _unaccounted(
    p: _Passage, here: list[Shipment], *, only_loaded: bool = False
) -> dict[tuple[UUID, UUID], Decimal]:
    """Per shipment and item: what its cartons hold, less what single tags already accounted for."""
    states = ["loaded"] if only_loaded else ["open", "closed", "loaded"]
    rows = p.conn.execute(
        """select x.shipment_id, n.item_id, sum(n.quantity) - coalesce((select sum(u.quantity) from shipment_unit u
                  where u.site_id = %s and u.shipment_id = x.shipment_id and u.item_id = n.item_id), 0)
           from shipment_order x join carton c on c.site_id = x.site_id and c.order_id = x.order_id and c.state = any(%s)
                join carton_content n on n.site_id = c.site_id and n.carton_id = c.id
           where x.site_id = %s and x.shipment_id = any(%s) and x.current group by x.shipment_id, n.item_id""",
        [p.ctx.site_id, states, p.ctx.site_id, [s.id for s in here]],
    ).fetchall()
    return {(r[0], r[1]): r[2] for r in rows}


def _account(p: _Passage, s: Shipment, t: KnownTag) -> None:
    p.conn.execute(
        """insert into shipment_unit (site_id, shipment_id, epc, item_id, quantity, at) values (%s, %s, %s, %s, %s, %s)
           on conflict do nothing""",
        [p.ctx.site_id, s.id, t.epc, t.item_id, t.units, p.event.occurred_at],
    )


def _stray_units(p: _Passage, here: list[Shipment], t: KnownTag) -> None:
    """Units beyond what is shipped here: out of the stock the books have, the lot in the tag first, unpromised first."""
    assert t.item_id is not None
    again = p.conn.execute(
        "select 1 from shipment_event where site_id = %s and what = 'stray' and code = %s and at > %s limit 1",
        [p.ctx.site_id, t.epc, p.ctx.now - JUST_LEFT],
    ).fetchone()
    if again is not None:
        return
    found = p.conn.execute(
        """select b.place_id, b.lot_id from balance b join place x on x.id = b.place_id
           where b.site_id = %s and b.item_id = %s and b.on_hand > 0 and b.status = 'available'
             and x.kind in ('bin', 'zone', 'aisle', 'staging') order by b.lot_id is distinct from %s,
             b.on_hand - b.reserved >= %s desc, b.on_hand desc limit 1""",
        [p.ctx.site_id, t.item_id, t.lot_id, t.units],
    ).fetchone()
    source: BalanceRow | None = None
    if found is not None:
        at_place = ledger.rows_at(p.conn, p.ctx.site_id, found[0], t.item_id)
        source = max(
            (r for r in at_place if r.lot_id == found[1] and r.status == "available"), key=lambda r: r.free
        )
        _follow(p, source, t.units, Spot(_there(p), None, source.status), [t.epc])
    where = f"by the books they come from {source.place_code}" if source else "the books have none"
    detail = f"{t.units.normalize():f} of {t.sku} went out through {p.door_code} beyond what is shipped there; {where}."
    _out_of_place(
        p, "unexpected_exit", detail, t.epc, None, [t.epc], [source] if source else [], item_id=t.item_id
    )


def _carton_around(p: _Passage, row: BalanceRow) -> Carton | None:
    return (
        find_carton(p.conn, p.ctx.site_id, row.license_plate_id) if row.license_plate_id is not None else None
    )


def _row_of_serial(p: _Passage, t: KnownTag) -> BalanceRow | None:
    found = p.conn.execute(
        "select place_id from balance where site_id = %s and item_id = %s and serial = %s and on_hand > 0",
        [p.ctx.site_id, t.item_id, t.serial],
    ).fetchone()
    if found is None:
        return None
    rows = ledger.rows_at(p.conn, p.ctx.site_id, found[0], t.item_id)
    return next((r for r in rows if r.serial == t.serial), None)


# --- what both need ---------------------------------------------------------------------------------------


def _there(p: _Passage) -> UUID:
    """Where goods are once they have passed: on the vehicle at the door, where exactly one is known, else at the door."""
    vehicles = [
        s.vehicle_id for s in shipments_at(p.conn, p.ctx.site_id, p.door_id) if s.vehicle_id is not None
    ]
    return vehicles[0] if len(vehicles) == 1 else p.door_id


def _follow(p: _Passage, row: BalanceRow, quantity: Decimal, to: Spot, epcs: Iterable[str]) -> None:
    """The books follow what was seen."""
    move = Move(
        row.item_id, quantity, Spot(row.place_id, row.license_plate_id, row.status), to, "seen leaving", "load", None,
        row.lot_id, row.serial, row.owner_id, occurred_at=p.event.occurred_at, evidence=p.evidence(epcs),
    )  # fmt: skip
    p.broken += ledger.post_observed(p.conn, p.ctx, move).broken


def _out_of_place(
    p: _Passage,
    kind: str,
    detail: str,
    code: str,
    expected: str | None,
    epcs: Iterable[str],
    rows: Iterable[BalanceRow] = (),
    item_id: UUID | None = None,
) -> None:
    evidence = p.evidence(epcs)
    note(p.conn, p.ctx, "stray", detail, door_id=p.door_id, code=code, expected=expected, evidence=evidence)
    listed = list(rows)
    first = listed[0] if listed else None
    _raise(p, kind, detail, evidence, first.item_id if first else item_id, first.place_id if first else None,
           first.lot_id if first else None)  # fmt: skip
    telemetry.open_alert(
        p.conn, p.ctx, "wrong_goods_at_door", str(p.door_id), detail, severity="critical", place_id=p.door_id,
        data={"door": p.door_code, "code": code, "expected": expected},
    )  # fmt: skip


def _raise(
    p: _Passage,
    kind: str,
    detail: str,
    evidence: dict[str, Any],
    item_id: UUID | None = None,
    place_id: UUID | None = None,
    lot_id: UUID | None = None,
) -> None:
    counting.raise_discrepancy(
        p.conn,
        p.ctx,
        kind,
        item_id=item_id,
        place_id=place_id or p.door_id,
        lot_id=lot_id,
        evidence=evidence | {"detail": detail},
        recount=place_id is not None,
    )


def _come_back(p: _Passage, plates: dict[UUID, list[str]]) -> None:
    """Inwards: loaded cartons come off, strays stand inside again."""
    for plate_id, epcs in sorted(plates.items()):
        c = find_carton(p.conn, p.ctx.site_id, plate_id)
        if c is None or c.state in ("shipped", "cancelled"):
            continue
        lock_orders(p.conn, p.ctx.site_id, [c.order_id])
        s = shipment_of_order(p.conn, p.ctx.site_id, c.order_id)
        if s is not None and any(x.carton_id == c.id and x.loaded_at is not None for x in s.cartons):
            take_off(p.conn, p.ctx, lock_shipment(p.conn, p.ctx.site_id, s.id), c, evidence=p.evidence(epcs))
            continue
        strayed = p.conn.execute(
            "select 1 from shipment_event where site_id = %s and what = 'stray' and code = %s limit 1",
            [p.ctx.site_id, c.sscc],
        ).fetchone()
        if strayed is not None:
            ledger.move_license_plate(
                p.conn, p.ctx, c.id, outbound_staging(p.conn, p.ctx.site_id), reason="came back in", cause_kind="load",
                evidence=p.evidence(epcs),
            )  # fmt: skip
            orders.refresh_state(p.conn, p.ctx, c.order_id)
            telemetry.close_alert(p.conn, p.ctx, "wrong_goods_at_door", str(p.door_id))
