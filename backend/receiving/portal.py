"""A portal at a receiving door: many passages, with misses and strays, become one receipt.

What a portal cannot know is decided here, once:
- A tag belongs to the notice that names it, whichever door read it; a tag that no notice names goes with the notice
  that most of its passage belongs to, else with the appointment at the door, else with a receipt without notice.
- A tag counts once, ever. A license plate brings its contents; single tags inside it are evidence, not quantity.
- One weak sighting counts nothing; sightings add up (`ENOUGH`).
- Outwards through a receiving door: what an open receipt counted and what still stands at the door is taken back
  by reversing movements and may come again. Everything else that leaves here is a discrepancy for a person: a single
  antenna's word is not enough to write off stock that was put away.
- Stock of the house read inwards is evidence that it moved (a discrepancy unless it stands at a dock), not goods.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from psycopg.rows import class_row

from backend import ledger
from backend.catalog.tags import KnownTag, identify, note_unknown
from backend.context import Context
from backend.counting import raise_discrepancy
from backend.db import Conn
from backend.errors import Conflict
from backend.ids import new_id
from backend.putaway.tasks import cancel_tasks_for_plates, ensure_plate_tasks, move_open_tasks
from backend.receiving.plates import PlateRow, contents_due, plates_and_inside
from backend.receiving.receipt import (
    Entry,
    NewReceipt,
    Receipt,
    Take,
    blind_receipt_at,
    book,
    entries_where,
    latest_receipt_at,
    lock_asns,
    lock_receipt,
    open_receipt,
    open_receipt_of,
    touch,
    unbook,
    unit_key,
)
from edge.messages import Event, TagPassage, TagsPassed

ENOUGH = 0.5
"""Combined confidence (1 - product of the doubts) from which a tag counts as passed."""
REMEMBERED = timedelta(minutes=30)
"""How long weak sightings of a tag add up."""
SAME_UNLOADING = timedelta(minutes=10)
"""A passage this soon after another at the same door, with nothing to tell it apart, is the same truck."""
ON_THE_WAY = ("dock_door", "staging", "vehicle")
"""Kinds of places where stock is read in passing without having gone astray."""

ZERO = Decimal(0)


class Portal(Protocol):
    """The device as ingest knows it."""

    @property
    def code(self) -> str: ...
    @property
    def place_id(self) -> UUID | None: ...


class PortalWithoutDoor(Conflict):
    """A person binds the device to a dock door; then the dead letter can be retried."""


def on_tags_passed(conn: Conn, ctx: Context, device: Portal, event: Event, data: TagsPassed) -> None:
    """One passage (or a part of one) through a portal at a receiving door. Raises PortalWithoutDoor."""
    if device.place_id is None:
        raise PortalWithoutDoor(
            f"{device.code} stands at no dock door; bind it to one on the devices screen."
        )
    door = conn.execute(
        "select kind from place where id = %s and site_id = %s", [device.place_id, ctx.site_id]
    ).fetchone()
    if door is None or door[0] not in ("dock_door", "staging"):
        raise PortalWithoutDoor(f"{device.code} stands at a place that is no dock door; bind it to one.")
    passage = _Passage(conn, ctx, device.place_id, event.occurred_at, data)
    strong = _record(passage)
    known = identify(conn, ctx.site_id, strong)
    if data.direction == "in":
        _arrive(passage, known)
    else:
        _leave(passage, known)
    _record_strays(passage)
    _settle_outcomes(passage)


@dataclass
class _Passage:
    """What one event is worth while it is judged."""

    conn: Conn
    ctx: Context
    door_id: UUID
    occurred_at: datetime
    data: TagsPassed
    sightings: dict[str, TagPassage] = field(default_factory=dict)
    outcomes: dict[str, tuple[str, UUID | None]] = field(default_factory=dict)
    absorbed: dict[str, tuple[UUID, Decimal]] = field(default_factory=dict)

    def judge(self, epc: str, outcome: str, receipt: Receipt | None = None) -> None:
        self.outcomes[epc] = (outcome, receipt.id if receipt else None)


# --- evidence ---------------------------------------------------------------------------------------------


def _record(p: _Passage) -> list[str]:
    """Keeps every tag of the passage; returns those with enough evidence that they passed."""
    for t in p.data.tags:
        p.sightings[t.epc] = t
    with p.conn.cursor() as cur:
        cur.executemany(
            """insert into passage_tag as s (site_id, portal, passage_id, epc, door_id, direction, outcome, reads, confidence,
                   peak_rssi_cdbm, first_at, last_at)
               values (%s, %s, %s, %s, %s, %s, 'seen', %s, %s, %s, %s, %s)
               on conflict (site_id, portal, passage_id, epc) do update set reads = s.reads + excluded.reads,
                   direction = excluded.direction,
                   confidence = 1 - (1 - s.confidence) * (1 - excluded.confidence), last_at = excluded.last_at,
                   peak_rssi_cdbm = greatest(s.peak_rssi_cdbm, excluded.peak_rssi_cdbm)""",
            [
                [p.ctx.site_id, p.data.portal, p.data.passage_id, t.epc, p.door_id, p.data.direction, t.reads, t.confidence,
                 t.peak_rssi_cdbm, t.first_at, t.last_at]
                for t in sorted(p.sightings.values(), key=lambda t: t.epc)
            ],
        )  # fmt: skip
    doubts: dict[str, float] = defaultdict(lambda: 1.0)
    for epc, confidence in p.conn.execute(
        """select epc, confidence from passage_tag where site_id = %s and epc = any(%s) and direction = %s
           and confidence > 0 and (passage_id = %s or (outcome = 'weak' and recorded_at > %s))""",
        [p.ctx.site_id, list(p.sightings), p.data.direction, p.data.passage_id, p.ctx.now - REMEMBERED],
    ).fetchall():
        doubts[epc] *= 1 - confidence
    strong = []
    for epc in p.sightings:
        if 1 - doubts[epc] >= ENOUGH - 1e-6:
            strong.append(epc)
        else:
            p.judge(epc, "weak")
    return strong


def _record_strays(p: _Passage) -> None:
    """Of the tags judged not to have passed only those that a notice still expects are kept: they explain a short line."""
    strays = {s.epc: s for s in p.data.strays if s.epc not in p.sightings}
    if not strays:
        return
    known = identify(p.conn, p.ctx.site_id, strays)
    expected = set(_links(p.conn, known.values()))
    with p.conn.cursor() as cur:
        cur.executemany(
            """insert into passage_tag (site_id, portal, passage_id, epc, door_id, direction, outcome, reads, confidence, peak_rssi_cdbm)
               values (%s, %s, %s, %s, %s, %s, %s, %s, 0, %s) on conflict do nothing""",
            [
                [p.ctx.site_id, p.data.portal, p.data.passage_id, s.epc, p.door_id, p.data.direction, f"stray_{s.why}"[:40],
                 s.reads, s.peak_rssi_cdbm]
                for epc, s in sorted(strays.items())
                if epc in expected
            ],
        )  # fmt: skip


def _settle_outcomes(p: _Passage) -> None:
    with p.conn.cursor() as cur:
        cur.executemany(
            """update passage_tag set outcome = %s, receipt_id = %s, item_id = %s, quantity = %s
               where site_id = %s and portal = %s and passage_id = %s and epc = %s""",
            [
                [outcome, receipt_id, *p.absorbed.get(epc, (None, None)), p.ctx.site_id, p.data.portal, p.data.passage_id, epc]
                for epc, (outcome, receipt_id) in sorted(p.outcomes.items())
            ],
        )  # fmt: skip


@dataclass(frozen=True)
class _Link:
    """What a notice says of a tag."""

    asn_id: UUID
    license_plate_id: UUID | None


def _links(conn: Conn, tags: Iterable[KnownTag]) -> dict[str, _Link]:
    tags = list(tags)
    by_tag = {t.tag_id: t.epc for t in tags if t.kind == "unit" and t.tag_id}
    by_plate: dict[UUID, list[str]] = defaultdict(list)
    for t in tags:
        if t.license_plate_id:
            by_plate[t.license_plate_id].append(t.epc)
    links = {
        by_tag[tag_id]: _Link(asn_id, plate)
        for tag_id, asn_id, plate in conn.execute(
            "select tag_id, asn_id, license_plate_id from asn_tag where tag_id = any(%s)", [list(by_tag)]
        ).fetchall()
    }
    for plate, asn_id in conn.execute(
        "select license_plate_id, asn_id from asn_plate where license_plate_id = any(%s)", [list(by_plate)]
    ).fetchall():
        for epc in by_plate[plate]:
            links[epc] = _Link(asn_id, plate)
    return links


# --- inwards ----------------------------------------------------------------------------------------------


def _arrive(p: _Passage, known: dict[str, KnownTag]) -> None:
    links = _links(p.conn, known.values())
    asn_ids = {link.asn_id for link in links.values()}
    loose_items = {
        k.item_id for e, k in known.items() if k.kind == "unit" and e not in links and k.item_id is not None
    }
    main_asn = _main_asn(p, links, loose_items)
    if main_asn is not None:
        asn_ids.add(main_asn)
    lock_asns(p.conn, p.ctx.site_id, asn_ids)
    a = _Arrival(p, links, main_asn)
    a.find_present(known)
    for k in known.values():
        if k.kind == "plate":
            a.plate(k)
    for k in sorted((k for k in known.values() if k.kind == "unit"), key=lambda k: k.epc):
        a.unit(k)
    for receipt_id, takes in a.takes.items():
        entries = book(
            p.conn, p.ctx, a.receipts[receipt_id], takes, source="portal", occurred_at=p.occurred_at
        )
        counted = {e.epc for e in entries if e.epc}
        for t in takes:
            if t.epc and t.epc not in counted:  # another door was faster
                p.judge(t.epc, "repeat", a.receipts[receipt_id])
    for k in known.values():
        if k.kind == "unknown":
            a.unknown(k, k.reason or "unknown")
    _settle_outcomes(p)
    p.conn.execute(
        """update unknown_tag set state = 'claimed', settled_at = %s, settled_by = %s
           where site_id = %s and state = 'open' and epc = any(%s)""",
        [
            p.ctx.now,
            p.ctx.actor,
            p.ctx.site_id,
            [e for e, (outcome, _) in p.outcomes.items() if outcome in ("received", "inside")],
        ],
    )
    for receipt in a.receipts.values():
        settled = _settle_door(p, receipt)
        ensure_plate_tasks(p.conn, p.ctx, settled.id, settled.dock_door_id)
        touch(p.conn, p.ctx, settled)


def _main_asn(p: _Passage, links: dict[str, _Link], loose_items: set[UUID]) -> UUID | None:
    """The notice that the unnamed tags of this passage go with."""
    votes = Counter(link.asn_id for link in links.values())
    if votes:
        best = max(votes.values())
        tied = sorted(a for a, n in votes.items() if n == best)
        if len(tied) > 1:
            at_door = p.conn.execute(
                "select id from asn where id = any(%s) and dock_door_id = %s order by expected_at limit 1",
                [tied, p.door_id],
            ).fetchone()
            return UUID(str(at_door[0])) if at_door else tied[0]
        return tied[0]
    if not loose_items:
        return None
    recent = latest_receipt_at(p.conn, p.ctx.site_id, p.door_id, p.ctx.now - SAME_UNLOADING)
    if recent is not None:
        return recent.asn_id
    rows = p.conn.execute(
        """select a.id, a.dock_door_id = %s as here, count(distinct l.item_id) as fits from asn a
           join asn_line l on l.asn_id = a.id and l.item_id = any(%s)
           where a.site_id = %s and a.state in ('expected', 'arriving') and (a.dock_door_id is null or a.dock_door_id = %s)
             and not exists (select 1 from asn_tag t where t.asn_id = a.id)
           group by a.id order by here desc nulls last, fits desc, a.expected_at nulls last, a.created_at""",
        [p.door_id, list(loose_items), p.ctx.site_id, p.door_id],
    ).fetchall()
    here = [r[0] for r in rows if r[1]]
    if here:
        return UUID(str(here[0]))
    return UUID(str(rows[0][0])) if len(rows) == 1 else None


class _Arrival:
    """One inbound passage: each tag is judged once, in the order plates, then single tags."""

    def __init__(self, p: _Passage, links: dict[str, _Link], main_asn: UUID | None) -> None:
        self.p, self.links, self.main_asn = p, links, main_asn
        self.receipts: dict[UUID, Receipt] = {}
        self.takes: dict[UUID, list[Take]] = defaultdict(list)
        self._by_asn: dict[UUID | None, Receipt] = {}
        self._rooms: dict[tuple[UUID, UUID], Decimal] = {}
        self._sole_lots: dict[tuple[UUID, UUID], UUID | None] = {}
        self._serials_taken: set[tuple[UUID, str]] = set()

    def find_present(self, known: dict[str, KnownTag]) -> None:
        """What the books know of these tags, read under the locks."""
        conn, site = self.p.conn, self.p.ctx.site_id
        self.entries: dict[str, Entry] = {
            e.epc: e
            for e in entries_where(conn, "site_id = %s and epc = any(%s)", [site, list(known)])
            if e.epc
        }
        self.open_receipts = {
            r[0]
            for r in conn.execute(
                "select id from receipt where id = any(%s) and state = 'open'",
                [list({e.receipt_id for e in self.entries.values()})],
            ).fetchall()
        }
        plate_ids = {k.license_plate_id for k in known.values() if k.license_plate_id}
        plate_ids |= {link.license_plate_id for link in self.links.values() if link.license_plate_id}
        self.plates, self.trees = plates_and_inside(conn, plate_ids)
        read = {k.license_plate_id for k in known.values() if k.license_plate_id}
        self.covered = {
            inner
            for root in read
            if root
            for inner in self.trees.get(root, set())
            if inner != root and inner in read
        }
        self.received = {i for i, row in self.plates.items() if row.received_at is not None}
        units = [k for k in known.values() if k.kind == "unit" and k.item_id and k.tag_serial]
        self.counted_units = {
            (e.item_id, e.unit_serial): e
            for e in entries_where(
                conn,
                "site_id = %s and item_id = any(%s) and unit_serial = any(%s)",
                [
                    site,
                    list({k.item_id for k in units}),
                    list({unit_key(k.tag_serial, k.units) for k in units}),
                ],
            )
        }
        ledger.lock_serials(conn, [(k.item_id, k.serial) for k in units if k.item_id and k.serial])
        self.serials_at = {
            (r[0], r[1]): r[2]
            for r in conn.execute(
                "select item_id, serial, site_id from balance where item_id = any(%s) and serial = any(%s) and on_hand > 0",
                [list({k.item_id for k in units}), list({k.serial for k in units if k.serial})],
            ).fetchall()
        }
        self.absorbed_before = {
            r[0]
            for r in conn.execute(
                "select distinct epc from passage_tag where site_id = %s and epc = any(%s) and outcome = 'inside' and item_id is not null",
                [site, list(known)],
            ).fetchall()
        }

    def receipt_for(self, asn_id: UUID | None) -> Receipt:
        if asn_id in self._by_asn:
            return self._by_asn[asn_id]
        p = self.p
        if asn_id is None:
            receipt = blind_receipt_at(
                p.conn, p.ctx.site_id, p.door_id, p.ctx.now - SAME_UNLOADING
            ) or open_receipt(p.conn, p.ctx, NewReceipt(p.door_id, origin="portal"))
        else:
            receipt = open_receipt_of(p.conn, asn_id) or open_receipt(
                p.conn, p.ctx, NewReceipt(p.door_id, asn_id, origin="portal")
            )
        self._by_asn[asn_id] = receipt
        self.receipts[receipt.id] = receipt
        return receipt

    # license plates

    def plate(self, k: KnownTag) -> None:
        p = self.p
        assert k.license_plate_id is not None
        row = self.plates[k.license_plate_id]
        if row.id in self.covered:
            p.judge(k.epc, "inside", None)
        elif row.state in ("shipped", "gone"):
            p.judge(k.epc, "came_back")
            self._report(
                "came_back", k, None, f"License plate {row.code} left this site and was read coming in."
            )
        elif row.asn_id is not None and row.received_at is None:
            receipt = self.receipt_for(row.asn_id)
            tree = self.trees[row.id]
            due = contents_due(p.conn, p.ctx, receipt, tree)
            self.takes[receipt.id].extend(due)
            self._serials_taken |= {(t.item_id, t.serial) for t in due if t.serial is not None}
            self.received |= tree
            p.judge(k.epc, "received", receipt)
        elif row.has_stock or any(self.plates[i].has_stock for i in self.trees[row.id]):
            self._already_here(k, row)
        else:
            p.judge(k.epc, "empty")

    def _already_here(self, k: KnownTag, row: PlateRow) -> None:
        kind = self._kind_of(row.place_id)
        self.p.judge(k.epc, "repeat" if row.place_id == self.p.door_id else "already_here")
        if row.place_id != self.p.door_id and kind not in ON_THE_WAY:
            self.p.judge(k.epc, "astray")
            self._report(
                "read_elsewhere",
                k,
                row.place_id,
                f"License plate {row.code} should stand elsewhere, and was read coming in.",
            )

    # single tags

    def unit(self, k: KnownTag) -> None:
        p = self.p
        assert k.item_id is not None
        entry = self.entries.get(k.epc)
        link = self.links.get(k.epc)
        if entry is not None:
            p.judge(k.epc, "repeat" if entry.receipt_id in self.open_receipts else "already_here")
            if entry.receipt_id not in self.open_receipts:
                self._unit_of_the_house(k)
            return
        same_unit = (
            self.counted_units.get((k.item_id, unit_key(k.tag_serial, k.units))) if k.tag_serial else None
        )
        if same_unit is not None and (k.serial or link is None):
            inside = same_unit.license_plate_id is not None
            p.judge(k.epc, "inside" if inside else "repeat")
            return
        if k.serial is not None and (k.item_id, k.serial) in self._serials_taken:
            p.judge(k.epc, "inside")
            return
        booked_at = self.serials_at.get((k.item_id, k.serial or ""))
        if booked_at is not None and booked_at != p.ctx.site_id:
            p.judge(k.epc, "astray")
            self._report(
                "serial_of_another_site", k, None,
                f"{k.sku} serial {k.serial} was read coming in; by the books another site has it, and did not send it.",
            )  # fmt: skip
            return
        if link is not None and booked_at is None:
            self._named_unit(k, link)
        elif k.origin in ("commissioned", "claimed") or booked_at is not None:
            p.judge(k.epc, "already_here")
            self._unit_of_the_house(k)
        else:
            self._unnamed_unit(k)

    def _named_unit(self, k: KnownTag, link: _Link) -> None:
        p = self.p
        assert k.item_id is not None
        receipt = self.receipt_for(link.asn_id)
        if link.license_plate_id in self.received:
            p.judge(k.epc, "inside", receipt)
            return
        lot_id = k.lot_id or (self._sole_lot(link.asn_id, k.item_id) if k.tracking == "lot" else None)
        if k.tracking == "lot" and lot_id is None:
            self.unknown(k, f"{k.sku} is kept by lot, and neither tag nor notice says which.")
            return
        self._take(
            receipt,
            Take(
                k.item_id,
                k.units,
                lot_id,
                k.serial,
                unit_key(k.tag_serial, k.units),
                link.license_plate_id,
                epc=k.epc,
            ),
        )
        p.judge(k.epc, "received", receipt)

    def _unnamed_unit(self, k: KnownTag) -> None:
        """Only its bits are known: the item, and a serial. It may be inside a plate that was counted by contents."""
        p = self.p
        assert k.item_id is not None
        asn_id = self.main_asn
        lot_id = self._sole_lot(asn_id, k.item_id) if asn_id is not None and k.tracking == "lot" else None
        if k.tracking == "lot" and lot_id is None:
            self.unknown(k, f"{k.sku} is kept by lot, and neither tag nor notice says which.")
            return
        receipt = self.receipt_for(asn_id)
        if k.epc in self.absorbed_before:
            p.judge(k.epc, "inside", receipt)
            return
        if asn_id is not None and k.tracking != "serial":
            room = self._room(receipt, asn_id, k.item_id)
            if room >= k.units:
                self._rooms[(receipt.id, k.item_id)] = room - k.units
                p.absorbed[k.epc] = (k.item_id, k.units)
                p.judge(k.epc, "inside", receipt)
                return
        floating = asn_id is not None and k.tracking != "serial" and self._plates_to_come(asn_id, k.item_id)
        self._register(k, lot_id)
        self._take(
            receipt,
            Take(
                k.item_id,
                k.units,
                lot_id,
                k.serial,
                unit_key(k.tag_serial, k.units),
                epc=k.epc,
                floating=floating,
            ),
        )
        p.judge(k.epc, "received", receipt)

    def _take(self, receipt: Receipt, take: Take) -> None:
        self.takes[receipt.id].append(take)
        if take.serial is not None:
            self._serials_taken.add((take.item_id, take.serial))

    def _register(self, k: KnownTag, lot_id: UUID | None) -> None:
        self.p.conn.execute(
            """insert into tag (id, epc, item_id, pack_id, lot_id, serial, commissioned_by, origin)
               values (%s, %s, %s, %s, %s, %s, %s, 'decoded') on conflict (epc) where state = 'active' do nothing""",
            [new_id(), k.epc, k.item_id, k.pack_id, lot_id, k.tag_serial, self.p.ctx.actor],
        )

    def _room(self, receipt: Receipt, asn_id: UUID, item_id: UUID) -> Decimal:
        """How many unnamed single tags of an item the plates counted by contents can still explain."""
        key = (receipt.id, item_id)
        if key not in self._rooms:
            row = self.p.conn.execute(
                """select
                     coalesce((select sum(c.quantity) from asn_content c join asn_plate ap using (license_plate_id)
                               where c.asn_id = %(asn)s and c.item_id = %(item)s and ap.received_at is not null), 0)
                   - coalesce((select sum(coalesce(k.units, 1)) from asn_tag l join tag t on t.id = l.tag_id
                               left join item_pack k on k.id = t.pack_id
                               join asn_plate ap on ap.license_plate_id = l.license_plate_id
                               where l.asn_id = %(asn)s and t.item_id = %(item)s and ap.received_at is not null), 0)
                   - coalesce((select sum(q) from (select max(quantity) as q from passage_tag
                               where receipt_id = %(receipt)s and item_id = %(item)s and outcome = 'inside' group by epc) s), 0)
                   - coalesce((select sum(e.quantity) from receipt_entry e join tag t on t.epc = e.epc and t.state = 'active'
                               where e.receipt_id = %(receipt)s and e.item_id = %(item)s and e.license_plate_id is not null
                                 and e.reversed_at is null and not exists (select 1 from asn_tag l where l.tag_id = t.id)), 0)""",
                {"asn": asn_id, "item": item_id, "receipt": receipt.id},
            ).fetchone()
            self._rooms[key] = row[0] if row else ZERO
        return self._rooms[key]

    def _plates_to_come(self, asn_id: UUID, item_id: UUID) -> bool:
        return (
            self.p.conn.execute(
                """select 1 from asn_content c join asn_plate ap using (license_plate_id)
                   where c.asn_id = %s and c.item_id = %s and ap.received_at is null limit 1""",
                [asn_id, item_id],
            ).fetchone()
            is not None
        )

    def _sole_lot(self, asn_id: UUID, item_id: UUID) -> UUID | None:
        key = (asn_id, item_id)
        if key not in self._sole_lots:
            rows = self.p.conn.execute(
                """select lot_id from asn_line where asn_id = %s and item_id = %s and lot_id is not null
                   union select lot_id from asn_content where asn_id = %s and item_id = %s and lot_id is not null""",
                [asn_id, item_id, asn_id, item_id],
            ).fetchall()
            self._sole_lots[key] = UUID(str(rows[0][0])) if len(rows) == 1 else None
        return self._sole_lots[key]

    # what is no arrival

    def unknown(self, k: KnownTag, reason: str) -> None:
        p = self.p
        receipt = self._by_asn.get(self.main_asn) or next(iter(self.receipts.values()), None)
        if receipt is None:
            receipt = latest_receipt_at(p.conn, p.ctx.site_id, p.door_id, p.ctx.now - SAME_UNLOADING)
        sighting = p.sightings[k.epc]
        note_unknown(
            p.conn, p.ctx, k.epc, reason=reason, place_id=p.door_id, reads=sighting.reads, first_at=sighting.first_at,
            last_at=sighting.last_at, receipt_id=receipt.id if receipt else None,
        )  # fmt: skip
        p.judge(k.epc, "unknown", receipt)

    def _unit_of_the_house(self, k: KnownTag) -> None:
        """A registered unit that is no arrival: where do the books have it?"""
        p = self.p
        if k.serial is None:
            return  # a countable piece cannot be told from its like
        row = p.conn.execute(
            "select place_id from balance where site_id = %s and item_id = %s and serial = %s and on_hand > 0",
            [p.ctx.site_id, k.item_id, k.serial],
        ).fetchone()
        if row is None:
            p.judge(k.epc, "came_back")
            self._report(
                "came_back", k, None, f"{k.sku} serial {k.serial} left this site and was read coming in."
            )
        elif row[0] != p.door_id and self._kind_of(row[0]) not in ON_THE_WAY:
            p.judge(k.epc, "astray")
            self._report(
                "read_elsewhere",
                k,
                row[0],
                f"{k.sku} serial {k.serial} should be elsewhere, and was read coming in.",
            )

    def _report(self, kind: str, k: KnownTag, booked_place: UUID | None, sentence: str) -> None:
        report(self.p, kind, k, booked_place, sentence)

    def _kind_of(self, place_id: UUID | None) -> str | None:
        row = self.p.conn.execute("select kind from place where id = %s", [place_id]).fetchone()
        return str(row[0]) if row else None


def report(p: _Passage, kind: str, k: KnownTag, booked_place: UUID | None, sentence: str) -> None:
    """A discrepancy with its evidence, once a day for one tag."""
    seen = p.conn.execute(
        """select 1 from passage_tag where site_id = %s and epc = %s and outcome = any(%s) and recorded_at > %s limit 1""",
        [p.ctx.site_id, k.epc, ["astray", "came_back", "left"], p.ctx.now - timedelta(days=1)],
    ).fetchone()
    if seen:
        return
    sighting = p.sightings[k.epc]
    raise_discrepancy(
        p.conn, p.ctx, kind, item_id=k.item_id, place_id=booked_place or p.door_id, recount=booked_place is not None,
        evidence={
            "sentence": sentence, "epc": k.epc, "portal": p.data.portal, "passage": p.data.passage_id,
            "direction": p.data.direction, "read_at_place": str(p.door_id), "reads": sighting.reads,
            "confidence": sighting.confidence, "last_at": sighting.last_at.isoformat(),
            "license_plate_id": str(k.license_plate_id) if k.license_plate_id else None, "serial": k.serial,
        },
    )  # fmt: skip


def _settle_door(p: _Passage, receipt: Receipt) -> Receipt:
    """The receipt stands at the door that read most of it; an appointment weighs as much as two tags.

    A cross-read that came first is corrected here: what still stands at the wrong door moves over."""
    votes = Counter(
        {
            r[0]: r[1]
            for r in p.conn.execute(
                """select door_id, count(distinct epc) from passage_tag where receipt_id = %s and direction = 'in'
                   and outcome in ('received', 'inside', 'repeat') group by door_id""",
                [receipt.id],
            ).fetchall()
        }
    )
    appointed = p.conn.execute("select dock_door_id from asn where id = %s", [receipt.asn_id]).fetchone()
    if appointed and appointed[0]:
        votes[appointed[0]] += 2
    votes[receipt.dock_door_id] += 0
    best = max(votes, key=lambda door: (votes[door], door == receipt.dock_door_id))
    if (
        best == receipt.dock_door_id
        or votes[best] <= votes[receipt.dock_door_id]
        or receipt.origin != "portal"
    ):
        return receipt
    _move_receipt(p, receipt, best)
    return lock_receipt(p.conn, p.ctx.site_id, receipt.id)


def _move_receipt(p: _Passage, receipt: Receipt, door_id: UUID) -> None:
    old = receipt.dock_door_id
    entries = entries_where(p.conn, "receipt_id = %s", [receipt.id])
    tops = p.conn.execute(
        """select lp.id from license_plate lp left join license_plate up on up.id = lp.parent_id
           where lp.id = any(%s) and lp.place_id = %s and (up.id is null or up.place_id is distinct from lp.place_id)
           order by lp.id""",
        [_with_parents(p.conn, {e.license_plate_id for e in entries if e.license_plate_id}), old],
    ).fetchall()
    reason = f"{receipt.number} is unloaded at another door"
    for (plate_id,) in tops:
        ledger.move_license_plate(
            p.conn, p.ctx, plate_id, door_id, reason=reason, cause_kind="receipt", cause_id=receipt.id
        )
    counted: dict[tuple[UUID, UUID | None, str | None, str], Decimal] = defaultdict(lambda: ZERO)
    for e in entries:
        if e.license_plate_id is None:
            counted[(e.item_id, e.lot_id, e.serial, e.status)] += e.quantity
    moves = []
    for row in ledger.rows_at(p.conn, p.ctx.site_id, old):
        ours = counted.get((row.item_id, row.lot_id, row.serial, row.status), ZERO)
        quantity = min(ours, row.free)
        if row.license_plate_id is None and row.owner_id is None and quantity > 0:
            moves.append(
                ledger.Move(row.item_id, quantity, ledger.Spot(old, None, row.status), ledger.Spot(door_id, None, row.status),
                            reason, "receipt", receipt.id, row.lot_id, row.serial)
            )  # fmt: skip
    ledger.post(p.conn, p.ctx, moves)
    p.conn.execute("update receipt set dock_door_id = %s where id = %s", [door_id, receipt.id])
    move_open_tasks(p.conn, receipt.id, old, door_id)


def _with_parents(conn: Conn, plate_ids: set[UUID]) -> list[UUID]:
    rows = conn.execute(
        """with recursive up as (select id, parent_id from license_plate where id = any(%s)
               union select p.id, p.parent_id from license_plate p join up on p.id = up.parent_id)
           select id from up""",
        [list(plate_ids)],
    ).fetchall()
    return [r[0] for r in rows]


# --- outwards ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TagOnPlate:
    license_plate_id: UUID
    tags: int


def _leave(p: _Passage, known: dict[str, KnownTag]) -> None:
    """Out through a receiving door: taken back where that is plainly what happened, else a discrepancy."""
    links = _links(p.conn, known.values())
    plate_ids = {k.license_plate_id for k in known.values() if k.license_plate_id}
    plate_ids |= _plates_by_their_tags(p.conn, links)
    plates, trees = plates_and_inside(p.conn, plate_ids)
    entries = entries_where(
        p.conn,
        "site_id = %s and (epc = any(%s) or license_plate_id = any(%s))",
        [p.ctx.site_id, list(known), list(plates)],
    )
    receipts = _lock_open_receipts(p, {e.receipt_id for e in entries})
    inner = {i for root, tree in trees.items() for i in tree if i != root}
    for plate_id in sorted(plate_ids - inner):
        _plate_leaves(p, plates, trees[plate_id], plate_id, entries, receipts, known)
    on_leaving = {i for tree in trees.values() for i in tree}
    by_epc = {e.epc: e for e in entries if e.epc}
    for epc, k in known.items():
        if k.kind == "plate":
            if k.license_plate_id in inner:
                p.judge(epc, "inside")
            continue
        link = links.get(epc)
        entry = by_epc.get(epc)
        if (link and link.license_plate_id in on_leaving) or (entry and entry.license_plate_id in on_leaving):
            p.judge(epc, "inside")
        elif entry is not None and entry.license_plate_id is None and entry.receipt_id in receipts:
            receipt = receipts[entry.receipt_id]
            if _take_back(p, receipt, [entry]):
                p.judge(epc, "taken_back", receipt)
            else:
                _left(p, k, receipt.dock_door_id)
        elif k.kind == "unit" and (entry is not None or k.origin in ("commissioned", "claimed")):
            _left(p, k, None)
        else:
            p.judge(epc, "out_unreceived" if k.kind != "unknown" else "unknown")


def _plates_by_their_tags(conn: Conn, links: dict[str, _Link]) -> set[UUID]:
    """A plate whose own tag was missed left too, where at least half of the tags inside it were read."""
    seen = Counter(link.license_plate_id for link in links.values() if link.license_plate_id)
    with conn.cursor(row_factory=class_row(_TagOnPlate)) as cur:
        rows = cur.execute(
            """select license_plate_id, count(*) as tags from asn_tag where license_plate_id = any(%s)
               group by license_plate_id""",
            [list(seen)],
        ).fetchall()
    return {r.license_plate_id for r in rows if seen[r.license_plate_id] * 2 >= r.tags}


def _lock_open_receipts(p: _Passage, receipt_ids: set[UUID]) -> dict[UUID, Receipt]:
    rows = p.conn.execute(
        "select id, asn_id from receipt where id = any(%s) and state = 'open' order by id",
        [list(receipt_ids)],
    ).fetchall()
    lock_asns(p.conn, p.ctx.site_id, [r[1] for r in rows if r[1] is not None])
    locked = [lock_receipt(p.conn, p.ctx.site_id, r[0]) for r in rows]
    return {r.id: r for r in locked if r.state == "open"}


def _plate_leaves(
    p: _Passage,
    plates: dict[UUID, PlateRow],
    tree: set[UUID],
    plate_id: UUID,
    entries: list[Entry],
    receipts: dict[UUID, Receipt],
    known: dict[str, KnownTag],
) -> None:
    tags = [k for k in known.values() if k.license_plate_id == plate_id]
    counted = [e for e in entries if e.license_plate_id in tree]
    receipt = receipts.get(counted[0].receipt_id) if counted else None
    if (
        receipt is not None
        and all(e.receipt_id == receipt.id for e in counted)
        and _take_back(p, receipt, counted)
    ):
        p.conn.execute(
            "update asn_plate set received_at = null where license_plate_id = any(%s)", [list(tree)]
        )
        p.conn.execute(
            "update license_plate set state = 'expected', place_id = null where id = any(%s)", [list(tree)]
        )
        cancel_tasks_for_plates(p.conn, p.ctx, tree)
        for k in tags:
            p.judge(k.epc, "taken_back", receipt)
        return
    here = any(plates[i].has_stock for i in tree)
    for k in tags:
        if here:
            _left(p, k, plates[plate_id].place_id)
        else:
            p.judge(k.epc, "out_unreceived")


def _take_back(p: _Passage, receipt: Receipt, entries: list[Entry]) -> bool:
    try:
        with p.conn.transaction():
            unbook(p.conn, p.ctx, receipt, entries, f"went out again through {p.data.portal}")
    except ledger.NotEnoughStock:
        return False  # put away or promised meanwhile
    return True


def _left(p: _Passage, k: KnownTag, booked_place: UUID | None) -> None:
    what = k.sku or "A license plate"
    report(p, "left_at_inbound_door", k, booked_place, f"{what} was read going out through a receiving door.")
    p.judge(k.epc, "left")
